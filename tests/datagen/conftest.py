"""Make the generators of ``data-gen`` importable."""

from __future__ import annotations

import sys
from pathlib import Path

DATA_GEN = Path(__file__).resolve().parents[2] / "data-gen"
sys.path.insert(0, str(DATA_GEN))

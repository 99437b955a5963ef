"""What operations of every topic use; no test library is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import penstock.dataframe as dd


class Base:
    """Where the data are and where results go."""

    def __init__(self, data: Path, out: Path) -> None:
        self._data = data
        self.out = str(out / "out")

    def _read(self, name: str = "facts", **options: Any) -> Any:
        return dd.read_parquet(str(self._data / name), **options)

    def _write(self, result: Any) -> None:
        frame = result.to_frame() if result.ndim == 1 else result
        frame.to_parquet(self.out)

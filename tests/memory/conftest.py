"""Fixtures of the memory tests: the data, and a way to run one operation under a limit."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.memory.data import Data
from tests.support.cgroup import Measured, cgroups_available, run_in_cgroup, run_measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 250_000_000
ROWS = 4_500_000  # 250 MB as Arrow tables: three times what the limit leaves for the work
# What each operation reads, beside the facts.
_READS = {
    "merge_broadcast": ("facts", "groups"),
    "merge_grouped": ("facts", "groups"),
    "merge_exchange": ("facts", "partners"),
    "csv": ("facts.csv",),
    "csv_gz": ("facts.csv.gz",),
    "huge_row_group": ("huge",),
    "repeated_text": ("repeated",),
    **dict.fromkeys(("rolling_time", "resample_mean", "resample_median"), ("series",)),
    **dict.fromkeys(("ffill", "bfill"), ("series",)),
    **dict.fromkeys(("asof_small", "asof_large"), ("facts", "series")),
    **dict.fromkeys(
        (f"join_{how}" for how in ("outer", "left", "right", "semi", "anti")), ("facts", "partners")
    ),
    "join_skewed": ("facts", "tags"),
    "explode": ("lists",),
    "compact": ("facts", "small"),
    "cross": ("facts", "groups"),
}


@dataclass(frozen=True)
class Outcome:
    """How an operation ended.

    Attributes
    ----------
    measured : Measured
    report : dict
        What `tests.memory.operations` printed.
    folder : Path
        What the operation wrote is here; its spill directory was ``spill`` in it.
    """

    measured: Measured
    report: dict[str, Any]
    folder: Path


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    """Give the data, each set made when it is first needed."""
    folder = tmp_path_factory.mktemp("memory-data")
    yield Data(folder, ROWS)
    shutil.rmtree(folder)  # pytest would keep the last three


@pytest.fixture
def run(data: Data, tmp_path: Path) -> Iterator[Callable[..., Outcome]]:
    """Give a function that runs an operation by name in a process under the limit.

    Where a cgroup can be made the kernel enforces the limit as well.
    """

    def start(name: str, *before: str, limit: int = LIMIT, watched: bool = False) -> Outcome:
        for each in _READS.get(name, ("facts",)):
            data.path(each)
        argv = [sys.executable, "-m", "tests.memory.operations"]
        if before:
            code = "; ".join(before) + "; from tests.memory.operations import main; main()"
            argv = [sys.executable, "-c", code]
        argv += [name, str(data.folder), str(tmp_path), *(["watched"] if watched else [])]
        env = {
            "PYTHONPATH": str(ROOT),
            "PENSTOCK_MEMORY_LIMIT": str(limit),
            "PENSTOCK_NUM_WORKERS": "2",
            "PENSTOCK_SPILL_DIRECTORY": str(tmp_path / "spill"),
        }
        if cgroups_available():
            measured = run_in_cgroup(argv, limit, env)
        else:
            measured = run_measured(argv, env)
        measured.check()
        return Outcome(measured, json.loads(measured.stdout), tmp_path)

    yield start
    shutil.rmtree(tmp_path)

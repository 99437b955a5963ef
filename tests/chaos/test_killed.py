"""Processes killed while they write: the target is absent, the old one or complete."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pytest

from tests.chaos.conftest import ROWS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Job = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.chaos

# argv: what to read, where to write, how, how many rows, and what to mark the rows with.
WRITE = """
import sys
import penstock.dataframe as dd

source, target, how, rows, mark = sys.argv[1:]
frame = dd.read_parquet(source, blocksize="1MB")
frame = frame[frame["id"] < int(rows)].assign(mark=int(mark)).sort_values("real")
print("go", flush=True)
if how == "csv":
    frame.to_csv(target, single_file=True, index=False)
else:
    on = "group" if how == "partitioned" else None
    frame.to_parquet(target, mode="overwrite", partition_on=on)
print("done", flush=True)
"""
TARGETS = {
    "directory": "out",
    "partitioned": "out",
    "file": "out.parquet",
    "csv": "out.csv",
}
OLD, NEW = 1, 2


def found(target: Path, how: str) -> tuple[int, set[int]] | None:
    """Return the rows of what is there, and its marks; None for nothing."""
    if not target.exists():
        return None
    if how == "csv":
        table = pa_csv.read_csv(target)
    else:
        table = ds.dataset(target, format="parquet", partitioning="hive").to_table()
    assert len(set(table["id"].to_pylist())) == len(table)
    return len(table), set(table["mark"].to_pylist())


def kill_at_random(job: Job, numbers: Path, folder: Path, how: str, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    target = folder / TARGETS[how]
    begun = time.monotonic()

    def start(rows: int, mark: int) -> subprocess.Popen[str]:
        nonlocal begun
        process = job(WRITE, numbers, target, how, rows, mark)
        begun = time.monotonic()
        return process

    def finish(rows: int, mark: int) -> None:
        out, err = start(rows, mark).communicate(timeout=60)
        assert out == "done\n", err
        assert found(target, how) == (rows, {mark})

    finish(ROWS, OLD)
    whole = time.monotonic() - begun
    target_was_there = True
    complete = 0
    for kill in range(kills):
        if kill % 2:  # nothing there
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
            target_was_there = False
        elif not target_was_there:
            finish(1000, OLD)
            target_was_there = True
        before = found(target, how)
        process = start(ROWS, NEW)
        time.sleep(rng.uniform(0.05, 1.05) * whole)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        after = found(target, how)
        assert after in (before, (ROWS, {NEW}))
        complete += after != before
        target_was_there = after is not None
    finish(ROWS, OLD)  # the next to write there, and to spill there, clears up
    assert {path.name for path in folder.iterdir()} == {target.name, "spill"}
    assert list((folder / "spill").iterdir()) == []


def test_a_killed_write_leaves_the_target_absent_old_or_complete(job, numbers, tmp_path):
    kill_at_random(job, numbers, tmp_path, "directory", 2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("how", TARGETS)
def test_many_killed_writes_leave_the_target_absent_old_or_complete(job, numbers, tmp_path, how):
    kill_at_random(job, numbers, tmp_path, how, 12, seed=2)


GROUP = """
import sys
import penstock.dataframe as dd

grouped = dd.read_parquet(sys.argv[1], blocksize="1MB").groupby("key")[["id", "real"]].sum()
print("go", flush=True)
while True:
    grouped.to_parquet(sys.argv[2], mode="overwrite")
"""


@pytest.mark.parametrize("after", [0.05, 0.4, 1.0])
def test_an_interrupted_groupby_ends_at_once_and_leaves_nothing(job, numbers, tmp_path, after):
    process = job(GROUP, numbers, tmp_path / "out")
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 2
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    spill = tmp_path / "spill"
    assert not spill.exists() or list(spill.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "spill"}

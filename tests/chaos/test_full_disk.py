"""Full disks: one clear error, nothing left behind, and the process goes on."""

from __future__ import annotations

import gc
import os
import re
from typing import TYPE_CHECKING

import pyarrow.dataset as ds
import pytest

import penstock.dataframe as dd
from penstock import config
from penstock.errors import SinkError, SpillError
from penstock.scheduler import PartitionStore
from tests.chaos.conftest import ROWS
from tests.support.disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.chaos

WRITES = {
    "directory": lambda frame, folder: frame.to_parquet(folder / "out"),
    "file": lambda frame, folder: frame.to_parquet(folder / "out.parquet"),
    "partitioned": lambda frame, folder: frame.to_parquet(folder / "out", partition_on="group"),
    "csv": lambda frame, folder: frame.to_csv(folder / "out"),
    "one csv": lambda frame, folder: frame.to_csv(folder / "out.csv", single_file=True),
}


@pytest.mark.parametrize("how", WRITES)
def test_a_full_target_disk(numbers: Path, how: str):
    frame = dd.read_parquet(str(numbers), blocksize="1MB")
    with small_disk(3 << 20) as disk:
        with pytest.raises(SinkError, match="No space left on device") as caught:
            WRITES[how](frame, disk)
        assert str(disk / "out") in str(caught.value)
        assert re.search(r"[\d.]+ [kM]?B written", str(caught.value))
        assert re.search(r"[\d.]+ [kM]?B free", str(caught.value))
        assert os.listdir(disk) == []
        WRITES[how](frame[frame["id"] < 1000], disk)
        (name,) = os.listdir(disk)
        format = "csv" if "csv" in how else "parquet"
        assert ds.dataset(disk / name, format=format).count_rows() == 1000


def test_a_full_target_disk_keeps_what_was_there(numbers: Path):
    frame = dd.read_parquet(str(numbers), blocksize="1MB")
    with small_disk(3 << 20) as disk:
        frame[frame["id"] < 1000].to_parquet(disk / "out")
        with pytest.raises(SinkError, match="No space left on device"):
            frame.to_parquet(disk / "out", mode="overwrite")
        assert os.listdir(disk) == ["out"]
        assert ds.dataset(disk / "out").count_rows() == 1000


@pytest.mark.parametrize("operation", ["sort", "groupby", "merge"])
def test_a_full_spill_disk(numbers: Path, operation: str):
    frame = dd.read_parquet(str(numbers), blocksize="1MB")
    jobs = {
        "sort": lambda frame: frame.sort_values("real")["id"].cumsum().max(),
        "groupby": lambda frame: frame.groupby("real")["id"].sum().sum(),
        "merge": lambda frame: frame.merge(frame, on="id", broadcast=False)["id"].sum(),
    }
    with small_disk(2 << 20) as disk:
        limits = {"spill_directory": str(disk), "exchange_memory": "100kB", "block_size": "1MB"}
        with config.set(**limits, memory_limit="2GB"):
            with pytest.raises(SpillError, match=r"No space left on device") as caught:
                jobs[operation](frame).compute()
            message = str(caught.value)
            assert re.search(rf"cannot spill [\d.]+ [kM]?B more to {disk}", message)
            assert re.search(r"[\d.]+ [kM]?B used, [\d.]+ ?[kM]?B free", message)
            assert [name for _, _, names in os.walk(disk) for name in names] == []
            # nor in memory, though the error is still at hand
            found = [value for value in gc.get_objects() if isinstance(value, PartitionStore)]
            assert not any(store.held_bytes for store in found)
            small = frame[frame["id"] < 1000]
            assert jobs[operation](small).compute() == 1000 * 999 // 2
        with config.set(memory_limit="2GB"):
            assert jobs[operation](frame).compute() == ROWS * (ROWS - 1) // 2

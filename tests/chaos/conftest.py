"""Fixtures of the chaos tests: data, and jobs in processes that may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
ROWS = 400_000


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of Parquet files: id in order, key and real at random, group 0 to 4."""
    folder = tmp_path_factory.mktemp("numbers") / "numbers"
    folder.mkdir()
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "id": np.arange(ROWS),
            "key": rng.integers(0, ROWS // 2, ROWS),
            "group": rng.integers(0, 5, ROWS),
            "real": rng.random(ROWS),
        }
    )
    for number in range(8):
        part = table.slice(number * ROWS // 8, ROWS // 8)
        pq.write_table(part, folder / f"{number}.parquet")
    return folder


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Give a function that starts Python code and returns once it has printed ``go``.

    The process spills early, into ``spill`` in the test's folder.
    """
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PENSTOCK_SPILL_DIRECTORY": str(tmp_path / "spill"),
                "PENSTOCK_EXCHANGE_MEMORY": "1MB",
                "PENSTOCK_BLOCK_SIZE": "1MB",
            },
        )
        started.append(process)
        assert process.stdout is not None
        if process.stdout.readline() != "go\n":
            pytest.fail(process.communicate()[1])
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()

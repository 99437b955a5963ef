"""The same bits from every run, whatever the number of workers and however blocks spill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.array as da
import penstock.dataframe as dd
from penstock import config

ROWS = 3000
TURNS = {1: 1, 2: 2, 8: 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "few": random.integers(0, 7, ROWS),
            "many": random.integers(0, ROWS, ROWS),
            # sums of these depend on the order of the additions
            "x": random.normal(size=ROWS) * 10.0 ** random.integers(-12, 12, ROWS),
        }
    )
    path = tmp_path_factory.mktemp("determinism")
    frame.to_parquet(path / "rows.parquet", row_group_size=250)
    return path


def _joined(df: Any) -> Any:
    right = df.drop_duplicates("many").rename(columns={"x": "y"})[["many", "y"]]
    return df.merge(right, on="many", broadcast=False).groupby("few").y.sum()


CASES = {
    "sum": lambda df: df.x.sum(),
    "std": lambda df: df.x.std(),
    "few groups": lambda df: df.groupby("few").x.mean(),
    "many groups": lambda df: df.groupby("many").x.agg(["sum", "var"]),
    "sort": lambda df: df.sort_values("few").reset_index(drop=True),
    "join": _joined,
    "cumsum": lambda df: df.x.cumsum(),
    "rolling": lambda df: df.x.rolling(5).mean(),
    "array": lambda df: da.random.default_rng(1).normal(size=(300, 40), chunks=(17, 40)).sum(),
}


@pytest.mark.parametrize("spill", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_results_are_the_same_to_the_last_bit(folder: Path, case: str, spill: bool) -> None:
    settings = {"exchange-memory": 4000} if spill else {}
    first: bytes | None = None
    with config.set(settings):
        for workers, turns in TURNS.items():
            for _ in range(turns):
                frame = dd.read_parquet(str(folder / "rows.parquet"), blocksize="10kB")
                result = CASES[case](frame).compute(num_workers=workers)
                bits = np.asarray(result).tobytes()
                first = bits if first is None else first
                assert bits == first, f"{workers} workers"

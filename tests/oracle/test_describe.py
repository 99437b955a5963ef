"""describe: what pandas tells of columns of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock import config
from tests.oracle.exchanges import SPILLING
from tests.support.frames import assert_eq

ROWS = 30
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "int": RNG.integers(0, 9, ROWS),
        "float": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.random(ROWS)),
        "text": np.append(RNG.choice(list("abc"), ROWS - 1), None),
        "bool": RNG.random(ROWS) < 0.4,
        "kind": pd.Categorical(RNG.choice(list("xyz"), ROWS)),
        "when": pd.date_range("2026-01-01", periods=ROWS),
        "zoned": pd.date_range("2026-01-01", periods=ROWS, tz="UTC"),
        "long": pd.to_timedelta(np.arange(ROWS), unit="h"),
        "nullable": pd.array(RNG.integers(0, 5, ROWS), dtype="Int64"),
        "none": [None] * ROWS,
    }
)

CASES: dict[str, Callable[[Any], Any]] = {
    "numbers of several": lambda df: df[["int", "float", "text"]].describe(),
    "nothing but others": lambda df: df[["text", "bool", "kind"]].describe(),
    "times and numbers": lambda df: df[["when", "float", "long"]].describe(),
    "with a zone": lambda df: df[["zoned"]].describe(),
    "nullable": lambda df: df[["nullable", "float"]].describe(),
    "all": lambda df: df[["int", "text", "bool", "kind"]].describe(include="all"),
    "all with times": lambda df: df[["int", "text", "when"]].describe(include="all"),
    "include": lambda df: df[["int", "text", "bool"]].describe(include=["bool"]),
    "exclude": lambda df: df[["int", "text", "bool"]].describe(exclude="number"),
    "percentiles": lambda df: df[["int"]].describe(percentiles=[0.1, 0.99]),
    "no rows": lambda df: df[df["int"] > 50][["int", "text"]].describe(include="all"),
    "series without rows": lambda df: df[df["int"] > 50]["text"].describe(),
    **{f"series {name}": lambda df, name=name: df[name].describe() for name in FRAME.columns},
}


@pytest.mark.parametrize("case", CASES)
def test_describe(case: str) -> None:
    expected = CASES[case](FRAME)
    assert_eq(CASES[case](dd.from_pandas(FRAME, npartitions=1)).compute(), expected)
    with config.set(SPILLING):
        assert_eq(CASES[case](dd.from_pandas(FRAME, npartitions=7)).compute(), expected)


def test_what_cannot_be_described() -> None:
    lazy = dd.from_pandas(FRAME, npartitions=2)
    with pytest.raises(ValueError, match="exclude must be None"):
        lazy.describe(include="all", exclude="number")
    with pytest.raises(ValueError, match="without columns"):
        lazy[["int"]].describe(include=["bool"])

"""groupby of what a merge gives: whatever is grouped before the rows meet, pandas' results."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.exchanges import check_exchanged, drawn, sample
from tests.support.frames import PARTITIONS

OTHER = pd.DataFrame(
    {
        "few": [2, 1, 1, 7, 0, 2],
        "text": ["a b", None, "x", "", "日本", "a b"],
        "name": ["p", "q", None, "p", "q", "p"],
        "kind": pd.Series([1, 2, 1, 2, 1, 2], dtype="category"),
    }
)
SEVERAL = ["sum", "mean", "count", "size", "min", "max", "std", "sem"]


def merged(frame: Any, on: str, how: str) -> Any:
    pandas = isinstance(frame, pd.DataFrame)
    other = OTHER.drop(columns={"few": "text", "text": "few"}[on])
    return frame.merge(other if pandas else dd.from_pandas(other, 2), on=on, how=how)


@pytest.mark.parametrize("how", ["inner", "left"])
@pytest.mark.parametrize("on", ["few", "text"])
@pytest.mark.parametrize("by", ["name", ["name", "bool"], ["kind", "name"]])
def test_sample(on: str, how: str, by: Any) -> None:
    frame = sample(on, "finite", "bool", "nullable_int")
    check_exchanged(
        lambda df: merged(df, on, how).groupby(by, observed=True).finite.agg(SEVERAL), frame
    )
    check_exchanged(
        lambda df: merged(df, on, how).groupby(by, observed=True, dropna=False).nullable_int.max(),
        frame,
    )


@pytest.mark.parametrize(
    ("column", "functions"),
    [
        ("finite", ["count", "sum"]),
        ("finite", ["std", "size", "mean", "min"]),
        ("small_int", ["count", "mean", "max", "min"]),
        ("nullable_int", ["count", "max", "sum", "mean"]),
        ("nullable_bool", ["count", "any", "all"]),
        ("bool", ["size", "sum", "mean"]),
        ("text", ["count", "max", "min"]),
        ("datetime", ["count", "min", "max"]),
        ("zoned", ["size", "max"]),
        ("timedelta", ["count", "sum", "mean"]),
    ],
)
def test_types_in_any_order(column: str, functions: list[str]) -> None:
    frame = sample("few", column)
    for several in (functions, functions[::-1]):
        check_exchanged(
            lambda df, several=several: merged(df, "few", "inner").groupby("name").x.agg(several),
            frame.rename(columns={column: "x"}),
        )


@pytest.mark.parametrize("how", ["inner", "left"])
@drawn("few finite bool", max_examples=10)
def test_drawn(how: str, frame: pd.DataFrame) -> None:
    check_exchanged(
        lambda df: (
            merged(df, "few", how).groupby(["name", "bool"]).finite.agg(["sum", "count", "min"])
        ),
        frame,
    )


def test_every_partitioning() -> None:
    frame = pd.DataFrame({"few": [0, 1, 2, 7, 5] * 40, "v": range(200)})
    expected = merged(frame, "few", "inner").groupby("name").v.agg(["sum", "size"])
    for npartitions in PARTITIONS:
        lazy = merged(dd.from_pandas(frame, npartitions), "few", "inner").groupby("name")
        pd.testing.assert_frame_equal(lazy.v.agg(["sum", "size"]).compute(), expected)

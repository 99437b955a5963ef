"""Rows one by one, names of the index, and what a frame says of itself."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.harness import Call, check, sample

CASES: dict[str, Call] = {
    "map": lambda df: df[["few", "finite"]].map(lambda value: value * 2),
    "map of what is there": lambda df: df[["text"]].map(len, na_action="ignore"),
    "rename_axis": lambda df: df.rename_axis("row"),
    "rename_axis of labels": lambda df: df.set_index("few", **_unsorted(df)).rename_axis("key"),
    "rename_axis to none": lambda df: df.set_index("few", **_unsorted(df)).rename_axis(None),
    "rename_axis by index": lambda df: df.rename_axis(index="row"),
    "rename_axis of levels": lambda df: (
        df.groupby(["few", "text"]).agg({"finite": "sum"}).rename_axis(["a", "b"])
    ),
    "too few names": lambda df: (
        df.groupby(["few", "text"]).agg({"finite": "sum"}).rename_axis(["a"])
    ),
    "squeeze": lambda df: df[["finite"]].squeeze(axis=1),
    "squeeze of several": lambda df: df.squeeze(axis=1),
}


def _unsorted(frame: Any) -> dict[str, bool]:
    return {} if isinstance(frame, pd.DataFrame) else {"sort": False}


@pytest.mark.parametrize("case", CASES)
def test_calls(case: str) -> None:
    check(CASES[case], sample("few", "finite", "text"))


def test_pop() -> None:
    def popped(df: Any) -> Any:
        df = df.copy()
        few = df.pop("few")
        assert list(df.columns) == ["finite"]
        return df.assign(taken=few + 1)

    check(popped, sample("few", "finite"))
    lazy = dd.from_pandas(sample("few"), 2)
    with pytest.raises(KeyError):
        lazy.pop("nothing")


@pytest.mark.parametrize("npartitions", [1, 3, 17])
@pytest.mark.parametrize("index", [None, "text"])
def test_rows_one_by_one(npartitions: int, index: str | None) -> None:
    frame = sample("few", "finite", "text").dropna()
    frame = frame.reset_index(drop=True) if index is None else frame.set_index(index)
    lazy = dd.from_pandas(frame, npartitions)
    assert list(lazy.itertuples()) == list(frame.itertuples())
    assert list(lazy.itertuples(index=False, name=None)) == list(
        frame.itertuples(index=False, name=None)
    )
    for (label, row), (expected_label, expected) in zip(
        lazy.iterrows(), frame.iterrows(), strict=True
    ):
        assert label == expected_label
        pd.testing.assert_series_equal(row, expected)


def test_rows_are_read_no_further_than_asked() -> None:
    read = []

    def block(number: int) -> pd.DataFrame:
        read.append(number)
        return pd.DataFrame({"n": [number] * 10})

    rows = dd.from_map(block, range(50), meta={"n": "int64"}).itertuples()
    assert next(rows).n == 0
    rows.close()
    assert len(read) < 50


def test_info() -> None:
    lazy = dd.from_pandas(sample("few", "finite", "text"), 3)
    short, long = io.StringIO(), io.StringIO()
    lazy.info(buf=short)
    assert "Columns: 3 entries, few to text" in short.getvalue()
    assert "float64(1)" in short.getvalue()
    lazy.info(buf=long, verbose=True)
    counts = sample("few", "finite", "text").count()
    assert f"{len(sample('few'))} entries" in long.getvalue()
    assert f"{counts.text} non-null" in long.getvalue()
    empty = io.StringIO()
    lazy[[]].info(buf=empty)
    assert "Columns: 0 entries" in empty.getvalue()


def test_axes() -> None:
    lazy = dd.from_pandas(sample("few", "finite"), 3)
    rows, columns = lazy.axes
    assert list(rows.compute()) == list(sample("few").index)
    assert list(columns) == ["few", "finite"]

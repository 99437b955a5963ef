"""Duplicates, counts and modes against pandas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.convert import series_from_arrow
from penstock.engine.kernels.dedupe import (
    distinct,
    drop_duplicates,
    duplicated,
    mode,
    value_counts,
)
from penstock.errors import ColumnNotFoundError, UnsupportedError
from tests.engine.kernel_frames import assert_same, blocks_of, frames, to_table

COLUMNS = ["text", "float", "int", "bool", "time", "delta", "cat", "number"]
SUBSETS = st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3, unique=True)


@given(
    frame=frames,
    subset=st.one_of(st.none(), SUBSETS),
    keep=st.sampled_from(["first", "last", False]),
    size=st.integers(1, 9),
)
def test_drop_duplicates_equals_pandas(
    frame: pd.DataFrame, subset: list[str] | None, keep: str | bool, size: int
) -> None:
    table = to_table(frame)
    expected = frame.drop_duplicates(subset, keep=keep)
    assert duplicated(table, subset, keep).tolist() == frame.duplicated(subset, keep).tolist()
    if keep:
        table = pa.concat_tables([drop_duplicates(b, subset, keep) for b in blocks_of(table, size)])
    assert_same(drop_duplicates(table, subset, keep), expected)


@given(frame=frames, column=st.sampled_from(COLUMNS), dropna=st.booleans(), size=st.integers(1, 9))
def test_value_counts_equals_pandas(
    frame: pd.DataFrame, column: str, dropna: bool, size: int
) -> None:
    parts = [value_counts(block, column, dropna) for block in blocks_of(to_table(frame), size)]
    result = value_counts(pa.concat_tables(parts), column, dropna, weights="count")
    expected = frame.groupby(column, sort=False, dropna=dropna, observed=True).size()
    assert_same(result, expected.reset_index(name="count"), check_dtype=not frame.empty)


@given(frame=frames, column=st.sampled_from(COLUMNS), dropna=st.booleans())
def test_distinct_and_mode_equal_pandas(frame: pd.DataFrame, column: str, dropna: bool) -> None:
    array = to_table(frame)[column]
    got = series_from_arrow(distinct(array))
    expected = frame[column].drop_duplicates().reset_index(drop=True)
    pd.testing.assert_series_equal(got, expected, check_names=False)
    if frame.empty:
        assert len(mode(array)) == 0
        return
    got = series_from_arrow(mode(array, dropna))
    expected = frame[column].mode(dropna)
    if not dropna and column != "cat":
        expected = expected.sort_values(ignore_index=True)
    pd.testing.assert_series_equal(got, expected, check_names=False, check_dtype=len(got) > 0)


def test_errors() -> None:
    table = pa.table({"x": [1]})
    with pytest.raises(ColumnNotFoundError):
        drop_duplicates(table, ["y"])
    with pytest.raises(ColumnNotFoundError):
        value_counts(table, "y")
    with pytest.raises(UnsupportedError, match="keep"):
        drop_duplicates(table, keep="some")

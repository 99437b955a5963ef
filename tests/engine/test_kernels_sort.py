"""Sorting, top rows, splitters and range partitions against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.sort import (
    merge_sorted,
    sort_indices,
    sort_table,
    top_candidates,
    top_n,
)
from penstock.engine.kernels.sort_splitters import choose_splitters, range_partition
from penstock.errors import ColumnNotFoundError, SchemaError, UnsupportedError
from tests.engine.kernel_frames import assert_same, blocks_of, frames, to_table

ONE = ["text", "float", "big", "int", "tiny", "bool", "time", "delta", "cat", "number"]
ORDERS = st.lists(st.sampled_from(ONE), min_size=1, max_size=3, unique=True)


@given(frame=frames, by=ORDERS, data=st.data(), na=st.sampled_from(["first", "last"]))
def test_order_equals_pandas(
    frame: pd.DataFrame, by: list[str], data: st.DataObject, na: str
) -> None:
    flags = data.draw(st.lists(st.booleans(), min_size=len(by), max_size=len(by)))
    expected = frame.sort_values(by, ascending=flags, na_position=na, kind="stable")
    assert sort_indices(to_table(frame), by, flags, na).tolist() == expected.index.tolist()
    assert_same(sort_table(to_table(frame), by, flags, na), expected)


@pytest.mark.parametrize("dtype", ["float64", "int64", "int32", "int8", "uint64", "datetime64[ns]"])
@pytest.mark.parametrize("spread", [3, 1000, 2**62])
def test_many_rows_are_stable(dtype: str, spread: int) -> None:
    values = np.random.default_rng(1).integers(0, spread, 5000)
    frame = pd.DataFrame({"x": values.astype("int64").astype(dtype, casting="unsafe")})
    for ascending in (True, False):
        expected = frame.sort_values("x", ascending=ascending, kind="stable").index
        assert np.array_equal(sort_indices(to_table(frame), ["x"], ascending), expected)


def test_extremes_of_integers_and_infinities() -> None:
    lowest = pa.table({"x": pa.array([0, -(2**63), 2**63 - 1, None])})
    assert sort_indices(lowest, ["x"], False).tolist() == [2, 0, 1, 3]
    high = pa.table({"x": pa.array([0, 2**64 - 1, 5], pa.uint64())})
    assert sort_indices(high, ["x"], False).tolist() == [1, 2, 0]
    # Unlike pandas, which sorts a missing value as infinity when there are several keys.
    mixed = pa.table({"x": [1.0, None, float("-inf")], "y": [1, 1, 0]})
    assert sort_indices(mixed, ["x", "y"], True, "first").tolist() == [1, 2, 0]


@given(
    frame=frames,
    n=st.integers(0, 30),
    smallest=st.booleans(),
    keep=st.sampled_from(["first", "last", "all"]),
    by=st.lists(
        st.sampled_from(["int", "number", "big", "float"]), min_size=1, max_size=2, unique=True
    ),
    size=st.integers(1, 9),
)
def test_top_rows_equal_pandas(
    frame: pd.DataFrame, n: int, smallest: bool, keep: str, by: list[str], size: int
) -> None:
    frame = frame.dropna(subset=by).reset_index(drop=True)
    expected = (frame.nsmallest if smallest else frame.nlargest)(n, by, keep=keep)
    parts = [top_candidates(b, by, n, smallest, keep) for b in blocks_of(to_table(frame), size)]
    result = top_n(pa.concat_tables(parts), by, n, smallest, keep)
    if len(by) > 1:  # pandas leaves ties on all of several columns in no certain order
        result, expected = result.select(by), expected[by]
    assert_same(result, expected, check_dtype=not frame.empty)


@given(
    frame=frames,
    by=ORDERS,
    ascending=st.booleans(),
    na=st.sampled_from(["first", "last"]),
    n=st.integers(1, 8),
)
def test_range_partitions_sort_the_whole(
    frame: pd.DataFrame, by: list[str], ascending: bool, na: str, n: int
) -> None:
    table = to_table(frame)
    sample = table.take(pa.array(range(0, table.num_rows, 2), pa.int64()))
    splitters = choose_splitters(sample, by, ascending, na, n)
    assert splitters.num_rows <= n - 1
    buckets: list[list[pa.Table]] = [[] for _ in range(splitters.num_rows + 1)]
    for block in blocks_of(table, 6):
        rows, offsets = range_partition(block, by, splitters, ascending, na)
        assert offsets[-1] == block.num_rows
        for number, bucket in enumerate(buckets):
            bucket.append(rows.slice(offsets[number], offsets[number + 1] - offsets[number]))
    parts = [sort_table(pa.concat_tables(bucket), by, ascending, na) for bucket in buckets]
    expected = frame.sort_values(by, ascending=ascending, na_position=na, kind="stable")
    assert_same(pa.concat_tables(parts), expected)


def test_splitters_of_heavy_duplicates() -> None:
    sample = pa.table({"x": [1] * 90 + list(range(2, 12))})
    splitters = choose_splitters(sample, ["x"], True, "last", 10)
    assert splitters["x"].to_pylist() == [2]
    uniform = choose_splitters(pa.table({"x": list(range(1000))}), ["x"], True, "last", 4)
    assert uniform["x"].to_pylist() == [250, 500, 750]
    assert choose_splitters(sample.slice(0, 0), ["x"], True, "last", 4).num_rows == 0


def test_merge_sorted_keeps_the_order_of_tables() -> None:
    first, second = pa.table({"x": [1, 2], "t": [0, 0]}), pa.table({"x": [1, 3], "t": [1, 1]})
    assert merge_sorted([first, second], ["x"])["t"].to_pylist() == [0, 1, 0, 1]


def test_errors() -> None:
    table = pa.table({"x": [1], "l": [[1]]})
    with pytest.raises(ColumnNotFoundError, match="'y'"):
        sort_table(table, ["y"])
    with pytest.raises(SchemaError, match="2 flags for 1 columns"):
        sort_table(table, ["x"], [True, False])
    with pytest.raises(SchemaError, match="list"):
        sort_table(table, ["l"])
    with pytest.raises(UnsupportedError, match="keep"):
        top_n(table, ["x"], 1, keep="some")

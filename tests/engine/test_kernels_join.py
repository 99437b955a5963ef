"""Joins against `pandas.merge`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.concat import concat_tables
from penstock.engine.kernels.convert import frame_from_table
from penstock.engine.kernels.join import JoinTable, join_tables
from penstock.errors import ColumnNotFoundError, SchemaError, UnsupportedError
from tests.engine.kernel_frames import assert_same, blocks_of, frames, to_table

KEYS = st.sampled_from(
    [
        ["text"],
        ["float"],
        ["int"],
        ["tiny"],
        ["big"],
        ["bool"],
        ["time"],
        ["delta"],
        ["cat"],
        ["text", "int"],
        ["float", "cat", "bool"],
        ["number", "time"],
    ]
)


@given(
    left=frames, right=frames, keys=KEYS, how=st.sampled_from(["inner", "left", "right", "outer"])
)
def test_merge_on_shared_keys(
    left: pd.DataFrame, right: pd.DataFrame, keys: list[str], how: str
) -> None:
    left = left[[*keys, *[c for c in ("big", "cat") if c not in keys]]]
    right = right[[*keys, *[c for c in ("big", "delta") if c not in keys]]]
    expected = left.merge(right, on=keys, how=how, indicator=True)
    result = join_tables(to_table(left), to_table(right), keys, keys, how, indicator=True)
    assert_same(result, expected, check_dtype=not expected.empty)


@pytest.mark.filterwarnings("ignore:You are merging on int and float")
@given(
    left=frames,
    right=frames,
    how=st.sampled_from(["inner", "left", "right", "outer"]),
    pair=st.sampled_from([("int", "tiny"), ("int", "float"), ("bool", "bool"), ("text", "text")]),
)
def test_merge_on_other_names_and_types(
    left: pd.DataFrame, right: pd.DataFrame, how: str, pair: tuple[str, str]
) -> None:
    left = left[[pair[0], "big"]].rename(columns={pair[0]: "a"})
    right = right[[pair[1], "big"]].rename(columns={pair[1]: "b"})
    expected = left.merge(right, left_on="a", right_on="b", how=how, suffixes=(None, "_right"))
    result = join_tables(
        to_table(left), to_table(right), ["a"], ["b"], how, suffixes=(None, "_right")
    )
    assert_same(result, expected, check_dtype=not expected.empty)


@given(left=frames, right=frames, keys=KEYS, size=st.integers(1, 9))
def test_blocks_probing_one_built_side(
    left: pd.DataFrame, right: pd.DataFrame, keys: list[str], size: int
) -> None:
    right = right[[*keys]].assign(value=np.arange(len(right)))
    built = JoinTable(to_table(right), keys, to_table(left).schema, keys)
    blocks = blocks_of(to_table(left), size)
    for how in ("inner", "left"):
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(lambda block, how=how: built.probe(block, how), blocks))
        expected = left.merge(right, on=keys, how=how)
        assert_same(concat_tables(parts), expected, check_dtype=not expected.empty)
    semi = concat_tables([built.probe(block, "semi") for block in blocks])
    anti = concat_tables([built.probe(block, "anti") for block in blocks])
    distinct = right[keys].drop_duplicates()
    origin = left[keys].merge(distinct, on=keys, how="left", indicator=True)["_merge"]
    assert_same(semi, left[(origin == "both").to_numpy()])
    assert_same(anti, left[(origin == "left_only").to_numpy()])
    seen = np.logical_or.reduce([built.matched(block) for block in blocks])
    origin = right[keys].merge(left[keys].drop_duplicates(), on=keys, how="left", indicator=True)[
        "_merge"
    ]
    assert seen.tolist() == (origin == "both").tolist()


def test_cross() -> None:
    left, right = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3, 4], "y": [5, 6]})
    result = join_tables(to_table(left), to_table(right), [], [], "cross")
    assert_same(result, left.merge(right, how="cross"))


def test_wide_and_unsigned_keys() -> None:
    values = np.array([0, 2**63, 2**64 - 1, 7], np.uint64)
    left = pd.DataFrame({"k": values, "x": range(4)})
    right = pd.DataFrame({"k": values[::-1], "y": range(4)})
    for how in ("inner", "left", "outer"):
        result = join_tables(to_table(left), to_table(right), ["k"], ["k"], how)
        assert_same(result, left.merge(right, on="k", how=how))


@pytest.mark.parametrize("validate", ["one_to_one", "1:m", "many_to_one", "m:m"])
def test_validate(validate: str) -> None:
    once, twice = pa.table({"k": [1, 2]}), pa.table({"k": [1, 1]})
    for left, right in ((once, twice), (twice, once), (once, once)):
        try:
            expected = frame_from_table(left).merge(
                frame_from_table(right), on="k", validate=validate
            )
        except pd.errors.MergeError:
            with pytest.raises(SchemaError, match="not unique in the"):
                join_tables(left, right, ["k"], ["k"], validate=validate)
        else:
            assert_same(join_tables(left, right, ["k"], ["k"], validate=validate), expected)


def test_errors() -> None:
    left, right = pa.table({"k": [1], "x": [1]}), pa.table({"k": ["a"], "x": [1], "x_x": [1]})
    with pytest.raises(SchemaError, match="'k' of type int64 with column 'k' of type string"):
        join_tables(left, right, ["k"], ["k"])
    with pytest.raises(ColumnNotFoundError, match="'z'"):
        join_tables(left, right, ["k"], ["z"])
    with pytest.raises(SchemaError, match="overlap"):
        join_tables(left, left, ["k"], ["k"], suffixes=(None, None))
    with pytest.raises(SchemaError, match="duplicate column names"):
        join_tables(left, right.drop_columns(["k"]), ["x"], ["x_x"], suffixes=("_x", ""))
    with pytest.raises(SchemaError, match="as many left keys"):
        join_tables(left, right, ["k", "x"], ["k"])
    with pytest.raises(UnsupportedError, match="how='inside'"):
        join_tables(left, left, ["k"], ["k"], "inside")
    with pytest.raises(UnsupportedError, match="block by block"):
        JoinTable(left, ["k"], left.schema, ["k"]).probe(left, "outer")

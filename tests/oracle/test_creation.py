"""Collections of data in memory, and what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penstock.dataframe as dd
from tests.oracle.harness import check, sample
from tests.support.frames import KINDS, PARTITIONS, assert_eq, frames


@settings(max_examples=40)
@given(frames(any_index=True), st.sampled_from(PARTITIONS))
def test_round_trip(frame: pd.DataFrame, npartitions: int) -> None:
    assert_eq(dd.from_pandas(frame, npartitions), frame)
    for label in frame:
        assert_eq(dd.from_pandas(frame[label], npartitions), frame[label])
        unnamed = frame[label].rename(None)
        assert_eq(dd.from_pandas(unnamed, npartitions), unnamed)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    frame = sample(kind)
    for each in (frame, frame[kind], frame.iloc[:0], frame.iloc[:1], frame.iloc[:0][kind]):
        check(lambda df: df, each)
        collection = dd.from_pandas(each, 3)
        if isinstance(each, pd.Series):
            assert collection.dtype == each.dtype or kind in ("category", "ordered_category")


INDEXES: dict[str, Any] = {
    "text": pd.Index(list("abcdefg")),
    "named": pd.Index(range(7), name="n"),
    "offset": pd.RangeIndex(5, 12),
    "step": pd.RangeIndex(0, 14, 2),
    "duplicates": pd.Index([1, 1, 2, 2, 3, 3, 3]),
    "times": pd.DatetimeIndex(["2020-01-01"] * 7, name="when"),
    "floats": pd.Index([0.5, None, 1.5, 2.5, 3.5, 4.5, 5.5]),
    "levels": pd.MultiIndex.from_arrays([list("aabbccd"), range(7)], names=["x", None]),
    "categories": pd.CategoricalIndex(list("abcabca"), name="c"),
}


@pytest.mark.parametrize("index", INDEXES)
def test_indexes(index: str) -> None:
    frame = sample("few", "text").set_index(INDEXES[index])
    check(lambda df: df, frame)
    check(lambda df: df.few + 1, frame)
    check(lambda df: df[df.few > 0], frame)
    check(lambda df: df.reset_index(), frame)
    check(lambda df: df.tail(2), frame)


@pytest.mark.parametrize(
    "columns", [[0, 1], [1.5, None], ["a", 1], [("a", 1), ("b", 2)], ["", "a"]]
)
def test_labels(columns: list[Any]) -> None:
    frame = sample("few", "finite")
    frame.columns = (
        pd.Index(columns)
        if not isinstance(columns[0], tuple)
        else (pd.MultiIndex.from_tuples(columns, names=["x", "y"]))
    )
    check(lambda df: df, frame)
    check(lambda df: df[columns[0]], frame)
    check(lambda df: df + 1, frame)
    check(lambda df: df.sum(), frame)


def test_name_of_labels() -> None:
    frame = sample("few", "finite").rename_axis(columns="kinds")
    check(lambda df: df, frame)
    check(lambda df: df[["few"]] * 2, frame)


def test_frames_without_columns_or_rows() -> None:
    nothing = pd.Index([], dtype="str")
    check(lambda df: df, pd.DataFrame(index=range(3), columns=nothing))
    check(len, pd.DataFrame(index=range(3), columns=nothing))
    check(lambda df: df, pd.DataFrame(columns=nothing))
    check(lambda df: df, pd.Series([], dtype="float64", name="x"))


def test_options() -> None:
    frame = sample("few", "text")
    assert dd.from_pandas(frame, chunksize=2).npartitions == 4
    assert dd.from_pandas(frame).npartitions == 1
    shuffled = frame.iloc[[3, 1, 2, 0, 6, 5, 4]]
    assert_eq(dd.from_pandas(shuffled, 3, sort=True), frame)
    with pytest.raises(TypeError, match="not list"):
        dd.from_pandas([1, 2])


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_from_arrow(npartitions: int) -> None:
    frame = sample("few", "finite", "text", "bool", "datetime", "category")
    table = pa.Table.from_pandas(frame.assign(category=frame.category.astype("str")))
    expected = frame.assign(category=frame.category.astype("str"))
    assert_eq(dd.from_arrow(table, npartitions), expected)
    chunked = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    assert_eq(dd.from_arrow(chunked, npartitions).few.sum(), frame.few.sum())
    repeated = pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    assert dd.from_arrow(repeated, npartitions).compute().shape == (2, 2)
    large = pa.table({"t": pa.array(["a", None], pa.large_string()), "n": pa.array([None, 1])})
    assert_eq(dd.from_arrow(large), pd.DataFrame({"t": ["a", None], "n": [np.nan, 1.0]}))


def test_from_dict() -> None:
    data = {"a": [1, 2, 3], "b": ["x", None, "z"]}
    assert_eq(dd.from_dict(data, npartitions=2), pd.DataFrame(data))
    rows = {"r": [1, 2.5], "s": [3, 4.5]}
    expected = pd.DataFrame.from_dict(rows, orient="index", columns=["p", "q"])
    assert_eq(dd.from_dict(rows, orient="index", columns=["p", "q"]), expected)


def test_the_users_frame_is_not_changed() -> None:
    frame = sample("few", "finite")
    before = frame.copy()
    collection = dd.from_pandas(frame, 2)
    result = collection.compute()
    result.loc[0, "few"] = 99
    assert_eq(collection, before)
    assert_eq(frame, before)
    series = collection.few.compute()
    series.iloc[0] = -5
    assert_eq(collection.few, before.few)


def test_objects_of_several_types_are_refused() -> None:
    with pytest.raises(TypeError, match="values of different types"):
        dd.from_pandas(pd.DataFrame({"x": [1, "a", 2.5]}, dtype=object), 2)


def test_representations() -> None:
    collection = dd.from_pandas(sample("few", "text"), 2)
    assert repr(collection) == "<DataFrame [few: int64, text: str]>"
    assert repr(collection.few) == "<Series 'few': int64>"
    assert repr(collection.few.sum()) == "<Scalar: int64>"
    assert "int64" in collection._repr_html_()
    assert "few" in dir(collection)
    for lazy in (collection, collection.few, collection.few.sum()):
        with pytest.raises(TypeError):
            bool(lazy)
    assert np.asarray(collection.few).tolist() == sample("few").few.tolist()
    assert collection.few.to_list() == collection.few.tolist() == sample("few").few.tolist()


def test_collections_stand_where_numpy_and_python_take_values() -> None:
    frame = sample("few", "finite")
    for npartitions in PARTITIONS:
        lazy = dd.from_pandas(frame, npartitions)
        assert list(lazy.few) == list(frame.few)
        assert list(lazy.index) == list(frame.index)
        assert max(lazy.few) == 2
        assert_eq(np.asarray(lazy), np.asarray(frame))
        assert_eq(np.asarray(lazy.few, dtype="float32"), np.asarray(frame.few, dtype="float32"))


def test_a_parameter_that_compute_does_not_take_is_refused_before_anything_runs() -> None:
    ran: list[int] = []
    lazy = dd.from_pandas(sample("few"), 2).few.map(ran.append, meta=("few", "object"))
    with pytest.raises(
        TypeError, match=r"keyword argument 'schedulr'; it takes scheduler, .*limit"
    ):
        lazy.compute(schedulr="sync")
    assert not ran


def test_a_series_of_pandas_is_no_mask() -> None:
    frame = sample("few")
    with pytest.raises(NotImplementedError, match="make it a collection with from_pandas"):
        dd.from_pandas(frame, 2)[frame.few > 0]

"""Frames of other rows side by side, joins on the index, and joins ordered by key."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock import config
from penstock.engine.lower import optimise
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import walk
from penstock.errors import SchemaError
from tests.oracle.exchanges import SPILLING
from tests.support.frames import assert_eq

INDEXES: dict[str, tuple[pd.Index, pd.Index]] = {
    "numbers": (pd.Index([5, 3, 9, 1]), pd.Index([1, 2, 3, 7])),
    "ranges": (pd.RangeIndex(3, 8), pd.RangeIndex(0, 4)),
    "texts": (pd.Index(["b", "a", "z"], name="k"), pd.Index(["q", "z", "b"], name="k")),
    "other names": (pd.Index(["b", "a"], name="k"), pd.Index(["q", "b"], name="j")),
    "times": (
        pd.to_datetime(["2026-01-05", "2026-01-01"]),
        pd.to_datetime(["2026-01-02", "2026-01-05"]),
    ),
    "permuted": (pd.Index([3, 1, 2]), pd.Index([1, 2, 3])),
    "disjoint": (pd.Index([1, 2]), pd.Index([3, 4])),
    "levels": (
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", "y"]),
        pd.MultiIndex.from_tuples([(2, "b"), (0, "c")], names=["x", "y"]),
    ),
}


def frames(index: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    first, second = INDEXES[index]
    texts = [f"s{number}" for number in range(len(first))]
    one = pd.DataFrame({"v": np.arange(len(first)), "t": texts}, index=first)
    other = pd.DataFrame({"v": np.arange(len(second)) * 1.5, "f": True}, index=second)
    return one, other


def lazy(members: list[Any], npartitions: int) -> list[Any]:
    return [dd.from_pandas(member, npartitions=npartitions) for member in members]


def spilling(npartitions: int) -> Any:
    return config.set(SPILLING) if npartitions == 3 else contextlib.nullcontext()


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("join", ["outer", "inner"])
@pytest.mark.filterwarnings("ignore:Sorting by default")
def test_columns_of_other_rows_meet_by_label(index: str, join: str) -> None:
    one, other = frames(index)
    several = ([one, other], [other, one["t"]], [one["v"], other["v"], one["t"]])
    for (number, members), npartitions in zip(
        enumerate(several), itertools.cycle((1, 3)), strict=False
    ):
        options: Any = {"axis": 1, "join": join, "ignore_index": number == 1}
        expected = pd.concat(members, **options)
        if index == "times":
            expected.index.freq = None
        with spilling(npartitions):
            assert_eq(dd.concat(lazy(members, npartitions), **options).compute(), expected)


def test_rows_may_be_ordered_by_label() -> None:
    members = list(frames("numbers"))
    for sort in (True, False):
        expected = pd.concat(members, axis=1, sort=sort)
        assert_eq(dd.concat(lazy(members, 2), axis=1, sort=sort).compute(), expected)
    with pytest.raises(NotImplementedError, match="sort"):
        dd.concat(lazy(members, 2), sort=True)


def test_series_without_names_are_numbered() -> None:
    one, other = frames("numbers")
    members = [one["v"].rename(None), other["v"], other["v"].rename(None)]
    assert_eq(dd.concat(lazy(members, 2), axis=1).compute(), pd.concat(members, axis=1))
    frame = dd.from_pandas(one, npartitions=2)
    same = [frame["v"].rename(None), (frame["v"] * 2).rename(None)]
    expected = pd.concat([one["v"].rename(None), (one["v"] * 2).rename(None)], axis=1)
    assert_eq(dd.concat(same, axis=1).compute(), expected)


def test_a_label_that_occurs_twice_cannot_be_aligned() -> None:
    one, other = frames("numbers")
    twice = pd.concat([one, one])
    with pytest.raises(SchemaError, match="not unique"):
        dd.concat(lazy([twice, other], 2), axis=1).compute()
    with pytest.raises(ValueError, match="join"):
        dd.concat(lazy([one, other], 2), axis=1, join="left")
    with pytest.raises(SchemaError, match="levels"):
        dd.concat(lazy([one, frames("levels")[0]], 2), axis=1)


RNG = np.random.default_rng(8)
LEFT = pd.DataFrame({"k": RNG.integers(0, 9, 60), "g": RNG.integers(0, 3, 60), "a": range(60)})
RIGHT = pd.DataFrame({"k": RNG.integers(4, 14, 30), "g": RNG.integers(0, 3, 30), "b": range(30)})


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
@pytest.mark.parametrize("npartitions", [1, 3])
def test_a_merge_may_be_ordered_by_key(how: str, npartitions: int) -> None:
    left, right = lazy([LEFT, RIGHT], npartitions)
    renamed = RIGHT.rename(columns={"k": "j"})
    missing = LEFT.assign(k=LEFT["k"].where(LEFT["k"] > 1).astype("Int64"))
    with spilling(npartitions):
        for options in ({"on": "k"}, {"on": ["k", "g"]}):
            expected = LEFT.merge(RIGHT, how=how, sort=True, **options)
            assert_eq(left.merge(right, how=how, sort=True, **options).compute(), expected)
        expected = LEFT.merge(renamed, how=how, sort=True, left_on="k", right_on="j")
        found = left.merge(right.rename(columns={"k": "j"}), how=how, sort=True, left_on="k",
                           right_on="j")  # fmt: skip
        assert_eq(found.compute(), expected)
        expected = missing.merge(RIGHT.astype({"k": "Int64"}), how=how, on="k", sort=True)
        found = dd.from_pandas(missing, npartitions).merge(
            right.astype({"k": "Int64"}), how=how, on="k", sort=True
        )
        assert_eq(found.compute(), expected)


@pytest.mark.parametrize("how", ["left", "inner", "outer", "right"])
def test_join_ordered_and_validated(how: str) -> None:
    zones = RIGHT.drop_duplicates("k").set_index("k")[["b"]]
    left, right = lazy([LEFT, zones], 3)
    if how in ("left", "inner"):
        expected = LEFT.join(zones, on="k", how=how, sort=True, validate="m:1")
        assert_eq(left.join(right, on="k", how=how, sort=True, validate="m:1").compute(), expected)
    labelled, lazily = LEFT.set_index("k"), left.set_index("k", sort=False)
    expected = labelled.join(zones, how=how, sort=True)
    assert_eq(lazily.join(right, how=how, sort=True).compute(), expected)
    with pytest.raises(SchemaError, match="one-to-one"):
        lazily.join(right, how=how, validate="1:1").compute()


@pytest.mark.parametrize("how", ["left", "inner", "outer"])
def test_join_with_several_frames(how: str) -> None:
    first = RIGHT.drop_duplicates("k").set_index("k")[["b"]].sort_index()
    second = LEFT.drop_duplicates("k").set_index("k")[["a"]].sort_index()
    third = second["a"].rename("c").iloc[::-1]
    expected = first.join([second, third.to_frame()], how=how)
    one, two, three = lazy([first, second, third], 3)
    found = one.join([two, three], how=how).compute()
    if how == "left":  # pandas makes floats for rows that it then leaves out
        expected = expected.astype(found.dtypes)
    assert_eq(found.sort_index(), expected.sort_index())
    with pytest.raises(ValueError, match="on index"):
        one.join([two, three], on="b")
    with pytest.raises(ValueError, match="Suffixes"):
        one.join([two, three], lsuffix="_l")
    with pytest.raises(ValueError, match="name"):
        one.join(two["a"].rename(None))


def test_top_rows_of_several_columns_order_ties_as_pandas() -> None:
    for trial in range(6):
        rng = np.random.default_rng(trial)
        names = list("abc"[: 2 + trial % 2])
        frame = pd.DataFrame({name: rng.integers(0, 1 + trial % 3, 23) for name in names})
        frame["row"] = range(23)
        for count, keep, method in itertools.product(
            (3, 22, 23), ("first", "last", "all"), ("nlargest", "nsmallest")
        ):
            expected = getattr(frame, method)(count, names, keep=keep)
            found = getattr(dd.from_pandas(frame, npartitions=3), method)(count, names, keep=keep)
            assert_eq(found.compute(scheduler="sync"), expected)


@pytest.mark.parametrize("npartitions", [1, 3])
def test_no_rows_left_of_spilled_duplicates_keep_their_categories(npartitions: int) -> None:
    kinds = pd.Categorical(["a", "b"] * 20, categories=["a", "b", "z"])
    frame = pd.DataFrame({"kind": kinds, "x": [1, 2] * 20})
    with config.set(SPILLING):
        found = dd.from_pandas(frame, npartitions).drop_duplicates(keep=False).compute()
    assert_eq(found, frame.drop_duplicates(keep=False))


def test_rows_numbered_by_a_reader_stay_beside_what_is_computed_of_them(tmp_path: Path) -> None:
    # As two readers, of other columns, they would cut other blocks.
    frame = pd.DataFrame({"key": np.arange(9000) % 4000, "text": "some words", "x": range(9000)})
    frame.to_parquet(tmp_path / "f.parquet", row_group_size=1500)
    first = dd.read_parquet(tmp_path / "f.parquet")[["key", "text"]].groupby("key").head(1)
    (plan,) = optimise([first.plan], 20_000)
    assert len({node for node in walk(plan) if isinstance(node, ReadFrame)}) == 1
    assert_eq(first.compute(), frame[["key", "text"]].groupby("key").head(1))


UNORDERED: dict[str, Any] = {
    "merge": lambda df: df.merge(df.drop_duplicates("k"), on="k"),
    "left merge": lambda df: df.merge(df, on="k", how="left"),
    "distinct": lambda df: df.drop_duplicates("k"),
    "computed": lambda df: df.drop_duplicates("k").assign(twice=lambda d: d.v * 2),
    "index": lambda df: df.drop_duplicates("k").set_index("k"),
}
ROW_BY_ROW: dict[str, Any] = {
    "apply": lambda df: df.assign(z=df.apply(lambda row: row.iloc[-1] * 2, axis=1)),
    "map": lambda df: df.assign(z=df.iloc[:, -1].map(lambda value: value + 1)),
    "across": lambda df: df.assign(z=df.sum(axis=1)),
    "running": lambda df: df.assign(z=df.iloc[:, -1].cumsum()),
    "shifted": lambda df: df.iloc[:, -1] - df.iloc[:, -1].shift(),
    "mask": lambda df: df[df.apply(lambda row: row.iloc[-1] > 1, axis=1)],
    "labels": lambda df: df.assign(z=df.index),
}


@pytest.mark.parametrize("source", UNORDERED)
@pytest.mark.parametrize("case", ROW_BY_ROW)
def test_columns_computed_from_whole_blocks_stand_beside_rows_of_an_exchange(
    source: str, case: str
) -> None:
    def call(df: Any) -> Any:
        rows = UNORDERED[source](df)
        if source == "index" and isinstance(df, pd.DataFrame):
            rows = rows.sort_index()
        return ROW_BY_ROW[case](rows)

    keys = [7, 3, 7, 1, 3, 9, 0, 1, 4, 4]
    frame = pd.DataFrame({"k": keys, "v": np.arange(10) / 2})
    for npartitions in (1, 3, 17):
        with spilling(npartitions):
            assert_eq(call(dd.from_pandas(frame, npartitions)), call(frame))

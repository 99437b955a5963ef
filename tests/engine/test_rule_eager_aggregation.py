"""The rule that groups rows before they are joined with a small frame."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock
import penstock.dataframe as dd
from penstock import config
from penstock.engine.lower import optimise
from penstock.engine.nodes.group_partial import GroupPartial
from penstock.engine.plan import walk
from tests.support.frames import assert_eq

TRIPS = pd.DataFrame(
    {
        "zone": pd.array([3, 1, 2, 3, 9, 1, 3, 2], dtype="int32"),
        "hour": [0, 1, 0, 1, 1, 0, 0, 1],
        "fare": [3.0, 1.0, None, 2.0, 4.0, 6.0, -1.0, 0.5],
        "text": list("abcdefgh"),
    }
)
ZONES = pd.DataFrame(
    {"id": [1, 2, 3, 3, 4], "borough": ["Q", "M", "M", "B", None], "size": range(5)}
)


def aggregated_early(lazy: Any) -> bool:
    with config.set({"verify-plans": True}):
        plan = optimise([lazy.plan], 1 << 20)
    return any(isinstance(node, GroupPartial) for node in walk(*plan))


def named(trips: Any, how: str = "inner", **options: Any) -> Any:
    zones = ZONES if isinstance(trips, pd.DataFrame) else dd.from_pandas(ZONES, 2)
    return trips.merge(zones, left_on="zone", right_on="id", how=how, **options)


def same_name(trips: Any, dtype: str = "int64") -> Any:
    zones = ZONES.rename(columns={"id": "zone"}).astype({"zone": dtype})
    return trips.merge(zones if isinstance(trips, pd.DataFrame) else dd.from_pandas(zones, 2))


EARLY = {
    "by the other side": lambda df: named(df).groupby("borough").fare.sum(),
    "left join": lambda df: named(df, "left").groupby("borough").fare.mean(),
    "missing group": lambda df: named(df, "left").groupby("borough", dropna=False).fare.count(),
    "by both sides": lambda df: named(df).groupby(["borough", "hour"]).fare.agg(["min", "std"]),
    "by the key of the join": lambda df: named(df).groupby("zone").fare.sum(),
    "by the other key": lambda df: named(df).groupby("id").fare.max(),
    "size": lambda df: named(df).groupby("borough").size(),
    "of an expression": lambda df: (
        named(df).assign(late=lambda t: t.fare * 2 + t.hour).groupby("borough").late.var()
    ),
    "by an expression": lambda df: (
        named(df).assign(late=lambda t: t.hour > 0).groupby(["late", "borough"]).fare.prod()
    ),
    "of the key": lambda df: named(df).groupby("borough").zone.max(),
    "by a key of one name": lambda df: same_name(df).groupby(["zone", "borough"]).fare.sum(),
    "by a key of two types": lambda df: same_name(df, "float64").groupby("zone").fare.sum(),
    "filtered before": lambda df: named(df[df.fare > 0]).groupby("borough").hour.any(),
}  # fmt: skip
LATE = {
    "of the other side": lambda df: named(df).groupby("borough")["size"].sum(),
    "of both sides": lambda df: (
        named(df).assign(x=lambda t: t.fare * t["size"]).groupby("borough").x.sum()
    ),
    "by an expression of the other side": lambda df: (
        named(df).assign(x=lambda t: t["size"] % 2).groupby("x").fare.sum()
    ),
    "sum of texts": lambda df: named(df).groupby("borough").text.sum(),
    "first": lambda df: named(df).groupby("borough").fare.first(),
    "in order of appearance": lambda df: named(df).groupby("borough", sort=False).fare.sum(),
    "median": lambda df: named(df).groupby("borough").fare.median(),
    "outer join": lambda df: named(df, "outer").groupby("borough").fare.sum(),
    "right join": lambda df: named(df, "right").groupby("borough").fare.sum(),
    "indicator": lambda df: named(df, "left", indicator=True).groupby("borough").fare.sum(),
    "validated": lambda df: (
        named(df.drop_duplicates("zone"), validate="1:m").groupby("borough").fare.sum()
    ),
}  # fmt: skip


@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize("case", EARLY)
def test_early(case: str, npartitions: int) -> None:
    lazy = EARLY[case](dd.from_pandas(TRIPS, npartitions))
    assert aggregated_early(lazy)
    assert_eq(lazy, EARLY[case](TRIPS))


@pytest.mark.parametrize("case", LATE)
def test_late(case: str) -> None:
    lazy = LATE[case](dd.from_pandas(TRIPS, 3))
    assert not aggregated_early(lazy)
    assert_eq(lazy, LATE[case](TRIPS))


def test_a_join_that_another_result_needs_is_made_once() -> None:
    joined = named(dd.from_pandas(TRIPS, 3))
    total, rows = penstock.compute(joined.groupby("borough").fare.sum(), joined)
    assert_eq(total, named(TRIPS).groupby("borough").fare.sum())
    assert_eq(rows, named(TRIPS))


def test_a_join_on_the_index() -> None:
    zones = ZONES.set_index("id")

    def call(df: Any) -> Any:
        other = zones if isinstance(df, pd.DataFrame) else dd.from_pandas(zones, 2)
        return df.set_index("zone").join(other, how="inner").groupby("borough").fare.sum()

    lazy = call(dd.from_pandas(TRIPS, 3))
    assert_eq(lazy, call(TRIPS))


def test_a_large_side_is_joined_first() -> None:
    lazy = named(dd.from_pandas(TRIPS, 3)).groupby("borough").fare.sum()
    plan = optimise([lazy.plan], 8)
    assert not any(isinstance(node, GroupPartial) for node in walk(*plan))

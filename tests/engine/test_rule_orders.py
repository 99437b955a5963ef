"""The rule that drops sorts below what does not look at the order of rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock
import penstock.dataframe as dd
from penstock import config
from penstock.engine.lower import optimise
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.sort import Sort
from penstock.engine.plan import walk
from tests.support.frames import assert_eq

FRAME = pd.DataFrame({"k": [2, 0, 1, 2, 1], "x": [3.0, 1.0, 5.0, 2.0, 4.0], "t": list("abcde")})
OTHER = pd.DataFrame({"k": [1, 2, 2, 5], "y": [10, 20, 30, 40]})


def sorts(lazy: Any) -> list[Any]:
    with config.set({"verify-plans": True}):
        plan = optimise([lazy.plan], 1 << 20)
    return [node for node in walk(*plan) if isinstance(node, Sort | RowPositions)]


def merged(df: Any, how: str = "inner") -> Any:
    lazy = not isinstance(df, pd.DataFrame)
    return df.merge(dd.from_pandas(OTHER, 2) if lazy else OTHER, on="k", how=how)


DROPPED = {
    "sum of sorted": lambda df: df.sort_values("x").k.sum(),
    "through expressions and filters": lambda df: (
        df.sort_values("x").assign(y=df.x + 1).query("k > 0").y.max()
    ),
    "groupby of merged": lambda df: merged(df).groupby("k").y.sum(),
    "groupby of merged outer": lambda df: merged(df, "outer").groupby("k").y.mean(),
    "groupby median": lambda df: df.sort_values("x").groupby("k").x.median(),
    "sum of merged": lambda df: merged(df, "left").y.sum(),
    "sorted twice": lambda df: df.sort_values("x").sort_values("k").x.min(),
    "merge of sorted": lambda df: merged(df.sort_values("x")).x.sum(),
}
KEPT = {
    "first": lambda df: df.sort_values("x").groupby("k").x.first(),
    "sum of texts": lambda df: df.sort_values("x").groupby("k").t.sum(),
    "sum of all texts": lambda df: df.sort_values("x").t.sum(),
    "groups in order of appearance": lambda df: df.sort_values("x")
    .groupby("k", sort=False).x.sum(),
    "cumulative": lambda df: df.sort_values("x").k.cumsum().sum(),
    "own function": lambda df: df.sort_values("x").groupby("k").x.agg(lambda v: v.iloc[0]),
    "rows themselves": lambda df: df.sort_values("x"),
    "duplicates": lambda df: df.sort_values("x").drop_duplicates("k").x.sum(),
}  # fmt: skip


@pytest.mark.parametrize("case", DROPPED)
def test_dropped(case: str) -> None:
    call = DROPPED[case]
    lazy = call(dd.from_pandas(FRAME, 3))
    assert sorts(lazy) == []
    assert_eq(lazy, call(FRAME))


@pytest.mark.parametrize("case", KEPT)
def test_kept(case: str) -> None:
    call = KEPT[case]
    lazy = call(dd.from_pandas(FRAME, 3))
    assert sorts(lazy)
    assert_eq(lazy, call(FRAME))


def test_a_sort_that_one_result_depends_on_stays_for_it() -> None:
    lazy = dd.from_pandas(FRAME, 3).sort_values("x")
    ordered, total = penstock.compute(lazy, lazy.k.sum())
    assert_eq(ordered, FRAME.sort_values("x"))
    assert_eq(total, FRAME.k.sum())


def test_rows_are_counted_without_sorting() -> None:
    lazy = dd.from_pandas(FRAME, 3).sort_values("x")
    assert len(lazy[lazy.k > 0]) == 4

"""Shapes of frames: melt, explode, stack, dummies, pivots, crosstabs and bins, as in pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock
import penstock.dataframe as dd
from penstock.errors import UnsupportedError
from tests.oracle.exchanges import check_exchanged
from tests.oracle.harness import Call, check, drawn, sample
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

_LISTS = pd.DataFrame(
    {
        "a": [1, 2, 3, 4, 5, 6],
        "number": [[1, 2], [], None, [3], [4, 5, 6], []],
        "text": [["x", None], ["y"], None, ["z"], ["u", "v", "w"], []],
        "when": pd.date_range("2021-03-28", periods=6, tz="Europe/Zurich"),
    }
)
_SALES = pd.DataFrame(
    {
        "zone": [3, 1, 1, 2, 3, 1, 2, 1, 3, 3],
        "day": ["mo", "tu", "mo", None, "mo", "we", "tu", "tu", "su", "mo"],
        "kind": pd.Categorical([*"abcaabcba", None], categories=[*"cbad"], ordered=True),
        "fare": [1.5, 2.0, np.nan, 4.0, 5.25, 6.0, 7.0, 8.0, np.nan, 10.0],
        "tip": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3],
        "paid": pd.date_range("2021-01-01", periods=10),
    }
)


def _module(data: Any) -> Any:
    return pd if isinstance(data, pd.DataFrame | pd.Series) else dd


# -- melt, explode, stack -----------------------------------------------------

MELTS: dict[str, Call] = {
    "all": lambda df: df[["few", "finite"]].melt(),
    "ids": lambda df: df.melt(id_vars=["text", "category"], value_vars=["few", "finite"]),
    "named": lambda df: df.melt("few", "text", var_name="which", value_name="what"),
    "labels": lambda df: df.melt("zoned", ["few", "bool"][:1], ignore_index=False),
    "times": lambda df: df.melt(id_vars="few", value_vars=["zoned"]),
    "filtered": lambda df: df[df.few > 0].melt("few", ["finite"], ignore_index=False),
    "missing": lambda df: df.melt(id_vars="nothing"),
    "clash": lambda df: df.melt(id_vars="few", value_name="few"),
    "function": lambda df: _module(df).melt(df[["text", "few"]], "text").value.sum(),
}


@pytest.mark.parametrize("case", MELTS)
@drawn("few finite text category zoned bool", max_examples=1)
def test_melt(case: str, frame: pd.DataFrame) -> None:
    check(MELTS[case], frame)


@pytest.mark.parametrize("ignore_index", [False, True])
@pytest.mark.parametrize("column", ["number", "text"])
def test_explode(column: str, ignore_index: bool) -> None:
    expected = _LISTS[["a", "when", column]].explode(column, ignore_index=ignore_index)
    for npartitions in (1, 3, 17):
        frame = dd.from_pandas(_LISTS[["a", "when", column]], npartitions)
        actual = frame.explode(column, ignore_index=ignore_index).compute()
        assert_eq(actual[["a", "when"]], expected[["a", "when"]])
        assert [None if pd.isna(one) else one for one in actual[column]] == [
            None if pd.isna(one) else one for one in expected[column]
        ]
        series = frame[column].explode(ignore_index=ignore_index).compute()
        assert_eq(series, actual[column])


def test_explode_several() -> None:
    both = _LISTS.drop(index=1)
    frame = dd.from_pandas(both, 3).explode(["number", "text"])
    expected = both.explode(["number", "text"])
    assert_eq(frame[["a", "when"]], expected[["a", "when"]])
    assert frame.text.compute().fillna("").tolist() == expected.text.fillna("").tolist()
    assert_eq(frame.number.sum(), float(expected.number.sum()))
    with pytest.raises(ValueError, match="matching element counts"):
        dd.from_pandas(both.assign(text=both.text[::-1].tolist()), 3).explode(
            ["number", "text"]
        ).compute()
    with pytest.raises(ValueError, match="unique"):
        dd.from_pandas(_LISTS, 3).explode(["text", "text"])


def test_explode_without_lists() -> None:
    check(lambda df: df.explode("a")[["a", "when"]], _LISTS)


@pytest.mark.parametrize("columns", [["few", "finite"], ["text"], ["few", "few_more", "finite"]])
@drawn("few finite text", max_examples=1)
def test_stack(columns: list[str], frame: pd.DataFrame) -> None:
    frame = frame.assign(few_more=frame.few * 2)
    check(lambda df: df[columns].stack(), frame)
    check(lambda df: df.set_index("text")[["few"]].stack() if _module(df) is pd
          else df.set_index("text", sort=False)[["few"]].stack(), frame)  # fmt: skip


def test_stack_of_many_columns_cuts_blocks() -> None:
    frame = pd.DataFrame(np.arange(2000.0).reshape(20, 100)).rename(columns=str)
    check(lambda df: df.stack(), frame, partitions=(3,))


# -- dummies ------------------------------------------------------------------

DUMMIES: dict[str, Call] = {
    "default": lambda df: _module(df).get_dummies(df),
    "columns": lambda df: _module(df).get_dummies(df, columns=["few", "text"], prefix_sep="/"),
    "prefix": lambda df: _module(df).get_dummies(df, prefix=["t", "c"], dtype="int8"),
    "by name": lambda df: _module(df).get_dummies(df, prefix={"text": "t", "category": "c"}),
    "missing": lambda df: _module(df).get_dummies(df, dummy_na=True, dtype=float),
    "first": lambda df: _module(df).get_dummies(df[["text", "few"]], drop_first=True),
    "values": lambda df: _module(df).get_dummies(df.text),
    "prefixed": lambda df: _module(df).get_dummies(df.category, prefix="p"),
    "too few": lambda df: _module(df).get_dummies(df, prefix=["t"]),
    "absent": lambda df: _module(df).get_dummies(df, columns=["nothing"]),
    "filtered": lambda df: _module(df).get_dummies(df[df.few > 1], columns=["text"]),
}


@pytest.mark.parametrize("case", DUMMIES)
@drawn("few finite text category", max_examples=1)
def test_get_dummies(case: str, frame: pd.DataFrame) -> None:
    if case == "values" and not frame.text.notna().any():
        return  # pandas numbers the columns that are not there
    check(DUMMIES[case], frame)


def test_dummies_are_of_the_same_rows() -> None:
    frame = dd.from_pandas(_SALES, 3)
    assert_eq(frame.assign(x=dd.get_dummies(frame[["day"]]).day_mo).x.sum(), 4)


def test_too_many_values() -> None:
    frame = dd.from_pandas(pd.DataFrame({"x": [str(i) for i in range(50)], "y": 1, "z": 2}), 3)
    for call in (
        lambda: dd.get_dummies(frame, max_columns=49),
        lambda: dd.pivot_table(frame, "z", "y", "x", max_columns=49),
        lambda: dd.crosstab(frame.y, frame.x, max_columns=49),
        lambda: frame.groupby(["y", "x"]).size().unstack(max_columns=49),
        lambda: frame.pivot(index="y", columns="x", values="z", max_columns=49),
    ):
        with pytest.raises(UnsupportedError, match="more than 49 columns"):
            call()
    assert len(dd.get_dummies(frame, max_columns=50).columns) == 52


# -- pivots -------------------------------------------------------------------

PIVOTS: dict[str, Call] = {
    **{
        function: lambda df, function=function: df.pivot_table(
            index="zone", columns="day", values="fare", aggfunc=function
        )
        for function in ("mean", "sum", "count", "max", "first", "std", "nunique", "median")
    },
    "whole numbers": lambda df: df.pivot_table("tip", "zone", "day", "sum"),
    "filled": lambda df: df.pivot_table("tip", "zone", "day", "sum", fill_value=0),
    "filled floats": lambda df: df.pivot_table("fare", "zone", "day", "sum", fill_value=-1.5),
    "complete": lambda df: df[df.day == "mo"].pivot_table("tip", "zone", "day", "max"),
    "several values": lambda df: df.pivot_table(["tip", "fare"], "zone", "day", "sum"),
    "all values": lambda df: df[["zone", "day", "tip", "fare"]].pivot_table(
        index="zone", columns="day", aggfunc="max"
    ),
    "two levels": lambda df: df.pivot_table("tip", ["day", "zone"], ["paid"], "sum"),
    "two column levels": lambda df: df.pivot_table("tip", "kind", ["day", "zone"], "sum"),
    "functions": lambda df: df.pivot_table("tip", "zone", "day", ["sum", "max"]),
    "functions of several": lambda df: df.pivot_table(["tip", "fare"], "zone", "day",
                                                      ["max", "count"]),
    "by column": lambda df: df.pivot_table(
        index="zone", columns="day", aggfunc={"tip": ["sum", "max"], "fare": "mean"}
    ),
    "times": lambda df: df.pivot_table("paid", "zone", "day", "max"),
    "unobserved": lambda df: df.pivot_table("tip", "kind", "zone", "sum", observed=False),
    "absent": lambda df: df.pivot_table("nothing", "zone", "day"),
    "function": lambda df: _module(df).pivot_table(df, "tip", "zone", "day"),
    "filtered": lambda df: df[df.zone > 5].pivot_table("tip", "zone", "day", fill_value=0),
}  # fmt: skip


@pytest.mark.parametrize("case", PIVOTS)
def test_pivot_table(case: str) -> None:
    check_exchanged(PIVOTS[case], _SALES)


def test_pivot_table_labels_of_categories() -> None:
    expected = _SALES.pivot_table("tip", "zone", "kind", "sum")
    actual = dd.from_pandas(_SALES, 3).pivot_table("tip", "zone", "kind", "sum").compute()
    assert list(actual.columns) == list(expected.columns) == ["c", "b", "a"]
    assert_eq(actual, expected.set_axis(actual.columns, axis=1))


def test_pivot_table_refuses() -> None:
    frame = dd.from_pandas(_SALES, 3)
    for options in ({"margins": True}, {"dropna": False}, {"sort": False}, {"columns": None}):
        given = {"values": "tip", "index": "zone", "columns": "day", **options}
        with pytest.raises(UnsupportedError):
            frame.pivot_table(**given)


RESHAPES: dict[str, Call] = {
    "counts": lambda df: df.groupby(["zone", "day"]).size().unstack(),
    "filled": lambda df: df.groupby(["zone", "day"]).size().unstack(fill_value=0),
    "outer": lambda df: df.groupby(["zone", "day"]).tip.sum().unstack(0),
    "by name": lambda df: df.groupby(["zone", "day", "tip"]).fare.sum().unstack("day"),
    "frame": lambda df: df.groupby(["zone", "day"])[["fare", "tip"]].sum().unstack(),
    "missing keys": lambda df: df.groupby(["zone", "day"], dropna=False).size().unstack(),
    "no such level": lambda df: df.groupby(["zone", "day"]).size().unstack("nothing"),
    "pivot": lambda df: df.pivot(index="paid", columns="day", values="fare"),
    "pivot several": lambda df: df.pivot(index="paid", columns="zone", values=["tip", "fare"]),
    "pivot all": lambda df: df[["paid", "zone", "tip"]].pivot(index="paid", columns="zone"),
    "pivot twice": lambda df: df.pivot(index="zone", columns="tip", values="fare"),
}


@pytest.mark.parametrize("case", RESHAPES)
def test_unstack_and_pivot(case: str) -> None:
    check_exchanged(RESHAPES[case], _SALES)


CROSSTABS: dict[str, Call] = {
    "counts": lambda df: _module(df).crosstab(df.zone, df.day),
    "named": lambda df: _module(df).crosstab(df.zone, df.day, rownames=["r"], colnames=["c"]),
    "levels": lambda df: _module(df).crosstab([df.zone, df.tip], [df.day]),
    "values": lambda df: _module(df).crosstab(df.zone, df.day, values=df.fare, aggfunc="sum"),
    "shares": lambda df: _module(df).crosstab(df.zone, df.day, normalize=True),
    "of rows": lambda df: _module(df).crosstab(df.zone, df.day, normalize="index"),
    "of columns": lambda df: _module(df).crosstab(df.zone, df.day, normalize="columns"),
    "no function": lambda df: _module(df).crosstab(df.zone, df.day, values=df.fare),
    "no normalize": lambda df: _module(df).crosstab(df.zone, df.day, normalize="some"),
}


@pytest.mark.parametrize("case", CROSSTABS)
def test_crosstab(case: str) -> None:
    check_exchanged(CROSSTABS[case], _SALES)


# -- bins ---------------------------------------------------------------------


def _texts(data: Any) -> Any:
    """Intervals as their texts, which is what they are here."""
    if isinstance(data, pd.Series) and isinstance(data.dtype, pd.CategoricalDtype):
        categories = data.cat.categories
        if isinstance(categories, pd.IntervalIndex):
            return data.cat.rename_categories([str(one) for one in categories])
    return data


BINS: dict[str, Call] = {
    "edges": lambda s: _texts(_module(s).cut(s, [0, 2, 5.5, 100])),
    "number": lambda s: _texts(_module(s).cut(s, 3)),
    "left": lambda s: _texts(_module(s).cut(s, [0, 2, 8], right=False, include_lowest=True)),
    "labels": lambda s: _module(s).cut(s, [0, 2, 8], labels=["low", "high"]),
    "unordered": lambda s: _module(s).cut(s, [0, 2, 8], labels=["x", "x"], ordered=False),
    "codes": lambda s: _module(s).cut(s, 4, labels=False),
    "intervals": lambda s: _texts(_module(s).cut(s, pd.IntervalIndex.from_tuples([(0, 3), (5, 9)]))),
    "returned": lambda s: _module(s).cut(s, 3, labels=False, retbins=True),
    "equal edges": lambda s: _module(s).cut(s, [0, 2, 2, 8]),
    "dropped": lambda s: _texts(_module(s).cut(s, [0, 2, 2, 8], duplicates="drop")),
    "wrong labels": lambda s: _module(s).cut(s, [0, 2, 8], labels=["x"]),
    "quantiles": lambda s: _texts(_module(s).qcut(s, 4)),
    "chosen": lambda s: _module(s).qcut(s, [0, 0.3, 1], labels=["a", "b"]),
    "quantile codes": lambda s: _module(s).qcut(s, 3, labels=False, retbins=True),
}  # fmt: skip


@pytest.mark.parametrize("case", BINS)
def test_bins(case: str) -> None:
    check(BINS[case], _SALES.fare, partitions=(1, 17))


def test_bins_of_times_and_whole_numbers() -> None:
    edges = pd.date_range("2020-12-31", periods=4, freq="4D")
    check(lambda s: _texts(_module(s).cut(s, edges)), _SALES.paid)
    check(lambda s: _module(s).qcut(s, 3, labels=False), _SALES.tip)
    groups = dd.from_pandas(_SALES, 3)
    groups = groups.assign(bin=dd.cut(groups.fare, [0, 5, 20])).groupby("bin").tip.sum()
    assert groups.compute().to_dict() == {"(0, 5]": 5, "(5, 20]": 25}


@pytest.mark.memory
def test_wide_rows_in_little_memory() -> None:
    rows = 8_000
    generator = np.random.default_rng(5)
    frame = pd.DataFrame({"row": np.arange(rows) // 10, "key": generator.integers(0, 60, rows)})
    lazy = dd.from_pandas(frame, 17)
    with penstock.config.set({"exchange-memory": 1 << 15}):
        table = lazy.assign(one=1).pivot_table("one", "row", "key", "sum", fill_value=0)
        total = table.sum().sum().compute(memory_limit=limit_leaving(48 << 20))
        dummies = dd.get_dummies(lazy, columns=["key"]).drop(columns="row")
        counts = dummies.sum().compute(memory_limit=limit_leaving(48 << 20))
    assert total == rows
    assert_eq(counts.to_numpy(), frame.key.value_counts().sort_index().to_numpy())


def test_dummies_of_nullable_values() -> None:
    check(lambda df: _module(df).get_dummies(df, columns=["nullable_int"]),
          sample("few", "nullable_int"))  # fmt: skip

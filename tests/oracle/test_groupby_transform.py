"""groupby: a value for each row, beside the rows themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import UnsupportedError
from tests.oracle.exchanges import Call, check_exchanged, drawn, sample

AGGREGATIONS = (
    "sum", "prod", "mean", "count", "size", "min", "max", "first", "last", "std", "var", "sem",
    "any", "all", "median", "nunique",
)  # fmt: skip


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_by_name(name: str) -> None:
    check_exchanged(lambda df: df.groupby("text").finite.transform(name), sample("text", "finite"))


METHODS: dict[str, Call] = {
    "cumsum": lambda g: g.cumsum(),
    "cumprod": lambda g: g.cumprod(),
    "cummin": lambda g: g.cummin(),
    "cummax": lambda g: g.cummax(),
    "cumcount": lambda g: g.cumcount(),
    "cumcount from the end": lambda g: g.cumcount(ascending=False),
    "ngroup": lambda g: g.ngroup(),
    "ngroup descending": lambda g: g.ngroup(ascending=False),
    "shift": lambda g: g.shift(),
    "shift up": lambda g: g.shift(-1),
    "shift fill": lambda g: g.shift(1, fill_value=0),
    "diff": lambda g: g.diff(),
    "diff two": lambda g: g.diff(2),
    "pct_change": lambda g: g.pct_change(),
    "rank": lambda g: g.rank(),
    "rank min": lambda g: g.rank(method="min", ascending=False),
    "rank first": lambda g: g.rank(method="first", na_option="bottom"),
    "rank dense pct": lambda g: g.rank(method="dense", pct=True),
    "ffill": lambda g: g.ffill(),
    "bfill": lambda g: g.bfill(),
    "ffill limit": lambda g: g.ffill(limit=1),
    "bfill limit": lambda g: g.bfill(limit=1),
    "transform": lambda g: g.transform("sum"),
    "transform method": lambda g: g.transform("cumsum"),
    "transform function": lambda g: g.transform(lambda values: values - values.min()),
    "transform to one": lambda g: g.transform(lambda values: values.max()),
    "transform arguments": lambda g: g.transform(_scaled, 2, shift=1),
    "transform np.sum": lambda g: g.transform(np.sum),
    "transform std of population": lambda g: g.transform("std", ddof=0),
    "transform unknown": lambda g: g.transform("nope"),
}  # fmt: skip


def _scaled(values: Any, factor: int, shift: int = 0) -> Any:
    return values * factor + shift


@pytest.mark.parametrize("case", METHODS)
def test_of_column(case: str) -> None:
    data = sample("few", "finite")
    check_exchanged(lambda df: METHODS[case](df.groupby("few").finite), data)


@pytest.mark.parametrize("case", METHODS)
def test_of_frame_with_missing_keys(case: str) -> None:
    data = sample("text", "finite", "few")
    check_exchanged(lambda df: METHODS[case](df.groupby("text")), data)


@pytest.mark.parametrize("case", ["cumsum", "cumcount", "shift", "rank", "transform", "ngroup"])
@drawn("float finite int", max_examples=1)
def test_of_drawn(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(lambda df: METHODS[case](df.groupby("float").finite), frame)


KINDS = (
    "int", "small_int", "nullable_int", "bool", "text", "datetime", "timedelta", "zoned",
    "category", "all_missing",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["shift", "ffill", "rank", "max", "diff"])
def test_kinds(method: str, kind: str) -> None:
    def call(df: Any) -> Any:
        column = df.groupby("few")[kind]
        return column.transform(method) if method == "max" else getattr(column, method)()

    if (method, kind) == ("diff", "bool"):
        with pytest.raises(UnsupportedError, match="astype"):
            call(dd.from_pandas(sample("few", kind), 2))
    else:
        check_exchanged(call, sample("few", kind))


SCANS = ["cumsum", "cumprod", "cummin", "cummax", "shift", "diff", "pct_change", "ffill", "bfill"]


@pytest.mark.parametrize("method", SCANS)
def test_scans_over_many_blocks(method: str) -> None:
    generator = np.random.default_rng(5)
    rows = 60
    data = pd.DataFrame(
        {
            "k": generator.choice(["a", "b", "c", None], rows, p=[0.6, 0.2, 0.1, 0.1]),
            "x": generator.choice([1.5, -2.0, 0.25, np.nan, 1e300], rows),
            "n": generator.integers(-5, 5, rows),
            "w": generator.integers(-(2**44), 2**44, rows),
            "t": generator.choice(["p", "q", None], rows),
        }
    )
    columns = ["x", "n"] + (["t"] if method in ("shift", "ffill", "bfill") else [])
    columns += [] if method == "cumprod" else ["w"]
    check_exchanged(lambda df: getattr(df.groupby("k")[columns], method)(), data)
    check_exchanged(lambda df: getattr(df.groupby("k", dropna=False).x, method)(), data)


def test_running_sum_over_infinities() -> None:
    data = pd.DataFrame({"k": [0] * 8, "x": [1.0, np.inf, 2.0, np.inf, 3.0, -np.inf, 1.0, np.inf]})
    for partitions in (1, 2, 8):
        found = dd.from_pandas(data, partitions).groupby("k").x.cumsum().compute()
        expected = [1.0, np.inf, np.inf, np.inf, np.inf, np.nan, np.nan, np.nan]
        np.testing.assert_array_equal(found, expected)


KEYS: dict[str, Call] = {
    "several": lambda df: df.groupby(["few", "text"]).finite.transform("sum"),
    "several, whole": lambda df: df.groupby(["few", "text"]).finite.cumsum(),
    "expression": lambda df: df.groupby(df.few % 2).finite.transform("mean"),
    "expression, whole": lambda df: df.groupby(df.few % 2).finite.rank(),
    "category": lambda df: df.groupby("category", observed=True).finite.transform("max"),
    "category, all": lambda df: df.groupby("category", observed=False).finite.cumsum(),
    "category, numbered": lambda df: df.groupby("category", observed=True).ngroup(),
    "with missing": lambda df: df.groupby("text", dropna=False).finite.transform("count"),
    "with missing, whole": lambda df: df.groupby("text", dropna=False).finite.shift(),
    "with missing, numbered": lambda df: df.groupby("text", dropna=False).ngroup(),
    "unsorted": lambda df: df.groupby("text", sort=False).finite.cumsum(),
    "unsorted, numbered": lambda df: df.groupby("text", sort=False).ngroup(),
    "unsorted, several": lambda df: df.groupby(["text", "few"], sort=False).ngroup(),
    "after a filter": lambda df: df[df.few > 0].groupby("few").finite.transform("sum"),
    "after a sort": lambda df: df.sort_values("finite").groupby("few").finite.cumsum(),
    "after a sort, places": lambda df: df.sort_values("finite").groupby("few").cumcount(),
}  # fmt: skip


@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str) -> None:
    check_exchanged(KEYS[case], sample("few", "text", "finite", "category"))


def test_index_levels() -> None:
    data = sample("few", "finite", "text").set_index("text")
    check_exchanged(lambda df: df.groupby(level=0).finite.transform("sum"), data)
    check_exchanged(lambda df: df.groupby(level="text").finite.cumsum(), data)
    check_exchanged(lambda df: df.groupby(["text", "few"]).finite.rank(), data)
    check_exchanged(lambda df: df.groupby("few").finite.cumsum(), data)
    check_exchanged(lambda df: df.finite.groupby(level=0).cumcount(), data)


BESIDE: dict[str, Call] = {
    "assigned": lambda df: df.assign(total=df.groupby("few").finite.transform("sum")),
    "assigned whole": lambda df: df.assign(r=df.groupby("few").finite.rank()),
    "share": lambda df: df.finite / df.groupby("few").finite.transform("sum"),
    "mask": lambda df: df[df.finite > df.groupby("few").finite.transform("mean")],
    "mask whole": lambda df: df[df.groupby("few").finite.rank() == 1],
    "difference": lambda df: df.finite - df.groupby("few").finite.shift(),
    "two": lambda df: df.groupby("few").finite.cumsum() + df.groupby("text").cumcount(),
    "reduced": lambda df: df.groupby("few").finite.transform("sum").sum(),
    "grouped again": lambda df: df.assign(n=df.groupby("few").cumcount()).groupby("n").finite.sum(),
    "of assigned": lambda df: df.assign(x=df.few * 2).groupby("x").finite.transform("max"),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE)
def test_beside_the_rows(case: str) -> None:
    check_exchanged(BESIDE[case], sample("few", "text", "finite"))


def test_frame_of_many_columns() -> None:
    data = sample("few", "finite", "float", "int")
    check_exchanged(lambda df: df.groupby("few").transform("max"), data)
    check_exchanged(lambda df: df.groupby("few")[["int", "finite"]].cummax(), data)
    check_exchanged(lambda df: df.groupby("few").shift([1, 2]), data)


def test_numeric_only() -> None:
    data = sample("few", "finite", "text")
    check_exchanged(lambda df: df.groupby("few").cumsum(numeric_only=True), data)
    check_exchanged(lambda df: df.groupby("few").transform("mean", numeric_only=True), data)


def test_empty_blocks_keep_their_place() -> None:
    data = pd.DataFrame({"k": [1, 2, 1, 3, 3, 1] * 5, "x": np.arange(30.0)})

    def call(df: Any) -> Any:
        few = df[(df.x < 4) | (df.x > 24)]
        return few.assign(n=few.groupby("k").x.cumsum(), t=few.groupby("k").x.transform("sum"))

    check_exchanged(call, data)


def test_dtypes_may_be_told() -> None:
    lazy = dd.from_pandas(sample("few", "finite"), 2)
    told = lazy.groupby("few").finite.transform(lambda v: v * 2, meta=("finite", "float64"))
    assert told.dtype == "float64"

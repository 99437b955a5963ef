"""Expanding and exponential windows, shifts, differences and filling against pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import SchemaError, UnsupportedError
from tests.oracle.harness import check, drawn, sample

EXPANDING = (
    "sum", "count", "mean", "min", "max", "first", "last", "var", "std", "sem", "skew", "kurt",
)  # fmt: skip
ROWS = 40
# One row per block, several, and all in one.
FEW = (1, 7)


def _frame() -> pd.DataFrame:
    """Return columns with missing values at the start, constant ones, and others."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=ROWS)
    values[rng.random(ROWS) < 0.3] = np.nan
    values[:7] = np.nan
    whole = pd.Series(rng.integers(0, 9, ROWS)).astype("Int64")
    return pd.DataFrame(
        {
            "x": values,
            "i": rng.integers(0, 5, ROWS),
            "b": rng.random(ROWS) < 0.5,
            "n": whole.where(rng.random(ROWS) < 0.7),
            "same": 2.5,
        }
    )


def _gaps() -> pd.Series:
    """Return a series most of which is missing: runs are longer than blocks."""
    rng = np.random.default_rng(1)
    return pd.Series(np.where(rng.random(60) < 0.8, np.nan, rng.normal(size=60)), name="gaps")


@pytest.mark.parametrize("function", EXPANDING)
def test_expanding(function: str) -> None:
    frame = _frame()
    check(lambda df: getattr(df.expanding(), function)(), frame, partitions=(1, 17))
    check(lambda df: getattr(df.x.expanding(3), function)(), frame)
    check(lambda df: getattr(df.expanding(0), function)(), sample("float"), partitions=FEW)
    for few in (frame.iloc[:1], frame.iloc[:0]):
        check(lambda df: getattr(df.expanding(), function)(), few)


def test_expanding_options() -> None:
    frame = _frame()
    check(lambda df: df.expanding().var(ddof=0), frame, partitions=FEW)
    check(lambda df: df.expanding()["x"].sum(), frame, partitions=FEW)
    check(lambda df: df.expanding()[["x", "i"]].sum(), frame, partitions=FEW)
    check(lambda df: df.expanding().sum()["i"], frame, partitions=FEW)
    check(lambda df: df[df.i > 1].expanding().x.max(), frame, partitions=FEW)
    text = frame.assign(s="a")
    check(lambda df: df.expanding().count(), text, partitions=FEW)
    check(lambda df: df.expanding().sum(numeric_only=True), text, partitions=FEW)
    check(lambda df: df.expanding().sum(), text, partitions=FEW)


@pytest.mark.parametrize(
    "function",
    ["sum", ["sum", "var"], {"x": "sum", "i": ["mean", "max"]}, {"x": "sum", "i": "min"}],
)
def test_expanding_agg(function: Any) -> None:
    check(lambda df: df.expanding().agg(function), _frame(), partitions=FEW)
    if not isinstance(function, dict):
        check(lambda df: df.x.expanding().agg(function), _frame(), partitions=FEW)


def test_named_labels() -> None:
    named = _frame()[["x", "i"]].rename_axis(columns="what")
    check(lambda df: df.expanding().agg(["sum", "mean"]), named, partitions=FEW)
    check(lambda df: df.x.expanding().agg(["sum", "mean"]), named, partitions=FEW)
    check(lambda df: df.ewm(com=1).mean(), named, partitions=FEW)
    levels = named.set_axis(pd.MultiIndex.from_tuples([("a", "x"), ("a", "i")]), axis=1)
    check(lambda df: df.expanding().mean(), levels, partitions=FEW)
    check(lambda df: df.rolling(3).agg(["sum", "mean"]), levels, partitions=FEW)
    with pytest.raises(UnsupportedError, match="several levels"):
        dd.from_pandas(levels, 2).expanding().agg(["sum", "mean"])


@pytest.mark.parametrize("function", ["mean", "var", "skew", "kurt"])
def test_expanding_over_drifting_values(function: str) -> None:
    drifting = pd.Series(1e6 + np.arange(3000.0))
    check(lambda s: getattr(s.expanding(), function)(), drifting, partitions=(1, 3), rtol=1e-8)


@pytest.mark.parametrize("ignore_na", [True, False])
@pytest.mark.parametrize(
    ("function", "adjust"),
    [
        ("mean", True), ("var", True), ("std", True), ("sum", True),
        ("mean", False), ("var", False), ("std", False),
    ],
)  # fmt: skip
def test_ewm(function: str, adjust: bool, ignore_na: bool) -> None:
    options: dict[str, Any] = {"adjust": adjust, "ignore_na": ignore_na}
    for alpha in (0.3, 0.01, 1.0):
        check(lambda df: getattr(df.ewm(alpha=alpha, **options), function)(),  # noqa: B023
              _frame(), partitions=FEW)  # fmt: skip
    if function in ("var", "std"):
        check(lambda df: getattr(df.ewm(com=2, min_periods=3, **options), function)(bias=True),
              _frame(), partitions=FEW)  # fmt: skip
    for span in (3, 4):
        check(lambda s: getattr(s.ewm(span=span, **options), function)(), _gaps())  # noqa: B023


@pytest.mark.parametrize(
    "options",
    [
        {"com": 2}, {"span": 5}, {"halflife": 1.5}, {"span": 5, "min_periods": 4}, {},
        {"com": 1, "span": 2}, {"alpha": 0}, {"alpha": 2}, {"com": -1}, {"span": 0},
    ],
)  # fmt: skip
def test_ewm_options(options: Any) -> None:
    check(lambda df: df.ewm(**options).mean(), _frame(), partitions=FEW)


def test_ewm_selection() -> None:
    check(lambda df: df.ewm(com=1)["x"].mean(), _frame(), partitions=FEW)
    check(lambda df: df.ewm(com=1).agg(["mean", "std"]), _frame(), partitions=FEW)
    check(lambda df: df.ewm(com=1).mean(), _frame().iloc[:0])


def test_windows_that_need_all_rows() -> None:
    frame = dd.from_pandas(_frame(), 2)
    for call in (
        lambda: frame.expanding().median(),
        lambda: frame.expanding().quantile(0.5),
        lambda: frame.expanding().apply(np.sum),
        lambda: frame.expanding().agg(np.sum),
        lambda: frame.expanding().agg(["median"]),
        lambda: frame.ewm(com=1).cov(),
    ):
        with pytest.raises(UnsupportedError, match="rolling"):
            call()
    for options in ({"com": 1, "times": [1]}, {"halflife": "1h"}, {"com": 1, "method": "table"}):
        with pytest.raises(UnsupportedError, match="ewm"):
            frame.ewm(**options)
    with pytest.raises(UnsupportedError, match="adjust"):
        frame.ewm(com=1, adjust=False).sum()
    with pytest.raises(UnsupportedError, match="method"):
        frame.expanding(method="table")
    with pytest.raises(ValueError, match="min_periods"):
        frame.expanding(-1)


# --- cumulative operations, shifts, differences -----------------------------------------------------

NUMBERS = "int small_int nullable_int float finite bool nullable_bool all_missing"
SHIFTED = NUMBERS + " text datetime datetime_ns timedelta zoned category ordered_category"


@pytest.mark.parametrize("skipna", [True, False])
@pytest.mark.parametrize("function", ["cumsum", "cumprod", "cummin", "cummax"])
def test_cumulative(function: str, skipna: bool) -> None:
    kinds = NUMBERS.split()
    if function in ("cummin", "cummax"):
        kinds += ["text", "datetime", "timedelta", "zoned", "ordered_category"]
    check(lambda df: getattr(df, function)(skipna=skipna), sample(*kinds))
    check(lambda df: getattr(df, function)(skipna=skipna), sample("category"))


@pytest.mark.parametrize("periods", [1, -1, 0, 3, -4, 100, -100])
@drawn(SHIFTED, max_examples=1)
def test_shift(periods: int, frame: pd.DataFrame) -> None:
    if len(frame):  # without rows pandas has no missing value to widen integers for
        check(lambda df: df.shift(periods), frame, partitions=FEW)


@pytest.mark.parametrize("periods", [1, -2, 9])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 0), ("int", 1.5), ("int", np.nan), ("small_int", 300), ("nullable_int", 5),
        ("float", 3), ("bool", True), ("bool", None), ("text", "z"), ("category", "low"),
        ("category", "absent"), ("timedelta", pd.Timedelta("1h")),
        ("zoned", pd.Timestamp("2020-01-01", tz="Europe/Zurich")),
    ],
)  # fmt: skip
def test_shift_fills(kind: str, value: Any, periods: int) -> None:
    check(lambda s: s.shift(periods, fill_value=value), sample(kind)[kind], partitions=FEW)


@pytest.mark.parametrize("freq", ["D", "3h", "ME", pd.Timedelta("1min")])
def test_shift_of_labels(freq: Any) -> None:
    frame = pd.DataFrame(
        {"a": [1, 2, 3]}, index=pd.to_datetime(["2020-01-01", "2020-01-31", "2021-03-28"])
    )
    for periods in (1, -2):
        check(lambda df: df.shift(periods, freq=freq), frame, partitions=(1, 2))  # noqa: B023
    zoned = frame.tz_localize("Europe/Zurich")
    check(lambda df: df.a.shift(1, freq=freq), zoned, partitions=(1, 2))


def test_shift_of_labels_leaves_rows() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3]}, index=pd.date_range("2020-01-01", periods=3, freq="D"))
    collection = dd.from_pandas(frame, 2)
    # rows at the same place have other labels now: they must not be taken for the same ones
    with pytest.raises(UnsupportedError, match="different rows"):
        _ = (collection.a - collection.a.shift(1, freq="D")).compute()


@pytest.mark.parametrize("periods", [1, -1, 0, 3, -100])
@drawn("int small_int float finite nullable_bool datetime_ns timedelta all_missing", max_examples=1)
def test_diff(periods: int, frame: pd.DataFrame) -> None:
    # differences of times over the whole range of dates overflow
    frame["datetime_ns"] = frame.datetime_ns.where(frame.datetime_ns.dt.year.between(1950, 2050))
    check(lambda df: df.diff(periods), frame, partitions=FEW)


@pytest.mark.parametrize("periods", [1, -1, 5, 100])
def test_pct_change(periods: int) -> None:
    frame = sample("few", "finite", "small_int")
    check(lambda df: df.pct_change(periods), frame)
    check(lambda df: df.finite.pct_change(periods), frame)
    check(lambda df: df[df.few > 0].pct_change(periods), frame, partitions=FEW)


def test_between_columns() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, np.nan, 6], "c": [7.0, 8, 9]})
    for function in ("shift", "diff", "ffill", "bfill"):
        check(lambda df: getattr(df, function)(axis=1), frame, partitions=(1, 2))  # noqa: B023


# --- filling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("function", ["ffill", "bfill"])
@drawn(SHIFTED, max_examples=1)
def test_fill(function: str, limit: int | None, frame: pd.DataFrame) -> None:
    check(lambda df: getattr(df, function)(limit=limit), frame, partitions=FEW)


@pytest.mark.parametrize("limit", [None, 1, 6])
@pytest.mark.parametrize("function", ["ffill", "bfill"])
def test_fill_far(function: str, limit: int | None) -> None:
    check(lambda s: getattr(s, function)(limit=limit), _gaps())


@pytest.mark.parametrize("area", [None, "inside", "outside"])
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_interpolate(direction: Any, area: Any) -> None:
    for limit in (None, 1, 4):
        options = {"limit": limit, "limit_direction": direction, "limit_area": area}
        check(lambda s: s.interpolate(**options), _gaps())  # noqa: B023
    check(lambda df: df.interpolate(limit_direction=direction, limit_area=area),
          sample("finite", "int", "bool", "all_missing"), partitions=FEW)  # fmt: skip


def test_refused() -> None:
    frame = sample("text", "category", "zoned", "nullable_int", "finite")
    collection = dd.from_pandas(frame, 2)
    check(lambda df: df.text.interpolate(), frame)
    for kind in ("category", "zoned", "nullable_int"):
        with pytest.raises(UnsupportedError, match=kind):
            collection[kind].interpolate()
    finite = collection.finite
    for call in (
        lambda: finite.ffill(limit=0),
        lambda: finite.interpolate(limit=0),
        lambda: finite.interpolate(limit_direction="up"),
        lambda: finite.interpolate(limit_area="all"),
        lambda: finite.pct_change(fill_method="ffill"),
        lambda: finite.diff(1.5),
        lambda: finite.shift(1, freq="D", fill_value=0),
    ):
        with pytest.raises(ValueError, match=r"limit|fill|periods"):
            call()
    for call in (
        lambda: finite.interpolate("spline"),
        lambda: finite.ffill(limit_area="inside"),
        lambda: finite.pct_change(freq="D"),
        lambda: finite.shift([1, 2]),
        lambda: finite.shift(1, freq="D"),
        lambda: finite.shift(1, freq="infer"),
    ):
        with pytest.raises(UnsupportedError):
            call()
    with pytest.raises(TypeError, match="integer"):
        finite.shift(1.5)
    with pytest.raises(SchemaError, match="not defined"):
        collection.text.diff().compute()

"""Bins of time against pandas: the same bins, and the same values in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock
import penstock.dataframe as dd
from penstock.errors import SchemaError, UnsupportedError
from tests.oracle.harness import Call, check
from tests.support.frames import assert_eq

FUNCTIONS = (
    "sum", "prod", "mean", "count", "size", "min", "max", "first", "last", "median", "std", "var",
    "sem", "nunique", "quantile", "ohlc",
)  # fmt: skip
ROWS = 40
BLOCKS = (1, 5)


def _frame(zone: str | None = None) -> pd.DataFrame:
    """Return rows at uneven times with a gap, over a change of the clocks."""
    rng = np.random.default_rng(5)
    minutes = np.sort(rng.integers(0, 6000, ROWS))
    minutes[20:] += 2 * 1440
    times = pd.DatetimeIndex(
        pd.Timestamp("2021-03-26 20:17") + pd.to_timedelta(minutes, "m"), name="when"
    )
    values = rng.normal(size=ROWS)
    values[rng.random(ROWS) < 0.3] = np.nan
    frame = pd.DataFrame({"x": values, "i": rng.integers(0, 5, ROWS)}, index=times)
    return frame if zone is None else frame.tz_localize("UTC").tz_convert(zone)


def _shuffled() -> pd.DataFrame:
    return _frame().iloc[np.random.default_rng(1).permutation(ROWS)]


def _compared(call: Call, frame: pd.DataFrame, **options: Any) -> None:
    """Compare all but the frequency of the index, which blocks do not know."""

    def without_frequency(data: Any) -> Any:
        result = call(data)
        if isinstance(result, pd.DataFrame | pd.Series):
            result = result.copy()
            result.index.freq = None
        return result

    check(without_frequency, frame, **{"partitions": BLOCKS, **options})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function: str) -> None:
    _compared(lambda df: getattr(df.resample("5h"), function)(), _frame("Europe/Zurich"))
    _compared(lambda df: getattr(df.x.resample("6h"), function)(), _shuffled())
    _compared(lambda df: getattr(df.resample("D", on="when")["i"], function)(),
              _frame().reset_index(), partitions=(17,))  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    [
        "h", "90min", "7h", "36h", "D", "3D", "W", "2W", "W-WED", "B", "MS", "ME", "2ME", "QE", "YE",
        "SME", pd.Timedelta("5h"), pd.offsets.Hour(2),
    ],
)  # fmt: skip
def test_rules(rule: Any) -> None:
    _compared(lambda df: df.x.resample(rule).count(), _shuffled(), partitions=(3,))
    for closed in ("left", "right"):
        for label in ("left", "right"):
            options = {"closed": closed, "label": label}
            _compared(lambda df: df.x.resample(rule, **options).count(),  # noqa: B023
                      _frame("Europe/Zurich"), partitions=(4,))  # fmt: skip


@pytest.mark.parametrize(
    "origin", ["start", "epoch", "end", "end_day", "start_day", pd.Timestamp("2021-01-01 00:30")]
)
@pytest.mark.parametrize("rule", ["2h", "7h", "2D"])
def test_origins(rule: str, origin: Any) -> None:
    for offset in (None, "20min"):
        _compared(lambda df: df.x.resample(rule, origin=origin, offset=offset).count(),  # noqa: B023
                  _frame(), partitions=(4,))  # fmt: skip
    if isinstance(origin, str):
        zoned = _frame("Europe/Zurich")
        _compared(lambda df: df.x.resample(rule, origin=origin).count(), zoned, partitions=(4,))


@pytest.mark.parametrize(
    "function",
    [
        "mean", ["sum", "median"], {"x": "sum", "i": ["min", "median"]}, {"x": "sum", "i": "max"},
        lambda s: s.max() - s.min(), lambda s: float(len(s)),
    ],
)  # fmt: skip
def test_agg(function: Any) -> None:
    _compared(lambda df: df.resample("5h").agg(function), _frame())
    if not isinstance(function, dict):
        _compared(lambda df: df.x.resample("5h").agg(function), _frame())


def test_named_agg() -> None:
    _compared(lambda df: df.resample("5h").agg(a=("x", "sum"), b=("i", "max")), _frame())
    _compared(lambda df: df.x.resample("5h").agg(a="sum"), _frame())
    for call in (lambda r: r.agg(a="sum"), lambda r: r.agg()):
        with pytest.raises(TypeError, match="agg"):
            call(dd.from_pandas(_frame(), 2).resample("5h"))


def test_named_labels() -> None:
    named = _frame().rename_axis(columns="what")
    for call in (
        lambda r: r.sum(), lambda r: r.ohlc(), lambda r: r.agg(["sum", "max"]),
        lambda r: r.agg({"x": "sum"}), lambda r: r.x.agg(["sum"]),
    ):  # fmt: skip
        _compared(lambda df: call(df.resample("5h")), named, partitions=(4,))  # noqa: B023


def test_empty_bins() -> None:
    gap = _frame().iloc[[0, 1, -1]]
    _compared(lambda df: df.resample("h").sum(), gap, partitions=(1, 2, 3))
    _compared(lambda df: df.resample("h").max(), gap, partitions=(1, 2, 3))
    _compared(lambda df: df.resample("h").sum(min_count=1), gap)
    # a bin without rows before the first one
    first = gap.set_axis(pd.DatetimeIndex(["2021-01-01 10:00", "2021-02-03", "2021-05-01 12:00"]))
    _compared(lambda df: df.resample("MS", closed="right").count(), first, partitions=(1, 3))
    text = _frame().assign(s="ab")
    _compared(lambda df: df.resample("5h").s.sum(), text)
    _compared(lambda df: df.resample("5h").s.min(), text)
    _compared(lambda df: df.resample("5h").mean(numeric_only=True), text)
    _compared(lambda df: df.resample("5h").mean(), text)


def test_few_rows() -> None:
    _compared(lambda df: df.resample("5h").sum(), _frame().iloc[:1])
    _compared(lambda df: df.resample("5h").sum(), _frame().iloc[:0])
    _compared(lambda df: df[df.i > 2].resample("5h").sum(), _frame())
    _compared(lambda df: df.resample("5h").sum()["x"], _frame())


def test_missing_times() -> None:
    on = _frame().reset_index()
    on["when"] = on.when.where(on.i != 2)
    _compared(lambda df: df.resample("5h", on="when").x.sum(), on)
    _compared(lambda df: df.resample("7h", on="when").x.median(), on)


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_units(unit: Any) -> None:
    frame = _frame().iloc[:4]
    seconds = ["2020-01-01", "2020-01-01 00:00:01", "2020-01-01 00:00:03", "2020-01-01 00:00:03"]
    frame.index = pd.DatetimeIndex(seconds).as_unit(unit)
    _compared(lambda df: df.resample("500ms").sum(), frame)
    _compared(lambda df: df.resample("2s").first(), frame)


def test_elapsed_time() -> None:
    frame = _frame()
    _compared(lambda df: df.resample("5h").sum(), frame.set_axis(frame.index - frame.index[0]))


def test_spilled() -> None:
    frame = pd.concat([_frame()] * 20).sort_index(kind="stable")
    with penstock.config.set({"exchange-memory": 2000}):
        _compared(lambda df: df.resample("5h").median(), frame, partitions=(7,))
        _compared(lambda df: df.resample("7h").ohlc(), frame, partitions=(7,))


def test_refused() -> None:
    frame = dd.from_pandas(_frame(), 2)
    check(lambda df: df.resample("5h").mean(), _frame().reset_index(drop=True))
    check(lambda df: df.resample("5xx").mean(), _frame())
    check(lambda df: df.resample("5h", closed="x").mean(), _frame())
    with pytest.raises(SchemaError, match="set_index"):
        dd.from_pandas(_frame().reset_index(), 2).resample("5h")
    with pytest.raises(UnsupportedError, match="ffill"):
        frame.resample("5min").ffill()
    with pytest.raises(UnsupportedError, match="no aggregation"):
        frame.resample("5h").agg("kurt")
    with pytest.raises(UnsupportedError, match="one q"):
        frame.resample("5h").quantile([0.1, 0.2])
    with pytest.raises(UnsupportedError, match="level"):
        frame.resample("5h", level=0)
    with pytest.raises(KeyError, match="absent"):
        frame.resample("5h")["absent"]
    with pytest.raises(AttributeError, match="no method"):
        frame.resample("5h").absent()


def test_goes_on() -> None:
    """Bins are rows like any others."""
    hourly = dd.from_pandas(_frame(), 4).resample("h").sum()
    expected = _frame().resample("h").sum()
    assert_eq(hourly.x.rolling("3h").mean(), _no_frequency(expected.x.rolling("3h").mean()))
    assert_eq(hourly.x.cumsum(), _no_frequency(expected.x.cumsum()))


def _no_frequency(data: Any) -> Any:
    data.index.freq = None
    return data

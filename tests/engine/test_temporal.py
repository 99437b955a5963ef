"""Date and time operations against pandas' ``.dt``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from penstock.engine.kernels.convert import array_from_series, series_from_arrow
from penstock.engine.kernels.elementwise import OPS, apply_op
from penstock.engine.kernels.elementwise.temporal import UNSUPPORTED
from penstock.errors import UnsupportedError

_STAMPS = pd.Series(
    pd.to_datetime(
        ["2020-02-29 23:59:59.123456", None, "1900-02-03", "2021-12-31", "2024-01-01 00:00:01",
         "1969-12-31 23:59:59.999999"],
        format="ISO8601",
    )
)  # fmt: skip
_SPANS = pd.Series(pd.to_timedelta(["1s", None, "2D 03:04:05.123456", "-1h"]))
_SERIES = {
    "us": _STAMPS,
    "ns": _STAMPS.astype("datetime64[ns]"),
    "s": _STAMPS.astype("datetime64[s]"),
    "zoned": _STAMPS.dt.tz_localize("Europe/Paris"),
    "span": _SPANS,
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "floor": {"freq": "2h"},
    "ceil": {"freq": "D"},
    "round": {"freq": "h"},
    "as_unit": {"unit": "ns"},
    "strftime": {"date_format": "%Y/%m %H"},
    "tz_convert": {"tz": "America/New_York"},
    "tz_localize": {"tz": "UTC"},
}
# pandas warns of the older names.
_NEW_NAMES = {
    "dayofweek": "day_of_week",
    "weekday": "day_of_week",
    "dayofyear": "day_of_year",
    "daysinmonth": "days_in_month",
}
_OBJECTS = {"date", "time"}
_NAMES = sorted(
    name.removeprefix("dt.")
    for name, op in OPS.items()
    if op.accessor == "dt" and name.removeprefix("dt.") not in {*UNSUPPORTED, "isocalendar"}
)


@pytest.mark.parametrize("kind", _SERIES)
@pytest.mark.parametrize("name", _NAMES)
def test_accessor(name: str, kind: str) -> None:
    series = _SERIES[kind]
    options = _OPTIONS.get(name, {})
    op = OPS[f"dt.{name}"]

    def expected() -> pd.Series:
        found = getattr(series.dt, _NEW_NAMES.get(name, name))
        return found if op.is_property else found(**options)

    try:
        wanted = expected()
    except (AttributeError, TypeError) as error:
        with pytest.raises(type(error)):
            apply_op(op.name, [array_from_series(series)], options)
        return
    actual = series_from_arrow(apply_op(op.name, [array_from_series(series)], options))
    if name in _OBJECTS:  # missing: None here, NaT there
        assert actual.dtype == object
        assert actual.dropna().tolist() == wanted.dropna().tolist()
        assert actual.isna().tolist() == wanted.isna().tolist()
        return
    pd.testing.assert_series_equal(actual, wanted, check_names=False)


@pytest.mark.parametrize("column", ["year", "week", "day"])
def test_isocalendar(column: str) -> None:
    array = apply_op("dt.isocalendar", [array_from_series(_STAMPS)], {"column": column})
    assert array.to_pylist() == array_from_series(_STAMPS.dt.isocalendar()[column]).to_pylist()


def test_nothing_of_pandas_is_forgotten() -> None:
    for series in (_STAMPS, _SPANS):
        known = {name for name in dir(series.dt) if not name.startswith("_")}
        assert known - {name.removeprefix("dt.") for name in OPS} <= {"resolution"}


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_unsupported_says_why(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"dt.{name} is not supported: "):
        apply_op(f"dt.{name}", [array_from_series(_STAMPS)])


@pytest.mark.parametrize("name", ["year", "month", "day", "dayofweek", "dayofyear", "quarter"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_table_of_days(name: str, unit: str) -> None:
    """Many rows on few days go through a table of the days."""
    generator = np.random.default_rng(5)
    seconds = generator.integers(-400 * 86_400, 400 * 86_400, 20_000)
    series = pd.Series(seconds.astype("M8[s]").astype(f"M8[{unit}]"))
    series[generator.random(len(series)) < 0.1] = pd.NaT
    actual = apply_op(f"dt.{name}", [array_from_series(series)])
    assert actual.type == pa.int32()
    expected = getattr(series.dt, _NEW_NAMES.get(name, name))
    pd.testing.assert_series_equal(series_from_arrow(actual), expected, check_names=False)

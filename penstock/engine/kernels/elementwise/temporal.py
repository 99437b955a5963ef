"""Dates and times: everything of pandas' ``.dt`` that gives one column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.elementwise.arithmetic import with_nulls_of
from penstock.engine.kernels.elementwise.registry import Op, register
from penstock.engine.kernels.missing import null_mask, raw_values
from penstock.errors import UnsupportedError

PROPERTIES = (
    "date", "day", "day_of_week", "day_of_year", "dayofweek", "dayofyear", "days",
    "days_in_month", "daysinmonth", "hour", "is_leap_year", "is_month_end", "is_month_start",
    "is_quarter_end", "is_quarter_start", "is_year_end", "is_year_start", "microsecond",
    "microseconds", "minute", "month", "nanosecond", "nanoseconds", "quarter", "second",
    "seconds", "time", "weekday", "year",
)  # fmt: skip
METHODS = (
    "as_unit", "ceil", "day_name", "floor", "isocalendar", "month_name", "normalize", "round",
    "strftime", "total_seconds", "tz_convert", "tz_localize",
)  # fmt: skip
UNSUPPORTED = {
    "to_period": "periods have no Arrow type; use dt.strftime, or dt.floor for a timestamp",
    "to_pydatetime": "a column holds timestamps; call it on the computed Series",
    "to_pytimedelta": "a column holds durations; call it on the computed Series",
    "timetz": "Arrow's times have no zone; use dt.time",
    "components": "it gives seven columns; use dt.days, dt.seconds and the others",
    "freq": "it is a property of a whole index",
    "unit": "read it from the column's dtype",
    "tz": "read it from the column's dtype",
}
# Below this many rows a table of days does not pay; beyond that day it does not fit int32.
_TABLE_ROWS = 4096
_MAX_DAY = 2**31 - 1
_ZONES_END = 2_114_380_800  # 2037-01-01 in seconds
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _local(array: pa.Array) -> pa.Array | None:
    """Return timestamps without their zone, in local time; None where that is pandas' to do."""
    if not pa.types.is_timestamp(array.type):
        return None
    zone = array.type.tz
    if zone is None:
        return array
    naive = array.cast(pa.timestamp(array.type.unit, "UTC")).cast(pa.timestamp(array.type.unit))
    if zone == "UTC":
        return naive
    # Arrow's zones end where their tables do: it knows no summer time after 2037.
    values, second = raw_values(naive.cast(pa.int64())), _TICKS[array.type.unit]
    if len(values) and not (values.min() >= 0 and values.max() < _ZONES_END * second):
        return None
    return pc.local_timestamp(array)


def _field(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        array = _local(args[0])
        if array is None:
            return NotImplemented
        return pc.call_function(function, [array]).cast(pa.int32())

    return native


def _of_day(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    """A field that depends on the day alone: looked up in a table of the days there are."""

    def native(args: list[Any], options: dict[str, Any]) -> Any:
        array = _local(args[0])
        if array is None:
            return NotImplemented
        if len(array) >= _TABLE_ROWS:
            days = raw_values(array.cast(pa.int64())) // (86_400 * _TICKS[array.type.unit])
            first, last = int(days.min()), int(days.max())
            if last - first < len(array) // 4 and abs(first) < _MAX_DAY and abs(last) < _MAX_DAY:
                known = pa.array(np.arange(first, last + 1, dtype=np.int32)).cast(pa.date32())
                table = pc.call_function(function, [known]).to_numpy().astype(np.int32)
                return with_nulls_of(table[days - first], [array])
        return pc.call_function(function, [array]).cast(pa.int32())

    return native


def _microsecond(args: list[Any], options: dict[str, Any]) -> Any:
    array = args[0]
    if not pa.types.is_timestamp(array.type):
        return NotImplemented
    whole = pc.multiply(pc.millisecond(array), pa.scalar(1000, pa.int64()))
    return pc.add(whole, pc.microsecond(array)).cast(pa.int32())


def _date(args: list[Any], options: dict[str, Any]) -> Any:
    array = _local(args[0])
    return NotImplemented if array is None else array.cast(pa.date32(), safe=False)


def _floor(args: list[Any], options: dict[str, Any]) -> Any:
    array = args[0]
    if set(options) - {"freq"} or not isinstance(options.get("freq"), str):
        return NotImplemented
    if not pa.types.is_timestamp(array.type) or array.type.tz is not None:
        return NotImplemented
    step = _ticks_of(options["freq"], array.type.unit)
    return NotImplemented if step is None else _floored(array, step)


def _normalize(args: list[Any], options: dict[str, Any]) -> Any:
    array = args[0]
    if not pa.types.is_timestamp(array.type) or array.type.tz is not None:
        return NotImplemented
    return _floored(array, 86_400 * _TICKS[array.type.unit])


def _floored(array: pa.Array, step: int) -> Any:
    values = raw_values(array.cast(pa.int64()))
    low = np.iinfo(np.int64).min + step
    if len(values) and values.min() < low:
        return NotImplemented  # pandas' own overflow error
    mask = null_mask(array) if array.null_count else None
    return pa.array(values - values % step, mask=mask).cast(array.type)


def _ticks_of(freq: str, unit: str) -> int | None:
    """Return the length of a fixed frequency in `unit`, or None if it has none."""
    from pandas.tseries.frequencies import to_offset

    try:
        nanoseconds = to_offset(freq).nanos
    except (ValueError, AttributeError):
        return None
    ticks, rest = divmod(nanoseconds * _TICKS[unit], 1_000_000_000)
    return None if rest or ticks <= 0 else int(ticks)


_NATIVE: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "year": _of_day("year"),
    "month": _of_day("month"),
    "day": _of_day("day"),
    "hour": _field("hour"),
    "minute": _field("minute"),
    "second": _field("second"),
    "microsecond": _microsecond,
    "nanosecond": _field("nanosecond"),
    "dayofweek": _of_day("day_of_week"),
    "day_of_week": _of_day("day_of_week"),
    "weekday": _of_day("day_of_week"),
    "dayofyear": _of_day("day_of_year"),
    "day_of_year": _of_day("day_of_year"),
    "quarter": _of_day("quarter"),
    "date": _date,
    "floor": _floor,
    "normalize": _normalize,
}


# Older names, which pandas warns of.
_NAMES = {
    "dayofweek": "day_of_week",
    "weekday": "day_of_week",
    "dayofyear": "day_of_year",
    "daysinmonth": "days_in_month",
}


def _property(name: str) -> Callable[..., Any]:
    def fallback(x: Any) -> Any:
        return getattr(x.dt, _NAMES.get(name, name))

    return fallback


def _method(name: str) -> Callable[..., Any]:
    def fallback(x: Any, **options: Any) -> Any:
        return getattr(x.dt, name)(**options)

    return fallback


def _isocalendar(x: Any, column: str = "week") -> Any:
    return x.dt.isocalendar()[column]


def _unsupported(name: str, reason: str) -> Callable[..., Any]:
    def fallback(x: Any, **options: Any) -> Any:
        raise UnsupportedError(f"dt.{name} is not supported: {reason}")

    return fallback


def _time_type(args: Sequence[Any], options: dict[str, Any]) -> pa.DataType | None:
    return pa.time64("us")


_RESULTS: dict[str, Any] = {"date": pa.date32(), "time": _time_type}

for _name in PROPERTIES:
    register(
        Op(
            f"dt.{_name}", 1, _property(_name), _NATIVE.get(_name),
            accessor="dt", is_property=True, result=_RESULTS.get(_name),
        )
    )  # fmt: skip
for _name in METHODS:
    _fallback = _isocalendar if _name == "isocalendar" else _method(_name)
    register(Op(f"dt.{_name}", 1, _fallback, _NATIVE.get(_name), accessor="dt"))
for _name, _reason in UNSUPPORTED.items():
    register(Op(f"dt.{_name}", 1, _unsupported(_name, _reason), accessor="dt"))

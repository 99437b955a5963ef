"""Python, NumPy and pandas scalars as Arrow scalars of the type of a column."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.engine.kernels.convert import is_text

_UNITS = ("s", "ms", "us", "ns")


def scalar_for(value: Any, type_: pa.DataType) -> pa.Scalar | None:
    """Return `value` as a scalar that compares with a column of `type_` exactly, or None.

    Parameters
    ----------
    value : object
        A scalar that is not missing.
    type_ : pyarrow.DataType

    Returns
    -------
    pyarrow.Scalar or None
        None where the two do not fit, or where pandas' meaning needs pandas.

    Examples
    --------
    >>> scalar_for("2024-01-01", pa.timestamp("us"))
    <pyarrow.TimestampScalar: '2024-01-01T00:00:00.000000'>
    """
    if is_text(type_):
        return pa.scalar(value, pa.string()) if isinstance(value, str) else None
    if pa.types.is_boolean(type_):
        return pa.scalar(bool(value)) if isinstance(value, bool | np.bool_) else None
    if pa.types.is_timestamp(type_):
        return _timestamp_scalar(value, type_)
    if pa.types.is_duration(type_):
        return _duration_scalar(value, type_)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return _number_scalar(value, type_)
    if pa.types.is_date(type_):
        return _date_scalar(value, type_)
    return None


def _date_scalar(value: Any, type_: pa.DataType) -> pa.Scalar | None:
    if isinstance(value, str):
        try:
            value = datetime.date.fromisoformat(value)
        except ValueError:
            return None
    return pa.scalar(value, type_) if type(value) is datetime.date else None


def _number_scalar(value: Any, type_: pa.DataType) -> pa.Scalar | None:
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        return None
    if pa.types.is_float16(type_):
        return None
    dtype = np.dtype(type_.to_pandas_dtype())
    if isinstance(value, np.generic):
        common = np.result_type(dtype, value.dtype)
    else:  # Python's numbers are weak: they take the column's type
        common = np.result_type(dtype, type(value)(0))
    if dtype.kind in "iu" and common.kind == "f" and not isinstance(value, float | np.floating):
        return None  # int64 with uint64
    try:
        return pa.scalar(common.type(value).item(), pa.from_numpy_dtype(common))
    except (OverflowError, pa.ArrowInvalid):
        return None


def _timestamp_scalar(value: Any, type_: pa.TimestampType) -> pa.Scalar | None:
    import pandas as pd

    if not isinstance(value, str | datetime.datetime | np.datetime64):
        return None
    try:
        stamp = pd.Timestamp(value)
        if type_.tz is not None and stamp.tz is None and isinstance(value, str):
            stamp = stamp.tz_localize(type_.tz)
    except ValueError:
        return None
    if (stamp.tz is None) != (type_.tz is None):
        return None
    try:
        exact = stamp.as_unit(type_.unit, round_ok=False)
    except (ValueError, pd.errors.OutOfBoundsDatetime):
        return None
    return pa.scalar(exact._value, pa.int64()).cast(type_)


def _duration_scalar(value: Any, type_: pa.DurationType) -> pa.Scalar | None:
    import pandas as pd

    if not isinstance(value, str | datetime.timedelta | np.timedelta64):
        return None
    try:
        exact = pd.Timedelta(value).as_unit(type_.unit, round_ok=False)
    except (ValueError, pd.errors.OutOfBoundsTimedelta):
        return None
    return pa.scalar(exact._value, pa.int64()).cast(type_)


def finest_unit(*units: str) -> str:
    """Return the finest of some time units.

    Parameters
    ----------
    *units : {"s", "ms", "us", "ns"}

    Returns
    -------
    str
    """
    return max(units, key=_UNITS.index)


def temporal_scalar(value: Any) -> pa.Scalar | None:
    """Return a timestamp or duration scalar in the unit pandas reads it in, or None.

    Parameters
    ----------
    value : object

    Returns
    -------
    pyarrow.Scalar or None
    """
    import pandas as pd

    if isinstance(value, datetime.datetime | np.datetime64):
        stamp = pd.Timestamp(value)
        zone = None if stamp.tz is None else str(stamp.tz)
        return pa.scalar(stamp._value, pa.int64()).cast(pa.timestamp(stamp.unit, zone))
    if isinstance(value, datetime.timedelta | np.timedelta64):
        span = pd.Timedelta(value)
        return pa.scalar(span._value, pa.int64()).cast(pa.duration(span.unit))
    return None

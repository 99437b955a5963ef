"""Conversions between types: astype, to_numeric, to_datetime, to_timedelta."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.convert import field_of, is_text, nullable_dtype
from penstock.engine.kernels.elementwise.registry import Op, Value, register
from penstock.engine.kernels.missing import raw_values


def _astype(args: list[Any], options: dict[str, Any]) -> Any:
    import pandas as pd

    array = args[0]
    target = pd.api.types.pandas_dtype(options["dtype"])
    if target.kind == "O" and isinstance(target, np.dtype):
        return array
    if isinstance(target, pd.StringDtype):
        return _to_text(array) if target.na_value is not pd.NA else NotImplemented
    if not isinstance(target, np.dtype) or target.kind not in "iuf" or target.itemsize == 16:
        return NotImplemented
    if target == np.float16 or not target.isnative:
        return NotImplemented
    type_ = pa.from_numpy_dtype(target)
    if array.type == type_ and (target.kind == "f" or not array.null_count):
        return array
    if target.kind in "iu":
        if array.null_count:
            return NotImplemented  # pandas' own error: there is no integer for missing
        if pa.types.is_floating(array.type):
            return _truncated(array, target)
    plain = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if plain or pa.types.is_boolean(array.type):
        return array.cast(type_, safe=False)
    return NotImplemented


def _truncated(array: pa.Array, target: np.dtype) -> Any:
    values = raw_values(array)
    info = np.iinfo(target)
    # Out of range is the platform's own answer: left to pandas, as is the error for inf.
    if len(values) and not (values.min() >= float(info.min) and values.max() < float(info.max)):
        return NotImplemented
    return pa.array(values.astype(target))


def _to_text(array: pa.Array) -> Any:
    if is_text(array.type):
        return array
    if pa.types.is_integer(array.type):
        return array.cast(pa.string())
    if pa.types.is_boolean(array.type):
        return pc.if_else(array, "True", "False")
    return NotImplemented


def _astype_type(args: Sequence[Any], options: dict[str, Any]) -> pa.DataType | None:
    import pandas as pd

    target = pd.api.types.pandas_dtype(options["dtype"])
    if target == np.dtype(object) or isinstance(target, pd.CategoricalDtype | pd.PeriodDtype):
        return None
    return field_of(target, "").type


def _astype_pandas(x: Any, dtype: Any, errors: str = "raise") -> Any:
    return x.astype(dtype, errors=errors)


def _to_datetime_type(args: Sequence[Any], options: dict[str, Any]) -> pa.DataType | None:
    array = args[0].array if isinstance(args[0], Value) else None
    if array is None or not is_text(array.type):
        return None
    # An empty column does not show the unit that pandas reads text in.
    return pa.timestamp("us", "UTC") if options.get("utc") else pa.timestamp("us")


def _to_timedelta_type(args: Sequence[Any], options: dict[str, Any]) -> pa.DataType | None:
    array = args[0].array if isinstance(args[0], Value) else None
    return pa.duration("us") if array is not None and is_text(array.type) else None


def _to_numeric(x: Any, **options: Any) -> Any:
    import pandas as pd

    return pd.to_numeric(x, **options)


def _to_datetime(x: Any, **options: Any) -> Any:
    import pandas as pd

    return pd.to_datetime(x, **options)


def _to_timedelta(x: Any, **options: Any) -> Any:
    import pandas as pd

    return pd.to_timedelta(x, **options)


def nullable_of(dtype: Any) -> str | None:
    """Return the pandas nullable dtype that `dtype` spells, or None for NumPy's.

    Parameters
    ----------
    dtype : dtype-like

    Returns
    -------
    str or None
    """
    return nullable_dtype(field_of(dtype, ""))


register(Op("astype", 1, _astype_pandas, _astype, result=_astype_type))
register(Op("to_numeric", 1, _to_numeric, data_dependent=True))
register(Op("to_datetime", 1, _to_datetime, result=_to_datetime_type, data_dependent=True))
register(Op("to_timedelta", 1, _to_timedelta, result=_to_timedelta_type, data_dependent=True))

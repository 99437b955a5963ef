"""Missing values and choices between values: isna, fillna, isin, between, clip, where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.elementwise.arithmetic import (
    as_dtype,
    common_dtype,
    with_nulls_of,
)
from penstock.engine.kernels.elementwise.comparison import _comparison
from penstock.engine.kernels.elementwise.registry import OPS, Op, register
from penstock.engine.kernels.elementwise.scalars import scalar_for
from penstock.engine.kernels.missing import is_missing, raw_values


def _isna(args: list[Any], options: dict[str, Any]) -> pa.Array:
    return pc.is_null(args[0])


def _notna(args: list[Any], options: dict[str, Any]) -> pa.Array:
    return pc.is_valid(args[0])


def exact_scalar(value: Any, type_: pa.DataType) -> pa.Scalar | None:
    """Return `value` as a scalar of just `type_`, or None where it does not fit.

    Parameters
    ----------
    value : object
    type_ : pyarrow.DataType

    Returns
    -------
    pyarrow.Scalar or None
    """
    if is_missing(value):
        return None
    if pa.types.is_integer(type_) and isinstance(value, float | np.floating):
        if not float(value).is_integer():
            return None
        value = int(value)
    scalar = scalar_for(value, type_)
    if scalar is None or scalar.type == type_:
        return scalar
    return None


def _fillna(args: list[Any], options: dict[str, Any]) -> Any:
    array, value = args
    if isinstance(value, pa.Array):
        return pc.coalesce(array, value) if value.type == array.type else NotImplemented
    if is_missing(value):
        return NotImplemented
    scalar = exact_scalar(value, array.type)
    if scalar is not None:
        return pc.fill_null(array, scalar) if array.null_count else array
    dtype = common_dtype([array, value])
    if dtype is None or dtype.kind != "f":
        return NotImplemented
    if not array.null_count:
        return array  # pandas widens integers only where it fills
    return pc.fill_null(as_dtype(array, dtype), as_dtype(value, dtype))


def _isin(args: list[Any], options: dict[str, Any]) -> Any:
    array, values = args
    if not isinstance(values, tuple | list | frozenset | set | np.ndarray):
        return NotImplemented
    type_ = array.type
    if pa.types.is_dictionary(type_):
        if not is_text(type_.value_type) or array.dictionary.null_count:
            return NotImplemented
        found = _isin([array.dictionary, values], options)
        if found is NotImplemented:
            return found
        return pc.fill_null(found.take(array.indices), False)
    value_set = _kept_value_set(values, type_)
    if value_set is None:
        return NotImplemented
    return pc.is_in(array, value_set=value_set)


# Blocks share the literal of one isin: what it becomes is kept for a few long ones.
_KEPT: dict[tuple[int, str], tuple[Any, pa.Array | None]] = {}
_KEPT_MOST = 8


def _kept_value_set(values: Any, type_: pa.DataType) -> pa.Array | None:
    if len(values) < 1000:
        return _value_set(values, type_)
    key = (id(values), str(type_))
    kept = _KEPT.get(key)
    if kept is None or kept[0] is not values:
        if len(_KEPT) >= _KEPT_MOST:
            _KEPT.clear()
        kept = _KEPT[key] = (values, _value_set(values, type_))
    return kept[1]


def _value_set(values: Any, type_: pa.DataType) -> pa.Array | None:
    if isinstance(values, np.ndarray) and values.ndim != 1:
        return None
    items = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if is_text(type_):
        if all(isinstance(item, str) for item in items):
            return pa.array(items, pa.string())
        return None
    if pa.types.is_integer(type_) and all(type(item) is int for item in items):
        info = np.iinfo(type_.to_pandas_dtype())
        return pa.array([item for item in items if info.min <= item <= info.max], type_)
    if pa.types.is_float64(type_) and all(type(item) in (int, float) for item in items):
        if any(item != item or abs(item) > 2**53 for item in items):
            return None
        zeros = [0.0, -0.0] if 0 in items else []  # equal, but Arrow tells them apart
        return pa.array([float(item) for item in items] + zeros, type_)
    return None


def _between(args: list[Any], options: dict[str, Any]) -> Any:
    inclusive = options.get("inclusive", "both")
    if inclusive not in ("both", "neither", "left", "right"):
        return NotImplemented
    array, left, right = args
    low = _comparison("ge" if inclusive in ("both", "left") else "gt")([array, left], {})
    if low is NotImplemented:
        return low
    high = _comparison("le" if inclusive in ("both", "right") else "lt")([array, right], {})
    return high if high is NotImplemented else pc.and_(low, high)


def _clip(args: list[Any], options: dict[str, Any]) -> Any:
    array, *bounds = args
    bounds += [None] * (2 - len(bounds))
    if any(isinstance(bound, pa.Array) for bound in bounds):
        return NotImplemented
    low, high = (None if is_missing(bound) else bound for bound in bounds)
    given = [bound for bound in (low, high) if bound is not None]
    dtype = common_dtype([array, *given])
    if dtype is None or pa.from_numpy_dtype(dtype) != array.type:
        return NotImplemented
    if low is not None and high is not None and low > high:
        low, high = high, low  # as pandas does for two scalars
    if any(as_dtype(bound, dtype) is NotImplemented for bound in given):
        return NotImplemented
    if not given:
        return array
    low, high = (None if bound is None else dtype.type(bound) for bound in (low, high))
    return with_nulls_of(np.clip(raw_values(array), low, high), [array])


def _where(args: list[Any], options: dict[str, Any]) -> Any:
    return _choose(args, keep=True)


def _mask(args: list[Any], options: dict[str, Any]) -> Any:
    return _choose(args, keep=False)


def _choose(args: list[Any], *, keep: bool) -> Any:
    array, condition = args[:2]
    other = args[2] if len(args) > 2 else None
    if not isinstance(array, pa.Array) or not isinstance(condition, pa.Array):
        return NotImplemented
    if not pa.types.is_boolean(condition.type) or condition.null_count:
        return NotImplemented
    if isinstance(other, pa.Array):
        if other.type != array.type or pa.types.is_dictionary(array.type):
            return NotImplemented
    elif is_missing(other) and pa.types.is_dictionary(array.type):
        missing = pa.scalar(None, array.indices.type)
        codes = [array.indices, missing] if keep else [missing, array.indices]
        return pa.DictionaryArray.from_arrays(
            pc.if_else(condition, *codes), array.dictionary, ordered=array.type.ordered
        )
    elif is_missing(other):
        other = pa.scalar(None, array.type)
    else:
        other = (
            exact_scalar(other, array.type) if type(other) is not float else _float(other, array)
        )
        if other is None:
            return NotImplemented
    return pc.if_else(condition, array, other) if keep else pc.if_else(condition, other, array)


def _float(value: float, array: pa.Array) -> pa.Scalar | None:
    return scalar_for(value, array.type) if pa.types.is_floating(array.type) else None


def _where_pandas(x: Any, condition: Any, other: Any = np.nan) -> Any:
    return x.where(condition, np.nan if other is None else other)


def _mask_pandas(x: Any, condition: Any, other: Any = np.nan) -> Any:
    return x.mask(condition, np.nan if other is None else other)


def _clip_pandas(x: Any, lower: Any = None, upper: Any = None) -> Any:
    return x.clip(lower, upper)


def _isin_pandas(x: Any, values: Any) -> Any:
    return x.isin(list(values) if isinstance(values, tuple | frozenset) else values)


register(Op("isna", 1, lambda x: x.isna(), _isna, takes_nullable=True))
register(Op("notna", 1, lambda x: x.notna(), _notna, takes_nullable=True))
OPS["isnull"] = OPS["isna"]
OPS["notnull"] = OPS["notna"]
register(Op("fillna", 2, lambda x, value: x.fillna(value), _fillna, data_dependent=True))
register(Op("isin", 2, _isin_pandas, _isin))
register(
    Op("between", 3, lambda x, left, right, **options: x.between(left, right, **options), _between)
)
register(Op("clip", 3, _clip_pandas, _clip, data_dependent=True))
register(Op("where", 3, _where_pandas, _where, data_dependent=True))
register(Op("mask", 3, _mask_pandas, _mask, data_dependent=True))

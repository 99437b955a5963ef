"""NumPy's functions on columns (``np.log`` ...), and rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.elementwise.arithmetic import number_dtype, with_nulls_of
from penstock.engine.kernels.elementwise.registry import Op, register
from penstock.engine.kernels.missing import raw_values

UNARY = (
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil",
    "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor", "isfinite",
    "isinf", "isnan", "log", "log10", "log1p", "log2", "negative", "positive", "rad2deg",
    "radians", "reciprocal", "rint", "sign", "signbit", "sin", "sinh", "spacing", "sqrt",
    "square", "tan", "tanh", "trunc", "conjugate", "invert", "logical_not",
)  # fmt: skip
BINARY = (
    "arctan2", "bitwise_and", "bitwise_or", "bitwise_xor", "copysign", "divide", "equal",
    "floor_divide", "float_power", "fmax", "fmin", "fmod", "gcd", "greater", "greater_equal",
    "heaviside", "hypot", "lcm", "ldexp", "left_shift", "less", "less_equal", "logaddexp",
    "logaddexp2", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "mod",
    "multiply", "nextafter", "not_equal", "power", "remainder", "right_shift", "subtract",
    "true_divide", "add",
)  # fmt: skip
# What a missing value (NaN to NumPy) gives where the result is boolean.
_OF_MISSING = {"isnan": True, "isfinite": False, "isinf": False}
_NATIVE = frozenset(UNARY) - {"signbit", "conjugate", "invert", "logical_not", "spacing"}


def _native(name: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    ufunc = getattr(np, name)

    def native(args: list[Any], options: dict[str, Any]) -> Any:
        array = args[0]
        if options or number_dtype(array) is None:
            return NotImplemented
        with np.errstate(all="ignore"):
            values = ufunc(raw_values(array))
        if name in _OF_MISSING:
            found = pa.array(values)
            if not array.null_count:
                return found
            return pc.if_else(array.is_valid(), found, pa.scalar(_OF_MISSING[name]))
        return with_nulls_of(values, args)

    return native


def _pandas(name: str) -> Callable[..., Any]:
    def fallback(*args: Any, **options: Any) -> Any:
        return getattr(np, name)(*args, **options)

    return fallback


def _round(args: list[Any], options: dict[str, Any]) -> Any:
    array = args[0]
    dtype = number_dtype(array)
    decimals = options.get("decimals", 0)
    if dtype is None or not isinstance(decimals, int):
        return NotImplemented
    if dtype.kind != "f":
        return array if decimals >= 0 else NotImplemented
    with np.errstate(all="ignore"):
        return with_nulls_of(np.round(raw_values(array), decimals), args)


for _name in UNARY:
    register(Op(f"np.{_name}", 1, _pandas(_name), _native(_name) if _name in _NATIVE else None))
for _name in BINARY:
    register(Op(f"np.{_name}", 2, _pandas(_name)))
register(Op("round", 1, lambda x, decimals=0: x.round(decimals), _round))

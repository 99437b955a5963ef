"""Arrays bigger than memory: Dask's names, NumPy's results, a hard memory limit."""

from __future__ import annotations

from typing import Any

_HOMES = {
    "Array": "array",
    "arange": "array_creation",
    "asarray": "array_creation",
    "compute": "base",
    "from_array": "array_creation",
    "full": "array_creation",
    "ones": "array_creation",
    "persist": "base",
    "zeros": "array_creation",
}

# NumPy's own functions, which an Array answers lazily, and its constants and types.
_NUMPY = (
    "absolute", "abs", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "conj",
    "conjugate", "copysign", "cos", "cosh", "deg2rad", "degrees", "divide", "divmod", "equal",
    "exp", "exp2", "expm1", "fabs", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "frexp", "greater", "greater_equal", "hypot", "invert", "isfinite", "isinf", "isnan", "ldexp",
    "left_shift", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "modf",
    "multiply", "negative", "nextafter", "not_equal", "positive", "power", "rad2deg", "radians",
    "reciprocal", "remainder", "right_shift", "rint", "sign", "signbit", "sin", "sinh", "spacing",
    "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc", "sum", "prod", "min",
    "max", "any", "all", "mean", "var", "std", "e", "euler_gamma", "inf", "nan", "newaxis", "pi",
    "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128",
)  # fmt: skip

__all__ = sorted([*_HOMES, *_NUMPY, "random"])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    import importlib

    if name == "random":
        value: Any = importlib.import_module("penstock.collections.array_random")
    elif name in _HOMES:
        module = importlib.import_module(f"penstock.collections.{_HOMES[name]}")
        value = getattr(module, name)
    elif name in _NUMPY:
        value = getattr(importlib.import_module("numpy"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""Arithmetic: native for numbers, text and timestamps, as NumPy and pandas promote them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.elementwise.registry import Op, register
from penstock.engine.kernels.elementwise.scalars import finest_unit
from penstock.engine.kernels.missing import is_missing, nan_to_null, null_mask, raw_values


def number_dtype(arg: Any) -> Any:
    """Return what NumPy's promotion sees of an argument, or None if it is no plain number.

    Parameters
    ----------
    arg : pyarrow.Array or scalar

    Returns
    -------
    numpy.dtype, int, float or None
        Scalars are weak: they are returned as Python's zeros.
    """
    if isinstance(arg, pa.Array):
        type_ = arg.type
        if pa.types.is_integer(type_) or pa.types.is_float32(type_) or pa.types.is_float64(type_):
            return np.dtype(type_.to_pandas_dtype())
        return None
    if isinstance(arg, bool | np.bool_) or is_missing(arg):
        return None
    # pandas makes NumPy's scalars Python's own before it computes.
    if isinstance(arg, int | np.integer):
        return 0
    if isinstance(arg, float | np.floating):
        return 0.0
    return None


def common_dtype(args: list[Any]) -> np.dtype | None:
    """Return the dtype NumPy computes `args` in, or None if they are not plain numbers.

    Parameters
    ----------
    args : list of pyarrow.Array or scalar

    Returns
    -------
    numpy.dtype or None
    """
    kinds = [number_dtype(arg) for arg in args]
    if any(kind is None for kind in kinds):
        return None
    return np.result_type(*kinds)


def as_dtype(arg: Any, dtype: np.dtype) -> Any:
    """Return an array or a number in `dtype`; `NotImplemented` where it does not fit.

    Parameters
    ----------
    arg : pyarrow.Array or scalar
    dtype : numpy.dtype

    Returns
    -------
    pyarrow.Array or pyarrow.Scalar
    """
    type_ = pa.from_numpy_dtype(dtype)
    if isinstance(arg, pa.Array):
        return arg if arg.type == type_ else arg.cast(type_, safe=False)
    try:
        return pa.scalar(np.array(arg, dtype=dtype).item(), type_)
    except OverflowError:
        return NotImplemented


def _arrow_binary(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        dtype = common_dtype(args)
        if dtype is None:
            return _not_numbers(function, args)
        x, y = as_dtype(args[0], dtype), as_dtype(args[1], dtype)
        if x is NotImplemented or y is NotImplemented:
            return NotImplemented
        result = pc.call_function(function, [x, y])
        return nan_to_null(result) if dtype.kind == "f" else result

    return native


def _not_numbers(function: str, args: list[Any]) -> Any:
    if function == "add" and all(
        is_text(arg.type) if isinstance(arg, pa.Array) else isinstance(arg, str) for arg in args
    ):
        return pc.binary_join_element_wise(*args, pa.scalar(""))
    if function in ("add", "subtract"):
        return _temporal(function, args)
    return NotImplemented


def _temporal(function: str, args: list[Any]) -> Any:
    """Timestamps and durations in the finer of the two units, as pandas computes them."""
    from penstock.engine.kernels.elementwise.scalars import temporal_scalar

    if any(is_missing(arg) for arg in _scalars(args)):
        return NotImplemented
    operands: list[Any] = [
        arg if isinstance(arg, pa.Array) else temporal_scalar(arg) for arg in args
    ]
    if any(operand is None for operand in operands):
        return NotImplemented
    stamps = [pa.types.is_timestamp(operand.type) for operand in operands]
    spans = [pa.types.is_duration(operand.type) for operand in operands]
    if not all(s or d for s, d in zip(stamps, spans, strict=True)):
        return NotImplemented
    if (function == "add" and all(stamps)) or (function == "subtract" and stamps == [False, True]):
        return NotImplemented  # pandas' own message
    zones = [operand.type.tz for operand, s in zip(operands, stamps, strict=True) if s]
    if len(zones) == 2 and (zones[0] is None) != (zones[1] is None):
        return NotImplemented
    unit = finest_unit(*(operand.type.unit for operand in operands))
    try:
        x, y = (
            operand.cast(pa.timestamp(unit, operand.type.tz) if s else pa.duration(unit))
            for operand, s in zip(operands, stamps, strict=True)
        )
        if len(zones) == 2 and zones[0] != zones[1]:
            y = y.cast(x.type)
        return pc.call_function(f"{function}_checked", [x, y])
    except pa.ArrowInvalid:
        return NotImplemented  # out of bounds: pandas' own error


def operand_values(arg: Any, dtype: np.dtype) -> Any:
    """Return an argument as NumPy values in `dtype`; null slots hold anything.

    Parameters
    ----------
    arg : pyarrow.Array or scalar
    dtype : numpy.dtype

    Returns
    -------
    numpy.ndarray or numpy.generic
    """
    if isinstance(arg, pa.Array):
        return raw_values(arg).astype(dtype, copy=False)
    return dtype.type(arg)


def with_nulls_of(values: np.ndarray, args: list[Any], missing: Any = None) -> pa.Array:
    """Return `values` as an array that is null where an argument is, or NaN.

    Parameters
    ----------
    values : numpy.ndarray
    args : list of pyarrow.Array or scalar
    missing : numpy.ndarray of bool, optional
        More places to be null.

    Returns
    -------
    pyarrow.Array
    """
    valid = None if missing is None else pa.array(~missing)
    for arg in args:
        if isinstance(arg, pa.Array) and arg.null_count:
            known = arg.is_valid()
            valid = known if valid is None else pc.and_(valid, known)
    if valid is None:
        return nan_to_null(pa.array(values))
    return nan_to_null(with_validity(np.ascontiguousarray(values), valid))


def with_validity(values: np.ndarray, valid: pa.BooleanArray) -> pa.Array:
    """Return `values`, without a copy, as an array that is null where `valid` is False.

    Parameters
    ----------
    values : numpy.ndarray
        Of a number type, contiguous.
    valid : pyarrow.BooleanArray
        Without nulls.

    Returns
    -------
    pyarrow.Array
    """
    if values.dtype == bool:
        return pa.array(values, mask=~valid.to_numpy(zero_copy_only=False))
    if valid.offset:
        valid = pa.concat_arrays([valid, valid.slice(0, 0)])
    buffers = [valid.buffers()[1], pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def _truediv(args: list[Any], options: dict[str, Any]) -> Any:
    """NumPy's division: four times as fast as Arrow's, which tests for zeros."""
    dtype = common_dtype(args)
    if dtype is None:
        return NotImplemented
    if any(as_dtype(arg, dtype) is NotImplemented for arg in _scalars(args)):
        return NotImplemented
    # NumPy converts in small buffers as it goes, quicker than a pass of its own.
    x, y = (raw_values(arg) if isinstance(arg, pa.Array) else arg for arg in args)
    x, y = (arg.item() if isinstance(arg, np.generic) else arg for arg in (x, y))
    with np.errstate(all="ignore"):
        return with_nulls_of(np.true_divide(x, y), args)


def _floordiv(args: list[Any], options: dict[str, Any]) -> Any:
    dtype = common_dtype(args)
    if dtype is None or any(as_dtype(a, dtype) is NotImplemented for a in _scalars(args)):
        return NotImplemented
    x, y = (operand_values(arg, dtype) for arg in args)
    with np.errstate(all="ignore"):
        values = np.floor_divide(x, y)
        zero = np.broadcast_to(np.equal(y, 0), values.shape)
        if isinstance(args[1], pa.Array) and args[1].null_count:
            zero = zero & args[1].is_valid().to_numpy(zero_copy_only=False)
        if zero.any():
            # pandas gives +-inf and NaN, for which integers become float64.
            kept = dtype if dtype.kind == "f" else np.float64
            values = np.where(zero, np.true_divide(x, y), values).astype(kept)
    return with_nulls_of(values, args)


def _mod(args: list[Any], options: dict[str, Any]) -> Any:
    dtype = common_dtype(args)
    if dtype is None or any(as_dtype(a, dtype) is NotImplemented for a in _scalars(args)):
        return NotImplemented
    x, y = (operand_values(arg, dtype) for arg in args)
    with np.errstate(all="ignore"):
        values = np.mod(x, y)
    zero = None
    if dtype.kind != "f":
        if np.ndim(y) == 0 and y == 0:
            return NotImplemented  # all missing: pandas has a dtype for that
        zero = np.broadcast_to(np.equal(y, 0), values.shape)
        zero = zero if zero.any() else None
    return with_nulls_of(values, args, zero)


def _pow(args: list[Any], options: dict[str, Any]) -> Any:
    dtype = common_dtype(args)
    if dtype is None or any(as_dtype(a, dtype) is NotImplemented for a in _scalars(args)):
        return NotImplemented
    base, exponent = args
    if dtype.kind == "f":
        # C's pow knows that 1 ** nan and nan ** 0 are 1.
        x, y = (operand_values(_nan_for_null(arg), dtype) for arg in args)
        with np.errstate(all="ignore"):
            return nan_to_null(pa.array(np.power(x, y)))
    if any(isinstance(arg, pa.Array) and arg.null_count for arg in args):
        base = base.fill_null(1) if isinstance(base, pa.Array) else base
        exponent = exponent.fill_null(0) if isinstance(exponent, pa.Array) else exponent
    values = np.power(operand_values(base, dtype), operand_values(exponent, dtype))
    missing = np.zeros(len(values), dtype=bool)
    if isinstance(args[0], pa.Array) and args[0].null_count:
        null = null_mask(args[0])
        missing |= null & (operand_values(exponent, dtype) != 0)
    if isinstance(args[1], pa.Array) and args[1].null_count:
        null = null_mask(args[1])
        missing |= null & (operand_values(base, dtype) != 1)
    return pa.array(values, mask=missing if missing.any() else None)


def _nan_for_null(arg: Any) -> Any:
    if isinstance(arg, pa.Array) and arg.null_count:
        if not pa.types.is_floating(arg.type):
            arg = arg.cast(pa.float64(), safe=False)
        return arg.fill_null(float("nan"))
    return arg


def _scalars(args: list[Any]) -> list[Any]:
    return [arg for arg in args if not isinstance(arg, pa.Array)]


def _unary(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        dtype = number_dtype(args[0])
        if pa.types.is_duration(args[0].type):
            moved = pc.call_function(function, [args[0].cast(pa.int64())])
            return moved.cast(args[0].type)
        if dtype is None:
            return NotImplemented
        if dtype.kind == "u":
            return args[0] if function == "abs" else NotImplemented
        return pc.call_function(function, [args[0]])

    return native


def _binary(name: str) -> Callable[..., Any]:
    method = getattr(operator, name)

    def fallback(x: Any, y: Any) -> Any:
        return method(x, y)

    return fallback


register(Op("add", 2, _binary("add"), _arrow_binary("add")))
register(Op("sub", 2, _binary("sub"), _arrow_binary("subtract")))
register(Op("mul", 2, _binary("mul"), _arrow_binary("multiply")))
register(Op("truediv", 2, _binary("truediv"), _truediv))
register(Op("floordiv", 2, _binary("floordiv"), _floordiv))
register(Op("mod", 2, _binary("mod"), _mod))
register(Op("pow", 2, _binary("pow"), _pow))
register(Op("neg", 1, operator.neg, _unary("negate")))
register(Op("pos", 1, operator.pos))
register(Op("abs", 1, operator.abs, _unary("abs")))

"""Comparisons and logic: a missing operand gives False (True for ``!=``), never null."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.elementwise.arithmetic import as_dtype, common_dtype
from penstock.engine.kernels.elementwise.registry import Op, register
from penstock.engine.kernels.elementwise.scalars import scalar_for
from penstock.engine.kernels.missing import fill_false, fill_true, is_missing

_FUNCTIONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less",
    "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def constant(value: Any, length: int, type_: pa.DataType | None = None) -> pa.Array:
    """Return `length` times one value.

    Parameters
    ----------
    value : object
    length : int
    type_ : pyarrow.DataType, optional

    Returns
    -------
    pyarrow.Array
    """
    return pa.repeat(pa.scalar(value, type_), length)


def _comparison(name: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        x, y = args
        op = name
        if not isinstance(x, pa.Array):
            x, y, op = y, x, _MIRRORED[name]
        compared = _compare(op, x, y)
        if compared is NotImplemented or compared.null_count == 0:
            return compared
        return fill_true(compared) if op == "ne" else fill_false(compared)

    return native


def _compare(op: str, x: pa.Array, y: Any) -> Any:
    function = _FUNCTIONS[op]
    if isinstance(y, pa.Array):
        return _compare_arrays(function, x, y)
    if is_missing(y):
        number = pa.types.is_integer(x.type) or pa.types.is_floating(x.type)
        if not number or not isinstance(y, float | np.floating):
            return NotImplemented
        return constant(op == "ne", len(x))
    if pa.types.is_dictionary(x.type):
        return _compare_category(op, x, y)
    if pa.types.is_boolean(x.type) and op not in ("eq", "ne"):
        return NotImplemented
    scalar = scalar_for(y, x.type)
    if scalar is None:
        return NotImplemented
    if scalar.type != x.type:
        if pa.types.is_float32(scalar.type):
            return NotImplemented
        x = x.cast(scalar.type, safe=False)
    return pc.call_function(function, [x, scalar])


def _compare_arrays(function: str, x: pa.Array, y: pa.Array) -> Any:
    dtype = common_dtype([x, y])
    if dtype is not None:
        integers = pa.types.is_integer(x.type) and pa.types.is_integer(y.type)
        if integers and dtype.kind == "f":
            return NotImplemented  # int64 with uint64: NumPy compares them exactly
        return pc.call_function(function, [as_dtype(x, dtype), as_dtype(y, dtype)])
    if is_text(x.type) and is_text(y.type):
        return pc.call_function(function, [x, y])
    same = x.type == y.type
    if same and (pa.types.is_timestamp(x.type) or pa.types.is_duration(x.type)):
        return pc.call_function(function, [x, y])
    return NotImplemented


def _compare_category(op: str, x: pa.DictionaryArray, y: Any) -> Any:
    """Equality with one category: compare the few categories, then look up by code."""
    if x.type.ordered and not len(x):
        return constant(False, 0)  # a schema does not say which categories there are
    if op not in ("eq", "ne") or not isinstance(y, str) or not is_text(x.type.value_type):
        return NotImplemented
    if x.dictionary.null_count:
        return NotImplemented
    code = pc.index(x.dictionary, pa.scalar(y, x.type.value_type)).as_py()
    if code < 0:
        return constant(op == "ne", len(x))
    return pc.call_function(_FUNCTIONS[op], [x.indices, pa.scalar(code, x.indices.type)])


def _logic(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        operands = []
        for arg in args:
            if isinstance(arg, pa.Array) and pa.types.is_boolean(arg.type):
                operands.append(fill_false(arg))
            elif isinstance(arg, bool | np.bool_):
                operands.append(pa.scalar(bool(arg)))
            else:
                return NotImplemented
        return pc.call_function(function, operands)

    return native


def _invert(args: list[Any], options: dict[str, Any]) -> Any:
    return pc.invert(args[0]) if pa.types.is_boolean(args[0].type) else NotImplemented


def _binary(method: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def fallback(x: Any, y: Any) -> Any:
        return method(x, y)

    return fallback


for _name in _FUNCTIONS:
    register(Op(_name, 2, _binary(getattr(operator, _name)), _comparison(_name)))
register(Op("and", 2, _binary(operator.and_), _logic("and")))
register(Op("or", 2, _binary(operator.or_), _logic("or")))
register(Op("xor", 2, _binary(operator.xor), _logic("xor")))
register(Op("invert", 1, operator.invert, _invert))

"""The table of elementwise operations, and the choice of native kernel or pandas.

An operation has a pandas fallback, which is its meaning, and may have a native kernel,
which returns `NotImplemented` for arguments it does not take. What the fallback gives is
brought to the type that pandas gives on an empty input, so that every block of a column
has the same type.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from penstock.engine.kernels.convert import (
    DTYPE_KEY,
    array_from_series,
    field_for,
    is_text,
    series_from_arrow,
)
from penstock.engine.kernels.identity import identity_key
from penstock.engine.kernels.missing import is_missing
from penstock.errors import SchemaError, UnsupportedError
from penstock.records import record

Native = Callable[[list[Any], dict[str, Any]], Any]
Fallback = Callable[..., Any]


class Value(NamedTuple):
    """An array, with the pandas nullable dtype its column came from, if any."""

    array: Any
    dtype: str | None = None

    @property
    def field(self) -> pa.Field:
        """The field that `convert` reads this value's pandas dtype from."""
        metadata = None if self.dtype is None else {DTYPE_KEY: self.dtype.encode()}
        return pa.field("", self.array.type, metadata=metadata)


@record
class Op:
    """One elementwise operation.

    Attributes
    ----------
    name : str
        pandas' name, with its accessor: ``add``, ``str.len``, ``dt.hour``.
    arity : int
        Number of arguments that may be columns, the first included; -1 for any number.
    accessor : {"str", "dt"} or None
    is_property : bool
        Whether pandas spells it without a call.
    fallback : callable
        Takes the arguments (Series or scalars) and the options; gives a Series.
    native : callable or None
        Takes the arguments (Arrow arrays or scalars) and the options; gives an array or
        `NotImplemented`.
    result : pyarrow.DataType, callable or None
        Type of the result where an empty input does not show it; a callable gets the
        arguments and the options.
    takes_nullable : bool
        Whether the native kernel also serves pandas' nullable dtypes.
    data_dependent : bool
        Whether the type may depend on the values, as pandas' does: integers divided by
        zero become float64 with inf. Blocks may then differ from the inferred type.
    """

    name: str
    arity: int
    fallback: Fallback
    native: Native | None = None
    accessor: str | None = None
    is_property: bool = False
    result: Any = None
    takes_nullable: bool = False
    data_dependent: bool = False


OPS: dict[str, Op] = {}


def register(op: Op) -> None:
    """Add `op` to `OPS`.

    Parameters
    ----------
    op : Op
    """
    OPS[op.name] = op


_FILTERS = threading.RLock()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Run pandas on no rows without its warnings: the run on data gives them.

    Yields
    ------
    None
    """
    # The filters belong to the process: two threads must not save and restore them crosswise.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def apply_value(name: str, args: Sequence[Any], options: dict[str, Any]) -> Value:
    """Run an operation on values and scalars.

    Parameters
    ----------
    name : str
        A key of `OPS`.
    args : sequence of Value or scalar
        At least one of them a `Value`.
    options : dict

    Returns
    -------
    Value
    """
    op = OPS[name]
    if op.accessor == "str" and isinstance(args[0], Value) and _is_text_category(args[0].array):
        args = [Value(args[0].array.cast(pa.string())), *args[1:]]
    if op.native is not None:
        plain = op.takes_nullable or not any(
            isinstance(arg, Value) and arg.dtype is not None for arg in args
        )
        if plain:
            arrays = [arg.array if isinstance(arg, Value) else arg for arg in args]
            result = op.native(arrays, options)
            if result is not NotImplemented:
                return Value(result)
    return apply_fallback(op, args, options)


def _is_text_category(array: pa.Array) -> bool:
    return pa.types.is_dictionary(array.type) and is_text(array.type.value_type)


def apply_fallback(op: Op, args: Sequence[Any], options: dict[str, Any]) -> Value:
    """Run the pandas method of an operation on the block.

    Parameters
    ----------
    op : Op
    args : sequence of Value or scalar
    options : dict

    Returns
    -------
    Value
    """
    result = _run_pandas(op, args, options)
    declared = op.result(args, options) if callable(op.result) else op.result
    expected = _empty_value(op, args, options) if declared is None else Value(declared)
    if expected is None:
        return result
    type_, dtype = expected
    if result.array.type == type_:
        return Value(result.array, dtype if op.result is None else result.dtype)
    if result.array.null_count == len(result.array):  # no value shows the type; or no row
        nulls = pa.nulls(len(result.array), type_)
        return Value(nulls, dtype if op.result is None else result.dtype)
    if not _may_cast(result.array.type, type_):
        return result
    try:
        return Value(result.array.cast(type_), dtype if op.result is None else result.dtype)
    except pa.ArrowInvalid:
        return result  # a result that depends on the data: 1 // 0 is inf


def _may_cast(found: pa.DataType, declared: pa.DataType) -> bool:
    if pa.types.is_null(found):
        return True
    # Missing values turned integers and booleans into something wider on their way.
    if pa.types.is_floating(found):
        return pa.types.is_integer(declared) or pa.types.is_floating(declared)
    if pa.types.is_integer(found):
        return pa.types.is_integer(declared) or pa.types.is_floating(declared)
    return pa.types.is_nested(found) or pa.types.is_temporal(found)


def _run_pandas(op: Op, args: Sequence[Any], options: dict[str, Any]) -> Value:
    import pandas as pd

    series = [
        series_from_arrow(arg.array, arg.field, writable=False) if isinstance(arg, Value) else arg
        for arg in args
    ]
    with np.errstate(all="ignore"):
        result = op.fallback(*series, **options)
    if not isinstance(result, pd.Series | pd.Index):
        result = pd.Series(result)
    try:
        array = array_from_series(result)
    except SchemaError as error:
        raise SchemaError(f"the result of {op.name}: {error}") from error
    metadata = field_for(result, array, "").metadata
    return Value(array, metadata[DTYPE_KEY].decode() if metadata else None)


def _empty_value(op: Op, args: Sequence[Any], options: dict[str, Any]) -> Value | None:
    """Return the type and dtype pandas gives on an empty input; None where it does not say."""
    key = tuple(
        ("array", arg.array.type, arg.dtype) if isinstance(arg, Value) else ("scalar", _Raw(arg))
        for arg in args
    )
    return _empty_value_cached(op.name, key, tuple((k, _Raw(v)) for k, v in options.items()))


class _Raw:
    """A scalar or option as part of a cache key: equal by type and content."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key = identity_key(value)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Raw) and self.key == other.key


@functools.lru_cache(maxsize=128)
def _empty_value_cached(
    name: str, args: tuple[Any, ...], options: tuple[tuple[str, _Raw], ...]
) -> Value | None:
    empty = [
        Value(pa.array([], type=arg[1]), arg[2]) if arg[0] == "array" else arg[1].value
        for arg in args
    ]
    try:
        with quietly():
            result = _run_pandas(OPS[name], empty, {k: v.value for k, v in options})
    except Exception:  # noqa: BLE001  the block's own run says what is wrong, on real data
        return None
    return None if pa.types.is_null(result.array.type) else Value(result.array.type, result.dtype)


def apply_op(
    op: str,
    args: Sequence[Any],
    options: dict[str, Any] | None = None,
    *,
    dtypes: Sequence[str | None] | None = None,
) -> pa.Array:
    """Run an elementwise operation and return its array.

    Parameters
    ----------
    op : str
        A key of `OPS`.
    args : sequence of pyarrow.Array or scalar
        At least one of them an array.
    options : dict, optional
        Keyword arguments of the pandas method.
    dtypes : sequence of str or None, optional
        pandas nullable dtype of each argument.

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    UnsupportedError
        When Penstock has no such operation.

    Examples
    --------
    >>> apply_op("add", [pa.array([1, None]), 1]).to_pylist()
    [2, None]
    """
    if op not in OPS:
        raise UnsupportedError(f"no elementwise operation {op!r}")
    names = dtypes if dtypes is not None else [None] * len(args)
    values = [
        Value(arg, dtype) if isinstance(arg, pa.Array) else plain_scalar(arg)
        for arg, dtype in zip(args, names, strict=True)
    ]
    return apply_value(op, values, options or {}).array


def plain_scalar(value: Any) -> Any:
    """Return `value` without its Arrow wrapping.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
    """
    if isinstance(value, pa.Scalar):
        return None if is_missing(value) else value.as_py()
    return value

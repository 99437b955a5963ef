"""Run an expression on a block, and tell the field it gives without running it on data."""

from __future__ import annotations

import functools
from typing import Any

import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.expr import CONSTANT, Call, Column, Expr, Literal
from penstock.engine.kernels.convert import (
    DTYPE_KEY,
    example_of,
    nullable_dtype,
    series_from_arrow,
)
from penstock.engine.kernels.elementwise import OPS, Value, apply_value
from penstock.engine.kernels.elementwise.registry import plain_scalar, quietly
from penstock.engine.kernels.missing import is_missing
from penstock.errors import UnsupportedError, column_not_found


def evaluate(expr: Expr, table: pa.Table) -> pa.Array | pa.Scalar:
    """Return the values of `expr` on the rows of `table`.

    Parameters
    ----------
    expr : Expr
    table : pyarrow.Table
        A block: float columns hold no NaN.

    Returns
    -------
    pyarrow.Array or pyarrow.Scalar
        A scalar where no column takes part.

    Raises
    ------
    ColumnNotFoundError
        When `expr` reads a column that `table` does not have.
    UnsupportedError
        When an operation does not exist.

    Examples
    --------
    >>> table = pa.table({"x": [1, 2]})
    >>> evaluate(Call("mul", (Column("x"), Literal(10))), table).to_pylist()
    [10, 20]
    """
    result = _Evaluation(table).run(expr)
    return result.array if isinstance(result, Value) else as_scalar(result)


def evaluate_many(exprs: dict[str, Expr], table: pa.Table) -> pa.Table:
    """Return a table of the values of `exprs`; what they share is computed once.

    Parameters
    ----------
    exprs : dict of str to Expr
        Output name to expression; a scalar is repeated on every row.
    table : pyarrow.Table

    Returns
    -------
    pyarrow.Table
    """
    evaluation = _Evaluation(table)
    arrays, fields = [], []
    for name, expr in exprs.items():
        value = evaluation.run(expr)
        if not isinstance(value, Value):
            value = Value(pa.repeat(as_scalar(value), table.num_rows))
        arrays.append(value.array)
        fields.append(_field(value, name))
    if not arrays:
        return table.select([])
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def infer_field(expr: Expr, schema: pa.Schema, name: str) -> pa.Field:
    """Return the field of `expr` on blocks of `schema`, found on zero rows.

    Parameters
    ----------
    expr : Expr
    schema : pyarrow.Schema
    name : str
        Name of the field.

    Returns
    -------
    pyarrow.Field

    Examples
    --------
    >>> schema = pa.schema({"x": pa.int32()})
    >>> infer_field(Call("truediv", (Column("x"), Literal(2))), schema, "half")
    pyarrow.Field<half: double>
    """
    # Schemas compare without their metadata, in which the nullable dtypes are.
    return _infer(expr, schema, tuple(map(nullable_dtype, schema))).with_name(name)


@functools.lru_cache(maxsize=256)
def _infer(expr: Expr, schema: pa.Schema, dtypes: tuple[str | None, ...]) -> pa.Field:
    with quietly():
        value = _Evaluation(schema.empty_table()).run(expr)
    if not isinstance(value, Value):
        return pa.field("", as_scalar(value).type)
    return _field(value, "")


def _field(value: Value, name: str) -> pa.Field:
    metadata = None if value.dtype is None else {DTYPE_KEY: value.dtype.encode()}
    return pa.field(name, value.array.type, metadata=metadata)


def as_scalar(value: Any) -> pa.Scalar:
    """Return a Python, NumPy or pandas scalar as an Arrow scalar.

    Parameters
    ----------
    value : object

    Returns
    -------
    pyarrow.Scalar
    """
    from penstock.engine.kernels.elementwise.scalars import temporal_scalar

    if is_missing(value):
        return pa.scalar(None, pa.float64() if isinstance(value, float) else None)
    temporal = temporal_scalar(value)
    return pa.scalar(value) if temporal is None else temporal


class _Evaluation:
    """One run over one block, with the value of each subexpression kept for its equals."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.done: dict[Expr, Any] = {}

    def run(self, expr: Expr) -> Any:
        if isinstance(expr, Literal):
            return plain_scalar(expr.value)
        if expr not in self.done:
            self.done[expr] = self._column(expr) if isinstance(expr, Column) else self._call(expr)
        return self.done[expr]

    def _column(self, expr: Column) -> Value:
        index = self.table.schema.get_field_index(expr.name)
        if index < 0:
            raise column_not_found(expr.name, self.table.column_names)
        array = single_chunk(self.table.column(index))
        return Value(array, nullable_dtype(self.table.schema.field(index)))

    def _call(self, expr: Call) -> Any:
        if expr.op == CONSTANT:
            value = self.run(expr.args[0])
            return _constant(value) if isinstance(value, Value) else value
        if expr.op not in OPS:
            raise UnsupportedError(f"no elementwise operation {expr.op!r}")
        args = [self.run(arg) for arg in expr.args]
        if any(isinstance(arg, Value) for arg in args):
            return apply_value(expr.op, args, dict(expr.options))
        # Literals only: one row, and its value.
        first = Value(pa.array([as_scalar(args[0]).as_py()], type=as_scalar(args[0]).type))
        return plain_scalar(apply_value(expr.op, [first, *args[1:]], dict(expr.options)).array[0])


def _constant(value: Value) -> Any:
    """Return the one value of a column that repeats it, as pandas gives a scalar."""
    array = value.array[:1]
    if not len(array):  # any value will do to learn what type it leads to
        array = example_of(value.array.type)
    return series_from_arrow(array, Value(array, value.dtype).field).iloc[0]

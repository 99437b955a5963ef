"""Putting tables one below the other, with pandas' rules for dtypes that differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.convert import is_text
from penstock.errors import SchemaError


def concat_schema(schemas: Sequence[pa.Schema], join: str = "outer") -> pa.Schema:
    """Return the schema of tables below each other, as `pandas.concat` gives it.

    Parameters
    ----------
    schemas
        Schemas of the tables, at least one.
    join
        ``"outer"`` for all columns, ``"inner"`` for those that every table has.

    Returns
    -------
    pyarrow.Schema
        Columns in order of first appearance.

    Raises
    ------
    SchemaError
        A column's types have no common one.

    Examples
    --------
    >>> import pyarrow as pa
    >>> concat_schema([pa.schema({"x": pa.int32()}), pa.schema({"x": pa.float32()})]).field("x")
    pyarrow.Field<x: double>
    """
    names = list(dict.fromkeys(name for schema in schemas for name in schema.names))
    if join == "inner":
        names = [name for name in names if all(name in schema.names for schema in schemas)]
    fields = []
    for name in names:
        own = [schema.field(name) for schema in schemas if name in schema.names]
        kind = own[0].type
        for field in own[1:]:
            kind = common_type(kind, field.type, name)
        marks = {(field.metadata or {}).get(b"penstock.dtype") for field in own}
        metadata = own[0].metadata if len(marks) == 1 else None
        fields.append(pa.field(name, kind, metadata=metadata))
    return pa.schema(fields)


def concat_tables(
    tables: Sequence[pa.Table], schema: pa.Schema | None = None, join: str = "outer"
) -> pa.Table:
    """Return tables below each other; columns that a table lacks are missing there.

    Parameters
    ----------
    tables
        At least one table.
    schema
        Schema of the result; `concat_schema` of the tables by default.
    join
        See `concat_schema`.

    Returns
    -------
    pyarrow.Table
        One chunk per column.

    Examples
    --------
    >>> import pyarrow as pa
    >>> concat_tables([pa.table({"x": [1]}), pa.table({"y": ["a"]})]).to_pydict()
    {'x': [1, None], 'y': [None, 'a']}
    """
    if schema is None:
        schema = concat_schema([table.schema for table in tables], join)
    columns = []
    for field in schema:
        parts = [_conform(table, field) for table in tables]
        columns.append(single_chunk(pa.chunked_array(parts, type=field.type)))
    return pa.Table.from_arrays(columns, schema=schema)


def common_type(left: pa.DataType, right: pa.DataType, column: str) -> pa.DataType:
    """Return the type that holds values of both, as `pandas.concat` chooses it."""
    types = pa.types
    if left == right:
        return left
    if types.is_null(left) or types.is_null(right):
        return right if types.is_null(left) else left
    plain = [kind.value_type if types.is_dictionary(kind) else kind for kind in (left, right)]
    if types.is_dictionary(left) or types.is_dictionary(right):
        return common_type(plain[0], plain[1], column)
    if all(is_text(kind) for kind in plain):
        return pa.large_string()
    number = [types.is_integer(kind) or types.is_floating(kind) for kind in plain]
    if all(number):
        numpy = [kind.to_pandas_dtype() for kind in plain]

        return pa.from_numpy_dtype(np.result_type(*numpy))
    if all(types.is_decimal(kind) or types.is_integer(kind) for kind in plain):
        scale = max(kind.scale if types.is_decimal(kind) else 0 for kind in plain)
        return pa.decimal128(38, scale)
    for same in (types.is_timestamp, types.is_duration):
        if same(left) and same(right) and getattr(left, "tz", None) == getattr(right, "tz", None):
            return max(left, right, key=lambda kind: ("s", "ms", "us", "ns").index(kind.unit))
    raise SchemaError(
        f"column {column!r} is {left} in one table and {right} in another, which have no common "
        "type; convert one of them with astype()"
    )


def _conform(table: pa.Table, field: pa.Field) -> pa.Array:
    if field.name not in table.column_names:
        if pa.types.is_dictionary(field.type):
            empty = pa.array([], field.type.value_type)
            indices = pa.nulls(table.num_rows, field.type.index_type)
            return pa.DictionaryArray.from_arrays(indices, empty, ordered=field.type.ordered)
        return pa.nulls(table.num_rows, field.type)
    array = single_chunk(table[field.name])
    if array.type == field.type:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(field.type, safe=False)

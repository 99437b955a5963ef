"""One schema for many Parquet files: union by name, promoted types, hive partitions.

Columns come in the order of their first appearance, partition columns last, as
pandas and pyarrow give them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from penstock.errors import SchemaError
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_NAMED_FILES = 3


@record
class Drift:
    """One way in which the files of a data set disagree.

    Attributes
    ----------
    column : str
    what : str
        What differs and what becomes of it, e.g. ``"int64 and double, read as double"``.
    files : tuple of str
        The files that differ from the first that has the column, or lack it.
    """

    column: str
    what: str
    files: tuple[str, ...]


def unify(
    schemas: Sequence[pa.Schema], files: Sequence[str], strict: bool
) -> tuple[pa.Schema, tuple[Drift, ...]]:
    """Return the schema that all files can be read with, and where they disagree.

    Parameters
    ----------
    schemas : sequence of pyarrow.Schema
        One per file.
    files : sequence of str
        Their names, for the report.
    strict : bool
        Raise on any disagreement.

    Returns
    -------
    tuple of (pyarrow.Schema, tuple of Drift)

    Raises
    ------
    SchemaError
        If a column has types that no common type holds, or on any drift when `strict`.
    """
    import pyarrow as pa

    variants: dict[str, dict[pa.DataType, list[int]]] = {}
    distinct: dict[int, list[int]] = {}  # files of the same schema object are looked at once
    for number, schema in enumerate(schemas):
        distinct.setdefault(id(schema), []).append(number)
    for numbers in distinct.values():
        schema = schemas[numbers[0]]
        if len(set(schema.names)) != len(schema.names):
            twice = next(name for name in schema.names if schema.names.count(name) > 1)
            raise SchemaError(f"{files[numbers[0]]}: the column {twice!r} is there twice")
        for field in schema:
            variants.setdefault(field.name, {}).setdefault(field.type, []).extend(numbers)
    fields = []
    drift = []
    for name, types in variants.items():
        first, *others = types
        common = first
        for other in others:
            common = _common_type(name, common, other, types, files)
        fields.append(pa.field(name, common))
        if others:
            shown = " and ".join(str(kind) for kind in types)
            differing = sorted(number for kind in others for number in types[kind])
            drift.append(_drift(name, f"{shown}, read as {common}", differing, files))
        present = {number for numbers in types.values() for number in numbers}
        if len(present) < len(schemas):
            absent = [number for number in range(len(schemas)) if number not in present]
            drift.append(_drift(name, "absent, read as null", absent, files))
    if strict and drift:
        lines = "; ".join(
            f"{item.column!r}: {item.what} (in {_named(item.files)})" for item in drift
        )
        raise SchemaError(
            f"the files do not have one schema: {lines}; "
            "schema_drift='union' reads them all the same"
        )
    return pa.schema(fields), tuple(drift)


def _drift(column: str, what: str, numbers: Sequence[int], files: Sequence[str]) -> Drift:
    return Drift(column, what, tuple(files[number] for number in numbers))


def _named(files: Sequence[str]) -> str:
    more = len(files) - _NAMED_FILES
    return ", ".join(files[:_NAMED_FILES]) + (f" and {more} more" if more > 0 else "")


def _common_type(
    name: str,
    left: pa.DataType,
    right: pa.DataType,
    types: Mapping[pa.DataType, Sequence[int]],
    files: Sequence[str],
) -> pa.DataType:
    common = promote(left, right)
    if common is None:
        shown = "; ".join(
            f"{kind} in {_named([files[number] for number in numbers])}"
            for kind, numbers in types.items()
        )
        raise SchemaError(
            f"column {name!r} has types that do not go together: {shown}; "
            "read these files apart and convert the column"
        )
    return common


def promote(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the narrowest type that holds both, or None.

    Examples
    --------
    >>> import pyarrow as pa
    >>> promote(pa.int64(), pa.float32())
    DataType(double)
    """
    import pyarrow as pa

    if left.equals(right):
        return left
    left, right = _plain(left), _plain(right)
    kinds = pa.types
    numbers = [kinds.is_integer(left), kinds.is_integer(right)]
    floats = [kinds.is_floating(left), kinds.is_floating(right)]
    if any(numbers) and any(floats):
        return pa.float64()
    if (
        all(numbers)
        and {left, right} > {pa.uint64()}
        and kinds.is_signed_integer(left) != (kinds.is_signed_integer(right))
    ):
        return pa.float64()  # no integer holds both; NumPy does the same
    if kinds.is_timestamp(left) and kinds.is_timestamp(right) and (left.tz or right.tz):
        if left.tz is None or right.tz is None:
            return None
        units = ("s", "ms", "us", "ns")
        unit = max(left.unit, right.unit, key=units.index)
        return pa.timestamp(unit, left.tz if left.tz == right.tz else "UTC")
    if kinds.is_date(left) and kinds.is_timestamp(right):
        return right
    if kinds.is_timestamp(left) and kinds.is_date(right):
        return left
    try:
        schemas = [pa.schema([("x", left)]), pa.schema([("x", right)])]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None


def _plain(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def conform(table: pa.Table, schema: pa.Schema, uri: str) -> pa.Table:
    """Return `table` with the columns and types of `schema`; absent columns are null."""
    import pyarrow as pa

    columns = []
    for field in schema:
        position = table.schema.get_field_index(field.name)
        if position < 0:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(position)
        if not column.type.equals(field.type):
            # Integers beyond 2**53 become the nearest double, as in pandas.
            lossy = pa.types.is_floating(field.type)
            try:
                if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(field.type):
                    column = column.cast(column.type.value_type)
                column = column.cast(field.type, safe=not lossy)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SchemaError(
                    f"{uri}: column {field.name!r} ({column.type}) does not become "
                    f"{field.type}, the type it has over all files: {error}"
                ) from error
        columns.append(column)
    if not columns:
        return table.select([])
    return pa.Table.from_arrays(columns, schema=schema)


# --------------------------------------------------------------- partitions


def hive_values(uri: str) -> dict[str, str | None]:
    """Return the ``key=value`` folders of a file's address.

    Examples
    --------
    >>> hive_values("/data/year=2014/month=01/part-0.parquet")
    {'year': '2014', 'month': '01'}
    """
    values: dict[str, str | None] = {}
    for folder in uri.split("/")[:-1]:
        key, equals, text = folder.partition("=")
        if equals and key:
            value = unquote(text)
            values[unquote(key)] = None if value == _NULL_PARTITION else value
    return values


def partition_schema(
    values: Sequence[Mapping[str, str | None]], types: Mapping[str, Any] | None
) -> pa.Schema:
    """Return the partition columns: integers when all values look like it, else strings."""
    import pyarrow as pa

    found: dict[str, set[str | None]] = {}
    for one in values:
        for key, value in one.items():
            found.setdefault(key, set()).add(value)
    given = {name: _data_type(kind) for name, kind in (types or {}).items()}
    fields = []
    for name, texts in found.items():
        known = [text for text in texts if text is not None]
        integers = bool(known) and all(_INTEGER.fullmatch(text) for text in known)
        fields.append(pa.field(name, given.get(name, pa.int64() if integers else pa.string())))
    return pa.schema(fields)


def _data_type(kind: Any) -> pa.DataType:
    import numpy as np
    import pyarrow as pa

    if isinstance(kind, pa.DataType):
        return kind
    if kind in ("str", "string", str):
        return pa.string()
    return pa.from_numpy_dtype(np.dtype(kind))


def partition_scalar(name: str, text: str | None, kind: pa.DataType, uri: str) -> pa.Scalar:
    """Return the value of a partition column in one file."""
    import pyarrow as pa

    if text is None:
        return pa.scalar(None, kind)
    try:
        return pa.scalar(text, pa.string()).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"{uri}: the partition {name}={text} is not {kind}; change partition_types"
        ) from error


# ---------------------------------------------------------- pandas metadata


def pandas_metadata(schema: pa.Schema) -> dict[str, Any] | None:
    """Return what pandas, Dask or pyarrow wrote about index and dtypes, if anything."""
    raw = (schema.metadata or {}).get(b"pandas")
    if raw is None:
        return None
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def without_metadata(schema: pa.Schema) -> pa.Schema:
    """Return names and types alone: field ids and flags must not make blocks differ."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _common_form(field.type)) for field in schema])


def _common_form(kind: pa.DataType) -> pa.DataType:
    """Return the type that stands for its variants: Arrow's views lack most kernels."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_dictionary(kind):  # the reader's index width is the writer's accident
        return pa.dictionary(pa.int32(), _common_form(kind.value_type), kind.ordered)
    if kinds.is_string_view(kind):
        return pa.string()
    if kinds.is_binary_view(kind):
        return pa.binary()
    if kinds.is_list(kind):
        return pa.list_(kind.value_field.with_type(_common_form(kind.value_type)))
    if kinds.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_common_form(kind.value_type)))
    if kinds.is_struct(kind):
        return pa.struct([field.with_type(_common_form(field.type)) for field in kind])
    return kind

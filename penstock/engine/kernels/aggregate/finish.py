"""The last step of an aggregation: output columns from combined partials."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.functions import aggregation
from penstock.engine.kernels.aggregate.partials import named
from penstock.engine.kernels.aggregate.spec import (
    LABELS,
    AggSpec,
    partial_name,
    source_field,
    split_partial_name,
)


def output_field(spec: AggSpec, schema: pa.Schema, *, keyed: bool = True) -> pa.Field:
    """Return the field of the column that `spec` gives on a table of `schema`.

    Parameters
    ----------
    spec
        A decomposable aggregation.
    schema
        Schema of the blocks.
    keyed
        Whether there are keys: pandas' groupby gives double for the mean of a narrow float,
        its plain reduction does not.

    Returns
    -------
    pyarrow.Field

    Raises
    ------
    ColumnNotFoundError
        `schema` has no such column.
    SchemaError
        The function is not defined for the column's type.
    UnsupportedError
        There is no such aggregation.
    """
    field = None if spec.column is None else named(schema, spec.column)
    function = aggregation(spec)
    function.kinds(field, spec)  # raises where the type has no such aggregation
    if function.labelled:
        field = named(schema, spec.option("label"))
    return _field(spec, field, keyed=keyed)


def finalize(table: pa.Table, keys: Sequence[str], specs: Sequence[AggSpec]) -> pa.Table:
    """Return key columns and output columns from partial aggregates.

    Parameters
    ----------
    table
        Result of `combine` (or of `partial`, if there was one block).
    keys, specs
        As given to `partial`.

    Returns
    -------
    pyarrow.Table
        One row per group, in the order of `table`.
    """
    fields = [table.schema.field(key) for key in keys]
    columns = [table[key] for key in keys]
    places = _places(table)
    for spec in specs:
        source, parts = _parts(table, spec, places)
        field = _field(spec, source, keyed=bool(keys))
        array = aggregation(spec).finish(parts, source, spec)
        fields.append(field)
        columns.append(array if array.type == field.type else array.cast(field.type))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _field(spec: AggSpec, source: pa.Field | None, *, keyed: bool) -> pa.Field:
    kind = aggregation(spec).output_type(source, spec)
    if keyed and spec.function == "mean" and pa.types.is_floating(kind):
        kind = pa.float64()
    return pa.field(spec.output, kind, metadata=_metadata(spec, source, kind))


def _metadata(spec: AggSpec, source: pa.Field | None, kind: pa.DataType) -> dict | None:
    """Keep the mark of pandas' nullable dtypes where the output has one too."""
    mark = (source.metadata or {}).get(b"penstock.dtype") if source is not None else None
    if mark is None:
        return None
    if source is not None and kind == source.type:
        return {b"penstock.dtype": mark}
    names = {pa.int64(): b"Int64", pa.uint64(): b"UInt64", pa.float64(): b"Float64"}
    name = b"boolean" if pa.types.is_boolean(kind) else names.get(kind)
    return None if name is None else {b"penstock.dtype": name}


def _places(table: pa.Table) -> dict[str, list[tuple[int, str]]]:
    """Return for each column the positions and kinds of its partials."""
    places: dict[str, list[tuple[int, str]]] = {}
    for position, name in enumerate(table.column_names):
        column, kind = split_partial_name(name)
        places.setdefault(column, []).append((position, kind))
    return places


def _parts(
    table: pa.Table, spec: AggSpec, places: dict[str, list[tuple[int, str]]]
) -> tuple[pa.Field | None, dict[str, pa.Array]]:
    parts: dict[str, pa.Array] = {}
    source: pa.Field | None = None
    for position, kind in () if spec.column is None else places.get(spec.column, ()):
        parts[kind] = single_chunk(table.column(position))
        if kind.startswith(LABELS) == aggregation(spec).labelled:
            source = source_field(table.schema.field(position))
    size = table.schema.get_field_index(partial_name(None, "size"))
    if size >= 0:
        parts["size"] = single_chunk(table.column(size))
    return source, parts

r"""Partial aggregates of a block, and their combination.

A partial is a column ``<column>\x1f<kind>``; specs share partials (mean and sum of a column
share one sum). `combine` maps partials to partials, so it may be applied any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from penstock.blocks import single_chunk, to_arrow
from penstock.engine.kernels.aggregate.functions import aggregation
from penstock.engine.kernels.aggregate.grouping import Groups, KeyedGroups, LoneRows, WholeGroup
from penstock.engine.kernels.aggregate.kinds import KINDS, extreme_rows
from penstock.engine.kernels.aggregate.moments import MOMENTS, block_moments, combine_moments
from penstock.engine.kernels.aggregate.spec import (
    LABELS,
    AggSpec,
    partial_name,
    remember_field,
    split_label,
    split_partial_name,
)
from penstock.engine.kernels.aggregate.values import take_optional
from penstock.engine.kernels.groupby_codes import drop_missing_keys, group_codes, repeated_codes
from penstock.errors import column_not_found

Wanted = dict[tuple[str | None, str], None]


def partial_kinds(specs: Sequence[AggSpec], schema: pa.Schema) -> list[tuple[str | None, str]]:
    """Return the distinct (column, kind) pairs that `specs` need on columns of `schema`."""
    wanted: Wanted = {}
    for spec in specs:
        function = aggregation(spec)
        field = None if spec.column is None else named(schema, spec.column)
        for kind in function.kinds(field, spec):
            wanted[(None if kind == "size" else spec.column, kind)] = None
    return list(wanted)


def named(schema: pa.Schema, column: str) -> pa.Field:
    """Return a field of `schema`, or raise with the nearest names."""
    position = schema.get_field_index(column)  # the list of names is made anew each time
    if position < 0:
        raise column_not_found(column, schema.names)
    return schema.field(position)


def partial(
    table: pa.Table,
    keys: Sequence[str],
    specs: Sequence[AggSpec],
    *,
    dropna: bool = True,
    where_it_pays: bool = False,
) -> pa.Table:
    """Return the partial aggregates of a block, one row per group in order of appearance.

    Parameters
    ----------
    table
        A block.
    keys
        Key columns; without any the result has one row.
    specs
        Decomposable aggregations.
    dropna
        Leave rows out in which a key is missing.
    where_it_pays
        Return a row for each row where grouping would leave most of them, by a sample.

    Returns
    -------
    pyarrow.Table
        Key columns, then partial columns.

    Raises
    ------
    ColumnNotFoundError
        A key or a column to aggregate is not there.
    SchemaError
        A function is not defined for its column's type.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from penstock.engine.kernels.aggregate import finalize
    >>> block = pa.table({"k": ["a", "b", "a"], "x": [1.0, 2.0, 3.0]})
    >>> specs = [AggSpec("x", "mean", "x")]
    >>> finalize(partial(block, ["k"], specs), ["k"], specs).to_pydict()
    {'k': ['a', 'b'], 'x': [2.0, 2.0]}
    """
    wanted = partial_kinds(specs, table.schema)
    for key in keys:
        named(table.schema, key)
    key_arrays = [single_chunk(table[key]) for key in keys]
    groups, key_columns = _group(key_arrays, table.num_rows, where_it_pays=where_it_pays)
    names = dict.fromkeys(column for column, _ in wanted if column is not None)
    columns = {name: single_chunk(table[name]) for name in names}
    made: dict[tuple[str | None, str], pa.Array] = {}
    moments: dict[str, int] = {}
    for column, kind in wanted:
        if column is None:
            made[(column, kind)] = KINDS[kind].make(pa.nulls(0), groups)
        elif kind in MOMENTS:
            moments[column] = max(moments.get(column, 2), MOMENTS.index(kind) + 1)
        elif kind.startswith(LABELS):
            extreme, label = split_label(kind)
            rows = extreme_rows(columns[column], groups, extreme)
            made[(column, kind)] = take_optional(single_chunk(table[label]), rows)
        else:
            made[(column, kind)] = KINDS[kind].make(columns[column], groups)
    for column, order in moments.items():
        parts = block_moments(columns[column], groups, order)
        made.update({(column, kind): array for kind, array in parts.items()})
    fields = [table.schema.field(key) for key in keys]
    for column, kind in wanted:
        source = None if column is None else table.schema.field(column)
        if kind.startswith(LABELS):
            source = table.schema.field(split_label(kind)[1])
        name = partial_name(column, kind)
        fields.append(remember_field(name, made[(column, kind)].type, source))
    arrays = [made[pair] for pair in wanted]
    partials = pa.Table.from_arrays(key_columns + arrays, schema=pa.schema(fields))
    # dropping the groups is cheaper than dropping their rows beforehand
    return drop_missing_keys(partials, keys) if dropna else partials


def combine(
    table: pa.Table, keys: Sequence[str], specs: Sequence[AggSpec], *, by_key: bool = False
) -> pa.Table:
    """Merge partial aggregates of the same group into one row.

    Parameters
    ----------
    table
        Concatenated results of `partial` or of `combine`, in the order of their blocks.
    keys, specs
        As given to `partial`. (The names of the partials say what they are; `specs` leaves
        out those that none of them needs.)
    by_key
        Groups may come in the order of their keys, where that is less work.

    Returns
    -------
    pyarrow.Table
        Keys and partials, groups in order of first appearance.
    """
    key_arrays = [single_chunk(table[key]) for key in keys]
    groups, key_columns = _group(key_arrays, table.num_rows, by_key=by_key)
    used = {spec.column or "" for spec in specs} | {""}
    names = [name for name in table.column_names if name not in keys]
    names = [name for name in names if split_partial_name(name)[0] in used]
    columns = {name: single_chunk(table[name]) for name in names}
    merged: dict[str, pa.Array] = {}
    for name in names:
        column, kind = split_partial_name(name)
        if name in merged:
            continue
        if kind in MOMENTS:
            parts = {
                other: columns[partial_name(column, other)]
                for other in ("count", *MOMENTS)
                if partial_name(column, other) in columns
            }
            for other, array in combine_moments(parts, groups).items():
                merged[partial_name(column, other)] = array
        elif kind.startswith(LABELS):
            extreme, _ = split_label(kind)
            rows = extreme_rows(columns[partial_name(column, extreme)], groups, extreme)
            merged[name] = take_optional(columns[name], rows)
        else:
            merged[name] = KINDS[kind].merge(columns[name], groups)
    schema = pa.schema([table.schema.field(name) for name in [*keys, *names]])
    arrays = key_columns + [merged[name] for name in names]
    return pa.Table.from_arrays(arrays, schema=schema)


def _group(
    columns: list[pa.Array], nrows: int, *, by_key: bool = False, where_it_pays: bool = False
) -> tuple[Groups, list[pa.Array]]:
    """Return the groups of `nrows` rows by key `columns`, and their keys."""
    if not columns:
        return WholeGroup(nrows), []
    grouping = repeated_codes(columns) if where_it_pays else group_codes(columns, by_key=by_key)
    if grouping is None:
        return LoneRows(nrows), columns
    groups = KeyedGroups(grouping)
    indices = to_arrow(groups.first)
    return groups, [column.take(indices) for column in columns]

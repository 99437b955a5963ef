"""Columns as categories that all blocks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import single_chunk

Categories = Mapping[str, pa.Array]


def categorical_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column of `kind` made categories."""
    return kind if pa.types.is_dictionary(kind) else pa.dictionary(pa.int32(), kind)


def distinct_values(columns: Sequence[str], table: pa.Table) -> dict[str, pa.Array]:
    """Return the distinct values of each of `columns`, without a missing one.

    Examples
    --------
    >>> found = distinct_values(["x"], pa.table({"x": ["b", None, "a", "b"]}))
    >>> found["x"].to_pylist()
    ['b', 'a']
    """
    return {name: pc.unique(single_chunk(table.column(name))).drop_null() for name in columns}


def united_values(parts: Sequence[Categories]) -> dict[str, pa.Array]:
    """Return the distinct values of several blocks together, sorted as pandas' categories.

    Examples
    --------
    >>> parts = [{"x": pa.array(["b", "a"])}, {"x": pa.array(["c", "a"])}]
    >>> united_values(parts)["x"].to_pylist()
    ['a', 'b', 'c']
    """
    united = {}
    for name in parts[0]:
        values = pc.unique(pa.concat_arrays([part[name] for part in parts]))
        united[name] = values.take(pc.sort_indices(values))
    return united


def encode(table: pa.Table, categories: Categories) -> pa.Table:
    """Return `table` with the columns of `categories` as codes into them.

    Examples
    --------
    >>> table = encode(pa.table({"x": ["b", None]}), {"x": pa.array(["a", "b"])})
    >>> table["x"].chunk(0).indices.to_pylist()
    [1, None]
    """
    for name, values in categories.items():
        position = table.schema.get_field_index(name)
        codes = pc.index_in(single_chunk(table.column(name)), values)
        column = pa.DictionaryArray.from_arrays(codes, values)
        table = table.set_column(position, name, column)
    return table

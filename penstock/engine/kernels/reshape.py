"""Rows made of columns and columns made of rows: explode, stack, pivot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import single_chunk
from penstock.engine.kernels.concat import concat_tables
from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.kernels.partition import take_rows
from penstock.engine.kernels.sort import sort_table
from penstock.errors import UnsupportedError

Cell = tuple[str, int, str]
"""Column of the values, number of the key, column of the result."""


def is_list(kind: pa.DataType) -> bool:
    """Return whether values of `kind` are lists."""
    types = pa.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def explode(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return a row for each item of the lists in `columns`, the other columns repeated.

    An empty list and a missing one give one row without a value, as in pandas.

    Parameters
    ----------
    table : pyarrow.Table
    columns : sequence of str
        List columns, whose lists must be equally long in each row.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError
        When the lists of a row have different lengths.

    Examples
    --------
    >>> table = pa.table({"x": [[1, 2], [], None], "y": ["a", "b", "c"]})
    >>> explode(table, ["x"]).to_pydict()
    {'x': [1, 2, None, None], 'y': ['a', 'a', 'b', 'c']}
    """
    lists = {name: _as_list(single_chunk(table[name])) for name in columns}
    lengths: np.ndarray | None = None
    for array in lists.values():
        found = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        if lengths is not None and (np.maximum(found, 1) != np.maximum(lengths, 1)).any():
            raise ValueError(
                f"explode: columns must have matching element counts in {', '.join(columns)}"
            )
        lengths = found if lengths is None else np.maximum(lengths, found)
    assert lengths is not None
    repeats = np.maximum(lengths, 1).astype(np.int64)
    rest = [name for name in table.column_names if name not in lists]
    rows = np.repeat(np.arange(len(repeats)), repeats)
    arrays = (
        dict(zip(rest, take_rows(table.select(rest), rows).columns, strict=True)) if rest else {}
    )
    for name, array in lists.items():
        own = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        real = np.repeat(own > 0, repeats)
        places = np.zeros(len(real), np.int64)
        places[real] = np.arange(int(real.sum()))
        arrays[name] = array.flatten().take(pa.array(places, mask=~real))
    return pa.table({name: arrays[name] for name in table.column_names})


def _as_list(array: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_list(array.type):
        return array.cast(pa.list_(array.type.value_type))
    return array


def stack(
    table: pa.Table,
    columns: Sequence[str],
    index: Sequence[str],
    labels: pa.Array,
    names: tuple[str, str],
    kind: pa.DataType,
) -> pa.Table:
    """Return a row for each value of `columns`, row by row.

    Parameters
    ----------
    table : pyarrow.Table
    columns : sequence of str
        Columns of values.
    index : sequence of str
        Columns that are repeated.
    labels : pyarrow.Array
        One for each of `columns`.
    names : tuple of str
        Columns of the result that hold the values and the labels.
    kind : pyarrow.DataType
        Of the values.

    Returns
    -------
    pyarrow.Table

    Examples
    --------
    >>> table = pa.table({"x": [1, 2], "y": [3, 4], "i": ["a", "b"]})
    >>> stack(table, ["x", "y"], ["i"], pa.array(["x", "y"]), ("v", "l"), pa.int64()).to_pydict()
    {'v': [1, 3, 2, 4], 'i': ['a', 'a', 'b', 'b'], 'l': ['x', 'y', 'x', 'y']}
    """
    rows, width = table.num_rows, len(columns)
    parts = [_plain(single_chunk(table[name]), kind) for name in columns]
    below = single_chunk(pa.chunked_array(parts, type=kind))
    places = (np.arange(rows)[:, None] + np.arange(width) * rows).ravel()
    values = below.take(pa.array(places))
    repeated = take_rows(table.select(list(index)), np.repeat(np.arange(rows), width))
    arrays = [values, *(single_chunk(column) for column in repeated.columns)]
    arrays.append(labels.take(pa.array(np.tile(np.arange(width), rows))))
    return pa.Table.from_arrays(arrays, names=[names[0], *index, names[1]])


def _plain(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(kind, safe=False)


def distinct_rows(columns: Sequence[str], most: int, purpose: str, table: pa.Table) -> pa.Table:
    """Return the distinct rows of `columns` of a block, of which there may be `most`.

    Raises
    ------
    UnsupportedError
        When there are more.
    """
    table = table.select(list(columns))
    if not table.num_rows:
        return table
    first = group_codes(table.columns).first
    if len(first) > most:
        raise UnsupportedError(
            f"{purpose}: {', '.join(columns)} would become more than {most:,} columns; keep fewer "
            "values (filter, cut, or group rare ones together), or leave the result in rows "
            "(groupby)"
        )
    return take_rows(table, np.sort(first))


def pivot(
    table: pa.Table,
    index: Sequence[str],
    keys: Sequence[str],
    combinations: pa.Table,
    cells: Sequence[Cell],
    *,
    absent: Any = None,
    missing: Any = None,
    na_position: str = "last",
) -> pa.Table:
    """Return one row for each distinct `index`, with a column for each cell.

    Parameters
    ----------
    table : pyarrow.Table
        All rows of each of its distinct `index`.
    index, keys : sequence of str
        Columns that tell the row, and the place in the row.
    combinations : pyarrow.Table
        The distinct `keys`; cells name them by number.
    cells : sequence of (str, int, str)
        Column of the values, number of the combination, column of the result.
    absent : optional
        Value of cells that have no row.
    missing : optional
        Value of all cells that have none.
    na_position : {"last", "first"}
        Of rows whose `index` is missing.

    Returns
    -------
    pyarrow.Table
        Rows sorted by `index`.

    Raises
    ------
    ValueError
        When two rows would share a cell.

    Examples
    --------
    >>> table = pa.table({"i": [2, 1, 1], "k": ["a", "a", "b"], "v": [5, 6, 7]})
    >>> pivot(
    ...     table, ["i"], ["k"], pa.table({"k": ["a", "b"]}), [("v", 0, "a"), ("v", 1, "b")]
    ... ).to_pydict()
    {'i': [1, 2], 'a': [6, 5], 'b': [7, None]}
    """
    numbers = _combination_numbers(table.select(list(keys)), combinations)
    groups = group_codes([table[name] for name in index])
    rows = len(numbers)
    pairs = groups.codes.astype(np.int64) * (combinations.num_rows + 1) + numbers
    if len(np.unique(pairs)) != rows:
        raise ValueError(
            "Index contains duplicate entries, cannot reshape: several rows have the same "
            f"{', '.join((*index, *keys))}; use pivot_table or groupby to aggregate them"
        )
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(combinations.num_rows + 1))
    result = take_rows(table.select(list(index)), groups.first)
    for source, number, name in cells:
        chosen = order[bounds[number] : bounds[number + 1]]
        places = np.zeros(groups.ngroups, np.int64)
        empty = np.ones(groups.ngroups, bool)
        places[groups.codes[chosen]] = chosen
        empty[groups.codes[chosen]] = False
        values = single_chunk(table[source]).take(pa.array(places, mask=empty))
        if absent is not None and empty.any():
            filling = pa.scalar(absent)
            if pa.types.is_integer(values.type) and pa.types.is_floating(filling.type):
                values = values.cast(pa.float64(), safe=False)
            values = pc.if_else(pa.array(empty), filling.cast(values.type), values)
        if missing is not None and values.null_count:
            values = pc.fill_null(values, pa.scalar(missing).cast(values.type))
        result = result.append_column(pa.field(name, values.type), values)
    return sort_table(result, list(index), True, na_position)


def _combination_numbers(keys: pa.Table, combinations: pa.Table) -> np.ndarray:
    """Return the number of each row's combination; rows of none come after the last."""
    known = combinations.num_rows
    together = concat_tables([combinations, keys]) if keys.num_rows else combinations
    groups = group_codes(together.columns)
    numbers = np.full(groups.ngroups, known, np.int64)
    numbers[groups.codes[:known]] = np.arange(known)
    return numbers[groups.codes[known:]]

"""Distinct rows: drop_duplicates, value_counts, nunique and mode of a block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.groupby_codes import (
    drop_missing_keys,
    group_codes,
    hardly_repeats,
    plain_values,
)
from penstock.engine.kernels.partition import take_rows
from penstock.engine.kernels.sort import sort_table
from penstock.errors import UnsupportedError, column_not_found


def duplicated(
    table: pa.Table, subset: Sequence[str] | None = None, keep: str | bool = "first"
) -> np.ndarray:
    """Return which rows repeat another, as `pandas.DataFrame.duplicated` does.

    Parameters
    ----------
    table
        A block.
    subset
        Columns to compare; all of them by default.
    keep
        The one of equal rows that is no duplicate: ``"first"``, ``"last"``, or False for none.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    ColumnNotFoundError
        `subset` names a column that is not there.

    Examples
    --------
    >>> import pyarrow as pa
    >>> duplicated(pa.table({"x": [1, 2, 1]})).tolist()
    [False, False, True]
    """
    if keep not in ("first", "last", False):
        raise UnsupportedError(f"keep={keep!r}: must be 'first', 'last' or False")
    names = list(table.column_names if subset is None else subset)
    for name in names:
        if name not in table.column_names:
            raise column_not_found(name, table.column_names)
    nrows = table.num_rows
    if not names or nrows == 0:
        return np.zeros(nrows, bool)
    groups = group_codes([table[name] for name in names])
    if groups.ngroups == nrows:
        return np.zeros(nrows, bool)
    if keep is False:
        return np.bincount(groups.codes).take(groups.codes) > 1
    result = np.ones(nrows, bool)
    if keep == "first":
        result[groups.first] = False
    else:
        last = np.empty(groups.ngroups, np.int64)
        last[groups.codes] = np.arange(nrows)  # of equal indices the last assignment stays
        result[last] = False
    return result


def drop_duplicates(
    table: pa.Table,
    subset: Sequence[str] | None = None,
    keep: str | bool = "first",
    *,
    where_it_pays: bool = False,
) -> pa.Table:
    """Return the rows that are no duplicates, in their old order; see `duplicated`.

    With `where_it_pays`, all rows where a sample says that most would be left.

    Duplicates in other blocks are found by applying it again to what is left of all blocks;
    with ``keep=False`` that needs all rows of a key in one block.

    Examples
    --------
    >>> import pyarrow as pa
    >>> drop_duplicates(pa.table({"x": [1, 2, 1]}), keep="last")["x"].to_pylist()
    [2, 1]
    """
    names = table.column_names if subset is None else subset
    if where_it_pays and hardly_repeats([single_chunk(table[name]) for name in names]):
        return table
    mask = duplicated(table, subset, keep)
    return take_rows(table, np.flatnonzero(~mask)) if mask.any() else table


def distinct(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the distinct values in order of first appearance; missing is one of them."""
    array = single_chunk(column)
    if len(array) == 0:
        return array
    return array.take(pa.array(group_codes([array]).first))


def count_distinct(column: pa.Array | pa.ChunkedArray) -> int:
    """Return the number of distinct values; missing is one of them.

    Integers, and what is compared as integers, are sorted: 6 ns a row, however many they are.

    Examples
    --------
    >>> import pyarrow as pa
    >>> count_distinct(pa.array([3, 1, None, 3]))
    3
    """
    array = plain_values(column)
    if not pa.types.is_integer(array.type):
        return group_codes([array]).ngroups
    values = np.sort(array.drop_null().to_numpy())
    count = int(np.count_nonzero(values[1:] != values[:-1])) + (1 if len(values) else 0)
    return count + (1 if array.null_count else 0)


def value_counts(
    table: pa.Table,
    columns: str | Sequence[str],
    dropna: bool = True,
    *,
    count: str = "count",
    weights: str | None = None,
) -> pa.Table:
    """Count the rows of each distinct value, in order of first appearance.

    Parameters
    ----------
    table
        A block.
    columns
        Column or columns.
    dropna
        Leave missing values out.
    count
        Name of the resulting column.
    weights
        Column of counts to add up instead of ones: combines the results of several blocks.

    Returns
    -------
    pyarrow.Table
        `columns` and `count`. pandas sorts by falling count, ties in order of appearance:
        ``sort_table(result, [count], False)``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> value_counts(pa.table({"x": ["b", "a", "b"]}), "x").to_pydict()
    {'x': ['b', 'a'], 'count': [2, 1]}
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    for name in names:
        if name not in table.column_names:
            raise column_not_found(name, table.column_names)
    if dropna:
        table = drop_missing_keys(table, names)
    groups = group_codes([table[name] for name in names])
    if weights is None:
        totals = np.bincount(groups.codes, minlength=groups.ngroups)
    else:
        totals = np.zeros(groups.ngroups, np.int64)
        np.add.at(totals, groups.codes, single_chunk(table[weights]).to_numpy())
    rows = take_rows(table.select(names), groups.first)
    return rows.append_column(pa.field(count, pa.int64()), pa.array(totals, pa.int64()))


def mode(column: pa.Array | pa.ChunkedArray, dropna: bool = True) -> pa.Array:
    """Return the most frequent values in sorted order, as `pandas.Series.mode` does.

    Examples
    --------
    >>> import pyarrow as pa
    >>> mode(pa.array([3, 1, 3, 1, 2])).to_pylist()
    [1, 3]
    """
    counts = value_counts(pa.table({"value": single_chunk(column)}), "value", dropna)
    return most_frequent(counts, "value")


def most_frequent(counts: pa.Table, value: str, *, count: str = "count") -> pa.Array:
    """Return the values with the highest count of a `value_counts` result, sorted."""
    if counts.num_rows == 0:
        return single_chunk(counts[value])
    totals = single_chunk(counts[count]).to_numpy()
    rows = take_rows(counts, np.flatnonzero(totals == totals.max()))
    # where pandas puts the missing one: categories sort by codes, and its code is -1
    na_position = "first" if pa.types.is_dictionary(rows[value].type) else "last"
    return single_chunk(sort_table(rows, [value], True, na_position)[value])

"""As-of join of two blocks: for each left row the nearest right row, by an ordered key.

The search itself is pandas', on the key columns and row numbers alone; rows are then
taken from the Arrow tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.convert import series_from_arrow
from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.kernels.partition import take_rows
from penstock.records import record

_ROW = "__row__"


@record
class AsofKeys:
    """What an as-of join looks at.

    Attributes
    ----------
    left_on, right_on : str
        The ordered keys.
    left_by, right_by : tuple of str
        Columns that must be equal.
    options : dict
        ``tolerance``, ``allow_exact_matches`` and ``direction`` of `pandas.merge_asof`.
    """

    left_on: str
    right_on: str
    left_by: tuple[str, ...] = ()
    right_by: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def nearest_rows(left: pa.Table, right: pa.Table, keys: AsofKeys) -> np.ndarray:
    """Return for each left row the number of the right row that it meets, or -1.

    Parameters
    ----------
    left, right : pyarrow.Table
        Sorted by their keys.
    keys : AsofKeys

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> left, right = pa.table({"t": [1, 5, 9]}), pa.table({"t": [2, 5]})
    >>> nearest_rows(left, right, AsofKeys("t", "t")).tolist()
    [-1, 1, 1]
    """
    import pandas as pd

    if not left.num_rows or not right.num_rows:
        return np.full(left.num_rows, -1, np.int64)
    ours: dict[str, Any] = {"key": series_from_arrow(left[keys.left_on])}
    theirs: dict[str, Any] = {"key": series_from_arrow(right[keys.right_on])}
    by = None
    if keys.left_by:
        # one number for each group, the same on both sides: columns may differ in dictionaries
        renamed = right.select(list(keys.right_by)).rename_columns(list(keys.left_by))
        together = concat_tables([left.select(list(keys.left_by)), renamed])
        codes = group_codes(together.columns).codes.astype(np.int64)
        ours["by"], theirs["by"] = codes[: left.num_rows], codes[left.num_rows :]
        by = "by"
    theirs[_ROW] = np.arange(right.num_rows, dtype=np.int64)
    found = pd.merge_asof(
        pd.DataFrame(ours), pd.DataFrame(theirs), on="key", by=by, **keys.options
    )[_ROW]
    return found.fillna(-1).to_numpy().astype(np.int64)


def join_asof(
    left: pa.Table,
    right: pa.Table,
    keys: AsofKeys,
    left_columns: Sequence[tuple[str, str]],
    right_columns: Sequence[tuple[str, str]],
) -> pa.Table:
    """Return the left rows with the columns of the right rows that they meet.

    Parameters
    ----------
    left, right : pyarrow.Table
        Sorted by their keys.
    keys : AsofKeys
    left_columns, right_columns : sequence of (str, str)
        Columns of either side and their names in the result.

    Returns
    -------
    pyarrow.Table

    Examples
    --------
    >>> left, right = pa.table({"t": [1, 5]}), pa.table({"t": [2, 5], "v": ["a", "b"]})
    >>> join_asof(left, right, AsofKeys("t", "t"), [("t", "t")], [("v", "v")]).to_pydict()
    {'t': [1, 5], 'v': [None, 'b']}
    """
    rows = nearest_rows(left, right, keys)
    indices = pa.array(np.maximum(rows, 0), mask=rows < 0)
    arrays = [single_chunk(left[source]) for source, _ in left_columns]
    names = [name for _, name in (*left_columns, *right_columns)]
    for source, _ in right_columns:
        column = single_chunk(right[source])
        arrays.append(column.take(indices) if right.num_rows else _missing(column, len(rows)))
    return pa.Table.from_arrays(arrays, names=names)


def _missing(column: pa.Array, rows: int) -> pa.Array:
    if not pa.types.is_dictionary(column.type):
        return pa.nulls(rows, column.type)
    codes = pa.nulls(rows, column.type.index_type)
    return pa.DictionaryArray.from_arrays(codes, column.dictionary, ordered=column.type.ordered)


def edge_rows(table: pa.Table, by: Sequence[str], *, last: bool) -> pa.Table:
    """Return the last (or first) row of each group of `by`, in order; one row without `by`.

    Examples
    --------
    >>> table = pa.table({"k": ["a", "b", "a"], "t": [1, 2, 3]})
    >>> edge_rows(table, ["k"], last=True)["t"].to_pylist()
    [2, 3]
    """
    if not table.num_rows:
        return table
    if not by:
        return take_rows(table, np.array([table.num_rows - 1 if last else 0]))
    groups = group_codes([table[name] for name in by])
    if not last:
        return take_rows(table, np.sort(groups.first))
    latest = np.empty(groups.ngroups, np.int64)
    latest[groups.codes] = np.arange(table.num_rows)  # of equal indices the last stays
    return take_rows(table, np.sort(latest))


def within(table: pa.Table, key: str, tolerance: Any, *, last: bool) -> pa.Table:
    """Return the rows whose `key` is no further than `tolerance` from the last (or first) one.

    Examples
    --------
    >>> within(pa.table({"t": [1, 5, 9]}), "t", 4, last=True)["t"].to_pylist()
    [5, 9]
    """
    if not table.num_rows:
        return table
    values = series_from_arrow(table[key])
    if last:
        near = values >= values.iloc[-1] - tolerance
    else:
        near = values <= values.iloc[0] + tolerance
    return table.filter(pa.array(near.to_numpy()))


def sorted_span(key: str, side: str, table: pa.Table) -> tuple[Any, Any] | None:
    """Return the first and last key of a block, None of an empty one.

    Raises
    ------
    ValueError
        When the keys are not sorted, or some are missing.
    """
    column = single_chunk(table[key])
    if not len(column):
        return None
    if column.null_count:
        raise ValueError(f"Merge keys contain null values on {side} side: column {key!r}")
    if not series_from_arrow(column).is_monotonic_increasing:
        raise _unsorted(key, side)
    return column[0].as_py(), column[-1].as_py()


def joined_spans(
    key: str, side: str, spans: Sequence[tuple[Any, Any] | None]
) -> tuple[Any, Any] | None:
    """Return the span of neighbouring blocks together.

    Raises
    ------
    ValueError
        When a block begins before the one before it ends.

    Examples
    --------
    >>> joined_spans("t", "left", [(1, 2), None, (2, 5)])
    (1, 5)
    """
    found = [span for span in spans if span is not None]
    for before, after in itertools.pairwise(found):
        if after[0] < before[1]:
            raise _unsorted(key, side)
    return (found[0][0], found[-1][1]) if found else None


def _unsorted(key: str, side: str) -> ValueError:
    return ValueError(f"{side} keys must be sorted: sort_values({key!r}) before merge_asof")

"""Sorting a block exactly as pandas does: stable, -0.0 equal to 0.0, missing first or last.

`np.argsort` without ``kind="stable"`` takes 16 ns a row on doubles (SIMD), stable 95,
`pyarrow.compute.sort_indices` 100. So values are sorted unstably and ties put in row order
afterwards: the number of the run of ties and the row make one integer, and sorting those (8 ns)
is stable. Several keys become one integer from their dense ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import single_chunk
from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.packed import packed_sort
from penstock.engine.kernels.partition import take_rows
from penstock.errors import SchemaError, UnsupportedError, column_not_found


def sort_table(
    table: pa.Table,
    by: Sequence[str],
    ascending: bool | Sequence[bool] = True,
    na_position: str = "last",
) -> pa.Table:
    """Return the rows of `table` sorted by columns, ties in their old order.

    Parameters
    ----------
    table
        A block.
    by
        Columns, the most significant first.
    ascending
        One flag, or one per column.
    na_position
        ``"first"`` or ``"last"``, whatever the direction.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ColumnNotFoundError
        A name is not a column.
    SchemaError
        A column's type has no order.

    Examples
    --------
    >>> import pyarrow as pa
    >>> sort_table(pa.table({"x": [2, None, 1]}), ["x"])["x"].to_pylist()
    [1, 2, None]
    """
    rows = sort_indices(table, by, ascending, na_position)
    return table if _is_identity(rows) else take_rows(table, rows)


def _is_identity(rows: np.ndarray) -> bool:
    return bool((rows[1:] > rows[:-1]).all())


def merge_sorted(
    tables: Sequence[pa.Table],
    by: Sequence[str],
    ascending: bool | Sequence[bool] = True,
    na_position: str = "last",
) -> pa.Table:
    """Return the rows of sorted tables as one sorted table; ties in the order of `tables`.

    Sorting the concatenation anew costs less (16-40 ns a row) than a merge in Python could.
    """
    return sort_table(pa.concat_tables(tables), by, ascending, na_position)


def top_n(
    table: pa.Table,
    by: Sequence[str],
    n: int,
    ascending: bool | Sequence[bool] = False,
    keep: str = "first",
) -> pa.Table:
    """Return the `n` largest (or smallest) rows, as pandas' ``nlargest`` and ``nsmallest``.

    For many blocks, give it the concatenated `top_candidates` of each.

    Parameters
    ----------
    table
        A block.
    by
        Columns to compare, the most significant first. Missing values come last.
    n
        Rows wanted.
    ascending
        True for the smallest.
    keep
        Which of equal rows: ``"first"``, ``"last"``, or ``"all"`` (even if more than `n`).

    Returns
    -------
    pyarrow.Table
        Sorted rows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> top_n(pa.table({"x": [1, 3, 2]}), ["x"], 2)["x"].to_pylist()
    [3, 2]
    """
    # pandas looks at `keep` only where there is something to leave out.
    if keep == "last" and table.num_rows > n > 0:
        return _last_kept(table, by, n, ascending)
    kept = take_rows(table, _top_rows(table, by, n, ascending, keep))
    return take_rows(kept, sort_indices(kept, by, ascending))


def _last_kept(
    table: pa.Table, by: Sequence[str], n: int, ascending: bool | Sequence[bool]
) -> pa.Table:
    """Return the `n` first rows, of equal ones the last, in pandas' order.

    Equal rows come in reverse where a choice among them was made: with several columns, where
    the row left out differs from the last one kept in no more than the last column.
    """
    backwards = take_rows(table, _top_rows(table, by, n + 1, ascending, "last")[::-1])
    backwards = take_rows(backwards, sort_indices(backwards, by, ascending))
    if len(by) == 1:
        return backwards.slice(0, n)
    keys = [single_chunk(backwards[name]) for name in by]
    flags = [True] * len(by)
    groups = composite_ranks(keys[:-1], flags[:-1], "last")[0]
    rows = np.arange(n)
    forwards = groups[:n] != groups[n]
    ranks = composite_ranks([key.slice(0, n) for key in keys], flags, "last")[0]
    # backwards, equal rows are neighbours, the last one first
    starts = np.flatnonzero(np.append(True, ranks[1:] != ranks[:-1]))
    ends = np.append(starts[1:], n) - 1
    lengths = ends - starts + 1
    mirrored = np.repeat(starts + ends, lengths) - rows
    return take_rows(backwards, np.where(forwards, mirrored, rows))


def top_candidates(
    table: pa.Table,
    by: Sequence[str],
    n: int,
    ascending: bool | Sequence[bool] = False,
    keep: str = "first",
) -> pa.Table:
    """Return the rows of a block that may be among the `n` first of all, in their old order.

    They are one more than `n`, so that `top_n` knows whether any was left out.
    """
    if n <= 0:
        return take_rows(table, np.empty(0, np.int64))
    return take_rows(table, _top_rows(table, by, n + 1, ascending, keep))


def _top_rows(
    table: pa.Table, by: Sequence[str], n: int, ascending: bool | Sequence[bool], keep: str
) -> np.ndarray:
    """Return the `n` first rows, ascending; of equal ones those that `keep` says."""
    if keep not in ("first", "last", "all"):
        raise UnsupportedError(f"keep={keep!r}: must be 'first', 'last' or 'all'")
    for name in by:
        if name not in table.schema.names:
            raise column_not_found(name, table.schema.names)
    if n <= 0 or table.num_rows == 0:
        return np.empty(0, np.int64)
    flags = [ascending] * len(by) if isinstance(ascending, bool) else list(ascending)
    rows = _candidates(table, by, n, flags[0])
    if rows is None:
        rows = np.arange(table.num_rows)
    if len(rows) <= n:
        return rows
    if keep == "last":
        rows = rows[::-1]
    kept = take_rows(table.select(list(dict.fromkeys(by))), rows)
    order = sort_indices(kept, by, flags)
    end = n
    if keep == "all":
        codes, _ = composite_ranks([single_chunk(kept[name]) for name in by], flags, "last")
        end = int(np.searchsorted(codes[order], codes[order[n - 1]], side="right"))
    return np.sort(rows[order[:end]])


def _candidates(table: pa.Table, by: Sequence[str], n: int, ascending: bool) -> np.ndarray | None:
    """Return the rows that the first column alone does not rule out, None for all."""
    array = single_chunk(table[by[0]])
    number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if not (number or pa.types.is_temporal(array.type)):
        return None
    if n * 4 >= len(array) - array.null_count:
        return None
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    values = sort_values(array.drop_null())
    place = n - 1 if ascending else len(values) - n
    bound = np.partition(values, place)[place]
    hit = values <= bound if ascending else values >= bound
    if valid is None:
        return np.flatnonzero(hit)
    return np.flatnonzero(valid)[hit]


def sort_indices(
    table: pa.Table,
    by: Sequence[str],
    ascending: bool | Sequence[bool] = True,
    na_position: str = "last",
) -> np.ndarray:
    """Return the rows of `table` in sorted order; see `sort_table`."""
    flags = [ascending] * len(by) if isinstance(ascending, bool) else list(ascending)
    if len(flags) != len(by):
        raise SchemaError(f"ascending has {len(flags)} flags for {len(by)} columns")
    for name in by:
        if name not in table.schema.names:
            raise column_not_found(name, table.schema.names)
    if table.num_rows == 0 or not by:
        return np.arange(table.num_rows)
    columns = [single_chunk(table[name]) for name in by]
    if len(columns) == 1:
        return _sort_one(columns[0], flags[0], na_position)
    codes, _ = composite_ranks(columns, flags, na_position)
    return stable_order(codes)


def composite_ranks(
    columns: Sequence[pa.Array], ascending: Sequence[bool], na_position: str
) -> tuple[np.ndarray, int]:
    """Return one integer per row that sorts as the columns together do, and its bound."""
    codes, bound = _ranks(columns[0], ascending[0], na_position)
    for column, flag in zip(columns[1:], ascending[1:], strict=True):
        other, size = _ranks(column, flag, na_position)
        codes = codes * size + other
        bound *= size
        if bound > 1 << 31:
            codes, bound = dense_ranks(codes)
    return codes, bound


def stable_order(values: np.ndarray) -> np.ndarray:
    """Return the stable argsort of a NumPy array without NaN."""
    n = len(values)
    if n < 2 or (values[1:] >= values[:-1]).all():
        return np.arange(n)
    if values.dtype.kind in "iub":
        if values.dtype.itemsize <= 2:
            return np.argsort(values, kind="stable")
        low, high = int(values.min()), int(values.max())
        if high - low < 1 << 16:
            return np.argsort((values - low).astype(np.uint16), kind="stable")
        in_order = packed_sort(values)
        if in_order is not None:
            return in_order[1]
    order = np.argsort(values)
    run = _runs(values[order])
    if run[-1] == n - 1:
        return order
    # Ties: the run and the row as one integer sort into stable order.
    return np.sort(run * n + order) - run * n


def _runs(ordered: np.ndarray) -> np.ndarray:
    """Number the runs of equal values."""
    run = np.empty(len(ordered), np.int64)
    run[0] = 0
    np.cumsum(ordered[1:] != ordered[:-1], out=run[1:])
    return run


def dense_ranks(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the dense rank of every value, and their number."""
    if len(values) == 0:
        return np.empty(0, np.int64), 0
    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        if high - low < max(1 << 16, 2 * len(values)):
            offset = values.astype(np.int64) - low if high < 1 << 63 else values - np.uint64(low)
            present = np.zeros(high - low + 1, np.int64)
            present[offset] = 1
            rank = np.cumsum(present) - 1
            return rank[offset], int(rank[-1]) + 1
    order = np.argsort(values)
    run = _runs(values[order])
    ranks = np.empty(len(values), np.int64)
    ranks[order] = run
    return ranks, int(run[-1]) + 1


def sort_values(array: pa.Array) -> np.ndarray:
    """Return NumPy values that sort as `array` does (which has no nulls)."""
    kind = array.type
    types = pa.types
    if types.is_dictionary(kind):
        # pandas sorts categories in the order of the categories, ordered or not.
        return array.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if types.is_boolean(kind):
        return array.cast(pa.uint8()).to_numpy()
    if types.is_float16(kind):
        return array.cast(pa.float32()).to_numpy()
    if types.is_timestamp(kind) or types.is_duration(kind) or types.is_time64(kind):
        return array.view(pa.int64()).to_numpy()
    if types.is_date32(kind) or types.is_time32(kind):
        return array.view(pa.int32()).to_numpy()
    if types.is_date64(kind):
        return array.view(pa.int64()).to_numpy()
    if types.is_integer(kind) or types.is_floating(kind):
        return array.to_numpy()
    if types.is_null(kind):
        return np.zeros(len(array), np.int8)
    if (
        is_text(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_decimal(kind)
    ):
        encoded = array.dictionary_encode()
        order = pc.sort_indices(encoded.dictionary).to_numpy()
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return rank[encoded.indices.to_numpy()]
    raise SchemaError(f"a column of type {kind} cannot be sorted: its values have no order")


def _sort_one(array: pa.Array, ascending: bool, na_position: str) -> np.ndarray:
    if not array.null_count:
        return _directed(sort_values(array), ascending)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    rows, missing = np.flatnonzero(valid), np.flatnonzero(~valid)
    order = rows[_directed(sort_values(array.drop_null()), ascending)]
    return np.concatenate((missing, order) if na_position == "first" else (order, missing))


def _directed(values: np.ndarray, ascending: bool) -> np.ndarray:
    if ascending:
        return stable_order(values)
    return stable_order(-values if values.dtype.kind == "f" else ~values)


def _ranks(array: pa.Array, ascending: bool, na_position: str) -> tuple[np.ndarray, int]:
    """Return dense ranks in the wanted direction, with missing values first or last."""
    if not array.null_count:
        ranks, size = dense_ranks(sort_values(array))
        return (ranks if ascending else size - 1 - ranks), size
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    ranks, size = dense_ranks(sort_values(array.drop_null()))
    if not ascending:
        ranks = size - 1 - ranks
    first = na_position == "first"
    full = np.full(len(array), 0 if first else size, np.int64)
    full[valid] = ranks + 1 if first else ranks
    return full, size + 1

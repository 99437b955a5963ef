"""Row keys as integers: the factorisation that groupby, join and dedupe share.

`group_codes` numbers the distinct rows of some key columns in order of first appearance,
which is pandas' ``sort=False`` order. Missing values are one value of their own.

Floats are viewed as integers first: Arrow's grouper hashes doubles badly (291 ns a row for
265 keys against 5 ns for the same keys as int64; 3,100 ns against 50 ns for 900,000 keys).

Keys that are mostly distinct are sorted (9 ns a row for the first rows, 18 with the codes, of
1 M rows) where Arrow's hash table no longer fits the cache (64-71 ns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import single_chunk, to_arrow
from penstock.engine.kernels.missing import null_mask, raw_values
from penstock.engine.kernels.packed import distances, packed_sort, run_starts
from penstock.engine.kernels.slots import number_by_slot

_SAMPLED = 1 << 12
_DRAWN = 1 << 14
_WORD = 63


class GroupCodes:
    """The group number of every row, and the first row of every group.

    Parameters
    ----------
    first
        The first row of every group.
    number
        Gives the group of every row, when it is asked for.
    """

    def __init__(self, first: np.ndarray, number: Callable[[], np.ndarray]) -> None:
        self.first = first
        self._number = number

    @cached_property
    def codes(self) -> np.ndarray:
        """The group of every row."""
        return self._number()

    @property
    def ngroups(self) -> int:
        """Number of groups."""
        return len(self.first)


def plain_values(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return `column` as an array that hashes fast and whose equality is pandas' equality.

    Floats become the int64 (or int32) with the same bits, -0.0 as 0.0 and NaN as null;
    dictionaries become their indices; durations become int64.
    """
    array = single_chunk(column)
    kind = array.type
    if pa.types.is_dictionary(kind):
        if array.dictionary.null_count:
            array = array.dictionary_decode()
            return array.dictionary_encode().indices
        return array.indices
    if pa.types.is_float16(kind):
        array, kind = array.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        bits = pa.int64() if pa.types.is_float64(kind) else pa.int32()
        values = raw_values(array) + kind.to_pandas_dtype()(0)
        missing = np.isnan(values)
        if array.null_count:
            missing |= null_mask(array)
        mask = missing if missing.any() else None
        return to_arrow(values.view(bits.to_pandas_dtype()), mask)
    if pa.types.is_duration(kind):
        return array.view(pa.int64())
    if pa.types.is_null(kind):
        return array.cast(pa.int8())
    return array


def _factorize(array: pa.Array) -> tuple[np.ndarray, int]:
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    encoded = array.dictionary_encode(null_encoding="encode")
    return raw_values(encoded.indices), len(encoded.dictionary)


def group_codes(
    columns: Sequence[pa.Array | pa.ChunkedArray], *, by_key: bool = False
) -> GroupCodes:
    """Number the distinct rows of `columns` in order of first appearance.

    Parameters
    ----------
    columns
        Key columns of equal length, at least one.
    by_key
        Groups may be numbered in the order of their keys, where that is less work.

    Returns
    -------
    GroupCodes
        Codes from 0, and the first row of each.

    Examples
    --------
    >>> import pyarrow as pa
    >>> group_codes([pa.array(["b", "a", "b"])]).codes.tolist()
    [0, 1, 0]
    """
    arrays = [plain_values(column) for column in columns]
    return _slot_codes(arrays) or _sorted_codes(arrays, by_key) or _hashed_codes(arrays)


def repeated_codes(columns: Sequence[pa.Array]) -> GroupCodes | None:
    """Number the distinct rows of `columns`, or return None where most rows would be left.

    Whether they would be is told by a sample.
    """
    arrays = [plain_values(column) for column in columns]
    groups = _slot_codes(arrays)
    if groups is None and not hardly_repeats(columns):
        groups = _sorted_codes(arrays, by_key=False) or _hashed_codes(arrays)
    return groups


def _slot_codes(arrays: Sequence[pa.Array]) -> GroupCodes | None:
    found = number_by_slot(arrays)
    return None if found is None else GroupCodes(*found)


def _hashed_codes(arrays: Sequence[pa.Array]) -> GroupCodes:
    codes, n = _factorize(arrays[0])
    for array in arrays[1:]:
        other, m = _factorize(array)
        # Both factors are below 2**31 (dictionary indices are int32), so this cannot overflow.
        pair = codes.astype(np.int64) * m + other
        codes, n = _factorize(to_arrow(pair))
    return GroupCodes(first_rows(codes, n), lambda: codes)


def mostly_distinct(values: np.ndarray) -> bool:
    """Return whether a sample of integers repeats so little that there must be many of them."""
    sample = values[:: max(1, len(values) // _SAMPLED)][:_SAMPLED]
    # 4096 draws from 65,000 values meet in 3 of 100
    return len(sample) >= _SAMPLED // 2 and len(np.unique(sample)) > 0.97 * len(sample)


def hardly_repeats(columns: Sequence[pa.Array]) -> bool:
    """Return whether grouping rows by `columns` would leave most of them, by a sample.

    Drawing m of n rows from k keys gives about m * m / 2k that were drawn before; more than
    four fifths of the rows are left where k is above 2n.
    """
    nrows = len(columns[0])
    drawn = min(_DRAWN, nrows // 4)
    if drawn < _SAMPLED:
        return False
    rows = to_arrow(np.arange(drawn) * (nrows // drawn))
    sample = [plain_values(column.take(rows)) for column in columns]
    words = one_word(sample)
    found = group_codes(sample).ngroups if words is None else len(np.unique(words))
    return drawn - found <= drawn * drawn // (4 * nrows)


def _sorted_codes(arrays: Sequence[pa.Array], by_key: bool) -> GroupCodes | None:
    """Number rows by sorting keys of integers, when there are many different ones."""
    keys = one_word(arrays)
    if keys is None or not mostly_distinct(keys):
        return None
    in_order = packed_sort(keys)
    if in_order is None:
        return None
    ordered, rows = in_order
    starts = run_starts(ordered)
    leaders = rows.take(starts)

    def number(of_runs: np.ndarray) -> np.ndarray:
        codes = np.empty(len(rows), np.int64)
        codes[rows] = np.repeat(of_runs, np.diff(starts, append=len(rows)))
        return codes

    if by_key:
        return GroupCodes(leaders, lambda: number(np.arange(len(starts))))
    leads = np.zeros(len(rows), bool)
    leads[leaders] = True
    return GroupCodes(np.flatnonzero(leads), lambda: number((np.cumsum(leads) - 1).take(leaders)))


def one_word(arrays: Sequence[pa.Array]) -> np.ndarray | None:
    """Return one integer per row that is equal where all of some integers are.

    None when the columns are no integers, or their ranges too wide for it. A missing value is
    a value of its own.
    """
    words: np.ndarray | None = None
    size = 1
    for array in arrays:
        if not pa.types.is_integer(array.type) or not len(array):
            return None
        bounds = pc.min_max(array)
        least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
        if least is None:
            continue
        span = greatest - least + 2
        size *= span
        if size.bit_length() > _WORD:
            return None
        values = distances(raw_values(array), least)
        if array.null_count:
            values[null_mask(array)] = span - 1
        if words is None:
            words = values
        else:
            words *= span
            words += values
    return words


def first_rows(codes: np.ndarray, n: int) -> np.ndarray:
    """Return the first row of each of `n` codes numbered in order of appearance."""
    if n == 0:
        return np.empty(0, np.int64)
    running = np.maximum.accumulate(codes)
    new = np.empty(len(codes), bool)
    new[0] = True
    np.greater(running[1:], running[:-1], out=new[1:])
    return np.flatnonzero(new)


def drop_missing_keys(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return `table` without the rows in which one of `keys` is missing."""
    mask = None
    for key in keys:
        column = single_chunk(table[key])
        missing = column.null_count or (
            pa.types.is_dictionary(column.type) and column.dictionary.null_count
        )
        if missing:
            valid = pc.is_valid(
                column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            )
            mask = valid if mask is None else pc.and_(mask, valid)
    return table if mask is None else filter_rows(table, mask)


def filter_rows(table: pa.Table, mask: pa.Array | np.ndarray) -> pa.Table:
    """Return the rows of `table` where `mask` holds, one chunk per column.

    `pyarrow.Table.filter` gives no chunk, and so no dictionary, where no row is left.
    """
    mask = single_chunk(mask) if isinstance(mask, pa.ChunkedArray) else pa.array(mask)
    columns = [single_chunk(column).filter(mask) for column in table.columns]
    if not columns:
        return table.filter(mask)
    return pa.Table.from_arrays(columns, schema=table.schema)

"""Groups of integer keys of small ranges, through a table with a slot for every possible key.

Sums and counts of groups whose rows are numbered come from the same module.

Three keys of a few hundred values take 3 ns a row with the extension module ``_slots``, 7 with
NumPy where it was not built, and 40 by hashing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.missing import null_mask, raw_values
from penstock.records import record

try:
    from penstock.engine.kernels import _slots
except ImportError:  # no compiler where Penstock was installed
    HAS_EXTENSION = False
else:
    HAS_EXTENSION = True

_MOST_SLOTS = 1 << 20
_MOST_COLUMNS = 64
_KINDS = {1: "bB", 2: "hH", 4: "iI", 8: "lL"}
_WORD = (1 << 64) - 1
_SUMMED = {np.dtype(np.float64): "d", np.dtype(np.int64): "l"}


@record
class _Range:
    """A key column and its values: `span` of them from `least`, and one more for missing keys."""

    array: pa.Array
    least: int
    span: int


def number_by_slot(
    arrays: Sequence[pa.Array],
) -> tuple[np.ndarray, Callable[[], np.ndarray]] | None:
    """Number rows by keys that together have few possible values.

    Parameters
    ----------
    arrays
        Key columns of equal length, at least one.

    Returns
    -------
    (ndarray of int64, callable) or None
        The first row of every group, in order, and what gives the group of every row. None when
        the keys are no integers or bools, or spread so widely that other ways are better: there
        are at most a quarter as many groups as rows, or 1024.

    Examples
    --------
    >>> first, number = number_by_slot([pa.array([7, 5, 7]), pa.array([True, None, True])])
    >>> first.tolist(), number().tolist()
    ([0, 1], [0, 1, 0])
    """
    rows = len(arrays[0])
    if not rows:
        return None
    most = min(_MOST_SLOTS, max(1024, rows // 4))
    ranges = _ranges(arrays, most)
    if ranges is None and any(array.null_count for array in arrays):
        ranges = _ranges(arrays, most, exact=True)
    if ranges is None:
        return None
    size = math.prod(key.span for key in ranges)
    if HAS_EXTENSION and len(arrays) <= _MOST_COLUMNS:
        return _numbered(ranges, rows, size)
    return _numbered_with_numpy(ranges, rows, size)


def group_sums(codes: np.ndarray, values: np.ndarray, ngroups: int) -> np.ndarray:
    """Return the sum of each group's values, in their dtype, added in the order of the rows.

    Examples
    --------
    >>> group_sums(np.array([0, 1, 0]), np.array([1.0, 2.0, 4.0]), 2)
    array([5., 2.])
    """
    sums = np.zeros(ngroups, values.dtype)
    kind = _SUMMED.get(values.dtype) if HAS_EXTENSION else None
    if kind is not None:
        _slots.add_to_groups(
            _words(codes), np.require(values, requirements=["C", "A"]).data, kind, sums.data
        )
        return sums
    with np.errstate(all="ignore"):
        np.add.at(sums, codes, values)
    return sums


def group_counts(codes: np.ndarray, ngroups: int) -> np.ndarray:
    """Return the number of rows of each group."""
    if not HAS_EXTENSION:
        return np.bincount(codes, minlength=ngroups)
    counts = np.zeros(ngroups, np.int64)
    _slots.add_to_groups(_words(codes), None, "l", counts.data)
    return counts


def _words(codes: np.ndarray) -> memoryview:
    return np.require(codes, np.int64, ["C", "A"]).data


def _ranges(arrays: Sequence[pa.Array], most: int, *, exact: bool = False) -> list[_Range] | None:
    """Return the ranges of keys that together have at most so many values, else None.

    What lies under missing values counts too, unless `exact`, which takes ten times as long.
    """
    ranges = []
    for array in arrays:
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.int8())
        elif not pa.types.is_integer(array.type):
            return None
        if array.null_count and exact:
            bounds = pc.min_max(array)
            least, greatest = bounds["min"].as_py() or 0, bounds["max"].as_py() or 0
        else:
            values = raw_values(array)
            least, greatest = int(values.min()), int(values.max())
        span = greatest - least + 1 + (array.null_count > 0)
        most //= span
        if not most:
            return None
        ranges.append(_Range(array, least, span))
    return ranges


def _numbered(
    ranges: Sequence[_Range], rows: int, size: int
) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    columns = []
    for key in ranges:
        values = np.require(raw_values(key.array), requirements="A")
        kind = _KINDS[values.dtype.itemsize][values.dtype.kind == "u"]
        valid = key.array.buffers()[0] if key.array.null_count else None
        columns.append((kind, values.data, valid, key.array.offset, key.least & _WORD, key.span))
    codes = np.empty(rows, np.int64)
    first = np.empty(min(rows, size), np.int64)
    count = _slots.number_rows(tuple(columns), codes.data, first.data)
    return first[:count].copy(), lambda: codes


def _numbered_with_numpy(
    ranges: Sequence[_Range], rows: int, size: int
) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    slots = np.zeros(rows, np.int32)
    for key in ranges:
        slots *= np.int32(key.span)
        slots += _places(key)
    first = np.full(size, rows, np.int64)
    first[slots[::-1]] = np.arange(rows - 1, -1, -1)  # of equal slots the last assignment stays
    used = np.flatnonzero(first < rows)
    used = used[np.argsort(first[used])]
    numbers = np.empty(size, np.int64)
    numbers[used] = np.arange(len(used))
    return first[used], lambda: numbers.take(slots)


def _places(key: _Range) -> np.ndarray:
    """Return how far each value is above the least; missing ones are last."""
    data = raw_values(key.array)
    if data.dtype.itemsize < 4:  # the span may not fit the type
        data = data.astype(np.int32)
    with np.errstate(over="ignore"):  # what lies under missing values
        places: np.ndarray = (data - data.dtype.type(key.least)).astype(np.int32)
    if key.array.null_count:
        places[null_mask(key.array)] = key.span - 1
    return places

"""The built side of a join: from key values to the rows that have them.

Keys of integers (or times) within a range not much wider than their number need no hashing: the
distance from the least key is their code. Others are numbered by Arrow's hash tables.

1 M probes of integers with one column of each side, ns a row: 265 rows built 6 (Acero's join 10,
pandas 13); 1 M rows built 29 (Acero 100, pandas 70). Integers too far apart for that are looked
up in 90, the table of the built side being hashed again for every block.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.groupby_codes import group_codes, plain_values
from penstock.engine.kernels.missing import raw_values
from penstock.engine.kernels.sort import stable_order

_MIN_SPAN = 1 << 16
_MAX_SPARSENESS = 4


class _OffsetCodes:
    """Codes of integers: the distance from the least one; the code after the last is missing."""

    def __init__(self, low: int, span: int, *, missing: bool) -> None:
        self.low, self.span, self.missing = low, span, missing
        self.size = span + 1

    def encode(self, array: pa.Array) -> np.ndarray:
        values = _integers(array)
        if values.dtype.kind == "u":
            inside = (values >= max(self.low, 0)) & (values < max(self.low + self.span, 0))
        else:
            inside = (values >= self.low) & (values <= self.low + self.span - 1)
        codes = values.astype(np.int64) - self.low
        if not inside.all():
            codes[~inside] = -1
        if array.null_count:
            null = array.is_null().to_numpy(zero_copy_only=False)
            codes[null] = self.span if self.missing else -1
        return codes


class _HashCodes:
    """Codes of any values: their place among the distinct values of the built side."""

    def __init__(self, values: pa.Array) -> None:
        self.values = values.dictionary_encode(null_encoding="encode").dictionary
        self.size = len(self.values)

    def encode(self, array: pa.Array) -> np.ndarray:
        found = pc.index_in(_hashable(array), value_set=self.values)
        if not found.null_count:
            return found.to_numpy().astype(np.int64)
        return found.fill_null(-1).to_numpy().astype(np.int64)


def _hashable(array: pa.Array) -> pa.Array:
    array = plain_values(array)
    return array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array


def _integers(array: pa.Array) -> np.ndarray:
    kind = array.type
    if pa.types.is_boolean(kind):
        return array.cast(pa.int8()).fill_null(0).to_numpy()
    if pa.types.is_temporal(kind):
        array = array.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    return raw_values(array)


def _column_codes(array: pa.Array) -> _OffsetCodes | _HashCodes:
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind) or pa.types.is_boolean(kind):
        values = _integers(array.drop_null() if array.null_count else array)
        low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
        span = high - low + 1
        if span <= max(_MIN_SPAN, _MAX_SPARSENESS * len(array)) and high < 1 << 63:
            return _OffsetCodes(low, span, missing=array.null_count > 0)
    return _HashCodes(_hashable(array))


class RowsOfCodes:
    """The rows of one side of a join, by the code of their key.

    Parameters
    ----------
    codes
        The code of every row.
    size
        Codes are below it. The code -1 is that of keys which this side does not have.
    """

    def __init__(self, codes: np.ndarray, size: int) -> None:
        # One more than there are codes, which -1 finds.
        self._counts = np.bincount(codes, minlength=size + 1)
        self._row: np.ndarray | None = None
        self._starts: np.ndarray | None = None
        self._order: np.ndarray | None = None
        if self._counts.max(initial=0) <= 1:
            self._row = np.full(size + 1, -1, np.int64)
            self._row[codes] = np.arange(len(codes))
        else:
            self._starts = np.cumsum(self._counts) - self._counts
            self._order = stable_order(codes)

    @property
    def nbytes(self) -> int:
        """Bytes of the index."""
        arrays = (self._counts, self._row, self._starts, self._order)
        return sum(array.nbytes for array in arrays if array is not None)

    def has(self, codes: np.ndarray) -> np.ndarray:
        """Return which codes this side has."""
        return self._counts.take(codes) > 0

    def match(self, codes: np.ndarray, *, keep: bool) -> tuple[np.ndarray | None, np.ndarray]:
        """Return the pairs of rows with equal codes; see `KeyLookup.match`."""
        if self._row is not None:
            others = self._row.take(codes)
            if keep or (others >= 0).all():
                return None, others
            rows = np.flatnonzero(others >= 0)
            return rows, others.take(rows)
        assert self._starts is not None
        assert self._order is not None
        found = self._counts.take(codes)
        repeats = np.maximum(found, 1) if keep else found
        rows = np.repeat(np.arange(len(codes)), repeats)
        # Position of each pair within the built rows of its key.
        begin = self._starts.take(codes) - (np.cumsum(repeats) - repeats)
        position = begin.take(rows) + np.arange(len(rows))
        if not keep:
            return rows, self._order.take(position)
        hit = found.take(rows) > 0
        others = np.full(len(rows), -1, np.int64)
        others[hit] = self._order.take(position[hit])
        return rows, others


def match_once(
    probing: Sequence[pa.Array], built: Sequence[pa.Array], *, keep: bool
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return what `KeyLookup.match` does, for a side that is probed once.

    The keys of both sides are numbered together: mostly distinct integers take 30 ns a row of
    both, where looking up each probing row takes 90 to 200.
    """
    nrows = len(probing[0])
    together = [pa.concat_arrays(pair) for pair in zip(probing, built, strict=True)]
    groups = group_codes(together)
    del together
    codes = groups.codes
    return RowsOfCodes(codes[nrows:], groups.ngroups).match(codes[:nrows], keep=keep)


class KeyLookup:
    """The rows of one side of a join, by key.

    It is not changed after it was built, so that many threads may probe it at once.

    Parameters
    ----------
    columns
        Key columns, each in the type in which both sides are compared.
    """

    def __init__(self, columns: Sequence[pa.Array]) -> None:
        self._columns = [_column_codes(column) for column in columns]
        self._rehash: list[tuple[_HashCodes | None, int]] = []
        codes = self._columns[0].encode(columns[0])
        bound = self._columns[0].size
        for coder, column in zip(self._columns[1:], columns[1:], strict=True):
            codes = codes * coder.size + coder.encode(column)
            bound *= coder.size
            again: _HashCodes | None = None
            if bound > max(_MIN_SPAN, _MAX_SPARSENESS * len(codes)):
                again = _HashCodes(pa.array(codes))
                codes, bound = again.encode(pa.array(codes)), again.size
            self._rehash.append((again, coder.size))
        self.ngroups = bound
        self._rows = RowsOfCodes(codes, bound)

    @property
    def nbytes(self) -> int:
        """Bytes of the index from keys to rows, without the keys."""
        return self._rows.nbytes

    def encode(self, columns: Sequence[pa.Array]) -> np.ndarray:
        """Return the group of every key, -1 where the built side does not have it."""
        codes = self._columns[0].encode(columns[0])
        for coder, column, (again, size) in zip(
            self._columns[1:], columns[1:], self._rehash, strict=True
        ):
            other = coder.encode(column)
            absent = (codes < 0) | (other < 0)
            codes = codes * size + other
            if again is not None:
                codes = again.encode(pa.array(codes))
            codes[absent] = -1
        return codes

    def has(self, columns: Sequence[pa.Array]) -> np.ndarray:
        """Return which keys the built side has."""
        return self._rows.has(self.encode(columns))

    def match(
        self, columns: Sequence[pa.Array], *, keep: bool
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Return the pairs of rows with equal keys, in the order of the probing rows.

        Parameters
        ----------
        columns
            Key columns of the probing side.
        keep
            Pair a probing row without a match with -1 instead of leaving it out.

        Returns
        -------
        rows : ndarray or None
            Probing rows; None stands for each of them once, in order.
        others : ndarray
            Built rows.
        """
        return self._rows.match(self.encode(columns), keep=keep)

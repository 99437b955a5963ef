"""Reductions of rows to groups, on NumPy arrays and group codes.

Keys are factorised once (`group_codes`), then every aggregate is one pass of ``ufunc.at`` or
``bincount`` over the codes. Against Arrow's hash aggregation (Acero), which hashes faster but
walks its table again for every aggregate and returns groups in no order; 1 M rows, one thread,
ns a row, partial aggregates of a float column by an int64 key:

====================================  ==========  =====
groups, aggregates                    this        Acero
====================================  ==========  =====
265, mean                             8           7
265, mean count min max               10          13
630,000, mean                         52          72
630,000, mean count min max           60          135
630,000, std                          60          169
====================================  ==========  =====

Factorising costs 3-5 (few keys) to 50 (many); Arrow does it without the GIL. ``ufunc.at`` takes
0.6-1.6 a row and aggregate. Sums of floats within a group are plain sums (pandas compensates
them): they agree to about 1e-16 times the number of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from penstock.engine.kernels.slots import group_counts, group_sums
from penstock.engine.kernels.sort import stable_order

if TYPE_CHECKING:
    from penstock.engine.kernels.groupby_codes import GroupCodes


class Groups(Protocol):
    """The assignment of rows to groups."""

    ngroups: int

    def add(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of each group, in the dtype of `values`."""

    def multiply(self, values: np.ndarray) -> np.ndarray:
        """Return the product of each group, in the dtype of `values`."""

    def extreme(self, values: np.ndarray, kind: str) -> np.ndarray:
        """Return the ``"min"`` or ``"max"`` of each group; that of an empty one is arbitrary."""

    def count(self, mask: np.ndarray | None = None) -> np.ndarray:
        """Return the number of rows of each group (where `mask` holds)."""

    def pick(self, mask: np.ndarray | None, *, last: bool) -> np.ndarray:
        """Return the first or last row of each group (where `mask` holds); -1 where none."""

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return for every row the value of its group."""

    def order(self) -> np.ndarray:
        """Return the rows ordered by group, stably."""


class KeyedGroups:
    """Rows grouped by codes."""

    def __init__(self, grouping: GroupCodes) -> None:
        self.codes = grouping.codes.astype(np.intp, copy=False)
        self.first = grouping.first
        self.ngroups = grouping.ngroups

    def add(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of each group."""
        return group_sums(self.codes, values, self.ngroups)

    def multiply(self, values: np.ndarray) -> np.ndarray:
        """Return the product of each group."""
        result = np.ones(self.ngroups, values.dtype)
        with np.errstate(all="ignore"):
            np.multiply.at(result, self.codes, values)
        return result

    def extreme(self, values: np.ndarray, kind: str) -> np.ndarray:
        """Return the minimum or maximum of each group."""
        result = np.full(self.ngroups, neutral(values.dtype, kind), values.dtype)
        (np.minimum if kind == "min" else np.maximum).at(result, self.codes, values)
        return result

    def count(self, mask: np.ndarray | None = None) -> np.ndarray:
        """Return the number of rows of each group."""
        codes = self.codes if mask is None else self.codes[mask]
        return group_counts(codes, self.ngroups)

    def pick(self, mask: np.ndarray | None, *, last: bool) -> np.ndarray:
        """Return the first or last row of each group."""
        if mask is None and not last:
            return self.first
        rows = np.arange(len(self.codes)) if mask is None else np.flatnonzero(mask)
        if not last:
            rows = rows[::-1]
        result = np.full(self.ngroups, -1, np.int64)
        result[self.codes[rows]] = rows  # of equal indices the last assignment stays
        return result

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return for every row the value of its group."""
        return values.take(self.codes)

    def order(self) -> np.ndarray:
        """Return the rows ordered by group."""
        return stable_order(self.codes)


class LoneRows:
    """Every row a group of its own."""

    def __init__(self, nrows: int) -> None:
        self.ngroups = nrows

    def add(self, values: np.ndarray) -> np.ndarray:
        """Return the values."""
        return values

    def multiply(self, values: np.ndarray) -> np.ndarray:
        """Return the values."""
        return values

    def extreme(self, values: np.ndarray, kind: str) -> np.ndarray:
        """Return the values."""
        return values

    def count(self, mask: np.ndarray | None = None) -> np.ndarray:
        """Return one for every row, zero where `mask` does not hold."""
        return np.ones(self.ngroups, np.int64) if mask is None else mask.astype(np.int64)

    def pick(self, mask: np.ndarray | None, *, last: bool) -> np.ndarray:
        """Return the rows; -1 where `mask` does not hold."""
        rows = np.arange(self.ngroups)
        return rows if mask is None else np.where(mask, rows, -1)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the values."""
        return values

    def order(self) -> np.ndarray:
        """Return the rows."""
        return np.arange(self.ngroups)


class WholeGroup:
    """All rows as one group, which is there even without rows."""

    ngroups = 1

    def __init__(self, nrows: int) -> None:
        self.nrows = nrows

    def add(self, values: np.ndarray) -> np.ndarray:
        """Return the sum; NumPy adds floats pairwise."""
        with np.errstate(all="ignore"):
            return values.sum(dtype=values.dtype, keepdims=True)

    def multiply(self, values: np.ndarray) -> np.ndarray:
        """Return the product."""
        with np.errstate(all="ignore"):
            return values.prod(dtype=values.dtype, keepdims=True)

    def extreme(self, values: np.ndarray, kind: str) -> np.ndarray:
        """Return the minimum or maximum."""
        start = neutral(values.dtype, kind)
        reduce = np.minimum.reduce if kind == "min" else np.maximum.reduce
        return reduce(values, keepdims=True, initial=start)

    def count(self, mask: np.ndarray | None = None) -> np.ndarray:
        """Return the number of rows."""
        return np.array([self.nrows if mask is None else np.count_nonzero(mask)])

    def pick(self, mask: np.ndarray | None, *, last: bool) -> np.ndarray:
        """Return the first or last row."""
        if mask is None:
            row = self.nrows - 1 if last else (0 if self.nrows else -1)
        elif last:
            row = self.nrows - 1 - int(mask[::-1].argmax()) if mask.any() else -1
        else:
            row = int(mask.argmax()) if mask.any() else -1
        return np.array([row])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the value of the group, which broadcasts to every row."""
        return values

    def order(self) -> np.ndarray:
        """Return the rows."""
        return np.arange(self.nrows)


def neutral(dtype: np.dtype, kind: str) -> float | int:
    """Return the value that a minimum or maximum of `dtype` ignores."""
    if dtype.kind == "f":
        return np.inf if kind == "min" else -np.inf
    info = np.iinfo(dtype)
    return int(info.max if kind == "min" else info.min)

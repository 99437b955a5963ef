"""Expanding windows: all rows up to each one.

What came before a block is a state of a few numbers per column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.values import as_floats, valid_mask
from penstock.engine.kernels.moments import Moments, joined, moments, running_moments
from penstock.errors import UnsupportedError

_ORDERS = {"var": 2, "std": 2, "sem": 2, "skew": 3, "kurt": 4}
_FEWEST = {"sum": 0, "count": 0, "skew": 3, "kurt": 4}
EXPANDING = frozenset({"sum", "count", "mean", "min", "max", "first", "last", *_ORDERS})
"""Functions of expanding windows that a small state is enough for."""


def order_of(functions: frozenset[str]) -> int:
    """Return the highest power of the values that `functions` need; 0 for none."""
    return max((_ORDERS.get(function, 0) for function in functions), default=0)


class ExpandingState(NamedTuple):
    """What the rows before a block come to; numbers are None where there was no value."""

    rows: int = 0
    present: int = 0
    """Rows that are not missing; infinite ones count, but are no values."""
    total: float = 0.0
    low: float | None = None
    high: float | None = None
    first: float | None = None
    last: float | None = None
    moments: Moments = Moments()


def window_values(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the values that count, which rows they are in, and which are not missing.

    As in pandas, windows take infinite values for missing ones.
    """
    array = single_chunk(column)
    valid = valid_mask(array)
    present = np.ones(len(array), bool) if valid is None else valid
    types = pa.types
    kind = array.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        return np.empty(0), np.zeros(len(array), bool), present
    floats = as_floats(array)
    used = present & np.isfinite(floats)
    return floats[used], used, present


def expanding_total(column: pa.Array | pa.ChunkedArray, order: int) -> ExpandingState:
    """Return what a block alone comes to, for `expanding_joined`.

    Parameters
    ----------
    column
        A block's values.
    order
        See `order_of`.
    """
    values, _, present = window_values(column)
    rows, count = len(present), int(present.sum())
    if not len(values):
        return ExpandingState(rows, count)
    return ExpandingState(
        rows,
        count,
        float(values.sum()),
        float(values.min()),
        float(values.max()),
        float(values[0]),
        float(values[-1]),
        moments(values, order) if order else Moments(float(len(values))),
    )


def expanding_joined(a: ExpandingState, b: ExpandingState, order: int) -> ExpandingState:
    """Return the state after the rows of `a` and then those of `b`."""
    rows, present = a.rows + b.rows, a.present + b.present
    if a.low is None or b.low is None or a.high is None or b.high is None:
        full = b if a.low is None else a
        return full._replace(rows=rows, present=present)
    if order:
        both = joined(a.moments, b.moments, order)
    else:
        both = Moments(a.moments.n + b.moments.n)
    return ExpandingState(
        rows,
        present,
        a.total + b.total,
        min(a.low, b.low),
        max(a.high, b.high),
        a.first,
        b.last,
        both,
    )


class ExpandingRows:
    """Expanding windows of one block, from the state before it.

    Parameters
    ----------
    column
        A block's values.
    state
        What the rows before come to.
    order
        See `order_of`.
    min_periods
        Fewest values for a result.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = ExpandingRows(pa.array([3.0, None, 5.0]), ExpandingState(), 2, 1)
    >>> rows.result("mean").to_pylist(), rows.result("var").to_pylist()
    ([3.0, 3.0, 4.0], [None, None, 2.0])
    """

    def __init__(
        self,
        column: pa.Array | pa.ChunkedArray,
        state: ExpandingState,
        order: int,
        min_periods: int,
    ) -> None:
        self._kept, used, self._present = window_values(column)
        self._state = state
        self._min_periods = min_periods
        self._place = np.cumsum(used)
        self._count = self._place + state.moments.n
        self._moments = (
            running_moments(self._kept, state.moments, order) if order else state.moments
        )

    def result(self, function: str, ddof: int = 1) -> pa.Array:
        """Return one of the functions `EXPANDING` for each row.

        Parameters
        ----------
        function
        ddof
            For ``var``, ``std`` and ``sem``.
        """
        if function not in EXPANDING:
            known = ", ".join(sorted(EXPANDING))
            raise UnsupportedError(f"expanding {function}: must be one of {known}")
        with np.errstate(all="ignore"):
            values = self._result(function, ddof)
        count = self._rows() if function == "count" else self._count
        missing = (count < max(self._min_periods, _FEWEST.get(function, 1))) | np.isnan(values)
        return pa.array(values, pa.float64(), mask=missing)

    def _rows(self) -> np.ndarray:
        return np.arange(1, len(self._present) + 1) + self._state.rows

    def _spread(self, running: np.ndarray, before: float | None) -> np.ndarray:
        """Return for each row what `running` holds for the last value up to it."""
        start = np.nan if before is None else before
        return np.concatenate(([start], running))[self._place]

    def _result(self, function: str, ddof: int) -> np.ndarray:
        if function in ("var", "std", "sem"):
            return self._deviation(function, ddof)
        if function in ("skew", "kurt"):
            return getattr(self, f"_{function}")()
        state = self._state
        if function == "count":
            return self._present_so_far()
        if function in ("min", "max"):
            return self._extreme(function)
        if function == "first":
            first = self._kept[0] if state.first is None and len(self._kept) else state.first
            return np.full(len(self._place), np.nan if first is None else first)
        if function == "last":
            return self._spread(self._kept, state.last)
        total = self._spread(state.total + np.cumsum(self._kept), state.total)
        return total / self._count if function == "mean" else total

    def _present_so_far(self) -> np.ndarray:
        return np.cumsum(self._present) + float(self._state.present)

    def _extreme(self, function: str) -> np.ndarray:
        ufunc, before = (
            (np.minimum, self._state.low) if function == "min" else (np.maximum, self._state.high)
        )
        running = ufunc.accumulate(self._kept)
        if before is not None:
            running = ufunc(running, before)
        return self._spread(running, before)

    def _second(self) -> np.ndarray:
        second = self._spread(self._moments.second, self._state.moments.second)
        # equal values have no variance at all, whatever rounding says
        return np.where(self._extreme("min") == self._extreme("max"), 0.0, second)

    def _deviation(self, function: str, ddof: int) -> np.ndarray:
        free = self._count - ddof
        values = np.where(free > 0, self._second() / free, np.nan)
        if function == "var":
            return values
        if function == "std":
            return np.sqrt(values)
        present = np.where(self._rows() >= self._min_periods, self._present_so_far(), np.nan)
        return np.sqrt(values) / np.sqrt(present)

    def _skew(self) -> np.ndarray:
        n = self._count
        third = self._spread(self._moments.third, self._state.moments.third)
        return n * np.sqrt(n - 1) / (n - 2) * third / self._second() ** 1.5

    def _kurt(self) -> np.ndarray:
        n, second = self._count, self._second()
        fourth = self._spread(self._moments.fourth, self._state.moments.fourth)
        peak = n * (n + 1) * fourth / second**2 - 3 * (n - 1)
        return (n - 1) / ((n - 2) * (n - 3)) * peak

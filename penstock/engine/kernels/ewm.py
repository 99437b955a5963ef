"""Exponentially weighted windows: weights that fall off with the rows.

What came before a block is a state of a few numbers per column.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from penstock.engine.kernels.expanding import window_values
from penstock.errors import UnsupportedError
from penstock.records import record

EXPONENTIAL = frozenset({"mean", "var", "std", "sum"})
"""Functions of exponentially weighted windows."""


@record
class Decay:
    """How weights fall off with the rows.

    Parameters
    ----------
    alpha
        Weight of a new value against all before.
    adjust
        Divide by the sum of the weights.
    ignore_na
        Missing values do not age the ones before.
    """

    alpha: float
    adjust: bool = True
    ignore_na: bool = False


class DecayState(NamedTuple):
    """What the rows before a block come to under decaying weights."""

    seen: int = 0
    weight: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    """Weighted mean of squared differences to the mean."""
    squares: float = 0.0
    """Sum of the squares of the weights."""
    total: float = 0.0
    """Decayed sum, as of the last row."""
    level: float = 0.0
    """The mean as pandas gives it."""
    gap: int = 0
    """Missing rows since the last value."""


class DecayRows:
    """Exponentially weighted windows of one block, from the state before it.

    Parameters
    ----------
    column
        A block's values.
    decay
        How weights fall off.
    state
        What the rows before come to.
    functions
        Which of `EXPONENTIAL` are wanted.

    Attributes
    ----------
    after : DecayState
        The state behind the block.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = DecayRows(
    ...     pa.array([3.0, None, 6.0]),
    ...     Decay(0.5, adjust=False, ignore_na=True),
    ...     DecayState(),
    ...     frozenset({"mean"}),
    ... )
    >>> rows.result("mean", 1).to_pylist()
    [3.0, 3.0, 4.5]
    """

    def __init__(
        self,
        column: pa.Array | pa.ChunkedArray,
        decay: Decay,
        state: DecayState,
        functions: frozenset[str],
    ) -> None:
        values, used, _ = window_values(column)
        self._place = np.cumsum(used)
        self._count = self._place + state.seen
        self._state = state
        at = np.flatnonzero(used)
        keep = 1.0 - decay.alpha
        new = 1.0 if decay.adjust else decay.alpha
        if decay.ignore_na:
            aged = np.full(len(at), keep)
        else:
            aged = keep ** np.diff(at, prepend=-1 - state.gap)
        if decay.adjust:
            weight = affine_scan(aged, np.ones(len(at)), state.weight)
            old = weight - 1.0
        else:
            old = aged.copy()
            old[: 0 if state.seen else 1] = 0.0  # the first value has the whole weight
            weight = np.ones(len(at))
        both = old + new
        self._means = affine_scan(old / both, new * values / both, state.mean)
        self._levels = self._means
        if not decay.adjust and decay.alpha == 0.5:
            # for this weight alone, pandas' means let a value after missing ones weigh more
            self._levels = affine_scan(old, (1.0 - old) * values, state.level)
        self._spreads = self._squares = np.empty(0)
        self._weights = weight
        if functions & {"var", "std"}:
            earlier = np.concatenate(([state.mean], self._means))[:-1]
            moved = old * (earlier - self._means) ** 2 + new * (values - self._means) ** 2
            self._spreads = affine_scan(old / both, moved / both, state.spread)
            scale = np.ones(len(at)) if decay.adjust else both
            self._squares = affine_scan((aged / scale) ** 2, (new / scale) ** 2, state.squares)
        self._totals = np.empty(0)
        if "sum" in functions:
            each = np.zeros(len(used))
            each[used] = values
            factor = np.where(used, keep, 1.0) if decay.ignore_na else np.full(len(used), keep)
            self._totals = affine_scan(factor, each, state.total)
        self.after = self._end(at)

    def _end(self, at: np.ndarray) -> DecayState:
        state = self._state
        total = float(self._totals[-1]) if len(self._totals) else state.total
        rows = len(self._place)
        if not len(at):
            return state._replace(total=total, gap=state.gap + rows)
        return DecayState(
            state.seen + len(at),
            float(self._weights[-1]),
            float(self._means[-1]),
            float(self._spreads[-1]) if len(self._spreads) else 0.0,
            float(self._squares[-1]) if len(self._squares) else 0.0,
            total,
            float(self._levels[-1]),
            rows - 1 - int(at[-1]),
        )

    def result(self, function: str, min_periods: int, *, bias: bool = False) -> pa.Array:
        """Return one of the functions `EXPONENTIAL` for each row.

        Parameters
        ----------
        function
        min_periods
            Fewest values for a result.
        bias
            For ``var`` and ``std``: no correction.
        """
        if function not in EXPONENTIAL:
            known = ", ".join(sorted(EXPONENTIAL))
            raise UnsupportedError(f"ewm {function}: must be one of {known}")
        with np.errstate(all="ignore"):
            values = self._values(function, bias)
        missing = (self._count < max(1, min_periods)) | np.isnan(values)
        return pa.array(values, pa.float64(), mask=missing)

    def _values(self, function: str, bias: bool) -> np.ndarray:
        if function == "sum":
            return self._totals
        if function == "mean":
            return self._spread(self._levels, self._state.level)
        spread = self._spread(self._spreads, self._state.spread)
        if not bias:
            weight = self._spread(self._weights, self._state.weight) ** 2
            free = weight - self._spread(self._squares, self._state.squares)
            spread = np.where(free > 0, spread * weight / free, np.nan)
        return np.sqrt(spread) if function == "std" else spread

    def _spread(self, running: np.ndarray, before: Any) -> np.ndarray:
        return np.concatenate(([before], running))[self._place]


def affine_scan(factors: np.ndarray, terms: np.ndarray, start: float) -> np.ndarray:
    """Return ``y[i] = factors[i] * y[i - 1] + terms[i]``, where ``y[-1]`` is `start`.

    Stretches are scanned side by side, about as many as each has rows.

    Parameters
    ----------
    factors, terms
        Doubles, of one length.
    start

    Examples
    --------
    >>> import numpy as np
    >>> affine_scan(np.array([2.0, 2.0]), np.array([1.0, 0.0]), 3.0).tolist()
    [7.0, 14.0]
    """
    size = len(terms)
    if not size:
        return np.empty(0)
    length = max(1, int(np.sqrt(size)))
    stretches = -(-size // length)
    scale, sums = np.ones(stretches * length), np.zeros(stretches * length)
    scale[:size], sums[:size] = factors, terms
    # row j holds the j-th of each stretch
    scale = np.ascontiguousarray(scale.reshape(stretches, length).T)
    sums = np.ascontiguousarray(sums.reshape(stretches, length).T)
    for row in range(1, length):
        sums[row] += scale[row] * sums[row - 1]
        scale[row] *= scale[row - 1]
    value, starts = float(start), []
    for factor, term in zip(scale[-1].tolist(), sums[-1].tolist(), strict=True):
        starts.append(value)
        value = factor * value + term
    sums += scale * np.array(starts)
    return np.ascontiguousarray(sums.T).ravel()[:size]

"""Running moments: count, mean and central sums of powers of the values up to each one.

Powers are taken of differences to the mean of a short stretch, and stretches are joined by the
pairwise formulas of Chan, Golub and LeVeque (third and fourth powers: Pébay), so that values
far from zero, or that drift, lose no digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# Values in a stretch: short enough for drifting values, long enough for NumPy.
_STRETCH = 256
_BATCH = 64 * _STRETCH
_COUNTS = np.arange(1.0, _STRETCH + 1)


class Moments(NamedTuple):
    """Count, mean, and sums of squares, cubes and fourth powers of differences to the mean.

    Each is a number, or an array of running ones.
    """

    n: Any = 0.0
    mean: Any = 0.0
    second: Any = 0.0
    third: Any = 0.0
    fourth: Any = 0.0


def joined(a: Moments, b: Moments, order: int = 4) -> Moments:
    """Return the moments of the values of `a` and `b` together, up to `order`.

    Parameters
    ----------
    a, b
        Numbers, or arrays that broadcast; one of each pair counts at least one value.
    order
        1 for means, 2 for variances, 3 for skewness, 4 for kurtosis.

    Examples
    --------
    >>> joined(Moments(1.0, 2.0), Moments(1.0, 4.0), 2)[:3]
    (2.0, 3.0, 2.0)
    """
    n = a.n + b.n
    delta = b.mean - a.mean
    part = delta / n
    mean = a.mean + part * b.n
    second = third = fourth = 0.0
    if order >= 2:
        both = a.n * b.n * part * delta
        second = a.second + b.second + both
    if order >= 3:
        crossed = a.n * b.second - b.n * a.second
        third = a.third + b.third + part * (both * (a.n - b.n) + 3 * crossed)
    if order >= 4:
        squared = part * part
        fourth = (
            a.fourth
            + b.fourth
            + squared * (both * (n * n - 3 * a.n * b.n))
            + 6 * squared * (a.n * a.n * b.second + b.n * b.n * a.second)
            + 4 * part * (a.n * b.third - b.n * a.third)
        )
    return Moments(n, mean, second, third, fourth)


def moments(values: np.ndarray, order: int = 4) -> Moments:
    """Return the moments of all `values` (doubles, none missing).

    Examples
    --------
    >>> import numpy as np
    >>> moments(np.array([1.0, 3.0]), 2)[:3]
    (2.0, 2.0, 2.0)
    """
    if not len(values):
        return Moments()
    mean = float(values.mean())
    away = values - mean
    # what rounding left of the mean
    rest = float(away.mean())
    power, powers = away, []
    for _ in range(2, order + 1):
        power = power * away
        powers.append(float(power.sum()))
    return Moments(*map(float, _centered(len(values), mean, rest * len(values), powers)))


def running_moments(values: np.ndarray, start: Moments, order: int = 4) -> Moments:
    """Return the moments of `start` and the values up to each one, as arrays.

    Parameters
    ----------
    values
        Doubles, none missing.
    start
        Moments of what came before.
    order
        See `joined`.

    Examples
    --------
    >>> import numpy as np
    >>> running_moments(np.array([1.0, 3.0]), Moments(), 2).second.tolist()
    [0.0, 2.0]
    """
    found = Moments(*(np.zeros(len(values)) for _ in Moments._fields))
    state = start
    for begin in range(0, len(values), _BATCH):
        batch = _running(values[begin : begin + _BATCH], state, order)
        for whole, some in zip(found, batch, strict=True):
            whole[begin : begin + _BATCH] = some
        state = Moments(*(float(some[-1]) for some in batch))
    return found


def _running(values: np.ndarray, start: Moments, order: int) -> Moments:
    """Return the running moments of a few stretches, which stay in the processor's cache."""
    size = len(values)
    stretches = -(-size // _STRETCH)
    padded = np.empty(stretches * _STRETCH)
    padded[:size] = values
    padded[size:] = values[-1]
    table = padded.reshape(stretches, _STRETCH)
    center = table.mean(axis=1, keepdims=True)
    away = table - center
    powers, power = [], away
    for _ in range(2, order + 1):
        power = power * away
        powers.append(np.cumsum(power, axis=1))
    within = _centered(_COUNTS, center, np.cumsum(away, axis=1), powers)
    before = _before_each(within, start, stretches, order)
    whole = joined(before, within, order)
    return Moments(*(np.broadcast_to(each, table.shape).ravel()[:size] for each in whole))


def _centered(count: Any, center: Any, total: Any, powers: Sequence[Any]) -> Moments:
    """Return the moments from sums of powers of differences to `center`."""
    off = total / count
    found: list[Any] = [count, center + off]
    if powers:
        found.append(np.maximum(powers[0] - off * total, 0.0))
    if len(powers) > 1:
        found.append(powers[1] - 3 * off * powers[0] + 2 * off**2 * total)
    if len(powers) > 2:
        found.append(powers[2] - 4 * off * powers[1] + 6 * off**2 * powers[0] - 3 * off**3 * total)
    return Moments(*found)


def _before_each(within: Moments, start: Moments, stretches: int, order: int) -> Moments:
    """Return the moments before each stretch, as columns."""
    ends = [np.broadcast_to(each, (stretches, _STRETCH))[:, -1].tolist() for each in within]
    states = [start]
    for end in zip(*(end[:-1] for end in ends), strict=True):
        states.append(joined(states[-1], Moments(*end), order))
    return Moments(*(np.array(each, np.float64)[:, None] for each in zip(*states, strict=True)))

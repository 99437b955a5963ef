"""Mergeable summaries of a column: distinct values (HyperLogLog) and quantiles (t-digest).

HyperLogLog: Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog: the analysis of a
near-optimal cardinality estimation algorithm" (2007), with 64-bit hashes and the improved
estimator of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
which needs no corrections for small or large counts.

t-digest: Dunning and Ertl, "Computing extremely accurate quantiles using t-digests" (2019),
the merging variant with the scale function k1. All centroids are formed at once: values are
sorted, and those that fall in one unit of the scale become one centroid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.partition import hash_keys

PRECISION = 14
"""Bits of a hash that choose a register: the standard error is 1.04 / 2 ** (PRECISION / 2)."""
COMPRESSION = 1000.0
"""Centroids of a digest are about half as many."""
_VALUE_BITS = 64 - PRECISION


# -- distinct values ----------------------------------------------------------


def registers(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Return the HyperLogLog registers of the rows of `columns`; missing is a value.

    Parameters
    ----------
    table : pyarrow.Table
    columns : sequence of str

    Returns
    -------
    ndarray of uint8
        The most leading zeros, plus one, of the hashes of each register.
    """
    found = np.zeros(1 << PRECISION, np.uint8)
    if not table.num_rows:
        return found
    hashes = hash_keys([table[name] for name in columns])
    places = (hashes >> np.uint64(_VALUE_BITS)).astype(np.int64)
    rest = hashes & np.uint64((1 << _VALUE_BITS) - 1)
    # below 2 ** 53 a double is exact, so its exponent is the position of the highest bit
    ranks = (_VALUE_BITS + 1 - np.frexp(rest.astype(np.float64))[1]).astype(np.uint8)
    np.maximum.at(found, places, ranks)
    return found


def united_registers(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the registers of all rows together."""
    return np.maximum.reduce(list(parts))


def estimated_count(found: np.ndarray) -> float:
    """Return the estimated number of distinct rows.

    Examples
    --------
    >>> table = pa.table({"x": list(range(1000)) * 2})
    >>> 950 < estimated_count(registers(table, ["x"])) < 1050
    True
    """
    size = len(found)
    counts = np.bincount(found, minlength=_VALUE_BITS + 2)
    total = size * _tau(1 - counts[_VALUE_BITS + 1] / size)
    for rank in range(_VALUE_BITS, 0, -1):
        total = 0.5 * (total + counts[rank])
    total += size * _sigma(counts[0] / size)
    return float(size * size / (2 * math.log(2) * total))


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    weight, total, before = 1.0, x, -1.0
    while total != before:
        x *= x
        before = total
        total += x * weight
        weight *= 2
    return total


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    weight, total, before = 1.0, 1 - x, -1.0
    while total != before:
        x = math.sqrt(x)
        before = total
        weight *= 0.5
        total -= (1 - x) ** 2 * weight
    return total / 3


# -- quantiles ----------------------------------------------------------------


def digest(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return the t-digest of the values of `column` that are not missing.

    Returns
    -------
    ndarray of float64, shape (2, n)
        Means and weights of the centroids, in order.
    """
    array = single_chunk(column).cast(pa.float64(), safe=False).drop_null()
    values = array.to_numpy(zero_copy_only=False)
    values = np.sort(values[~np.isnan(values)])
    return _clustered(values, np.ones(len(values)))


def united_digests(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the t-digest of all values together."""
    means, weights = np.concatenate(list(parts), axis=1)
    order = np.argsort(means, kind="stable")
    return _clustered(means[order], weights[order])


def _clustered(means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return neighbours joined that together stay within one unit of the scale function."""
    if len(means) == 0:
        return np.empty((2, 0))
    ends = np.cumsum(weights)
    middle = np.clip(2 * (ends - weights / 2) / ends[-1] - 1, -1, 1)
    units = np.floor(COMPRESSION / (2 * np.pi) * np.arcsin(middle))
    starts = np.flatnonzero(np.concatenate([[True], units[1:] != units[:-1]]))
    # the least and the greatest value stay what they are
    if len(means) > 1:
        starts = np.union1d(starts, [0, 1, len(means) - 1])
    joined = np.add.reduceat(weights, starts)
    with np.errstate(invalid="ignore", over="ignore"):
        shares = weights / np.repeat(joined, np.diff(np.append(starts, len(means))))
        centres = np.add.reduceat(means * shares, starts)
    # rounding must not put a centre outside of the values that it stands for
    centres = np.clip(centres, means[starts], means[np.append(starts[1:], len(means)) - 1])
    return np.stack([centres, joined])


def digest_quantiles(found: np.ndarray, quantiles: Sequence[float]) -> list[float | None]:
    """Return the estimated values at `quantiles`, as `pandas.Series.quantile` places them.

    Examples
    --------
    >>> digest_quantiles(digest(pa.array([1.0, 2.0, 4.0])), [0, 0.5, 0.75])
    [1.0, 2.0, 3.0]
    """
    means, weights = found
    if len(means) == 0:
        return [None for _ in quantiles]
    places = np.cumsum(weights) - weights / 2
    wanted = np.asarray(quantiles) * (weights.sum() - 1) + 0.5
    return [float(value) for value in np.interp(wanted, places, means)]

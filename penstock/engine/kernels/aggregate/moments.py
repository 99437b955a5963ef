"""Central moments of groups: made per block, combined without a sum of squares.

Partials are the mean and the sums of the second to fourth powers of deviations from it
(Chan, Golub and LeVeque); they need the count beside them. Combining is exact::

    mean = sum(n_i mean_i) / sum(n_i);  d_i = mean_i - mean
    m2 = sum(m2_i + n_i d_i^2)
    m3 = sum(m3_i + 3 d_i m2_i + n_i d_i^3)
    m4 = sum(m4_i + 4 d_i m3_i + 6 d_i^2 m2_i + n_i d_i^4)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from penstock.engine.kernels.aggregate.grouping import Groups
from penstock.engine.kernels.aggregate.values import as_floats, valid_mask

MOMENTS = ("mean", "m2", "m3", "m4")


def block_moments(array: pa.Array, groups: Groups, order: int) -> dict[str, pa.Array]:
    """Return the moment partials of a column up to `order`."""
    valid = valid_mask(array)
    values = as_floats(array)
    with np.errstate(all="ignore"):
        count = groups.count(valid)
        n = np.maximum(count, 1)
        mean = groups.add(values) / n
        deviation = _deviation(values, mean, groups, valid)
        rest = groups.add(deviation) / n
        if np.any(np.abs(rest) > 0):
            mean = mean + rest
            deviation = _deviation(values, mean, groups, valid)
        power = deviation * deviation
        parts = {"mean": mean, "m2": groups.add(power)}
        for kind in MOMENTS[2:order]:
            power *= deviation
            parts[kind] = groups.add(power)
    return {kind: pa.array(moment) for kind, moment in parts.items()}


def _deviation(
    values: np.ndarray, mean: np.ndarray, groups: Groups, valid: np.ndarray | None
) -> np.ndarray:
    deviation = values - groups.spread(mean)
    if valid is not None:
        deviation[~valid] = 0.0
    return deviation


def combine_moments(parts: Mapping[str, pa.Array], groups: Groups) -> dict[str, pa.Array]:
    """Merge the moment partials (and counts) of rows of the same group."""
    old = {kind: as_floats(array) for kind, array in parts.items()}
    count, m2 = old["count"], old["m2"]
    with np.errstate(all="ignore"):
        n = np.maximum(groups.add(count), 1)
        mean = groups.add(count * old["mean"]) / n
        # Rounding of the mean above is made good by the mean of what is left of it.
        mean += groups.add(count * (old["mean"] - groups.spread(mean))) / n
        delta = np.where(count > 0, old["mean"] - groups.spread(mean), 0.0)
        merged = {"mean": mean, "m2": groups.add(m2 + count * delta**2)}
        if "m3" in old:
            merged["m3"] = groups.add(old["m3"] + 3 * delta * m2 + count * delta**3)
        if "m4" in old:
            cross = 4 * delta * old["m3"] + 6 * delta**2 * m2
            merged["m4"] = groups.add(old["m4"] + cross + count * delta**4)
    return {kind: pa.array(moment) for kind, moment in merged.items()}

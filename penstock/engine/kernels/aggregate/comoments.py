"""Covariances and correlations of groups: made per block, combined without sums of products.

Partials of a pair of columns, over the rows in which both are there, are the number of rows, the
two means, and the sums of products of deviations from them. Combining is exact::

    mean = sum(n_i mean_i) / sum(n_i);  dx_i = mean_x_i - mean_x;  dy_i = ...
    cxy = sum(cxy_i + n_i dx_i dy_i)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.grouping import KeyedGroups
from penstock.engine.kernels.aggregate.values import as_floats, valid_mask

_KINDS = ("n", "mx", "my", "cxx", "cxy", "cyy")
_MARK = "\x1ecomoment:"


def pairs(count: int) -> list[tuple[int, int]]:
    """Return the pairs of `count` columns, each with itself too."""
    return [(i, j) for i in range(count) for j in range(i, count)]


def comoment_name(pair: tuple[int, int], kind: str) -> str:
    """Return the name of a partial of a pair of columns."""
    return f"{_MARK}{pair[0]},{pair[1]}:{kind}"


def is_comoment(name: str) -> bool:
    """Return whether `name` is one that `comoment_name` gives."""
    return name.startswith(_MARK)


def block_comoments(
    table: pa.Table, columns: Sequence[str], groups: KeyedGroups
) -> dict[str, pa.Array]:
    """Return the partials of all pairs of `columns` for the groups of a block."""
    arrays = [single_chunk(table.column(name)) for name in columns]
    values = [as_floats(array) for array in arrays]
    valid = [
        np.isfinite(each) if (mask := valid_mask(array)) is None else mask & np.isfinite(each)
        for array, each in zip(arrays, values, strict=True)
    ]
    made: dict[str, pa.Array] = {}
    for i, j in pairs(len(columns)):
        both = valid[i] & valid[j]
        n = groups.count(both).astype(np.float64)
        x, mean_x = _centred(values[i], both, n, groups)
        y, mean_y = (x, mean_x) if i == j else _centred(values[j], both, n, groups)
        parts = (n, mean_x, mean_y, groups.add(x * x), groups.add(x * y), groups.add(y * y))
        for kind, part in zip(_KINDS, parts, strict=True):
            made[comoment_name((i, j), kind)] = pa.array(part)
    return made


def _centred(
    values: np.ndarray, both: np.ndarray, n: np.ndarray, groups: KeyedGroups
) -> tuple[np.ndarray, np.ndarray]:
    """Return deviations from the mean of each group (0 where a value is missing), and the means."""
    known = np.where(both, values, 0.0)
    mean = groups.add(known) / np.maximum(n, 1)
    deviation = np.where(both, known - groups.spread(mean), 0.0)
    rest = groups.add(deviation) / np.maximum(n, 1)  # what rounding left of the mean
    deviation = np.where(both, deviation - groups.spread(rest), 0.0)
    return deviation, mean + rest


def combine_comoments(table: pa.Table, count: int, groups: KeyedGroups) -> dict[str, np.ndarray]:
    """Merge the partials of the rows of the same group."""
    merged: dict[str, np.ndarray] = {}
    for pair in pairs(count):
        old = {
            kind: single_chunk(table.column(comoment_name(pair, kind))).to_numpy()
            for kind in _KINDS
        }
        n = groups.add(old["n"])
        mean_x, dx = _merged_mean(old["n"], old["mx"], n, groups)
        mean_y, dy = _merged_mean(old["n"], old["my"], n, groups)
        sums = [
            groups.add(old[kind] + old["n"] * a * b)
            for kind, a, b in (("cxx", dx, dx), ("cxy", dx, dy), ("cyy", dy, dy))
        ]
        for kind, part in zip(_KINDS, (n, mean_x, mean_y, *sums), strict=True):
            merged[comoment_name(pair, kind)] = part
    return merged


def _merged_mean(
    counts: np.ndarray, means: np.ndarray, n: np.ndarray, groups: KeyedGroups
) -> tuple[np.ndarray, np.ndarray]:
    mean = groups.add(counts * means) / np.maximum(n, 1)
    mean = mean + groups.add(counts * (means - groups.spread(mean))) / np.maximum(n, 1)
    return mean, np.where(counts > 0, means - groups.spread(mean), 0.0)


def matrices(
    merged: Mapping[str, np.ndarray], count: int, ngroups: int, function: str, min_periods: int
) -> np.ndarray:
    """Return the matrix of each group: covariances (``"cov"``) or correlations (``"corr"``)."""
    made = np.empty((ngroups, count, count))
    for i, j in pairs(count):
        n, cxx, cxy, cyy = (merged[comoment_name((i, j), k)] for k in ("n", "cxx", "cxy", "cyy"))
        with np.errstate(all="ignore"):
            if function == "cov":
                value = cxy / (n - 1)
            else:
                value = np.clip(cxy / np.sqrt(cxx * cyy), -1.0, 1.0)
                value[(cxx == 0) | (cyy == 0)] = np.nan
        value[(n < max(1, min_periods)) | ((function == "cov") & (n < 2))] = np.nan
        made[:, i, j] = made[:, j, i] = value
    return made

"""Histograms and other counts, distinct elements, covariance."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays import reductions
from penstock.collections.arrays.arrange import diagonal
from penstock.collections.arrays.base import (
    ArrayBase,
    as_array,
    need_known,
    wrap,
)
from penstock.collections.arrays.differences import diff
from penstock.collections.arrays.elementwise import astype, elementwise
from penstock.collections.arrays.indexing import sliced
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.order import whole_axes
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.reductions import reduced
from penstock.collections.arrays.shape import expand_dims, ravel, reshape
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.distinct import CountArray, DistinctArray, PartOfDistinct
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError

# -- counting ----------------------------------------------------------------------------------


def bincount(x: Any, weights: Any = None, minlength: int = 0, split_every: Any = None) -> Any:
    """Return how often each integer from 0 on occurs.

    Parameters
    ----------
    x : Array
        Of one axis, of integers that are not negative.
    weights : Array, optional
        Added up instead of counted.
    minlength : int
        Without it the length of the result is not known before it is computed.

    Returns
    -------
    Array
    """
    x = as_array(x)
    if x.ndim != 1:
        raise ValueError("bincount takes an array of one axis")
    if x.dtype.kind not in "iub":
        raise TypeError(f"bincount takes integers, not {x.dtype}")
    dtype = np.dtype(np.intp) if weights is None else np.dtype("f8")
    operands = (x,) if weights is None else _fitted(x, as_array(weights))
    length = int(minlength) if minlength else None
    node = CountArray(
        tuple(each.plan for each in operands), Opaque(partial(_bincount, minlength)), dtype, length
    )
    return wrap(node)


def _bincount(minlength: int, block: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(block, weights, minlength)


def _fitted(*arrays: Any) -> Any:
    from penstock.collections.arrays.elementwise import unify_chunks_of

    if len({each.shape for each in arrays}) > 1:
        raise ValueError(f"arrays must have one shape, not {[each.shape for each in arrays]}")
    return tuple(unify_chunks_of(arrays))


def histogram(a: Any, bins: Any = 10, range: Any = None, normed: bool = False,
              weights: Any = None, density: bool = False) -> tuple[Any, Any]:  # fmt: skip
    """Return counts of elements in bins, and the edges of the bins.

    Parameters
    ----------
    a : Array
    bins : int or array-like
        A number of bins, of equal width, or their edges.
    range : (float, float), optional
        Of all bins; by default from the least to the largest element.
    weights : Array, optional
        Added up instead of counted.
    density : bool
        Divide by the sum and the widths.

    Returns
    -------
    tuple of Array
        Edges in memory are returned as NumPy's array.
    """
    a = ravel(as_array(a))
    if isinstance(bins, str):
        raise UnsupportedError("histogram: give bins as a number or as edges")
    edges: Any = bins
    if np.ndim(bins) == 0 and not isinstance(bins, ArrayBase):
        count = int(bins)
        if range is not None:
            edges = np.linspace(*_ends(range), count + 1)
        else:
            both = concatenated(reduced("min", a), reduced("max", a))
            layout = ArraySchema(((count + 1,),), np.dtype("f8"))
            edges = map_chunks(partial(_edges, count), "edges", layout, both, labels=[(1,)])
    count = int(edges.shape[0]) - 1 if isinstance(edges, ArrayBase) else len(edges) - 1
    operands = [a]
    if weights is not None:
        operands = list(_fitted(a, ravel(as_array(weights))))
    dtype = np.dtype(np.intp) if weights is None else operands[1].dtype
    if isinstance(edges, ArrayBase):
        call: Any = partial(_histogram_between, weights is not None)
        operands.append(whole_axes(edges, (0,)))
    else:
        edges = np.asarray(edges)
        call = partial(_histogram, edges)
    node = CountArray(tuple(each.plan for each in operands), Opaque(call), dtype, count)
    counts = wrap(node)
    if density:
        widths = diff(edges) if isinstance(edges, ArrayBase) else np.diff(edges)
        counts = counts / widths / reduced("sum", counts)
    return counts, edges


def concatenated(*scalars: Any) -> Any:
    """Return Arrays of no axes as one of one axis."""
    from penstock.collections.arrays.join import stack

    return rechunk(stack(scalars), -1)


def _ends(given: Any) -> tuple[Any, Any]:
    low, high = given
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"range of [{low}, {high}] is not finite")
    if low > high:
        raise ValueError("max must be larger than min in range parameter.")
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _edges(count: int, both: np.ndarray) -> np.ndarray:
    return np.linspace(*_ends(both), count + 1)


def _histogram(edges: np.ndarray, block: np.ndarray, weights: Any = None) -> np.ndarray:
    return np.histogram(block, edges, weights=weights)[0]


def _histogram_between(weighted: bool, block: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    weights = rest[0] if weighted else None
    return np.histogram(block, rest[-1], weights=weights)[0]


def histogramdd(sample: Any, bins: Any, range: Any = None, normed: Any = None,
                weights: Any = None, density: bool = False) -> tuple[Any, list[Any]]:  # fmt: skip
    """Return counts of points in boxes, and the edges along each axis.

    Parameters
    ----------
    sample : Array of shape (points, axes), or sequence of Arrays of points
    bins : int or sequence
        Per axis a number of bins, or edges.
    range : sequence of (float, float), optional
        Needed where numbers of bins are given.
    weights : Array, optional
    density : bool

    Returns
    -------
    Array, list of ndarray
    """
    if isinstance(sample, ArrayBase):
        columns = [sliced(sample, (slice(None), k)) for k in np.arange(sample.shape[1])]
    else:
        columns = [as_array(each) for each in sample]
    ndim = len(columns)
    per_axis = [bins] * ndim if np.ndim(bins) == 0 else list(bins)
    edges = []
    for k, each in enumerate(per_axis):
        if np.ndim(each) == 0:
            if range is None or range[k] is None:
                raise UnsupportedError("histogramdd needs range= where bins are numbers")
            edges.append(np.linspace(*_ends(range[k]), int(each) + 1))
        else:
            edges.append(np.asarray(each))
    operands = list(columns) if weights is None else [*columns, as_array(weights)]
    operands = list(_fitted(*operands))
    dtype = np.dtype("f8")
    shape = tuple(len(each) - 1 for each in edges)
    call = partial(_histogramdd, edges, ndim)
    node = CountArray(
        tuple(each.plan for each in operands), Opaque(call), dtype, int(np.prod(shape))
    )
    counts = reshape(wrap(node), shape)
    if density:
        volume: Any = np.ones(shape)
        for k, each in enumerate(edges):
            ones = [1] * ndim
            ones[k] = -1
            volume = volume * np.diff(each).reshape(ones)
        counts = counts / volume / reduced("sum", counts)
    return counts, edges


def _histogramdd(edges: list[np.ndarray], ndim: int, *blocks: np.ndarray) -> np.ndarray:
    weights = blocks[ndim] if len(blocks) > ndim else None
    return np.histogramdd(list(blocks[:ndim]), edges, weights=weights)[0].ravel()


def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, normed: Any = None,
                weights: Any = None, density: bool = False) -> tuple[Any, Any, Any]:  # fmt: skip
    """Return counts of points in rectangles, and the edges along both axes."""
    if np.ndim(bins) == 0 or (np.ndim(bins) == 1 and len(bins) not in (1, 2)):
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, None, weights, density)
    return counts, edges[0], edges[1]


def unique(ar: Any, return_index: bool = False, return_inverse: bool = False,
           return_counts: bool = False, *, equal_nan: bool = True) -> Any:  # fmt: skip
    """Return the distinct elements in order; how many is not known before they are computed.

    Parameters
    ----------
    ar : Array
    return_index, return_inverse, return_counts : bool
        Return also where each is first, which each element is, how often each occurs.
    equal_nan : bool
        Whether all NaN are one element, or each is distinct.

    Returns
    -------
    Array, or tuple of Array
    """
    ar = as_array(ar)
    flat = ravel(ar)
    if return_index or return_inverse:
        need_known("unique", flat)
    node = DistinctArray(flat.plan, equal_nan)
    values = wrap(PartOfDistinct(node, 0, ar.dtype))
    results = [values]
    if return_index:
        results.append(wrap(PartOfDistinct(node, 1, np.dtype(np.intp))))
    if return_inverse:
        layout = ArraySchema(flat.chunks, np.dtype(np.intp))
        if equal_nan or flat.dtype.kind not in "fc":
            made = map_chunks(_inverse, "inverse", layout, flat, values, labels=[(0,), (1,)])
        else:  # the NaN are at the end, in the order in which they come
            before = nans_before(flat)
            made = map_chunks(_inverse, "inverse", layout, flat, values, before,
                              labels=[(0,), (1,), (0,)])  # fmt: skip
        results.append(made)
        results[-1] = reshape(results[-1], ar.shape)
    if return_counts:
        results.append(wrap(PartOfDistinct(node, 2, np.dtype(np.intp))))
    return results[0] if len(results) == 1 else tuple(results)


def nans_before(flat: Any) -> Any:
    """Return for each element how many NaN come before it."""
    missing = astype(elementwise(np.isnan, flat), np.intp)
    return reductions.cumsum(missing) - missing


def _inverse(block: np.ndarray, values: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    at = np.searchsorted(values, block)
    return at if before is None else np.where(np.isnan(block), at + before, at)


def union1d(ar1: Any, ar2: Any) -> Any:
    """Return the distinct elements of two arrays together, in order."""
    from penstock.collections.arrays.join import concatenate

    return unique(concatenate([ravel(as_array(ar1)), ravel(as_array(ar2))]))


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False,
        ddof: int | None = None) -> Any:  # fmt: skip
    """Return the covariance matrix of the rows (columns without `rowvar`), as `numpy.cov`."""
    from penstock.collections.arrays.join import concatenate

    m = as_array(m)
    kind = np.result_type(m.dtype, "f8")
    m = expand_dims(m, 0) if m.ndim == 1 else m
    if not rowvar and m.shape[0] != 1:
        m = m.T
    if y is not None:
        other = as_array(y)
        other = expand_dims(other, 0) if other.ndim == 1 else other
        if not rowvar and other.shape[0] != 1:
            other = other.T
        m = concatenate([m, other], 0)
    m = astype(m, kind)
    freedom = m.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    m = m - reduced("mean", m, 1, None, True)
    product = m @ (m.T if kind.kind != "c" else np.conj(m.T))
    result = product * (1.0 / freedom if freedom > 0 else np.nan)
    return reshape(result, ()) if result.shape == (1, 1) else result


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """Return the matrix of correlation coefficients, as `numpy.corrcoef`."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(np.real(diagonal(c)))
    result = c / expand_dims(scale, 1) / expand_dims(scale, 0)
    return np.clip(result, -1, 1) if result.dtype.kind != "c" else result

"""Order statistics: medians, quantiles and percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays.base import Axes, as_array, axes_of, need_known, wrap
from penstock.collections.arrays.creation import chunk_bytes
from penstock.collections.arrays.elementwise import astype, where
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.reductions import reduced
from penstock.collections.arrays.shape import reshape
from penstock.engine.kernels.chunks import ArraySchema, normalize_chunks
from penstock.engine.nodes.arrays.quantile import COLUMN, ArrayOfColumn, ColumnOfArray
from penstock.engine.nodes.quantile import Quantile
from penstock.errors import UnsupportedError

_LEAST = 4 << 20
"""Chunks along whole axes are not made smaller than this."""
_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def whole_axes(x: Any, axes: Sequence[int]) -> Any:
    """Return `x` with one chunk along `axes`, and the others cut so that chunks stay small."""
    need_known("an operation along whole axes", x)
    if all(x.numblocks[axis] == 1 for axis in axes):
        return x
    wanted = tuple(-1 if axis in axes else "auto" for axis in range(x.ndim))
    if all(axis in axes for axis in range(x.ndim)):
        return rechunk(x, -1)
    limit = min(chunk_bytes(), max(_LEAST, x.plan.schema.block_nbytes))
    chunks = normalize_chunks(wanted, x.shape, x.dtype, limit)
    # no larger than they were, beside what the whole axes need
    return rechunk(
        x,
        tuple(
            sizes if axis in axes or max(sizes) < max(x.chunks[axis]) else x.chunks[axis]
            for axis, sizes in enumerate(chunks)
        ),
    )


def _ordered(function: str, a: Any, q: Any, axis: Axes, keepdims: bool, **options: Any) -> Any:
    """Return NumPy's quantile or median along axes that are brought together."""
    axes = axes_of(axis, a.ndim)
    a = whole_axes(a, axes)
    extra = () if q is None else np.shape(q)
    arguments = () if q is None else (np.asarray(q),)
    call = partial(_along_whole, function, arguments, axes, keepdims, options)
    dtype = call(np.ones((1,) * a.ndim, a.dtype)).dtype
    kept = tuple(
        (1,) if k in axes else sizes
        for k, sizes in enumerate(a.chunks)
        if keepdims or k not in axes
    )
    layout = ArraySchema((*((n,) for n in extra), *kept), dtype)
    lead, ndim = len(extra), len(extra) + len(kept)
    labels: list[int] = []
    place = lead
    for k in range(a.ndim):
        if k in axes and not keepdims:
            labels.append(ndim + k)
        else:
            labels.append(place)
            place += 1
    return map_chunks(call, function, layout, a, labels=[tuple(labels)], copies=2.0)


def _along_whole(
    function: str,
    arguments: tuple[Any, ...],
    axes: tuple[int, ...],
    keepdims: bool,
    options: dict[str, Any],
    block: np.ndarray,
) -> np.ndarray:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # slices of NaN only
        made = getattr(np, function)(block, *arguments, axis=axes, keepdims=keepdims, **options)
    return np.asarray(made)


def median(a: Any, axis: Axes = None, keepdims: bool = False, out: None = None) -> Any:
    """Return the exact median over `axis`, of all elements by default."""
    a = as_array(a)
    if axis is None and a.npartitions > 1:
        return _of_all(a, 0.5, "linear", keepdims, skips=False)
    return _ordered("median", a, None, axis, keepdims)


def nanmedian(a: Any, axis: Axes = None, keepdims: bool = False, out: None = None) -> Any:
    """Return the exact median of what is not NaN over `axis`."""
    a = as_array(a)
    if axis is None and a.npartitions > 1:
        return _of_all(a, 0.5, "linear", keepdims, skips=True)
    return _ordered("nanmedian", a, None, axis, keepdims)


def _quantile(a: Any, q: Any, axis: Axes, method: str, keepdims: bool, skips: bool) -> Any:
    a, q = as_array(a), np.asarray(q, dtype="f8")
    if ((q < 0) | (q > 1)).any():
        raise ValueError("Quantiles must be in the range [0, 1]")
    if axis is None and a.npartitions > 1:
        return _of_all(a, q, method, keepdims, skips=skips)
    name = "nanquantile" if skips else "quantile"
    return _ordered(name, a, q, axis, keepdims, method=method)


def quantile(a: Any, q: Any, axis: Axes = None, method: str = "linear",
             keepdims: bool = False) -> Any:  # fmt: skip
    """Return exact quantiles over `axis`, of all elements by default.

    Parameters
    ----------
    a : Array
    q : float or sequence of float
        Between 0 and 1.
    axis : int, tuple of int or None
        An axis is brought together in one chunk; all elements are ordered by
        an exchange, in bounded memory.
    method : str
        As in NumPy; for all elements one of ``linear``, ``lower``, ``higher``,
        ``midpoint`` and ``nearest``.
    keepdims : bool

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> float(quantile(da.arange(11, chunks=4), 0.25).compute())
    2.5
    """
    return _quantile(a, q, axis, method, keepdims, False)


def nanquantile(a: Any, q: Any, axis: Axes = None, method: str = "linear",
                keepdims: bool = False) -> Any:  # fmt: skip
    """Return exact quantiles of what is not NaN; see `quantile`."""
    return _quantile(a, q, axis, method, keepdims, True)


def percentile(a: Any, q: Any, axis: Axes = None, method: str = "linear", keepdims: bool = False,
               internal_method: Any = None, **kwargs: Any) -> Any:  # fmt: skip
    """Return exact percentiles, between 0 and 100; see `quantile`."""
    method = kwargs.pop("interpolation", method)
    return _quantile(a, np.asarray(q, "f8") / 100, axis, method, keepdims, False)


def nanpercentile(a: Any, q: Any, axis: Axes = None, method: str = "linear",
                  keepdims: bool = False) -> Any:  # fmt: skip
    """Return exact percentiles of what is not NaN; see `quantile`."""
    return _quantile(a, np.asarray(q, "f8") / 100, axis, method, keepdims, True)


def _of_all(a: Any, q: Any, method: str, keepdims: bool, *, skips: bool) -> Any:
    if method not in _METHODS:
        raise UnsupportedError(
            f"quantiles of all elements by method {method!r} are not supported; use one of "
            f"{', '.join(_METHODS)}, or an axis"
        )
    if a.dtype.kind not in "iufb":
        raise UnsupportedError(f"quantiles of all elements of dtype {a.dtype} are not supported")
    wanted = np.asarray(q, "f8")
    kind = np.dtype("f8") if a.dtype.kind != "f" else a.dtype
    if method in ("lower", "higher", "nearest"):
        kind = a.dtype
    source = astype(a, "i1") if a.dtype == bool else a
    node = Quantile(ColumnOfArray(source.plan), COLUMN, tuple(wanted.ravel().tolist()), method)
    layout = ArraySchema(((wanted.size,),), kind)
    result = wrap(ArrayOfColumn(node, layout))
    if a.dtype.kind == "f" and not skips:
        missing = reduced("any", np.isnan(a))
        result = where(missing, np.asarray(np.nan, kind)[()], result)
    shape = wanted.shape + (1,) * a.ndim if keepdims else wanted.shape
    return reshape(result, shape)

"""Further functions of NumPy, which Dask does not have, made of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.arrange import along
from penstock.collections.arrays.base import ArrayBase, as_array, axis_of, need_known, wrap
from penstock.collections.arrays.building import diag, linspace
from penstock.collections.arrays.creation import layout
from penstock.collections.arrays.differences import diff
from penstock.collections.arrays.elementwise import astype, elementwise
from penstock.collections.arrays.indexing import compressed, sliced
from penstock.collections.arrays.join import concatenate, stack
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.reductions import reduced
from penstock.collections.arrays.search import isin
from penstock.collections.arrays.shape import expand_dims, ravel, reshape
from penstock.collections.arrays.statistics import unique
from penstock.engine.nodes.arrays.storage import FromArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError


def array(x: Any, dtype: Any = None, chunks: Any = "auto", **_: Any) -> Any:
    """Return an Array of what is given: an array, a number or nested lists."""
    if isinstance(x, ArrayBase):
        made = x.copy()  # type: ignore[attr-defined]
    else:
        values = np.asarray(x)
        grid = layout(values.shape, values.dtype, chunks)
        made = wrap(FromArray(grid, Opaque(values), Opaque(None)))
    return made if dtype is None else astype(made, dtype)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Return `ary` cut into parts along `axis`, as even as can be."""
    ary = as_array(ary)
    axis = axis_of(axis, ary.ndim)
    need_known("array_split", ary)
    extent = ary.shape[axis]
    if np.ndim(indices_or_sections):
        borders = [0, *(int(i) for i in indices_or_sections), extent]
    else:
        count = int(indices_or_sections)
        if count <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, more = divmod(extent, count)
        sizes = [each + 1] * more + [each] * (count - more)
        borders = np.cumsum([0, *sizes]).tolist()
    parts = [slice(borders[k], borders[k + 1]) for k in range(len(borders) - 1)]
    return [sliced(ary, along(axis, part, ary.ndim)) for part in parts]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Return `ary` cut into equal parts along `axis`."""
    ary = as_array(ary)
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % int(indices_or_sections):
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return `ary` cut into equal parts along the first axis."""
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return `ary` cut into equal parts along the second axis, or its only one."""
    return split(ary, indices_or_sections, 0 if as_array(ary).ndim == 1 else 1)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return `ary` cut into equal parts along the third axis."""
    return split(ary, indices_or_sections, 2)


def column_stack(tup: Sequence[Any]) -> Any:
    """Return arrays of one axis as the columns of a matrix."""
    columns = [as_array(each) for each in tup]
    return concatenate([expand_dims(c, 1) if c.ndim == 1 else c for c in columns], 1)


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10.0,
             dtype: Any = None, chunks: Any = "auto") -> Any:  # fmt: skip
    """Return `num` values evenly spaced on a logarithmic scale."""
    made = elementwise(np.power, base, linspace(start, stop, num, endpoint, chunks=chunks))
    return made if dtype is None else astype(made, dtype)


def geomspace(start: float, stop: float, num: int = 50, endpoint: bool = True,
              dtype: Any = None, chunks: Any = "auto") -> Any:  # fmt: skip
    """Return `num` values, each the same multiple of the one before."""
    if start <= 0 or stop <= 0:
        raise UnsupportedError("geomspace takes positive numbers")
    return logspace(np.log10(start), np.log10(stop), num, endpoint, 10.0, dtype, chunks)


def diagflat(v: Any, k: int = 0) -> Any:
    """Return a matrix with the flattened `v` on a diagonal."""
    return diag(ravel(as_array(v)), k)


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product."""
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    a, b = (expand_dims(each, tuple(range(ndim - each.ndim))) for each in (a, b))
    first = expand_dims(a, tuple(range(1, 2 * ndim, 2)))
    second = expand_dims(b, tuple(range(0, 2 * ndim, 2)))
    shape = tuple(n * m for n, m in zip(a.shape, b.shape, strict=True))
    return reshape(elementwise(np.multiply, first, second), shape)


def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Return the distinct elements that two arrays have in common, in order."""
    first = unique(ar1)
    return compressed(first, isin(first, as_array(ar2)), 0)


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Return the distinct elements of the first array that the second has not, in order."""
    first = unique(ar1)
    return compressed(first, isin(first, as_array(ar2), invert=True), 0)


def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Return the distinct elements that one of two arrays has and the other has not, in order."""
    parts = [setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)]
    return unique(concatenate(parts))


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None,
           period: Any = None) -> Any:  # fmt: skip
    """Return the piecewise linear function through points in memory, at each of `x`."""
    if isinstance(xp, ArrayBase) or isinstance(fp, ArrayBase):
        raise UnsupportedError("interp: xp and fp must be in memory; compute() them first")
    return elementwise(_Interp(np.asarray(xp), np.asarray(fp), left, right, period), as_array(x))


class _Interp:
    def __init__(self, *points: Any) -> None:
        self.points = points
        self.__name__ = "interp"

    def __call__(self, block: Any) -> np.ndarray:
        return np.asarray(np.interp(block, *self.points))


def polyval(p: Any, x: Any) -> Any:
    """Return a polynomial, its highest coefficient first, at each of `x`."""
    x = as_array(x)
    result: Any = x * 0
    for coefficient in np.asarray(p).tolist():
        result = result * x + coefficient
    return result


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Return the integral along `axis` by the trapezoidal rule."""
    y = as_array(y)
    axis = axis_of(axis, y.ndim)
    if x is None:
        widths: Any = dx
    else:
        widths = diff(as_array(x), axis=-1 if np.ndim(x) == 1 else axis)
        if widths.ndim == 1:
            widths = expand_dims(widths, tuple(k for k in range(y.ndim) if k != axis))
    late = sliced(y, along(axis, slice(1, None), y.ndim))
    early = sliced(y, along(axis, slice(None, -1), y.ndim))
    return reduced("sum", widths * (late + early) / 2.0, axis)


def cross(a: Any, b: Any, axis: int = -1) -> Any:
    """Return the cross product of vectors of three components along `axis`."""
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    axis = axis_of(axis, ndim) - ndim
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ValueError("cross takes vectors of three components")
    u, v = (
        [sliced(each, along(axis + each.ndim, k, each.ndim)) for k in range(3)] for each in (a, b)
    )
    parts = [u[i] * v[j] - u[j] * v[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return rechunk(stack(parts, axis), {axis: -1})


def resize(a: Any, new_shape: Any) -> Any:
    """Return the elements of `a`, repeated as often as needed, in another shape."""
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    flat, wanted = ravel(as_array(a)), int(np.prod(shape))
    if not flat.shape[0]:
        raise UnsupportedError("resize of an array without elements is not supported")
    times = max(1, -(-wanted // flat.shape[0]))
    whole = concatenate([flat] * times) if times > 1 else flat
    return reshape(sliced(whole, slice(0, wanted)), shape)


def array_equiv(a1: Any, a2: Any) -> Any:
    """Return whether two arrays broadcast to equal ones, lazily."""
    one, other = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(one.shape, other.shape)
    except ValueError:
        return as_array(np.asarray(False))
    return reduced("all", one == other)


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """Return the edges of the bins that `histogram` would use."""
    from penstock.collections.arrays.statistics import histogram

    return histogram(a, bins, range)[1]


def iscomplexobj(x: Any) -> bool:
    """Return whether the elements are of a complex type."""
    return as_array(x).dtype.kind == "c"


def isrealobj(x: Any) -> bool:
    """Return whether the elements are not of a complex type."""
    return not iscomplexobj(x)

"""Differences of neighbouring elements, and reductions of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.collections.arrays.arrange import along
from penstock.collections.arrays.base import Axes, as_array, axes_of, axis_of, need_known
from penstock.collections.arrays.elementwise import astype
from penstock.collections.arrays.indexing import sliced
from penstock.collections.arrays.join import concatenate
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.shape import broadcast_to, ravel
from penstock.engine.kernels.chunks import ArraySchema


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return differences of neighbours along `axis`, `n` times."""
    a = as_array(a)
    axis = axis_of(axis, a.ndim)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    parts = [a]
    for value, place in ((prepend, 0), (append, 2)):
        if value is not None:
            extra = as_array(value)
            if extra.ndim == 0:
                shape = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
                extra = broadcast_to(extra, shape)
            parts.insert(place, extra)
    a = concatenate(parts, axis) if len(parts) > 1 else a
    subtract = np.not_equal if a.dtype == bool else np.subtract
    for _ in range(n):
        late = sliced(a, along(axis, slice(1, None), a.ndim))
        a = subtract(late, sliced(a, along(axis, slice(None, -1), a.ndim)))
    return a


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return differences of neighbours of the flattened array."""
    ary = ravel(as_array(ary))
    parts = [diff(ary)]
    if to_begin is not None:
        parts.insert(0, ravel(as_array(to_begin)))
    if to_end is not None:
        parts.append(ravel(as_array(to_end)))
    return concatenate([astype(part, ary.dtype) for part in parts]) if len(parts) > 1 else parts[0]


def gradient(f: Any, *varargs: Any, axis: Axes = None, edge_order: int = 1) -> Any:
    """Return central differences along `axis`, one-sided at the ends, as `numpy.gradient`.

    Parameters
    ----------
    f : Array
    *varargs : float or 1-d array
        Spacing, one for all axes or one for each; or coordinates.
    axis : int, tuple of int, optional
    edge_order : {1, 2}

    Returns
    -------
    Array, or tuple of Array
    """
    f = as_array(f)
    need_known("gradient", f)
    axes = axes_of(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError("edge_order must be 1 or 2")
    spacings = list(varargs) or [1.0]
    if len(spacings) == 1:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    if f.dtype.kind not in "fc":
        f = astype(f, "f8")
    made = [_gradient(f, h, k, edge_order) for h, k in zip(spacings, axes, strict=True)]
    return made[0] if len(made) == 1 else tuple(made)


def _gradient(f: Any, spacing: Any, axis: int, order: int) -> Any:
    extent = f.shape[axis]
    if extent < order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least "
            "(edge_order + 1) elements are required."
        )

    def at(start: int | None, stop: int | None) -> Any:
        return sliced(f, along(axis, slice(start, stop), f.ndim))

    if np.ndim(spacing) == 0:
        h = spacing
        inner = (at(2, None) - at(None, -2)) / (2.0 * h)
        if order == 1:
            first, last = (at(1, 2) - at(0, 1)) / h, (at(-1, None) - at(-2, -1)) / h
        else:
            first = (-1.5 * at(0, 1) + 2.0 * at(1, 2) - 0.5 * at(2, 3)) / h
            last = (0.5 * at(-3, -2) - 2.0 * at(-2, -1) + 1.5 * at(-1, None)) / h
        return concatenate([first, inner, last], axis)
    x = np.asarray(spacing)
    if x.shape != (extent,):
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    steps = np.diff(x)
    shape = [1] * f.ndim
    shape[axis] = -1
    one, two = steps[:-1].reshape(shape), steps[1:].reshape(shape)
    inner = (
        -two / (one * (one + two)) * at(None, -2)
        + (two - one) / (one * two) * at(1, -1)
        + one / (two * (one + two)) * at(2, None)
    )
    if order == 1:
        first = (at(1, 2) - at(0, 1)) / steps[0]
        last = (at(-1, None) - at(-2, -1)) / steps[-1]
    else:
        a, b = steps[0], steps[1]
        first = (
            -(2.0 * a + b) / (a * (a + b)) * at(0, 1)
            + (a + b) / (a * b) * at(1, 2)
            - a / (b * (a + b)) * at(2, 3)
        )
        a, b = steps[-2], steps[-1]
        last = (
            b / (a * (a + b)) * at(-3, -2)
            - (b + a) / (a * b) * at(-2, -1)
            + (2.0 * b + a) / (b * (a + b)) * at(-1, None)
        )
    return concatenate([first, inner, last], axis)


def coarsen(reduction: Any, x: Any, axes: dict[int, int], trim_excess: bool = False,
            **kwargs: Any) -> Any:  # fmt: skip
    """Return a reduction of neighbouring elements.

    Parameters
    ----------
    reduction : callable
        Such as `numpy.sum`; of this module or NumPy.
    x : Array
    axes : dict
        How many elements become one, by axis.
    trim_excess : bool
        Leave out the last elements where the length is no multiple.
    **kwargs
        Passed to `reduction`.

    Returns
    -------
    Array
    """
    x = as_array(x)
    need_known("coarsen", x)
    by = {axis_of(axis, x.ndim): int(count) for axis, count in axes.items()}
    if trim_excess:
        x = sliced(x, tuple(slice(0, extent // by.get(axis, 1) * by.get(axis, 1))
                            for axis, extent in enumerate(x.shape)))  # fmt: skip
    for axis, count in by.items():
        if x.shape[axis] % count:
            raise ValueError(f"axis {axis} of {x.shape[axis]} elements is no multiple of {count}; "
                             "use trim_excess=True")  # fmt: skip
        if any(size % count for size in x.chunks[axis]):
            size = max(count, max(x.chunks[axis]) // count * count)
            x = rechunk(x, {axis: size})
    chunks = tuple(
        tuple(size // by.get(axis, 1) for size in sizes) for axis, sizes in enumerate(x.chunks)
    )
    function = _Coarsen(reduction, tuple(by.get(axis, 1) for axis in range(x.ndim)), kwargs)
    dtype = np.asarray(function(np.ones(tuple(by.get(k, 1) for k in range(x.ndim)), x.dtype))).dtype
    return map_chunks(function, "coarsen", ArraySchema(chunks, dtype), x)


class _Coarsen:
    def __init__(self, reduction: Any, by: tuple[int, ...], kwargs: dict[str, Any]) -> None:
        self.reduction = getattr(np, getattr(reduction, "__name__", ""), reduction)
        self.by = by
        self.kwargs = kwargs

    def __call__(self, block: np.ndarray) -> np.ndarray:
        shape: list[int] = []
        for extent, count in zip(block.shape, self.by, strict=True):
            shape += [extent // count, count]
        axes = tuple(range(1, 2 * block.ndim, 2))
        return np.asarray(self.reduction(block.reshape(shape), axis=axes, **self.kwargs))

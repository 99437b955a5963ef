"""Several arrays as one: concatenate, stack, block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from penstock.collections.arrays.base import as_array, axis_of, wrap
from penstock.collections.arrays.elementwise import astype
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.shape import atleast_1d, atleast_2d, atleast_3d, expand_dims, ravel
from penstock.engine.nodes.arrays.grid import JoinArrays
from penstock.errors import UnsupportedError


def concatenate(seq: Sequence[Any], axis: int | None = 0, allow_unknown_chunksizes: bool = False,
                **kwargs: Any) -> Any:  # fmt: skip
    """Return arrays one after the other along `axis`.

    Parameters
    ----------
    seq : sequence of Array
    axis : int or None
        None flattens the arrays first.
    allow_unknown_chunksizes : bool
        Join arrays whose sizes along the other axes are not known.
    **kwargs
        ``dtype``.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> concatenate([da.ones(2, chunks=1), da.zeros(1)]).compute()
    array([1., 1., 0.])
    """
    dtype = kwargs.pop("dtype", None)
    if kwargs.pop("out", None) is not None:
        raise UnsupportedError("concatenate of lazy arrays cannot write to out=")
    arrays = [as_array(each) for each in seq]
    if not arrays:
        raise ValueError("need at least one array to concatenate")
    if axis is None:
        arrays, axis = [ravel(each) for each in arrays], 0
    if any(each.ndim != arrays[0].ndim for each in arrays):
        raise ValueError(
            f"arrays to concatenate must have as many axes, not {[a.ndim for a in arrays]}"
        )
    axis = axis_of(axis, arrays[0].ndim)
    kind = np.result_type(*(each.dtype for each in arrays)) if dtype is None else np.dtype(dtype)
    filled = [each for each in arrays if not each._known or each.shape[axis]] or arrays[:1]
    arrays = _alike([astype(each, kind) for each in _checked(filled, arrays, axis)], axis)
    if len(arrays) == 1:
        return arrays[0]
    return wrap(JoinArrays(tuple(each.plan for each in arrays), axis))


def _checked(filled: list[Any], arrays: list[Any], axis: int) -> list[Any]:
    for each in arrays:
        for place, (mine, first) in enumerate(zip(each.shape, arrays[0].shape, strict=True)):
            if place != axis and mine == mine and first == first and mine != first:
                raise ValueError(
                    f"arrays to concatenate along axis {axis} have shapes "
                    f"{[a.shape for a in arrays]}"
                )
    return filled


def _alike(arrays: list[Any], axis: int) -> list[Any]:
    """Return `arrays` cut alike along the other axes."""
    if not all(each._known for each in arrays):
        return arrays
    wanted: dict[int, tuple[int, ...]] = {}
    for place in range(arrays[0].ndim):
        grids = {each.chunks[place] for each in arrays}
        if place == axis or len(grids) == 1:
            continue
        borders = sorted({0}.union(*(accumulate(sizes) for sizes in grids)))
        wanted[place] = tuple(high - low for low, high in pairwise(borders)) or (0,)
    return [rechunk(each, wanted) for each in arrays] if wanted else arrays


def stack(seq: Sequence[Any], axis: int = 0, allow_unknown_chunksizes: bool = False,
          **kwargs: Any) -> Any:  # fmt: skip
    """Return arrays of one shape along a new axis."""
    arrays = [as_array(each) for each in seq]
    if not arrays:
        raise ValueError("need at least one array to stack")
    shapes = {each.shape for each in arrays if each._known}
    if len(shapes) > 1:
        raise ValueError(f"arrays to stack must have one shape, not {sorted(shapes)}")
    axis = axis_of(axis, arrays[0].ndim + 1)
    return concatenate([expand_dims(each, axis) for each in arrays], axis, **kwargs)


def vstack(tup: Sequence[Any], **kwargs: Any) -> Any:
    """Return arrays below each other."""
    return concatenate([atleast_2d(each) for each in tup], 0, **kwargs)


def hstack(tup: Sequence[Any], **kwargs: Any) -> Any:
    """Return arrays beside each other."""
    arrays = [atleast_1d(each) for each in tup]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, **kwargs)


def dstack(tup: Sequence[Any], **kwargs: Any) -> Any:
    """Return arrays along the third axis."""
    return concatenate([atleast_3d(each) for each in tup], 2, **kwargs)


def block(arrays: Any, allow_unknown_chunksizes: bool = False) -> Any:
    """Return nested lists of arrays as one array: the innermost lists along the last axis."""
    depth = _depth(arrays)
    ndim = max(depth, _most_axes(arrays))
    return _block(arrays, depth, ndim)


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) else 0


def _most_axes(arrays: Any) -> int:
    if isinstance(arrays, list):
        return max((_most_axes(each) for each in arrays), default=0)
    return int(np.ndim(arrays) if not hasattr(arrays, "ndim") else arrays.ndim)


def _block(arrays: Any, depth: int, ndim: int) -> Any:
    if depth == 0:
        made = as_array(arrays)
        return expand_dims(made, tuple(range(ndim - made.ndim)))
    parts = [_block(each, depth - 1, ndim) for each in arrays]
    return concatenate(parts, ndim - depth)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Return `values` after `arr`."""
    if axis is None:
        return concatenate([ravel(as_array(arr)), ravel(as_array(values))], 0)
    return concatenate([as_array(arr), as_array(values)], axis)

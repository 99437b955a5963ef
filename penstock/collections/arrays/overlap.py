"""Blocks that overlap: map_overlap, overlap, and trimming what was added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from penstock.collections.arrays.align import known_sizes, unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.blockwise import _axes, map_blocks
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.engine.kernels.arrays.halo import MODES, margins, trimmed
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.blockwise import BlockwiseArray
from penstock.engine.nodes.arrays.overlap import WithMargins
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError

Depth = dict[int, tuple[int, int]]
Boundary = dict[int, tuple[str, Any]]


def overlap(x: Any, depth: Any, boundary: Any = None, *, allow_rechunk: bool = True) -> Array:
    """Return an array whose blocks hold elements of their neighbours too.

    Parameters
    ----------
    x : Array
    depth : int, tuple or dict
        How many elements on either side: for all axes, or per axis; a pair
        gives different numbers before and after.
    boundary : str, number, tuple or dict, optional
        Beyond the ends of the array: ``"reflect"``, ``"periodic"``,
        ``"nearest"``, ``"none"`` (nothing), or a constant; for all axes or per axis.
    allow_rechunk : bool
        Accepted for compatibility: chunks smaller than the depth need no rechunking here.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> da.overlap.overlap(da.arange(4, chunks=2), 1, "reflect").compute()
    array([0, 0, 1, 2, 1, 2, 3, 3])
    """
    array = asarray(x)
    depths, boundaries = _depths(depth, array.ndim), _boundaries(boundary, array.ndim)
    return _extended(array, depths, boundaries)


def _extended(array: Array, depths: Depth, boundaries: Boundary) -> Array:
    for axis, (before, after) in depths.items():
        mode, value = boundaries[axis]
        if not (before or after):
            continue
        if known_sizes(array.chunks[axis]) is None:
            raise UnsupportedError(
                f"overlap along axis {axis}, whose chunks are of unknown size; call "
                "compute_chunk_sizes() first"
            )
        extent = array.shape[axis]
        if extent == 0:
            continue
        if max(before, after) > extent:
            raise ValueError(
                f"overlap: a depth of {max(before, after)} along axis {axis} of {extent} elements"
            )
        array = Array(noted(WithMargins(array.plan, axis, before, after, mode, value)))
    return array


def _per_axis(given: Any, ndim: int) -> dict[int, Any]:
    if isinstance(given, Mapping):
        return {axis % ndim: value for axis, value in given.items()}
    if isinstance(given, tuple | list):
        if len(given) != ndim:
            raise ValueError(f"{given!r} has {len(given)} entries, but the array has {ndim} axes")
        return dict(enumerate(given))
    return dict.fromkeys(range(ndim), given)


def _depths(depth: Any, ndim: int) -> Depth:
    found = {}
    for axis, value in sorted(_per_axis(depth, ndim).items()):
        pair = value if isinstance(value, tuple | list) else (value, value)
        sizes = tuple(int(size or 0) for size in pair)
        if len(sizes) != 2 or min(sizes) < 0:
            raise ValueError(f"the depth of axis {axis} is {value!r}; a number or two are needed")
        found[axis] = (sizes[0], sizes[1])
    return found


def _boundaries(boundary: Any, ndim: int) -> Boundary:
    per_axis = {**dict.fromkeys(range(ndim)), **_per_axis(boundary, ndim)}
    found: Boundary = {}
    for axis, value in per_axis.items():
        if value is None:
            found[axis] = ("none", None)
        elif isinstance(value, str):
            if value not in MODES or value == "constant":
                raise ValueError(f"boundary {value!r} is none of 'reflect', 'periodic', 'nearest', "
                                 "'none' and no constant")  # fmt: skip
            found[axis] = (value, None)
        else:
            found[axis] = ("constant", value)
    return found


def trim_internal(x: Any, axes: Any, boundary: Any = None) -> Array:
    """Return `x` without what `overlap` added to its blocks.

    Parameters
    ----------
    x : Array
    axes : int, tuple or dict
        The depth given to `overlap`.
    boundary : str, number, tuple or dict, optional
        The boundary given to `overlap`.

    Returns
    -------
    Array
    """
    array = asarray(x)
    depths, boundaries = _depths(axes, array.ndim), _boundaries(boundary, array.ndim)
    cuts = {}
    for axis, (before, after) in depths.items():
        count = len(array.chunks[axis])
        bare = boundaries[axis][0] == "none"
        cuts[axis] = [
            (0 if bare and not place else before, 0 if bare and place == count - 1 else after)
            for place in range(count)
        ]
    return _trimmed(array, cuts)


def trim_overlap(x: Any, depth: Any, boundary: Any = None) -> Array:
    """Return `x` without what `overlap` added; see `trim_internal`."""
    return trim_internal(x, depth, boundary)


def _trimmed(array: Array, cuts: Mapping[int, list[tuple[int, int]]]) -> Array:
    per_axis = [cuts.get(axis, [(0, 0)] * len(sizes)) for axis, sizes in enumerate(array.chunks)]
    grid = tuple(
        tuple(size - sum(pair) for size, pair in zip(sizes, pairs, strict=True))
        for sizes, pairs in zip(array.chunks, per_axis, strict=True)
    )
    if grid == array.chunks:
        return array
    layout = ArraySchema(grid, array.dtype)
    labels = tuple(range(array.ndim))
    trim = Opaque(_Trim(layout, per_axis))
    node = BlockwiseArray(layout, (array.plan,), (labels,), trim, "trim", numbered=True, copies=0.0)
    return Array(noted(node))


class _Trim:
    def __init__(self, layout: ArraySchema, cuts: list[list[tuple[int, int]]]) -> None:
        self.layout = layout
        self.cuts = cuts

    def __call__(self, number: int, block: Any) -> np.ndarray:
        return trimmed(self.cuts, self.layout.position(number), np.asarray(block))


def map_overlap(
    func: Callable[..., Any],
    *args: Any,
    depth: Any = None,
    boundary: Any = None,
    trim: bool = True,
    align_arrays: bool = True,
    allow_rechunk: bool = True,
    **kwargs: Any,
) -> Array:
    """Apply a function to each block together with elements of its neighbours.

    Parameters
    ----------
    func : callable
        Gives a block of the shape that it got, or what ``chunks=`` tells.
    *args
        Arrays, which broadcast; anything else is passed to every call as it is.
    depth, boundary : int, tuple, dict or list of these
        See `overlap`; a list has one entry per array.
    trim : bool
        Cut what was added off again.
    align_arrays : bool
        Cut the arrays along the same lines.
    allow_rechunk : bool
        Accepted for compatibility.
    **kwargs
        As for `map_blocks`, and what is passed to `func`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> x = da.arange(6, chunks=3)
    >>> da.map_overlap(lambda b: b + np.roll(b, 1), x, depth=1, boundary=0, dtype=int).compute()
    array([0, 1, 3, 5, 7, 9])
    """
    if not callable(func):
        raise TypeError("map_overlap: the first argument must be a function")
    places = [place for place, value in enumerate(args) if isinstance(value, Array)]
    arrays = [args[place] for place in places]
    if not arrays:
        raise ValueError("map_overlap needs an Array")
    per_array = isinstance(depth, list)
    depths = depth if per_array else [_for(depth, array, arrays) for array in arrays]
    bounds = boundary if isinstance(boundary, list) else [_for(boundary, a, arrays) for a in arrays]
    if len(depths) != len(arrays) or len(bounds) != len(arrays):
        raise ValueError(f"map_overlap: {len(arrays)} arrays, {len(depths)} depths")
    ndim = max(array.ndim for array in arrays)
    if align_arrays:
        labels = [tuple(range(ndim - array.ndim, ndim)) for array in arrays]
        _, arrays = unified(arrays, labels, getattr(func, "__name__", "map_overlap"))
    made = [
        _depths(0 if each is None else each, a.ndim) for each, a in zip(depths, arrays, strict=True)
    ]
    edges = [_boundaries(each, a.ndim) for each, a in zip(bounds, arrays, strict=True)]
    values = list(args)
    for place, array, how, edge in zip(places, arrays, made, edges, strict=True):
        values[place] = _extended(array, how, edge)
    result = map_blocks(func, *values, **kwargs)
    if not trim:
        return result
    main = max(range(len(arrays)), key=lambda place: arrays[place].ndim)
    before = arrays[main]
    cuts = {
        axis: [each.sizes for each in margins(before.chunks[axis], *sizes, edges[main][axis][0])]
        for axis, sizes in made[main].items()
        if any(sizes) and before.shape[axis]
    }
    return _trimmed(result, _moved(cuts, ndim, kwargs, result))


def _for(given: Any, array: Array, arrays: list[Array]) -> Any:
    """Return what is given for the widest array as it is for one of fewer axes."""
    ndim = max(each.ndim for each in arrays)
    missing = ndim - array.ndim
    if not missing or not isinstance(given, Mapping | tuple | list):
        return given
    per_axis = _per_axis(given, ndim)
    return {axis - missing: value for axis, value in per_axis.items() if axis >= missing}


def _moved(
    cuts: dict[int, list[tuple[int, int]]], ndim: int, kwargs: dict[str, Any], result: Array
) -> dict[int, list[tuple[int, int]]]:
    """Return the cuts of the axes of the result, where some were dropped and others added."""
    dropped = {axis % ndim for axis in _axes(kwargs.get("drop_axis"))}
    out: list[int | None] = [axis for axis in range(ndim) if axis not in dropped]
    added = _axes(kwargs.get("new_axis"))
    for axis in sorted(range(len(out) + len(added))[axis] for axis in added):
        out.insert(axis, None)
    moved = {place: cuts[axis] for place, axis in enumerate(out) if axis in cuts}
    return {place: each for place, each in moved.items() if len(each) == len(result.chunks[place])}

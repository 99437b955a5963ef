"""Elements moved, repeated, padded, inserted and left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.base import (
    ArrayBase,
    Axes,
    as_array,
    axes_of,
    axis_of,
    even_chunks,
    need_known,
    wrap,
)
from penstock.collections.arrays.creation import full
from penstock.collections.arrays.elementwise import astype
from penstock.collections.arrays.indexing import compressed, sliced, take
from penstock.collections.arrays.join import concatenate
from penstock.collections.arrays.shape import (
    broadcast_to,
    expand_dims,
    moveaxis,
    ravel,
    reshape,
    transpose,
)
from penstock.engine.kernels.chunks import Grid
from penstock.engine.nodes.arrays.take import TakeArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError

_ALL = slice(None)


def along(axis: int, part: Any, ndim: int) -> tuple[Any, ...]:
    """Return an index that takes `part` of one axis and all of the others."""
    return tuple(part if k == axis else _ALL for k in range(ndim))


def flip(m: Any, axis: Axes = None) -> Any:
    """Return `m` with the elements along `axis` (all by default) reversed."""
    m = as_array(m)
    axes = axes_of(axis, m.ndim)
    return sliced(m, tuple(slice(None, None, -1) if k in axes else _ALL for k in range(m.ndim)))


def flipud(m: Any) -> Any:
    """Return `m` upside down."""
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """Return `m` left to right."""
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Return `m` turned by 90 degrees `k` times, from the first of `axes` to the second."""
    m = as_array(m)
    first, second = (axis_of(axis, m.ndim) for axis in axes)
    if first == second:
        raise ValueError("axes must be different")
    turns = k % 4
    if turns == 0:
        return m
    if turns == 2:
        return flip(m, (first, second))
    order = list(range(m.ndim))
    order[first], order[second] = order[second], order[first]
    if turns == 1:
        return transpose(flip(m, second), order)
    return flip(transpose(m, order), second)


def roll(array: Any, shift: Any, axis: Any = None) -> Any:
    """Return `array` with elements shifted along `axis`, those that fall off put in front."""
    array = as_array(array)
    if axis is None:
        return reshape(roll(ravel(array), shift, 0), array.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, place in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        place = axis_of(place, array.ndim)
        extent = array.shape[place]
        by = by % extent if extent else 0
        if by:
            parts = [
                sliced(array, along(place, slice(extent - by, None), array.ndim)),
                sliced(array, along(place, slice(None, extent - by), array.ndim)),
            ]
            array = concatenate(parts, place)
    return array


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return `a` with each element along `axis` repeated."""
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    need_known("repeat", a)
    if isinstance(repeats, ArrayBase):
        repeats = repeats.compute()
    times = np.broadcast_to(np.asarray(repeats), (a.shape[axis],))
    if (times < 0).any():
        raise ValueError("repeats must not be negative")
    return take(a, np.repeat(np.arange(a.shape[axis]), times), axis)


def tile(A: Any, reps: Any) -> Any:
    """Return `A` repeated `reps` times along each axis."""
    A = as_array(A)
    times = (reps,) if isinstance(reps, int | np.integer) else tuple(reps)
    if any(each < 0 for each in times):
        raise ValueError("reps must not be negative")
    ndim = max(len(times), A.ndim)
    times = (1,) * (ndim - len(times)) + times
    A = expand_dims(A, tuple(range(ndim - A.ndim)))
    for axis, each in enumerate(times):
        if each == 0:
            A = sliced(A, along(axis, slice(0, 0), ndim))
        elif each > 1:
            A = concatenate([A] * each, axis)
    return A


_BY_POSITION = {"edge", "wrap", "reflect", "symmetric"}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Return `array` with elements added at the ends of axes, as `numpy.pad`.

    Parameters
    ----------
    array : Array
    pad_width : int, sequence or dict
    mode : str
        ``constant``, ``edge``, ``wrap``, ``reflect``, ``symmetric``,
        ``linear_ramp``, ``maximum``, ``minimum``, ``mean`` or ``empty``.
    **kwargs
        ``constant_values``, ``end_values``, ``reflect_type="even"``.

    Returns
    -------
    Array
    """
    array = as_array(array)
    need_known("pad", array)
    if isinstance(pad_width, dict):
        widths = [(0, 0)] * array.ndim
        for axis, width in pad_width.items():
            pair = (width, width) if isinstance(width, int) else tuple(width)
            widths[axis_of(axis, array.ndim)] = pair
    else:
        widths = [tuple(w) for w in np.broadcast_to(pad_width, (array.ndim, 2)).tolist()]
    if any(width < 0 for pair in widths for width in pair):
        raise ValueError("pad_width must not be negative")
    if mode in _BY_POSITION:
        if kwargs.get("reflect_type", "even") != "even":
            raise UnsupportedError("pad: only reflect_type='even' is supported")
        for axis, pair in enumerate(widths):
            if any(pair):
                at = np.pad(np.arange(array.shape[axis]), pair, mode=mode)
                array = take(array, at, axis)
        return array
    if mode == "empty":
        mode, kwargs = "constant", {}
    if mode not in ("constant", "linear_ramp", "maximum", "minimum", "mean"):
        raise UnsupportedError(f"pad: mode {mode!r} is not supported")
    if kwargs.get("stat_length") is not None:
        raise UnsupportedError("pad: stat_length is not supported")
    ends = kwargs.get("constant_values" if mode == "constant" else "end_values", 0)
    values = np.broadcast_to(ends, (array.ndim, 2))
    for axis, (before, after) in enumerate(widths):
        parts = [array]
        if before:
            parts.insert(0, _padding(array, axis, before, mode, values[axis, 0], True))
        if after:
            parts.append(_padding(array, axis, after, mode, values[axis, 1], False))
        array = concatenate(parts, axis)
    return array


def _padding(array: Any, axis: int, width: int, mode: str, value: Any, front: bool) -> Any:
    """Return what is added at one end of an axis."""
    sizes = even_chunks(width, max(array.chunks[axis]))
    shape = (*array.shape[:axis], width, *array.shape[axis + 1 :])
    chunks = (*array.chunks[:axis], sizes, *array.chunks[axis + 1 :])
    if mode == "constant":
        return full(shape, np.asarray(value).astype(array.dtype)[()], array.dtype, chunks)
    if mode == "linear_ramp":
        edge = sliced(array, along(axis, slice(0, 1) if front else slice(-1, None), array.ndim))
        share = np.arange(width) / width
        lifted = expand_dims(
            as_array(share if front else share[::-1]),
            tuple(k for k in range(array.ndim) if k != axis),
        )
        ramp = value + (edge - value) * lifted
        if array.dtype.kind in "iu":
            ramp = np.rint(ramp) if mode == "mean" else np.trunc(ramp)
        return astype(ramp, array.dtype)
    name = {"maximum": "max", "minimum": "min", "mean": "mean"}[mode]
    edge = getattr(array, name)(axis=axis, keepdims=True)
    if mode == "mean" and array.dtype.kind in "iu":
        edge = np.rint(edge)
    return broadcast_to(astype(edge, array.dtype), shape, chunks)


def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Return the elements along `axis` where `condition` holds."""
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    if not isinstance(condition, ArrayBase):
        at = np.flatnonzero(np.asarray(condition))
        return take(a, at, axis)
    short = condition.shape[0] < a.shape[axis]
    inside = sliced(a, along(axis, slice(0, condition.shape[0]), a.ndim)) if short else a
    return compressed(inside, astype(condition, bool), axis)


def extract(condition: Any, arr: Any) -> Any:
    """Return the elements of the flattened array where `condition` holds."""
    condition = condition if isinstance(condition, ArrayBase) else np.asarray(condition)
    if isinstance(condition, np.ndarray):
        return compress(condition.ravel(), ravel(as_array(arr)), 0)
    return compress(ravel(condition), ravel(as_array(arr)), 0)


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Return `arr` without the elements at `obj` along `axis`."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = axis_of(axis, arr.ndim)
    kept = np.delete(np.arange(arr.shape[axis]), obj)
    return take(arr, kept, axis)


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Return `arr` with `values` inserted before the positions `obj` along `axis`."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = axis_of(axis, arr.ndim)
    extent = arr.shape[axis]
    single = np.ndim(obj) == 0 and not isinstance(obj, slice)
    places = np.arange(extent)[obj] if isinstance(obj, slice) else np.atleast_1d(obj)
    if places.dtype == bool:
        places = np.flatnonzero(places)
    places = np.where(places < 0, places + extent, places)
    if ((places < 0) | (places > extent)).any():
        raise IndexError(f"positions {places} are out of bounds for axis {axis} of size {extent}")
    values = as_array(values)
    if single and values.ndim and values.ndim == arr.ndim:
        count = values.shape[axis]
        places = np.repeat(places, count)
    elif single and values.ndim and arr.ndim == 1:
        places = np.repeat(places, values.shape[0])
    elif single and values.ndim:
        values = expand_dims(values, axis) if values.ndim < arr.ndim else values
    shape = (*arr.shape[:axis], len(places), *arr.shape[axis + 1 :])
    values = astype(broadcast_to(values, shape), arr.dtype)
    order = np.argsort(places, kind="stable")
    if not (order == np.arange(len(order))).all():
        values = take(values, order, axis)
    places = places[order]
    parts, before = [], 0
    for start in sorted(set(places.tolist())):
        if start > before:
            parts.append(sliced(arr, along(axis, slice(before, start), arr.ndim)))
        run = np.flatnonzero(places == start)
        chosen = slice(int(run[0]), int(run[-1]) + 1)
        parts.append(sliced(values, along(axis, chosen, arr.ndim)))
        before = start
    if before < extent:
        parts.append(sliced(arr, along(axis, slice(before, None), arr.ndim)))
    return concatenate(parts, axis)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return a diagonal of two axes, as a new last axis."""
    a = as_array(a)
    need_known("diagonal", a)
    one, two = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    if one == two:
        raise ValueError("axis1 and axis2 cannot be the same")
    rows, columns = a.shape[one], a.shape[two]
    count = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    at = np.arange(count)
    points = (at - min(offset, 0), at + max(offset, 0))
    front = moveaxis(a, (one, two), (0, 1))
    rest = front.chunks[2:]
    sizes = even_chunks(count, max(front.chunks[0]))
    selectors: tuple[Any, ...] = (Opaque(points), *((0, 1) for _ in rest))
    node = TakeArray(front.plan, selectors, Grid((sizes, *rest)), "diagonal", 2)
    return moveaxis(wrap(node), 0, -1)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """Return the sum of a diagonal."""
    return diagonal(a, offset, axis1, axis2).sum(axis=-1, dtype=dtype)

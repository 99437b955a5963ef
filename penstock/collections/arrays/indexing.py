"""Indexing of arrays: slices, positions, masks, points and assignment."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.base import (
    ArrayBase,
    as_array,
    axis_of,
    even_chunks,
    need_known,
    wrap,
)
from penstock.collections.arrays.creation import chunk_bytes
from penstock.collections.arrays.elementwise import unify_chunks_of
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.shape import expand_dims, moveaxis, ravel, reshape
from penstock.engine.kernels.chunks import ArraySchema, Grid
from penstock.engine.nodes.arrays.grid import PickBlocks
from penstock.engine.nodes.arrays.slice import SliceArray
from penstock.engine.nodes.arrays.take import TakeArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError

_ALL = slice(None)


def sliced(array: Any, index: Any) -> Any:
    """Return what `index` takes of `array`, as NumPy does.

    Parameters
    ----------
    array : Array
    index : int, slice, Ellipsis, None, array of int or bool, or a tuple of these
        Boolean Arrays give chunks of unknown size.

    Raises
    ------
    IndexError
        When an index is out of bounds or there are too many.
    UnsupportedError
        When sizes of chunks that are needed are not known.
    """
    parts = expanded(array, index)
    if any(is_lazy_mask(part) for part in parts):
        return _masked(array, parts)
    parts = [concrete(part) for part in parts]
    parts = without_masks(array, parts)
    lists = [place for place, part in enumerate(parts) if isinstance(part, np.ndarray)]
    if not lists:
        result = _basic(array, [part for part in parts if part is not None])
        axes, kept = [], 0
        for part in parts:
            if part is None:
                axes.append(kept)
                kept += 1
            elif isinstance(part, slice):
                kept += 1
        return expand_dims(result, tuple(axes)) if axes else result
    return _advanced(array, parts)


def expanded(array: Any, index: Any) -> list[Any]:
    """Return one part per axis, plus None for each new axis."""
    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [np.asarray(part) if isinstance(part, list) else part for part in parts]
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can have only one ellipsis")
    used = sum(_axes_used(part) for part in parts)
    if used > array.ndim:
        raise IndexError(f"{used} indices for an array of {array.ndim} axes")
    place = dots[0] if dots else len(parts)
    return [*parts[:place], *[_ALL] * (array.ndim - used), *parts[place + bool(dots) :]]


def _axes_used(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, bool | np.bool_):
        return 0
    if isinstance(part, np.ndarray | ArrayBase) and part.dtype == bool:
        return int(part.ndim)
    return 1


def is_lazy_mask(part: Any) -> bool:
    """Return whether `part` of an index is a boolean Array."""
    return isinstance(part, ArrayBase) and part.dtype == bool


def concrete(part: Any) -> Any:
    """Return positions that are an Array in memory: they are few beside what they index."""
    if isinstance(part, ArrayBase):
        if part.dtype.kind not in "iu":
            raise IndexError(f"arrays used as indices must be of ints or bools, not {part.dtype}")
        part = part.compute()
        return int(part) if np.ndim(part) == 0 else np.asarray(part)
    if isinstance(part, bool | np.bool_):
        raise UnsupportedError("indexing with a single bool is not supported; use a mask")
    return part


def without_masks(array: Any, parts: Sequence[Any]) -> list[Any]:
    """Return `parts` with masks in memory replaced by positions."""
    result: list[Any] = []
    axis = 0
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype == bool:
            wanted = array.shape[axis : axis + part.ndim]
            if part.shape != wanted:
                raise IndexError(f"a mask of shape {part.shape} does not fit axes of {wanted}")
            result.extend(part.nonzero())
            axis += part.ndim
            continue
        if isinstance(part, np.ndarray):
            if part.size == 0:
                part = part.astype(np.intp)
            if part.dtype.kind not in "iu":
                raise IndexError(
                    f"arrays used as indices must be of ints or bools, not {part.dtype}"
                )
            part = _within(part, array.shape[axis], axis) if part.ndim else int(part)
        if isinstance(part, int | np.integer):
            part = _position(int(part), array.shape[axis], axis)
        elif part is not None and not isinstance(part, slice | np.ndarray):
            try:
                part = _position(operator.index(part), array.shape[axis], axis)
            except TypeError:
                raise IndexError(
                    f"indexing with {type(part).__name__} is not possible; use ints, slices, "
                    "None, ... and arrays of ints or bools"
                ) from None
        result.append(part)
        axis += part is not None
    return result


def _position(at: int, extent: int, axis: int) -> int:
    if extent != extent:
        raise UnsupportedError(
            f"the length of axis {axis} is not known; call compute_chunk_sizes() first"
        )
    if not -extent <= at < extent:
        raise IndexError(f"index {at} is out of bounds for axis {axis} of size {extent}")
    return at % extent


def _within(index: np.ndarray, extent: int, axis: int) -> np.ndarray:
    if extent != extent:
        raise UnsupportedError(
            f"the length of axis {axis} is not known; call compute_chunk_sizes() first"
        )
    if index.size and not (-extent <= index.min() and index.max() < extent):
        wrong = index[(index < -extent) | (index >= extent)].flat[0]
        raise IndexError(f"index {wrong} is out of bounds for axis {axis} of size {extent}")
    index = index.astype(np.int64)
    return np.where(index < 0, index + extent, index)


def _basic(array: Any, parts: Sequence[Any]) -> Any:
    """Return the result of ints within bounds and slices."""
    wanted: list[Any] = []
    for axis, (part, extent) in enumerate(zip(parts, array.shape, strict=True)):
        if not isinstance(part, slice):
            wanted.append(part)
            continue
        bounds = tuple(
            None if bound is None else operator.index(bound)
            for bound in (part.start, part.stop, part.step)
        )
        if extent == extent and slice(*bounds).indices(extent) == (0, extent, 1):
            bounds = (None, None, None)
        elif extent != extent and bounds != (None, None, None):
            raise UnsupportedError(
                f"the length of axis {axis} is not known; call compute_chunk_sizes() first"
            )
        wanted.append(bounds)
    if all(part == (None, None, None) for part in wanted):
        return array
    return wrap(SliceArray(array.plan, tuple(wanted)))


def _advanced(array: Any, parts: list[Any]) -> Any:
    """Return the result of an index that has arrays of positions."""
    lists = [place for place, part in enumerate(parts) if isinstance(part, np.ndarray)]
    # beside arrays, ints are arrays too, for the place that the new axes get
    listed = [place for place, part in enumerate(parts) if isinstance(part, np.ndarray | int)]
    together = listed == list(range(listed[0], listed[-1] + 1))
    basic = [_ALL if isinstance(part, np.ndarray) else part for part in parts if part is not None]
    shape = np.broadcast_shapes(*(parts[place].shape for place in lists))
    result = _basic(array, basic)
    axes: list[int] = []  # of the arrays, in what the ints have left
    front = 0  # axes before the first that is listed
    kept = 0
    new: list[int] = []
    for place, part in enumerate(parts):
        if place == listed[0]:
            front = kept + len(new)
        if part is None:
            new.append(kept + len(new))
            continue
        if isinstance(part, np.ndarray):
            axes.append(kept + len(new))
        kept += not isinstance(part, int)
    if new:
        result = expand_dims(result, tuple(new))
    if len(axes) == 1:
        result = take(result, parts[lists[0]].ravel(), axes[0])
        first = axes[0]
    else:
        flat = [np.broadcast_to(parts[place], shape).ravel() for place in lists]
        result, first = _points(result, axes, flat), 0
    if len(shape) != 1:
        result = reshape(result, (*result.shape[:first], *shape, *result.shape[first + 1 :]))
    to = front if together else 0
    count = len(shape)
    if to != first and count:
        result = moveaxis(result, range(first, first + count), range(to, to + count))
    return result


def _points(array: Any, axes: Sequence[int], points: Sequence[np.ndarray]) -> Any:
    """Return the elements at `points` of `axes`, as a new first axis."""
    need_known("indexing with several arrays", array)
    front = moveaxis(array, axes, range(len(axes)))
    joint = int(np.prod([max(front.chunks[axis]) for axis in range(len(axes))]))
    sizes = even_chunks(len(points[0]), max(joint, 1024))
    rest = front.chunks[len(axes) :]
    selectors: tuple[Any, ...] = (Opaque(tuple(points)), *((0, 1) for _ in rest))
    return wrap(TakeArray(front.plan, selectors, Grid((sizes, *rest)), "points", len(axes)))


def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    """Return the elements at `indices` along `axis`, as `numpy.take`.

    Parameters
    ----------
    a : Array
    indices : int or array-like of int
    axis : int, optional
        Without it, of the flattened array.

    Returns
    -------
    Array
    """
    a = as_array(a)
    if axis is None:
        return take(ravel(a), indices, 0)
    axis = axis_of(axis, a.ndim)
    if isinstance(indices, ArrayBase):
        indices = indices.compute()
    index = np.asarray(indices)
    if index.size == 0:
        index = index.astype(np.intp)
    if index.ndim != 1:
        before: tuple[Any, ...] = (_ALL,) * axis
        return sliced(a, (*before, int(index) if index.ndim == 0 else index))
    index = _within(index, a.shape[axis], axis)
    need_known("take", a)
    most = max(1, *a.chunks[axis])
    if len(index) > a.shape[axis]:  # repeated: many more small chunks would help nobody
        most = max(most, chunk_bytes() * most // max(1, a.plan.schema.block_nbytes))
    sizes = _taken_sizes(index, a.chunks[axis], most)
    selectors: list[Any] = [(0, 1)] * a.ndim
    selectors[axis] = Opaque(index)
    chunks = (*a.chunks[:axis], sizes, *a.chunks[axis + 1 :])
    return wrap(TakeArray(a.plan, tuple(selectors), Grid(chunks), "take"))


def _taken_sizes(index: np.ndarray, sizes: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return chunks for elements taken: where they are in order, cut where the input is cut."""
    if len(index) and (np.diff(index) >= 0).all():
        ends = np.searchsorted(index, np.cumsum(sizes))
        counts = np.diff(ends, prepend=0)
        return tuple(
            part for count in counts.tolist() if count for part in even_chunks(count, most)
        )
    return even_chunks(len(index), most)


# -- masks ------------------------------------------------------------------------------------


def _masked(array: Any, parts: Sequence[Any]) -> Any:
    """Return the result of an index with one lazy mask, beside slices and ints."""
    masks = [place for place, part in enumerate(parts) if is_lazy_mask(part)]
    others = [part for part in parts if not is_lazy_mask(part)]
    if len(masks) > 1 or any(not isinstance(p, slice | int | np.integer) for p in others):
        raise UnsupportedError(
            "a lazy mask can be combined with slices and ints only; index one after the other"
        )
    mask, axis = parts[masks[0]], masks[0]
    wanted = array.shape[axis : axis + mask.ndim]
    if mask.shape != wanted and mask._known and array._known:
        raise IndexError(f"a mask of shape {mask.shape} does not fit axes of {wanted}")
    basic = without_masks(array, [*parts[:axis], *[_ALL] * mask.ndim, *parts[axis + 1 :]])
    result = _basic(array, basic)
    axis -= sum(isinstance(part, int) for part in basic[:axis])
    if mask.ndim == 0:  # all or nothing, along a new axis
        return compressed(expand_dims(result, axis), reshape(mask, (1,)), axis)
    if mask.ndim == result.ndim:
        if mask.ndim > 1:
            result, mask = ravel(result), ravel(mask)
        return compressed(result, mask, 0)
    if mask.ndim > 1:
        flat = (*result.shape[:axis], -1, *result.shape[axis + mask.ndim :])
        return compressed(reshape(result, flat), ravel(mask), axis)
    return compressed(result, mask, axis)


def compressed(array: Any, mask: Any, axis: int) -> Any:
    """Return the elements of `array` where a mask along `axis` holds; sizes are then unknown."""
    lifted = expand_dims(mask, tuple(k for k in range(array.ndim) if k != axis))
    if array._known and mask._known:
        array, lifted = unify_chunks_of([array, lifted])
    chunks = list(array.chunks)
    chunks[axis] = (np.nan,) * len(chunks[axis])
    schema = array.plan.schema
    layout = ArraySchema(tuple(chunks), array.dtype, schema.block_items)
    return map_chunks(_Compress(axis), "mask", layout, array, lifted)


class _Compress:
    def __init__(self, axis: int) -> None:
        self.axis = axis

    def __call__(self, block: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return block.compress(mask.ravel(), self.axis)


# -- blocks and points ------------------------------------------------------------------------


class BlockView:
    """Blocks of an array by their numbers: ``x.blocks[0, 1:3]``."""

    def __init__(self, array: Any) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return self._array.numblocks

    @property
    def size(self) -> int:
        """Number of blocks."""
        return self._array.npartitions

    def __getitem__(self, index: Any) -> Any:
        parts = list(index) if isinstance(index, tuple) else [index]
        array = self._array
        if sum(isinstance(part, np.ndarray | list) for part in parts) > 1:
            raise ValueError("blocks takes at most one list of numbers")
        parts = expanded(array, tuple(parts))
        if any(part is None for part in parts):
            raise ValueError("blocks takes no new axes")
        numbers = []
        for part, count in zip(parts, array.numblocks, strict=True):
            taken = np.arange(count)[part]
            numbers.append(tuple(np.atleast_1d(taken).tolist()))
        return wrap(PickBlocks(array.plan, tuple(numbers)))

    def ravel(self) -> list[Any]:
        """Return every block as an Array of its own, in C order."""
        return [self[place] for place in np.ndindex(self.shape)]


class PointView:
    """Elements at points: ``x.vindex[[0, 1], [2, 3]]``; their axis comes first."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> Any:
        array = self._array
        parts = without_masks(array, [concrete(part) for part in expanded(array, index)])
        if any(part is None for part in parts):
            raise IndexError("vindex does not support None")
        lists = [axis for axis, part in enumerate(parts) if not isinstance(part, slice)]
        if not lists:
            return sliced(array, index)
        arrays = [np.asarray(parts[axis]) for axis in lists]
        shape = np.broadcast_shapes(*(each.shape for each in arrays))
        rest = [part if isinstance(part, slice) else _ALL for part in parts]
        result = _basic(array, rest)
        flat = [np.broadcast_to(each, shape).ravel() for each in arrays]
        if len(lists) == 1:
            result = moveaxis(take(result, flat[0], lists[0]), lists[0], 0)
        else:
            result = _points(result, lists, flat)
        return result if len(shape) == 1 else reshape(result, shape + result.shape[1:])


def shuffle(x: Any, indexer: Sequence[Sequence[int]], axis: int, chunks: Any = "auto") -> Any:
    """Return the elements along `axis` in the order of `indexer`, a list of positions per chunk.

    Parameters
    ----------
    x : Array
    indexer : list of list of int
        Each list becomes a chunk.
    axis : int
    chunks : object
        Accepted for compatibility.

    Returns
    -------
    Array
    """
    axis = axis_of(axis, x.ndim)
    groups = [list(group) for group in indexer if len(group)]
    moved = take(x, np.array([at for group in groups for at in group], np.intp), axis)
    return rechunk(moved, {axis: tuple(map(len, groups))})

"""The block grid of an array: chunk sizes per axis, and arithmetic on them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from penstock.errors import SchemaError, UnsupportedError
from penstock.records import record

Chunks = tuple[tuple[int, ...], ...]


@record
class ArraySchema:
    """What the blocks of an array hold: chunk sizes per axis, and the dtype.

    A chunk has at least one element along an axis, unless the axis is empty
    and has a single chunk of none. Blocks are numbered in C order.
    """

    chunks: Chunks
    dtype: np.dtype
    bound: int = 0
    """Elements that a block whose sizes are not known (NaN) has at most."""

    @cached_property
    def _hash(self) -> int:
        return hash((self.chunks, self.dtype, self.bound))

    def __hash__(self) -> int:
        return self._hash  # interning asks often and the sizes may be many

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis; ``numpy.nan`` itself where they are not known."""
        sums = map(sum, self.chunks)
        return tuple(np.nan if extent != extent else extent for extent in sums)  # type: ignore[misc]

    @cached_property
    def numblocks(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(map(len, self.chunks))

    @cached_property
    def nblocks(self) -> int:
        """Blocks of the whole grid."""
        return math.prod(self.numblocks)

    @cached_property
    def known(self) -> bool:
        """Whether all sizes are known."""
        return not any(size != size for size in self.shape)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all elements, at most."""
        if not self.known:
            return self.nblocks * self.block_nbytes
        return math.prod(self.shape) * self.dtype.itemsize

    @cached_property
    def block_items(self) -> int:
        """Elements of the largest block, at most."""
        return math.prod(map(max, self.chunks)) if self.known else self.bound

    @property
    def block_nbytes(self) -> int:
        """Bytes of the largest block, at most."""
        return self.block_items * self.dtype.itemsize

    @cached_property
    def starts(self) -> tuple[tuple[int, ...], ...]:
        """Position of each chunk's first element, along each axis."""
        return tuple((0, *accumulate(sizes[:-1])) for sizes in self.chunks)

    def position(self, block: int) -> tuple[int, ...]:
        """Return the place of block number `block` along each axis."""
        place = []
        for count in reversed(self.numblocks):
            block, at = divmod(block, count)
            place.append(at)
        return tuple(reversed(place))

    def block_shape(self, block: int) -> tuple[int, ...]:
        """Return the shape of block number `block`."""
        shape = []
        for sizes, count in self._from_last:
            block, at = divmod(block, count)
            shape.append(sizes[at])
        shape.reverse()
        return tuple(shape)

    @cached_property
    def _from_last(self) -> tuple[tuple[tuple[int, ...], int], ...]:
        return tuple((sizes, len(sizes)) for sizes in reversed(self.chunks))

    def region(self, block: int) -> tuple[slice, ...]:
        """Return the slices that block number `block` takes of the whole array."""
        place = self.position(block)
        return tuple(
            slice(starts[at], starts[at] + sizes[at])
            for starts, sizes, at in zip(self.starts, self.chunks, place, strict=True)
        )


@record
class Grid:
    """Sizes of chunks along each axis as one value, compared and hashed at once."""

    sizes: Chunks

    @cached_property
    def _hash(self) -> int:
        return hash(self.sizes)

    def __hash__(self) -> int:
        return self._hash


def schema_of(chunks: Chunks, dtype: np.dtype, bound: int = 0) -> ArraySchema:
    """Return a schema, its bound left out where all sizes are known."""
    known = not any(size != size for sizes in chunks for size in sizes)
    return ArraySchema(chunks, dtype, 0 if known else bound)


def normalize_chunks(
    chunks: Any,
    shape: Sequence[int],
    dtype: np.dtype,
    limit: int,
    stored: Sequence[int] | None = None,
) -> Chunks:
    """Return the sizes of the chunks along each axis.

    Parameters
    ----------
    chunks : int, str, tuple or dict
        Per axis an int, a tuple of sizes, -1 or None (the whole axis) or
        ``"auto"``; or one of these for all axes.
    shape : sequence of int
    dtype : dtype
    limit : int
        Bytes of a chunk that ``"auto"`` aims at.
    stored : sequence of int, optional
        Chunk shape in storage, of which ``"auto"`` takes multiples.

    Returns
    -------
    tuple of tuple of int

    Raises
    ------
    SchemaError
        When the chunks do not fit the shape.

    Examples
    --------
    >>> normalize_chunks((4, -1), (10, 3), np.dtype("f8"), 1 << 20)
    ((4, 4, 2), (3,))
    """
    per_axis = _per_axis(chunks, len(shape))
    known = [
        None if size == "auto" else _sizes(size, extent, axis)
        for axis, (size, extent) in enumerate(zip(per_axis, shape, strict=True))
    ]
    if any(sizes is None for sizes in known):
        known = _automatic(known, shape, max(1, dtype.itemsize), limit, stored)
    return tuple(sizes for sizes in known if sizes is not None)


def _per_axis(chunks: Any, ndim: int) -> list[Any]:
    if isinstance(chunks, Mapping):
        per_axis: list[Any] = [None] * ndim
        for axis, size in chunks.items():
            per_axis[axis] = size
        return per_axis
    if isinstance(chunks, np.integer):
        chunks = int(chunks)
    if chunks is None or isinstance(chunks, int | str):
        return [chunks] * ndim
    per_axis = list(chunks)
    if ndim == 1 and len(per_axis) != 1 and all(isinstance(c, int | np.integer) for c in per_axis):
        return [tuple(per_axis)]
    if len(per_axis) != ndim:
        raise SchemaError(
            f"chunks={chunks!r} has {len(per_axis)} entries, but the array has {ndim} axes"
        )
    return per_axis


def _sizes(size: Any, extent: int, axis: int) -> tuple[int, ...]:
    if isinstance(size, str):
        raise SchemaError(f"chunks={size!r} of axis {axis} is neither a size nor 'auto'")
    if size is None or (not isinstance(size, Sequence) and size == -1):
        return (extent,)
    if isinstance(size, int | np.integer):
        if size < 1 and extent:
            raise SchemaError(f"chunks of axis {axis} must be positive, not {size}")
        if not extent:
            return (0,)
        full, rest = divmod(extent, int(size))
        return (int(size),) * full + ((rest,) if rest else ())
    sizes = tuple(int(part) for part in size)
    if sum(sizes) != extent or any(part < 0 for part in sizes):
        raise SchemaError(f"chunks {sizes} of axis {axis} do not add up to its {extent} elements")
    return tuple(part for part in sizes if part) or (0,)


def _automatic(
    known: list[tuple[int, ...] | None],
    shape: Sequence[int],
    itemsize: int,
    limit: int,
    stored: Sequence[int] | None,
) -> list[tuple[int, ...] | None]:
    """Choose sizes for the axes that have none: `limit` bytes in whole stored chunks.

    As many of them along each axis as along the others, or a cube where nothing is stored.
    """
    free = [axis for axis, sizes in enumerate(known) if sizes is None]
    units = {axis: 1 if stored is None else max(1, int(stored[axis])) for axis in free}
    room = limit / itemsize / math.prod(units.values())
    for sizes in known:
        if sizes is not None:
            room /= max(1, *sizes)
    result = list(known)
    counts = {axis: max(1, -(-shape[axis] // units[axis])) for axis in free}
    # short axes first: what they do not use is left for the long ones
    for place, axis in enumerate(sorted(free, key=lambda a: counts[a])):
        share = max(1.0, room) ** (1 / (len(free) - place))
        count = min(int(share), counts[axis])
        size = max(1, min(count * units[axis], shape[axis]))
        result[axis] = _sizes(size, shape[axis], axis)
        room /= count
    return result


def broadcast_chunks(name: str, grids: Sequence[Chunks]) -> Chunks:
    """Return the chunks of the result of an elementwise operation.

    Raises
    ------
    SchemaError
        When the shapes do not broadcast.
    UnsupportedError
        When they do but the chunks differ.
    """
    ndim = max(map(len, grids))
    result: list[tuple[int, ...]] = []
    for axis in range(-ndim, 0):
        distinct = {grid[axis] for grid in grids if len(grid) >= -axis}
        wide = {sizes for sizes in distinct if len(sizes) != 1 or sizes[0] != 1}
        if len(wide) > 1 and _fits_unknown(wide):
            result.append(max(wide, key=lambda sizes: sizes[0] != sizes[0]))
            continue
        if len(wide) > 1:
            shapes = [tuple(map(sum, grid)) for grid in grids]
            if len({sum(sizes) for sizes in wide}) > 1:
                raise SchemaError(f"{name}: shapes {shapes} do not broadcast")
            shown = " and ".join(_shown(sizes) for sizes in sorted(wide))
            raise UnsupportedError(
                f"{name}: along axis {ndim + axis} the chunks are {shown}; operands need the "
                "same chunks: make the arrays with equal chunks="
            )
        result.append(wide.pop() if wide else (1,))
    return tuple(result)


def _fits_unknown(wide: set[tuple[int, ...]]) -> bool:
    """Return whether grids may be the same, one of them with sizes that are not known."""
    unknown = any(size != size for sizes in wide for size in sizes)
    return unknown and len(set(map(len, wide))) == 1


def _shown(sizes: tuple[int, ...]) -> str:
    return str(sizes) if len(sizes) <= 6 else f"({', '.join(map(str, sizes[:5]))}, ...)"


def broadcast_blocks(ids: np.ndarray, numblocks: tuple[int, ...], to: ArraySchema) -> np.ndarray:
    """Return, for each block of the grid `to`, which of the blocks `ids` lies over it."""
    grid = np.broadcast_to(ids.reshape(numblocks), to.numblocks)
    return np.ascontiguousarray(grid).ravel()


@record
class AxisSlice:
    """What a slice takes of one axis: blocks, and the part of each.

    Attributes
    ----------
    blocks : tuple of int
        Blocks of the input, in the order of the result.
    parts : tuple of slice or int
        What is taken of each; an int drops the axis.
    sizes : tuple of int
        Elements taken of each.
    """

    blocks: tuple[int, ...]
    parts: tuple[slice | int, ...]
    sizes: tuple[int, ...]

    @property
    def drops(self) -> bool:
        """Whether the axis is not in the result."""
        return isinstance(self.parts[0], int)


def slice_axis(index: slice | int, sizes: tuple[int, ...]) -> AxisSlice:
    """Return what `index`, within bounds, takes of an axis with chunks of `sizes`.

    Examples
    --------
    >>> slice_axis(slice(3, 6), (4, 4)).sizes
    (1, 2)
    """
    starts = [0, *accumulate(sizes)]
    if isinstance(index, int):
        block = bisect_right(starts, index) - 1
        return AxisSlice((block,), (index - starts[block],), (1,))
    wanted = range(*index.indices(starts[-1]))
    if not wanted:
        return AxisSlice((0,), (slice(0, 0),), (0,))
    step = wanted.step
    low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
    blocks, parts, counts = [], [], []
    stride = abs(step)
    for block in range(bisect_right(starts, low) - 1, len(sizes)):
        start, stop = starts[block], starts[block + 1]
        if start > high:
            break
        first = low + max(0, -(-(start - low) // stride)) * stride
        last = min(high, low + (stop - 1 - low) // stride * stride)
        if first > last:
            continue
        first, last = first - start, last - start
        if step > 0:
            part = slice(first, last + 1, step)
        else:
            part = slice(last, first - 1 if first else None, step)
        blocks.append(block)
        parts.append(part)
        counts.append((last - first) // stride + 1)
    order = slice(None) if step > 0 else slice(None, None, -1)
    return AxisSlice(tuple(blocks[order]), tuple(parts[order]), tuple(counts[order]))

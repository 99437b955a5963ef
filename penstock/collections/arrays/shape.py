"""Other shapes of the same elements: reshape, transpose, new and dropped axes, broadcasting."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.base import (
    as_array,
    axes_of,
    axis_of,
    even_chunks,
    need_known,
    wrap,
)
from penstock.collections.arrays.creation import chunk_bytes
from penstock.collections.arrays.rechunk import rechunk
from penstock.engine.kernels.chunks import Chunks, Grid
from penstock.engine.nodes.arrays.grid import BroadcastArray, ReshapeBlocks, TransposeArray

Shape = tuple[int, ...]


def reshape(x: Any, shape: Any, merge_chunks: bool = True, limit: Any = None,
            order: str = "C", copy: bool | None = None) -> Any:  # fmt: skip
    """Return the elements of `x`, in C order, in another shape.

    Chunks are moved only along the axes that change, and only as far as a
    chunk of the result needs to be a run of elements.

    Parameters
    ----------
    x : Array
    shape : int or tuple of int
        One may be -1.
    merge_chunks, limit : object
        Accepted for compatibility.
    order : {"C"}
    copy : bool, optional
        True gives an array of its own even where the shape is the same; False
        is what a lazy array does anyway.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> reshape(da.arange(6, chunks=4), (2, 3)).compute()
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    if order != "C":
        from penstock.errors import UnsupportedError

        raise UnsupportedError("reshape works in C order; transpose before and after for others")
    x = as_array(x)
    sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    wanted = tuple(-1 if size != size else operator.index(size) for size in sizes)
    if not x._known:
        return _reshape_unknown(x, wanted)
    if wanted.count(-1) > 1:
        raise ValueError("can only specify one unknown dimension")
    if -1 in wanted:
        rest = math.prod(size for size in wanted if size != -1)
        if rest == 0 or x.size % rest:
            raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
        wanted = tuple(x.size // rest if size == -1 else size for size in wanted)
    if math.prod(wanted) != x.size:
        raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
    if wanted == x.shape:
        return x.copy() if copy else x
    if x.size == 0:
        grid = tuple((size,) for size in wanted)
        return wrap(ReshapeBlocks(rechunk(x, -1).plan, Grid(grid)))
    return _reshaped(x, wanted)


def _reshape_unknown(x: Any, wanted: Shape) -> Any:
    if x.ndim == 1 and wanted == (-1,):
        return x
    if x.ndim > 1 and wanted == (-1,) and all(n == 1 for n in x.numblocks[1:]):
        unknown = (np.nan,) * x.numblocks[0]
        return wrap(ReshapeBlocks(x.plan, Grid((unknown,))))
    need_known("reshape", x)
    return x


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Return which neighbouring axes of one shape become which of the other."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        mine, its = [], []
        left = right = 1
        if i < len(before):
            left = before[i]
            mine.append(i)
            i += 1
        if j < len(after):
            right = after[j]
            its.append(j)
            j += 1
        while left != right:
            if left < right:
                left *= before[i]
                mine.append(i)
                i += 1
            else:
                right *= after[j]
                its.append(j)
                j += 1
        if (not mine or not its) and groups:  # axes of length 1 at the end
            groups[-1][0].extend(mine)
            groups[-1][1].extend(its)
        else:
            groups.append((mine, its))
    return groups


def _reshaped(x: Any, wanted: Shape) -> Any:
    groups = _groups(x.shape, wanted)
    target = max(x.plan.schema.block_items, chunk_bytes() // max(1, x.itemsize) // 8)
    # each group is flattened in runs, and cut anew in runs where the result needs it
    into: dict[int, tuple[int, ...]] = {}
    flat: list[tuple[int, ...]] = []
    finer: list[tuple[int, ...]] = []
    last: list[tuple[int, ...]] = []
    for mine, its in groups:
        others = math.prod(max(x.chunks[axis]) for axis in range(x.ndim) if axis not in mine)
        room = max(1, target // max(1, others))
        extents = [x.shape[axis] for axis in mine]
        chunks = [x.chunks[axis] for axis in mine]
        if len(mine) > 1:
            chunks = chunks if _is_run(chunks) else _runs(extents, chunks, room)
        into |= dict(zip(mine, chunks, strict=True))
        pieces = _run_sizes(chunks) if mine else (1,)
        flat.append(pieces)
        shape = [wanted[axis] for axis in its]
        grid = _grid_of(shape, pieces)
        if grid is None:
            grid = _runs(shape, [(extent,) for extent in shape], room)
            pieces = _run_sizes(grid)
        finer.append(pieces)
        last.extend(grid)
    array = rechunk(x, tuple(into[axis] for axis in range(x.ndim))) if x.ndim else x
    if tuple(finer) != tuple(flat):
        array = wrap(ReshapeBlocks(array.plan, Grid(tuple(flat))))
        array = rechunk(array, tuple(finer))
    return wrap(ReshapeBlocks(array.plan, Grid(tuple(last))))


def _is_run(chunks: Sequence[tuple[int, ...]]) -> bool:
    """Return whether blocks of so many are runs of the flattened axes: 1, 1, any, all, all."""
    place = 0
    while place < len(chunks) and max(chunks[place]) == 1:
        place += 1
    return all(len(sizes) == 1 for sizes in chunks[place + 1 :])


def _runs(
    shape: Sequence[int], chunks: Sequence[tuple[int, ...]], room: int
) -> list[tuple[int, ...]]:
    """Return chunks that are runs of about `room` elements."""
    sizes: list[tuple[int, ...]] = [()] * len(shape)
    inner = 1
    cut = False
    for axis in range(len(shape) - 1, -1, -1):
        extent = shape[axis]
        if cut:
            sizes[axis] = (1,) * extent
        elif inner * extent <= room:
            sizes[axis] = (extent,)
        else:
            most = max(1, room // inner)
            # whole chunks together, where they are small enough
            known = max(chunks[axis])
            even = len(chunks[axis]) > 1 and known <= most
            fits = even and 2 * known > most
            most = most // known * known if even else most
            sizes[axis] = chunks[axis] if fits else even_chunks(extent, most)
            cut = True
        inner *= extent
    return sizes


def _run_sizes(chunks: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return how many elements each block of a group has, in C order."""
    counts = np.ones((), np.int64)
    for sizes in chunks:
        counts = counts[..., None] * np.asarray(sizes, np.int64)
    return tuple(counts.ravel().tolist())


def _grid_of(shape: Sequence[int], pieces: tuple[int, ...]) -> list[tuple[int, ...]] | None:
    """Return the chunks of `shape` whose blocks are runs of so many elements, if there are any."""
    if not shape:
        return [] if pieces == (1,) else None
    outer = 1
    for axis, extent in enumerate(shape):
        inner = math.prod(shape[axis + 1 :])
        # axes before are cut to 1, this one anyhow, those after not at all
        if len(pieces) % outer == 0:
            each = len(pieces) // outer
            first = pieces[:each]
            if (
                sum(first) == extent * inner
                and not any(piece % inner for piece in first)
                and pieces == first * outer
            ):
                return [
                    *((1,) * size for size in shape[:axis]),
                    tuple(piece // inner for piece in first),
                    *((size,) for size in shape[axis + 1 :]),
                ]
        outer *= extent
    return None


def ravel(x: Any, order: str = "C") -> Any:
    """Return the elements as one axis, in C order."""
    return reshape(x, (-1,), order=order)


def transpose(a: Any, axes: Any = None) -> Any:
    """Return `a` with its axes in another order, reversed by default."""
    a = as_array(a)
    if axes is None:
        order = tuple(range(a.ndim))[::-1]
    else:
        order = tuple(axis_of(axis, a.ndim) for axis in axes)
    if sorted(order) != list(range(a.ndim)):
        raise ValueError(f"axes {axes} are not those of an array of {a.ndim} axes")
    return a if order == tuple(range(a.ndim)) else wrap(TransposeArray(a.plan, order))


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Return `a` with two axes exchanged."""
    a = as_array(a)
    order = list(range(a.ndim))
    one, other = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[one], order[other] = order[other], order[one]
    return transpose(a, order)


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Return `a` with axes moved to new places."""
    a = as_array(a)
    sources = [axis_of(s, a.ndim) for s in np.atleast_1d(list(source) if isinstance(
        source, Iterable) else source)]  # fmt: skip
    targets = [axis_of(t, a.ndim) for t in np.atleast_1d(list(destination) if isinstance(
        destination, Iterable) else destination)]  # fmt: skip
    if len(sources) != len(targets):
        raise ValueError("source and destination must have as many axes")
    order = [axis for axis in range(a.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(a, order)


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Return `a` with one axis moved to before another."""
    a = as_array(a)
    axis = axis_of(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - (start > axis))


def expand_dims(a: Any, axis: Any) -> Any:
    """Return `a` with new axes of length 1 at these places of the result."""
    a = as_array(a)
    given = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    if not given:
        return a
    ndim = a.ndim + len(given)
    places = axes_of(given, ndim)
    rest = iter(a.chunks)
    chunks: Chunks = tuple((1,) if k in places else next(rest) for k in range(ndim))
    return wrap(ReshapeBlocks(a.plan, Grid(chunks)))


def squeeze(a: Any, axis: Any = None) -> Any:
    """Return `a` without axes of length 1."""
    a = as_array(a)
    if axis is None:
        axes = tuple(place for place, extent in enumerate(a.shape) if extent == 1)
    else:
        axes = axes_of(axis, a.ndim)
    if any(a.shape[place] != 1 for place in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    if not axes:
        return a
    if any(len(a.chunks[place]) != 1 for place in axes):
        a = rechunk(a, dict.fromkeys(axes, -1))
    chunks = tuple(sizes for place, sizes in enumerate(a.chunks) if place not in axes)
    return wrap(ReshapeBlocks(a.plan, Grid(chunks)))


def broadcast_to(x: Any, shape: Any, chunks: Any = None, meta: Any = None) -> Any:
    """Return `x` repeated to `shape`, without memory for it.

    Parameters
    ----------
    x : Array
    shape : tuple of int
    chunks : tuple, optional
        Of the result; those of `x` must be among them.
    meta : object
        Accepted for compatibility.

    Returns
    -------
    Array
    """
    x = as_array(x)
    wanted = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if x.shape == wanted and (chunks is None or tuple(chunks) == x.chunks):
        return x
    if np.broadcast_shapes(x.shape, wanted) != wanted:
        raise ValueError(f"cannot broadcast shape {x.shape} to shape {wanted}")
    from penstock.collections.arrays.creation import layout

    lead = len(wanted) - x.ndim
    if chunks is not None:
        grid = layout(wanted, x.dtype, chunks).chunks
    else:
        room = max(1, chunk_bytes() // max(1, x.itemsize * x.plan.schema.block_items))
        sizes: list[tuple[int, ...]] = []
        for axis, extent in enumerate(wanted):
            if axis >= lead and x.shape[axis - lead] == extent:
                sizes.append(x.chunks[axis - lead])
                continue
            size = max(1, min(extent, room))
            room = max(1, room // size)
            sizes.append(even_chunks(extent, size))
        grid = tuple(sizes)
    own = tuple(grid[axis + lead] if extent != 1 else (1,) for axis, extent in enumerate(x.shape))
    x = expand_dims(rechunk(x, own) if x.ndim else x, tuple(range(lead)))
    return wrap(BroadcastArray(x.plan, Grid(grid)))


def broadcast_arrays(*args: Any, subok: bool = False) -> list[Any]:
    """Return `args` repeated to the shape that they have together."""
    from penstock.collections.arrays.elementwise import unify_chunks_of

    arrays = unify_chunks_of([as_array(arg) for arg in args])
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    chunks: list[tuple[int, ...]] = []
    for axis in range(-len(shape), 0):
        found = [a.chunks[axis] for a in arrays if a.ndim >= -axis]
        chunks.append(next((sizes for sizes in found if sum(sizes) == shape[axis]), found[0]))
    return [broadcast_to(array, shape, tuple(chunks)) for array in arrays]


def atleast_1d(*arys: Any) -> Any:
    """Return arrays with one axis at least."""
    made = [reshape(a, (1,)) if a.ndim == 0 else a for a in map(as_array, arys)]
    return made[0] if len(made) == 1 else made


def atleast_2d(*arys: Any) -> Any:
    """Return arrays with two axes at least; new ones come first."""
    made = [expand_dims(a, tuple(range(2 - a.ndim))) for a in map(as_array, arys)]
    return made[0] if len(made) == 1 else made


def atleast_3d(*arys: Any) -> Any:
    """Return arrays with three axes at least."""
    made = []
    for a in map(as_array, arys):
        new: tuple[int, ...] = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}.get(a.ndim, ())
        made.append(expand_dims(a, new))
    return made[0] if len(made) == 1 else made


def ndim(a: Any) -> int:
    """Return the number of axes."""
    return as_array(a).ndim


def shape(a: Any) -> Shape:
    """Return the elements along each axis."""
    return as_array(a).shape

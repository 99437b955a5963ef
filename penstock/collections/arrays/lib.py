"""Windows that slide over an array (`penstock.array.lib.stride_tricks`)."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.overlap import overlap
from penstock.collections.arrays.storage import asarray
from penstock.engine.kernels.chunks import ArraySchema
from penstock.errors import UnsupportedError


def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, subok: bool = False, writeable: bool = False,
    automatic_rechunk: bool = True,
) -> Array:  # fmt: skip
    """Return all windows over an array, along new last axes, as NumPy's function of this name.

    Blocks are views: a window takes no memory of its own until it is changed.

    Parameters
    ----------
    x : Array
    window_shape : int or tuple of int
    axis : int or tuple of int, optional
        Along which windows slide; by default all axes in order.
    subok : bool
        Accepted for compatibility.
    writeable : bool
        Only False.
    automatic_rechunk : bool
        Accepted for compatibility: blocks do not grow.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> da.lib.stride_tricks.sliding_window_view(da.arange(4, chunks=2), 3).compute()
    array([[0, 1, 2],
           [1, 2, 3]])
    """
    if writeable:
        raise UnsupportedError("windows over a lazy array cannot be written to")
    array = asarray(x)
    sizes = (window_shape,) if isinstance(window_shape, int | np.integer) else tuple(window_shape)
    given: list[int] = list(range(array.ndim))
    if axis is not None:
        given = [int(axis)] if isinstance(axis, int | np.integer) else [int(each) for each in axis]
    if len(given) != len(sizes):
        raise ValueError(f"{len(sizes)} windows for {len(given)} axes")
    axes = [range(array.ndim)[each] for each in given]
    widths = dict.fromkeys(range(array.ndim), 1)
    for place, size in zip(axes, sizes, strict=True):
        if size < 1:
            raise ValueError(f"a window of {size} elements")
        widths[place] += int(size) - 1
    for place, width in widths.items():
        if width > array.shape[place]:
            raise ValueError(
                f"a window of {width} elements is larger than axis {place} of {array.shape[place]}"
            )
    grid = [
        _started(parts, extent - widths[place] + 1)
        for place, (parts, extent) in enumerate(zip(array.chunks, array.shape, strict=True))
    ]
    wide = overlap(array, {place: (0, width - 1) for place, width in widths.items()}, None)
    if any(len(kept) < len(parts) for kept, parts in zip(grid, wide.chunks, strict=True)):
        wide = wide.blocks[tuple(slice(len(kept)) for kept in grid)]
    layout = ArraySchema((*grid, *((int(size),) for size in sizes)), array.dtype)
    view = partial(_windows, tuple(map(int, sizes)), tuple(axes))
    labels = [tuple(range(array.ndim))]
    return map_chunks(view, "windows", layout, wide, labels=labels, copies=0.0)


def _started(parts: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the sizes of the chunks that hold the first `count` elements."""
    kept = []
    for size in parts:
        if count <= 0:
            break
        kept.append(min(size, count))
        count -= size
    return tuple(kept)


def _windows(sizes: tuple[int, ...], axes: tuple[int, ...], block: Any) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(block, sizes, axes)


stride_tricks = SimpleNamespace(sliding_window_view=sliding_window_view)

"""Other chunks for an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from penstock.collections.arrays.base import axis_of, even_chunks, need_known, wrap
from penstock.collections.arrays.creation import layout
from penstock.engine.kernels.chunks import Chunks, Grid
from penstock.engine.nodes.arrays.take import TakeArray
from penstock.engine.nodes.map_blocks import Opaque


def rechunk(
    x: Any,
    chunks: Any = "auto",
    threshold: Any = None,
    block_size_limit: int | None = None,
    balance: bool = False,
    method: Any = None,
) -> Any:
    """Return `x` in other chunks, moved in one pass whatever the two grids.

    Parameters
    ----------
    x : Array
    chunks : int, tuple, dict or str
        Per axis an int, a tuple of sizes, -1 (the whole axis), None (as it
        is) or ``"auto"``; or one of these for all axes; or bytes such as
        ``"16MiB"``. A dict names axes; the others stay as they are.
    threshold, method : object
        Accepted for compatibility: there is one method.
    block_size_limit : int, optional
        Bytes that ``"auto"`` aims at.
    balance : bool
        Make chunks of an axis as equal as can be.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> da.ones((6, 4), chunks=(1, 4)).rechunk((3, 2)).chunks
    ((3, 3), (2, 2))
    """
    wanted = _wanted(x, chunks, block_size_limit)
    if balance:
        wanted = tuple(_balanced(sizes) for sizes in wanted)
    if wanted == x.chunks:
        return x
    need_known("rechunk", x)
    plan = x.plan
    if isinstance(plan, TakeArray):  # elements that are moved anyway go to these chunks at once
        return wrap(replace(plan, grid_sizes=Grid(wanted)))
    return wrap(TakeArray(plan, ((0, 1),) * x.ndim, Grid(wanted), "rechunk"))


def may_be_cut(x: Any, axis: int) -> bool:
    """Return whether chunks along `axis` may be any: elements there are picked one by one."""
    plan = x.plan
    return (
        isinstance(plan, TakeArray) and plan.joint == 1 and isinstance(plan.selectors[axis], Opaque)
    )


def _wanted(x: Any, chunks: Any, limit: int | None) -> Chunks:
    if isinstance(chunks, Mapping):
        sizes: list[Any] = list(x.chunks)
        for axis, size in chunks.items():
            place = axis_of(axis, x.ndim)
            sizes[place] = x.chunks[place] if size is None else size
        chunks = tuple(sizes)
    elif isinstance(chunks, tuple | list):
        if len(chunks) == x.ndim and not (
            x.ndim == 1 and isinstance(chunks[0], int | np.integer) and chunks[0] == x.shape[0]
        ):
            chunks = tuple(
                x.chunks[axis] if size is None else size for axis, size in enumerate(chunks)
            )
    elif chunks is None:
        return x.chunks
    if isinstance(chunks, tuple) and chunks == x.chunks:
        return x.chunks
    need_known("rechunk", x)
    if limit is not None:
        if chunks == "auto":
            chunks = f"{limit}B"
        elif isinstance(chunks, tuple):
            chunks = tuple(f"{limit}B" if size == "auto" else size for size in chunks)
    return layout(x.shape, x.dtype, chunks).chunks


def _balanced(sizes: tuple[int, ...]) -> tuple[int, ...]:
    extent = sum(sizes)
    return even_chunks(extent, -(-extent // len(sizes)))

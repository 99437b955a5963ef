"""Reductions made of the user's functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays.align import unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.program import Program
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.reduction import ReduceBlocks
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError

_SPLIT_EVERY = 8


def reduction(
    x: Any,
    chunk: Callable[..., Any],
    aggregate: Callable[..., Any],
    axis: Any = None,
    keepdims: bool = False,
    dtype: Any = None,
    split_every: Any = None,
    combine: Callable[..., Any] | None = None,
    name: Any = None,
    out: None = None,
    concatenate: bool = True,
    output_size: int = 1,
    meta: Any = None,
    weights: Any = None,
) -> Array:
    """Reduce axes through functions of blocks, a few at a time.

    Parameters
    ----------
    x : Array
    chunk : callable
        ``chunk(block, axis=, keepdims=True)``: what a block contributes.
    aggregate : callable
        ``aggregate(parts, axis=, keepdims=)``: the result.
    axis : int or sequence of int, optional
    keepdims : bool
    dtype : dtype
        Of the result; needed unless `meta` is given.
    split_every : int or dict, optional
        Parts that are combined at a time.
    combine : callable, optional
        ``combine(parts, axis=, keepdims=True)``; `aggregate` by default.
    name : object
        Accepted for compatibility.
    out : None
    concatenate : bool
        Parts come joined as one array; otherwise as a list.
    output_size : int
        Length of reduced axes in the result, when they are kept.
    meta : ndarray, optional
        An empty array of the dtype of the result.
    weights : Array, optional
        Given to `chunk` as ``weights``.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> da.reduction(da.arange(6, chunks=2), np.sum, np.sum, dtype=int).compute()
    np.int64(15)
    """
    if out is not None:
        raise UnsupportedError("reduction of a lazy array cannot write to out=")
    if dtype is None and meta is None:
        raise ValueError("reduction needs the dtype of the result")
    array = asarray(x)
    given = range(array.ndim) if axis is None else (axis,) if np.ndim(axis) == 0 else axis
    axes = tuple(sorted(range(array.ndim)[int(each)] for each in given))
    arrays = [array]
    if weights is not None:
        from penstock.collections.arrays.shape import broadcast_to

        arrays.append(broadcast_to(asarray(weights), array.shape))
    labels = [tuple(range(array.ndim))] * len(arrays)
    _, arrays = unified(arrays, labels, "reduction")
    chunks = tuple(
        (output_size,) if place in axes else sizes
        for place, sizes in enumerate(arrays[0].chunks)
        if keepdims or place not in axes
    )
    every = split_every
    if isinstance(every, Mapping):
        every = int(np.prod(list(every.values()))) if every else None
    node = ReduceBlocks(
        tuple(each.plan for each in arrays),
        axes,
        Opaque((chunk, combine or aggregate, aggregate)),
        bool(keepdims),
        bool(concatenate),
        int(output_size),
        max(2, int(every or _SPLIT_EVERY)),
        ArraySchema(chunks, np.dtype(meta.dtype if dtype is None else dtype)),
    )
    return Array(noted(node))


def cumreduction(
    func: Callable[..., Any],
    binop: Callable[[Any, Any], Any],
    ident: Any,
    x: Any,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    method: str = "sequential",
    preop: Callable[..., Any] | None = None,
) -> Array:
    """Accumulate along an axis through functions of the user's.

    Parameters
    ----------
    func : callable
        ``func(block, axis=)``: the block accumulated.
    binop : callable
        ``binop(before, block)``: a block after what the blocks before it gave.
    ident : object
        What the first block comes after.
    x : Array
    axis : int, optional
        By default the elements of all axes are taken as one.
    dtype : dtype, optional
        Of the result.
    out : None
    method, preop : object
        Accepted for compatibility: what a block gives is its last slice.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np, operator, penstock.array as da
    >>> da.cumreduction(np.cumsum, operator.add, 0, da.arange(4, chunks=2), axis=0).compute()
    array([0, 1, 3, 6])
    """
    if out is not None:
        raise UnsupportedError("cumreduction of a lazy array cannot write to out=")
    array = asarray(x)
    if axis is None:
        array, axis = array.reshape(-1), 0
    axis = range(array.ndim)[axis]
    if dtype is None:
        dtype = np.asarray(func(np.ones((1,) * array.ndim, array.dtype), axis=axis)).dtype
    program = Program("accumulate", array)
    grid = np.moveaxis(program.blocks(), axis, -1)
    results = np.empty(grid.shape, np.int64)
    for place in np.ndindex(grid.shape[:-1]):
        before: int | None = None
        for number in range(grid.shape[-1]):
            made = program.add(partial(func, axis=axis), int(grid[(*place, number)]))
            if before is None:
                made = program.add(partial(binop, ident), made)
            else:
                made = program.add(binop, before, made)
            results[(*place, number)] = made
            before = program.add(partial(_last_slice, axis), made)
    program.result(np.moveaxis(results, -1, axis), array.chunks, dtype)
    return program.arrays()[0]


def _last_slice(axis: int, block: Any) -> np.ndarray:
    index = (slice(None),) * axis + (slice(-1, None),)
    return np.array(block[index])

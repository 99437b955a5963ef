"""Arrays from lazy values, and their blocks as lazy values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.base import noted
from penstock.collections.delayed import Delayed, delayed, value_node
from penstock.engine.kernels.chunks import ArraySchema, Chunks
from penstock.engine.nodes.arrays.storage import BlockOf, FromValue
from penstock.errors import UnsupportedError


def from_delayed(
    value: Any, shape: Sequence[Any], dtype: Any = None, meta: Any = None, name: Any = None
) -> Array:
    """Return an Array of one chunk that a lazy call gives.

    Parameters
    ----------
    value : Delayed
        Gives something that NumPy makes an array of `shape` of.
    shape : tuple of int
    dtype : dtype
    meta : ndarray, optional
        An empty array of the dtype, in its place.
    name : object
        Accepted for compatibility.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np
    >>> from penstock import delayed
    >>> from_delayed(delayed(np.ones)(3), (3,), dtype=float).sum().compute()
    np.float64(3.0)
    """
    if dtype is None and meta is None:
        raise UnsupportedError("from_delayed needs the dtype: it is not computed to find out")
    kind = np.dtype(meta.dtype if dtype is None else dtype)
    extents: Chunks = tuple((size if size != size else int(size),) for size in shape)
    lazy = value if isinstance(value, Delayed) else delayed(value)
    return Array(noted(FromValue(ArraySchema(extents, kind), value_node(lazy))))


def to_delayed(x: Array, optimize_graph: bool = True) -> np.ndarray:
    """Return an array of `Delayed`, one for each block, in the shape of the grid of blocks.

    Parameters
    ----------
    x : Array
    optimize_graph : bool
        Accepted for compatibility.

    Returns
    -------
    ndarray of object
    """
    blocks = np.empty(x.numblocks, dtype=object)
    for number, place in enumerate(np.ndindex(*x.numblocks)):
        blocks[place] = Delayed(value_node(Array(BlockOf(x.plan, number))))  # type: ignore[arg-type]
    return blocks

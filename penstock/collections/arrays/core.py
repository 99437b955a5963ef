"""What Dask keeps in ``dask.array.core``, and what belongs to chunks (`penstock.array.core`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.align import unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.blockwise import blockwise, map_blocks
from penstock.collections.arrays.creation import layout
from penstock.collections.arrays.indexing import take
from penstock.collections.arrays.storage import asarray, from_array
from penstock.engine.kernels.chunks import Chunks
from penstock.errors import SchemaError

__all__ = [
    "Array",
    "asarray",
    "blockwise",
    "from_array",
    "map_blocks",
    "normalize_chunks",
    "shuffle",
    "unify_chunks",
]


def normalize_chunks(
    chunks: Any,
    shape: Any = None,
    limit: int | str | None = None,
    dtype: Any = None,
    previous_chunks: Any = None,
) -> Chunks:
    """Return the sizes of chunks along each axis.

    Parameters
    ----------
    chunks : int, tuple, dict or str
        See `from_array`.
    shape : tuple of int, optional
        Not needed when `chunks` holds all sizes.
    limit : int or str, optional
        Bytes that ``"auto"`` aims at.
    dtype : dtype, optional
        Needed for ``"auto"``.
    previous_chunks : tuple, optional
        Chunks of what is stored, of which ``"auto"`` takes whole ones.

    Returns
    -------
    tuple of tuple of int

    Examples
    --------
    >>> normalize_chunks((4, -1), shape=(6, 3))
    ((4, 2), (3,))
    """
    if shape is None:
        if not isinstance(chunks, tuple | list) or not all(
            isinstance(sizes, tuple | list) for sizes in chunks
        ):
            raise SchemaError(f"chunks={chunks!r} need the shape of the array")
        shape = tuple(map(sum, chunks))
    extents = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    stored = None
    if previous_chunks is not None and len(previous_chunks) == len(extents):
        stored = tuple(
            max(each) if isinstance(each, tuple | list) else int(each) for each in previous_chunks
        )
    if limit is not None:
        chunks = _with_limit(chunks, limit if isinstance(limit, str) else f"{limit}B")
    return layout(extents, "f8" if dtype is None else dtype, chunks, stored).chunks


def _with_limit(chunks: Any, size: str) -> Any:
    """Return `chunks` with a size in bytes where it says ``"auto"``."""
    if isinstance(chunks, str):
        return size if chunks == "auto" else chunks
    if isinstance(chunks, Mapping):
        return {axis: _with_limit(each, size) for axis, each in chunks.items()}
    if isinstance(chunks, tuple | list):
        return tuple(_with_limit(each, size) for each in chunks)
    return chunks


def unify_chunks(*args: Any, **kwargs: Any) -> tuple[dict[Any, Any], list[Any]]:
    """Return arrays cut along the same lines.

    Parameters
    ----------
    *args : Array, labels, Array, labels, ...
    **kwargs
        Dask's ``warn`` is accepted and not needed.

    Returns
    -------
    chunks : dict
        Sizes of the chunks of each label.
    arrays : list of Array

    Examples
    --------
    >>> import penstock.array as da
    >>> chunks, _ = unify_chunks(da.ones(6, chunks=3), "i", da.ones(6, chunks=4), "i")
    >>> chunks
    {'i': (3, 1, 2)}
    """
    kwargs.pop("warn", None)
    if kwargs:
        raise TypeError(f"unify_chunks takes no argument {next(iter(kwargs))!r}")
    arrays = [asarray(value) for value in args[::2]]
    return unified(arrays, [tuple(names) for names in args[1::2]], "unify_chunks")


def shuffle(x: Any, indexer: Sequence[Sequence[int]], axis: int, chunks: Any = "auto") -> Array:
    """Return elements along an axis in another order, a chunk for each list of positions.

    Parameters
    ----------
    x : Array
    indexer : list of list of int
    axis : int
    chunks : str
        Only ``"auto"``, by which small lists share a chunk of the size that `x` has.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> shuffle(da.arange(4, chunks=2), [[3, 0], [1, 2]], axis=0).compute()
    array([3, 0, 1, 2])
    """
    if chunks not in (None, "auto"):
        raise SchemaError(f"shuffle takes chunks='auto', not {chunks!r}; rechunk the result")
    array = asarray(x)
    axis = range(array.ndim)[axis]
    order = np.concatenate([np.asarray(each, dtype=np.intp) for each in indexer])
    most = max(array.chunks[axis])
    sizes: list[int] = []
    for each in indexer:
        if sizes and sizes[-1] + len(each) <= most:
            sizes[-1] += len(each)
        elif len(each):
            sizes.append(len(each))
    return take(array, order, axis=axis).rechunk({axis: tuple(sizes)})

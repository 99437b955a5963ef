"""Arrays from values, ranges and other arrays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from penstock import config
from penstock.collections.array import Array
from penstock.collections.base import noted
from penstock.engine.kernels.chunks import ArraySchema, normalize_chunks
from penstock.engine.nodes.array_sources import Arange, FromArray, Full
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import SchemaError, UnsupportedError


def layout(
    shape: Any, dtype: Any, chunks: Any, stored: tuple[int, ...] | None = None
) -> ArraySchema:
    """Return the grid of an array of `shape` cut into `chunks`; see `from_array`."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    extents = tuple(int(extent) for extent in shape)
    if any(extent < 0 for extent in extents):
        raise ValueError(f"an array cannot have the shape {extents}")
    kind = np.dtype(dtype)
    limit, chunks = _limit(chunks)
    return ArraySchema(normalize_chunks(chunks, extents, kind, limit, stored), kind)


def _limit(chunks: Any) -> tuple[int, Any]:
    """Return the bytes that an automatic chunk aims at, and `chunks` without sizes in bytes."""
    if isinstance(chunks, str) and chunks != "auto":
        return config.parse_bytes(chunks), "auto"
    if isinstance(chunks, tuple | list):
        sizes = [part for part in chunks if isinstance(part, str) and part != "auto"]
        if sizes:
            plain = tuple("auto" if isinstance(part, str) else part for part in chunks)
            return min(map(config.parse_bytes, sizes)), plain
    return _automatic_bytes(), chunks


def _automatic_bytes() -> int:
    from penstock.engine.primitives import Lowering
    from penstock.scheduler import current_pool
    from penstock.scheduler.limits import available_cpus

    workers = int(config.get("num-workers", None) or available_cpus())
    wanted = config.parse_bytes(config.get("block-size", "64MiB"))
    return min(wanted, Lowering(workers=workers, budget=current_pool().budget).block_bytes)


def full(
    shape: Any, fill_value: Any, dtype: Any = None, chunks: Any = "auto", **kwargs: Any
) -> Array:
    """Return an array of one value.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : scalar
    dtype : dtype, optional
        By default that of `fill_value`.
    chunks : int, tuple, dict or str
        See `from_array`.
    **kwargs
        Dask's ``name``, ``meta`` and ``order`` are accepted and not needed.

    Returns
    -------
    Array

    Examples
    --------
    >>> full((2, 2), 7, chunks=1).compute()
    array([[7, 7],
           [7, 7]])
    """
    for name in ("name", "meta", "order", "like"):
        kwargs.pop(name, None)
    if kwargs:
        raise TypeError(f"full takes no argument {next(iter(kwargs))!r}")
    value = np.asarray(fill_value)
    if value.ndim:
        raise UnsupportedError(f"full takes one value, not an array of shape {value.shape}")
    grid = layout(shape, value.dtype if dtype is None else dtype, chunks)
    return Array(noted(Full(grid, value.item() if value.dtype.kind != "M" else value[()],
                            repr(fill_value))))  # fmt: skip


def ones(shape: Any, dtype: Any = float, chunks: Any = "auto", **kwargs: Any) -> Array:
    """Return an array of ones; see `full`."""
    return full(shape, 1, float if dtype is None else dtype, chunks, **kwargs)


def zeros(shape: Any, dtype: Any = float, chunks: Any = "auto", **kwargs: Any) -> Array:
    """Return an array of zeros; see `full`."""
    return full(shape, 0, float if dtype is None else dtype, chunks, **kwargs)


def arange(
    start: Any,
    stop: Any = None,
    step: Any = 1,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    **kwargs: Any,
) -> Array:
    """Return evenly spaced values, as `numpy.arange`.

    Parameters
    ----------
    start, stop, step : number
        With one argument, it is `stop`.
    chunks : int, tuple or str
        See `from_array`.
    dtype : dtype, optional

    Returns
    -------
    Array

    Examples
    --------
    >>> arange(5, chunks=2).compute()
    array([0, 1, 2, 3, 4])
    """
    for name in ("name", "meta", "like"):
        kwargs.pop(name, None)
    if kwargs:
        raise TypeError(f"arange takes no argument {next(iter(kwargs))!r}")
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ValueError("arange needs a step other than 0")
    count = max(0, int(np.ceil((stop - start) / step)))
    kind = (
        np.arange(start, start, step, dtype=dtype).dtype
        if dtype
        else np.result_type(*(np.asarray(value).dtype for value in (start, stop, step)))
    )
    return Array(noted(Arange(layout((count,), kind, chunks), start, step)))


def from_array(
    x: Any,
    chunks: Any = "auto",
    name: Any = None,
    lock: Any = False,
    **kwargs: Any,
) -> Array:
    """Return a lazy array over anything that has a shape, a dtype and slices.

    Parameters
    ----------
    x : array-like
        A NumPy array or memory map, a dataset of h5py or zarr, ... Each chunk
        is read when it is needed, by one slice.
    chunks : int, tuple, dict or str
        Per axis an int, a tuple of sizes, -1 (the whole axis) or ``"auto"``,
        or one of these for all axes, or bytes such as ``"16MiB"``. Automatic
        chunks fit the memory limit and are whole chunks of the storage.
    name : object
        Accepted for compatibility.
    lock : bool or lock
        Held while reading a chunk, where the library is not thread-safe.
    **kwargs
        Dask's ``asarray``, ``fancy``, ``getitem``, ``meta`` and
        ``inline_array`` are accepted and not needed.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np
    >>> from_array(np.arange(6).reshape(2, 3), chunks=(1, 2)).sum().compute()
    np.int64(15)
    """
    for known in ("asarray", "fancy", "getitem", "meta", "inline_array"):
        kwargs.pop(known, None)
    if kwargs:
        raise TypeError(f"from_array takes no argument {next(iter(kwargs))!r}")
    if isinstance(x, Array):
        raise TypeError("from_array takes an array in memory or in a file, not a lazy Array")
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        x = np.asarray(x)
    if np.dtype(x.dtype).hasobject and not isinstance(x, np.ndarray):
        raise SchemaError(f"from_array: elements of dtype {x.dtype} have no fixed size")
    stored = getattr(x, "chunks", None)
    if stored is not None and not (
        isinstance(stored, tuple) and all(isinstance(size, int) for size in stored)
    ):
        stored = None
    held = threading.Lock() if lock is True else (lock or None)
    node = FromArray(layout(x.shape, x.dtype, chunks, stored), Opaque(x), Opaque(held))
    return Array(noted(node))


def asarray(a: Any, **kwargs: Any) -> Array:
    """Return `a` as an Array; one that is already is returned as it is."""
    return a if isinstance(a, Array) else from_array(np.asarray(a), **kwargs)

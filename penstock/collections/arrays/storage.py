"""Arrays from where they are stored: Zarr, HDF5, .npy files, anything with slices."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.base import as_array, need_cpu
from penstock.collections.arrays.creation import layout
from penstock.collections.base import Collection, noted
from penstock.engine.nodes.arrays.storage import FromArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import SchemaError, UnsupportedError
from penstock.io.array_source import stored_array

_NOT_NEEDED = ("fancy", "inline_array", "inline")


def from_array(
    x: Any,
    chunks: Any = "auto",
    name: Any = None,
    lock: Any = False,
    asarray: bool | None = None,
    **kwargs: Any,
) -> Array:
    """Return a lazy array over anything that has a shape, a dtype and slices.

    Parameters
    ----------
    x : array-like
        A NumPy array or memory map, a dataset of h5py or zarr, ... Each chunk
        is read when it is needed, by one slice; of a slice of the array, only
        the chunks that it touches.
    chunks : int, tuple, dict or str
        Per axis an int, a tuple of sizes, -1 (the whole axis) or ``"auto"``,
        or one of these for all axes, or bytes such as ``"16MiB"``. Automatic
        chunks fit the memory limit and are whole chunks of the storage.
    name : object
        Accepted for compatibility.
    lock : bool or lock
        Held while reading a chunk, where the library is not thread-safe.
    asarray : bool, optional
        Blocks are always NumPy arrays; False is refused.
    **kwargs
        Dask's ``fancy``, ``meta``, ``inline_array`` are accepted and not needed.

    Returns
    -------
    Array

    Raises
    ------
    SchemaError
        When the elements have no fixed size.
    UnsupportedError
        For ``asarray=False`` and ``getitem=``.

    Examples
    --------
    >>> import numpy as np
    >>> from_array(np.arange(6).reshape(2, 3), chunks=(1, 2)).sum().compute()
    np.int64(15)
    """
    for known in _NOT_NEEDED:
        kwargs.pop(known, None)
    meta = kwargs.pop("meta", None)
    if asarray is False or not (meta is None or isinstance(meta, type | np.ndarray)):
        raise UnsupportedError("from_array: blocks are NumPy arrays; convert them with map_blocks")
    if kwargs.pop("getitem", None) is not None:
        raise UnsupportedError("from_array takes no getitem=; give an object with __getitem__")
    if kwargs:
        raise TypeError(f"from_array takes no argument {next(iter(kwargs))!r}")
    if isinstance(x, Array):
        raise TypeError("from_array takes an array in memory or in a file, not a lazy Array")
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        x = np.asarray(x)
    try:
        kind = np.dtype(x.dtype)
    except TypeError as error:
        raise SchemaError(f"from_array: {x.dtype} is no dtype of NumPy") from error
    if kind.hasobject and not isinstance(x, np.ndarray):
        raise SchemaError(f"from_array: elements of dtype {x.dtype} have no fixed size")
    stored = stored_array(x)
    if stored.kind == "zarr":
        from penstock.io.zarr_arrays import checked_codecs

        checked_codecs(x, stored.shown)
    elif stored.kind == "hdf5" and stored.chunks is not None:
        from penstock.io.hdf5_arrays import check_filters

        check_filters(x)
    held = threading.Lock() if lock is True else (lock or None)
    grid = layout(tuple(x.shape), kind, chunks, stored.chunks)
    return Array(noted(FromArray(grid, Opaque(x), Opaque(held))))


def asarray(
    a: Any, dtype: Any = None, *, device: Any = None, copy: bool | None = None, **kwargs: Any
) -> Array:
    """Return `a` as an Array; one that is already is returned as it is.

    Parameters
    ----------
    a : Array, DataFrame, Series, array-like or scalar
    dtype : dtype, optional
    device : {"cpu"}, optional
    copy : bool, optional
        True gives an array of its own, which assignment to the other leaves alone.
    **kwargs
        Passed to `from_array`.

    Returns
    -------
    Array

    Examples
    --------
    >>> asarray([1, 2], dtype="f4").compute()
    array([1., 2.], dtype=float32)
    """
    need_cpu(device)
    if isinstance(a, Array):
        made = a
    elif isinstance(a, Collection) or (
        isinstance(a, list | tuple) and any(isinstance(item, Array) for item in a)
    ):
        made = as_array(a)
    else:
        kwargs.pop("order", None)
        kwargs.pop("like", None)
        return from_array(np.array(a, dtype=dtype, copy=copy or None), **kwargs)
    if dtype is not None and made.dtype != np.dtype(dtype):
        if copy is False:
            raise ValueError(f"asarray of {made.dtype} as {dtype} takes a copy")
        return made.astype(dtype)
    return made.copy() if copy else made


def asanyarray(a: Any, **kwargs: Any) -> Array:
    """Return `a` as an Array; see `asarray`."""
    return asarray(a, **kwargs)


def from_zarr(
    url: Any,
    component: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    chunks: Any = None,
    name: Any = None,
    inline_array: bool = False,
    zarr_format: int | None = None,
    **kwargs: Any,
) -> Array:
    """Return a lazy array over a Zarr array, format 2 or 3.

    Parameters
    ----------
    url : str, path or zarr.Array
        A directory, an address such as ``s3://bucket/array.zarr``, or an open array.
    component : str, optional
        Name of the array within a group.
    storage_options : mapping, optional
        Passed to the filesystem of an address.
    chunks : int, tuple, dict or str, optional
        See `from_array`; by default whole chunks of the storage that fit the memory limit.
    name, inline_array : object
        Accepted for compatibility.
    zarr_format : int, optional
        2 or 3, where both are there.
    **kwargs
        Passed to `from_array`.

    Returns
    -------
    Array

    Raises
    ------
    SourceError
        When there is no such array; while computing, when a chunk cannot be read.

    Examples
    --------
    >>> import penstock.array as da
    >>> da.arange(6, chunks=2).to_zarr("six.zarr")
    >>> from_zarr("six.zarr").sum().compute()
    np.int64(15)
    """
    if isinstance(url, str | os.PathLike):
        from penstock.io.zarr_arrays import open_zarr_array

        url = open_zarr_array(url, component, storage_options, zarr_format)
    elif component is not None:
        url = url[component]
    if type(url).__module__.partition(".")[0] != "zarr" or not hasattr(url, "shape"):
        raise UnsupportedError(
            f"from_zarr takes a path, an address or an array of zarr, not {type(url).__name__}; "
            "open a store with zarr.open_array"
        )
    return from_array(url, "auto" if chunks is None else chunks, **kwargs)


def from_npy_stack(
    dirname: Any, mmap_mode: Any = "r", axis: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Array:  # fmt: skip
    """Return a lazy array over a directory of numbered .npy files.

    Parameters
    ----------
    dirname : str or path
        Written by `to_npy_stack`, of Penstock or Dask.
    mmap_mode : str or None
        As `numpy.load`; local files are mapped, so that a slice reads little.
    axis : int, optional
        Along which a stack of Dask's is cut, where the shapes of its files do not tell.
    storage_options : mapping, optional
        Passed to the filesystem of an address.

    Returns
    -------
    Array
    """
    from penstock.io.npy_stack import NpyStack

    stack = NpyStack(dirname, axis, mmap_mode, storage_options)
    return from_array(stack, chunks=stack.chunks)

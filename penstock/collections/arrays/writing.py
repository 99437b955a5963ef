"""Arrays into Zarr, HDF5, .npy files and arrays that are there already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.base import need_known
from penstock.collections.arrays.storage import from_array, from_zarr
from penstock.collections.base import compute as compute_all
from penstock.collections.base import noted
from penstock.collections.delayed import Delayed, delayed
from penstock.engine.nodes.arrays.storage import WriteArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError
from penstock.io.array_regions import RegionSink
from penstock.io.hdf5_arrays import Hdf5Sink, Hdf5Target
from penstock.io.npy_stack import NpyStackSink
from penstock.io.zarr_arrays import ZarrSink


def to_zarr(
    arr: Array,
    url: Any,
    component: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    region: tuple[slice, ...] | None = None,
    compute: bool = True,
    return_stored: bool = False,
    zarr_format: int | None = None,
    **kwargs: Any,
) -> Any:
    """Write `arr` as a Zarr array: absent, the old one or complete, at any moment.

    Parameters
    ----------
    arr : Array
    url : str, path or zarr.Array
        A directory or an address of S3. Into an open array of zarr it is
        written in place, as by `store`.
    component : str, optional
        Name of the array in a group at `url`.
    storage_options : mapping, optional
        Passed to the filesystem of an address.
    overwrite : bool
        Replace what is there.
    region : tuple of slice, optional
        Part of an open array of zarr.
    compute : bool
        Write now; otherwise return a `Delayed`.
    return_stored : bool
        Return an Array over what was written.
    zarr_format : int, optional
        2 or 3; zarr's own choice by default.
    **kwargs
        Passed to `zarr.create_array`: ``chunks``, ``shards``, ``compressors``, ...; to the
        computation: ``scheduler``, ``num_workers``, ``memory_limit``, ``progress``.

    Returns
    -------
    None, Array or Delayed

    Raises
    ------
    TargetExistsError
        When something is there and `overwrite` is not given.
    """
    need_known("to_zarr", arr)
    running = _running(kwargs)
    if not isinstance(url, str | os.PathLike):
        if type(url).__module__.partition(".")[0] != "zarr" or not hasattr(url, "shape"):
            raise UnsupportedError(
                f"to_zarr writes to a path, an address or an open array of zarr, not to "
                f"{type(url).__name__}; make an array with zarr.create_array"
            )
        if kwargs:
            raise TypeError(f"the array exists already: {next(iter(kwargs))!r} cannot be chosen")
        given = None if region is None else [region]
        stored = store([arr], [url], regions=given, compute=compute, return_stored=return_stored,
                       **running)  # fmt: skip
        return stored[0] if return_stored else stored
    if region is not None:
        raise UnsupportedError("region= needs an open array: zarr.open_array(url, mode='r+')")
    unit = kwargs.get("shards") or kwargs.get("chunks")
    arr = _regular(arr, unit)
    mode = "overwrite" if overwrite else "error"
    sink = ZarrSink(url, component, storage_options, mode, zarr_format, kwargs)
    written = Delayed(noted(WriteArray(arr.plan, Opaque(sink))))
    if not compute:
        if return_stored:
            raise UnsupportedError("return_stored=True needs compute=True")
        return written
    written.compute(**running)
    return from_zarr(url, component, storage_options) if return_stored else None


def _running(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take the arguments of ``compute`` out of `kwargs`."""
    names = ("scheduler", "num_workers", "memory_limit", "progress")
    return {name: kwargs.pop(name) for name in names if name in kwargs}


def _regular(arr: Array, unit: Any) -> Array:
    """Return `arr` in chunks that are whole units, so that no two are in one chunk of Zarr."""
    if unit is None:
        wanted = arr.chunksize
    else:
        sizes = (unit,) * arr.ndim if isinstance(unit, int) else tuple(unit)
        wanted = tuple(
            max(1, -(-largest // size)) * size
            for largest, size in zip(arr.chunksize, sizes, strict=True)
        )
        if all(
            all(part % size == 0 for part in parts[:-1])
            for parts, size in zip(arr.chunks, sizes, strict=True)
        ):
            return arr
    if all(
        all(part == size for part in parts[:-1]) and parts[-1] <= size
        for parts, size in zip(arr.chunks, wanted, strict=True)
    ):
        return arr
    return arr.rechunk(wanted)


def store(
    sources: Any,
    targets: Any,
    lock: Any = True,
    regions: Any = None,
    compute: bool = True,
    return_stored: bool = False,
    load_stored: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Write arrays into arrays elsewhere: datasets of h5py or zarr, memory maps, ...

    A block that shares a chunk of the target with another is written while no
    other is, whatever the chunks; what a target held before is overwritten
    block by block.

    Parameters
    ----------
    sources : Array or sequence of Array
    targets : array-like or sequence of these
        Take ``target[slices] = block``.
    lock : bool or lock
        Held while a block is written. True takes one where the library needs it.
    regions : tuple of slice, or sequence of these, optional
        Which part of each target to write.
    compute : bool
        Write now; otherwise return a `Delayed`.
    return_stored : bool
        Return Arrays over what was written.
    load_stored : bool, optional
        Accepted for compatibility: blocks that are returned are read again.
    **kwargs
        As for ``compute``: ``scheduler``, ``num_workers``, ``memory_limit``, ``progress``.

    Returns
    -------
    None, tuple of Array, or Delayed

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> target = np.zeros(6)
    >>> da.store(da.arange(3, chunks=2), target, regions=np.s_[2:5])
    >>> target
    array([0., 0., 0., 1., 2., 0.])
    """
    one = isinstance(sources, Array)
    arrays: list[Array] = [sources] if one else list(sources)
    into = [targets] if one else list(targets)
    if any(not isinstance(array, Array) for array in arrays):
        raise TypeError("store takes Arrays as sources")
    need_known("store", *arrays)
    if len(arrays) != len(into):
        raise ValueError(f"store: {len(arrays)} sources and {len(into)} targets")
    places = _regions(regions, len(arrays))
    if any(isinstance(target, Delayed) for target in into):
        raise UnsupportedError("store into a Delayed target is not supported; compute it first")
    written = []
    for array, target, region in zip(arrays, into, places, strict=True):
        if not hasattr(target, "shape") or not hasattr(target, "__setitem__"):
            raise TypeError(f"store: a {type(target).__name__} takes no blocks")
        sink = RegionSink(target, region, lock)
        sink.begin(array.shape, array.dtype, array.chunks)  # what does not fit is told now
        written.append(Delayed(noted(WriteArray(array.plan, Opaque(sink)))))
    if not compute:
        if return_stored:
            raise UnsupportedError("return_stored=True needs compute=True")
        return written[0] if one else delayed(_last)(*written)
    compute_all(*written, **kwargs)
    if not return_stored:
        return None
    stored = tuple(
        _over(target, region, array)
        for array, target, region in zip(arrays, into, places, strict=True)
    )
    return stored[0] if one else stored


def _regions(regions: Any, count: int) -> list[Any]:
    if regions is None:
        return [None] * count
    if isinstance(regions, slice):
        return [(regions,)] * count
    parts = list(regions)
    if all(isinstance(part, slice | int | np.integer) for part in parts):
        return [tuple(parts)] * count
    if len(parts) == 1:
        return parts * count
    if len(parts) != count:
        raise ValueError(f"store: {count} sources and {len(parts)} regions")
    return parts


def _over(target: Any, region: Any, array: Array) -> Array:
    whole = from_array(target, chunks=array.chunks if region is None else "auto")
    return whole if region is None else whole[region]


def _last(*written: Any) -> None:
    return None


def to_hdf5(filename: Any, *args: Any, chunks: Any = True, **kwargs: Any) -> None:
    """Write arrays into an HDF5 file, which appears or changes when all are complete.

    Parameters
    ----------
    filename : str or path
        Local. Other datasets of an existing file are kept: it is copied, and
        replaced by the copy.
    *args
        A name and an Array, or a dict of these.
    chunks : tuple of int, bool or None
        Chunks of the dataset; True takes those of the array.
    **kwargs
        Passed to h5py: ``compression``, ``shuffle``, ...; to the computation: ``scheduler``,
        ``num_workers``, ``memory_limit``, ``progress``.

    Examples
    --------
    >>> import penstock.array as da
    >>> to_hdf5("some.h5", "/x", da.ones((4, 4), chunks=2), compression="gzip")
    """
    if len(args) == 1 and isinstance(args[0], Mapping):
        data = dict(args[0])
    elif len(args) == 2 and isinstance(args[0], str) and isinstance(args[1], Array):
        data = {args[0]: args[1]}
    else:
        raise ValueError("to_hdf5 takes a name and an Array, or a dict of names and Arrays")
    need_known("to_hdf5", *data.values())
    running = _running(kwargs)
    file = Hdf5Target(filename, list(data))
    written = [
        Delayed(noted(WriteArray(array.plan, Opaque(Hdf5Sink(file, name, {"chunks": chunks, **kwargs})))))
        for name, array in data.items()
    ]  # fmt: skip
    try:
        compute_all(*written, **running)
    except BaseException:
        file.abort()
        raise


def to_npy_stack(
    dirname: Any, x: Array, axis: int = 0, mode: str = "error",
    storage_options: Mapping[str, Any] | None = None, **kwargs: Any,
) -> None:  # fmt: skip
    """Write an array as a directory of .npy files, one for each chunk along `axis`.

    Parameters
    ----------
    dirname : str or path
    x : Array
        Chunks along other axes are joined.
    axis : int
    mode : {"error", "overwrite"}
        What to do when the directory exists.
    storage_options : mapping, optional
        Passed to the filesystem of an address.
    **kwargs
        As for ``compute``.
    """
    need_known("to_npy_stack", x)
    if not x.ndim:
        raise ValueError("to_npy_stack needs an axis to cut along; a scalar has none")
    axis = range(x.ndim)[axis]
    whole: dict[int, Any] = {place: -1 for place in range(x.ndim) if place != axis}
    if any(len(x.chunks[place]) > 1 for place in whole):
        x = x.rechunk({**whole, axis: x.chunks[axis]})
    sink = NpyStackSink(dirname, axis, mode, storage_options)
    Delayed(noted(WriteArray(x.plan, Opaque(sink)))).compute(**kwargs)

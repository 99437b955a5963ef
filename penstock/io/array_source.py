"""Arrays that live elsewhere: what to call them, how they are cut, and reading a region.

A dataset of h5py or zarr, a memory map, or anything else that has a shape, a
dtype and slices. An error of a known store names the store, the array and the
chunks that cannot be read.
"""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.errors import PenstockError, SourceError
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Region = tuple[int | slice, ...]

_CHECKED_CHUNKS = 64  # how many chunks are read again to find the one that is broken


@record
class StoredArray:
    """How an array elsewhere is stored.

    Attributes
    ----------
    kind : str
        ``"zarr"``, ``"hdf5"``, ``"memory map"``, or the name of the type.
    store, name : str
        File or address, without credentials, and the array's name in it; empty when not known.
    chunks : tuple of int or None
        Shape of a chunk, which is read as a whole.
    shards : tuple of int or None
        Shape of what is written as a whole, when that is more than a chunk.
    known : bool
        Whether the library is known: it takes slices with a step, and its errors are told again.
    """

    kind: str
    store: str = ""
    name: str = ""
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None
    known: bool = False

    @property
    def shown(self) -> str:
        """The array in a few words, for errors."""
        place = f"{self.store}, " if self.store else ""
        return f"{place}{self.kind} array {self.name!r}" if self.name else f"{place}{self.kind}"


def stored_array(source: Any) -> StoredArray:
    """Return how `source` is stored.

    Examples
    --------
    >>> stored_array(np.zeros(3)).kind
    'ndarray'
    """
    kind = type(source)
    library = kind.__module__.partition(".")[0]
    if library == "zarr":
        store = getattr(source, "store", "")
        return StoredArray(
            "zarr",
            _store_name(store),
            str(getattr(source, "path", "") or "/"),
            _sizes(getattr(source, "chunks", None)),
            _sizes(getattr(source, "shards", None)),
            known=True,
        )
    if library == "h5py":
        file = getattr(source, "file", None)
        return StoredArray(
            "hdf5",
            str(getattr(file, "filename", "")),
            str(getattr(source, "name", "")),
            _sizes(getattr(source, "chunks", None)),
            known=True,
        )
    if isinstance(source, np.memmap):
        return StoredArray("memory map", str(source.filename or ""), known=True)
    return StoredArray(
        kind.__name__,
        chunks=_sizes(getattr(source, "chunks", None)),
        known=isinstance(source, np.ndarray),
    )


def _store_name(store: Any) -> str:
    """Return where a store of zarr is; its own text may hold options with secrets."""
    root = getattr(store, "root", None)
    if root is not None:
        return str(root)
    path = getattr(store, "path", None)
    return str(path) if path else type(store).__name__


def _sizes(chunks: Any) -> tuple[int, ...] | None:
    plain = isinstance(chunks, tuple) and all(isinstance(size, int | np.integer) for size in chunks)
    return tuple(int(size) for size in chunks) if plain else None


def read_region(
    source: Any, stored: StoredArray, region: Region, lock: AbstractContextManager[Any] | None
) -> np.ndarray:
    """Return ``source[region]`` as an array that owns its memory.

    Raises
    ------
    SourceError
        When a known store cannot give it; the chunks at fault are named.
    """
    try:
        with nullcontext() if lock is None else lock:
            part = source[region]
            if isinstance(part, np.ndarray) and part.base is None and type(part) is np.ndarray:
                return part
            return np.array(part, subok=False)  # what is only a view, or lazy itself, is read here
    except (PenstockError, MemoryError):
        raise
    except Exception as error:
        if not stored.known:
            raise
        raise _unreadable(source, stored, region, error, lock) from error


def _unreadable(
    source: Any,
    stored: StoredArray,
    region: Region,
    error: Exception,
    lock: AbstractContextManager[Any] | None,
) -> SourceError:
    shown = ", ".join(
        f"{part.start}:{part.stop}" if isinstance(part, slice) else str(part) for part in region
    )
    message = f"{stored.shown}: the region [{shown}] cannot be read"
    broken = _broken_chunks(source, stored, region, lock)
    if broken:
        message += f"; at fault: chunk {', chunk '.join(map(str, broken[:4]))}"
        message += ", ..." if len(broken) > 4 else ""
    text = str(error) or type(error).__name__
    return SourceError(f"{message}: {text}; restore the file or leave the region out")


def _broken_chunks(
    source: Any,
    stored: StoredArray,
    region: Region,
    lock: AbstractContextManager[Any] | None,
) -> list[tuple[int, ...]]:
    """Return which chunks of a region cannot be read on their own."""
    if stored.chunks is None:
        return []
    broken = []
    touched = itertools.islice(_chunks_of(stored.chunks, source.shape, region), _CHECKED_CHUNKS)
    for chunk in touched:
        part = tuple(
            slice(at * size, min((at + 1) * size, extent))
            for at, size, extent in zip(chunk, stored.chunks, source.shape, strict=True)
        )
        try:
            with nullcontext() if lock is None else lock:
                source[part]
        except Exception:  # noqa: BLE001 - whatever the library raises, the chunk is at fault
            broken.append(chunk)
    return broken


def _chunks_of(
    chunks: Sequence[int], shape: Sequence[int], region: Region
) -> Iterator[tuple[int, ...]]:
    ranges = []
    for part, size, extent in zip(region, chunks, shape, strict=True):
        whole = part if isinstance(part, slice) else slice(part, part + 1)
        start, stop, _ = whole.indices(extent)
        ranges.append(range(start // size, -(-stop // size)))
    return itertools.product(*ranges)

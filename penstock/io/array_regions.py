"""Writing into arrays that are there already: any region lands intact."""

from __future__ import annotations

import threading
import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from penstock.errors import SchemaError
from penstock.io.array_sink import ArraySink
from penstock.io.array_source import stored_array

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAFE_KINDS = ("hdf5", "ndarray", "memory map")
"""Writes of disjoint regions do not disturb each other: memory, or a library with a lock."""


class _Held:
    """A lock that all writers into one array share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_locks: weakref.WeakValueDictionary[tuple[Any, ...], _Held] = weakref.WeakValueDictionary()


class RegionSink(ArraySink):
    """Writes an array into a region of anything that takes ``target[slices] = block``.

    Blocks that share a chunk of the target with others are written one after
    the other, since a chunk is read, changed and written as a whole.

    Parameters
    ----------
    target : array-like
        With a shape, a dtype and assignment to slices.
    region : tuple of slice or int, optional
        Part of the target; all of it by default.
    lock : bool or lock
        True locks where the library asks for it. A lock is held for every
        write. False leaves arrays of unknown libraries without one.
    """

    format: ClassVar[str] = "region"

    def __init__(self, target: Any, region: Any = None, lock: Any = True) -> None:
        self._into = target
        self._stored = stored_array(target)
        self.target = self._stored.shown
        self._window = _window(region, tuple(target.shape))
        self._unit = self._stored.shards or self._stored.chunks
        self._given = None if isinstance(lock, bool) or lock is None else lock
        self._wants_lock = bool(lock)
        key: tuple[Any, ...] = (self._stored.store, self._stored.name)
        if not self._stored.store or not self._stored.known:
            key = (id(target),)
        self._held = _locks.setdefault(key, _Held())

    def begin(
        self, shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[tuple[int, ...], ...]
    ) -> None:
        room = tuple(len(part) for part in self._window if isinstance(part, range))
        if room != tuple(shape):
            raise SchemaError(
                f"store: an array of shape {shape} does not fit {room} of {self.target}"
            )

    def write(self, number: int, region: tuple[slice, ...], block: np.ndarray) -> None:
        wanted = iter(region)
        place = tuple(
            part if isinstance(part, int) else _slice(part[next(wanted)]) for part in self._window
        )
        with self._lock(place):
            self._into[place] = block

    def _lock(self, place: tuple[int | slice, ...]) -> AbstractContextManager[Any]:
        if self._given is not None:
            return self._given
        if self._stored.kind in _SAFE_KINDS:
            return nullcontext()
        if self._stored.kind == "zarr":
            return nullcontext() if self._aligned(place) else self._held.lock
        return self._held.lock if self._wants_lock else nullcontext()

    def _aligned(self, place: tuple[int | slice, ...]) -> bool:
        """Whether nothing else is in the chunks that `place` touches."""
        if self._unit is None:
            return False
        return all(
            isinstance(part, slice)
            and part.step in (None, 1)
            and part.start % size == 0
            and (part.stop % size == 0 or part.stop == extent)
            for part, size, extent in zip(place, self._unit, self._into.shape, strict=True)
        )

    def commit(self, receipts: Sequence[Any]) -> None:
        if self._stored.kind == "memory map":
            self._into.flush()
        elif self._stored.kind == "hdf5":
            self._into.file.flush()

    def abort(self) -> None:
        """Do nothing: what was written into the user's own array stays."""


def _window(region: Any, shape: tuple[int, ...]) -> tuple[int | range, ...]:
    parts = [] if region is None else list(region) if isinstance(region, tuple) else [region]
    if Ellipsis in parts:
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    if len(parts) > len(shape):
        raise IndexError(f"a region of {len(parts)} axes in an array of {len(shape)}")
    parts += [slice(None)] * (len(shape) - len(parts))
    window: list[int | range] = []
    for axis, (part, extent) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            wanted = range(*part.indices(extent))
            if wanted.step < 0:
                raise SchemaError("a region to store into cannot go backwards")
            window.append(wanted)
        elif isinstance(part, int | np.integer) and -extent <= part < extent:
            window.append(int(part) % extent)
        else:
            raise IndexError(f"a region takes slices and ints within bounds, not {part!r}, "
                             f"for axis {axis} of {extent} elements")  # fmt: skip
    return tuple(window)


def _slice(part: range) -> slice:
    return (
        slice(part.start, part.stop) if part.step == 1 else slice(part.start, part.stop, part.step)
    )

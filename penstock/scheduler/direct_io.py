"""Reading and writing past the system's page cache (``O_DIRECT``).

The cache counts against a container's memory. What waits on the disk longer than it can hold only
pushes out what was written just before, and the system reads ahead what is gone again before it is
asked for. Rechunking 3.2 GB in a container of 1.2 GB reads 8 to 9.5 GB through the cache and 5.9
past it, with half of the system time.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from penstock.scheduler import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from io import FileIO

_SECTOR = 4096
"""Addresses, places in files and lengths must be multiples of the disk's sector."""
_STAGE = 4 << 20
_SHORT = 16 * _SECTOR


def pays(nbytes: int, memory_limit: int) -> bool:
    """Return whether `nbytes` outgrow the page cache that is left beside the process."""
    return nbytes > limits.allowed_bytes() - memory_limit


@cache
def possible(folder: str) -> bool:
    """Return whether the file system of `folder` can do it."""
    if not hasattr(os, "O_DIRECT"):
        return False
    sector = mmap.mmap(-1, _SECTOR)
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            descriptor = opener(file.name, os.O_RDWR)
            try:
                return (
                    os.pwrite(descriptor, sector, 0)
                    == os.preadv(descriptor, [sector], 0)
                    == _SECTOR
                )
            finally:
                os.close(descriptor)
    except OSError:
        return False


def opener(path: str, flags: int) -> int:
    """Open `path` for `write` and `read`; for the built-in ``open``."""
    return os.open(path, flags | os.O_DIRECT, 0o600)


def write(stream: FileIO, buffers: Iterable[memoryview]) -> None:
    """Write bytes that lie in many places one after the other, and zeros up to a whole sector."""
    stage = _aligned(_STAGE)
    filled = 0
    for buffer in buffers:
        rest = np.frombuffer(buffer, np.uint8)
        while len(rest):
            some = rest[: _STAGE - filled]
            stage[filled : filled + len(some)] = some
            filled += len(some)
            rest = rest[len(some) :]
            if filled == _STAGE:
                _write_all(stream, stage)
                filled = 0
    if filled:
        whole = _up(filled)
        stage[filled:whole] = 0
        _write_all(stream, stage[:whole])


def read(descriptor: int, runs: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Return the bytes of each run of a file, from its start to its stop.

    Raises
    ------
    EOFError
        When the file ends before one does.
    """
    begins = [start - start % _SECTOR for start, _ in runs]
    lengths = [_up(stop - begin) for begin, (_, stop) in zip(begins, runs, strict=True)]
    # the sectors around short runs would be several times what is asked for
    short = [stop - start < _SHORT for start, stop in runs]
    room = _aligned(
        sum(length for length, is_short in zip(lengths, short, strict=True) if not is_short)
    )
    stage = _aligned(_SHORT + 2 * _SECTOR) if any(short) else room
    found = []
    at = 0
    for begin, length, is_short, (start, stop) in zip(begins, lengths, short, runs, strict=True):
        if is_short:
            into = stage[:length]
        else:
            into = room[at : at + length]
            at += length
        got = 0
        while got < stop - begin:
            # a read that ends inside a sector is at the end of the file
            more = os.preadv(descriptor, [into[got:].data], begin + got)
            if not more or (more % _SECTOR and got + more < stop - begin):
                raise EOFError("it ends too early")
            got += more
        wanted = into[start - begin : stop - begin]
        found.append(wanted.copy() if is_short else wanted)
    return found


def _write_all(stream: FileIO, data: np.ndarray) -> None:
    while len(data):
        written = stream.write(data.data)
        if written is None or written % _SECTOR:
            raise OSError(f"the disk took {written} bytes of {len(data)}")
        data = data[written:]


def _aligned(nbytes: int) -> np.ndarray:
    room = mmap.mmap(-1, max(1, nbytes), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        room.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(room, np.uint8, nbytes)


def _up(nbytes: int) -> int:
    return nbytes + -nbytes % _SECTOR

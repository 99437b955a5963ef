"""Allocators whose freed memory really goes back to the operating system.

Arrow, NumPy and pandas all use the C library's allocator here. Measured with two
threads that sort, take, group and filter Arrow tables and work on arrays (2
cores, glibc), bytes of resident memory above the start::

    Arrow's pool    time     peak    at the end   after trim()
    mimalloc       0.70 s   281 MB     237 MB        87 MB
    jemalloc       0.59 s   275 MB     210 MB       188 MB
    system         0.64 s   229 MB     204 MB        89 MB

One allocator means that what a table gave back an array can take, and one call
trims it all. Decoding Parquet takes a tenth longer with it (3.5 against 3.1 ns
a value) than with mimalloc, which does not outweigh that.

Large blocks come from the heaps too instead of being mapped one by one: a block
that is freed serves the next one without page faults. Converting 1 GB of CSV
under 480 MB takes 1.5 s of system time with a mapping for each block over 4 MB
and 0.7 s so. What the heaps keep goes back when memory runs short, by `trim`.
Where there is little memory at all, what they keep meanwhile would be a large
part of it, and large blocks are mapped (`map_large_blocks`): sorting skewed rows
under 250 MB then peaks at 222 MB instead of 240.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

_MMAP_THRESHOLD, _SMALL_MMAP_THRESHOLD = 1 << 30, 1 << 20
_TRIM_THRESHOLD = (1 << 31) - 1  # of a C int: more would be cut off and mean 0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # from malloc.h
_ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"


@cache
def _libc() -> Any:
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        _ = libc.malloc_trim, libc.mallopt
    except (OSError, AttributeError):  # musl has neither
        return None
    return libc


def set_up() -> None:
    """Set the process's allocators up, before the first large block.

    What the user chose with Arrow's or glibc's own environment variables stays.
    """
    libc = _libc()
    if libc is None:
        return
    if not _chosen_by_user():
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD)
        # Each arena keeps free memory of its own.
        libc.mallopt(_M_ARENA_MAX, 1)
    if _ARROW_POOL in os.environ:
        return
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        os.environ[_ARROW_POOL] = "system"  # read when pyarrow is imported
    else:
        pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def map_large_blocks(wanted: bool) -> None:
    """Map blocks over 1 MiB one by one, each of which goes back as soon as it is freed, or not."""
    libc = _libc()
    if libc is not None and not _chosen_by_user():
        libc.mallopt(_M_MMAP_THRESHOLD, _SMALL_MMAP_THRESHOLD if wanted else _MMAP_THRESHOLD)


def _chosen_by_user() -> bool:
    return any(name.startswith("MALLOC_") for name in os.environ)


class _MallocInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    )


def free_bytes() -> int | None:
    """Return the bytes that the C library's allocator keeps but nobody uses.

    None where it cannot tell. Some of them may not be resident.
    """
    libc = _libc()
    if libc is None or not hasattr(libc, "mallinfo2"):  # glibc before 2.33
        return None
    libc.mallinfo2.restype = _MallocInfo
    return int(libc.mallinfo2().fordblks)


def trim() -> None:
    """Give memory that is free but kept by the allocators back."""
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None:
        # Imported before Penstock, Arrow goes on using another one for its own work.
        for name in pyarrow.supported_memory_backends():
            getattr(pyarrow, f"{name}_memory_pool")().release_unused()
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)

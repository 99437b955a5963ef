"""Finished blocks behind handles, evicted to disk in Belady's order.

The order of tasks is known, so the block to evict is the one whose next use is
furthest away. Spilling runs on the thread that needs the memory, which is
back-pressure enough. A block restored from disk keeps its file until it is
freed: evicting it again costs nothing.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock.blocks import block_nbytes
from penstock.errors import SpillError
from penstock.scheduler import spill
from penstock.scheduler.memory import current_pool

if TYPE_CHECKING:
    from penstock.scheduler.memory import MemoryPool
    from penstock.scheduler.spill import SpillFile

MIN_SPILL = 64 << 10
"""Smaller values stay in memory: they cost more on disk than they free."""


class Handle:
    """A reference to a stored block; the block is freed with its last handle.

    Attributes
    ----------
    nbytes : int
        Bytes of the block in memory.
    next_use : float
        Rank of the next task that takes it; the largest is evicted first.
    """

    __slots__ = (
        "__weakref__",
        "_busy",
        "_file",
        "_number",
        "_pins",
        "_spillable",
        "_store",
        "_value",
        "nbytes",
        "next_use",
        "resident",
    )

    def __init__(self, store: BlockStore, number: int, value: Any, nbytes: int) -> None:
        self._store = store
        self._number = number
        self._value = value
        self._file: SpillFile | None = None
        self._pins = 0
        self._busy = False
        self._spillable = nbytes >= MIN_SPILL
        self.nbytes = nbytes
        self.next_use: float = 0
        self.resident = True

    @property
    def spilled(self) -> bool:
        """Whether the block is on disk only."""
        return not self.resident

    def pin(self) -> None:
        """Keep the block in memory, once it is there, until `unpin`."""
        self._store._pin(self)

    def unpin(self) -> None:
        """Undo one `pin`."""
        self._store._unpin(self)

    def get(self) -> Any:
        """Return the block, reading it back when it was spilled."""
        return self._store._get(self)

    def free(self) -> None:
        """Drop the block and its file; using the handle afterwards is an error."""
        self._store._free(self)

    def __del__(self) -> None:
        if (self.resident or self._file is not None) and not sys.is_finalizing():
            # Any thread may be here, in the middle of anything: leave a note at least.
            self._store._dropped.append(
                (self._number, self.nbytes if self.resident else 0, self._file)
            )
            self._store._settle(wait=False)

    def __repr__(self) -> str:
        return f"<Handle {self.nbytes} bytes, {'resident' if self.resident else 'spilled'}>"


class BlockStore:
    """All handles of the process.

    Parameters
    ----------
    pool : MemoryPool, optional
        Where the store registers as a holder.
    """

    def __init__(self, pool: MemoryPool | None = None) -> None:
        self.name = "stored blocks"
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._resident: dict[int, weakref.ref[Handle]] = {}
        self._dropped: deque[tuple[int, int, SpillFile | None]] = deque()
        self._held = 0
        self._numbers = 0
        self._pool = pool
        if pool is not None:
            pool.register(self)

    @property
    def held_bytes(self) -> int:
        """Bytes of resident blocks."""
        if self._dropped:
            self._settle()
        return self._held

    @property
    def next_use(self) -> float:
        """The furthest next use of any block that could be evicted."""
        return max((handle.next_use for handle in self._evictable()), default=-1)

    def put(self, value: Any, nbytes: int | None = None) -> Handle:
        """Store a block and return its handle."""
        if nbytes is None:
            nbytes = block_nbytes(value)
        with self._lock:
            self._numbers += 1
            handle = Handle(self, self._numbers, value, nbytes)
            self._resident[handle._number] = weakref.ref(handle)
            self._held += nbytes
        return handle

    def spill(self, nbytes: int) -> int:
        """Evict blocks, furthest next use first; return the bytes freed.

        Raises
        ------
        SpillError
            When the first block already cannot be written; it stays in memory.
        """
        freed = 0
        candidates = self._evictable()
        candidates.sort(key=lambda handle: -handle.next_use)
        for handle in candidates:
            if freed >= nbytes:
                break
            try:
                freed += self._evict(handle)
            except SpillError:
                if not freed:
                    raise
                break
            if self._pool is not None:
                self._pool.sample()  # the loop may be here, and what runs goes on
        return freed

    def _evictable(self) -> list[Handle]:
        if self._dropped:
            self._settle()
        with self._lock:
            handles = [ref() for ref in list(self._resident.values())]
        return [
            handle
            for handle in handles
            if handle is not None
            and handle._spillable
            and not handle._pins
            and not handle._busy
            and handle.resident
        ]

    def _evict(self, handle: Handle) -> int:
        with self._lock:
            if handle._pins or handle._busy or not handle.resident:
                return 0
            value, handle._busy = handle._value, True
        file = handle._file
        try:
            if file is None:
                file = spill.directory().write(value)
        except spill.NotSpillable:
            handle._spillable = False
            return 0
        finally:
            del value
            with self._settled:
                handle._busy = False
                handle._file = file
                evicted = file is not None and not handle._pins and handle.resident
                if evicted:
                    self._drop(handle)
                self._settled.notify_all()
        return handle.nbytes if evicted else 0

    def _drop(self, handle: Handle) -> None:
        handle._value = None
        handle.resident = False
        self._held -= handle.nbytes
        self._resident.pop(handle._number, None)

    def _pin(self, handle: Handle) -> None:
        with self._lock:
            handle._pins += 1

    def _unpin(self, handle: Handle) -> None:
        with self._lock:
            handle._pins -= 1

    def _get(self, handle: Handle) -> Any:
        with self._settled:
            while True:
                if handle.resident:
                    return handle._value
                if not handle._busy:
                    break
                self._settled.wait()
            if handle._file is None:
                raise ValueError("this block has been freed")
            handle._busy = True
        value = None
        try:
            value = spill.directory().read(handle._file)
        finally:
            with self._settled:
                handle._busy = False
                if value is not None:
                    handle._value = value
                    handle.resident = True
                    self._held += handle.nbytes
                    self._resident[handle._number] = weakref.ref(handle)
                self._settled.notify_all()
        return value

    def _free(self, handle: Handle) -> None:
        with self._settled:
            # Not for ever: Ctrl-C may have struck the thread that would tell of the end.
            self._settled.wait_for(lambda: not handle._busy, timeout=5.0)
            if handle.resident:
                self._drop(handle)
            file, handle._file = handle._file, None
        if file is not None:
            file.remove()

    def _settle(self, *, wait: bool = True) -> None:
        """Finish the freeing of handles that were garbage collected."""
        while self._dropped:
            if not self._lock.acquire(blocking=wait):
                return  # perhaps this very thread has it
            file = None
            try:
                number, nbytes, file = self._dropped.popleft()
                self._resident.pop(number, None)
                self._held -= nbytes
            except IndexError:  # another thread was faster
                return
            finally:
                self._lock.release()
            if file is not None:
                file.remove()


_store: BlockStore | None = None
_store_lock = threading.Lock()


def current_store() -> BlockStore:
    """Return the process's block store, made on first use."""
    global _store
    with _store_lock:
        if _store is None:
            _store = BlockStore(current_pool())
        return _store

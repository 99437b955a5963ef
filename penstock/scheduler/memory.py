"""The process-wide account of memory: reserve, then allocate.

``memory_limit`` is about the process, interpreter and libraries included::

    limit = baseline + headroom + budget
    budget >= reserved (running tasks) + held (stores, exchange buffers) + overrun

A task runs only with a `Reservation`. What stays after it (blocks in a store,
rows in exchange buffers) is held by a *holder*, which the pool may ask to spill.
`overrun` is what the operating system says the process takes beyond the
account; while there is any, the budget is smaller by as much, so that admission
pauses until memory has really been given back.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from penstock import config
from penstock.config import format_bytes, parse_bytes
from penstock.errors import MemoryLimitError, SpillError
from penstock.scheduler import allocators, limits

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_SHARE = 0.6
"""Share of the container's or machine's memory taken when no limit is given."""

SPILL_WORKSPACE = 16 << 20
"""Bytes kept free so that spilling, which makes room, never lacks room itself."""

MIN_HEADROOM = 32 << 20
HEADROOM_SHARE = 0.08

# Libraries not imported yet will take about this much once they are.
_LIBRARIES = {"numpy": 14 << 20, "pyarrow": 38 << 20, "pandas": 45 << 20}
# Of a process with all of them.
_USUAL_BASELINE = 130 << 20

_SAMPLE_SECONDS = 0.005
_TRIM_SECONDS = 0.25
_URGENT_SECONDS = 0.03  # between two trims while resident memory is in the headroom
_LITTLE = 300 << 20
"""Under a limit below this, allocators give large blocks back at once."""
_CONTAINER_SECONDS = 0.1
_SLACK = 8 << 20
"""Bytes that resident memory may run ahead of the account before anything is done."""


_REMEDY = "Raise memory_limit, use a smaller blocksize or chunks, or fewer num_workers"


class Holder(Protocol):
    """Something that keeps memory between tasks and can spill it."""

    name: str

    @property
    def held_bytes(self) -> int:
        """Bytes in memory."""

    @property
    def next_use(self) -> float:
        """When the least urgent of it is needed again; larger is later."""

    def spill(self, nbytes: int) -> int:
        """Move about `nbytes` bytes to disk; return the bytes freed."""


class Reservation:
    """A named claim on the budget, released when its ``with`` block ends."""

    __slots__ = ("__weakref__", "_pool", "name", "nbytes")

    def __init__(self, pool: MemoryPool, name: str, nbytes: int) -> None:
        self._pool = pool
        self.name = name
        self.nbytes = nbytes

    def grow(self, nbytes: int) -> None:
        """Claim `nbytes` more.

        Raises
        ------
        MemoryLimitError
            When they do not fit, even after spilling.
        """
        self._pool._grow(self, nbytes)

    def shrink(self, nbytes: int) -> None:
        """Give `nbytes` of the claim back, at most all of it."""
        self._pool._shrink(self, nbytes)

    def release(self) -> None:
        """Give the whole claim back; doing so again does nothing."""
        self._pool._shrink(self, self.nbytes)

    def __del__(self) -> None:
        # Ctrl-C may strike between the claim and the `with` that would release it.
        # Any thread may be here, holding any lock: leave a note and take none.
        if self.nbytes:
            self._pool._lost.append(self.nbytes)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Reservation {self.name}: {format_bytes(self.nbytes)}>"


class MemoryPool:
    """One budget that reservations and holders share.

    Parameters
    ----------
    limit : int
        Bytes the whole process may take.
    """

    def __init__(self, limit: int) -> None:
        self._default_limit = limit
        self._overrides: list[int] = []
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._reserved = 0
        self._lost: deque[int] = deque()  # claims that were garbage collected
        self._reservations: weakref.WeakSet[Reservation] = weakref.WeakSet()
        self._holders: list[weakref.ref[Any]] = []
        self._sampled_at = self._trimmed_at = self._container_at = 0.0
        self._lacking = 0
        self._overrun_left = 0  # by the last trim
        self._local = threading.local()
        self.overrun = 0
        self.rss = limits.resident_bytes()
        self.peak_rss = self.rss
        self.baseline = self.rss
        self._free_at_rebase = 0
        self.runs = 0
        """Runs under way, counted by `run_begins` and `run_ends`."""

    # -- what there is ------------------------------------------------------------

    @property
    def limit(self) -> int:
        """Bytes the whole process may take."""
        overrides = self._overrides
        return min(overrides) if overrides else self._default_limit

    @limit.setter
    def limit(self, nbytes: int) -> None:
        self._default_limit = nbytes

    @property
    def headroom(self) -> int:
        """Bytes left alone, for what is in no account and for spilling."""
        limit = self.limit
        return min(limit // 4, max(MIN_HEADROOM, int(limit * HEADROOM_SHARE)) + SPILL_WORKSPACE)

    @property
    def budget(self) -> int:
        """Bytes for reservations and holders together."""
        pending = sum(size for name, size in _LIBRARIES.items() if name not in sys.modules)
        return max(0, self.limit - self.baseline - pending - self.headroom)

    @property
    def usual_budget(self) -> int:
        """The budget of a process that has done nothing yet: it follows from the limit alone."""
        return max(0, self.limit - _USUAL_BASELINE - self.headroom)

    @property
    def reserved(self) -> int:
        """Bytes claimed by running work."""
        if self._lost:
            with self._lock:
                while self._lost:
                    self._reserved -= self._lost.popleft()
        return self._reserved

    @property
    def held(self) -> int:
        """Bytes kept by holders."""
        return sum(holder.held_bytes for holder in self._live())

    @property
    def available(self) -> int:
        """Bytes that a reservation could get at once, without spilling."""
        return self.budget - self.reserved - self.held - self.overrun

    def top(self, count: int = 3) -> list[tuple[str, int]]:
        """Return the largest holders and reservations by name."""
        claims: dict[str, int] = {}
        with self._lock:
            entries = [(r.name, r.nbytes) for r in list(self._reservations)]
        entries += [(holder.name, holder.held_bytes) for holder in self._live()]
        for name, nbytes in entries:
            claims[name] = claims.get(name, 0) + nbytes
        ordered = sorted(claims.items(), key=lambda claim: -claim[1])
        return [claim for claim in ordered[:count] if claim[1]]

    # -- claims -------------------------------------------------------------------

    def try_reserve(self, name: str, nbytes: int) -> Reservation | None:
        """Return a claim on `nbytes`, or None when they are not available now."""
        with self._lock:
            if nbytes > 0 and nbytes > self.available:
                return None
            return self._claim(name, max(0, nbytes))

    def reserve(self, name: str, nbytes: int, *, timeout: float = 60.0) -> Reservation:
        """Return a claim on `nbytes`, spilling and waiting for them when need be.

        Parameters
        ----------
        name : str
            The operation that asks, for errors.
        nbytes : int
        timeout : float, optional
            Seconds to wait for other work to give memory back.

        Returns
        -------
        Reservation

        Raises
        ------
        MemoryLimitError
            When the request is larger than the budget or memory stays taken.
        """
        if nbytes > self.budget:
            raise self.refusal(name, nbytes)
        end = time.monotonic() + timeout
        while True:
            claim = self.try_reserve(name, nbytes)
            if claim is not None:
                return claim
            freed = self.make_room(nbytes - self.available)
            if not freed:
                self.sample(force=True)
                if time.monotonic() >= end:
                    raise self.refusal(name, nbytes)
                with self._changed:
                    self._changed.wait(0.05)

    def force_reserve(self, name: str, nbytes: int) -> Reservation:
        """Return a claim on `nbytes` whether or not they are available."""
        with self._lock:
            return self._claim(name, nbytes)

    def _claim(self, name: str, nbytes: int) -> Reservation:
        claim = Reservation(self, name, nbytes)
        self._reservations.add(claim)
        self._reserved += nbytes
        return claim

    def _grow(self, claim: Reservation, nbytes: int) -> None:
        if claim.nbytes + nbytes > self.budget:
            raise self.refusal(claim.name, claim.nbytes + nbytes)
        for attempt in range(4):
            with self._lock:
                if nbytes <= self.available:
                    claim.nbytes += nbytes
                    self._reserved += nbytes
                    return
            self.make_room(nbytes - self.available)
            self.sample(force=attempt > 0)
        raise self.refusal(claim.name, claim.nbytes + nbytes)

    def _shrink(self, claim: Reservation, nbytes: int) -> None:
        with self._changed:
            nbytes = min(nbytes, claim.nbytes)
            claim.nbytes -= nbytes
            self._reserved -= nbytes
            if nbytes:
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until a claim shrinks, at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def refusal(self, name: str, nbytes: int, remedy: str | None = None) -> MemoryLimitError:
        """Return the error for work `name` that cannot get `nbytes`."""
        holding = self.top()
        if self.overrun:
            holding.append(("memory in no account", self.overrun))
        largest = ", ".join(f"{who} {format_bytes(size)}" for who, size in holding)
        return MemoryLimitError(
            f"{name} needs {format_bytes(nbytes)} of memory, but the budget is "
            f"{format_bytes(self.budget)} (memory_limit {format_bytes(self.limit)}, of which the "
            f"process itself takes {format_bytes(self.baseline)} and {format_bytes(self.headroom)} "
            f"stay free); held now: {largest or 'nothing'}. {remedy or _REMEDY}"
        )

    # -- the claim of the task that this thread runs ------------------------------

    @contextlib.contextmanager
    def running(self, claim: Reservation | None) -> Iterator[None]:
        """Make `claim` the one that `handed_over` shrinks in this thread."""
        local = self._local
        before, kept = getattr(local, "claim", None), getattr(local, "kept", None)
        local.claim, local.kept = claim, []
        try:
            yield
        finally:
            self.task_ended()
            local.claim, local.kept = before, kept

    def keep_for_task(self, claim: Reservation) -> None:
        """Release `claim` only when the task that this thread runs has ended."""
        kept = getattr(self._local, "kept", None)
        if kept is None:  # no task runs
            claim.release()
        else:
            kept.append(claim)

    def task_ended(self) -> None:
        """Release what was kept for the task that this thread ran."""
        kept = self._local.kept
        if kept:
            for claim in kept:
                claim.release()
            kept.clear()

    def handed_over(self, nbytes: int) -> None:
        """Tell that a holder now has `nbytes` that this thread's task had reserved."""
        claim = getattr(self._local, "claim", None)
        if claim is not None:
            self._shrink(claim, nbytes)

    # -- holders ------------------------------------------------------------------

    def register(self, holder: Holder) -> None:
        """Let the pool count what `holder` holds and ask it to spill."""
        with self._lock:
            self._holders.append(weakref.ref(holder))

    def unregister(self, holder: Holder) -> None:
        """Forget `holder`."""
        with self._lock:
            self._holders = [ref for ref in self._holders if ref() not in (holder, None)]

    def _live(self) -> list[Any]:
        holders = [ref() for ref in self._holders]
        return [holder for holder in holders if holder is not None]

    def make_room(self, nbytes: int) -> int:
        """Ask holders to spill `nbytes`, furthest next use first; return the bytes freed.

        What the allocators keep though nobody uses it goes before what would have to be read
        again. A holder whose disk is full keeps what it has, and the next one is asked.
        """
        freed = self._trimmed()
        if freed >= nbytes:
            return freed
        holders = [(holder.next_use, holder) for holder in self._live() if holder.held_bytes > 0]
        holders.sort(key=lambda entry: -entry[0])
        failure: SpillError | None = None
        for _, holder in holders:
            if freed >= nbytes:
                break
            try:
                freed += holder.spill(nbytes - freed)
            except SpillError as error:
                failure = error.with_traceback(None)  # which would hold this frame and all holders
        if failure is not None and freed < nbytes and freed == 0:
            try:
                raise failure
            finally:
                del failure
        if freed:
            with self._changed:
                self._changed.notify_all()
        return freed

    def _trimmed(self) -> int:
        """Trim the allocators if that was not done just now; return the bytes of overrun less."""
        if not self.overrun or time.monotonic() - self._trimmed_at < _URGENT_SECONDS:
            return 0
        before = self.overrun
        return max(0, before - self.sample(force=True, trim=True))

    # -- the truth ----------------------------------------------------------------

    def sample(self, *, force: bool = False, trim: bool = False) -> int:
        """Look at resident memory, at most every few milliseconds; return the overrun.

        Parameters
        ----------
        force : bool, optional
            Look now, however recently that was done.
        trim : bool, optional
            Trim the allocators when there is an overrun, however recently that was done.

        Returns
        -------
        int
        """
        now = time.monotonic()
        if not force and now - self._sampled_at < _SAMPLE_SECONDS:
            return self.overrun
        self._sampled_at = now
        overrun = self._measure()
        # Trimming costs page faults later: not while there is plenty of room.
        tight = overrun > 0 and self.available < self.budget // 4
        left = self.limit - self.rss
        pause = _URGENT_SECONDS if left < self.headroom else _TRIM_SECONDS
        if left < self.headroom // 2 and overrun > self._overrun_left + _SLACK:
            pause = 0.0
        if (trim and overrun > 0) or (tight and now - self._trimmed_at > pause):
            self._trimmed_at = now
            allocators.trim()
            self._overrun_left = overrun = self._measure()
        return overrun

    def excess(self) -> int:
        """Return how much of the overrun is really in use rather than free but not given back."""
        if self.overrun <= 0:
            return 0
        free = allocators.free_bytes()
        if free is None:
            return self.sample(force=True, trim=True)
        return max(0, self.overrun - free)

    def _measure(self) -> int:
        self.rss = rss = limits.resident_bytes()
        if rss > self.peak_rss:
            self.peak_rss = rss
        beyond = rss - self.baseline - self.reserved - self.held
        self.overrun = max(0, beyond - _SLACK, self._container_lacks())
        return self.overrun

    def _container_lacks(self) -> int:
        """Return the bytes by which a container shared with others is too full."""
        now = time.monotonic()
        if now - self._container_at >= _CONTAINER_SECONDS:
            self._container_at = now
            free = limits.container_free_bytes()
            self._lacking = 0 if free is None else max(0, self.headroom // 2 - free)
        return self._lacking

    def run_begins(self) -> None:
        """Count one more run; when it is the only one, take the baseline anew."""
        with self._lock:
            if not self.runs:
                self.rebase()
                allocators.map_large_blocks(self.limit < _LITTLE)
            self.runs += 1

    def run_ends(self) -> None:
        """Count one run less."""
        with self._changed:
            self.runs -= 1
            self._changed.notify_all()

    def rebase(self) -> None:
        """Take what the process has now, blocks aside, as the baseline.

        For the beginning of a run while no other is under way.
        """
        with self._lock:
            if self.reserved:
                return
            self.rss = limits.resident_bytes()
            # What is free now may have been in use, and part of the baseline, the last time.
            freed = (allocators.free_bytes() or 0) - self._free_at_rebase
            if self.rss - self.held > self.baseline + _SLACK or freed > _SLACK:
                allocators.trim()
                self.rss = limits.resident_bytes()
            self._free_at_rebase = allocators.free_bytes() or 0
            self.baseline = max(0, self.rss - self.held)
            self.overrun = 0

    @contextlib.contextmanager
    def override(self, limit: int | None) -> Iterator[None]:
        """Use `limit` for the time of one run; the smallest of several holds."""
        if limit is None:
            yield
            return
        with self._lock:
            self._overrides.append(limit)
        try:
            yield
        finally:
            with self._lock:
                self._overrides.remove(limit)


def limit_bytes(limit: str | int | float | None) -> int:
    """Return the bytes that a ``memory_limit`` means; None is the default share."""
    if limit is None:
        return int(limits.allowed_bytes() * DEFAULT_SHARE)
    if isinstance(limit, str):
        with contextlib.suppress(ValueError):
            limit = float(limit)
    if isinstance(limit, float) and 0 < limit <= 1:
        return int(limits.allowed_bytes() * limit)
    return parse_bytes(limit)


_pool: MemoryPool | None = None
_pool_limit: object = None
_pool_lock = threading.Lock()


def current_pool() -> MemoryPool:
    """Return the process's memory pool, made on first use with the configured limit.

    Returns
    -------
    MemoryPool
    """
    global _pool, _pool_limit
    configured = config.get("memory-limit")
    with _pool_lock:
        if _pool is None:
            allocators.set_up()
            _pool = MemoryPool(limit_bytes(configured))
            _pool_limit = configured
        elif configured != _pool_limit:
            _pool.limit = limit_bytes(configured)
            _pool_limit = configured
        return _pool

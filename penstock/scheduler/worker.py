"""A batch of tasks: what a worker thread runs without asking anybody."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from penstock.blocks import block_nbytes
from penstock.scheduler.store import Handle

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.scheduler.graph import Stage
    from penstock.scheduler.memory import MemoryPool, Reservation
    from penstock.scheduler.state import State
    from penstock.scheduler.store import BlockStore

MISSING = object()
"""Stands for a value that is not computed yet."""

_SCALARS = frozenset((int, float, bool, complex, type(None)))
_SMALL = 1024  # values below are neither stored behind a handle nor accounted
_MEASURED = 1 << 20  # reservations from here on are compared with resident memory

_here = threading.local()


def inside_task() -> bool:
    """Return whether this thread is running a task now."""
    return bool(getattr(_here, "depth", 0))


class Batch:
    """Tasks of one stage, run one after the other on one thread.

    Parameters
    ----------
    stage : Stage
    number, first : int
        The stage's place in the graph, and the number of its first task.
    tasks : list of int
    claim : Reservation or None
        What was reserved for them; None for tasks too small to count.
    """

    __slots__ = (
        "_cancelled",
        "_interrupting",
        "_pool",
        "_state",
        "_store",
        "_thread",
        "_values",
        "abandoned",
        "claim",
        "deliver",
        "error",
        "excess",
        "failed",
        "first",
        "inputs_nbytes",
        "interrupted",
        "nbytes",
        "number",
        "peak_share",
        "pinned",
        "results",
        "samples",
        "seconds",
        "stage",
        "tasks",
    )

    def __init__(
        self,
        stage: Stage,
        number: int,
        first: int,
        tasks: list[int],
        claim: Reservation | None,
        *,
        state: State,
        values: list[Any],
        store: BlockStore,
        pool: MemoryPool,
        cancelled: threading.Event,
        deliver: Callable[[Batch], None],
    ) -> None:
        self.stage = stage
        self.number = number
        self.first = first
        self.tasks = tasks
        self.claim = claim
        self.deliver = deliver
        self._state = state
        self._values = values
        self._store = store
        self._pool = pool
        self._cancelled = cancelled
        self.results: list[Any] = []
        self.pinned: list[Handle] = []
        self.inputs_nbytes = 0
        self.nbytes = 0
        self.seconds = 0.0
        self.error: BaseException | None = None
        self.failed = -1
        self.abandoned = False
        self.interrupted = False
        self._thread: int | None = None
        self._interrupting = threading.Lock()
        # What the loop saw of the process's memory while this ran.
        self.excess = pool.excess()
        self.samples = 0
        self.peak_share = 0.0

    def run(self, call: Callable[..., Any] | None = None) -> None:
        """Run the tasks, then deliver the batch, whatever happened.

        Parameters
        ----------
        call : callable, optional
            Called as ``call(function, arguments)`` in place of the function itself.
        """
        started = time.perf_counter()
        _here.depth = getattr(_here, "depth", 0) + 1
        self._thread = threading.get_ident()
        try:
            with self._pool.running(self.claim):
                self._run(call)
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self.error = error
        self._end_interrupts()
        _here.depth -= 1
        self.seconds = time.perf_counter() - started
        # Here rather than in the loop, which may rest while a stream's consumer works.
        self._give_back()
        self.deliver(self)
        if self.abandoned:
            self.results = []

    def interrupt(self, raise_in: Callable[[int], None]) -> None:
        """Call `raise_in` with the thread that runs the batch now, if one does."""
        with self._interrupting:
            if self._thread is not None:
                self.interrupted = True
                raise_in(self._thread)

    def _end_interrupts(self) -> None:
        """Let an exception that was sent to this thread come now rather than later."""
        try:
            with self._interrupting:
                self._thread = None
            if self.interrupted:
                for _ in range(100):
                    time.sleep(0)
        except BaseException as error:  # noqa: BLE001 - the one that was sent
            self._thread = None
            self.error = self.error or error

    def _give_back(self) -> None:
        pinned, self.pinned = self.pinned, []
        for handle in pinned:
            handle.unpin()
        if self.claim is not None:
            self.claim.release()

    def _run(self, call: Callable[..., Any] | None) -> None:
        stage, values, state = self.stage, self._values, self._state
        function, arguments, outputs = stage.function, stage.arguments, stage.outputs
        indptr, indices, results = state.indptr, state.indices, self.results
        gathers, cancelled = stage.gathers, self._cancelled.is_set
        ended = self._pool.task_ended
        for task in self.tasks:
            if cancelled():
                return
            self.failed = task
            inputs = [values[value] for value in indices[indptr[task] : indptr[task + 1]]]
            for place, value in enumerate(inputs):
                if value.__class__ is Handle:
                    inputs[place] = self._fetch(value)
            if gathers:
                inputs = [inputs]
            if arguments is not None:
                inputs.insert(0, arguments[task - self.first])
            result = function(*inputs) if call is None else call(function, inputs)
            if self.claim is not None and self.claim.nbytes > _MEASURED:
                self._pool.sample()
            del inputs
            if outputs == 1:
                results.append(result if result.__class__ in _SCALARS else self._keep(result))
            else:
                if not isinstance(result, tuple | list) or len(result) != outputs:
                    raise TypeError(f"{stage.name} must give a tuple of {outputs} values")
                results.append([self._keep(value) for value in result])
            del result
            ended()

    def _fetch(self, handle: Handle) -> Any:
        restored = not handle.resident
        value = handle.get()
        if restored and self.claim is not None:
            self.claim.shrink(handle.nbytes)  # the store holds it now
        return value

    def _keep(self, value: Any) -> Any:
        if value.__class__ in _SCALARS:
            return value
        nbytes = value_nbytes(value)
        self.nbytes += nbytes
        if nbytes < _SMALL:
            return value
        handle = self._store.put(value, nbytes)
        if self.claim is not None:
            self.claim.shrink(nbytes)
        return handle


def value_nbytes(value: Any) -> int:
    """Return the bytes of any value; what cannot be measured counts as its header."""
    try:
        return block_nbytes(value)
    except Exception:  # noqa: BLE001 - a user's type may fail in any way when measured
        return sys.getsizeof(value, 64)

"""The one loop that runs graphs, whatever the executor.

It launches the ready task that comes first in order, as soon as its projected
working set can be reserved::

    inputs to read back + inputs * input_factor + fixed + output

When that does not fit, other blocks are spilled; then running tasks are waited
for; then the task runs alone; and what does not fit even alone is refused.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from penstock.config import format_bytes
from penstock.errors import MemoryLimitError, SpillError
from penstock.scheduler import events, spill
from penstock.scheduler.estimate import StageEstimate
from penstock.scheduler.interrupts import Interrupts
from penstock.scheduler.state import FOREVER, State
from penstock.scheduler.store import Handle
from penstock.scheduler.worker import MISSING, Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.scheduler.executors import Executor
    from penstock.scheduler.graph import Graph
    from penstock.scheduler.memory import MemoryPool, Reservation
    from penstock.scheduler.store import BlockStore

_SAMPLED = 8 << 20  # from so much in use on the loop watches resident memory
_SAMPLE_SECONDS = 0.005
_EVENT_SECONDS = 0.1
_NOTABLE = 8 << 20
_TELLING = 5  # samples that a task must have lasted for its peak to be believed
_COUNTED = 64 << 10  # smaller needs are not reserved: the headroom has room for them
_RUN_BYTES = 2 << 20  # several tasks are handed over at once only up to this need
_RUN_PASSING = 16 << 20  # and this much temporary memory, some of which may find another holder
_SHARES = 16  # but no more than such a part of the budget, for all workers together
_TINY_SECONDS = 2e-4  # a single ready task shorter than this is run in the loop itself
_PATIENCE = 30.0  # seconds to wait for other runs to give memory back
_ERROR_WAIT = 5.0
_INTERRUPT_WAIT = 1.0

_numbers = itertools.count(1)


class Run:
    """One execution of a graph.

    Parameters
    ----------
    graph : Graph
    executor : Executor
    pool : MemoryPool
    store : BlockStore
    observers : sequence of callable
    nested : bool
        Whether a task of another run waits for this one.
    """

    def __init__(
        self,
        graph: Graph,
        executor: Executor,
        pool: MemoryPool,
        store: BlockStore,
        observers: Sequence[Callable[[events.Event], None]] = (),
        *,
        nested: bool = False,
    ) -> None:
        self.state = State(graph)
        self.values: list[Any] = [MISSING] * graph.nvalues
        self.wanted = list(graph.wanted)
        self._stages = graph.stages
        self._executor = executor
        self._pool = pool
        self._most_passing = min(_RUN_PASSING, pool.budget // (_SHARES * executor.num_workers))
        self._store = store
        self._observers = observers
        self._nested = nested
        self._estimates = [StageEstimate(stage) for stage in graph.stages]
        self._interrupts = Interrupts()
        self._cancelled = threading.Event()
        self._completed: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self._running: dict[int, Batch] = {}
        self._number = next(_numbers)
        self._started = time.monotonic()
        self._ntasks = self.state.remaining
        self._wanted = frozenset(self.wanted)
        self._limits_results = False
        # Handles that are not the run's to free: given by the caller or kept for it.
        self._kept: set[int] = set()
        self._restored: dict[int, int] = {}
        self._results = 0
        self._results_nbytes = 0
        self._told = 0.0
        self._written = 0
        for stage in graph.stages:
            if stage.handles is not None:
                self.values[stage.base : stage.base + stage.nvalues] = list(stage.handles)
                self._kept.update(range(stage.base, stage.base + stage.nvalues))
        if observers:
            self._begin()

    # -- what callers do ----------------------------------------------------------

    def limit_results(self) -> None:
        """Refuse as soon as the results together are known not to fit in memory."""
        self._limits_results = True

    def finish_all(self) -> None:
        """Run every needed task."""
        with self._interrupts:
            while self.state.remaining:
                self._step()

    def finish(self, value: int) -> None:
        """Run until `value` is there."""
        if self.values[value] is MISSING:
            with self._interrupts:
                while self.values[value] is MISSING:
                    self._step()

    def restore(self, value: int) -> Any:
        """Return a finished value, room made for it and pinned in memory."""
        found = self.values[value]
        if found.__class__ is not Handle:
            return found
        found.pin()
        self._restored[value] = self._restored.get(value, 0) + 1
        if found.resident:
            return found.get()
        claim = self._pool.reserve("reading a result back", found.nbytes)
        with claim:
            return found.get()

    def release(self, value: int) -> None:
        """Drop a result that `restore` gave, unless it is still wanted or used."""
        found = self.values[value]
        if found.__class__ is Handle:
            found.unpin()
            self._restored[value] -= 1
        if self.state.release(value):
            self._free(value)

    def keep(self, value: int) -> Handle:
        """Return a finished value's handle, which outlives the run."""
        found = self.values[value]
        if found.__class__ is not Handle:
            found = self._store.put(found)
            self.values[value] = found
        found.next_use = FOREVER
        self._kept.add(value)
        return found

    def close(self, error: BaseException | None = None) -> None:
        """End the run: stop what runs, free what is stored, tell the observers."""
        if self._running:
            self._stop(error)
        for value, count in self._restored.items():
            for _ in range(count):
                self.values[value].unpin()
        for value, found in enumerate(self.values):
            if found.__class__ is Handle and self.state.references[value] > 0:
                self._free(value)
        self.values = []
        self._executor.close()
        if self._observers:
            self._tell_memory(force=True)
            self._tell(
                events.RunFinished(
                    self._number,
                    self._elapsed(),
                    self._ntasks - self.state.remaining,
                    self._pool.peak_rss,
                    self._written,
                    None if error is None else type(error).__name__,
                )
            )

    # -- the loop -----------------------------------------------------------------

    def _step(self) -> None:
        """Launch what can be launched, then take in one finished batch."""
        self._interrupts.check()
        while self.state.ready and len(self._running) < self._executor.num_workers:
            if not self._launch():
                break
        if not self._running:
            self._launch_alone()
        self._take_in(self._next_completed())

    def _launch(self) -> bool:
        """Launch the next tasks, one or a run of small ones; return whether they fit."""
        state = self.state
        number = state.stage_of[state.peek()]
        estimate = self._estimates[number]
        most = estimate.run_length(state.ready, self._executor.num_workers)
        tasks: list[int] = []
        pinned: list[Handle] = []
        kept = largest = passing = inputs = 0
        while True:
            task = state.peek()
            handles, nbytes, restored = self._inputs(task)
            more, temporary = restored + estimate.output(nbytes), estimate.temporary(nbytes)
            if tasks and (
                kept + more + max(largest, temporary) > _RUN_BYTES
                or passing + temporary > self._most_passing
            ):
                break
            tasks.append(state.pop())
            pinned += handles
            inputs += nbytes
            kept += more
            largest = max(largest, temporary)  # one task begins when the one before has ended
            passing += temporary
            if len(tasks) >= most or not state.ready or state.stage_of[state.peek()] != number:
                break
        for handle in pinned:
            handle.pin()
        claim, need = None, kept + largest
        if need >= _COUNTED:
            claim = self._claim(tasks[0], need)
            if claim is None:
                for handle in pinned:
                    handle.unpin()
                for task in tasks:
                    state.push(task)
                return False
        self._submit(tasks, claim, pinned, inputs)
        return True

    def _inputs(self, task: int) -> tuple[list[Handle], int, int]:
        """Return a task's stored inputs, their bytes, and the bytes to be read back."""
        state, values = self.state, self.values
        used = state.indices[state.indptr[task] : state.indptr[task + 1]]
        handles = [values[value] for value in used if values[value].__class__ is Handle]
        if not handles:
            return handles, 0, 0
        if len(handles) > 1:
            handles = list(dict.fromkeys(handles))  # a task may take a block twice
        total = sum([handle.nbytes for handle in handles])
        return handles, total, sum([handle.nbytes for handle in handles if not handle.resident])

    def _claim(self, task: int, need: int) -> Reservation | None:
        pool = self._pool
        name = self._stages[self.state.stage_of[task]].name
        pool.sample()
        claim = pool.try_reserve(name, need)
        if claim is None and need <= pool.budget:
            try:
                pool.make_room(need - pool.available)
            except SpillError:
                if not self._running:  # else what runs may free enough
                    raise
            claim = pool.try_reserve(name, need)
        return claim

    def _launch_alone(self) -> None:
        """Launch the next task while nothing else runs, or say why it cannot be."""
        state, pool = self.state, self._pool
        task = state.pop()
        stage = self._stages[state.stage_of[task]]
        estimate = self._estimates[state.stage_of[task]]
        end = time.monotonic() + _PATIENCE
        while True:
            handles, inputs, restored = self._inputs(task)
            for handle in handles:
                handle.pin()
            need = restored + estimate.temporary(inputs, corrected=False) + estimate.output(inputs)
            try:
                pool.sample(force=True)
                claim = self._claim(task, need)
                if claim is None:
                    claim = self._claim_the_rest(stage.name, need)
                if claim is not None:
                    break
                alone = self._nested or (not pool.reserved and pool.runs <= 1)
                if alone or need > pool.budget or time.monotonic() > end:
                    total = need + sum(handle.nbytes for handle in handles if handle.resident)
                    raise self._explained(pool.refusal(stage.name, total), task)
            except BaseException:
                for handle in handles:
                    handle.unpin()
                raise
            for handle in handles:
                handle.unpin()  # two runs that wait must not keep each other's room
            pool.wait(0.02)
        self._submit([task], claim, handles, inputs)

    def _claim_the_rest(self, name: str, need: int) -> Reservation | None:
        """Claim `need` when only memory in no account is in the way and there is room for it."""
        pool = self._pool
        gc.collect()
        pool.sample(force=True, trim=True)
        claim = pool.try_reserve(name, need)
        if claim is None and not pool.reserved:
            # What the allocators keep though it is free serves this task, and part of the headroom
            # is meant for what is in no account.
            used = min(pool.rss, pool.baseline + pool.held + pool.excess())
            if used + need <= pool.limit - pool.headroom // 2:
                claim = pool.force_reserve(name, need)
        return claim

    def _submit(
        self, tasks: list[int], claim: Reservation | None, handles: list[Handle], inputs: int
    ) -> None:
        number = self.state.stage_of[tasks[0]]
        batch = Batch(
            self._stages[number],
            number,
            self.state.first_task[number],
            tasks,
            claim,
            state=self.state,
            values=self.values,
            store=self._store,
            pool=self._pool,
            cancelled=self._cancelled,
            deliver=self._completed.put,
        )
        batch.pinned = handles
        batch.inputs_nbytes = inputs
        self._running[id(batch)] = batch
        if self._observers:
            reserved = 0 if claim is None else claim.nbytes
            self._tell(
                events.TasksStarted(self._number, self._elapsed(), number, len(tasks), reserved)
            )
        estimate = self._estimates[number]
        if (
            len(self._running) == 1
            and not self.state.ready
            and estimate.finished
            and estimate.seconds * len(tasks) < _TINY_SECONDS
        ):
            batch.run()  # cheaper than a hand-over, and there is nothing to do beside it
        else:
            self._executor.submit(batch)

    def _next_completed(self) -> Batch:
        """Wait for a finished batch, watching memory meanwhile."""
        while True:
            pool = self._pool
            # what a task has handed over is no longer reserved, but it may go on working
            taken = max(pool.reserved, pool.rss - pool.baseline)
            watch = bool(self._observers) or taken >= _SAMPLED
            try:
                return self._completed.get(timeout=_SAMPLE_SECONDS if watch else None)
            except queue.Empty:
                self._watch()

    def _watch(self) -> None:
        pool = self._pool
        overrun = pool.sample()
        share = (pool.rss - pool.baseline - pool.held) / max(1, pool.reserved)
        excess = pool.excess()
        for batch in self._running.values():
            batch.samples += 1
            batch.peak_share = max(batch.peak_share, share)
            if excess > batch.excess + _NOTABLE:
                self._estimates[batch.number].took_more(
                    (excess - batch.excess) / len(self._running)
                )
                batch.excess = excess
        lacking = -pool.available
        if overrun > 0 and lacking > 0:
            with contextlib.suppress(SpillError):  # there may be room without it
                pool.make_room(lacking)
        if self._observers:
            self._tell_memory()

    def _take_in(self, batch: Batch) -> None:
        del self._running[id(batch)]
        if batch.error is not None:
            error, batch.error = batch.error, None
            try:
                raise self._explained(error, batch.failed)
            finally:
                del error  # whose traceback holds this frame
        state, values, store_results = self.state, self.values, self._store_results
        estimate = self._estimates[batch.number]
        estimate.learn(len(batch.tasks), batch.seconds, batch.inputs_nbytes, batch.nbytes)
        if batch.samples >= _TELLING and batch.peak_share < 0.5:
            estimate.took_less()
        if batch.stage.outputs == 1 and not batch.nbytes:
            base = batch.stage.base - batch.first
            for task, result in zip(batch.tasks, batch.results, strict=True):
                values[base + task] = result
                for value in state.finish(task):
                    self._free(value)
        else:
            for task, result in zip(batch.tasks, batch.results, strict=True):
                store_results(task, result if batch.stage.outputs > 1 else [result])
        if self._observers:
            self._tell(
                events.TasksFinished(
                    self._number,
                    self._elapsed(),
                    batch.number,
                    len(batch.tasks),
                    batch.nbytes,
                    batch.seconds,
                )
            )
            self._tell_memory()

    def _store_results(self, task: int, results: list[Any]) -> None:
        state, values = self.state, self.values
        outputs = state.outputs(task)
        for value, result in zip(outputs, results, strict=True):
            values[value] = result
            if self._limits_results and result.__class__ is Handle and value in self._wanted:
                self._check_result(result)
        used = state.inputs(task)
        for value in state.finish(task):
            self._free(value)
        for value in (*outputs, *used):
            found = values[value]
            if found.__class__ is Handle:
                found.next_use = self._next_use(value)

    def _next_use(self, value: int) -> int:
        at = self.state.next_use(value)
        # Among results the last ones are wanted last.
        return at if at < FOREVER else FOREVER + value

    def _free(self, value: int) -> None:
        found = self.values[value]
        self.values[value] = None
        if found.__class__ is Handle and value not in self._kept:
            found.free()

    def _check_result(self, handle: Handle) -> None:
        self._results += 1
        self._results_nbytes += handle.nbytes
        budget = self._pool.budget
        if self._results_nbytes > budget:
            count = len(self._wanted)
            estimated = self._results_nbytes * count // self._results
            raise MemoryLimitError(
                f"the result takes about {format_bytes(estimated)} ({count} blocks), but the "
                f"budget is {format_bytes(budget)} of memory_limit "
                f"{format_bytes(self._pool.limit)}; write it with to_parquet, iterate over its "
                "blocks, keep it with persist(), or raise memory_limit"
            )

    # -- errors -------------------------------------------------------------------

    def _explained(self, error: BaseException, task: int) -> BaseException:
        """Return `error` with notes that say what was done, on what, and asked for where."""
        if task < 0:
            return error
        number = self.state.stage_of[task]
        stage = self._stages[number]
        notes = [f"in operation {stage.name}"]
        if stage.origin is not None:
            notes.append(f"on {stage.origin(task - self.state.first_task[number])}")
        if stage.where:
            notes.append(f"asked for at {stage.where}")
        for note in notes:
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
        return error

    def _stop(self, error: BaseException | None) -> None:
        """Wait for running batches for a while, then abandon them."""
        self._cancelled.set()
        urgent = isinstance(error, KeyboardInterrupt)
        end = time.monotonic() + (_INTERRUPT_WAIT if urgent else _ERROR_WAIT)
        patience = time.monotonic() + (0.2 if urgent else _ERROR_WAIT - 0.5)
        interrupted = False
        while self._running and time.monotonic() < end:
            try:
                batch = self._completed.get(timeout=0.02)
            except queue.Empty:
                if not interrupted and time.monotonic() > patience:
                    interrupted = True
                    for batch in self._running.values():
                        self._executor.interrupt(batch)
                continue
            batch.error = None  # one is raised; the others would keep what their frames hold
            self._running.pop(id(batch), None)
        for batch in self._running.values():
            batch.abandoned = True
        while True:
            try:
                batch = self._completed.get_nowait()
            except queue.Empty:
                break
            batch.error = None
            self._running.pop(id(batch), None)
        self._running.clear()

    # -- events -------------------------------------------------------------------

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _tell(self, event: events.Event) -> None:
        for observer in self._observers:
            observer(event)

    def _begin(self) -> None:
        self._written = 0
        self._spill_start = spill.directory().written
        self._tell(
            events.RunStarted(
                self._number,
                0.0,
                tuple(
                    (stage.name, count)
                    for stage, count in zip(self._stages, self.state.needed_per_stage, strict=True)
                ),
                self._ntasks,
                self._executor.num_workers,
                self._pool.limit,
                self._pool.budget,
            )
        )

    def _tell_memory(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._told < _EVENT_SECONDS:
            return
        self._told = now
        pool = self._pool
        pool.sample(force=True)
        self._tell(
            events.MemorySampled(
                self._number, self._elapsed(), pool.rss, pool.reserved, pool.held, pool.limit
            )
        )
        directory = spill.directory()
        written = directory.written - self._spill_start
        if written > self._written:
            self._tell(
                events.Spilled(
                    self._number, self._elapsed(), written - self._written, directory.used
                )
            )
            self._written = written

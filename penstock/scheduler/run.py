"""The three ways to run a graph: all at once, as a stream, or kept in the store."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

from penstock import config
from penstock.errors import MemoryLimitError, SpillError
from penstock.scheduler.blas import OneBlasThread
from penstock.scheduler.closing import closed_safely
from penstock.scheduler.events import all_observers
from penstock.scheduler.executors import make_executor
from penstock.scheduler.limits import available_cpus
from penstock.scheduler.loop import Run
from penstock.scheduler.memory import current_pool, limit_bytes
from penstock.scheduler.store import Handle, current_store
from penstock.scheduler.worker import inside_task

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from penstock.scheduler.events import Event
    from penstock.scheduler.graph import Graph


def execute(
    graph: Graph,
    *,
    scheduler: str | None = None,
    num_workers: int | None = None,
    memory_limit: str | int | float | None = None,
    progress: bool | None = None,
    observers: Sequence[Callable[[Event], None]] = (),
) -> list[Any]:
    """Run `graph` and return the blocks of ``graph.wanted``, in order.

    Parameters
    ----------
    graph : Graph
    scheduler : str, optional
        Executor by name; the setting ``scheduler`` or threads by default.
    num_workers : int, optional
        Tasks run at once; the processors there are by default.
    memory_limit : str, int or float, optional
        Limit of the whole process for the time of this run.
    progress : bool, optional
        Show a progress bar; by default only in a terminal.
    observers : sequence of callable, optional
        Each is called with every event.

    Returns
    -------
    list

    Raises
    ------
    MemoryLimitError
        When a task, or the result, cannot fit.
    """
    with _Running(graph, scheduler, num_workers, memory_limit, progress, observers) as run:
        run.limit_results()
        run.finish_all()
        results = [run.restore(value) for value in run.wanted]
        for value in run.wanted:
            run.release(value)
    return results


@closed_safely
def stream(
    graph: Graph,
    *,
    scheduler: str | None = None,
    num_workers: int | None = None,
    memory_limit: str | int | float | None = None,
    progress: bool | None = None,
    observers: Sequence[Callable[[Event], None]] = (),
) -> Generator[Any]:
    """Yield the blocks of ``graph.wanted`` in order, working only while they are asked for.

    Closing the generator cancels the run. A block stays in the account until
    the next one is asked for.

    Parameters
    ----------
    graph, scheduler, num_workers, memory_limit, progress, observers
        As for `execute`.

    Yields
    ------
    block
    """
    with _Running(graph, scheduler, num_workers, memory_limit, progress, observers) as run:
        for value in run.wanted:
            run.finish(value)
            yield run.restore(value)
            run.release(value)


def persist(
    graph: Graph,
    *,
    scheduler: str | None = None,
    num_workers: int | None = None,
    memory_limit: str | int | float | None = None,
    progress: bool | None = None,
    observers: Sequence[Callable[[Event], None]] = (),
) -> list[Handle]:
    """Run `graph` and return handles of the blocks of ``graph.wanted``, in order.

    The blocks stay in the store, where they can be spilled, until their handles
    are garbage collected. Give them to another graph as ``Stage.handles``.

    Parameters
    ----------
    graph, scheduler, num_workers, memory_limit, progress, observers
        As for `execute`.

    Returns
    -------
    list of Handle
    """
    with _Running(graph, scheduler, num_workers, memory_limit, progress, observers) as run:
        run.finish_all()
        return [run.keep(value) for value in run.wanted]


class _Running:
    """A run that is closed, whatever ends it."""

    def __init__(
        self,
        graph: Graph,
        scheduler: str | None,
        num_workers: int | None,
        memory_limit: str | int | float | None,
        progress: bool | None,
        observers: Sequence[Callable[[Event], None]],
    ) -> None:
        self._graph = graph
        self._nested = inside_task()
        name = scheduler or config.get("scheduler", "threads")
        # A worker that waits for other workers could wait for itself.
        self._scheduler = "sync" if self._nested else name
        count = num_workers or config.get("num-workers") or available_cpus()
        if count < 1:
            raise ValueError(f"num_workers must be at least 1, not {count}")
        self._num_workers = int(count)
        self._limit = None if memory_limit is None else limit_bytes(memory_limit)
        self._progress = progress
        self._observers = observers

    def __enter__(self) -> Run:
        executor = make_executor(self._scheduler, self._num_workers)
        pool = self._pool = current_pool()
        self._override = pool.override(self._limit)
        self._override.__enter__()
        pool.run_begins()
        self._blas = OneBlasThread(self._num_workers > 1 and self._scheduler != "sync")
        self._blas.__enter__()
        try:
            observers = list(all_observers(self._observers))
            bar = _progress_bar(self._progress) if not self._nested else None
            if bar is not None:
                observers.append(bar)
            self._run = Run(
                self._graph, executor, pool, current_store(), observers, nested=self._nested
            )
        except BaseException:
            self._leave()
            raise
        return self._run

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            self._run.close(error)
        finally:
            self._leave()
        if isinstance(error, MemoryLimitError | SpillError):
            _clear_frames(error)

    def _leave(self) -> None:
        self._blas.__exit__(None, None, None)
        self._pool.run_ends()
        self._override.__exit__(None, None, None)


def _clear_frames(error: BaseException | None) -> None:
    """Let go of the blocks in the frames of an error that says that there is no room."""
    import traceback

    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()  # errors that were put up with on the way hold frames in circles


def _progress_bar(progress: bool | None) -> Callable[[Event], None] | None:
    """Return an observer that draws progress, None when it is off."""
    wanted = config.get("progress", override_with=progress)
    if isinstance(wanted, str):  # from the environment
        wanted = wanted.lower() in ("1", "on", "true", "yes")
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None where it was closed
    if wanted is False or (wanted is None and not terminal):
        return None
    from penstock.scheduler.observers.progress import ProgressBar

    return ProgressBar(delay=float(config.get("progress-delay", 0.5)))

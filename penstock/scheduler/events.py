"""What happens during a run, told as frozen values.

The loop emits events; observers, which are callables that take one event, turn
them into a progress bar, a profile or a page. They see nothing else of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@record
class Event:
    """Something that happened in run `run`, `seconds` after it began."""

    run: int
    seconds: float


@record
class RunStarted(Event):
    """A graph begins to run: its needed stages with their numbers of tasks."""

    stages: tuple[tuple[str, int], ...]
    ntasks: int
    num_workers: int
    memory_limit: int
    budget: int


@record
class TasksStarted(Event):
    """A worker was handed `ntasks` tasks of stage number `stage`."""

    stage: int
    ntasks: int
    reserved: int


@record
class TasksFinished(Event):
    """`ntasks` tasks of stage number `stage` are done, giving `nbytes` of blocks."""

    stage: int
    ntasks: int
    nbytes: int
    task_seconds: float


@record
class MemorySampled(Event):
    """The process takes `rss` bytes; its account holds `reserved` and `held`."""

    rss: int
    reserved: int
    held: int
    limit: int


@record
class Spilled(Event):
    """`nbytes` more were written to spill files, of which `total` are on disk."""

    nbytes: int
    total: int


@record
class RunFinished(Event):
    """The run has ended; `error` names the exception that ended it, if one did."""

    ntasks: int
    peak_rss: int
    spilled: int
    error: str | None = None


_everywhere: list[Callable[[Event], None]] = []


def observe_all(observer: Callable[[Event], None]) -> None:
    """Let `observer` see the events of every run from now on."""
    _everywhere.append(observer)


def stop_observing(observer: Callable[[Event], None]) -> None:
    """Undo `observe_all`."""
    _everywhere.remove(observer)


def all_observers(
    observers: Iterable[Callable[[Event], None]],
) -> tuple[Callable[[Event], None], ...]:
    """Return the given observers and those of every run."""
    return (*observers, *_everywhere)

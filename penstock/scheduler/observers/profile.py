"""A profile of runs: memory, spilling, tasks and time."""

from __future__ import annotations

import threading
from dataclasses import field
from typing import TYPE_CHECKING

from penstock.config import format_bytes
from penstock.records import record
from penstock.scheduler import events

if TYPE_CHECKING:
    from types import TracebackType


@record(frozen=False)
class StageProfile:
    """What the tasks of one stage, by name, took over all runs seen."""

    name: str
    tasks: int = 0
    seconds: float = 0.0
    """Seconds of work, added up over the workers."""
    nbytes: int = 0
    """Bytes of the blocks that the tasks yielded."""

    def __str__(self) -> str:
        return (
            f"  {self.name}: {self.tasks} tasks, {self.seconds:.2f} s, {format_bytes(self.nbytes)}"
        )


@record(frozen=False)
class Profile:
    """Collects peak memory, spilled bytes, tasks and seconds.

    Used as a context manager it sees all runs inside; given as one of
    ``observers=`` it sees that run.

    Attributes
    ----------
    runs, tasks : int
    seconds : float
        From the beginning to the end of each run, added up.
    peak_memory : int
        Most resident bytes of the process that were seen during a run.
    spilled_bytes : int
        Bytes written to spill files.
    stages : dict
        A `StageProfile` by stage name.

    Examples
    --------
    >>> from penstock import threaded
    >>> with Profile() as profile:
    ...     threaded.get({"x": (abs, -1)}, "x")
    1
    >>> profile.tasks
    1
    """

    runs: int = 0
    tasks: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
    memory_limit: int = 0
    spilled_bytes: int = 0
    stages: dict[str, StageProfile] = field(default_factory=dict)
    _names: dict[int, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, event: events.Event) -> None:
        """Take one event in."""
        with self._lock:
            self._take(event)

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.TasksFinished):
            name = self._names.get(event.run, ())[event.stage]
            stage = self.stages.setdefault(name, StageProfile(name))
            stage.tasks += event.ntasks
            stage.seconds += event.task_seconds
            stage.nbytes += event.nbytes
            self.tasks += event.ntasks
        elif isinstance(event, events.MemorySampled):
            self.peak_memory = max(self.peak_memory, event.rss)
        elif isinstance(event, events.Spilled):
            self.spilled_bytes += event.nbytes
        elif isinstance(event, events.RunStarted):
            self._names[event.run] = tuple(name for name, _ in event.stages)
            self.memory_limit = event.memory_limit
        elif isinstance(event, events.RunFinished):
            self._names.pop(event.run, None)
            self.runs += 1
            self.seconds += event.seconds

    def __enter__(self) -> Profile:
        events.observe_all(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        events.stop_observing(self)

    def __str__(self) -> str:
        head = (
            f"{self.tasks} tasks in {self.seconds:.2f} s, peak memory "
            f"{format_bytes(self.peak_memory)} of {format_bytes(self.memory_limit)}, "
            f"{format_bytes(self.spilled_bytes)} spilled"
        )
        stages = sorted(self.stages.values(), key=lambda stage: -stage.seconds)
        return "\n".join([head, *map(str, stages)])

"""A progress bar: tasks, bytes, memory against the limit, spilled bytes, time left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.config import format_bytes
from penstock.scheduler import events

if TYPE_CHECKING:
    from rich.console import Console

_REDRAW_SECONDS = 0.1


class ProgressBar:
    """Draws one line for a run that takes longer than `delay` seconds.

    Parameters
    ----------
    delay : float, optional
        Seconds before anything is drawn.
    console : rich.console.Console, optional
        Where to draw; standard error by default.
    """

    def __init__(self, delay: float = 0.5, console: Console | None = None) -> None:
        self._delay = delay
        self._console = console
        self._progress: Any = None
        self._task: Any = None
        self._drawn = 0.0
        self._names: tuple[str, ...] = ()
        self._total = self._done = self._nbytes = self._spilled = 0
        self._rss = self._limit = 0
        self._current = ""

    def __call__(self, event: events.Event) -> None:
        """Take one event in, drawing when it is time to."""
        if isinstance(event, events.TasksFinished):
            self._done += event.ntasks
            self._nbytes += event.nbytes
            self._current = self._names[event.stage]
        elif isinstance(event, events.MemorySampled):
            self._rss, self._limit = event.rss, event.limit
        elif isinstance(event, events.Spilled):
            self._spilled += event.nbytes
        elif isinstance(event, events.RunStarted):
            self._total = event.ntasks
            self._limit = event.memory_limit
            self._names = tuple(name for name, _ in event.stages)
        elif isinstance(event, events.RunFinished):
            self._finish(failed=event.error is not None)
            return
        if event.seconds >= self._delay and event.seconds - self._drawn >= _REDRAW_SECONDS:
            self._drawn = event.seconds
            self._draw()

    def _draw(self) -> None:
        if self._progress is None:
            self._begin()
        self._progress.update(
            self._task,
            completed=self._done,
            description=self._current,
            memory=f"{format_bytes(self._rss)} of {format_bytes(self._limit)}",
            nbytes=format_bytes(self._nbytes),
            spilled=f"{format_bytes(self._spilled)} spilled" if self._spilled else "",
        )
        self._progress.refresh()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = self._console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[nbytes]}"),
            TextColumn("memory {task.fields[memory]}"),
            TextColumn("{task.fields[spilled]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,  # no thread: the loop's own events redraw it
            transient=console.is_terminal,
        )
        self._task = self._progress.add_task(
            "", total=self._total, memory="", nbytes="", spilled=""
        )
        self._progress.start()

    def _finish(self, *, failed: bool) -> None:
        if self._progress is None:
            return
        if not failed:
            self._draw()
        self._progress.stop()
        self._progress = None

"""Executors: where the batches of a run are executed.

An executor is a class in a file of its own, found by name in `EXECUTORS` and
imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from penstock.scheduler.worker import Batch

EXECUTORS = {
    "threads": "penstock.scheduler.executors.threads:ThreadsExecutor",
    "sync": "penstock.scheduler.executors.sync:SyncExecutor",
}
"""Import path of each executor by name."""

ALIASES = {
    "threading": "threads",
    "threaded": "threads",
    "synchronous": "sync",
    "single-threaded": "sync",
}


class Executor(Protocol):
    """Runs batches; each delivers itself to the loop when it is done."""

    num_workers: int

    def submit(self, batch: Batch) -> None:
        """Run `batch` now or soon."""

    def interrupt(self, batch: Batch) -> None:
        """Try to stop `batch`, whose result nobody wants any more."""

    def close(self) -> None:
        """Give back what the executor holds."""


def make_executor(name: str, num_workers: int) -> Executor:
    """Return the executor called `name`.

    Raises
    ------
    ValueError
        When there is no such executor.
    """
    path = EXECUTORS.get(ALIASES.get(name, name)) if isinstance(name, str) else None
    if path is None:
        known = ", ".join(sorted({*EXECUTORS, *ALIASES}))
        raise ValueError(f"no scheduler {name!r}; choose one of {known}")
    module, _, attribute = path.partition(":")
    executor: Executor = getattr(importlib.import_module(module), attribute)(num_workers)
    return executor

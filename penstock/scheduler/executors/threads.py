"""The executor of threads, which all runs of the process share."""

from __future__ import annotations

import ctypes
import itertools
import os
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.scheduler.worker import Batch


class Interrupted(BaseException):
    """Raised inside a task that was abandoned, to stop its Python code."""


_IDLE_SECONDS = 0.2
"""A thread that had nothing to do for so long ends."""


class _Workers:
    """Daemon threads that wait for batches; a new one is made when none is idle."""

    def __init__(self) -> None:
        # Not a SimpleQueue: in CPython 3.11 its timed wait becomes an endless one when
        # another thread takes the item just after the time is over.
        self._queue: queue.Queue[Batch] = queue.Queue()
        self._lock = threading.Lock()
        self._idle = 0
        self._numbers = itertools.count()

    def submit(self, batch: Batch) -> None:
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
                new = None
            else:
                new = threading.Thread(
                    target=self._work, name=f"penstock-worker-{next(self._numbers)}", daemon=True
                )
        self._queue.put(batch)
        if new is not None:
            new.start()

    def _work(self) -> None:
        while True:
            try:
                batch = self._queue.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        return
                continue  # a batch is on its way for which this thread is counted
            try:
                batch.run()
            finally:
                del batch  # its blocks must not live until the next one comes
                with self._lock:
                    self._idle += 1


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(Interrupted)
    )


_workers = _Workers()


def _forget_workers() -> None:
    global _workers
    _workers = _Workers()  # a forked child has none of its parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


class ThreadsExecutor:
    """Runs batches on up to `num_workers` threads."""

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers

    def submit(self, batch: Batch) -> None:
        """Hand `batch` to a waiting thread, or to a new one."""
        _workers.submit(batch)

    def interrupt(self, batch: Batch) -> None:
        """Raise `Interrupted` in the thread that runs `batch`.

        Python code stops at its next instruction; a call into a library first returns.
        """
        batch.interrupt(_raise_in)

    def close(self) -> None:
        """Do nothing: the threads stay a little for the next run."""

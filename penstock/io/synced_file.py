"""Files whose bytes are on the disk when a transaction commits.

The disk works beside the tasks: a file that is closed is synced by a thread of its own while the
next one is made, and commit waits for the last of them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock.config import format_bytes
from penstock.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

_THREADS = 4
_UNDER_WAY = 4
"""Files that may wait for the disk; what they hold of memory is not given back before."""


class Syncing:
    """Puts closed files on the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._under_way: deque[Future[None]] = deque()

    def add(self, descriptor: int) -> None:
        """Sync and close `descriptor` soon.

        Raises
        ------
        OSError
            When an earlier one could not be synced.
        """
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, "sync-files")
            self._under_way.append(self._threads.submit(_sync, descriptor))
            full = len(self._under_way) > _UNDER_WAY
            oldest = self._under_way.popleft() if full else None
        if oldest is not None:
            oldest.result()

    def finish(self) -> None:
        """Wait until all files are on the disk.

        Raises
        ------
        OSError
            When one could not be synced.
        """
        with self._lock:
            threads, self._threads = self._threads, None
            under_way, self._under_way = self._under_way, deque()
        if threads is not None:
            threads.shutdown()
        for one in under_way:
            one.result()


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SyncedFile(io.BufferedWriter):
    """A file of a stage.

    Parameters
    ----------
    path
        Where it is written.
    stage
        The folder of all files of its transaction.
    shown
        The target, for errors.
    syncing
        What puts it on the disk once it is closed; None does so before `close` returns.
    """

    def __init__(self, path: str, stage: str, shown: str, syncing: Syncing | None = None) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._stage = stage
        self._shown = shown
        self._syncing = syncing

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise self._failed(error, memoryview(data).nbytes) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._failed(error, 1) from error

    def _failed(self, error: OSError, nbytes: int) -> SinkError:
        """Return the error for `nbytes` more that cannot be written."""
        if isinstance(error, SinkError):
            return error
        return write_error(error, self._stage, self._shown, nbytes)

    def close(self) -> None:
        if not self.closed:
            try:
                self.flush()
                if self._syncing is None:
                    os.fsync(self.fileno())
                else:
                    self._syncing.add(os.dup(self.fileno()))
            except OSError as error:  # some disks tell only now that they are full
                raise self._failed(error, 1) from error
            finally:
                super().close()


def write_error(error: OSError, stage: str, shown: str, nbytes: int = 1) -> SinkError:
    """Return the error for `nbytes` more that cannot be written for the target `shown`."""
    reason = f"cannot write {shown}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        folder = os.path.dirname(stage)
        with contextlib.suppress(OSError):
            written = sum(os.stat(os.path.join(stage, name)).st_size for name in files_below(stage))
            reason += (
                f" ({format_bytes(written)} written, at least {format_bytes(nbytes)} more "
                f"needed, {format_bytes(shutil.disk_usage(folder).free)} free in {folder})"
            )
        reason += "; free some space or write elsewhere"
    return SinkError(reason)


def files_below(folder: str) -> Iterator[str]:
    """Yield the paths of all files in `folder`, relative to it."""
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(place, name), folder)

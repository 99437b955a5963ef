"""Reading from the disk what the next tasks ask for, while others work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from penstock.scheduler import current_pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.scheduler.memory import Reservation

_THREADS = 2
"""Reads under way at once: one alone leaves the disk waiting between them."""
_MOST = 8
"""Reads under way and waiting to be taken."""
_PATIENCE = 0.01
"""Seconds after which to look again whether there is room."""

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Reads values of consecutive numbers before they are taken, as far as memory is available.

    What waits to be taken is its owner's to account for (`held_bytes`) and to `drop`.

    Parameters
    ----------
    name : str
        Of the operation.
    read : callable
        Returns the value of a number.
    count : int
        Numbers, from 0.
    nbytes : int
        Bytes of one value.
    room : int
        Bytes that should stay available to tasks.
    """

    def __init__(
        self, name: str, read: Callable[[int], T], count: int, *, nbytes: int, room: int
    ) -> None:
        self.name = name
        self.held_bytes = 0
        self._read = read
        self._nbytes = nbytes
        self._room = room
        self._begun = np.zeros(count, bool)
        self._reading: set[int] = set()
        self._ready: dict[int, T] = {}
        self._stopped = False
        self._changed = threading.Condition()
        self._pool = current_pool()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name} read-ahead", daemon=True)
            for _ in range(_THREADS)
        ]
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:
            self._stopped = True
            raise

    def take(self, number: int) -> T | None:
        """Return the value of `number`, None when it was not read."""
        with self._changed:
            self._begun[number] = True
            self._changed.wait_for(lambda: number not in self._reading)
            value = self._ready.pop(number, None)
            self._counted()
            return value

    def drop(self) -> int:
        """Forget what waits to be taken; return its bytes."""
        with self._changed:
            dropped = self.held_bytes
            self._ready.clear()
            self._counted()
            return dropped

    def close(self) -> None:
        """Stop reading and forget everything."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self.drop()

    def _counted(self) -> None:
        self.held_bytes = len(self._ready) * self._nbytes
        self._changed.notify_all()

    def _run(self) -> None:
        while (claimed := self._claimed()) is not None:
            number, claim = claimed
            value: Any = None
            try:
                value = self._read(number)
            except Exception:  # noqa: BLE001 - the task that takes it reads it itself and fails
                self._stopped = True
            with self._changed:
                self._reading.discard(number)
                if value is not None and not self._stopped:
                    self._ready[number] = value
                self._counted()
                claim.release()
            del value, claim, claimed

    def _claimed(self) -> tuple[int, Reservation] | None:
        """Return the next number and a claim on its memory, None when there is no more."""
        with self._changed:
            while not self._stopped:
                number = int(self._begun.argmin())
                if self._begun[number]:
                    return None
                if len(self._ready) + len(self._reading) < _MOST and (
                    self._pool.available >= self._room + self._nbytes
                ):
                    claim = self._pool.try_reserve(self.name, self._nbytes)
                    if claim is not None:
                        self._begun[number] = True
                        self._reading.add(number)
                        return number, claim
                self._changed.wait(_PATIENCE)
        return None

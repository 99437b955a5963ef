"""Ctrl-C that is never lost: Python drops what a handler raises in a finalizer or a callback."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, keeps what the handlers of SIGINT and SIGTERM raise.

    Leaving raises it once more when it came to nothing. Outside of the main thread,
    where Python runs no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self._raised: BaseException | None = None
        self._handlers: list[tuple[signal.Signals, Any, Any]] = []

    def check(self) -> None:
        """Raise what a handler raised, if one did."""
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if callable(before):
                    keeping = self._keeping(before)
                    self._handlers.append((number, before, keeping))
                    signal.signal(number, keeping)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        while self._handlers:
            number, before, keeping = self._handlers.pop()
            if signal.getsignal(number) is keeping:
                signal.signal(number, before)
        if error is None:
            self.check()
        self._raised = None

    def _keeping(self, handler: Callable[[int, FrameType | None], Any]) -> Callable[..., None]:
        def keep(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                self._raised = error
                raise

        return keep

"""BLAS threads: one each while several workers run, so that the two do not multiply.

Needs threadpoolctl; without it, BLAS keeps as many threads as it was given.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

_lock = threading.Lock()
_users = 0
_limit: Any = None
_controller: Any = None
_seen = -1


class OneBlasThread:
    """While entered, by whom and how often ever, BLAS uses one thread.

    Parameters
    ----------
    wanted : bool
        Whether to do anything at all.
    """

    def __init__(self, wanted: bool = True) -> None:
        self._wanted = wanted

    def __enter__(self) -> None:
        global _users, _limit
        if not self._wanted:
            return
        with _lock:
            _users += 1
            if _users == 1:
                controller = _current()
                _limit = None if controller is None else controller.limit(limits=1, user_api="blas")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _users, _limit
        if not self._wanted:
            return
        with _lock:
            _users -= 1
            if not _users and _limit is not None:
                _limit.restore_original_limits()
                _limit = None


def _current() -> Any:
    """Return the controller of the libraries there are, looked for anew when modules came in."""
    global _seen
    if len(sys.modules) != _seen:
        # Python swallows a Ctrl-C that comes while a library calls back: not in the main thread
        looking = threading.Thread(target=_look, name="find-blas")
        looking.start()
        looking.join()
        _seen = len(sys.modules)
    return _controller


def _look() -> None:
    global _controller
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return
    _controller = ThreadpoolController()

"""Generators that hold threads and locks are not closed in the middle of garbage collection.

Collection begins wherever an object is made, in any thread, with any lock held. Closing a run
there would wait for workers that wait for this very lock.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import functools
import gc
import sys
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from typing import Any, ParamSpec, TypeVar

_T = TypeVar("_T")
_P = ParamSpec("_P")

_open: dict[int, Generator[Any]] = {}
"""Which keeps them out of what is collected."""
_phases = OrderedDict.fromkeys(("start", "stop"))
"""The phases of garbage collection, the latest one last."""
# A callback in Python would be where a Ctrl-C is handled now and then, and Python drops what
# callbacks raise. The second argument, a dict that is not empty, is taken for `last`.
gc.callbacks.append(_phases.move_to_end)  # type: ignore[arg-type]


class Closing(Iterator[_T]):
    """Iterates over a generator, and closes it at once when it is dropped.

    A garbage collection leaves the closing to another thread.

    Parameters
    ----------
    generator : generator
    """

    def __init__(self, generator: Generator[_T]) -> None:
        self._generator = generator
        _open[id(generator)] = generator

    def __next__(self) -> _T:
        try:
            return next(self._generator)
        except BaseException:
            _open.pop(id(self._generator), None)
            raise

    def close(self) -> None:
        """Close the generator; doing so again does nothing."""
        _open.pop(id(self._generator), None)
        self._generator.close()

    def __del__(self) -> None:
        if _open.pop(id(self._generator), None) is None or sys.is_finalizing():
            return
        if next(reversed(_phases)) == "start":
            # Not threading.Thread, which takes a lock to begin.
            _thread.start_new_thread(self._generator.close, ())
        else:
            self._generator.close()


def closed_safely(function: Callable[_P, Generator[_T]]) -> Callable[_P, Closing[_T]]:
    """Make a generator function give a `Closing`."""

    @functools.wraps(function)
    def give(*args: _P.args, **kwargs: _P.kwargs) -> Closing[_T]:
        return Closing(function(*args, **kwargs))

    return give


@atexit.register
def _close_all() -> None:
    while _open:
        _, generator = _open.popitem()
        with contextlib.suppress(ValueError):  # a thread is in it
            generator.close()

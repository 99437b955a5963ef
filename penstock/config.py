"""Settings: defaults, files, environment and `set`.

Values come, later ones winning, from `DEFAULTS`, YAML files in
``~/.config/penstock``, ``PENSTOCK_*`` environment variables, and `set`, which works
as a statement or as a context manager.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULTS: dict[str, Any] = {
    "scheduler": None,  # threads, sync; None: what the collection prefers
    "num-workers": None,  # None: the processors this process may use
    "memory-limit": None,  # "4GB", bytes, or a share such as 0.5; None: 60 % of what there is
    # Bytes of one sort, shuffle, join or groupby beyond which it spills at once, whatever memory
    # is left; None: what memory-limit allows.
    "exchange-memory": None,
    "spill-directory": None,  # None: the system's temporary directory
    "spill-limit": None,  # bytes of spill files at most; None: what the disk holds
    "block-size": "64MiB",  # target bytes of a block
    "progress": None,  # True, False; None: only in a terminal
    "progress-delay": 0.5,  # seconds a run must take before its progress is shown
}

_UNITS = {
    "": 1,
    "b": 1,
    **{f"{unit}b": 1000**power for power, unit in enumerate("kmgtp", start=1)},
    **{f"{unit}ib": 1024**power for power, unit in enumerate("kmgtp", start=1)},
    **{unit: 1000**power for power, unit in enumerate("kmgtp", start=1)},
}
_BYTES = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)


class ConfigError(PenstockError, ValueError):
    """A setting whose value cannot be understood."""


_loading = threading.Lock()


@cache
def _config() -> Any:
    with _yaml_when_used():
        from donfig import Config
    return Config("penstock", defaults=[DEFAULTS])


@contextmanager
def _yaml_when_used() -> Iterator[None]:
    """Let what is imported inside import PyYAML later.

    donfig imports it at once but uses it only where there are files to read, and it takes half as
    long to import as NumPy.
    """
    if "yaml" in sys.modules:
        yield
        return
    stand_in = ModuleType("yaml")

    def get(name: str) -> Any:
        withdraw()
        return getattr(importlib.import_module("yaml"), name)

    def withdraw() -> None:
        if sys.modules.get("yaml") is stand_in:
            del sys.modules["yaml"]

    stand_in.__getattr__ = get  # type: ignore[method-assign]
    sys.modules["yaml"] = stand_in
    try:
        yield
    finally:
        withdraw()


def _loaded() -> Any:
    with _loading:
        return _config()


def get(key: str, default: Any = None, override_with: Any = None) -> Any:
    """Return the value of a setting.

    Parameters
    ----------
    key : str
        Name, with ``-`` or ``_``; nested names are joined by dots.
    default : object, optional
        Returned when the setting is absent or null.
    override_with : object, optional
        Returned instead of the setting unless it is None.

    Returns
    -------
    object

    Examples
    --------
    >>> get("no-such-setting", default=3)
    3
    """
    if override_with is not None:
        return override_with
    value = _loaded().get(key, None)
    return default if value is None else value


def set(arg: Mapping[str, Any] | None = None, **settings: Any) -> Any:
    """Change settings, for good or inside a ``with`` block.

    Parameters
    ----------
    arg : mapping, optional
        Settings whose names are not Python identifiers.
    **settings
        Settings by name; ``memory_limit`` and ``memory-limit`` are the same.

    Returns
    -------
    context manager
        Restores the previous values at exit.

    Examples
    --------
    >>> with set(scheduler="sync"):
    ...     get("scheduler")
    'sync'
    """
    return _loaded().set(arg, **settings)


def refresh() -> None:
    """Read the files and the environment again, forgetting what `set` did."""
    _loaded().refresh()


def parse_bytes(size: str | int | float) -> int:
    """Return the bytes that `size` means.

    Parameters
    ----------
    size : str, int or float
        ``"480MB"`` and ``"0.5 GiB"`` for example: kB, MB, GB, TB are powers of
        1000, KiB, MiB, GiB, TiB powers of 1024. A number is bytes already.

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        When the text is not a size.

    Examples
    --------
    >>> parse_bytes("480MB"), parse_bytes("64 KiB"), parse_bytes(10)
    (480000000, 65536, 10)
    """
    if isinstance(size, int | float) and not isinstance(size, bool):
        if size != size or size < 0 or size == float("inf"):
            raise ConfigError(f"a size in bytes cannot be {size!r}")
        return int(size)
    found = _BYTES.fullmatch(size) if isinstance(size, str) else None
    factor = _UNITS.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise ConfigError(f"{size!r} is not a size; write it as '480MB', '2GiB' or bytes")
    return int(float(found[1]) * factor)


def format_bytes(nbytes: float) -> str:
    """Return `nbytes` for people to read.

    Parameters
    ----------
    nbytes : int or float

    Returns
    -------
    str

    Examples
    --------
    >>> format_bytes(480_000_000)
    '480 MB'
    """
    size = float(nbytes)
    unit, larger = "B", ["TB", "GB", "MB", "kB"]
    while abs(size) >= 999.5 and larger:
        size, unit = size / 1000, larger.pop()
    return f"{size:.0f} {unit}" if size >= 100 or unit == "B" else f"{size:.3g} {unit}"

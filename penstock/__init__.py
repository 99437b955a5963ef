"""Dataframes, arrays and bags bigger than memory, under a hard memory limit."""

from __future__ import annotations

from typing import Any

from penstock._version import __version__ as __version__

_HOMES = {
    "compute": "penstock.collections.base",
    "delayed": "penstock.collections.delayed",
    "persist": "penstock.collections.base",
    "profile": "penstock.collections.profiling",
}
_MODULES = ("array", "bag", "config", "dataframe", "errors", "threaded")

__all__ = ["__version__", *_MODULES, *_HOMES]


def __getattr__(name: str) -> Any:
    # `import penstock` must stay light: what is behind a name loads at its first use.
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"penstock.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

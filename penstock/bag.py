"""Bags of Python objects bigger than memory: Dask's names, a hard memory limit."""

from __future__ import annotations

from typing import Any

_HOMES = {
    "Bag": "bag",
    "Item": "bag",
    "compute": "base",
    "from_sequence": "bag",
    "persist": "base",
    "read_text": "bag",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"penstock.collections.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

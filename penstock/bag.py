"""Bags of Python objects bigger than memory: Dask's names, a hard memory limit."""

from __future__ import annotations

from penstock._faces import lazy_names

_HOMES = {
    "Bag": "bag",
    "Item": "bag",
    "compute": "base",
    "from_sequence": "bag",
    "persist": "base",
    "read_text": "bag",
}
_HOMES = {name: f"penstock.collections.{home}" for name, home in _HOMES.items()}

__all__ = sorted(_HOMES)  # noqa: PLE0605

__getattr__, __dir__ = lazy_names(globals(), _HOMES)

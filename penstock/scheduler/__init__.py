"""The scheduler: graphs of stages, run through one loop under one memory budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.scheduler.graph import Graph, Stage, TaskMemory
    from penstock.scheduler.memory import MemoryPool, Reservation, current_pool
    from penstock.scheduler.observers.profile import Profile
    from penstock.scheduler.partitions import PartitionStore
    from penstock.scheduler.run import execute, persist, stream
    from penstock.scheduler.store import Handle

_HOMES = {
    "Graph": "graph",
    "Stage": "graph",
    "TaskMemory": "graph",
    "MemoryPool": "memory",
    "Reservation": "memory",
    "current_pool": "memory",
    "Profile": "observers.profile",
    "PartitionStore": "partitions",
    "execute": "run",
    "persist": "run",
    "stream": "run",
    "Handle": "store",
}

__all__ = [
    "Graph",
    "Handle",
    "MemoryPool",
    "PartitionStore",
    "Profile",
    "Reservation",
    "Stage",
    "TaskMemory",
    "current_pool",
    "execute",
    "persist",
    "stream",
]


def __getattr__(name: str) -> Any:
    # Nothing heavy is imported before it is used.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

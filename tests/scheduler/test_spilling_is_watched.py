"""Resident memory is looked at while blocks are written: what runs beside it goes on growing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from penstock.engine.primitives.array_exchange import ArrayExchange
from penstock.scheduler import allocators, limits, memory
from penstock.scheduler.memory import MemoryPool
from penstock.scheduler.partitions import PartitionStore
from penstock.scheduler.store import BlockStore

LIMIT = 1 << 30
ROWS = 200_000


def partitions(pool):
    store = PartitionStore(4, pool=pool)
    store.append(0, pa.table({"n": np.arange(ROWS)}), np.linspace(0, ROWS, 5).astype(int))
    return store, store.close


def blocks(pool):
    store = BlockStore(pool)
    handles = [store.put(np.arange(ROWS)) for _ in range(4)]
    return store, lambda: [handle.free() for handle in handles]


def pieces(pool):
    exchange = ArrayExchange("rechunk", 1, ROWS * 8)
    exchange._pool = pool
    exchange.append(0, np.array([0]), np.array([0, ROWS]), np.arange(ROWS))
    return exchange, exchange.close


@pytest.mark.parametrize("holding", [partitions, blocks, pieces])
def test_memory_is_trimmed_while_a_holder_spills(holding, monkeypatch):
    monkeypatch.setattr(limits, "resident_bytes", lambda: 0)
    pool = MemoryPool(LIMIT)
    holder, close = holding(pool)
    held_when_trimmed = []
    monkeypatch.setattr(memory, "_SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(limits, "resident_bytes", lambda: LIMIT - (1 << 20))
    monkeypatch.setattr(allocators, "trim", lambda: held_when_trimmed.append(holder.held_bytes))
    assert holder.spill(holder.held_bytes) > 0
    close()
    assert len(held_when_trimmed) > 0
    assert held_when_trimmed[0] > 0

"""The state that the tasks of an exchange share: waiting blocks, partitions, memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from penstock.engine.nodes.partitioners import HashPartitioner, RangePartitioner
from penstock.engine.primitives.exchange_plan import Portion, Sizes, packed
from penstock.engine.primitives.exchange_state import Exchange
from penstock.errors import MemoryLimitError
from penstock.scheduler import PartitionStore, current_pool
from penstock.scheduler.store import current_store

RANGES = RangePartitioner(("x",), (True,))


@contextmanager
def opened(
    partitioner: object = RANGES, *, divisible: bool = False, **sizes: int
) -> Iterator[Exchange]:
    given = {"wanted": 4, "slots": 8, "prescribed": False, "partition": 4096, "pending": 4096}
    state = Exchange("test", [partitioner], Sizes(**{**given, **sizes}), divisible=[divisible])
    try:
        yield state
    finally:
        state.close()


def block(values: np.ndarray) -> pa.Table:
    return pa.table({"x": values})


def taken(state: Exchange) -> list[np.ndarray]:
    found = []
    for slot in range(state.sizes.slots):
        (pieces,) = state.take(slot)
        found.append(np.concatenate([piece["x"].to_numpy() for piece in pieces]))
    return found


def test_few_rows_go_to_one_task() -> None:
    with opened() as state:
        state.add(0, 1, block(np.arange(5)))
        state.add(0, 0, block(np.arange(5, 8)))
        assert state.plan() == 1
        assert taken(state)[0].tolist() == [5, 6, 7, 0, 1, 2, 3, 4]


def test_threads_that_add_at_once_lose_nothing() -> None:
    blocks = np.random.default_rng(0).permutation(80_000).reshape(40, -1)
    with opened(partition=64_000, pending=64_000) as state:

        def add(first: int) -> None:
            for index in range(first, 40, 4):
                state.add(0, index, block(blocks[index]))

        threads = [threading.Thread(target=add, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert state.plan() > 1
        parts = taken(state)
    ends = [part.max() for part in parts if len(part)]
    assert ends == sorted(ends)
    assert sorted(np.concatenate(parts).tolist()) == list(range(80_000))


@pytest.mark.parametrize("partitioner", [RANGES, HashPartitioner(("x",))])
def test_what_grew_is_cut_and_what_is_small_is_joined(partitioner: object) -> None:
    with opened(partitioner, wanted=4, slots=12) as state:
        for index, values in enumerate(np.arange(4000).reshape(20, -1)):
            state.add(0, index, block(values))
        assert 8 <= state.plan() <= 12
        parts = taken(state)
    assert max(len(part) for part in parts) * 8 < 3 * 4096
    assert sorted(np.concatenate(parts).tolist()) == list(range(4000))


def test_one_value_cannot_be_cut() -> None:
    with opened() as state:
        for index in range(10):
            state.add(0, index, block(np.zeros(1000)))
        assert state.plan() == 1
        assert len(taken(state)[0]) == 10_000


@pytest.mark.parametrize("rows", [10, 1000, 10_000])
def test_rows_of_one_value_are_cut_evenly_and_in_order_however_they_came(rows: int) -> None:
    values = np.zeros(10_000)
    values[::5] = np.random.default_rng(0).permutation(2000) - 1000  # 0 is one of them
    tables = [
        pa.table({"x": values[start : start + rows], "row": np.arange(start, start + rows)})
        for start in range(0, len(values), rows)
    ]
    with opened(divisible=True, wanted=20, slots=60, partition=8192) as state:
        for index, table in enumerate(tables):
            state.add(0, index, table)
        assert 20 <= state.plan() <= 60
        parts = []
        for slot in range(state.sizes.slots):
            (pieces,) = state.take(slot)
            parts.append(pa.concat_tables(pieces))
    assert max(part.nbytes for part in parts) < 2 * 8192
    together = pa.concat_tables(parts)
    zeros = together.filter(pa.compute.equal(together["x"], 0.0))["row"].to_pylist()
    assert zeros == sorted(zeros)
    assert len(zeros) == 8001
    assert sorted(together["row"].to_pylist()) == list(range(10_000))
    ends = [part["x"].to_numpy().max() for part in parts if part.num_rows]
    assert ends == sorted(ends)


def test_as_many_partitions_as_are_prescribed() -> None:
    with opened(wanted=5, slots=5, prescribed=True, partition=1 << 20, pending=1 << 20) as state:
        for index, values in enumerate(np.random.default_rng(0).permutation(1000).reshape(10, -1)):
            state.add(0, index, block(values))
        assert state.plan() == 5
        assert all(len(part) > 100 for part in taken(state))


def test_waiting_blocks_can_be_evicted() -> None:
    values = np.random.default_rng(0).permutation(100_000).reshape(2, -1)
    with opened(partition=1 << 20, pending=1 << 20) as state:
        for index in range(2):
            state.add(0, index, block(values[index]))
        assert current_store().spill(1 << 20) >= values.nbytes
        assert state.plan() == 1
        assert taken(state)[0].tolist() == values.ravel().tolist()


def test_a_partition_that_cannot_fit_is_refused() -> None:
    refused = pytest.raises(MemoryLimitError, match="test needs")
    with opened() as state, refused, state.room_beyond(current_pool().budget + 1, 0, 0):
        pass


def test_room_beyond_the_claim_is_accounted_for() -> None:
    before = current_pool().reserved
    with opened() as state:
        with state.room_beyond(1_000_000, 400_000, 300_000):
            assert current_pool().reserved == before + 600_000
        assert current_pool().reserved == before
        with state.room_beyond(1000, 400_000, 0):
            assert current_pool().reserved == before


def test_room_for_the_steps_after_a_gather_is_kept_until_the_task_ends() -> None:
    pool = current_pool()
    before = pool.reserved
    with opened() as state, pool.running(None):
        with state.room_beyond(1_000_000, 400_000, 300_000):
            assert pool.reserved == before + 600_000
        assert pool.reserved == before + 300_000
        with pytest.raises(KeyError), state.room_beyond(1_000_000, 400_000, 300_000):
            raise KeyError
        assert pool.reserved == before + 300_000
    assert pool.reserved == before


def test_closed_exchanges_take_nothing() -> None:
    with opened() as state:
        state.add(0, 0, block(np.arange(10)))
    with pytest.raises(ValueError, match="closed"):
        state.add(0, 1, block(np.arange(10)))
    state.close()


def test_packed_joins_neighbours() -> None:
    store = PartitionStore(1)
    portions = [Portion(size, [[(store, 0)]]) for size in (3, 3, 10, 1, 1, 1)]
    assert [portion.nbytes for portion in packed(portions, 10, 6)] == [6, 10, 3]
    assert [portion.nbytes for portion in packed(portions, 10, 0)] == [3, 3, 10, 1, 1, 1]
    assert len(packed(portions, 2, 0)) <= 2
    store.close()

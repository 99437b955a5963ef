"""Exchange: every block of the inputs meets every partition of the result.

Scatter tasks cut their block by a partitioner and hand the pieces to spillable
buffers; a barrier plans; gather tasks take one partition each. When the input
turns out small it never leaves memory and a single gather does the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from penstock.blocks import block_nbytes, compact
from penstock.engine.primitives.blockwise import blockwise
from penstock.engine.primitives.lowering import Blocks, Lowering, add_stage
from penstock.scheduler import PartitionStore, current_pool
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Below this one gather task beats the cost of many.
_SMALL = 8 << 20
# A partition this many times its target is cut again before it is gathered.
_SKEW = 2.0


class Partitioner(Protocol):
    """Decides which partition a row belongs to."""

    ordered: bool
    """Partitions follow each other in the order of the result (range partitioning)."""

    def fit(self, tables: Sequence[pa.Table], npartitions: int) -> Partitioner:
        """Return a partitioner of at most `npartitions` fitted to sample `tables`."""
        ...

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return the rows sorted by partition and the offsets (npartitions + 1) of each."""
        ...

    @property
    def npartitions(self) -> int | None:
        """Number of partitions once fitted."""
        ...


class Exchange:
    """The shared state of one exchange during a run.

    Parameters
    ----------
    partitioner : Partitioner
        Unfitted when it must see data first (range splitters); blocks then wait
        in memory until `pending_limit` bytes are there.
    slots : int
        Gather tasks, the most partitions there can be.
    sides : int
        Inputs that are partitioned alike (2 for a join).
    """

    def __init__(
        self,
        name: str,
        partitioners: Sequence[Partitioner],
        slots: int,
        *,
        partition_bytes: int,
        pending_limit: int,
    ) -> None:
        self.name = name
        self.slots = slots
        self.sides = len(partitioners)
        self.partition_bytes = partition_bytes
        self.pending_limit = pending_limit
        self._partitioners = list(partitioners)
        self._fitted = all(p.npartitions is not None for p in partitioners)
        self._pending: list[tuple[int, int, pa.Table]] = []
        self._pending_bytes = 0
        self._reservation = current_pool().force_reserve(f"{name} buffers", 0)
        self._stores: list[PartitionStore] = []
        self._plan: list[list[tuple[PartitionStore, int]]] = []
        self._finer: list[PartitionStore] = []
        self._empty: list[pa.Table | None] = [None] * len(partitioners)
        self._lock = threading.Lock()

    # -- scatter --------------------------------------------------------------

    def add(self, side: int, index: int, table: pa.Table) -> int:
        """Take block `index` of input `side`; return its rows."""
        rows = table.num_rows
        if self._empty[side] is None:
            self._empty[side] = compact(table.slice(0, 0))
        if rows == 0:
            return 0
        flush: list[tuple[int, int, pa.Table]] = []
        with self._lock:
            if not self._fitted or not self._stores:
                nbytes = block_nbytes(table)
                self._reservation.grow(nbytes)
                self._pending.append((side, index, table))
                self._pending_bytes += nbytes
                if self._pending_bytes <= self.pending_limit:
                    return rows
                self._open(self.slots)
                flush, self._pending = self._pending, []
        if flush:
            flush.reverse()
            while flush:
                self._scatter(*flush.pop())
            with self._lock:
                self._reservation.shrink(self._pending_bytes)
                self._pending_bytes = 0
        else:
            self._scatter(side, index, table)
        return rows

    def _open(self, npartitions: int) -> None:
        for side in range(self.sides):
            partitioner = self._partitioners[side]
            if partitioner.npartitions is None:
                waiting = [table for which, _, table in self._pending if which == side]
                partitioner = partitioner.fit(waiting, npartitions)
                self._partitioners[side] = partitioner
        self._fitted = True
        count = self._partitioners[0].npartitions or 1
        self._stores = [PartitionStore(count, name=self.name) for _ in range(self.sides)]

    def _scatter(self, side: int, index: int, table: pa.Table) -> None:
        pieces, offsets = self._partitioners[side].split(table)
        self._stores[side].append(index, pieces, offsets)

    # -- barrier --------------------------------------------------------------

    def plan(self) -> int:
        """Decide which partitions each gather task takes, once every block is in."""
        if not self._stores:
            return 0
        self._plan = [[] for _ in range(self.slots)]
        ordered = self._partitioners[0].ordered
        sizes = np.sum([store.nbytes for store in self._stores], axis=0)
        slot = 0
        spare = self.slots - len(sizes)
        for partition, nbytes in enumerate(sizes):
            pieces = min(spare + 1, int(nbytes // (self.partition_bytes * _SKEW)) + 1)
            if pieces > 1 and ordered and self.sides == 1:
                parts = self._cut_again(partition, pieces)
                spare -= len(parts) - 1
            else:
                parts = [[(store, partition) for store in self._stores]]
            for part in parts:
                self._plan[slot] = part
                slot += 1
        return slot

    def _cut_again(self, partition: int, pieces: int) -> list[list[tuple[PartitionStore, int]]]:
        """Split a partition that outgrew its size, by splitters from its own rows."""
        store = self._stores[0]
        sample = [_thin(table) for table in store.iter(partition)]
        partitioner = self._partitioners[0].fit(sample, pieces)
        count = partitioner.npartitions or 1
        if count == 1:
            return [[(store, partition)]]
        finer = PartitionStore(count, name=self.name)
        for index, table in enumerate(store.iter(partition)):
            finer.append(index, *partitioner.split(table))
        store.free(partition)
        self._finer.append(finer)
        return [[(finer, part)] for part in range(count)]

    # -- gather ---------------------------------------------------------------

    def take(self, slot: int) -> list[list[pa.Table]]:
        """Return and forget the pieces of gather task `slot`, per side, in input order.

        A side without rows gives one table of none, which has the categories that a schema
        does not tell.
        """
        pieces = self._take(slot)
        for side, empty in enumerate(self._empty):
            if not pieces[side] and empty is not None:
                pieces[side].append(empty)
        return pieces

    def _take(self, slot: int) -> list[list[pa.Table]]:
        if not self._stores:
            return self._take_pending(slot)
        if slot >= len(self._plan) or not self._plan[slot]:
            return [[] for _ in range(self.sides)]
        taken = []
        for store, partition in self._plan[slot]:
            taken.append(store.read(partition))
            store.free(partition)
        return taken

    def _take_pending(self, slot: int) -> list[list[pa.Table]]:
        taken: list[list[pa.Table]] = [[] for _ in range(self.sides)]
        if slot == 0:
            for side, _, table in sorted(self._pending, key=lambda item: item[1]):
                taken[side].append(table)
            self._pending = []
            self._reservation.shrink(self._pending_bytes)
            self._pending_bytes = 0
        return taken

    def close(self) -> None:
        """Free the buffers and remove their files."""
        for store in (*self._stores, *self._finer):
            store.close()
        self._pending = []
        self._reservation.release()


def _thin(table: pa.Table, rows: int = 4096) -> pa.Table:
    step = max(1, table.num_rows // rows)
    return table.take(np.arange(0, table.num_rows, step))


def exchange(
    lowering: Lowering,
    name: str,
    inputs: Sequence[Blocks],
    partitioners: Sequence[Partitioner],
    gather: Callable[..., Any],
    *,
    nbytes: int,
    slots: int | None = None,
) -> Blocks:
    """Repartition `inputs` and apply `gather` to each partition.

    Parameters
    ----------
    inputs : sequence of Blocks
        Tables; several inputs meet in the same partitions (a join).
    partitioners : sequence of Partitioner
        One per input.
    gather : callable
        Called as ``gather(pieces, ...)`` with one list of tables per input, in
        the order of the input's blocks; returns one block.
    nbytes : int
        Expected bytes of all inputs together; decides the number of partitions.
    slots : int, optional
        Number of partitions, when it is prescribed.
    """
    if slots is None:
        estimated = lowering.partitions_for(nbytes)
        # spare slots take the pieces of partitions that grow beyond their share
        slots = estimated if estimated == 1 else estimated + estimated // 2 + 2
    state = Exchange(
        name,
        partitioners,
        slots,
        partition_bytes=lowering.partition_bytes,
        pending_limit=min(lowering.budget // 4, max(_SMALL, lowering.partition_bytes)),
    )
    lowering.resources.append(state)
    receipts = []
    offset = 0
    for side, blocks in enumerate(inputs):
        scatter = blockwise(
            lowering,
            f"{name} scatter",
            partial(_scatter, state, side),
            [blocks],
            arguments=range(offset, offset + len(blocks)),
            nbytes=0,
            memory=TaskMemory(input_factor=1.5),
        )
        offset += len(blocks)
        receipts.append(scatter.ids)
    done = np.concatenate(receipts)
    barrier = add_stage(
        lowering,
        f"{name} plan",
        _Plan(state),
        (np.array([0, len(done)]), done),
        csr=True,
        gathers=True,
    )
    per_partition = max(1, nbytes // slots)
    return add_stage(
        lowering,
        f"{name} gather",
        _Gather(state, gather),
        [np.repeat(barrier.ids, slots)],
        arguments=range(slots),
        nbytes=per_partition,
        memory=TaskMemory(fixed=per_partition * 3, output=per_partition),
    )


def _scatter(state: Exchange, side: int, index: int, table: pa.Table) -> int:
    return state.add(side, index, table)


class _Plan:
    def __init__(self, state: Exchange) -> None:
        self.state = state

    def __call__(self, receipts: Sequence[int]) -> int:
        return self.state.plan()


class _Gather:
    def __init__(self, state: Exchange, function: Callable[..., Any]) -> None:
        self.state = state
        self.function = function

    def __call__(self, slot: int, planned: int) -> Any:
        return self.function(*self.state.take(slot))

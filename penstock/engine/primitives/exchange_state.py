"""What the tasks of one exchange share during a run: waiting blocks, partitions, the plan.

Blocks wait, evictable like any other, until there are enough of them to choose the
partitions by; should there never be, one gather task takes them as they are. Which
blocks are looked at depends on their numbers and never on which came first, so
partitions are the same whatever the number of workers.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, cast

import numpy as np

from penstock.blocks import compact, concat_tables
from penstock.engine.primitives.exchange_plan import (
    Part,
    Partitioner,
    Portion,
    RangesOfKeys,
    Sizes,
    packed,
)
from penstock.engine.primitives.exchange_rising import BlockRanges, RisingBlocks
from penstock.scheduler import PartitionStore, current_pool
from penstock.scheduler.store import current_store

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.scheduler import Handle, Reservation

# A partition this many times its target is cut again before it is gathered.
_SKEW = 1.2
# Keys kept of each partition's worth of rows, to cut it again by.
_SAMPLED = 256
# Of the peak of a scatter task: the rows, and their order, beside the block.
_SCATTER_COPIES = 1.5
_CUT_WORKSPACE = 32 << 20
# Seconds to wait for other tasks before memory is taken that only waiting ones have claimed.
_PATIENCE = 5.0


class Exchange:
    """The shared state of one exchange during a run.

    Parameters
    ----------
    name : str
        Of the operation, in errors and profiles.
    partitioners : sequence of Partitioner
        One for each side; the sides (2 for a join) are partitioned alike.
    sizes : Sizes
    divisible : sequence of bool
        For each side, whether its rows of one key may go to several gather tasks, in the order
        of the input; each of them gets all rows of the other sides.
    """

    def __init__(
        self,
        name: str,
        partitioners: Sequence[Partitioner],
        sizes: Sizes,
        *,
        divisible: Sequence[bool],
    ) -> None:
        self.name = name
        self.divisible = tuple(divisible)
        self.sizes = sizes
        self.sides = len(partitioners)
        self._partitioners = list(partitioners)
        self._ordered = any(partitioner.ordered for partitioner in partitioners)
        self._empty: list[pa.Table | None] = [None] * self.sides
        self._rising: RisingBlocks | None = None
        if self.sides == 1 and self._ordered and not sizes.prescribed:
            self._rising = RisingBlocks(cast("RangesOfKeys", partitioners[0]))
        self._ranges: BlockRanges | None = None
        self._arrived: set[int] = set()
        self._waiting: dict[int, tuple[int, Handle]] = {}
        self._looked = 0
        self._enough = 0
        self._stores: list[PartitionStore] = []
        self._finer: list[PartitionStore] = []
        self._samples: dict[int, pa.Table] = {}
        self._portions: list[Portion] = []
        self._readers: Counter[Part] = Counter()
        self._closed = False
        self._lock = threading.Lock()
        self._alone = threading.Lock()

    # -- scatter --------------------------------------------------------------

    def add(self, side: int, index: int, table: pa.Table) -> int:
        """Take block `index` of input `side`; return its rows."""
        if self._rising is not None:
            self._rising.see(index, table)
        with self._lock:
            if self._closed:
                raise ValueError(f"the exchange of {self.name} is closed")
            if self._empty[side] is None:
                self._empty[side] = compact(table.slice(0, 0))
            waits = not self._stores
            if waits:
                self._wait(side, index, table)
                if not self._is_enough(index):
                    return table.num_rows
                self._open()
        if waits:
            self._scatter_waiting()
        else:
            self._scatter(side, index, table)
        return table.num_rows

    def _wait(self, side: int, index: int, table: pa.Table) -> None:
        self._arrived.add(index)
        if table.num_rows:
            handle = current_store().put(compact(table))
            current_pool().handed_over(handle.nbytes)
            self._waiting[index] = (side, handle)

    def _is_enough(self, index: int) -> bool:
        """Return whether more waits than one gather task should take.

        Ranges are chosen by the first blocks, so only an unbroken run of those counts.
        """
        if not self._ordered:
            self._enough += self._waiting_bytes(index)
            return self._enough > self.sizes.pending
        while self._looked in self._arrived and (
            self._rises() or self._enough <= self.sizes.pending
        ):
            nbytes = self._waiting_bytes(self._looked)
            if self._rising is not None:
                self._rising.extend(self._looked, nbytes)
            self._enough += nbytes
            self._looked += 1
        return self._enough > self.sizes.pending and not self._rises()

    def _rises(self) -> bool:
        return self._rising is not None and self._rising.rising

    def _waiting_bytes(self, index: int) -> int:
        return self._waiting[index][1].nbytes if index in self._waiting else 0

    def _open(self) -> None:
        """Fit the partitioners and make the stores."""
        sampled: list[pa.Table] = []
        if self._ordered:
            looked = [index for index in sorted(self._waiting) if index < self._looked]
            rows = _SAMPLED * self.sizes.wanted // len(looked) + 1
            for side, handle in (self._waiting[index] for index in looked):
                sampled.append(self._partitioners[side].sample(handle.get(), rows))
        sample = concat_tables(sampled) if sampled else self._empty[0]
        self._partitioners = [p.fit(sample, self.sizes.wanted) for p in self._partitioners]
        self._stores = self._new_stores(self._partitioners)

    def _new_stores(self, partitioners: Sequence[Partitioner]) -> list[PartitionStore]:
        count = partitioners[0].npartitions
        return [PartitionStore(count, name=self.name) for _ in partitioners]

    def _scatter_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for index in sorted(waiting):
            side, handle = waiting.pop(index)
            pool = current_pool()
            with self._room(int(handle.nbytes * _SCATTER_COPIES)) as claim, pool.running(claim):
                self._scatter(side, index, handle.get())
            handle.free()

    def _scatter(self, side: int, index: int, table: pa.Table) -> None:
        if table.num_rows == 0:
            return
        partitioner = self._partitioners[side]
        if self._ordered:
            # one for each block: what it holds may be like no other
            sample = partitioner.sample(table, self._sample_rows(table))
            with self._lock:
                self._samples[index] = sample
        for piece in _pieces(table):
            self._append(self._stores, side, index, *partitioner.split(piece))

    def _sample_rows(self, table: pa.Table) -> int:
        return 1 + _SAMPLED * table.nbytes // self.sizes.partition

    def _append(
        self,
        stores: list[PartitionStore],
        side: int,
        index: int,
        pieces: pa.Table,
        offsets: np.ndarray,
    ) -> None:
        stores[side].append(index, pieces, offsets)
        most = self.sizes.buffer
        if most is not None and sum(store.held_bytes for store in stores) > most:
            for store in stores:
                store.spill(store.held_bytes)

    # -- barrier --------------------------------------------------------------

    def plan(self) -> int:
        """Decide what each gather task takes, once every block is in; return how many do."""
        if not self._stores:
            much = self._enough > self.sizes.pending
            if much and self._rising is not None and self._rising.proven:
                self._ranges = self._rising.ranges(self.sizes.partition, self.sizes.slots)
                return len(self._ranges)
            if not (self._waiting and (much or self.sizes.prescribed)):
                return min(1, len(self._waiting))
            self._looked = 1 + max(self._arrived)
            self._open()
            self._scatter_waiting()
        totals = np.sum([store.nbytes for store in self._stores], axis=0)
        target = max(self.sizes.partition, -(-int(totals.sum()) // self.sizes.slots))
        portions: list[Portion] = []
        for partition, nbytes in enumerate(totals.tolist()):
            pieces = -(-nbytes // target) if nbytes > _SKEW * target else 1
            if pieces > 1:
                portions += self._cut_again(partition, pieces, target)
            else:
                portions.append(Portion(nbytes, [[(store, partition)] for store in self._stores]))
        self._portions = packed(portions, self.sizes.slots, self._fill())
        for portion in self._portions:
            self._readers.update(part for parts in portion.parts for part in parts)
        self._samples.clear()
        return len(self._portions)

    def _fill(self) -> int:
        return 0 if self.sizes.prescribed else self.sizes.partition

    def _cut_again(self, partition: int, pieces: int, target: int) -> list[Portion]:
        """Split a partition that outgrew its size, by other keys or, where it may be, by rows."""
        whole = Portion(self._total(partition), [[(store, partition)] for store in self._stores])
        if self.sides > 1 and (by_rows := self._cut_side(whole, target)):
            return by_rows
        sample = self._empty[0]
        if self._ordered:
            samples = [self._samples[index] for index in sorted(self._samples)]
            keys, offsets = self._partitioners[0].split(concat_tables(samples))
            sample = keys.slice(offsets[partition], offsets[partition + 1] - offsets[partition])
        partitioners = [partitioner.fit(sample, pieces) for partitioner in self._partitioners]
        if partitioners[0].npartitions == 1:
            return self._cut_rows(whole, sample, target)
        stores = self._new_stores(partitioners)
        self._finer += stores
        with self._room(min(_CUT_WORKSPACE, int(self._stores[0].nbytes[partition]))):
            for side, store in enumerate(self._stores):
                for index, table in enumerate(store.iter(partition)):
                    self._append(stores, side, index, *partitioners[side].split(table))
                store.free(partition)
        nbytes = np.sum([store.nbytes for store in stores], axis=0).tolist()
        keys, offsets = partitioners[0].split(sample)
        portions: list[Portion] = []
        for part, size in enumerate(nbytes):
            portion = Portion(size, [[(store, part)] for store in stores])
            nearby = keys.slice(offsets[part], offsets[part + 1] - offsets[part])
            if self.sides == 1:
                portions += self._cut_rows(portion, nearby, target)
            elif size > _SKEW * target:
                portions += self._cut_side(portion, target) or [portion]
            else:
                portions.append(portion)
        return portions

    def _cut_side(self, portion: Portion, target: int) -> list[Portion]:
        """Split the rows of one side where the others are small enough to go with each piece.

        Returns nothing when no side may be split, or when the others take too much themselves.
        """
        sizes = [int(store.nbytes[number]) for ((store, number),) in portion.parts]
        largest = max(range(self.sides), key=lambda side: (self.divisible[side], sizes[side]))
        others = portion.nbytes - sizes[largest]
        if not self.divisible[largest] or others > target // 2:
            return []
        ((store, number),) = portion.parts[largest]
        pieces = -(-sizes[largest] // (target - others))
        finer = PartitionStore(pieces, name=self.name)
        self._finer.append(finer)
        seen, expected = 0, int(store.rows[number])
        with self._room(min(_CUT_WORKSPACE, sizes[largest])):
            for index, table in enumerate(store.iter(number)):
                offsets = _cuts(seen, table.num_rows, pieces, expected)
                seen += table.num_rows
                self._append([finer], 0, index, table, offsets)
            store.free(number)
        portions = []
        for part, size in enumerate(finer.nbytes.tolist()):
            if size:
                parts = [*portion.parts]
                parts[largest] = [(finer, part)]
                portions.append(Portion(size + others, parts))
        return portions

    def _total(self, partition: int) -> int:
        return sum(int(store.nbytes[partition]) for store in self._stores)

    def _cut_rows(self, portion: Portion, sample: pa.Table, target: int) -> list[Portion]:
        """Split what one key fills by rows, where rows of a key need not stay together."""
        if not self.divisible[0] or portion.nbytes <= _SKEW * target or not sample.num_rows:
            return [portion]
        (((store, partition),),) = portion.parts
        around = self._partitioners[0].around(sample)
        pieces = -(-portion.nbytes // target)
        finer = PartitionStore(pieces + 2, name=self.name)
        self._finer.append(finer)
        seen, expected = 0, int(store.rows[partition])
        with self._room(min(_CUT_WORKSPACE, portion.nbytes)):
            for index, table in enumerate(store.iter(partition)):
                rows, (_, low, high, end) = around.split(table)
                # partition 0 is before the key, the last after it, those between have its rows
                inside = low + _cuts(seen, high - low, pieces, expected)
                offsets = np.concatenate(([0], inside, [end]))
                seen += table.num_rows
                self._append([finer], 0, index, rows, offsets)
            store.free(partition)
        return [
            Portion(size, [[(finer, part)]])
            for part, size in enumerate(finer.nbytes.tolist())
            if size
        ]

    # -- gather ---------------------------------------------------------------

    def nbytes(self, slot: int) -> int:
        """Return the bytes of gather task `slot`."""
        if self._ranges is not None:
            return self._ranges.nbytes(slot)
        if not self._stores:
            return sum(handle.nbytes for _, handle in self._waiting.values()) if slot == 0 else 0
        return self._portions[slot].nbytes if slot < len(self._portions) else 0

    def take(self, slot: int) -> list[list[pa.Table]]:
        """Return and forget the pieces of gather task `slot`, per side, in input order.

        A side without rows gives one table of none, which has the categories that a schema
        does not tell.
        """
        pieces: list[list[pa.Table]] = [[] for _ in range(self.sides)]
        if self._ranges is not None:
            handles = {index: handle for index, (_, handle) in self._waiting.items()}
            pieces[0] = self._ranges.take(slot, handles)
        elif not self._stores and slot == 0:
            for index in sorted(self._waiting):
                side, handle = self._waiting.pop(index)
                pieces[side].append(handle.get())
                handle.free()
        elif slot < len(self._portions):
            for side, parts in enumerate(self._portions[slot].parts):
                for store, partition in parts:
                    pieces[side] += store.read(partition)
                    self._done_with((store, partition))
        for side, empty in enumerate(self._empty):
            if empty is not None and not any(piece.num_rows for piece in pieces[side]):
                pieces[side] = [empty]
        return pieces

    def _done_with(self, part: Part) -> None:
        """Free a partition when no other gather task will read it."""
        with self._lock:
            self._readers[part] -= 1
            last = not self._readers[part]
        if last:
            store, partition = part
            store.free(partition)

    @contextmanager
    def room_beyond(self, need: int, claimed: int, later: int) -> Iterator[None]:
        """Claim what a gather task needs beyond what was claimed for it.

        Of that, `later` bytes stay claimed until the task ends, for what it does with its block.

        Raises
        ------
        MemoryLimitError
            When the task could not fit even alone.
        """
        beyond = need - claimed
        if beyond <= 0:
            yield
            return
        pool = current_pool()
        claim = pool.try_reserve(self.name, beyond)
        # one at a time: tasks that wait here have claims, but nothing in memory
        with self._alone if claim is None else nullcontext():
            claim = claim or self._room(beyond, need, patience=_PATIENCE)
            try:
                yield
            except BaseException:
                claim.release()
                raise
            claim.shrink(beyond - later)
            pool.keep_for_task(claim)

    def _room(self, nbytes: int, need: int = 0, *, patience: float = 0.0) -> Reservation:
        """Return a claim on `nbytes` for work that is under way, others spilled for it."""
        pool = current_pool()
        if need > pool.budget:
            raise pool.refusal(self.name, need)
        deadline = time.monotonic() + patience
        while (lacking := nbytes - pool.available) > 0:
            if not pool.make_room(lacking):
                if time.monotonic() >= deadline:
                    break
                pool.wait(0.05)
        return pool.force_reserve(self.name, nbytes)

    def close(self) -> None:
        """Free the buffers and remove their files; doing so again does nothing."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, {}
        for _, handle in waiting.values():
            handle.free()
        for store in (*self._stores, *self._finer):
            store.close()


def _pieces(table: pa.Table) -> list[pa.Table]:
    """Return a table of several chunks as a table of each."""
    import pyarrow as pa

    if all(column.num_chunks <= 1 for column in table.columns):
        return [table]
    return [pa.Table.from_batches([batch]) for batch in table.to_batches()]


def _cuts(seen: int, rows: int, pieces: int, expected: int) -> np.ndarray:
    """Return where a table is cut so that `expected` rows make `pieces` of about one size.

    Parameters
    ----------
    seen, rows : int
        Rows of the tables before it, and of this one.
    """
    ends = np.arange(1, pieces) * expected // pieces - seen
    return np.concatenate(([0], ends.clip(0, rows), [rows]))

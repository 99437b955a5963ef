"""Input that comes sorted, or nearly: blocks wait as they are, and none is scattered.

Splitters from the first blocks say nothing of blocks that are all greater. While each block is
above all but the few before it, blocks only wait (and may be evicted, once). At the end the
partitions are ranges between the least keys of blocks, and a gather task takes the rows in its
range from the blocks that reach into it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from penstock.blocks import concat_tables
from penstock.engine.primitives.exchange_plan import RangesOfKeys
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.scheduler import Handle

_OVERLAP = 3  # neighbours that a block may overlap with


@record(frozen=False)
class _Range:
    """What one gather task takes: the blocks that reach into a range of keys."""

    blocks: list[int] = field(default_factory=list)
    nbytes: int = 0


class RisingBlocks:
    """The least and the greatest key of each block of an input, as long as they rise.

    Parameters
    ----------
    partitioner : RangesOfKeys
        Knows the order.

    Attributes
    ----------
    rising : bool
        False as soon as a block is not above all but the few before it.
    proven : bool
        There were enough blocks to tell.
    """

    def __init__(self, partitioner: RangesOfKeys) -> None:
        self.rising = True
        self.proven = False
        self._partitioner = partitioner
        self._bounds: dict[int, pa.Table] = {}
        self._blocks: dict[int, tuple[pa.Table, int]] = {}
        self._recent: list[pa.Table] = []
        self._passed: pa.Table | None = None

    def see(self, index: int, table: pa.Table) -> None:
        """Look at block `index`, whenever it comes."""
        if self.rising and table.num_rows:
            self._bounds[index] = self._partitioner.bounds(table)

    def extend(self, index: int, nbytes: int) -> None:
        """Add block `index`, which was seen and follows all others so far."""
        bounds = self._bounds.pop(index, None)
        if bounds is None or not self.rising:
            return
        if self._passed is not None and not self._is_below(self._passed, bounds.slice(0, 1)):
            self.rising = False  # or one key fills many blocks, which ranges cannot part
            return
        self.proven = self._passed is not None
        self._blocks[index] = bounds, nbytes
        self._recent.append(bounds.slice(1, 1))
        if len(self._recent) > _OVERLAP:
            oldest = self._recent.pop(0)
            if self._passed is None or self._is_below(self._passed, oldest):
                self._passed = oldest

    def _is_below(self, key: pa.Table, other: pa.Table) -> bool:
        return int(self._partitioner.between(other).numbers(key)[0]) == 0

    def ranges(self, target: int, most: int) -> BlockRanges:
        """Return ranges of about `target` bytes, at most so many."""
        total = sum(nbytes for _, nbytes in self._blocks.values())
        target = max(target, -(-total // most))
        starts, filled = [], 0
        for bounds, nbytes in self._blocks.values():
            if filled and filled + nbytes > target:
                starts.append(bounds.slice(0, 1))
                filled = 0
            filled += nbytes
        first = next(iter(self._blocks.values()))[0]
        cut = self._partitioner.between(concat_tables([first.slice(0, 0), *starts]))
        ranges = [_Range() for _ in range(cut.npartitions)]
        for index, (bounds, nbytes) in self._blocks.items():
            low, high = cut.numbers(bounds).tolist()
            for each in ranges[low : high + 1]:
                each.blocks.append(index)
                each.nbytes += nbytes // (high - low + 1)
        return BlockRanges(cut, ranges)


class BlockRanges:
    """Ranges of keys, and the blocks that reach into each."""

    def __init__(self, cut: RangesOfKeys, ranges: list[_Range]) -> None:
        self._cut = cut
        self._ranges = ranges
        self._readers = Counter(index for each in ranges for index in each.blocks)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ranges)

    def nbytes(self, number: int) -> int:
        """Return the bytes of a range; of one that there is not, none."""
        return self._ranges[number].nbytes if number < len(self) else 0

    def take(self, number: int, handles: Mapping[int, Handle]) -> list[pa.Table]:
        """Return the rows of a range from each block, in order; free blocks read to the end."""
        found = []
        for index in self._ranges[number].blocks if number < len(self) else ():
            table = handles[index].get()
            inside = self._cut.numbers(table) == number
            found.append(table if inside.all() else table.take(np.flatnonzero(inside)))
            with self._lock:
                self._readers[index] -= 1
                last = not self._readers[index]
            if last:
                handles[index].free()
        return found

"""How an exchange is dimensioned and what its gather tasks take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from penstock.records import record

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from penstock.scheduler import PartitionStore


class Splitter(Protocol):
    """Cuts the rows of a table into partitions."""

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return the rows sorted by partition and the offsets (npartitions + 1) of each."""
        ...


class Partitioner(Protocol):
    """Decides which partition a row belongs to."""

    @property
    def ordered(self) -> bool:
        """Partitions are ranges, found from samples, in the order of the result."""
        ...

    @property
    def npartitions(self) -> int:
        """Number of partitions once fitted."""
        ...

    def sample(self, table: pa.Table, rows: int) -> pa.Table:
        """Return about `rows` rows of what `fit` looks at."""
        ...

    def fit(self, sample: pa.Table, npartitions: int) -> Partitioner:
        """Return a partitioner of at most `npartitions`, other than this one."""
        ...

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return the rows sorted by partition and the offsets (npartitions + 1) of each."""
        ...

    def around(self, sample: pa.Table) -> Splitter:
        """Return a splitter in three: before the middle key of `sample`, the key, after it."""
        ...


class RangesOfKeys(Partitioner, Protocol):
    """A partitioner whose partitions are ranges in the order of the result."""

    def bounds(self, table: pa.Table) -> pa.Table:
        """Return the least and the greatest key of a table that has rows."""
        ...

    def between(self, splitters: pa.Table) -> RangesOfKeys:
        """Return the partitioner whose ranges begin at rising `splitters`, as far as distinct."""
        ...

    def numbers(self, table: pa.Table) -> np.ndarray:
        """Return the range that each row falls in."""
        ...


@record
class Sizes:
    """How an exchange is dimensioned.

    Attributes
    ----------
    wanted : int
        Partitions expected to be needed.
    slots : int
        Gather tasks.
    prescribed : bool
        There must be as many partitions as slots, however little data there is.
    partition : int
        Bytes that one gather task is meant to take.
    pending : int
        Up to so many bytes one gather task takes everything.
    buffer : int or None
        Bytes in memory that are flushed at once; None leaves that to the memory pool.
    """

    wanted: int
    slots: int
    prescribed: bool
    partition: int
    pending: int
    buffer: int | None = None


Part: TypeAlias = "tuple[PartitionStore, int]"
"""A partition of a store."""


@record(frozen=False)
class Portion:
    """What one gather task takes: partitions of each side's stores."""

    nbytes: int
    parts: list[list[Part]]


def packed(portions: list[Portion], slots: int, fill: int) -> list[Portion]:
    """Join neighbours of up to `fill` bytes together, and more while there are too many."""
    while True:
        packed: list[Portion] = []
        for portion in portions:
            last = packed[-1] if packed else None
            if last is not None and last.nbytes + portion.nbytes <= fill:
                parts = [
                    a + [part for part in b if part not in a]
                    for a, b in zip(last.parts, portion.parts, strict=True)
                ]
                packed[-1] = Portion(last.nbytes + portion.nbytes, parts)
            else:
                packed.append(portion)
        if len(packed) <= slots:
            return packed
        fill = max(1, 2 * fill)

"""How an exchange cuts blocks: by hash of keys, or by ranges of sort keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.kernels.partition import hash_partition, scatter
from penstock.engine.kernels.sort import sort_indices, sort_table
from penstock.engine.kernels.sort_splitters import (
    choose_splitters,
    range_numbers,
    range_partition,
)
from penstock.records import record

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@record
class HashPartitioner:
    """Equal keys meet in one partition; no order between partitions."""

    keys: tuple[str, ...]
    npartitions: int = 1
    salt: int = 0
    ordered: bool = False

    def sample(self, table: pa.Table, rows: int) -> pa.Table:
        return table.slice(0, 0)

    def fit(self, sample: pa.Table, npartitions: int) -> HashPartitioner:
        # with the same salt, rows that fell together would fall together again
        return replace(self, npartitions=npartitions, salt=self.salt + 1)

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        return hash_partition(table, list(self.keys), self.npartitions, salt=self.salt)

    def around(self, sample: pa.Table) -> AroundKey:
        raise TypeError("rows of one hashed key stay together")


@record
class RangePartitioner:
    """Partitions are ranges of the sort keys, in the order of the result."""

    by: tuple[str, ...]
    ascending: tuple[bool, ...]
    na_position: str = "last"
    splitters: pa.Table | None = None
    ordered: bool = True

    @property
    def npartitions(self) -> int:
        return 1 if self.splitters is None else self.splitters.num_rows + 1

    def sample(self, table: pa.Table, rows: int) -> pa.Table:
        import numpy as np

        keys = table.select(list(self.by))
        if keys.num_rows <= rows:
            return keys
        # evenly spaced rows would resonate with periodic data
        chosen = np.random.default_rng(keys.num_rows).choice(keys.num_rows, rows, replace=False)
        chosen.sort()
        return keys.take(chosen)

    def fit(self, sample: pa.Table, npartitions: int) -> RangePartitioner:
        splitters = choose_splitters(
            sample, list(self.by), list(self.ascending), self.na_position, npartitions
        )
        return replace(self, splitters=splitters)

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        return range_partition(
            table, list(self.by), self.splitters, list(self.ascending), self.na_position
        )

    def bounds(self, table: pa.Table) -> pa.Table:
        """Return the least and the greatest key of a table that has rows."""
        keys = table.select(list(self.by))
        order = sort_indices(keys, list(self.by), list(self.ascending), self.na_position)
        return keys.take(order[[0, -1]])

    def between(self, splitters: pa.Table) -> RangePartitioner:
        """Return the partitioner whose ranges begin at rising `splitters`, as far as distinct."""
        if splitters.num_rows:
            codes = group_codes([splitters[name] for name in self.by])
            splitters = splitters.take(codes.first)
        return replace(self, splitters=splitters)

    def numbers(self, table: pa.Table) -> np.ndarray:
        """Return the range that each row falls in."""
        assert self.splitters is not None
        return range_numbers(table, self.by, self.splitters, self.ascending, self.na_position)

    def around(self, sample: pa.Table) -> AroundKey:
        """Return the partitioner that sets the middle key of `sample` apart."""
        ordered = sort_table(sample, list(self.by), list(self.ascending), self.na_position)
        return AroundKey(replace(self, splitters=ordered.slice(ordered.num_rows // 2, 1)))


@record
class AroundKey:
    """Three partitions: the rows before a key, those of the key itself, and those after it."""

    ranges: RangePartitioner
    npartitions: int = 3

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        import numpy as np

        by, key = self.ranges.by, self.ranges.splitters
        ascending, na_position = self.ranges.ascending, self.ranges.na_position
        assert key is not None
        before = range_numbers(table, by, key, ascending, na_position) == 0
        backwards = [not up for up in ascending]
        other = "first" if na_position == "last" else "last"
        after = range_numbers(table, by, key, backwards, other) == 0
        return scatter(table, np.where(before, 0, np.where(after, 2, 1)), 3)

"""How an exchange cuts blocks: by hash of keys, or by ranges of sort keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.engine.kernels.partition import hash_partition
from penstock.engine.kernels.sort_splitters import choose_splitters, range_partition

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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

"""How an exchange cuts blocks: by hash of keys, or by ranges of sort keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.blocks import concat_tables
from penstock.engine.kernels.partition import hash_partition
from penstock.engine.kernels.sort_splitters import choose_splitters, range_partition

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_SAMPLED_ROWS = 100_000


@dataclass(frozen=True)
class HashPartitioner:
    """Equal keys meet in one partition; no order between partitions."""

    keys: tuple[str, ...]
    npartitions: int
    ordered: bool = False

    def fit(self, tables: Sequence[pa.Table], npartitions: int) -> HashPartitioner:
        return replace(self, npartitions=npartitions)

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        return hash_partition(table, list(self.keys), self.npartitions)


@dataclass(frozen=True)
class RangePartitioner:
    """Partitions are ranges of the sort keys, in the order of the result."""

    by: tuple[str, ...]
    ascending: tuple[bool, ...]
    na_position: str = "last"
    splitters: pa.Table | None = None
    ordered: bool = True

    @property
    def npartitions(self) -> int | None:
        return None if self.splitters is None else self.splitters.num_rows + 1

    def fit(self, tables: Sequence[pa.Table], npartitions: int) -> RangePartitioner:
        sample = concat_tables([_sample(table.select(list(self.by)), len(tables)) for table in tables])
        splitters = choose_splitters(
            sample, list(self.by), list(self.ascending), self.na_position, npartitions
        )
        return replace(self, splitters=splitters)

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        return range_partition(
            table, list(self.by), self.splitters, list(self.ascending), self.na_position
        )


def _sample(table: pa.Table, tables: int) -> pa.Table:
    import numpy as np

    wanted = max(256, _SAMPLED_ROWS // max(1, tables))
    if table.num_rows <= wanted:
        return table
    # evenly spaced rows would resonate with periodic data
    rows = np.random.default_rng(table.num_rows).choice(table.num_rows, wanted, replace=False)
    rows.sort()
    return table.take(rows)

"""The exact number of distinct values of a column: equal values meet, and only counts go on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.dedupe import count_distinct, drop_duplicates
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.partitioners import HashPartitioner
from penstock.engine.nodes.reduce import AGGREGATED_BYTES
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import (
    GATHER_COPIES,
    Blocks,
    Lowering,
    blockwise,
    exchange,
    tree_reduce,
)
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Nunique(FrameNode):
    """Count the distinct values of `column`, as one row; a missing one counts unless `dropna`."""

    input: FrameNode
    column: str
    dropna: bool = True

    name = "nunique"
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        return FrameSchema((pa.field(self.column, pa.int64()),))

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return AGGREGATED_BYTES

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset((self.column,)),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        hashing = hashing_factor(self.input.schema)
        values = blockwise(
            lowering,
            f"{self.name} values",
            partial(_values, self.column, self.dropna),
            [blocks],
            nbytes=blocks.nbytes,
            memory=TaskMemory(input_factor=1.0 + hashing, output=blocks.nbytes),
        )
        counts = exchange(
            lowering,
            self.name,
            [values],
            [HashPartitioner((self.column,))],
            partial(_count, self.column),
            nbytes=max(1, self.input.nbytes),
            copies=GATHER_COPIES + hashing / 2,  # sorted in place, nothing is numbered
        )
        return tree_reduce(lowering, f"{self.name} sum", partial(_sum, self.column), counts)

    def describe(self) -> str:
        return f"of {self.column}" + ("" if self.dropna else ", missing values too")


def _values(column: str, dropna: bool, table: pa.Table) -> pa.Table:
    """Return the values of a block, each once where many repeat."""
    import pyarrow as pa

    array = single_chunk(table[column])
    values = pa.table({column: array.drop_null() if dropna else array})
    return drop_duplicates(values, where_it_pays=True)


def _count(column: str, pieces: list[pa.Table]) -> pa.Table:
    values = single_chunk(concat_tables(pieces)[column]) if pieces else []
    pieces.clear()
    return _row(column, count_distinct(values) if len(values) else 0)


def _sum(column: str, tables: Sequence[pa.Table]) -> pa.Table:
    return _row(column, sum(table[column][0].as_py() for table in tables))


def _row(column: str, count: int) -> pa.Table:
    import pyarrow as pa

    return pa.table({column: pa.array([count], pa.int64())})

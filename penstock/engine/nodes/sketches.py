"""Estimates from one small summary of each block: distinct rows and quantiles."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.engine.kernels import sketches
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.schema import FrameSchema, index_column
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_SKETCH_BYTES = 16 << 10


@record(eq=False)
class CountDistinct(FrameNode):
    """The estimated number of distinct rows of `columns`, by HyperLogLog."""

    input: FrameNode
    columns: tuple[str, ...]

    name = "count-distinct"
    picks_columns = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        return FrameSchema((pa.field("rows", pa.int64()),))

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return 8

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(self.columns),)

    def lower(self, lowering: Lowering) -> Blocks:
        found = blockwise(
            lowering,
            self.name,
            partial(_registers, self.columns),
            [lowering.blocks(self.input)],
            nbytes=_SKETCH_BYTES,
            memory=TaskMemory(input_factor=2.0, output=_SKETCH_BYTES),
        )
        united = tree_reduce(lowering, self.name, sketches.united_registers, found)
        return blockwise(lowering, self.name, _count_table, [united])

    def describe(self) -> str:
        return ", ".join(self.columns)


def _registers(columns: tuple[str, ...], table: pa.Table) -> np.ndarray:
    return sketches.registers(table, columns)


def _count_table(registers: np.ndarray) -> pa.Table:
    import pyarrow as pa

    return pa.table({"rows": pa.array([round(sketches.estimated_count(registers))], pa.int64())})


@record(eq=False)
class EstimatedQuantile(FrameNode):
    """The estimated values of `column` at the given quantiles, by t-digest."""

    input: FrameNode
    column: str
    quantiles: tuple[float, ...]

    name = "estimated-quantile"
    picks_columns = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        return FrameSchema(
            (pa.field(self.column, pa.float64()),),
            (self.column,),
            (pa.field(index_column(0), pa.float64()),),
            (None,),
        )

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return 1024

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset((self.column,)),)

    def lower(self, lowering: Lowering) -> Blocks:
        found = blockwise(
            lowering,
            self.name,
            partial(_digest, self.column),
            [lowering.blocks(self.input)],
            nbytes=_SKETCH_BYTES,
            memory=TaskMemory(input_factor=6.0, output=_SKETCH_BYTES),
        )
        united = tree_reduce(lowering, self.name, sketches.united_digests, found)
        finish = partial(_quantile_table, self.quantiles, self.schema.arrow)
        return blockwise(lowering, self.name, finish, [united])

    def describe(self) -> str:
        return f"{', '.join(map(str, self.quantiles))} of {self.column}"


def _digest(column: str, table: pa.Table) -> np.ndarray:
    return sketches.digest(table.column(column))


def _quantile_table(
    quantiles: tuple[float, ...], schema: pa.Schema, digest: np.ndarray
) -> pa.Table:
    import pyarrow as pa

    values = sketches.digest_quantiles(digest, quantiles)
    arrays = [pa.array(values, pa.float64()), pa.array(quantiles, pa.float64())]
    return pa.Table.from_arrays(arrays, schema=schema)

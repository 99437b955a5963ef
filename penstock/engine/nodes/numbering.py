"""Row numbers: the labels of the default index, and hidden row positions."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from penstock.engine.nodes.sources import number_rows
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import ORDER, FrameSchema, index_column
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

# A position is the block's number and the row within it: no counting beforehand.
_ROW_BITS = 36


@record(eq=False)
class NumberRows(FrameNode):
    """Add the row number in the whole input as the index column.

    Only made where an operation needs the labels of a default index; each
    block waits for the row counts of the blocks before it, not for their rows.
    """

    input: FrameNode

    name = "number-rows"
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        field = pa.field(index_column(0), pa.int64())
        return replace(self.input.schema, index_fields=(field,), index_names=(None,))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns - {index_column(0)},)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        return self if index_column(0) in columns else self.input

    def lower(self, lowering: Lowering) -> Blocks:
        counted = blockwise(
            lowering, "count rows", _counted, [lowering.blocks(self.input)], outputs=2
        )
        stage = counted.stage
        assert stage is not None
        offsets = prefix_scan(lowering, "row offsets", add, output(stage, 1), initial=0)
        tables = Blocks(output(stage, 0), counted.nbytes, None, counted.origin)
        return blockwise(lowering, self.name, number_rows, [tables, offsets])


def _counted(table: pa.Table) -> tuple[pa.Table, int]:
    return table, table.num_rows


@record(eq=False)
class RowPositions(FrameNode):
    """Add a hidden column of row positions, for results that come in another order."""

    input: FrameNode

    name = "row-positions"
    is_blockwise = True
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        return replace(self.input.schema, order_fields=(pa.field(ORDER, pa.int64()),))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns - {ORDER},)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        return self if ORDER in columns else self.input

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        return blockwise(lowering, self.name, _positioned, [blocks], arguments=range(len(blocks)))


def _positioned(block: int, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    start = block << _ROW_BITS
    positions = np.arange(start, start + table.num_rows, dtype=np.int64)
    return table.append_column(pa.field(ORDER, pa.int64()), pa.array(positions))

"""Elements of an array as a column of a frame and back, for what frames order by an exchange."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.plan import ArrayNode, FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN = "values"


@record(eq=False)
class ColumnOfArray(FrameNode):
    """The elements of an array that are not NaN as one column, in any order."""

    input: ArrayNode

    name = "column-of-array"

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        kind = pa.from_numpy_dtype(self.input.schema.dtype)
        return FrameSchema((pa.field(COLUMN, kind),), (COLUMN,), (), ())

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        return blockwise(
            lowering,
            self.name,
            _column,
            [blocks],
            nbytes=blocks.nbytes,
            memory=TaskMemory(input_factor=1.0, output=max(1, blocks.nbytes)),
        )


def _column(block: np.ndarray) -> pa.Table:
    import pyarrow as pa

    values = np.ascontiguousarray(block).ravel()
    if values.dtype.kind == "f":
        values = values[~np.isnan(values)]
    return pa.table({COLUMN: pa.array(values)})


@record(eq=False)
class ArrayOfColumn(ArrayNode):
    """The one block of a frame of one column as an array.

    Attributes
    ----------
    layout : ArraySchema
    """

    input: FrameNode
    layout: ArraySchema

    name = "array-of-column"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    def lower(self, lowering: Lowering) -> Blocks:
        return blockwise(
            lowering, self.name, _Values(self.layout), [lowering.blocks(self.input)], nbytes=1024
        )


class _Values:
    def __init__(self, layout: ArraySchema) -> None:
        self.layout = layout

    def __call__(self, table: pa.Table) -> np.ndarray:
        values = table.column(COLUMN).to_numpy()
        return values.astype(self.layout.dtype).reshape(self.layout.shape)

"""Frames as arrays and arrays as frames, block by block."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.plan import ArrayNode, FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.errors import SchemaError
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# pandas' columns, their common type, and what is given.
_COPIES = 2.0


@record(eq=False)
class ArrayOfFrame(ArrayNode):
    """The values of a frame's columns, a block of rows per chunk.

    Attributes
    ----------
    layout : ArraySchema
        Of one axis for a series. Numbers of rows are NaN where they are not known.
    """

    input: FrameNode
    layout: ArraySchema

    name = "values"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @cached_property
    def nbytes(self) -> int:
        return self.input.nbytes

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        count = len(self.layout.chunks[0])
        if len(blocks) != count:
            raise SchemaError(f"the frame has {len(blocks)} blocks, but the array {count} chunks")
        return blockwise(
            lowering,
            self.name,
            partial(_values, self.input.schema, self.layout),
            [blocks],
            arguments=range(count),
            memory=TaskMemory(input_factor=_COPIES, output=blocks.nbytes),
        )

    def describe(self) -> str:
        return f"{len(self.input.schema.labels)} columns"


def _values(schema: FrameSchema, layout: ArraySchema, number: int, table: pa.Table) -> np.ndarray:
    rows = layout.chunks[0][number]
    if rows == rows and rows != table.num_rows:
        raise SchemaError(f"block {number} has {table.num_rows} rows; lengths= gives it {rows}")
    frame = schema.to_pandas(table)
    values = (frame.iloc[:, 0] if len(layout.chunks) == 1 else frame).to_numpy()
    if values.dtype == layout.dtype:
        return np.ascontiguousarray(values)
    if layout.dtype.kind in "iub" and values.dtype.kind not in "iub":
        missing = [str(label) for label in frame.columns[frame.isna().any()]]
        raise SchemaError(
            f"the columns {missing} have missing values, which an array of {layout.dtype} cannot "
            "hold; use fillna() or astype(float) first"
        )
    return values.astype(layout.dtype)


@record(eq=False)
class FrameOfArray(FrameNode):
    """The columns of an array as those of a frame.

    Attributes
    ----------
    result : FrameSchema
    """

    input: ArrayNode
    result: FrameSchema

    name = "from-array"

    @property
    def schema(self) -> FrameSchema:
        return self.result

    @cached_property
    def nbytes(self) -> int:
        return self.input.nbytes

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(),)

    def lower(self, lowering: Lowering) -> Blocks:
        return blockwise(
            lowering,
            self.name,
            partial(_table, self.result),
            [lowering.blocks(self.input)],
            memory=TaskMemory(input_factor=_COPIES),
        )


def _table(schema: FrameSchema, block: Any) -> pa.Table:
    import pandas as pd

    values = np.asarray(block)
    if values.dtype.names:
        columns = {name: values[name] for name in values.dtype.names}
        return schema.from_pandas(pd.DataFrame(columns), "from_dask_array")
    wide = values.reshape(len(values), -1)
    # a copy: a column of a block in C order is neither contiguous nor its own
    frame = pd.DataFrame({place: wide[:, place].copy() for place in range(wide.shape[1])})
    frame.columns = pd.Index(list(schema.labels), tupleize_cols=False)
    return schema.from_pandas(frame, "from_dask_array")

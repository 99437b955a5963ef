"""Columns put below each other: each row becomes one for every value of a new index level."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import single_chunk
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema, index_column
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class StackColumns(FrameNode):
    """Make a row of each row for every one of `values`, the innermost level of the index.

    Attributes
    ----------
    values : tuple
        Of the new level.
    columns : tuple of (str, Any, tuple of str)
        Name and label of each column of the result, and the column of the input that it takes
        for each of `values`.
    """

    input: FrameNode
    values: tuple[Any, ...]
    columns: tuple[tuple[str, Any, tuple[str, ...]], ...]
    level_name: Any = None

    name = "stack"
    picks_columns = True
    is_blockwise = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        before = self.input.schema
        fields = tuple(
            before.field(sources[0]).with_name(name) for name, _, sources in self.columns
        )
        level = pa.field(index_column(len(before.index)), pa.array(list(self.values)).type)
        return replace(
            before,
            fields=fields,
            labels=tuple(label for _, label, _ in self.columns),
            index_fields=(*before.index_fields, level),
            index_names=(*before.index_names, self.level_name),
            label_names=(None,),
        )

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        used = {s for name, _, sources in self.columns if name in columns for s in sources}
        before = self.input.schema
        return (frozenset((*used, *before.index, *before.order)),)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        return replace(self, columns=tuple(made for made in self.columns if made[0] in columns))

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        output = blocks.nbytes * max(1, len(self.values))
        return blockwise(
            lowering,
            self.name,
            partial(_stack, self.values, self.columns, self.schema),
            [blocks],
            nbytes=output,
            memory=TaskMemory(input_factor=1.0, output=output),
        )


def _stack(
    values: tuple[Any, ...],
    columns: tuple[tuple[str, Any, tuple[str, ...]], ...],
    schema: FrameSchema,
    table: pa.Table,
) -> pa.Table:
    import pyarrow as pa

    rows, depth = table.num_rows, len(values)
    # of value j, row i is at j * rows + i when its columns are put one after the other
    places = pa.array(np.arange(rows * depth).reshape(depth, rows).T.ravel())
    repeated = pa.array(np.repeat(np.arange(rows), depth))
    arrays, names = [], []
    for name, _, sources in columns:
        chunks = pa.chunked_array([single_chunk(table.column(source)) for source in sources])
        arrays.append(single_chunk(chunks).take(places))
        names.append(name)
    *index, level = schema.index
    for name in index:
        arrays.append(single_chunk(table.column(name)).take(repeated))
        names.append(name)
    every = pa.array(list(values))
    arrays.append(every.take(pa.array(np.tile(np.arange(depth), rows))))
    names.append(level)
    for name in schema.order:
        arrays.append(single_chunk(table.column(name)).take(repeated))
        names.append(name)
    return pa.Table.from_arrays(arrays, names=names)

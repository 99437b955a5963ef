"""OnLabels: what a function of the user's made of rows, beside these rows again."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.values import take_optional
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.errors import SchemaError
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# The labels of both sides in pandas, where they differ.
_LABEL_COPIES = 3.0


@record(eq=False)
class OnLabels(FrameNode):
    """The data columns of `made` on the rows of `rows`, matched by label within each block.

    As pandas does on assignment: a row whose label `made` does not have gets missing values, and
    rows of `made` with other labels are left out.

    Attributes
    ----------
    rows : FrameNode
        Has its row labels in columns.
    made : FrameNode
        Made from `rows` block by block, with as many index levels.
    """

    rows: FrameNode
    made: FrameNode

    name = "on-labels"
    is_blockwise = True
    keeps_rows = True

    @cached_property
    def schema(self) -> FrameSchema:
        made, rows = self.made.schema, self.rows.schema
        return replace(rows, fields=made.fields, labels=made.labels, label_names=made.label_names)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        rows = self.rows.schema
        made = self.made.schema
        wanted = columns & frozenset(made.columns)
        return frozenset(rows.index + rows.order), wanted | frozenset(made.index)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = [lowering.blocks(self.rows), lowering.blocks(self.made)]
        return blockwise(
            lowering,
            self.name,
            partial(on_labels, self.rows.schema, self.made.schema),
            blocks,
            memory=TaskMemory(input_factor=_LABEL_COPIES, output=blocks[1].nbytes),
            nbytes=blocks[1].nbytes,
        )


def on_labels(
    rows_schema: FrameSchema, made_schema: FrameSchema, rows: pa.Table, made: pa.Table
) -> pa.Table:
    """Return the data columns of `made` for the labels of `rows`, with these labels."""
    import pyarrow as pa

    kept = [name for name in made_schema.columns if name in made.column_names]
    columns = [single_chunk(made.column(name)) for name in kept]
    labels = [single_chunk(rows.column(name)) for name in rows_schema.index]
    found = [single_chunk(made.column(name)) for name in made_schema.index]
    if not all(a.equals(b) for a, b in zip(labels, found, strict=True)):
        places = _places(rows_schema, made_schema, rows, made)
        columns = [take_optional(column, places) for column in columns]
    carried = [name for name in rows_schema.index + rows_schema.order if name in rows.column_names]
    columns += [single_chunk(rows.column(name)) for name in carried]
    return pa.Table.from_arrays(columns, names=[*kept, *carried])


def _places(
    rows_schema: FrameSchema, made_schema: FrameSchema, rows: pa.Table, made: pa.Table
) -> np.ndarray:
    """Return for each row the row of `made` with its label, -1 where there is none."""
    wanted = rows_schema.select(rows_schema.index).to_pandas(rows.select(rows_schema.index)).index
    index = made_schema.select(made_schema.index).to_pandas(made.select(made_schema.index)).index
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise SchemaError(
            f"rows cannot be matched by label: {twice!r} is there more than once in what the "
            "function gave; give one row for each row, with its label"
        )
    return np.asarray(index.get_indexer(wanted), dtype=np.int64)

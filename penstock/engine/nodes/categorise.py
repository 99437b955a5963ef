"""Categorise: columns as categories, which are the values found in all blocks."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial

from penstock.engine.kernels.categories import (
    categorical_type,
    distinct_values,
    encode,
    united_values,
)
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.schema import FrameSchema
from penstock.records import record

# Categories are few, or the column should not be made of them.
_CATEGORIES_BYTES = 1 << 20


@record(eq=False)
class Categorise(FrameNode):
    """Make `columns` categorical: the distinct values of all blocks, sorted, and codes into them."""

    input: FrameNode
    columns: tuple[str, ...]

    name = "categorise"
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        before = self.input.schema
        fields = tuple(
            pa.field(field.name, categorical_type(field.type))
            if field.name in self.columns
            else field
            for field in before.fields
        )
        return replace(before, fields=fields)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        before, after = self.input.schema, self.schema
        changed = [
            name for name in before.columns if before.field(name).type != after.field(name).type
        ]
        blocks = lowering.blocks(self.input).shared()
        found = blockwise(
            lowering,
            f"{self.name} values",
            partial(distinct_values, changed),
            [blocks],
            nbytes=_CATEGORIES_BYTES,
        )
        categories = tree_reduce(lowering, f"{self.name} categories", united_values, found)
        return blockwise(lowering, self.name, encode, [blocks, categories])

    def describe(self) -> str:
        return ", ".join(self.columns)

"""Filter: the rows for which a predicate is true."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from penstock.blocks import compact
from penstock.engine.evaluate import evaluate
from penstock.engine.expr import Expr, columns_of
from penstock.engine.kernels.groupby_codes import filter_rows
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


@record(eq=False)
class Filter(FrameNode):
    """Keep the rows for which `predicate` is true; missing counts as false."""

    input: FrameNode
    predicate: Expr

    name = "filter"
    is_blockwise = True
    passes_projection = True
    passes_filter = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def divisions(self) -> tuple | None:
        return self.input.divisions

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | columns_of(self.predicate),)

    def lower(self, lowering: Lowering) -> Blocks:
        return blockwise(
            lowering,
            self.name,
            partial(filter_block, self.predicate),
            [lowering.blocks(self.input)],
        )

    def describe(self) -> str:
        return repr(self.predicate)


def filter_block(
    predicate: Expr, table: pa.Table, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the rows of `table` for which `predicate` is true, owning their memory.

    Only `columns`, where they are given: those that the predicate alone needs are not copied.
    """
    import pyarrow as pa

    mask = evaluate(predicate, table)
    if columns and table.column_names != columns:
        table = table.select(columns)
    if isinstance(mask, pa.Scalar):
        return table if mask.as_py() else compact(table.slice(0, 0))
    return filter_rows(table, mask)

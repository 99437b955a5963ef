"""Reduce: aggregates of whole columns, as one row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.blocks import concat_tables
from penstock.engine.kernels.aggregate import AggSpec, combine, finalize, output_field
from penstock.engine.kernels.aggregate import partial as partial_aggregate
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

# An aggregated block is a row, or a row per group: small beside its input.
AGGREGATED_BYTES = 64 << 10


@record(eq=False)
class Reduce(FrameNode):
    """Aggregate all rows to one, through partial aggregates and a tree of combinations."""

    input: FrameNode
    specs: tuple[AggSpec, ...]

    name = "aggregate"
    picks_columns = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        arrow = self.input.schema.arrow
        return FrameSchema(tuple(output_field(spec, arrow) for spec in self.specs))

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return AGGREGATED_BYTES

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (needed_columns(self.specs),)

    def lower(self, lowering: Lowering) -> Blocks:
        partials = blockwise(
            lowering,
            self.name,
            partial(partial_block, (), self.specs),
            [lowering.blocks(self.input)],
            nbytes=AGGREGATED_BYTES,
        )
        combined = tree_reduce(
            lowering, f"{self.name} combine", partial(combine_blocks, (), self.specs), partials
        )
        return blockwise(lowering, self.name, partial(finalize_block, (), self.specs), [combined])

    def describe(self) -> str:
        return ", ".join(f"{spec.function}({spec.column or ''})" for spec in self.specs)


def needed_columns(specs: Sequence[AggSpec]) -> frozenset[str]:
    """Return the columns that `specs` read."""
    named = {spec.column for spec in specs if spec.column is not None}
    return frozenset(named.union(*(_option_columns(spec) for spec in specs)))


def _option_columns(spec: AggSpec) -> set[str]:
    return {value for key, value in spec.options if key == "label" and isinstance(value, str)}


def partial_block(
    keys: tuple[str, ...], specs: tuple[AggSpec, ...], table: pa.Table, **options: bool
) -> pa.Table:
    """Return the partial aggregates of one block."""
    return partial_aggregate(table, list(keys), list(specs), **options)


def combine_blocks(
    keys: tuple[str, ...], specs: tuple[AggSpec, ...], tables: Sequence[pa.Table]
) -> pa.Table:
    """Return partial aggregates of several blocks merged into one."""
    return combine(concat_tables(tables), list(keys), list(specs))


def finalize_block(keys: tuple[str, ...], specs: tuple[AggSpec, ...], table: pa.Table) -> pa.Table:
    """Return the final aggregates from merged partial ones."""
    return finalize(table, list(keys), list(specs))


@record(eq=False)
class RowCount(FrameNode):
    """The number of rows, from the footers where the source has them."""

    input: FrameNode

    name = "count-rows"
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
        return (frozenset(),)

    def known(self) -> int | None:
        """Return the count when no block has to be read for it."""
        node = self.input
        while node.keeps_rows and node.inputs:
            node = node.inputs[0]  # type: ignore[assignment]
        return node.rows if isinstance(node, ReadFrame) else None

    def lower(self, lowering: Lowering) -> Blocks:
        known = self.known()
        if known is not None:
            return blockwise(lowering, self.name, partial(_count_table, known), [], ntasks=1)
        counts = blockwise(lowering, self.name, _num_rows, [lowering.blocks(self.input)], nbytes=8)
        total = tree_reduce(lowering, self.name, sum, counts)
        return blockwise(lowering, self.name, _count_table, [total])


def _num_rows(table: pa.Table) -> int:
    return table.num_rows


def _count_table(rows: int) -> pa.Table:
    import pyarrow as pa

    return pa.table({"rows": pa.array([rows], pa.int64())})

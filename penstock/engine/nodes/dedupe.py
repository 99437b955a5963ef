"""Distinct rows: equal keys meet through an exchange, the first or last of them stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.blocks import concat_tables
from penstock.engine.kernels.dedupe import drop_duplicates, duplicated
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.partitioners import HashPartitioner
from penstock.engine.nodes.row_return import POSITION, return_rows, with_positions
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import GATHER_COPIES, Blocks, Lowering, blockwise, exchange
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class DropDuplicates(FrameNode):
    """Keep one row (or, with ``keep=False``, only lone rows) per distinct `subset`."""

    input: FrameNode
    subset: tuple[str, ...]
    keep: str | bool = "first"

    name = "drop-duplicates"
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.subset),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        distinct = partial(drop_duplicates, subset=self.subset, keep=self.keep)
        hashing = hashing_factor(self.schema)
        if self.keep is not False:
            # what is a duplicate within its block never travels
            memory = TaskMemory(input_factor=1.0 + hashing, output=blocks.nbytes)
            fewer = partial(distinct, where_it_pays=True)
            blocks = blockwise(lowering, self.name, fewer, [blocks], memory=memory)
        return exchange(
            lowering,
            self.name,
            [blocks],
            [HashPartitioner(self.subset)],
            partial(_distinct_pieces, distinct, self.schema.arrow),
            nbytes=max(1, self.input.nbytes),
            copies=GATHER_COPIES + hashing,
        )

    def describe(self) -> str:
        return f"of {', '.join(self.subset)}, keep={self.keep!r}"


def _distinct_pieces(
    distinct: Callable[[pa.Table], pa.Table], schema: pa.Schema, pieces: list[pa.Table]
) -> pa.Table:
    return distinct(concat_tables(pieces)) if pieces else schema.empty_table()


_MARK = "duplicated"


@record(eq=False)
class Duplicated(FrameNode):
    """Tell which rows repeat another in `subset`, in the blocks that the rows are in."""

    input: FrameNode
    subset: tuple[str, ...]
    keep: str | bool = "first"

    name = "duplicated"
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        before = self.input.schema
        field = pa.field(_MARK, pa.bool_())
        return replace(before, fields=(field,), labels=(_MARK,), label_names=(None,))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        schema = self.input.schema
        return (frozenset((*self.subset, *schema.order)) | (columns & frozenset(schema.index)),)

    def lower(self, lowering: Lowering) -> Blocks:
        schema = self.input.schema
        blocks = lowering.blocks(self.input).shared()
        placed = blockwise(
            lowering,
            f"{self.name} places",
            partial(_placed, (*self.subset, *schema.order)),
            [blocks],
            arguments=range(len(blocks)),
        )
        marked = exchange(
            lowering,
            self.name,
            [placed],
            [HashPartitioner(self.subset)],
            partial(_marked, self.subset, schema.order, self.keep),
            nbytes=max(1, self.input.nbytes),
            copies=GATHER_COPIES + hashing_factor(schema),
        )
        nbytes = marked.nbytes * len(marked)
        back = return_rows(lowering, self.name, marked, len(blocks), _marks().schema, nbytes)
        rest = partial(_beside_mark, schema.index + schema.order)
        return blockwise(lowering, self.name, rest, [blocks, back])

    def describe(self) -> str:
        return f"of {', '.join(self.subset)}, keep={self.keep!r}"


def _placed(columns: tuple[str, ...], block: int, table: pa.Table) -> pa.Table:
    return with_positions(block, table.select(list(columns)))


def _marks() -> pa.Table:
    """Return marks of no rows."""
    import pyarrow as pa

    return pa.table({POSITION: pa.array([], pa.int64()), _MARK: pa.array([], pa.bool_())})


def _marked(
    subset: tuple[str, ...], order: tuple[str, ...], keep: str | bool, pieces: list[pa.Table]
) -> pa.Table:
    import pyarrow as pa

    if not pieces:
        return _marks()
    table = concat_tables(pieces)
    pieces.clear()
    if order:
        table = sort_table(table, list(order), True, "last")
    mask = pa.array(duplicated(table, list(subset), keep))
    return table.select([POSITION]).append_column(_MARK, mask)


def _beside_mark(rest: tuple[str, ...], table: pa.Table, marks: pa.Table) -> pa.Table:
    result = marks.select([_MARK])
    for name in rest:
        if name in table.column_names:
            result = result.append_column(table.schema.field(name), table.column(name))
    return result

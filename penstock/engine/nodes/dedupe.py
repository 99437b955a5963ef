"""Distinct rows: equal keys meet through an exchange, the first or last of them stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.dedupe import drop_duplicates, duplicated
from penstock.engine.kernels.groupby_codes import hardly_repeats
from penstock.engine.kernels.partition import scatter
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.partitioners import HashPartitioner
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import GATHER_COPIES, Blocks, Lowering, blockwise, exchange
from penstock.engine.schema import FrameSchema
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
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
        distinct = partial(_distinct, self.subset, self.keep, False)
        hashing = hashing_factor(self.schema)
        if self.keep is not False:
            # what is a duplicate within its block never travels
            memory = TaskMemory(input_factor=1.0 + hashing, output=blocks.nbytes)
            fewer = partial(_distinct, self.subset, self.keep, True)
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


def _distinct(
    subset: tuple[str, ...], keep: str | bool, where_it_pays: bool, table: pa.Table
) -> pa.Table:
    if where_it_pays and hardly_repeats([single_chunk(table[name]) for name in subset]):
        return table
    return drop_duplicates(table, list(subset), keep=keep)


def _distinct_pieces(
    distinct: Callable[[pa.Table], pa.Table], schema: pa.Schema, pieces: list[pa.Table]
) -> pa.Table:
    return distinct(concat_tables(pieces)) if pieces else schema.empty_table()


# A place is the block's number and the row within it.
_ROW_BITS = 36
_PLACE, _MARK = "__place__", "duplicated"


@dataclass(frozen=True, eq=False)
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
        rest = partial(_beside_mark, schema.index + schema.order)
        if len(blocks) == 1:
            whole = exchange(
                lowering, f"{self.name} back", [marked], [BlockPartitioner(1)], _in_place,
                nbytes=max(1, marked.nbytes), slots=1,
            )  # fmt: skip
            return blockwise(lowering, self.name, rest, [blocks, whole])
        # a row for each block, so that none of them is without
        numbers = blockwise(
            lowering, f"{self.name} blocks", _place_of_block, [], ntasks=len(blocks),
            arguments=range(len(blocks)), nbytes=16,
        )  # fmt: skip
        partitioner = BlockPartitioner(len(blocks))
        back = exchange(
            lowering, f"{self.name} back", [marked, numbers], [partitioner, partitioner],
            _in_place, nbytes=max(1, marked.nbytes * len(marked)), slots=len(blocks),
        )  # fmt: skip
        return blockwise(lowering, self.name, rest, [blocks, back])

    def describe(self) -> str:
        return f"of {', '.join(self.subset)}, keep={self.keep!r}"


@dataclass(frozen=True)
class BlockPartitioner:
    """Rows go back to the blocks that they came from: one partition for each block."""

    blocks: int
    npartitions: int = 0
    ordered: bool = False

    def sample(self, table: pa.Table, rows: int) -> pa.Table:
        return table.slice(0, 0)

    def fit(self, sample: pa.Table, npartitions: int) -> BlockPartitioner:
        # fitted again, for a partition that outgrew its size, it cannot cut it
        return replace(self, npartitions=1 if self.npartitions else self.blocks)

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        places = table.column(_PLACE).to_numpy()
        return scatter(table, places >> _ROW_BITS, self.npartitions)

    def around(self, sample: pa.Table) -> Any:
        raise TypeError("rows of one block stay together")


def _placed(columns: tuple[str, ...], block: int, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    start = block << _ROW_BITS
    places = np.arange(start, start + table.num_rows, dtype=np.int64)
    return table.select(list(columns)).append_column(_PLACE, pa.array(places))


def _place_of_block(block: int) -> pa.Table:
    import pyarrow as pa

    places = pa.array([block << _ROW_BITS], pa.int64())
    return pa.table({_PLACE: places, _MARK: pa.array([False])})


def _marked(
    subset: tuple[str, ...], order: tuple[str, ...], keep: str | bool, pieces: list[pa.Table]
) -> pa.Table:
    import pyarrow as pa

    if not pieces:
        return _place_of_block(0).slice(0, 0)
    table = concat_tables(pieces)
    pieces.clear()
    if order:
        table = sort_table(table, list(order), True, "last")
    mask = pa.array(duplicated(table, list(subset), keep))
    return table.select([_PLACE]).append_column(_MARK, mask)


def _in_place(pieces: list[pa.Table], numbers: list[pa.Table] | None = None) -> pa.Table:
    table = concat_tables(pieces)
    pieces.clear()
    order = np.argsort(table.column(_PLACE).to_numpy(), kind="stable")
    return table.select([_MARK]).take(order)


def _beside_mark(rest: tuple[str, ...], table: pa.Table, marks: pa.Table) -> pa.Table:
    result = marks.select([_MARK])
    for name in rest:
        if name in table.column_names:
            result = result.append_column(table.schema.field(name), table.column(name))
    return result

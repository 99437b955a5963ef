"""Slices of a frame by position: some of its blocks, its first rows, its last rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from penstock.blocks import compact, concat_tables
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Partitions(FrameNode):
    """Only the blocks at `positions`; the others are not computed."""

    input: FrameNode
    positions: tuple[int, ...]

    name = "partitions"

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def npartitions(self) -> int:
        return len(self.positions)

    @property
    def nbytes(self) -> int:
        return self.input.nbytes * len(self.positions) // max(1, self.input.npartitions)

    @property
    def divisions(self) -> tuple | None:
        known = self.input.divisions
        if known is None or not self.positions:
            return None
        adjacent = list(self.positions) == list(
            range(self.positions[0], self.positions[0] + len(self.positions))
        )
        return known[self.positions[0] : self.positions[-1] + 2] if adjacent else None

    def lower(self, lowering: Lowering) -> Blocks:
        # Reads all columns of its input: blocks are sized by the columns that
        # are read, and a position must mean the same block whatever is done next.
        blocks = lowering.blocks(self.input)
        ids = blocks.ids[np.asarray(self.positions, dtype=np.int64)]
        return Blocks(ids, blocks.nbytes)

    def describe(self) -> str:
        return f"{len(self.positions)} of {self.input.npartitions}"


@record(eq=False)
class Head(FrameNode):
    """The first `rows` rows (or the last, when `last`), as one block."""

    input: FrameNode
    rows: int
    last: bool = False

    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return "tail" if self.last else "head"

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return self.input.nbytes // max(1, self.input.npartitions)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        take = partial(_take, self.rows, self.last)
        heads = blockwise(
            lowering, self.name, partial(_edge, self.rows, self.last), [lowering.blocks(self.input)]
        )
        return tree_reduce(lowering, self.name, take, heads)

    def describe(self) -> str:
        return str(self.rows)


def _edge(rows: int, last: bool, table: pa.Table) -> pa.Table:
    start = max(0, table.num_rows - rows) if last else 0
    return compact(table.slice(start, rows))


def _take(rows: int, last: bool, tables: Sequence[pa.Table]) -> pa.Table:
    return _edge(rows, last, concat_tables(tables))

"""Distinct rows: equal keys meet through an exchange, the first or last of them stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from penstock.blocks import concat_tables
from penstock.engine.kernels.dedupe import drop_duplicates
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

    @property
    def npartitions(self) -> int:
        return self.input.npartitions

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.subset),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        distinct = partial(_distinct, self.subset, self.keep)
        hashing = hashing_factor(self.schema)
        if self.keep is not False:
            # what is a duplicate within its block never travels
            memory = TaskMemory(input_factor=1.0 + hashing, output=blocks.nbytes)
            blocks = blockwise(lowering, self.name, distinct, [blocks], memory=memory)
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


def _distinct(subset: tuple[str, ...], keep: str | bool, table: pa.Table) -> pa.Table:
    return drop_duplicates(table, list(subset), keep=keep)


def _distinct_pieces(
    distinct: Callable[[pa.Table], pa.Table], schema: pa.Schema, pieces: list[pa.Table]
) -> pa.Table:
    return distinct(concat_tables(pieces)) if pieces else schema.empty_table()

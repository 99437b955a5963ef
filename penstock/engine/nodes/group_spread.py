"""Group by keys and give a value to each row, without bringing the rows of a group together.

A block sends one row for each of its groups to where the rows of that group from all blocks
meet, and gets what they come to back. What travels is at most a row for each row, and far less
where groups are large; no group is too large.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.groupby_codes import drop_missing_keys, group_codes
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.partitioners import HashPartitioner
from penstock.engine.nodes.row_return import POSITION, places, positions, return_rows
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, exchange
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.engine.primitives.exchange_plan import Partitioner

# The summaries joined, the groups found among them, what they come to, and the order of these.
_MEETING_COPIES = 5


@record(eq=False)
class GroupSpread(FrameNode):
    """A value of its group for each row of the input, in the same blocks."""

    input: FrameNode
    keys: tuple[str, ...]

    keeps_rows = True
    passes_projection = True

    @abstractmethod
    def _summary(self, table: pa.Table) -> pa.Table:
        """Return keys and what a block tells of its groups, in order of their appearance."""

    @abstractmethod
    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        """Return, for each summary of whole groups, columns that its block gets back."""

    @abstractmethod
    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        """Return the columns of the result for the rows of a block.

        `codes` gives the group of each row, by which `returned` is to be taken; values are null
        where a key is missing and such rows are left out.
        """

    def _schema(self, fields: tuple[pa.Field, ...], labels: tuple[Any, ...]) -> FrameSchema:
        label_names = self.input.schema.label_names
        depth = len(labels[0]) if labels and isinstance(labels[0], tuple) else 1
        if len(label_names) != depth:
            label_names = (None,) * depth
        return replace(self.input.schema, fields=fields, labels=labels, label_names=label_names)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input).shared()
        count = len(blocks)
        summaries = blockwise(
            lowering,
            f"{self.name} summary",
            partial(_placed_summary, self),
            [blocks],
            arguments=range(count),
            memory=TaskMemory(
                input_factor=1.0 + hashing_factor(self.input.schema), output=blocks.nbytes
            ),
        )
        met = self._exchange(lowering, summaries)
        returned = return_rows(
            lowering, self.name, met, count, self._returned_schema(), self.input.nbytes
        )
        return blockwise(
            lowering,
            self.name,
            partial(_spread, self),
            [blocks, returned],
            memory=TaskMemory(
                input_factor=1.0 + hashing_factor(self.input.schema), output=blocks.nbytes
            ),
        )

    def _exchange(self, lowering: Lowering, summaries: Blocks) -> Blocks:
        return self._exchange_by(lowering, summaries, HashPartitioner(self.keys))

    def _exchange_by(
        self, lowering: Lowering, summaries: Blocks, partitioner: Partitioner
    ) -> Blocks:
        return exchange(
            lowering,
            self.name,
            [summaries],
            [partitioner],
            partial(_meet_pieces, self),
            nbytes=max(1, self.input.nbytes),
            copies=_MEETING_COPIES,
        )

    def _returned_schema(self) -> pa.Schema:
        empty = self.input.schema.arrow.empty_table()
        return _meet_pieces(self, [_placed_summary(self, 0, empty)]).schema

    def describe(self) -> str:
        return f"by {', '.join(self.keys)}"


def _placed_summary(node: GroupSpread, block: int, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    summary = node._summary(table)
    return summary.append_column(POSITION, pa.array(positions(block, summary.num_rows)))


def _meet_pieces(node: GroupSpread, pieces: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    table = (
        concat_tables(pieces)
        if pieces
        else _placed_summary(node, 0, node.input.schema.arrow.empty_table())
    )
    pieces.clear()
    made = node._meet(table)
    made[POSITION] = single_chunk(table.column(POSITION))
    return pa.table(made)


def _spread(node: GroupSpread, table: pa.Table, returned: pa.Table) -> pa.Table:
    import pyarrow as pa

    grouping = group_codes([table.column(key) for key in node.keys])
    columns = {
        name: single_chunk(returned.column(name))
        for name in returned.column_names
        if name != POSITION
    }
    assert len(places(single_chunk(returned.column(POSITION)))) == grouping.ngroups
    made = node._apply(table, grouping.codes, columns)
    schema = node.schema
    carried = [name for name in (*schema.index, *schema.order) if name in table.column_names]
    arrays = [*(made[name] for name in schema.columns), *(table.column(name) for name in carried)]
    return pa.Table.from_arrays(arrays, names=[*schema.columns, *carried])


def keyless(table: pa.Table, keys: tuple[str, ...]) -> np.ndarray | None:
    """Return which rows lack a key, or None where none does."""
    import pyarrow as pa

    numbered = table.select(list(dict.fromkeys(keys)))
    rows = pa.array(np.arange(table.num_rows))
    kept = drop_missing_keys(numbered.append_column(POSITION, rows), keys)
    if kept.num_rows == table.num_rows:
        return None
    missing = np.ones(table.num_rows, bool)
    missing[single_chunk(kept.column(POSITION)).to_numpy()] = False
    return missing

"""Halo: each block together with some rows of its neighbours.

A neighbour may hold fewer rows than are wanted, or none, so the rows come
through a scan over the blocks' edges and from as far away as needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from penstock.engine.primitives.blockwise import blockwise
from penstock.engine.primitives.lowering import Blocks, Lowering
from penstock.engine.primitives.prefix_scan import prefix_scan
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


# Edges may be as large as windows: they are joined, and what is far enough away is cut off.
_JOINED = TaskMemory(input_factor=2.0)


class Edge(Protocol):
    """Which rows on one side of a block its neighbours further on may need."""

    def of_block(self, block: pa.Table) -> Any:
        """Return what a block alone gives, compacted: its rows stay in the store."""

    def joined(self, state: Any, summary: Any) -> Any:
        """Return what the blocks up to the last one give together with the next one."""


def halo(
    lowering: Lowering,
    name: str,
    function: Callable[[pa.Table, Any, Any], Any],
    blocks: Blocks,
    *,
    before: int | Edge = 0,
    after: int | Edge = 0,
    memory: TaskMemory | None = None,
    nbytes: int | None = None,
) -> Blocks:
    """Call ``function(block, rows_before, rows_after)`` for each block.

    Parameters
    ----------
    before, after : int or Edge
        How many rows of the neighbours are wanted on each side, or what picks
        them. Fewer come at the ends of the frame (of an `Edge`, None at the
        first or last block); None where 0 are wanted.
    memory : TaskMemory, optional
        What the function takes beside its inputs.
    nbytes : int, optional
        Expected bytes of one block of the result; by default those of the input.
    """
    blocks = blocks.shared()
    inputs = [blocks]
    if before:
        edge = LastRows(before) if isinstance(before, int) else before
        tails = blockwise(lowering, f"{name} edge", edge.of_block, [blocks], nbytes=0)
        inputs.append(prefix_scan(lowering, f"{name} scan", edge.joined, tails.ids, memory=_JOINED))
    if after:
        edge = FirstRows(after) if isinstance(after, int) else after
        heads = blockwise(lowering, f"{name} edge", edge.of_block, [blocks], nbytes=0)
        scanned = prefix_scan(
            lowering, f"{name} scan", edge.joined, heads.ids[::-1], memory=_JOINED
        )
        inputs.append(Blocks(scanned.ids[::-1], 0))
    return blockwise(
        lowering,
        name,
        _WithEdges(function, bool(before), bool(after)),
        inputs,
        memory=memory,
        nbytes=blocks.nbytes if nbytes is None else nbytes,
    )


class _WithEdges:
    def __init__(self, function: Callable[..., Any], before: bool, after: bool) -> None:
        self.function = function
        self.before = before
        self.after = after

    def __call__(self, block: Any, *edges: Any) -> Any:
        given = list(edges)
        before = given.pop(0) if self.before else None
        after = given.pop(0) if self.after else None
        return self.function(block, before, after)


@record
class LastRows:
    """The last `rows` rows before a block."""

    rows: int

    def of_block(self, block: pa.Table) -> pa.Table:
        """Return the last rows of a block."""
        return _slice(block, max(0, block.num_rows - self.rows), self.rows)

    def joined(self, state: pa.Table | None, summary: pa.Table) -> pa.Table:
        """Return the last rows of both, in order."""
        return summary if state is None else self.of_block(_joined([state, summary]))


@record
class FirstRows:
    """The first `rows` rows after a block."""

    rows: int

    def of_block(self, block: pa.Table) -> pa.Table:
        """Return the first rows of a block."""
        return _slice(block, 0, self.rows)

    def joined(self, state: pa.Table | None, summary: pa.Table) -> pa.Table:
        """Return the first rows of both: `summary` comes before `state`."""
        return summary if state is None else self.of_block(_joined([summary, state]))


def _slice(block: pa.Table, start: int, rows: int) -> pa.Table:
    from penstock.blocks import compact

    return compact(block.slice(start, rows))


def _joined(tables: list[pa.Table]) -> pa.Table:
    from penstock.blocks import concat_tables

    return concat_tables(tables)

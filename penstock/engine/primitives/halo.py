"""Halo: each block together with a few rows of its neighbours.

A neighbour may hold fewer rows than are wanted, or none, so the rows come
through a scan over the blocks' edges and from as far away as needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.engine.primitives.blockwise import blockwise
from penstock.engine.primitives.lowering import Blocks, Lowering
from penstock.engine.primitives.prefix_scan import prefix_scan

if TYPE_CHECKING:
    import pyarrow as pa


def halo(
    lowering: Lowering,
    name: str,
    function: Callable[[pa.Table, pa.Table | None, pa.Table | None], Any],
    blocks: Blocks,
    *,
    before: int = 0,
    after: int = 0,
) -> Blocks:
    """Call ``function(block, rows_before, rows_after)`` for each block.

    Parameters
    ----------
    before, after : int
        How many rows of the neighbours are wanted on each side. Fewer come at
        the ends of the frame; None where 0 are wanted.
    """
    blocks = blocks.shared()
    inputs = [blocks]
    if before:
        tails = blockwise(lowering, f"{name} edge", partial(_tail, before), [blocks], nbytes=0)
        inputs.append(prefix_scan(lowering, f"{name} scan", partial(_last, before), tails.ids))
    if after:
        heads = blockwise(lowering, f"{name} edge", partial(_head, after), [blocks], nbytes=0)
        scanned = prefix_scan(lowering, f"{name} scan", partial(_first, after), heads.ids[::-1])
        inputs.append(Blocks(scanned.ids[::-1], 0))
    return blockwise(
        lowering, name, _WithEdges(function, before > 0, after > 0), inputs, nbytes=blocks.nbytes
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


def _tail(rows: int, block: pa.Table) -> pa.Table:
    from penstock.blocks import compact

    return compact(block.slice(max(0, block.num_rows - rows)))


def _head(rows: int, block: pa.Table) -> pa.Table:
    from penstock.blocks import compact

    return compact(block.slice(0, rows))


def _last(rows: int, state: pa.Table | None, summary: pa.Table) -> pa.Table:
    return summary if state is None else _tail(rows, _joined([state, summary]))


def _first(rows: int, state: pa.Table | None, summary: pa.Table) -> pa.Table:
    return summary if state is None else _head(rows, _joined([summary, state]))


def _joined(tables: list[pa.Table]) -> pa.Table:
    from penstock.blocks import concat_tables

    return concat_tables(tables)

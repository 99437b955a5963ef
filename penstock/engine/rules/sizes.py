"""Block sizing: readers cut blocks that fit the budget, counting what they really read."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.nodes.bag_sources import ReadText
from penstock.engine.nodes.costs import ROW_WORKSPACE, row_bytes
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import Node, transform


def size_blocks(root: Node, *, block_bytes: int) -> Node:
    """Return the plan in which readers without a block size get one.

    Parameters
    ----------
    block_bytes : int
        Wanted bytes of a block in memory.
    """

    def size(node: Node) -> Node:
        if isinstance(node, ReadText) and node.target_bytes is None:
            return replace(node, target_bytes=block_bytes)
        if isinstance(node, ReadFrame) and node.target_bytes is None:
            # what operations take for each row, however narrow, belongs to the block as well
            width = row_bytes(node.schema)
            share = width / (width + ROW_WORKSPACE)
            return replace(node, target_bytes=max(1, int(block_bytes * share)))
        return node

    return transform([root], size)[0]

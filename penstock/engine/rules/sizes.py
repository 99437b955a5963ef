"""Block sizing: readers cut blocks that fit the budget, counting what they really read."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.nodes.bag_sources import ReadText
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
        if isinstance(node, ReadFrame | ReadText) and node.target_bytes is None:
            return replace(node, target_bytes=block_bytes)
        return node

    return transform([root], size)[0]

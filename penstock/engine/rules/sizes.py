"""Block sizing: readers cut blocks that fit the budget, counting what they really read."""

from __future__ import annotations

from penstock.engine.plan import Node, transform


def size_blocks(root: Node, *, block_bytes: int) -> Node:
    """Return the plan in which readers without a block size get one.

    Parameters
    ----------
    block_bytes : int
        Wanted bytes of a block in memory.
    """
    return transform([root], lambda node: node.sized(block_bytes))[0]

"""Row numbers come from the reader where it knows its row counts beforehand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from penstock.engine.nodes.numbering import NumberRows
from penstock.engine.nodes.select import Select
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import FrameNode, Node, transform_frames


def push_numbering(root: Node) -> Node:
    """Return the plan in which rows are numbered as early, and as cheaply, as can be.

    A reader that others use as well stays as it is: as two readers, it would read everything
    twice, and in blocks of other rows, which then could not be put side by side.
    """
    uses: Counter[Node] = Counter()

    def push(node: FrameNode) -> FrameNode:
        if not isinstance(node, NumberRows):
            return node
        below = node.input
        if uses[below] > 1:
            return node
        if isinstance(below, Select) and not below.input.schema.index:
            return replace(below, input=push(NumberRows(below.input)))
        if isinstance(below, ReadFrame) and below.source.capabilities.row_counts:
            if below.predicate is None:
                return replace(below, row_numbers=True)
        return node

    return transform_frames(root, push, uses)

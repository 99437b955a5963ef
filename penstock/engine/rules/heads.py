"""The first rows of a result need not compute all of it."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.nodes.select import ResetIndex, Select, SetIndex
from penstock.engine.nodes.slicing import Head
from penstock.engine.nodes.sort import Sort, TopN
from penstock.engine.plan import Node, transform


def push_heads(root: Node) -> Node:
    """Return the plan in which heads run below row-wise work and replace full sorts."""

    def push(node: Node) -> Node:
        if not isinstance(node, Head):
            return node
        below = node.input
        if isinstance(below, Select | SetIndex | ResetIndex):
            return below.with_inputs([push(replace(node, input=below.input))])
        if isinstance(below, Sort) and not node.last and below.na_position == "last":
            if len(set(below.ascending)) == 1 and not below.schema.order:
                return TopN(below.input, below.by, node.rows, below.ascending[0])
        return node

    return transform([root], push)[0]

"""Merge a selection of columns into the one below it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from penstock.engine.expr import Column, substitute
from penstock.engine.nodes.select import Select
from penstock.engine.plan import Node, transform


def merge_selects(root: Node) -> Node:
    """Return the plan in which a column is not passed through two selections.

    An expression moves up only into places that use it once, so that nothing
    is computed twice.
    """
    uses: Counter[Node] = Counter()

    def merge(node: Node) -> Node:
        if not isinstance(node, Select):
            return node
        below = node.input
        if not isinstance(below, Select):
            if node.is_projection and tuple(n for n, _ in node.items) == below.schema.columns:
                same = node.labels == below.schema.labels
                return below if same and node.label_names == below.schema.label_names else node
            return node
        picks = all(isinstance(expr, Column) for _, expr in node.items)
        if not (below.is_projection or (picks and uses[below] <= 1)):
            return node
        inner = dict(below.items)
        items = tuple((name, substitute(expr, inner)) for name, expr in node.items)
        return replace(node, input=below.input, items=items)

    return transform([root], merge, uses)[0]

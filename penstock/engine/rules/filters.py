"""Predicate pushdown: filters move towards the readers, which may skip what fails them."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.expr import Call, Column, Expr, columns_of, substitute
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.select import Select
from penstock.engine.nodes.sort import Shuffle, Sort
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import Node, count_uses, transform


def push_filters(root: Node) -> Node:
    """Return the plan in which filters run as early as their columns are there."""
    uses = count_uses(root)
    shared = {node for node, count in uses.items() if count > 1}

    def push(node: Node) -> Node:
        if not isinstance(node, Filter):
            return node
        below = node.input
        if below in shared:
            return node
        if isinstance(below, Filter):
            both = Call("and", (below.predicate, node.predicate))
            return push(Filter(below.input, both))
        if isinstance(below, Select):
            inner = dict(below.items)
            predicate = substitute(node.predicate, inner)
            if _is_cheap(node.predicate, inner):
                return replace(below, input=push(Filter(below.input, predicate)))
        if isinstance(below, Sort | Shuffle):
            return replace(below, input=push(Filter(below.input, node.predicate)))
        if isinstance(below, ReadFrame) and below.source.capabilities.filter != "none":
            if columns_of(node.predicate) <= frozenset(below.schema.columns):
                predicate = node.predicate
                if below.predicate is not None:
                    predicate = Call("and", (below.predicate, predicate))
                return replace(below, predicate=predicate)
        return node

    return transform([root], push)[0]


def _is_cheap(predicate: Expr, inner: dict[str, Expr]) -> bool:
    """Return whether the columns of `predicate` are stored ones, not computed by the selection."""
    return all(
        isinstance(inner.get(name, Column(name)), Column) for name in columns_of(predicate)
    )

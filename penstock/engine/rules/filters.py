"""Predicate pushdown: filters move towards the readers, which may skip what fails them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from penstock.engine.expr import (
    CONSTANT,
    INFIX,
    Call,
    Column,
    Expr,
    columns_of,
    substitute,
    walk,
)
from penstock.engine.kernels.elementwise import OPS
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.select import Select
from penstock.engine.nodes.sort import Shuffle, Sort
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import FrameNode, Node, transform_frames


def push_filters(root: Node) -> Node:
    """Return the plan in which filters run as early as their columns are there."""
    uses: Counter[Node] = Counter()

    def push(node: FrameNode) -> FrameNode:
        if not isinstance(node, Filter):
            return node
        below = node.input
        if uses[below] > 1:
            return node
        if isinstance(below, Filter) and is_total(node.predicate):
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
                    if not is_total(predicate):
                        return node
                    predicate = Call("and", (below.predicate, predicate))
                return replace(below, predicate=predicate)
        return node

    return transform_frames(root, push, uses)


# Operations with a result for any value. Others, such as casts, may raise for rows that an
# earlier filter drops, and must not see them.
_TOTAL = {
    *INFIX, CONSTANT, "invert", "neg", "abs", "isna", "notna", "isin", "between", "round",
    "fillna", "str.len", "str.contains", "str.startswith", "str.endswith", "str.lower",
    "str.upper", "str.strip", "str.slice", *(name for name, op in OPS.items() if op.is_property),
} - {"pow"}  # fmt: skip


def is_total(predicate: Expr) -> bool:
    """Return whether `predicate` has a value for each row, whatever it holds."""
    return all(not isinstance(part, Call) or part.op in _TOTAL for part in walk(predicate))


def _is_cheap(predicate: Expr, inner: dict[str, Expr]) -> bool:
    """Return whether the columns of `predicate` are stored ones, not computed by the selection."""
    return all(isinstance(inner.get(name, Column(name)), Column) for name in columns_of(predicate))

"""Rows need not be put in order for what does not look at their order."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.reduce import Reduce, RowCount
from penstock.engine.nodes.select import ResetIndex, Select, SetIndex
from penstock.engine.nodes.sort import Shuffle, Sort
from penstock.engine.plan import FrameNode, Node, transform

# Aggregations whose result depends on which row comes first.
_ORDERED = frozenset({"first", "last", "list", "unique", "idxmin", "idxmax", "apply", "mode"})
# Nodes that handle each row by itself.
_ROWWISE = (Select, Filter, SetIndex, ResetIndex)


def drop_sorts(root: Node) -> Node:
    """Return the plan without sorts below nodes that do not depend on the order of rows."""

    def drop(node: Node) -> Node:
        if not _ignores_order(node):
            return node
        assert isinstance(node, FrameNode)
        return node.with_inputs([_unsorted(source) for source in node.inputs])

    return transform([root], drop)[0]


def _ignores_order(node: Node) -> bool:
    if isinstance(node, RowCount):
        return True
    if isinstance(node, Reduce) or (isinstance(node, GroupAggregate) and node.sort):
        return not any(spec.function in _ORDERED for spec in node.specs)
    return False

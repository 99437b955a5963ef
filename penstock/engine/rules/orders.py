"""Rows need not be put in order for what does not look at their order."""

from __future__ import annotations

from penstock.engine.nodes.concat import Concat
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.join import Join
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.reduce import Reduce, RowCount
from penstock.engine.nodes.select import ResetIndex, Select, SetIndex
from penstock.engine.nodes.sort import Shuffle, Sort
from penstock.engine.plan import Node, keep_line, walk

# The rows of the result are the same ones whatever the order of the inputs' rows.
_INDIFFERENT = (
    Select, Filter, SetIndex, ResetIndex, Concat, Join, Sort, Shuffle, RowPositions
)  # fmt: skip


def drop_sorts(root: Node) -> Node:
    """Return the plan without sorts, and row positions, that no result depends on."""
    order = list(walk(root))
    looked_at = {root}
    for node in reversed(order):
        passes_on = node in looked_at or not isinstance(node, _INDIFFERENT)
        if passes_on and not _ignores_order(node):
            looked_at.update(node.inputs)
    rebuilt: dict[Node, Node] = {}
    for node in order:
        inputs = [rebuilt[source] for source in node.inputs]
        useless = isinstance(node, Sort | RowPositions) and node not in looked_at
        rebuilt[node] = inputs[0] if useless else node.with_inputs(inputs)
        keep_line(node, rebuilt[node])
    return rebuilt[root]


def _ignores_order(node: Node) -> bool:
    """Return whether the result is the same whatever the order of the input's rows."""
    if isinstance(node, RowCount):
        return True
    if isinstance(node, Reduce) or (isinstance(node, GroupAggregate) and node.sort):
        rows = node.input.schema.arrow
        return not any(spec.depends_on_order(rows) for spec in node.specs)
    return False

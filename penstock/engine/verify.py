"""Checks of a plan that rules must keep true; run in tests after every rule."""

from __future__ import annotations

from penstock.engine.plan import ArrayNode, FrameNode, Node, walk
from penstock.errors import PenstockError

_TYPED = (FrameNode, ArrayNode)
"""Nodes that know what their blocks hold."""


class PlanError(PenstockError, AssertionError):
    """A rule changed what a plan means."""


def verify(before: Node, after: Node, rule: str) -> None:
    """Raise unless `after` gives what `before` gives.

    Raises
    ------
    PlanError
        When a result lost, gained or changed a column, or a node of the plan
        asks its inputs for columns that they do not have.
    """
    for old, new in zip(before.inputs, after.inputs, strict=True):
        if not any(isinstance(old, kind) and isinstance(new, kind) for kind in _TYPED):
            continue
        if old.schema != new.schema:
            raise PlanError(f"{rule} changed the schema from {old.schema} to {new.schema}")
    for node in walk(*after.inputs):
        for source, columns in zip(node.inputs, _needs(node), strict=True):
            if isinstance(source, FrameNode):
                missing = columns - frozenset(source.schema.names)
                if missing:
                    raise PlanError(f"after {rule}, {node.name} needs {sorted(missing)}")


def _needs(node: Node) -> tuple[frozenset[str], ...]:
    if isinstance(node, FrameNode):
        return node.needs(frozenset(node.schema.names))
    return tuple(frozenset() for _ in node.inputs)

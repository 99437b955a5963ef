"""The calls of a plan become one stage of many tasks, not one stage each."""

from __future__ import annotations

from penstock.engine.nodes.calls import Call, CallGroup, CallResult, line_of
from penstock.engine.plan import Node, keep_line, walk


def group_calls(root: Node) -> Node:
    """Return the plan whose calls are in groups, one after the other where other work is between."""
    order = list(walk(root))
    if not any(isinstance(node, Call) for node in order):
        return root
    depths = _depths(order)
    rebuilt: dict[Node, Node] = {}
    for depth in range(max(depths.values()) + 1):
        here = [node for node in order if depths[node] == depth]
        for node in here:
            if not isinstance(node, Call):
                rebuilt[node] = node.with_inputs([rebuilt[source] for source in node.inputs])
                keep_line(node, rebuilt[node])
        calls = [node for node in here if isinstance(node, Call)]
        if calls:
            _group(calls, rebuilt)
    return rebuilt[root]


def _depths(order: list[Node]) -> dict[Node, int]:
    """Return how often each node's inputs change from calls to other work and back."""
    depths: dict[Node, int] = {}
    for node in order:
        other = not isinstance(node, Call)
        depths[node] = max(
            (depths[source] + (other and isinstance(source, Call)) for source in node.inputs),
            default=0,
        )
    return depths


def _group(calls: list[Call], rebuilt: dict[Node, Node]) -> None:
    numbers = {call: number for number, call in enumerate(calls)}
    outer: dict[Node, int] = {}
    taken = []
    for call in calls:
        places = []
        for value in call.values:
            number = numbers.get(value)  # type: ignore[call-overload]
            if number is None:
                number = ~outer.setdefault(rebuilt[value], len(outer))
            places.append(number)
        taken.append(tuple(places))
    group = CallGroup(
        tuple(call.template for call in calls),
        tuple(taken),
        tuple(outer),
        tuple(line_of(call) for call in calls),
    )
    for call, number in numbers.items():
        rebuilt[call] = CallResult(group, number)

"""Chains of elementwise operations become one program, run while its values are in cache."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.kernels.arrays import Step
from penstock.engine.nodes.arrays.elementwise import Elementwise
from penstock.engine.plan import ArrayNode, Node, keep_line, walk


def fuse_elementwise(root: Node) -> Node:
    """Return the plan in which elementwise operations on the same grid are one node.

    An operation joins the one that uses it when nothing outside uses it too,
    so that nothing is computed twice.
    """
    order = list(walk(root))
    if not any(isinstance(node, Elementwise) for node in order):
        return root
    groups = _groups(order)
    members: dict[Node, list[Elementwise]] = {}
    for node in order:
        if isinstance(node, Elementwise):
            members.setdefault(groups[node], []).append(node)
    rebuilt: dict[Node, Node] = {}
    for node in order:
        if not isinstance(node, Elementwise):
            fresh = node.with_inputs([rebuilt[source] for source in node.inputs])
        elif groups[node] is node:
            fresh = _fused(members[node], rebuilt)
        else:
            continue
        keep_line(node, fresh)
        rebuilt[node] = fresh
    return rebuilt[root]


def _groups(order: list[Node]) -> dict[Node, Node]:
    """Return, for each elementwise node, the node into whose program it goes."""
    users: dict[Node, set[Node | None]] = {}
    groups: dict[Node, Node] = {}
    for node in reversed(order):
        group: Node | None = None
        if isinstance(node, Elementwise):
            group = groups[node] = _target(node, users.get(node, set()))
        for source in node.inputs:
            users.setdefault(source, set()).add(group)
    return groups


def _target(node: Elementwise, users: set[Node | None]) -> Node:
    """Return the one elementwise node that `node` is used for, or itself."""
    if len(users) == 1:
        (user,) = users
        if isinstance(user, Elementwise) and user.schema.chunks == node.schema.chunks:
            return user
    return node


def _fused(members: list[Elementwise], rebuilt: dict[Node, Node]) -> Elementwise:
    """Return one node for `members`, which are in the order in which they can run."""
    last = members[-1]
    if len(members) == 1:
        sources = tuple(_array(rebuilt[operand]) for operand in last.operands)
        return last if sources == last.operands else replace(last, operands=sources)
    inputs: dict[Node, int] = {}
    results: dict[Node, int] = {}
    program: list[Step] = []
    for node in members:
        base = len(program)
        for function, operands, kwargs, dtype in node.program:
            args: list[tuple] = []
            for operand in operands:
                if operand[0] == "in":
                    source = node.operands[operand[1]]
                    if source in results:
                        args.append(("step", results[source]))
                    else:
                        place = inputs.setdefault(rebuilt[source], len(inputs))
                        args.append(("in", place))
                elif operand[0] == "step":
                    args.append(("step", base + operand[1]))
                else:
                    args.append(operand)
            program.append((function, tuple(args), kwargs, dtype))
        results[node] = len(program) - 1
    return Elementwise(tuple(program), tuple(_array(node) for node in inputs))


def _array(node: Node) -> ArrayNode:
    assert isinstance(node, ArrayNode)
    return node

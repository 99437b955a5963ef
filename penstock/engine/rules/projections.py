"""Projection pushdown: every node gives only the columns that somebody needs."""

from __future__ import annotations

from penstock.engine.nodes.select import project
from penstock.engine.plan import FrameNode, Node, Results, keep_line, walk


def push_projections(root: Node) -> Node:
    """Return the plan in which readers read only the columns that are used.

    What several nodes need of a shared one is united, so that it is still
    computed once.
    """
    order = list(walk(root))
    needed = _needed_columns(order)
    rebuilt: dict[Node, Node] = {}
    for node in order:
        inputs = [
            _narrowed(node, position, source, rebuilt[source], needed)
            for position, source in enumerate(node.inputs)
        ]
        fresh = node.with_inputs(inputs)
        if isinstance(fresh, FrameNode) and node in needed:
            fresh = fresh.prune(needed[node])
        keep_line(node, fresh)
        rebuilt[node] = fresh
    return rebuilt[root]


def _needed_columns(order: list[Node]) -> dict[Node, frozenset[str]]:
    needed: dict[Node, frozenset[str]] = {}
    for node in reversed(order):
        for source, columns in zip(node.inputs, _wants(node, needed), strict=True):
            if columns is not None:
                needed[source] = needed.get(source, frozenset()) | columns
    return needed


def _wants(node: Node, needed: dict[Node, frozenset[str]]) -> list[frozenset[str] | None]:
    """Return the columns that `node` wants of each input; None for what has no columns."""
    frames = [isinstance(source, FrameNode) for source in node.inputs]
    if not any(frames):
        return [None] * len(frames)
    all_columns = [
        frozenset(source.schema.names) if is_frame else None
        for source, is_frame in zip(node.inputs, frames, strict=True)
    ]
    if isinstance(node, Results) or not node.passes_projection:
        # a node that passes nothing on may still name what it needs (a sink does)
        if isinstance(node, Results) or type(node).needs is Node.needs:
            return all_columns
    mine = needed.get(node)
    if mine is None:
        mine = frozenset(node.schema.names) if isinstance(node, FrameNode) else frozenset()
    wanted = node.needs(mine)
    return [columns if is_frame else None for columns, is_frame in zip(wanted, frames, strict=True)]


def _narrowed(
    node: Node,
    position: int,
    source: Node,
    rebuilt: Node,
    needed: dict[Node, frozenset[str]],
) -> Node:
    """Drop what a shared input gives for the sake of others."""
    if node.picks_columns or not isinstance(rebuilt, FrameNode):
        return rebuilt
    wanted = _wants(node, needed)[position]
    if wanted is None:
        return rebuilt
    columns = rebuilt.schema.columns
    kept = tuple(name for name in columns if name in wanted)
    if kept == columns or not kept:
        return rebuilt
    return project(rebuilt, kept)

"""Eager aggregation: rows that are joined and then grouped are grouped before they are joined."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from penstock.engine.expr import Column, Expr, columns_of, substitute
from penstock.engine.kernels.aggregate import AGGREGATIONS
from penstock.engine.nodes.group_partial import GroupPartial
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.join import Join
from penstock.engine.nodes.select import Select
from penstock.engine.plan import Node, transform
from penstock.engine.schema import unique_names


def aggregate_eagerly(root: Node, *, block_bytes: int) -> Node:
    """Return the plan in which each block is aggregated by the keys of a join before it.

    Where a frame meets a small one, as trips meet their zones, and the result is grouped, the
    rows of a block that have the same join key and group keys become one before they are joined:
    instead of millions of rows, a few hundred are paired and have the other side's columns copied
    to them. Partial aggregates of rows that are then dropped or repeated by the join are dropped
    or repeated with them, so that what they merge to is the same.

    Parameters
    ----------
    root : Node
    block_bytes : int
        A side up to this size is small.

    References
    ----------
    Yan and Larson, "Eager aggregation and lazy aggregation", VLDB 1995.
    """
    uses: Counter[Node] = Counter()

    def rewrite(node: Node) -> Node:
        if not isinstance(node, GroupAggregate) or not _is_mergeable(node):
            return node
        above: dict[str, Expr] = {}
        below = node.input
        if isinstance(below, Select) and uses[below] <= 1:
            above, below = dict(below.items), below.input
        if not isinstance(below, Join) or uses[below] > 1 or not _is_lookup(below, block_bytes):
            return node
        columns = _sides(node, above, below)
        return node if columns is None else _rewritten(node, below, columns)

    return transform([root], rewrite, uses)[0]


def _is_mergeable(node: GroupAggregate) -> bool:
    """Return whether the result comes of partials, whatever their order."""
    rows = node.input.schema.arrow
    return (
        node.sort
        and not (node.complete or node.sources is not None)
        and all(spec.function in AGGREGATIONS for spec in node.specs)
        and not any(spec.depends_on_order(rows) for spec in node.specs)
    )


def _is_lookup(join: Join, block_bytes: int) -> bool:
    """Return whether rows of the left side are looked up in a small right side."""
    return (
        join.how in ("inner", "left")
        and join.indicator is None
        and join.validate is None
        and join.broadcast is not False
        and join.right.nbytes <= block_bytes
        and len(set(join.left_on)) == len(set(join.right_on)) == len(join.left_on)
    )


class _Columns(NamedTuple):
    """The columns that a group-by reads, by the side of the join which they come from."""

    left: dict[str, Expr]
    """Expressions over the left side's blocks."""
    right: dict[str, str]
    """Name in the right side's blocks, to key of the group-by."""


def _sides(node: GroupAggregate, above: dict[str, Expr], join: Join) -> _Columns | None:
    """Return where the columns of `node` come from, None if its rows cannot be grouped earlier."""
    lefts: dict[str, Expr] = {name: Column(source) for source, name, _ in join.left_columns}
    rights = {name: source for source, name, _ in join.right_columns if name not in lefts}
    columns = _Columns({}, {})
    for name in (*node.keys, *_read(node)):
        expr = above.get(name, Column(name))
        if columns_of(expr) <= lefts.keys():
            columns.left[name] = substitute(expr, lefts)
        elif name in node.keys and isinstance(expr, Column) and expr.name in rights:
            source = rights[expr.name]
            if columns.right.setdefault(source, name) != name:
                return None
        else:
            return None
    return columns


def _read(node: GroupAggregate) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.column for spec in node.specs if spec.column is not None))


def _rewritten(node: GroupAggregate, join: Join, columns: _Columns) -> GroupAggregate:
    own = {
        expr.name: name
        for name, expr in columns.left.items()
        if isinstance(expr, Column) and name in node.keys
    }
    taken = [*columns.left, *columns.right.values()]
    count = len(join.left_on)
    fresh = unique_names([*taken, *["left key"] * count, *["right key"] * count])[len(taken) :]
    left_on = tuple(own.get(key, name) for key, name in zip(join.left_on, fresh, strict=False))
    rights = dict(zip(join.right_on, fresh[count:], strict=True)) | columns.right
    items = dict(columns.left)
    items.update((name, Column(key)) for name, key in zip(left_on, join.left_on, strict=True))
    partials = GroupPartial(
        Select(join.left, tuple(items.items()), tuple(items)),
        tuple(dict.fromkeys((*left_on, *(key for key in node.keys if key in columns.left)))),
        node.specs,
    )
    joined = replace(
        join,
        left=partials,
        left_on=left_on,
        left_columns=tuple((name, name, name) for name in partials.schema.columns),
        right_columns=tuple((source, name, name) for source, name in rights.items()),
    )
    sources = tuple(node.input.schema.field(column) for column in _read(node))
    return replace(node, input=joined, sources=sources)

"""Helpers on frame plans: row labels, row order, and expressions carried between plans."""

from __future__ import annotations

from typing import Any

from penstock.engine.expr import Column, Expr, columns_of, substitute
from penstock.engine.nodes.concat import SideBySide, WithScalars
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.groupby import GroupAggregate, merged
from penstock.engine.nodes.map_blocks import MapPandas
from penstock.engine.nodes.numbering import NumberRows, RowPositions
from penstock.engine.nodes.on_labels import OnLabels
from penstock.engine.nodes.select import Select
from penstock.engine.nodes.slicing import Partitions
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError


def labelled(plan: FrameNode) -> FrameNode:
    """Return `plan` with its row labels in columns, for operations that drop or move rows."""
    return plan if plan.schema.index else NumberRows(in_order(plan))


# Nodes that hand all columns of their first input on under the same names.
_PASSING = (NumberRows, RowPositions, WithScalars, SideBySide)
# Nodes that also drop or move rows.
_MOVING = (Filter, Sort, Partitions)


def rebase(expr: Expr, source: FrameNode, target: FrameNode, *, moved: bool = False) -> Expr | None:
    """Return `expr` over `source` as an expression over `target`, when that is possible.

    It is when `target` is made from `source` by nodes that pass the columns of
    `expr` on unchanged.

    Parameters
    ----------
    moved : bool
        Whether `target` may have fewer rows, or in another order: right where
        the value for each row of `target` is wanted (a mask, an assignment).
    """
    names = {name: name for name in columns_of(expr)}
    chain: list[FrameNode] = []
    node: FrameNode = target
    passing = _PASSING + _MOVING if moved else _PASSING
    while node is not source:
        if not isinstance(node, (Select, *passing)):
            return None
        chain.append(node)
        node = node.inputs[0]  # type: ignore[assignment]
    for step in reversed(chain):
        passed = {name: name for name in step.schema.names}
        if isinstance(step, Select):
            passed = {item.name: name for name, item in step.items if isinstance(item, Column)}
            passed.update((name, name) for name in step.schema.index)
        try:
            names = {old: passed[current] for old, current in names.items()}
        except KeyError:
            return None
    return substitute(expr, {old: Column(new) for old, new in names.items()})


def _beside(first: FrameNode, other: FrameNode) -> FrameNode:
    """Return `other` on the rows of `first`, where it was computed from these."""
    if other.grid is first.grid:
        return other
    made = other.grid
    if isinstance(made, MapPandas):  # a function of the user's, which may have dropped rows
        rows = made.frames[0]
        if rows.grid is first.grid and len(rows.schema.index) == len(other.schema.index):
            return OnLabels(rows, other)
    return in_order(other)


def united(
    first: FrameNode,
    parts: list[tuple[FrameNode, Expr]],
    operation: str,
    *,
    moved: bool = False,
) -> tuple[FrameNode, list[Expr]]:
    """Return one plan on which all expressions stand, starting from `first`.

    Parameters
    ----------
    first : FrameNode
        Its columns keep their names in the result.
    parts : list of (FrameNode, Expr)
        Expressions and the plans they are over; all with the rows of `first`.
    operation : str
        Named in the error.
    moved : bool
        See `rebase`.

    Raises
    ------
    UnsupportedError
        When the rows are not the same ones.
    """
    exprs: list[Expr | None] = []
    foreign: list[tuple[int, FrameNode, Expr]] = []
    for position, (plan, expr) in enumerate(parts):
        carried = rebase(expr, plan, first, moved=moved)
        if carried is None and isinstance(first, GroupAggregate) and type(plan) is type(first):
            joint = merged(first, plan)
            if joint is not None:
                first, renamed = joint
                carried = substitute(expr, {old: Column(new) for old, new in renamed.items()})
        exprs.append(carried)
        if carried is None:
            foreign.append((position, plan, expr))
    if not foreign:
        return first, [expr for expr in exprs if expr is not None]
    if first.schema.order and any(plan.grid is not first.grid for _, plan, _ in foreign):
        # What was computed from whole blocks stands on the rows in their order.
        ordered = in_order(first)
        placed = [
            part if carried is None else (ordered, carried)
            for part, carried in zip(parts, exprs, strict=True)
        ]
        return united(ordered, placed, operation, moved=moved)
    schema = first.schema
    names = list(schema.names)
    own = tuple(
        (name, name, label) for name, label in zip(schema.columns, schema.labels, strict=True)
    )
    frames: list[FrameNode] = [first]
    columns: list[tuple[tuple[str, str, Any], ...]] = [own]
    for position, other, expr in foreign:
        plan = _beside(first, other)
        if plan.grid is not first.grid:
            raise UnsupportedError(
                f"{operation} of collections with different rows is not supported; "
                "join or merge them on their index first"
            )
        name = unique_names([*names, "__other__"])[-1]
        names.append(name)
        frames.append(Select(plan, ((name, expr),), (name,)))
        columns.append(((name, name, name),))
        exprs[position] = Column(name)
    return (
        SideBySide(tuple(frames), tuple(columns)),
        [expr for expr in exprs if expr is not None],
    )

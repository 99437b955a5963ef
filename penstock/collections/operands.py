"""What stands beside the columns of a collection in an operation: values, series, frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.rows import united
from penstock.collections.scalar import Row, Scalar, with_values
from penstock.engine.expr import Expr, Literal
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError, column_not_found


def beside(
    first: FrameLike, others: Sequence[Any], operation: str
) -> tuple[FrameNode, list[list[Expr]]]:
    """Return one plan, and over it the expressions of `first` and of what stands beside it.

    Parameters
    ----------
    first : FrameLike
    others : sequence
        Scalars, lazy ones, rows of them, Series and DataFrames of the same rows.
    operation : str
        Named in errors.

    Returns
    -------
    plan : FrameNode
    columns : list of list of Expr
        Of `first` and then of each other: one for each column of `first`.
    """
    labels = [label for _, label, _ in first._items]
    target = first._rows
    parts: list[tuple[FrameNode, Expr]] = [(target, expr) for _, _, expr in first._items]
    for other in others:
        plan, exprs = _columns(target, other, labels)
        target = plan if isinstance(other, Scalar | Row) else target
        parts += [(plan, expr) for expr in exprs]
    target, flat = united(target, parts, operation)
    width = len(labels)
    return target, [flat[start : start + width] for start in range(0, len(flat), width)]


def operand(rows: FrameNode, value: Any) -> tuple[FrameNode, Expr]:
    """Return the plan and the expression of a `value` that is one column beside `rows`."""
    if isinstance(value, FrameLike):
        items = value._items
        if len(items) != 1:
            raise UnsupportedError("a DataFrame cannot stand where one column is needed")
        return value._rows, items[0][2]
    plan, (expr,) = _columns(rows, value, [None])
    return plan, expr


def with_labels(frame: FrameLike, labels: list[Any], missing: Any = float("nan")) -> Any:
    """Return `frame` with the columns `labels`; those it has not are filled with `missing`."""
    known: dict[Any, Expr] = {label: expr for _, label, expr in frame._items}
    items = tuple(
        (name, label, known.get(label, Literal(missing)))
        for name, label in zip(unique_names(labels), labels, strict=True)
    )
    return frame._like(frame._rows, items)


def _columns(
    rows: FrameNode, value: Any, labels: list[Any]
) -> tuple[FrameNode, Sequence[Expr]]:
    if isinstance(value, Scalar):
        plan, (expr,) = with_values(rows, value.plan)
        return plan, [expr] * len(labels)
    if isinstance(value, Row):
        plan, exprs = with_values(rows, value._promoted().plan)
        return plan, _chosen([label for _, label, _ in value._items], exprs, labels)
    if isinstance(value, FrameLike):
        if value.ndim == 1:
            return value._rows, [value._items[0][2]] * len(labels)
        known = [label for _, label, _ in value._items]
        return value._rows, _chosen(known, [expr for _, _, expr in value._items], labels)
    return rows, [Literal(value)] * len(labels)


def _chosen(known: list[Any], exprs: Sequence[Expr], labels: list[Any]) -> Sequence[Expr]:
    """Return the expression for each of `labels`."""
    if known == labels:
        return exprs
    for label in labels:
        if label not in known:
            raise column_not_found(label, known)
    return [exprs[known.index(label)] for label in labels]

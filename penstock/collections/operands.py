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
    own = [(first._rows, expr) for _, _, expr in first._items]
    target, parts = _gathered(first._rows, others, labels)
    target, flat = united(target, own + parts, operation)
    width = len(labels)
    return target, [flat[start : start + width] for start in range(0, len(flat), width)]


def assigned(
    rows: FrameNode, values: Sequence[Any], operation: str
) -> tuple[FrameNode, list[Expr]]:
    """Return a plan that has the columns of `rows`, and over it the expression of each value.

    Series may be of more rows, those that `rows` were chosen from.
    """
    for value in values:
        _check_one_column(value)
    target, parts = _gathered(rows, values, [None])
    return united(target, parts, operation, moved=True)


def operand(rows: FrameNode, value: Any) -> tuple[FrameNode, Expr]:
    """Return the plan and the expression of a `value` that is one column beside `rows`."""
    _check_one_column(value)
    plan, (expr,) = _columns(rows, value, [None])
    return plan, expr


def _check_one_column(value: Any) -> None:
    if isinstance(value, FrameLike) and value.ndim > 1:
        raise UnsupportedError("a DataFrame cannot stand where one column is needed")


def _gathered(
    rows: FrameNode, values: Sequence[Any], labels: list[Any]
) -> tuple[FrameNode, list[tuple[FrameNode, Expr]]]:
    """Return `rows` with the lazy values beside them, and the plans and expressions of all."""
    parts: list[tuple[FrameNode, Expr]] = []
    for value in values:
        plan, exprs = _columns(rows, value, labels)
        parts += [(plan, expr) for expr in exprs]
        if isinstance(value, Scalar | Row):
            rows = plan
    return rows, parts


def with_labels(frame: FrameLike, labels: list[Any], missing: Any = float("nan")) -> Any:
    """Return `frame` with the columns `labels`; those it has not are filled with `missing`."""
    known: dict[Any, Expr] = {label: expr for _, label, expr in frame._items}
    items = tuple(
        (name, label, known.get(label, Literal(missing)))
        for name, label in zip(unique_names(labels), labels, strict=True)
    )
    return frame._like(frame._rows, items)


def _columns(rows: FrameNode, value: Any, labels: list[Any]) -> tuple[FrameNode, Sequence[Expr]]:
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

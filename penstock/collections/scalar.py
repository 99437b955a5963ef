"""Scalar: one lazy value; Row: one lazy value per column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.base import Collection
from penstock.collections.framelike import select_plan
from penstock.collections.operators import add_operators
from penstock.engine.expr import Call, Column, Expr, Literal
from penstock.engine.nodes.concat import SideBySide, WithScalars
from penstock.engine.nodes.sources import Persisted
from penstock.engine.schema import unique_names

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from penstock.engine.plan import FrameNode


class Scalar(Collection):
    """One lazy value: what a reduction of a Series gives.

    Parameters
    ----------
    rows : FrameNode
        A plan of one row.
    expr : Expr
        The value, over the columns of that row.
    """

    def __init__(self, rows: FrameNode, expr: Expr) -> None:
        self._rows = rows
        self._expr = expr

    @property
    def plan(self) -> FrameNode:
        return select_plan(self._rows, (("value", "value", self._expr),))

    @property
    def dtype(self) -> Any:
        """The dtype of the value."""
        return self.plan.schema.meta.dtypes.iloc[0]

    def _finalize(self, blocks: list[pa.Table], dtype_backend: str | None = None) -> Any:
        from penstock.engine.kernels.convert import series_from_arrow

        (table,) = blocks
        field = self.plan.schema.fields[0]
        return series_from_arrow(table.column(0), field, dtype_backend=dtype_backend).iloc[0]

    def _from_handles(self, handles: list[Any]) -> Scalar:
        schema = self.plan.schema
        return Scalar(Persisted(tuple(handles), schema), Column(schema.columns[0]))

    def _elementwise(self, op: str, *others: Any, reverse: bool = False, **options: Any) -> Any:
        from penstock.collections.framelike import FrameLike

        rows, args = self._rows, [self._expr]
        for other in others:
            if isinstance(other, FrameLike | Row):
                return NotImplemented
            if isinstance(other, Scalar):
                if other._rows is rows:
                    args.append(other._expr)
                    continue
                name = unique_names([*rows.schema.names, "__scalar__"])[-1]
                rows = WithScalars(rows, (other.plan,), (name,))
                args.append(Column(name))
            else:
                args.append(Literal(other))
        if reverse:
            args.reverse()
        return Scalar(rows, Call(op, tuple(args), tuple(sorted(options.items()))))

    def __bool__(self) -> bool:
        raise TypeError("a lazy Scalar has no truth value; call .compute() first")

    def __repr__(self) -> str:
        return f"<Scalar: {self.dtype}>"


add_operators(Scalar)


class Row(Collection):
    """One lazy value per column: what a reduction of a DataFrame gives.

    Computes to a pandas Series labelled by the columns.
    """

    def __init__(self, rows: FrameNode, items: tuple[tuple[str, Any, Expr], ...]) -> None:
        self._rows = rows
        self._items = items

    @property
    def plan(self) -> FrameNode:
        return select_plan(self._rows, self._items)

    @property
    def index(self) -> pd.Index:
        """The labels of the values."""
        return self.plan.schema.label_index

    def __getitem__(self, label: Any) -> Scalar:
        for _, known, expr in self._items:
            if known == label:
                return Scalar(self._rows, expr)
        from penstock.errors import column_not_found

        raise column_not_found(label, [known for _, known, _ in self._items])

    def _finalize(self, blocks: list[pa.Table], dtype_backend: str | None = None) -> pd.Series:
        import pandas as pd

        (table,) = blocks
        frame = self.plan.schema.to_pandas(table, dtype_backend)
        if not len(frame.columns):
            return pd.Series([], index=frame.columns, dtype="float64")
        row = frame.iloc[0]
        row.name = None
        if row.dtype == object and len({str(dtype) for dtype in frame.dtypes}) == 1:
            row = row.astype(frame.dtypes.iloc[0])
        return row

    def _from_handles(self, handles: list[Any]) -> Row:
        schema = self.plan.schema
        items = tuple(
            (name, label, Column(name))
            for name, label in zip(schema.columns, schema.labels, strict=True)
        )
        return Row(Persisted(tuple(handles), schema), items)

    def _elementwise(self, op: str, *others: Any, reverse: bool = False, **options: Any) -> Any:
        from penstock.collections.framelike import FrameLike

        settings = tuple(sorted(options.items()))
        rows = self._rows
        arguments: list[dict[Any, Expr]] = []
        for other in others:
            if isinstance(other, FrameLike):
                return NotImplemented
            if isinstance(other, Row) and other._rows is not rows:
                rows, shared = _side_by_side(rows, other)
                arguments.append(shared)
            elif isinstance(other, Row):
                arguments.append({label: expr for _, label, expr in other._items})
            elif isinstance(other, Scalar):
                name = unique_names([*rows.schema.names, "__scalar__"])[-1]
                rows = WithScalars(rows, (other.plan,), (name,))
                arguments.append({label: Column(name) for _, label, _ in self._items})
            else:
                arguments.append({label: Literal(other) for _, label, _ in self._items})
        items = []
        for name, label, expr in self._items:
            args = [expr, *(argument[label] for argument in arguments)]
            items.append((name, label, Call(op, tuple(args[::-1] if reverse else args), settings)))
        return Row(rows, tuple(items))

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<Row: {', '.join(str(label) for _, label, _ in self._items)}>"


def _side_by_side(rows: FrameNode, other: Row) -> tuple[FrameNode, dict[Any, Expr]]:
    plan = other.plan
    names = unique_names([*rows.schema.names, *plan.schema.columns])[len(rows.schema.names) :]
    own = tuple(
        (name, name, label)
        for name, label in zip(rows.schema.columns, rows.schema.labels, strict=True)
    )
    theirs = tuple(
        (source, name, label)
        for source, name, label in zip(plan.schema.columns, names, plan.schema.labels, strict=True)
    )
    exprs: dict[Any, Expr] = {label: Column(name) for _, name, label in theirs}
    return SideBySide((rows, plan), (own, theirs)), exprs


add_operators(Row)

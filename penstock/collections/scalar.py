"""Scalar: one lazy value; Row: one lazy value per column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.collections.base import Collection
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.kinds import class_of, register
from penstock.collections.mapping import collection_of
from penstock.collections.operators import add_operators
from penstock.engine.expr import CONSTANT, Call, Column, Expr, Literal
from penstock.engine.nodes.concat import WithScalars
from penstock.engine.nodes.map_blocks import MapPandas, Opaque
from penstock.engine.nodes.sources import Persisted
from penstock.engine.schema import schema_of, unique_names
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from penstock.engine.plan import FrameNode


@register
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
        """The plan node whose blocks hold this."""
        return select_plan(self._rows, (("value", "value", self._expr),))

    @property
    def dtype(self) -> Any:
        """The dtype of the value."""
        return self.plan.schema.meta.dtypes.iloc[0]

    def _finalize(self, blocks: list[pa.Table], dtype_backend: Any = None) -> Any:
        from penstock.engine.kernels.convert import series_from_arrow

        (table,) = blocks
        field = self.plan.schema.fields[0]
        return series_from_arrow(table.column(0), field, dtype_backend=dtype_backend).iloc[0]

    def _from_handles(self, handles: list[Any]) -> Scalar:
        schema = self.plan.schema
        return Scalar(Persisted(tuple(handles), schema), Column(schema.columns[0]))

    def _elementwise(self, op: str, *others: Any, reverse: bool = False, **options: Any) -> Any:
        rows, args = self._rows, [self._expr]
        for other in others:
            if isinstance(other, FrameLike | Row):
                return NotImplemented
            if not isinstance(other, Scalar):
                args.append(Literal(other))
            elif other._rows is self._rows:
                args.append(other._expr)
            else:
                rows, (expr,) = with_values(rows, other.plan)
                args.append(expr)
        if reverse:
            args.reverse()
        return Scalar(rows, Call(op, tuple(args), tuple(sorted(options.items()))))

    _combined = _elementwise

    def __bool__(self) -> bool:
        raise TypeError("a lazy Scalar has no truth value; call .compute() first")

    def __repr__(self) -> str:
        return f"<Scalar: {self.dtype}>"


add_operators(Scalar)


@register
class Row(Collection):
    """One lazy value per column: what a reduction of a DataFrame gives.

    Computes to a pandas Series labelled by the columns, and has the methods of
    a Series: ``frame.isna().sum().sum()``.
    """

    _in_pandas = True

    def __init__(
        self,
        rows: FrameNode,
        items: tuple[tuple[str, Any, Expr], ...],
        name: Any = None,
        label_names: tuple[Any, ...] = (None,),
    ) -> None:
        self._rows = rows
        self._items = items
        self._name = name
        self._label_names = label_names

    @property
    def plan(self) -> FrameNode:
        """The plan node whose blocks hold this."""
        return select_plan(self._rows, self._items)

    @property
    def index(self) -> pd.Index:
        """The labels of the values."""
        return self.plan.schema.label_index.set_names(self._label_names)

    def to_series(self) -> Any:
        """Return the values as a lazy Series, labelled by the columns."""
        values = self._promoted()
        plan = values.plan
        dtypes = {column.dtype for _, column in plan.schema.meta.items()}
        example = plan.schema.example.iloc[0].rename(self._name).set_axis(self.index)
        if len(dtypes) == 1:
            example = example.astype(dtypes.pop())
        schema = schema_of(example, index=True)
        node = MapPandas(
            (plan,), Opaque(_first_row), Opaque(((), {})), schema, (False,), "to-series"
        )
        return collection_of(node, is_series=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(class_of("Series"), name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.to_series(), name)

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
        row = frame.iloc[0].rename(self._name)
        row.index = self.index
        if row.dtype == object and len({str(dtype) for dtype in frame.dtypes}) == 1:
            row = row.astype(frame.dtypes.iloc[0])
        return row

    def _from_handles(self, handles: list[Any]) -> Row:
        schema = self.plan.schema
        items = tuple(
            (name, label, Column(name))
            for name, label in zip(schema.columns, schema.labels, strict=True)
        )
        return Row(Persisted(tuple(handles), schema), items, self._name, self._label_names)

    def _promoted(self) -> Row:
        """Return the values in the one dtype that pandas gives a Series of them."""
        import pandas as pd

        columns = [column for _, column in self.plan.schema.meta.items()]
        if len({column.dtype for column in columns}) <= 1:
            return self
        dtype = pd.concat(columns).dtype
        if dtype.kind == "O":
            return self
        settings = (("dtype", dtype),)
        items = tuple(
            (name, label, Call("astype", (expr,), settings)) for name, label, expr in self._items
        )
        return Row(self._rows, items, self._name, self._label_names)

    def _elementwise(self, op: str, *others: Any, reverse: bool = False, **options: Any) -> Any:
        settings = tuple(sorted(options.items()))
        own = self._promoted()._items
        labels = [label for _, label, _ in own]
        rows = self._rows
        arguments: list[Sequence[Expr]] = [[expr for _, _, expr in own]]
        for other in others:
            if isinstance(other, FrameLike):
                return NotImplemented
            if isinstance(other, Row):
                if [label for _, label, _ in other._items] != labels:
                    raise UnsupportedError(f"{op} of rows with different labels is not supported")
                rows, exprs = with_values(rows, other._promoted().plan)
                arguments.append(exprs)
            elif isinstance(other, Scalar):
                rows, (expr,) = with_values(rows, other.plan)
                arguments.append([expr] * len(labels))
            else:
                arguments.append([Literal(other)] * len(labels))
        made = [
            Call(op, args[::-1] if reverse else args, settings)
            for args in zip(*arguments, strict=True)
        ]
        items = [(name, label, expr) for (name, label, _), expr in zip(own, made, strict=True)]
        return Row(rows, tuple(items), self._name, self._label_names)

    _combined = _elementwise

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<Row: {', '.join(str(label) for _, label, _ in self._items)}>"


def _first_row(frame: pd.DataFrame) -> pd.Series:
    return frame.iloc[0]


def with_values(rows: FrameNode, values: FrameNode) -> tuple[FrameNode, Sequence[Expr]]:
    """Return `rows` beside the values of a plan of one row, and the expression of each value."""
    taken = rows.schema.names
    names = unique_names([*taken, *(f"__{name}__" for name in values.schema.columns)])
    names = names[len(taken) :]
    plan = WithScalars(rows, (values,), tuple(names))
    return plan, [Call(CONSTANT, (Column(name),)) for name in names]


add_operators(Row)

"""Select: columns computed from the columns of the same row."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.engine.evaluate import evaluate, infer_field
from penstock.engine.expr import Column, Expr, columns_of
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema, index_column
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

Items = tuple[tuple[str, Expr], ...]


@record(eq=False)
class Select(FrameNode):
    """Compute `items` from each row; the index goes along.

    Attributes
    ----------
    items : tuple of (str, Expr)
        Name and expression of each column of the result.
    labels : tuple
        The user's label of each.
    """

    input: FrameNode
    items: Items
    labels: tuple[Any, ...]
    label_names: tuple[Any, ...] = (None,)

    name = "select"
    picks_columns = True
    is_blockwise = True
    keeps_rows = True
    passes_projection = True
    passes_filter = True

    @cached_property
    def schema(self) -> FrameSchema:
        arrow = self.input.schema.arrow
        fields = tuple(infer_field(expr, arrow, name) for name, expr in self.items)
        return replace(
            self.input.schema, fields=fields, labels=self.labels, label_names=self.label_names
        )

    @cached_property
    def nbytes(self) -> int:
        before = max(1, len(self.input.schema.names))
        return self.input.nbytes * max(1, len(self.schema.names)) // before

    @cached_property
    def is_projection(self) -> bool:
        """Whether it only picks columns, under their own names."""
        return all(expr == Column(name) for name, expr in self.items)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        used = [columns_of(self.items[place][1]) for place in self._kept(columns)]
        return (self._carried(columns).union(*used),)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        kept = self._kept(columns)
        if len(kept) == len(self.items):
            return self
        items = tuple(self.items[place] for place in kept)
        return replace(self, items=items, labels=tuple(self.labels[place] for place in kept))

    def _carried(self, columns: frozenset[str]) -> frozenset[str]:
        return columns & frozenset(self.input.schema.index + self.input.schema.order)

    def _kept(self, columns: frozenset[str]) -> list[int]:
        """Return the places of the items that give `columns`."""
        kept = [place for place, (name, _) in enumerate(self.items) if name in columns]
        if not kept and self.items and not self._carried(columns):
            # a block without columns would forget its row count
            kept = [min(range(len(self.items)), key=lambda place: len(repr(self.items[place][1])))]
        return kept

    def lower(self, lowering: Lowering) -> Blocks:
        carried = self.input.schema.index + self.input.schema.order
        blocks = lowering.blocks(self.input)
        function = partial(select_block, self.items, carried, self.schema.arrow)
        nbytes = blocks.nbytes * max(1, len(self.items)) // max(1, len(self.input.schema.names))
        return blockwise(lowering, self.name, function, [blocks], nbytes=nbytes)

    def describe(self) -> str:
        shown = [name if expr == Column(name) else f"{name}={expr!r}" for name, expr in self.items]
        return ", ".join(shown)


def select_block(
    items: Items, carried: tuple[str, ...], schema: pa.Schema, table: pa.Table
) -> pa.Table:
    """Return the columns `items` of `table` followed by the `carried` ones."""
    import pyarrow as pa

    arrays = []
    for position, (_, expr) in enumerate(items):
        if isinstance(expr, Column):
            values = table.column(expr.name)
        else:
            values = evaluate(expr, table)
        arrays.append(_column(values, table.num_rows, schema.field(position)))
    arrays += [table.column(name) for name in carried if name in table.column_names]
    names = [name for name, _ in items] + [n for n in carried if n in table.column_names]
    if not arrays:
        return table.select([])
    return pa.Table.from_arrays(arrays, names=names)


def _column(values: Any, rows: int, field: pa.Field) -> Any:
    import pyarrow as pa

    if isinstance(values, pa.Scalar):
        values = pa.repeat(values, rows)
    if values.type != field.type:
        try:
            return values.cast(field.type)
        except pa.ArrowInvalid:
            return values  # a value-dependent dtype, as pandas has it; widened when joined
    return values


def project(node: FrameNode, names: tuple[str, ...]) -> FrameNode:
    """Return `node` with only the data columns `names`, in that order."""
    schema = node.schema
    if schema.columns == names:
        return node
    label_of = dict(zip(schema.columns, schema.labels, strict=True))
    return Select(
        node,
        tuple((name, Column(name)) for name in names),
        tuple(label_of[name] for name in names),
        schema.label_names,
    )


@record(eq=False)
class SetIndex(FrameNode):
    """Make data columns the index; row order stays."""

    input: FrameNode
    columns: tuple[str, ...]
    index_names: tuple[Any, ...]
    drop: bool = True

    name = "set-index"
    picks_columns = True
    is_blockwise = True
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        fields = tuple(
            before.field(name).with_name(index_column(level))
            for level, name in enumerate(self.columns)
        )
        if self.drop:
            kept = [n for n in before.columns if n not in self.columns]
            before = before.select((*kept, *before.order))
        return replace(before, index_fields=fields, index_names=self.index_names)

    @property
    def divisions(self) -> tuple | None:
        return None

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        known = frozenset(self.input.schema.columns + self.input.schema.order)
        return ((columns & known) | frozenset(self.columns),)

    def lower(self, lowering: Lowering) -> Blocks:
        sources = self.schema.columns + self.schema.order
        pairs = tuple(zip(sources, sources, strict=True)) + tuple(
            zip(self.columns, self.schema.index, strict=True)
        )
        return blockwise(
            lowering, self.name, partial(rename_block, pairs), [lowering.blocks(self.input)]
        )

    def describe(self) -> str:
        return ", ".join(self.columns)


@record(eq=False)
class ResetIndex(FrameNode):
    """Make the index levels data columns (or drop them); the index becomes the default one."""

    input: FrameNode
    names: tuple[str, ...]
    labels: tuple[Any, ...]
    drop: bool = False

    name = "reset-index"
    picks_columns = True
    is_blockwise = True
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        if self.drop:
            return replace(before, index_fields=(), index_names=())
        present = [level for level, name in enumerate(self._levels) if name in before.index]
        moved = tuple(
            before.field(index_column(level)).with_name(self.names[level]) for level in present
        )
        return replace(
            before,
            fields=moved + before.fields,
            labels=tuple(self.labels[level] for level in present) + before.labels,
            index_fields=(),
            index_names=(),
        )

    @property
    def divisions(self) -> tuple | None:
        return None

    @property
    def _levels(self) -> tuple[str, ...]:
        return tuple(index_column(level) for level in range(len(self.names)))

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        moved = {} if self.drop else dict(zip(self.names, self._levels, strict=True))
        names = self.schema.columns + self.schema.order
        return tuple((moved.get(name, name), name) for name in names)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        needed = frozenset(source for source, name in self._pairs() if name in columns)
        return (needed,)

    def lower(self, lowering: Lowering) -> Blocks:
        return blockwise(
            lowering, self.name, partial(rename_block, self._pairs()), [lowering.blocks(self.input)]
        )


def rename_block(pairs: tuple[tuple[str, str], ...], table: pa.Table) -> pa.Table:
    """Return the columns ``(source, name)`` in `pairs` that `table` has, renamed."""
    import pyarrow as pa

    known = frozenset(table.column_names)
    pairs = tuple(pair for pair in pairs if pair[0] in known)
    if not pairs:
        return table.select([])
    schema = table.schema
    fields = [schema.field(source).with_name(name) for source, name in pairs]
    columns = [table.column(source) for source, _ in pairs]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))

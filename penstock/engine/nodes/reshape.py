"""Reshape: explode, stack, the distinct keys that become columns, and pivot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables
from penstock.engine.kernels import reshape
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.concat import align_block
from penstock.engine.nodes.costs import row_bytes, value_bytes
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.nodes.select import rename_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import (
    GATHER_COPIES,
    Blocks,
    Lowering,
    blockwise,
    exchange,
    tree_reduce,
)
from penstock.engine.schema import FrameSchema, index_column
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Items of a list and their repeated row, for a list about which nothing is known.
_ITEMS = 4
# Beside the rows: the wide columns, and what they are taken by.
_PIVOT_COPIES = GATHER_COPIES + 2
# Some rows of the result have fewer values than others, and take more room for each.
_UNEVEN = 2
# Distinct keys are few, or they should not become columns.
_KEYS_BYTES = 256 << 10
_PLACES = 16


@record(eq=False)
class Explode(FrameNode):
    """A row for each item of the lists in `columns`; the other columns are repeated."""

    input: FrameNode
    columns: tuple[str, ...]

    name = "explode"
    is_blockwise = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        fields = tuple(
            field.with_type(field.type.value_type) if field.name in self.columns else field
            for field in before.fields
        )
        return replace(before, fields=fields)

    @property
    def nbytes(self) -> int:
        return self.input.nbytes * _ITEMS

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.columns),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        nbytes = blocks.nbytes * _ITEMS
        return blockwise(
            lowering,
            self.name,
            partial(_explode, self.columns),
            [blocks],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=1.0, fixed=nbytes, output=nbytes),
        )

    def describe(self) -> str:
        return ", ".join(self.columns)


def _explode(columns: tuple[str, ...], table: pa.Table) -> pa.Table:
    return reshape.explode(table, columns)


@record(eq=False)
class Stack(FrameNode):
    """A row for each value: the labels of the columns become the innermost index level.

    Attributes
    ----------
    column : str
        Column of the result that holds the values.
    kind : pyarrow.DataType
        Of the values.
    levels : Opaque
        The labels of the columns as an Arrow array.
    label_name : hashable
        Name of their level.
    """

    input: FrameNode
    column: str
    kind: pa.DataType
    levels: Opaque
    label_name: Any

    name = "stack"
    is_blockwise = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        before = self.input.schema
        level = pa.field(index_column(len(before.index)), self.levels.value.type)
        return replace(
            before,
            fields=(pa.field(self.column, self.kind),),
            labels=(self.column,),
            index_fields=(*before.index_fields, level),
            index_names=(*before.index_names, self.label_name),
            label_names=(None,),
        )

    @property
    def nbytes(self) -> int:
        return int(self.input.nbytes * self.growth)

    @property
    def growth(self) -> float:
        """Bytes of the result per byte of the input."""
        before = self.input.schema
        return row_bytes(self.schema) * len(before.columns) / row_bytes(before)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        before, after = self.input.schema, self.schema
        function = partial(
            reshape.stack,
            columns=before.columns,
            index=before.index,
            labels=self.levels.value,
            names=(self.column, after.index[-1]),
            kind=self.kind,
        )
        nbytes = int(blocks.nbytes * self.growth)
        return blockwise(
            lowering,
            self.name,
            function,
            [blocks],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=2.0, fixed=nbytes, output=nbytes),
        )


@record(eq=False)
class DistinctRows(FrameNode):
    """The distinct combinations of a few columns, sorted: at most `most`, or an error.

    Attributes
    ----------
    purpose : str
        The operation they are for, named in the error.
    """

    input: FrameNode
    columns: tuple[str, ...]
    most: int
    purpose: str
    na_position: str = "last"

    name = "distinct-rows"
    picks_columns = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        fields = tuple(before.field(name) for name in self.columns)
        return FrameSchema(fields, self.columns)

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return _KEYS_BYTES

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(self.columns),)

    def lower(self, lowering: Lowering) -> Blocks:
        distinct = partial(reshape.distinct_rows, self.columns, self.most, self.purpose)
        found = blockwise(
            lowering,
            self.name,
            distinct,
            [lowering.blocks(self.input)],
            nbytes=_KEYS_BYTES,
            memory=TaskMemory(input_factor=2.0, output=_KEYS_BYTES),
        )
        united = tree_reduce(lowering, self.name, partial(_united, distinct), found)
        return blockwise(
            lowering, self.name, partial(_ordered, self.columns, self.na_position), [united]
        )

    def describe(self) -> str:
        return ", ".join(self.columns)


def _united(distinct: Any, tables: Sequence[pa.Table]) -> pa.Table:
    return distinct(concat_tables(tables))


def _ordered(columns: tuple[str, ...], na_position: str, table: pa.Table) -> pa.Table:
    return sort_table(table, list(columns), True, na_position)


@record(eq=False)
class Pivot(FrameNode):
    """One row for each distinct `rows`, with the values of its rows side by side.

    Attributes
    ----------
    rows : tuple of str
        Columns that become the index.
    keys : tuple of str
        Columns whose values become columns.
    combinations : Opaque
        Table of the known `keys`.
    cells : tuple of (str, int, str)
        Column of the values, number of the combination, column of the result.
    result : FrameSchema
    absent, missing : Opaque or None
        Value of cells without a row, and of all cells without a value.
    """

    input: FrameNode
    rows: tuple[str, ...]
    keys: tuple[str, ...]
    combinations: Opaque
    cells: tuple[reshape.Cell, ...]
    result: FrameSchema
    absent: Opaque | None = None
    missing: Opaque | None = None
    na_position: str = "last"
    lines: int | None = None
    """How many distinct `rows` there are, when that is known."""

    name = "pivot"

    @property
    def schema(self) -> FrameSchema:
        return self.result

    def lower(self, lowering: Lowering) -> Blocks:
        gather = _PivotPieces(
            self.rows,
            self.keys,
            self.combinations.value,
            self.cells,
            self.result,
            None if self.absent is None else self.absent.value,
            None if self.missing is None else self.missing.value,
            self.na_position,
        )
        wide = sum(value_bytes(field.type) for field in self.result.arrow) + _PLACES
        # at worst each row fills one cell of a row of its own
        growth = wide / row_bytes(self.input.schema)
        if self.lines is not None:
            growth = min(growth, _UNEVEN * wide * self.lines / max(1, self.input.nbytes))
        return exchange(
            lowering,
            self.name,
            [lowering.blocks(self.input)],
            [RangePartitioner(self.rows, (True,) * len(self.rows), self.na_position)],
            gather,
            nbytes=max(1, self.input.nbytes),
            copies=_PIVOT_COPIES + growth,
        )

    def describe(self) -> str:
        return f"{', '.join(self.keys)} to {len(self.cells)} columns"


class _PivotPieces:
    """Pivot the rows of one partition."""

    def __init__(
        self,
        rows: tuple[str, ...],
        keys: tuple[str, ...],
        combinations: pa.Table,
        cells: tuple[reshape.Cell, ...],
        result: FrameSchema,
        absent: Any,
        missing: Any,
        na_position: str,
    ) -> None:
        self.rows, self.keys, self.combinations = rows, keys, combinations
        self.cells, self.result = cells, result
        self.absent, self.missing = absent, missing
        self.na_position = na_position

    def __call__(self, pieces: list[pa.Table]) -> pa.Table:
        if not any(piece.num_rows for piece in pieces):
            return self.result.arrow.empty_table()
        table = concat_tables(pieces)
        pieces.clear()
        wide = reshape.pivot(
            table, self.rows, self.keys, self.combinations, self.cells,
            absent=self.absent, missing=self.missing, na_position=self.na_position,
        )  # fmt: skip
        pairs = tuple((name, name) for name in self.result.columns)
        pairs += tuple(zip(self.rows, self.result.index, strict=True))
        return align_block(self.result.arrow, rename_block(pairs, wide))

"""Frames put together: one after the other, side by side, and with values of one row."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Concat(FrameNode):
    """The blocks of several frames one after the other, with columns united by name."""

    frames: tuple[FrameNode, ...]
    result: FrameSchema

    name = "concat"
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.result

    @property
    def npartitions(self) -> int:
        return sum(frame.npartitions for frame in self.frames)

    @property
    def least_rows(self) -> int:
        return sum(frame.least_rows for frame in self.frames)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return tuple(columns & frozenset(frame.schema.names) for frame in self.frames)

    def prune(self, columns: frozenset[str]) -> Concat:
        kept = self.result.select(columns)
        return self if kept == self.result or not kept.names else replace(self, result=kept)

    def lower(self, lowering: Lowering) -> Blocks:
        align = partial(align_block, self.result.arrow)
        parts = []
        for frame in self.frames:
            blocks = lowering.blocks(frame)
            if frame.schema.arrow != self.result.arrow:
                blocks = blockwise(lowering, self.name, align, [blocks])
            parts.append(blocks)
        ids = np.concatenate([blocks.ids for blocks in parts])
        return Blocks(ids, max(blocks.nbytes for blocks in parts))

    def describe(self) -> str:
        return f"{len(self.frames)} frames"


def align_block(schema: pa.Schema, table: pa.Table) -> pa.Table:
    """Return `table` with exactly the columns of `schema`: cast, reordered, missing filled."""
    import pyarrow as pa

    known = frozenset(table.column_names)
    arrays = []
    for field in schema:
        if field.name in known:
            column = table.column(field.name)
            arrays.append(
                column if column.type == field.type else column.cast(field.type, safe=False)
            )
        else:
            arrays.append(pa.nulls(table.num_rows, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


@record(eq=False)
class SideBySide(FrameNode):
    """The columns of several frames that have the same rows in the same blocks."""

    frames: tuple[FrameNode, ...]
    columns: tuple[tuple[tuple[str, str, Any], ...], ...]
    """For each frame: column of its blocks, column of the result, the user's label."""

    name = "side-by-side"
    picks_columns = True
    is_blockwise = True
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        first = self.frames[0].schema
        fields, labels = [], []
        for frame, columns in zip(self.frames, self.columns, strict=True):
            for source, name, label in columns:
                if source in frame.schema.columns:
                    fields.append(frame.schema.field(source).with_name(name))
                    labels.append(label)
        return replace(first, fields=tuple(fields), labels=tuple(labels))

    @property
    def npartitions(self) -> int:
        return self.frames[0].npartitions

    def _pairs(self) -> list[tuple[tuple[str, str], ...]]:
        pairs = [tuple((source, name) for source, name, _ in columns) for columns in self.columns]
        first = self.frames[0].schema
        pairs[0] += tuple((name, name) for name in first.index + first.order)
        return pairs

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return tuple(
            frozenset(source for source, name in pairs if name in columns)
            for pairs in self._pairs()
        )

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = [lowering.blocks(frame) for frame in self.frames]
        return blockwise(
            lowering,
            self.name,
            _SideBySide(tuple(self._pairs())),
            blocks,
            nbytes=sum(b.nbytes for b in blocks),
        )


class _SideBySide:
    def __init__(self, pairs: tuple[tuple[tuple[str, str], ...], ...]) -> None:
        self.pairs = pairs

    def __call__(self, *tables: pa.Table) -> pa.Table:
        import pyarrow as pa

        arrays, names = [], []
        for pairs, table in zip(self.pairs, tables, strict=True):
            known = frozenset(table.column_names)
            for source, name in pairs:
                if source in known:
                    arrays.append(table.column(source))
                    names.append(name)
        return pa.Table.from_arrays(arrays, names=names)


@record(eq=False)
class WithScalars(FrameNode):
    """Each block with the values of one-row frames as constant columns."""

    input: FrameNode
    scalars: tuple[FrameNode, ...]
    names: tuple[str, ...]
    """Columns that those of the scalar frames become, in order."""

    name = "with-scalars"
    is_blockwise = True
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        fields = [field for scalar in self.scalars for field in scalar.schema.fields]
        added = tuple(field.with_name(name) for field, name in zip(fields, self.names, strict=True))
        return replace(before, fields=before.fields + added, labels=before.labels + self.names)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        rest = columns - frozenset(self.names)
        return (rest, *(frozenset(scalar.schema.columns) for scalar in self.scalars))

    def lower(self, lowering: Lowering) -> Blocks:
        return blockwise(
            lowering,
            self.name,
            partial(_with_scalars, self.schema.fields[-len(self.names) :]),
            [lowering.blocks(self.input), *(lowering.blocks(s) for s in self.scalars)],
        )


def _with_scalars(fields: tuple[pa.Field, ...], table: pa.Table, *scalars: pa.Table) -> pa.Table:
    import pyarrow as pa

    values = [column[0] for scalar in scalars for column in scalar.columns]
    for field, value in zip(fields, values, strict=True):
        constant = pa.repeat(value, table.num_rows)
        table = table.append_column(field.with_type(value.type), constant)
    return table

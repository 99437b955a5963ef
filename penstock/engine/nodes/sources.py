"""Leaves of a frame plan: reading a format, tables in memory, stored blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import block_nbytes, one_chunk
from penstock.engine.expr import Expr, columns_of, to_filter
from penstock.engine.nodes.costs import ROW_WORKSPACE, row_bytes, value_bytes
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.primitives.lowering import add_stage, output
from penstock.engine.schema import FrameSchema, index_column
from penstock.errors import TypeConflictError
from penstock.io.source import CarrySource, Pushdown, Source, Split
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_BLOCK_BYTES = 32 << 20


@record(eq=False)
class ReadFrame(FrameNode):
    """Read a source, one block per split.

    Attributes
    ----------
    columns : tuple of str or None
        Columns that are read; None reads all.
    predicate : Expr or None
        Rows for which it is not true are dropped while reading.
    target_bytes : int or None
        Wanted bytes of a block; None until the optimizer chooses.
    row_numbers : bool
        Adds the row number in the whole input as the index column.
    """

    source: Source
    columns: tuple[str, ...] | None = None
    predicate: Expr | None = None
    target_bytes: int | None = None
    row_numbers: bool = False

    name = "read"
    passes_projection = True

    @cached_property
    def base_schema(self) -> FrameSchema:
        """The schema of all columns of the source."""
        arrow = self.source.schema
        labels = getattr(self.source, "column_labels", None)
        dtypes = getattr(self.source, "pandas_dtypes", {})
        fields = tuple(_with_dtype(field, dtypes.get(field.name)) for field in arrow)
        return FrameSchema(fields, tuple(labels or arrow.names))

    @cached_property
    def schema(self) -> FrameSchema:
        full = self.base_schema
        schema = full if self.columns is None else full.select(self.columns)
        if not self.row_numbers:
            return schema
        import pyarrow as pa

        return replace(
            schema,
            index_fields=(pa.field(index_column(0), pa.int64()),),
            index_names=(None,),
        )

    @cached_property
    def _read_columns(self) -> tuple[str, ...] | None:
        if self.columns is None:
            return None
        wanted = frozenset(self.columns)
        if self.predicate is not None:
            wanted |= columns_of(self.predicate)
        return tuple(name for name in self.base_schema.columns if name in wanted)

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """The units of reading, one per block."""
        predicate = None
        if self.predicate is not None:
            predicate = to_filter(self.predicate, self.source.schema)
        pushdown = Pushdown(self._read_columns, predicate)
        target = self.target_bytes or DEFAULT_BLOCK_BYTES
        return tuple(self.source.split(pushdown, target))

    @property
    def npartitions(self) -> int:
        return max(1, len(self.splits))

    @cached_property
    def nbytes(self) -> int:
        return sum(split.nbytes for split in self.splits)

    @property
    def least_rows(self) -> int:
        return self.rows or 0

    def sized(self, block_bytes: int) -> ReadFrame:
        if self.target_bytes is not None:
            return self
        # what operations take for each row, however narrow, belongs to the block as well
        width = row_bytes(self.schema)
        share = width / (width + ROW_WORKSPACE)
        return replace(self, target_bytes=max(1, int(block_bytes * share)))

    @cached_property
    def rows(self) -> int | None:
        """Number of rows when the source knows it without reading."""
        if not self.source.capabilities.row_counts or self.predicate is not None:
            return None
        return sum(split.rows or 0 for split in self.splits)

    def prune(self, columns: frozenset[str]) -> ReadFrame:
        kept = tuple(name for name in self.schema.columns if name in columns)
        if not kept and self.schema.columns and not (self.row_numbers and self.schema.index):
            kept = (_narrowest(self.schema.fields),)
        numbered = self.row_numbers and index_column(0) in columns
        if kept == self.schema.columns and numbered == self.row_numbers:
            return self
        if not kept:
            kept = (_narrowest(self.schema.fields),)
        return replace(self, columns=kept, row_numbers=numbered)

    def lower(self, lowering: Lowering) -> Blocks:
        splits = self.splits
        finish = _Finish(self.schema.arrow, self.predicate, self.row_numbers)
        pushdown = Pushdown(self._read_columns)
        name = f"read-{self.source.format}"
        if not splits:
            empty = partial(_empty, self.schema.arrow)
            return blockwise(lowering, name, empty, [], ntasks=1, nbytes=0)
        nbytes = max(split.nbytes for split in splits)
        stored = max(max(split.stored_bytes, split.nbytes) for split in splits)
        if isinstance(self.source, CarrySource) and not self._independent:
            parse = _Parse(self.source, pushdown, finish)
            return read_carried(lowering, name, self.source, splits, parse, nbytes, stored)
        return blockwise(
            lowering,
            name,
            _Read(self.source, pushdown, finish),
            [],
            ntasks=len(splits),
            arguments=splits,
            nbytes=nbytes,
            memory=TaskMemory(fixed=stored, output=nbytes),
            origin=_Origins(splits),
        )

    @cached_property
    def _independent(self) -> bool:
        """Whether every split can be read without the one before it."""
        reads = type(self.source).read is not Source.read
        return reads and not any(split.after for split in self.splits)

    def describe(self) -> str:
        facts = [str(self.source.describe().get("target", self.source.format))]
        if self.columns is not None:
            facts.append(f"columns={list(self.columns)}")
        if self.predicate is not None:
            facts.append(f"where {self.predicate!r}")
        if self.row_numbers:
            facts.append("with row numbers")
        return ", ".join(facts)


def read_carried(
    lowering: Lowering,
    name: str,
    source: CarrySource,
    splits: Sequence[Split],
    parse: Callable[[Split, Any, Any], Any],
    nbytes: int,
    stored: int,
) -> Blocks:
    """Fetch the splits, hand what each must know of those before along, and parse them.

    Parameters
    ----------
    parse : callable
        ``parse(split, payload, state)`` gives the block.
    nbytes : int
        Expected bytes of a block.
    stored : int
        Expected bytes of a payload.
    """
    base = lowering.graph.nvalues
    continued = np.array([split.after for split in splits])
    indptr = np.concatenate([[0], np.cumsum(continued)])
    cursors = base + np.arange(-1, len(splits) - 1) * 3 + 2
    fetched = add_stage(
        lowering,
        f"{name} fetch",
        _Fetch(source),
        (indptr, cursors[continued]),
        csr=True,
        nbytes=stored,
        arguments=splits,
        outputs=3,
        memory=TaskMemory(fixed=source.cursor_bytes, output=stored),
        origin=_Origins(splits),
    )
    assert fetched.stage is not None
    states = prefix_scan(lowering, f"{name} scan", source.advance, output(fetched.stage, 1))
    payloads = Blocks(output(fetched.stage, 0), stored)
    return blockwise(
        lowering,
        name,
        parse,
        [payloads, states],
        arguments=splits,
        nbytes=nbytes,
        memory=TaskMemory(fixed=stored, output=nbytes),
        origin=_Origins(splits),
    )


class _Origins:
    def __init__(self, splits: Sequence[Split]) -> None:
        self.splits = splits

    def __call__(self, i: int) -> str:
        return self.splits[i].origin or self.splits[i].uri


class _Finish:
    """What is done to a block right after reading: numbering, filtering, projection."""

    def __init__(self, schema: pa.Schema, predicate: Expr | None, row_numbers: bool) -> None:
        self.schema = schema
        self.predicate = predicate
        self.row_numbers = row_numbers

    def __call__(self, table: pa.Table, split: Split) -> pa.Table:
        if self.row_numbers:
            table = number_rows(table, split.location.row_offset)
        if self.predicate is not None:
            from penstock.engine.nodes.filter import filter_block

            table = filter_block(self.predicate, table, self.schema.names)
        if table.column_names != self.schema.names:
            table = table.select(self.schema.names)
        if any(field.metadata for field in self.schema):
            table = table.cast(self.schema)  # the same types: only the marks are added
        return one_chunk(table)


class _Read:
    def __init__(self, source: Source, pushdown: Pushdown, finish: _Finish) -> None:
        self.source, self.pushdown, self.finish = source, pushdown, finish

    def __call__(self, split: Split) -> pa.Table:
        return self.finish(self.source.read(split, self.pushdown), split)


class _Fetch:
    def __init__(self, source: CarrySource) -> None:
        self.source = source

    def __call__(self, split: Split, cursor: Any = None) -> tuple[Any, Any, Any]:
        return self.source.fetch(split, cursor)


class _Parse:
    def __init__(self, source: CarrySource, pushdown: Pushdown, finish: _Finish) -> None:
        self.source, self.pushdown, self.finish = source, pushdown, finish

    def __call__(self, split: Split, payload: Any, state: Any) -> pa.Table:
        try:
            table = self.source.parse(payload, state, split, self.pushdown)
        except TypeConflictError as conflict:
            conflict.source = self.source.fingerprint
            raise
        return self.finish(table, split)


def number_rows(table: pa.Table, offset: int) -> pa.Table:
    """Append the index column holding ``offset, offset + 1, ...`` to `table`."""
    import pyarrow as pa

    numbers = np.arange(offset, offset + table.num_rows, dtype=np.int64)
    return table.append_column(pa.field(index_column(0), pa.int64()), pa.array(numbers))


def _with_dtype(field: pa.Field, dtype: str | None) -> pa.Field:
    """Mark `field` with the nullable pandas dtype that was written with it."""
    from penstock.engine.kernels.convert import DTYPE_KEY, field_of

    if dtype is None or not dtype[:1].isupper():
        return field  # NumPy's dtypes are what an Arrow type stands for anyway
    import pandas as pd

    try:
        marked = field_of(pd.api.types.pandas_dtype(dtype), field.name)
    except (TypeError, ValueError):
        return field
    metadata = marked.metadata or {}
    return field.with_metadata(metadata) if DTYPE_KEY in metadata else field


def _empty(schema: pa.Schema) -> pa.Table:
    return schema.empty_table()


def _narrowest(fields: tuple[pa.Field, ...]) -> str:
    return min(fields, key=lambda field: value_bytes(field.type)).name


class TableRef:
    """A table in memory, compared by identity."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table


@record(eq=False)
class FromTable(FrameNode):
    """Cut a table in memory into blocks of neighbouring rows."""

    ref: TableRef
    frame_schema: FrameSchema
    nblocks: int
    columns: tuple[str, ...] | None = None

    name = "from-memory"
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        if self.columns is None:
            return self.frame_schema
        return self.frame_schema.select(self.columns)

    @property
    def npartitions(self) -> int:
        return self.nblocks

    @cached_property
    def nbytes(self) -> int:
        return block_nbytes(self.ref.table)

    @property
    def least_rows(self) -> int:
        return int(self.ref.table.num_rows)

    def prune(self, columns: frozenset[str]) -> FromTable:
        kept = tuple(name for name in self.schema.names if name in columns)
        if not kept:
            kept = self.schema.names[:1]
        return self if kept == self.schema.names else replace(self, columns=kept)

    def lower(self, lowering: Lowering) -> Blocks:
        rows = self.ref.table.num_rows
        bounds = np.linspace(0, rows, self.nblocks + 1).astype(np.int64)
        cut = partial(_slice, self.ref.table, self.schema.names)
        return blockwise(
            lowering,
            self.name,
            cut,
            [],
            ntasks=self.nblocks,
            arguments=list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)),
            nbytes=self.nbytes // self.nblocks,
            memory=TaskMemory(),
        )

    def describe(self) -> str:
        return f"{self.ref.table.num_rows} rows"


def _slice(table: pa.Table, names: tuple[str, ...], bounds: tuple[int, int]) -> pa.Table:
    start, stop = bounds
    return one_chunk(table.select(list(names)).slice(start, stop - start))


@record(eq=False)
class Persisted(FrameNode):
    """Blocks that an earlier run left in the store."""

    handles: tuple[Any, ...]
    frame_schema: FrameSchema

    name = "persisted"

    @property
    def schema(self) -> FrameSchema:
        return self.frame_schema

    @property
    def npartitions(self) -> int:
        return len(self.handles)

    @cached_property
    def nbytes(self) -> int:
        return sum(handle.nbytes for handle in self.handles)

    @property
    def least_bytes(self) -> int:
        return self.nbytes

    def lower(self, lowering: Lowering) -> Blocks:
        return stored_blocks(lowering, self.handles, self.nbytes)


def stored_blocks(lowering: Lowering, handles: tuple[Any, ...], nbytes: int) -> Blocks:
    """Return blocks that are already in the store as the values of a finished stage."""
    return add_stage(
        lowering,
        "persisted",
        _never,
        [],
        ntasks=len(handles),
        nbytes=nbytes // max(1, len(handles)),
        handles=list(handles),
    ).shared()


def _never() -> None:
    raise AssertionError("stored blocks are not computed")

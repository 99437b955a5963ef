"""Sort by the values of columns, through an exchange by ranges."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.blocks import concat_tables
from penstock.engine.kernels.sort import sort_table, top_candidates, top_n
from penstock.engine.nodes.partitioners import HashPartitioner, RangePartitioner
from penstock.engine.nodes.select import Select
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, exchange, tree_reduce
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


@record(eq=False)
class Sort(FrameNode):
    """Sort rows by `by`; ties keep their order.

    Attributes
    ----------
    by : tuple of str
        Data, index or ordering columns.
    ascending : tuple of bool
    na_position : {"last", "first"}
    partitions : int or None
        Number of partitions of the result; None lets the sizes decide.
    drop_order : bool
        The hidden ordering columns have served and are dropped.
    """

    input: FrameNode
    by: tuple[str, ...]
    ascending: tuple[bool, ...]
    na_position: str = "last"
    partitions: int | None = None
    drop_order: bool = True

    name = "sort"
    moves_rows = True
    passes_projection = True
    passes_filter = True

    @cached_property
    def schema(self) -> FrameSchema:
        return replace(self.input.schema, order_fields=()) if self.drop_order else self.input.schema

    @property
    def npartitions(self) -> int:
        return self.partitions or self.input.npartitions

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.by),)

    def lower(self, lowering: Lowering) -> Blocks:
        order = partial(
            _sort_pieces,
            self.by,
            self.ascending,
            self.na_position,
            self.schema.names,
            self.input.schema.arrow,
        )
        return exchange(
            lowering,
            self.name,
            [lowering.blocks(self.input)],
            [RangePartitioner(self.by, self.ascending, self.na_position)],
            order,
            nbytes=max(1, self.input.nbytes),
            slots=self.partitions,
            divisible=(True,),
        )

    def describe(self) -> str:
        pairs = zip(self.by, self.ascending, strict=True)
        return ", ".join(name if up else f"{name} descending" for name, up in pairs)


def _sort_pieces(
    by: tuple[str, ...],
    ascending: tuple[bool, ...],
    na_position: str,
    names: tuple[str, ...],
    schema: pa.Schema,
    pieces: list[pa.Table],
) -> pa.Table:
    table = concat_tables(pieces) if pieces else schema.empty_table()
    pieces.clear()
    return sort_table(table, list(by), list(ascending), na_position).select(list(names))


def in_order(node: FrameNode) -> FrameNode:
    """Return `node` with its blocks in the logical row order.

    What is computed from each row is computed after that, so that all columns made from the
    same rows stand on the same blocks, side by side.
    """
    order = node.schema.order
    if not order:
        return node
    if isinstance(node, Select) and not node.needs(frozenset(node.schema.columns))[0] & set(order):
        return replace(node, input=in_order(node.input))
    return Sort(node, order, (True,) * len(order))


@record(eq=False)
class TopN(FrameNode):
    """The `rows` first rows in sorted order (nlargest, nsmallest), without a full sort."""

    input: FrameNode
    by: tuple[str, ...]
    rows: int
    ascending: bool
    keep: str = "first"

    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return "nsmallest" if self.ascending else "nlargest"

    @property
    def schema(self) -> FrameSchema:
        return replace(self.input.schema, order_fields=())

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return self.input.nbytes // max(1, self.input.npartitions)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.by),)

    def lower(self, lowering: Lowering) -> Blocks:
        options = (self.by, self.rows, self.ascending, self.keep)
        tops = blockwise(lowering, self.name, partial(_top, options), [lowering.blocks(self.input)])
        top = tree_reduce(lowering, self.name, partial(_top_of, options), tops)
        return blockwise(
            lowering, self.name, partial(_sorted_top, options, self.schema.names), [top]
        )

    def describe(self) -> str:
        return f"{self.rows} by {', '.join(self.by)}"


def _top(options: tuple, table: pa.Table) -> pa.Table:
    by, rows, ascending, keep = options
    return top_candidates(table, list(by), rows, ascending=ascending, keep=keep)


def _sorted_top(options: tuple, names: tuple[str, ...], table: pa.Table) -> pa.Table:
    by, rows, ascending, keep = options
    return top_n(table, list(by), rows, ascending=ascending, keep=keep).select(list(names))


def _top_of(options: tuple, tables: Sequence[pa.Table]) -> pa.Table:
    return _top(options, concat_tables(tables))


@record(eq=False)
class Shuffle(FrameNode):
    """Bring equal values of `on` into one partition."""

    input: FrameNode
    on: tuple[str, ...]
    partitions: int | None = None

    name = "shuffle"
    moves_rows = True
    passes_projection = True
    passes_filter = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def npartitions(self) -> int:
        return self.partitions or self.input.npartitions

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.on),)

    def lower(self, lowering: Lowering) -> Blocks:
        return exchange(
            lowering,
            self.name,
            [lowering.blocks(self.input)],
            [HashPartitioner(self.on)],
            partial(_joined, self.schema.arrow),
            nbytes=max(1, self.input.nbytes),
            slots=self.partitions,
        )

    def describe(self) -> str:
        return f"on {', '.join(self.on)}"


def _joined(schema: pa.Schema, pieces: list[pa.Table]) -> pa.Table:
    return concat_tables(pieces) if pieces else schema.empty_table()

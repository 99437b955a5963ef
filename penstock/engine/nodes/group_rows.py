"""Group by keys and give a value to each row, by functions that need all rows of a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import row_bytes
from penstock.engine.nodes.map_blocks import Opaque, block_from_pandas
from penstock.engine.nodes.pandas_groups import PandasGroups
from penstock.engine.nodes.partitioners import HashPartitioner
from penstock.engine.nodes.row_return import POSITION, return_rows, with_positions
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, exchange
from penstock.engine.schema import FrameSchema
from penstock.errors import SchemaError
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

# The rows of a partition as Arrow and as pandas holds them, the groups, and what is made of them.
PANDAS_COPIES = 6


@record(eq=False)
class GroupRows(FrameNode):
    """Call a function with whole groups; it gives one row for each row it gets.

    Rows travel to their group and what was made of them back to the block they came from, so
    that the result is row by row beside the input.

    Attributes
    ----------
    groups : PandasGroups
    function : Opaque
        Takes pandas' grouped object, gives a frame or series of its rows in their order.
    result : FrameSchema
        The columns of the result.
    is_series : bool
        The function gives a series, not a frame of one column.
    """

    input: FrameNode
    groups: PandasGroups
    function: Opaque
    result: FrameSchema
    label: str = "groupby rows"
    is_series: bool = False

    keeps_rows = True
    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @cached_property
    def schema(self) -> FrameSchema:
        return replace(
            self.input.schema,
            fields=self.result.fields,
            labels=self.result.labels,
            label_names=self.result.label_names,
        )

    @cached_property
    def nbytes(self) -> int:
        rows = self.input.nbytes // row_bytes(self.input.schema)
        return rows * row_bytes(self.schema)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        before = self.input.schema
        return (frozenset((*self.groups.keys, *self.groups.columns, *before.index, *before.order)),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        count = len(blocks)
        placed = blockwise(
            lowering, "row positions", with_positions, [blocks], arguments=range(count)
        )
        done = exchange(
            lowering,
            f"{self.name} of whole groups",
            [placed],
            [HashPartitioner(self.groups.keys)],
            _RowsOfGroups(
                self.groups,
                self.function.value,
                self.input.schema,
                self.schema,
                self.label,
                self.is_series,
            ),
            nbytes=max(1, self.input.nbytes),
            copies=PANDAS_COPIES,
        )
        returned = return_rows(
            lowering, self.name, done, count, positioned_schema(self.schema), self.nbytes
        )
        return blockwise(lowering, self.name, _without_positions, [returned])

    def describe(self) -> str:
        return f"by {', '.join(self.groups.keys)}"


def positioned_schema(schema: FrameSchema) -> pa.Schema:
    """Return the Arrow schema of blocks of `schema` with the positions of their rows."""
    import pyarrow as pa

    return pa.schema([*schema.arrow, pa.field(POSITION, pa.int64())])


def _without_positions(table: pa.Table) -> pa.Table:
    return table.drop_columns([POSITION])


class _RowsOfGroups:
    """Call a function with pandas' groups of a partition, and keep the rows' own labels."""

    def __init__(
        self,
        groups: PandasGroups,
        function: Callable[[Any], Any],
        schema: FrameSchema,
        result: FrameSchema,
        name: str,
        is_series: bool,
    ) -> None:
        self.groups = groups
        self.function = function
        self.schema = schema
        self.result = result
        self.name = name
        self.is_series = is_series

    def __call__(self, pieces: list[pa.Table]) -> pa.Table:
        if not any(piece.num_rows for piece in pieces):
            return positioned_schema(self.result).empty_table()
        table = concat_tables(pieces)
        pieces.clear()
        order = self.schema.order
        if order:  # the first row of a group is that of the logical order
            table = sort_table(table, list(order), [True] * len(order), "last")
        grouped = self.groups.of(self.schema, table)
        values = replace(self.result, index_fields=(), index_names=(), order_fields=())
        result = self.function(grouped)
        if self.is_series and result.ndim == 2:
            result = self.groups.one_below_another(result)
            by_group = np.argsort(grouped.ngroup().to_numpy(), kind="stable")
            result = result.iloc[np.argsort(by_group)]
        if len(result) != table.num_rows:
            raise SchemaError(
                f"{self.name} gave {len(result)} rows for {table.num_rows}; "
                "it must give one for each row of its group (where apply gives other rows only "
                "for some groups, tell so by group_keys=True)"
            )
        block = block_from_pandas(values, result, self.name)
        for carried in (*self.result.index, *self.result.order, POSITION):
            block = block.append_column(table.schema.field(carried), table.column(carried))
        return block

"""Group by keys and call functions of pandas' with whole groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.group_rows import PANDAS_COPIES
from penstock.engine.nodes.map_blocks import Opaque, block_from_pandas
from penstock.engine.nodes.pandas_groups import PandasGroups
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, exchange
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class GroupMap(FrameNode):
    """Call a function with whole groups, several at once, as pandas' grouped object.

    Attributes
    ----------
    groups : PandasGroups
    function : Opaque
        Takes the grouped object, gives a frame or series in the order of the groups.
    result : FrameSchema
    by : tuple of str
        Columns in whose order the groups come: the keys, or where groups first appear.
    is_series : bool
        The function gives a series, not a frame of one column.
    """

    input: FrameNode
    groups: PandasGroups
    function: Opaque
    result: FrameSchema
    by: tuple[str, ...]
    label: str = "groupby apply"
    is_series: bool = False

    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def schema(self) -> FrameSchema:
        return self.result

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        before = self.input.schema
        used = (*self.by, *self.groups.keys, *self.groups.columns, *before.index, *before.order)
        return (frozenset(used),)

    def lower(self, lowering: Lowering) -> Blocks:
        return exchange(
            lowering,
            f"{self.name} of whole groups",
            [lowering.blocks(self.input)],
            [RangePartitioner(self.by, (True,) * len(self.by))],
            _CallWithGroups(
                self.groups,
                self.function.value,
                self.input.schema,
                self.result,
                self.label,
                self.is_series,
            ),
            nbytes=max(1, self.input.nbytes),
            copies=PANDAS_COPIES,
        )

    def describe(self) -> str:
        return f"by {', '.join(self.groups.keys)}"


class _CallWithGroups:
    """Call a function with pandas' groups of a partition."""

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
            return self.result.arrow.empty_table()
        table = concat_tables(pieces)
        pieces.clear()
        order = self.schema.order
        if order:
            table = sort_table(table, list(order), [True] * len(order), "last")
        grouped = self.groups.of(self.schema, table)
        if not grouped.ngroups:  # rows without keys
            return self.result.arrow.empty_table()
        result = self.function(grouped)
        if self.is_series and result.ndim == 2:
            result = self.groups.one_below_another(result)
        return block_from_pandas(self.result, result, self.name)

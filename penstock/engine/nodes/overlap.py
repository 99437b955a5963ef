"""Functions of the user's on each block together with rows of its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables
from penstock.engine.kernels.rolling import TimeEdge
from penstock.engine.nodes.map_blocks import Opaque, block_from_pandas, pandas_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, halo
from penstock.engine.schema import FrameSchema
from penstock.errors import SchemaError
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Neighbours and block are joined, go to pandas, through the function, and back.
_PANDAS_COPIES = 4.0


@record(eq=False)
class MapOverlap(FrameNode):
    """Call ``function(frame, *args, **kwargs)`` on blocks with neighbouring rows.

    Attributes
    ----------
    function : Opaque
        Takes and gives pandas objects; gives as many rows for each one it gets.
    arguments : Opaque
        ``(args, kwargs)`` passed along.
    before, after : int or TimeEdge
        Rows of the neighbours that are wanted.
    as_series : bool
        Whether blocks are passed as a Series.
    """

    input: FrameNode
    function: Opaque
    arguments: Opaque
    before: int | TimeEdge
    after: int | TimeEdge
    result: FrameSchema
    as_series: bool

    name = "map overlap"

    @property
    def schema(self) -> FrameSchema:
        return self.result

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        function = _WithNeighbours(
            self.function.value,
            self.arguments.value,
            self.input.schema,
            self.result,
            self.as_series,
        )
        return halo(
            lowering,
            self.name,
            function,
            blocks,
            before=self.before,
            after=self.after,
            memory=TaskMemory(input_factor=_PANDAS_COPIES, output=blocks.nbytes),
        )

    def describe(self) -> str:
        return getattr(self.function.value, "__name__", type(self.function.value).__name__)


class _WithNeighbours:
    def __init__(
        self,
        function: Any,
        arguments: tuple[tuple, dict[str, Any]],
        schema: FrameSchema,
        result: FrameSchema,
        as_series: bool,
    ) -> None:
        self.function = function
        self.args, self.kwargs = arguments
        self.schema = schema
        self.result = result
        self.as_series = as_series

    def __call__(self, table: pa.Table, before: Any, after: Any) -> pa.Table:
        if not table.num_rows:
            return self.result.arrow.empty_table()
        # rows that were picked by their times come with these
        before, after = (getattr(each, "rows", each) for each in (before, after))
        parts = [part for part in (before, table, after) if part is not None]
        start = 0 if before is None else before.num_rows
        data = pandas_block(self.schema, concat_tables(parts), self.as_series)
        result = self.function(data, *self.args, **self.kwargs)
        name = getattr(self.function, "__name__", type(self.function).__name__)
        each, rest = divmod(len(result), len(data))
        if rest:
            raise SchemaError(
                f"map_overlap: {name} gave {len(result)} rows for {len(data)}; it must give one "
                "for each, or the same number of them, so that those of the neighbours can be cut"
            )
        kept = result.iloc[start * each : (start + table.num_rows) * each]
        return block_from_pandas(self.result, kept, name)

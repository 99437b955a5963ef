"""Bins of time as keys of groups, and the bins that no row fell into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.aggregate.values import take_optional
from penstock.engine.kernels.convert import array_from_series, field_of, series_from_arrow
from penstock.engine.kernels.resample import Bins
from penstock.engine.nodes.costs import row_bytes
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.schema import FrameSchema, index_column
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Times go to pandas, are put in order, binned, and their labels come back.
_PANDAS_COPIES = 4.0


@record(eq=False)
class BinLabels(FrameNode):
    """Add the label of the bin that the time of each row falls into.

    Attributes
    ----------
    bounds : tuple of FrameNode
        One row with the first and the last time of all rows, where bins depend on them.
    time : str
        Column of the times.
    label : str
        Name of the new column.
    """

    input: FrameNode
    bounds: tuple[FrameNode, ...]
    time: str
    bins: Bins
    label: str

    name = "bin"
    is_blockwise = True
    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        field = bin_field(self.bins, before.field(self.time)).with_name(self.label)
        return replace(before, fields=(*before.fields, field), labels=(*before.labels, self.label))

    @cached_property
    def nbytes(self) -> int:
        before = row_bytes(self.input.schema)
        return self.input.nbytes * row_bytes(self.schema) // before

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        own = (columns - {self.label}) | {self.time}
        return (own, *(frozenset(node.schema.names) for node in self.bounds))

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        nbytes = blocks.nbytes * row_bytes(self.schema) // row_bytes(self.input.schema)
        return blockwise(
            lowering,
            self.name,
            partial(_with_label, self.bins, self.time, self.schema.field(self.label)),
            [blocks, *(lowering.blocks(node) for node in self.bounds)],
            memory=TaskMemory(input_factor=_PANDAS_COPIES, output=nbytes),
            nbytes=nbytes,
        )

    def describe(self) -> str:
        return f"{self.time} by {self.bins.rule}"


def bin_field(bins: Bins, time: pa.Field) -> pa.Field:
    """Return the field of the labels of bins of the times of a field."""
    import pandas as pd
    import pyarrow as pa

    moment = series_from_arrow(pa.array([0], pa.int64()).cast(time.type), time)
    times = pd.Index(moment)
    return field_of(bins.labels(times[0], times[0]).dtype, time.name)


def _ends(bounds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the first and the last time in a table of one row; none where it has none."""
    for table in bounds:
        pair = [series_from_arrow(column).iloc[0] for column in table.columns[:2]]
        if table.column(0).null_count == 0:
            return tuple(pair)
    return ()


def _with_label(
    bins: Bins, time: str, field: pa.Field, table: pa.Table, *bounds: pa.Table
) -> pa.Table:
    import pandas as pd

    times = pd.Index(series_from_arrow(single_chunk(table.column(time))))
    labels = bins.label_of_each(times, *_ends(bounds))
    return table.append_column(field, array_from_series(pd.Series(labels)).cast(field.type))


@record(eq=False)
class AllBins(FrameNode):
    """Aggregated bins together with those that no row fell into.

    The bins must come in order. Each block adds those between the last one of the blocks
    before it and its own last one.

    Attributes
    ----------
    bounds : FrameNode
        One row with the first and the last time of all rows.
    hidden : tuple of str
        Columns that have served and are dropped.
    fills : tuple of (str, Any)
        What a column has for an empty bin, when that is not missing; something to call that
        gives it.
    """

    input: FrameNode
    bounds: FrameNode
    bins: Bins
    hidden: tuple[str, ...]
    fills: tuple[tuple[str, Callable[[], Any]], ...]

    name = "all bins"
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        return before.select(name for name in before.names if name not in self.hidden)

    @property
    def nbytes(self) -> int:
        return self.input.nbytes

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | {index_column(0)}, frozenset(self.bounds.schema.names))

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input).shared()
        lasts = blockwise(lowering, f"{self.name} edge", _last_label, [blocks], nbytes=0)
        states = prefix_scan(lowering, f"{self.name} scan", _later, lasts.ids)
        numbers = [number == len(blocks) - 1 for number in range(len(blocks))]
        function = _Complete(self.bins, self.schema, dict(self.fills))
        return blockwise(
            lowering,
            self.name,
            function,
            [blocks, states, lowering.blocks(self.bounds)],
            arguments=numbers,
            memory=TaskMemory(input_factor=_PANDAS_COPIES, output=blocks.nbytes),
        )

    def describe(self) -> str:
        return f"by {self.bins.rule}"


def _last_label(table: pa.Table) -> Any:
    column = table.column(index_column(0))
    return column[len(column) - 1] if len(column) else None


def _later(state: Any, summary: Any) -> Any:
    return state if summary is None else summary


class _Complete:
    """Insert the bins without rows that come before those of a block (and after, at the end)."""

    def __init__(self, bins: Bins, schema: FrameSchema, fills: dict[str, Any]) -> None:
        self.bins = bins
        self.schema = schema
        self.fills = fills

    def __call__(self, is_last: bool, table: pa.Table, before: Any, bounds: pa.Table) -> pa.Table:
        import pandas as pd
        import pyarrow as pa

        names = [name for name in self.schema.names if name in table.column_names]
        table = table.select(names)
        ends = _ends((bounds,))
        if not ends or not (table.num_rows or is_last):
            return table
        key = index_column(0)
        kind = table.schema.field(key).type
        found = pd.Index(series_from_arrow(single_chunk(table.column(key))))
        every = self.bins.labels(*ends)
        start = 0
        if before is not None:
            start = every.get_loc(pd.Index(series_from_arrow(pa.array([before], kind)))[0]) + 1
        stop = len(every) if is_last else every.get_loc(found[-1]) + 1
        wanted = every[start:stop]
        if len(wanted) == len(found):
            return table
        rows = found.get_indexer(wanted)
        columns = []
        for name in names:
            if name == key:
                columns.append(array_from_series(pd.Series(wanted)).cast(kind))
                continue
            column = take_optional(single_chunk(table.column(name)), rows)
            columns.append(self._filled(name, column, rows < 0))
        return pa.Table.from_arrays(columns, names=names)

    def _filled(self, name: str, column: pa.Array, empty: np.ndarray) -> pa.Array:
        import pyarrow as pa

        fill = self.fills[name]() if name in self.fills else None
        if fill is None or fill != fill:
            return column
        made = pa.array([fill])
        if made.type != column.type and not pa.types.is_floating(made.type):
            made = made.cast(column.type)
        extended = concat_tables([pa.table({name: part}) for part in (column, made)]).column(0)
        places = np.where(empty, len(column), np.arange(len(column)))
        return single_chunk(extended).take(pa.array(places))

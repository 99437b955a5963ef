"""Operations along the rows: cumulative ones by a scan, shifts by neighbouring rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.blocks import single_chunk
from penstock.engine.kernels.convert import array_from_series, field_of, nullable_dtype
from penstock.engine.kernels.missing import is_missing
from penstock.engine.kernels.window import (
    CumulativeState,
    cumulative,
    cumulative_type,
    diff,
    shift,
)
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, halo, prefix_scan
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Cumulative(FrameNode):
    """Running sum, product, minimum or maximum of each data column.

    A block's own totals go through a prefix scan; the block is then computed
    once, from the state in which it starts.
    """

    input: FrameNode
    function: str
    skipna: bool = True

    keeps_rows = True
    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.function

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        return replace(before, fields=tuple(self._field(field) for field in before.fields))

    def _field(self, field: pa.Field) -> pa.Field:
        import pandas as pd

        kind = cumulative_type(field.type, self.function)
        nullable = nullable_dtype(field)
        if nullable is None or kind == field.type:
            return field.with_type(kind)
        empty = pd.Series([], dtype=nullable)
        return field_of(getattr(empty, self.function)().dtype, field.name)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        columns = self.input.schema.columns
        options = (self.function, self.skipna, columns)
        summed = blockwise(
            lowering,
            f"{self.name} totals",
            partial(_with_total, options),
            [lowering.blocks(self.input)],
            outputs=2,
        )
        assert summed.stage is not None
        states = prefix_scan(
            lowering, f"{self.name} scan", partial(_advance, options), output(summed.stage, 1)
        )
        tables = Blocks(output(summed.stage, 0), summed.nbytes, None, summed.origin)
        return blockwise(lowering, self.name, partial(_run, options), [tables, states])


States = dict[str, CumulativeState]
Options = tuple[str, bool, tuple[str, ...]]


def _cumulate(
    function: str,
    skipna: bool,
    columns: tuple[str, ...],
    table: pa.Table,
    states: States | None,
) -> tuple[pa.Table, States]:
    after: States = {}
    for name in columns:
        before = None if states is None else states.get(name)
        array, after[name] = cumulative(table.column(name), function, before, skipna=skipna)
        table = table.set_column(table.schema.get_field_index(name), name, array)
    return table, after


def _with_total(options: Options, table: pa.Table) -> tuple[pa.Table, States]:
    function, skipna, columns = options
    return table, _cumulate(function, skipna, columns, table, None)[1]


def _advance(options: Options, states: States | None, totals: States) -> States:
    if states is None:
        return totals
    function, _, columns = options
    return {name: _joined(function, states[name], totals[name]) for name in columns}


def _joined(function: str, state: CumulativeState, total: CumulativeState) -> CumulativeState:
    """Return the state after a block whose own state from nothing is `total`."""
    if state.missing or total.value is None:
        return replace(state, missing=state.missing or total.missing)
    if state.value is None:
        return total
    _, after = cumulative(total.row, function, state)
    return replace(after, missing=total.missing)


def _run(options: Options, table: pa.Table, states: States | None) -> pa.Table:
    function, skipna, columns = options
    return _cumulate(function, skipna, columns, table, states)[0]


@record(eq=False)
class Shift(FrameNode):
    """Move the data columns by `periods` rows, or take differences over them."""

    input: FrameNode
    periods: int
    difference: bool = False
    fill_value: Any = None

    keeps_rows = True
    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return "diff" if self.difference else "shift"

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        empty = self._function()(before.arrow.empty_table(), None, None)
        filled = {name: field for name, (field, _) in self._fills.items()}
        fields = tuple(
            filled.get(field.name, field).with_type(empty.schema.field(field.name).type)
            for field in before.fields
        )
        return replace(before, fields=fields)

    @cached_property
    def _fills(self) -> dict[str, tuple[pa.Field, pa.Scalar]]:
        """The field and the fill value of each column, as pandas makes them of both types."""
        import pyarrow as pa

        before = self.input.schema
        if self.difference or is_missing(self.fill_value):
            return {}
        found = {}
        for place, field in enumerate(before.fields):
            if pa.types.is_dictionary(field.type):  # its categories are known to blocks only
                found[field.name] = (field, self.fill_value)
                continue
            shifted = before.example.iloc[:, place].shift(1, fill_value=self.fill_value)
            value = array_from_series(shifted)
            found[field.name] = (field_of(shifted.dtype, field.name), value[0])
        return found

    def _function(self) -> Any:
        columns = self.input.schema.columns
        fills = {name: value for name, (_, value) in self._fills.items()}
        return partial(_shift, self.periods, self.difference, fills, columns)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        return halo(
            lowering,
            self.name,
            self._function(),
            lowering.blocks(self.input),
            before=max(0, self.periods),
            after=max(0, -self.periods),
        )

    def describe(self) -> str:
        return str(self.periods)


def _shift(
    periods: int,
    difference: bool,
    fills: dict[str, Any],
    columns: tuple[str, ...],
    table: pa.Table,
    before: pa.Table | None,
    after: pa.Table | None,
) -> pa.Table:
    import pyarrow as pa

    for name in columns:
        position = table.schema.get_field_index(name)
        edges = (_edge(before, name), _edge(after, name))
        column = table.column(name)
        if difference:
            moved = diff(column, periods, *edges)
        else:
            value = fills.get(name)
            if periods and value is None:
                column = _with_room_for_missing(column, table.schema.field(position))
            elif isinstance(value, pa.Scalar):
                column = column.cast(value.type, safe=False)
            moved = shift(column, periods, *edges, value)
        table = table.set_column(position, name, moved)
    return table


def _with_room_for_missing(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """Return NumPy's integers as the doubles that pandas makes of them for missing values."""
    import pyarrow as pa

    if pa.types.is_integer(column.type) and nullable_dtype(field) is None:
        return column.cast(pa.float64(), safe=False)
    return column


def _edge(table: pa.Table | None, name: str) -> pa.Array | None:
    return None if table is None else single_chunk(table.column(name))


@record(eq=False)
class ShiftLabels(FrameNode):
    """Move the labels of the rows, which are times, by `periods` times `freq`."""

    input: FrameNode
    periods: int
    freq: Any

    name = "shift labels"
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        function = partial(_shift_labels, self.periods, self.freq, self.schema.index)
        return blockwise(lowering, self.name, function, [blocks])

    def describe(self) -> str:
        return f"{self.periods} x {self.freq}"


def _shift_labels(periods: int, freq: Any, index: tuple[str, ...], table: pa.Table) -> pa.Table:
    import pandas as pd

    from penstock.engine.kernels.convert import series_from_arrow

    for name in index:
        place = table.schema.get_field_index(name)
        labels = pd.Index(series_from_arrow(table.column(name), table.schema.field(place)))
        moved = array_from_series(labels.shift(periods, freq))
        table = table.set_column(place, table.schema.field(place), moved)
    return table

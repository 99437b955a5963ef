"""Expanding and exponentially weighted windows: a small state per column goes along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.engine.kernels.ewm import Decay, DecayRows, DecayState
from penstock.engine.kernels.expanding import (
    ExpandingRows,
    ExpandingState,
    expanding_joined,
    expanding_total,
    order_of,
)
from penstock.engine.nodes.costs import row_bytes
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import INDEX_PREFIX, FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Doubles that a kernel has at once for each row of a column: powers, running sums, places.
_DOUBLES = 16 * 8


@record
class WindowSpec:
    """One function of one column.

    Parameters
    ----------
    column, function, output
    options
        ``ddof`` or ``bias`` as pairs.
    """

    column: str
    function: str
    output: str
    options: tuple[tuple[str, Any], ...] = ()


Specs = tuple[WindowSpec, ...]


@record(eq=False)
class _ScanWindows(FrameNode):
    """Functions of windows that begin at the first row.

    Attributes
    ----------
    specs : tuple of WindowSpec
    labels : tuple
        The user's label of each.
    min_periods : int
        Fewest values for a result.
    """

    input: FrameNode
    specs: Specs
    labels: tuple[Any, ...]
    label_names: tuple[Any, ...]
    min_periods: int

    keeps_rows = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        fields = tuple(pa.field(spec.output, pa.float64()) for spec in self.specs)
        return replace(
            self.input.schema, fields=fields, labels=self.labels, label_names=self.label_names
        )

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        index = columns & frozenset(self.input.schema.index)
        return (index | {spec.column for spec in self.specs if spec.output in columns},)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        kept = [
            (spec, label)
            for spec, label in zip(self.specs, self.labels, strict=True)
            if spec.output in columns
        ]
        if not kept or len(kept) == len(self.specs):
            return self
        return replace(
            self, specs=tuple(spec for spec, _ in kept), labels=tuple(label for _, label in kept)
        )

    @cached_property
    def functions(self) -> dict[str, frozenset[str]]:
        """The functions of each column."""
        found: dict[str, frozenset[str]] = {}
        for spec in self.specs:
            found[spec.column] = found.get(spec.column, frozenset()) | {spec.function}
        return found

    def _memory(self, blocks: Blocks) -> TaskMemory:
        # one column after the other
        factor = 1.0 + _DOUBLES / row_bytes(self.input.schema)
        return TaskMemory(input_factor=factor, output=blocks.nbytes)

    def describe(self) -> str:
        return ", ".join(f"{spec.function}({spec.column})" for spec in self.specs)


@record(eq=False)
class Expanding(_ScanWindows):
    """All rows up to each one: blocks are summed up in parallel, and the sums scanned."""

    name = "expanding"

    def lower(self, lowering: Lowering) -> Blocks:
        orders = {column: order_of(found) for column, found in self.functions.items()}
        summed = blockwise(
            lowering,
            f"{self.name} totals",
            partial(_with_totals, orders),
            [lowering.blocks(self.input)],
            memory=self._memory(lowering.blocks(self.input)),
            outputs=2,
        )
        assert summed.stage is not None
        states = prefix_scan(
            lowering, f"{self.name} scan", partial(_advance, orders), output(summed.stage, 1)
        )
        tables = Blocks(output(summed.stage, 0), summed.nbytes, None, summed.origin)
        return blockwise(
            lowering,
            self.name,
            partial(_expanding_block, self.specs, orders, self.min_periods),
            [tables, states],
            memory=self._memory(tables),
        )


Orders = dict[str, int]
States = dict[str, ExpandingState]


def _with_totals(orders: Orders, table: pa.Table) -> tuple[pa.Table, States]:
    return table, {name: expanding_total(table.column(name), orders[name]) for name in orders}


def _advance(orders: Orders, states: States | None, totals: States) -> States:
    if states is None:
        return totals
    return {name: expanding_joined(states[name], totals[name], orders[name]) for name in orders}


def _expanding_block(
    specs: Specs, orders: Orders, min_periods: int, table: pa.Table, states: States | None
) -> pa.Table:
    def rows(name: str) -> ExpandingRows:
        state = ExpandingState() if states is None else states[name]
        return ExpandingRows(table.column(name), state, orders[name], min_periods)

    return _block(specs, table, rows)


@record(eq=False)
class Exponential(_ScanWindows):
    """Weights that decay with the rows: the state goes through the blocks in order."""

    decay: Decay

    name = "ewm"

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input).shared()
        memory = self._memory(blocks)
        states = prefix_scan(
            lowering,
            f"{self.name} scan",
            partial(_decay, self.decay, self.functions),
            blocks.ids,
            memory=replace(memory, output=0),
            initial={},
        )
        function = partial(_decay_block, self.specs, self.decay, self.functions, self.min_periods)
        return blockwise(lowering, self.name, function, [blocks, states], memory=memory)


Decays = dict[str, DecayState]


def _decay(
    decay: Decay, functions: dict[str, frozenset[str]], states: Decays, table: pa.Table
) -> Decays:
    return {
        name: DecayRows(table.column(name), decay, states.get(name, DecayState()), wanted).after
        for name, wanted in functions.items()
    }


def _decay_block(
    specs: Specs,
    decay: Decay,
    functions: dict[str, frozenset[str]],
    min_periods: int,
    table: pa.Table,
    states: Decays,
) -> pa.Table:
    def rows(name: str) -> _Windows:
        state = states.get(name, DecayState())
        return _Windows(DecayRows(table.column(name), decay, state, functions[name]), min_periods)

    return _block(specs, table, rows)


class _Windows:
    """Exponentially weighted windows with the number of values that a result needs."""

    def __init__(self, rows: DecayRows, min_periods: int) -> None:
        self.rows = rows
        self.min_periods = min_periods

    def result(self, function: str, **options: Any) -> pa.Array:
        """Return one function for each row."""
        return self.rows.result(function, self.min_periods, **options)


def _block(specs: Specs, table: pa.Table, rows: Callable[[str], Any]) -> pa.Table:
    """Return the columns of `specs`, and those of the index, of one block."""
    import pyarrow as pa

    arrays: list[Any] = [None] * len(specs)
    for name in {spec.column for spec in specs}:
        windows = rows(name)
        for place, spec in enumerate(specs):
            if spec.column == name:
                arrays[place] = windows.result(spec.function, **dict(spec.options))
    names = [spec.output for spec in specs]
    carried = [name for name in table.column_names if name.startswith(INDEX_PREFIX)]
    return pa.Table.from_arrays(
        arrays + [table.column(name) for name in carried], names=names + carried
    )

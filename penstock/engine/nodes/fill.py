"""Filling missing values from rows before or after, however far away these are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.engine.kernels.fill import (
    FillState,
    fill,
    fill_joined,
    fill_state,
    interpolate,
)
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa

States = dict[str, FillState]


@record(eq=False)
class _Filling(FrameNode):
    """Each block with what the blocks beside it have for its missing values."""

    input: FrameNode

    keeps_rows = True
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def _states(self, lowering: Lowering, blocks: Blocks, method: str) -> Blocks:
        """Return the nearest valid values before (after, for ``bfill``) each block."""
        columns = self.schema.columns
        edges = blockwise(
            lowering, f"{method} edge", partial(_edge, method, columns), [blocks], nbytes=0
        )
        ids: np.ndarray = edges.ids if method == "ffill" else edges.ids[::-1]
        states = prefix_scan(lowering, f"{method} scan", _joined, ids, initial={})
        return states if method == "ffill" else Blocks(states.ids[::-1], 0)


@record(eq=False)
class Fill(_Filling):
    """Missing values become the last valid one before them, or the first after.

    Attributes
    ----------
    method : {"ffill", "bfill"}
    limit : int or None
        Most rows in a row that are filled.
    """

    method: str
    limit: int | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.method

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input).shared()
        states = self._states(lowering, blocks, self.method)
        function = partial(_fill, self.schema.columns, self.method, self.limit)
        return blockwise(lowering, self.name, function, [blocks, states])

    def describe(self) -> str:
        return "" if self.limit is None else f"limit {self.limit}"


@record(eq=False)
class Interpolate(_Filling):
    """Missing numbers become those on the line between the valid ones on both sides."""

    limit: int | None
    direction: str
    area: str | None

    name = "interpolate"

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input).shared()
        before = self._states(lowering, blocks, "ffill")
        after = self._states(lowering, blocks, "bfill")
        options = {"limit": self.limit, "direction": self.direction, "area": self.area}
        function = partial(_interpolate, self.schema.columns, options)
        return blockwise(lowering, self.name, function, [blocks, before, after])


def _edge(method: str, columns: tuple[str, ...], table: pa.Table) -> States:
    return {name: fill_state(table.column(name), method) for name in columns}


def _joined(states: States, summary: States) -> States:
    return {name: fill_joined(states.get(name, FillState()), summary[name]) for name in summary}


def _fill(
    columns: tuple[str, ...], method: str, limit: int | None, table: pa.Table, states: States
) -> pa.Table:
    return _replaced(
        columns,
        table,
        lambda name: fill(table.column(name), method, states.get(name), limit=limit),
    )


def _interpolate(
    columns: tuple[str, ...],
    options: dict[str, Any],
    table: pa.Table,
    before: States,
    after: States,
) -> pa.Table:
    return _replaced(
        columns,
        table,
        lambda name: interpolate(table.column(name), before.get(name), after.get(name), **options),
    )


def _replaced(
    columns: tuple[str, ...], table: pa.Table, made: Callable[[str], pa.Array]
) -> pa.Table:
    for name in columns:
        table = table.set_column(table.schema.get_field_index(name), name, made(name))
    return table

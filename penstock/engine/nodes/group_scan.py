"""Group by keys: running values, neighbours and fills, without bringing groups together."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.kernels.aggregate import partial as partial_aggregate
from penstock.engine.kernels.aggregate.values import take_optional, valid_mask
from penstock.engine.kernels.group_scan import (
    identity,
    rows_before,
    rows_filling,
    running_before,
    running_rows,
    take_or_state,
)
from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.kernels.window import cumulative_type
from penstock.engine.nodes.group_spread import GroupSpread, keyless
from penstock.engine.nodes.row_return import POSITION
from penstock.engine.plan import FrameNode
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

_PARTIALS = {"cumsum": "sum", "cumprod": "prod", "cummin": "min", "cummax": "max"}
_PRESENT = "__present__"


@record(eq=False)
class GroupScan(GroupSpread):
    """What the rows before each row, in its group, come to.

    Attributes
    ----------
    columns : tuple of (str, Any)
        Name and label of each column.
    dropna : bool
        Rows without a key have no group, and no value.
    """

    columns: tuple[tuple[str, Any], ...]
    dropna: bool

    @property
    def _names(self) -> list[str]:
        return [name for name, _ in self.columns]

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        before = self.input.schema
        carried = columns & frozenset(before.index + before.order)
        return (frozenset((*self.keys, *self._names)) | carried,)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        kept = tuple(pair for pair in self.columns if pair[0] in columns)
        if not kept or len(kept) == len(self.columns):
            return self
        return replace(self, columns=kept)

    def _partials(self, table: pa.Table, function: str, **options: Any) -> pa.Table:
        """Return the keys of a block's groups, and a partial of each column by its place."""
        import pyarrow as pa

        given = tuple(sorted(options.items()))
        specs = [AggSpec(name, function, name, given) for name in dict.fromkeys(self._names)]
        made = partial_aggregate(table, list(self.keys), specs, dropna=False)
        kinds = made.column_names[len(self.keys) :]
        by_column = {kind.rpartition("\x1f")[0]: kind for kind in reversed(kinds)}
        keys = [made.column(place) for place in range(len(self.keys))]
        values = [made.column(by_column[name]) for name in self._names]
        names = [*self.keys, *(_place(i) for i in range(len(values)))]
        return pa.Table.from_arrays([*keys, *values], names=names)

    def _order(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of summaries by their blocks, and their groups in that order."""
        order = np.argsort(single_chunk(table.column(POSITION)).to_numpy())
        codes = group_codes([table.column(key) for key in self.keys]).codes
        return order, codes[order]


def _place(column: int) -> str:
    return f"__value_{column}__"


@record(eq=False)
class GroupCumulative(GroupScan):
    """Running sum, product, minimum or maximum of the columns in each group."""

    function: str = "cumsum"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"groupby {self.function}"

    @cached_property
    def schema(self) -> FrameSchema:
        before = self.input.schema
        fields = tuple(
            before.field(name).with_type(cumulative_type(before.field(name).type, self.function))
            for name in self._names
        )
        return self._schema(fields, tuple(label for _, label in self.columns))

    def _summary(self, table: pa.Table) -> pa.Table:
        return self._partials(table, _PARTIALS[self.function])

    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        import pyarrow as pa

        order, codes = self._order(table)
        made: dict[str, pa.Array] = {}
        for place, field in enumerate(self.schema.fields):
            dtype = np.dtype(field.type.to_pandas_dtype())
            column = single_chunk(table.column(_place(place)))
            values = column.fill_null(identity(self.function, dtype)).to_numpy().astype(dtype)
            before = np.empty_like(values)
            before[order] = running_before(values[order], codes, self.function)
            made[_place(place)] = pa.array(before)
        return made

    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        import pyarrow as pa

        without = keyless(table, self.keys) if self.dropna else None
        made = {}
        for place, (name, field) in enumerate(zip(self._names, self.schema.fields, strict=True)):
            states = returned[_place(place)].to_numpy()
            array = single_chunk(table.column(name))
            values, missing = running_rows(array, codes, states, self.function)
            if without is not None:
                missing = without if missing is None else missing | without
            if values.dtype.kind == "f":
                blank = np.isnan(values)
                missing = blank if missing is None else missing | blank
            made[field.name] = pa.array(values, field.type, mask=missing)
        return made


@record(eq=False)
class GroupShift(GroupScan):
    """The row before each row in its group, or after it.

    Attributes
    ----------
    result : FrameSchema
        Types of the columns, which must have room for missing values.
    fill_value : Any
        For the first (last) row of each group.
    """

    result: FrameSchema
    forward: bool = True
    fill_value: Any = None

    name = "groupby shift"

    def prune(self, columns: frozenset[str]) -> FrameNode:
        kept = [place for place, (name, _) in enumerate(self.columns) if name in columns]
        if not kept or len(kept) == len(self.columns):
            return self
        fields = tuple(self.result.fields[place] for place in kept)
        labels = tuple(self.result.labels[place] for place in kept)
        return replace(
            self,
            columns=tuple(self.columns[place] for place in kept),
            result=replace(self.result, fields=fields, labels=labels),
        )

    @cached_property
    def schema(self) -> FrameSchema:
        fields = tuple(
            field.with_name(name)
            for field, name in zip(self.result.fields, self._names, strict=True)
        )
        return self._schema(fields, tuple(label for _, label in self.columns))

    def _summary(self, table: pa.Table) -> pa.Table:
        return self._partials(table, "last" if self.forward else "first", skipna=False)

    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        import pyarrow as pa

        order, codes = self._order(table)
        found = rows_before(codes, reverse=not self.forward)
        before = np.empty(len(order), np.int64)
        before[order] = np.where(found >= 0, order.take(np.maximum(found, 0)), -1)
        made = {
            _place(place): take_optional(single_chunk(table.column(_place(place))), before)
            for place in range(len(self.columns))
        }
        made[_PRESENT] = pa.array(before >= 0)
        return made

    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = rows_before(codes, reverse=not self.forward)
        present = returned[_PRESENT].to_numpy(zero_copy_only=False).take(codes)
        outside = (rows < 0) & ~present
        without = keyless(table, self.keys) if self.dropna else None
        if without is not None:
            outside |= without
        made = {}
        for place, (name, field) in enumerate(zip(self._names, self.schema.fields, strict=True)):
            array = single_chunk(table.column(name))
            moved = take_or_state(array, returned[_place(place)], rows, codes)
            if outside.any() and self.fill_value is None:
                moved = take_optional(moved, np.where(outside, -1, np.arange(len(moved))))
            if moved.type != field.type:
                moved = moved.cast(field.type, safe=False)
            if outside.any() and self.fill_value is not None:
                fill = pa.scalar(self.fill_value, field.type)
                moved = pc.if_else(pa.array(outside), fill, moved)
            made[name] = moved
        return made


@record(eq=False)
class GroupFill(GroupScan):
    """Missing values replaced by the nearest valid one before them in their group, or after."""

    forward: bool = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return "groupby ffill" if self.forward else "groupby bfill"

    @cached_property
    def schema(self) -> FrameSchema:
        fields = tuple(self.input.schema.field(name) for name in self._names)
        return self._schema(fields, tuple(label for _, label in self.columns))

    def _summary(self, table: pa.Table) -> pa.Table:
        return self._partials(table, "last" if self.forward else "first")

    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        order, codes = self._order(table)
        made = {}
        for place in range(len(self.columns)):
            column = single_chunk(table.column(_place(place)))
            valid = valid_mask(column)
            valid = None if valid is None else valid[order]
            found = rows_filling(valid, codes, reverse=not self.forward, itself=False)
            source = np.empty(len(order), np.int64)
            source[order] = np.where(found >= 0, order.take(np.maximum(found, 0)), -1)
            made[_place(place)] = take_optional(column, source)
        return made

    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        without = keyless(table, self.keys) if self.dropna else None
        made = {}
        for place, name in enumerate(self._names):
            array = single_chunk(table.column(name))
            rows = rows_filling(valid_mask(array), codes, reverse=not self.forward)
            filled = take_or_state(array, returned[_place(place)], rows, codes)
            if without is not None:
                filled = take_optional(filled, np.where(without, -1, np.arange(len(filled))))
            made[name] = filled
        return made

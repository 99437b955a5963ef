"""Exact quantiles: sort a column by ranges, then pick the rows at the wanted positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial
from operator import add
from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.nodes.sort import _sort_pieces
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import (
    Blocks,
    Lowering,
    blockwise,
    exchange,
    prefix_scan,
    tree_reduce,
)
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import FrameSchema, index_column
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Quantile(FrameNode):
    """The values of `column` at the given quantiles.

    Attributes
    ----------
    skipna : bool
        The input has no missing values; if not, one of them makes all results missing.
    """

    input: FrameNode
    column: str
    quantiles: tuple[float, ...]
    interpolation: str = "linear"
    skipna: bool = True

    name = "quantile"
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        kind = self.input.schema.field(self.column).type
        exact = self.interpolation in ("lower", "higher", "nearest") or pa.types.is_temporal(kind)
        result = kind if exact else pa.float64()
        return FrameSchema(
            (pa.field(self.column, result),),
            (self.column,),
            (pa.field(index_column(0), pa.float64()),),
            (None,),
        )

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return 1024

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset((self.column,)),)

    def lower(self, lowering: Lowering) -> Blocks:
        by, up = (self.column,), (True,)
        ordered = exchange(
            lowering,
            self.name,
            [lowering.blocks(self.input)],
            [RangePartitioner(by, up)],
            partial(_sort_pieces, by, up, "last", by, self.input.schema.select(by).arrow),
            nbytes=max(1, self.input.nbytes),
            divisible=(True,),
        )
        counted = blockwise(lowering, f"{self.name} count", _counted, [ordered], outputs=2)
        assert counted.stage is not None
        counts = Blocks(output(counted.stage, 1), 8)
        offsets = prefix_scan(lowering, f"{self.name} offsets", add, counts.ids, initial=0)
        total = tree_reduce(lowering, f"{self.name} total", sum, counts)
        tables = Blocks(output(counted.stage, 0), counted.nbytes)
        picked = blockwise(
            lowering,
            f"{self.name} pick",
            # missing values are sorted last: the last row tells whether there are any
            partial(_pick, self.quantiles if self.skipna else (*self.quantiles, 1.0)),
            [tables, offsets, total],
            nbytes=1024,
        )
        found = tree_reduce(lowering, f"{self.name} gather", concat_tables, picked)
        finish = _Interpolate(self.quantiles, self.interpolation, self.schema.arrow, self.skipna)
        return blockwise(lowering, self.name, finish, [found, total])

    def describe(self) -> str:
        return f"{', '.join(map(str, self.quantiles))} of {self.column}"


def _counted(table: pa.Table) -> tuple[pa.Table, int]:
    return table, table.num_rows


def positions(quantiles: Sequence[float], total: int) -> list[int]:
    """Return the rows, of `total` sorted ones, that the quantiles lie on or between."""
    rows = set()
    for q in quantiles:
        place = q * (total - 1)
        rows |= {math.floor(place), math.ceil(place)}
    return sorted(rows)


def _pick(quantiles: tuple[float, ...], table: pa.Table, offset: int, total: int) -> pa.Table:
    import pyarrow as pa

    wanted = positions(quantiles, total) if total else []
    rows = [row for row in wanted if offset <= row < offset + table.num_rows]
    picked = table.take(pa.array([row - offset for row in rows], pa.int64()))
    return picked.append_column("row", pa.array(rows, pa.int64()))


class _Interpolate:
    def __init__(
        self,
        quantiles: tuple[float, ...],
        interpolation: str,
        schema: pa.Schema,
        skipna: bool,
    ) -> None:
        self.quantiles = quantiles
        self.interpolation = interpolation
        self.schema = schema
        self.skipna = skipna

    def __call__(self, found: pa.Table, total: int) -> pa.Table:
        import pyarrow as pa

        values = dict(
            zip(found.column("row").to_pylist(), found.column(0).to_pylist(), strict=True)
        )
        results = [self._at(q, values, total) for q in self.quantiles]
        arrays = [
            pa.array(results, self.schema.field(0).type),
            pa.array(self.quantiles, pa.float64()),
        ]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _at(self, q: float, values: dict[int, Any], total: int) -> Any:
        if not total or (not self.skipna and _is_missing(values[total - 1])):
            return None
        place = q * (total - 1)
        low, high = math.floor(place), math.ceil(place)
        below, above = values[low], values[high]
        share = place - low
        if self.interpolation == "lower":
            return below
        if self.interpolation == "higher":
            return above
        if self.interpolation == "nearest":
            return values[round(place)]
        if self.interpolation == "midpoint":
            return below + (above - below) / 2
        # as NumPy does, from the nearer end, so that rounding agrees
        if share >= 0.5:
            return above - (above - below) * (1 - share)
        return below + (above - below) * share


def _is_missing(value: Any) -> bool:
    return value is None or value != value

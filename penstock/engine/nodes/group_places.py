"""Group by keys: the place of each row in its group, and the number of its group."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.kernels.aggregate import partial as partial_aggregate
from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.group_spread import GroupSpread, keyless
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.nodes.row_return import POSITION
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class GroupPositions(GroupSpread):
    """The place of each row in its group, counted from its first and from its last row."""

    dropna: bool = True

    name = "groupby positions"

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        names = ("before", "after")
        return self._schema(tuple(pa.field(name, pa.int64()) for name in names), names)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        before = self.input.schema
        return (frozenset(self.keys) | (columns & frozenset(before.index + before.order)),)

    def _summary(self, table: pa.Table) -> pa.Table:
        return partial_aggregate(
            table, list(self.keys), [AggSpec(None, "size", "size")], dropna=False
        )

    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        import pyarrow as pa

        sizes = _sizes(table, self.keys).to_numpy()
        groups = group_codes([table.column(key) for key in self.keys])
        blocks = single_chunk(table.column(POSITION)).to_numpy()
        order = np.lexsort((blocks, groups.codes))
        before = np.empty_like(sizes)
        before[order] = _within(groups.codes[order], sizes[order])
        after = _within(groups.codes[order[::-1]], sizes[order[::-1]])
        behind = np.empty_like(sizes)
        behind[order[::-1]] = after
        return {"before": pa.array(before), "after": pa.array(behind)}

    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        import pyarrow as pa

        order = np.argsort(codes, kind="stable")
        missing = keyless(table, self.keys) if self.dropna else None
        made = {}
        for name, rows in (("before", order), ("after", order[::-1])):
            places = np.empty(len(codes), np.int64)
            places[rows] = _within(codes[rows], np.ones(len(codes), np.int64))
            places += returned[name].to_numpy().take(codes)
            made[name] = pa.array(places, mask=missing)
        return made


@record(eq=False)
class GroupNumbers(GroupSpread):
    """The number of the group of each row, in the order of the keys."""

    dropna: bool = True

    name = "groupby numbers"

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        return self._schema((pa.field("number", pa.int64()),), ("number",))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        before = self.input.schema
        return (frozenset(self.keys) | (columns & frozenset(before.index + before.order)),)

    def _summary(self, table: pa.Table) -> pa.Table:
        keys = table.select(list(self.keys))
        grouping = group_codes(list(keys.columns))
        return keys.take(grouping.first)

    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        import pyarrow as pa

        columns = [table.column(key) for key in self.keys]
        grouping = group_codes(columns)
        groups = table.select(list(self.keys)).take(grouping.first)
        numbered = groups.append_column("__place__", pa.array(np.arange(grouping.ngroups)))
        ordered = sort_table(numbered, list(self.keys), [True] * len(self.keys), "last")
        numbers = np.empty(grouping.ngroups, np.int64)
        numbers[single_chunk(ordered.column("__place__")).to_numpy()] = np.arange(grouping.ngroups)
        return {"number": pa.array(numbers.take(grouping.codes))}

    def _exchange(self, lowering: Lowering, summaries: Blocks) -> Blocks:
        ranges = RangePartitioner(self.keys, (True,) * len(self.keys))
        numbered = self._exchange_by(lowering, summaries, ranges)
        counted = blockwise(lowering, f"{self.name} count", _with_groups, [numbered], outputs=2)
        assert counted.stage is not None
        before = prefix_scan(
            lowering, f"{self.name} scan", _add, output(counted.stage, 1), initial=0
        )
        tables = Blocks(output(counted.stage, 0), counted.nbytes, None, counted.origin)
        return blockwise(lowering, self.name, _numbered_from, [tables, before])

    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        import pyarrow as pa

        mask = keyless(table, self.keys) if self.dropna else None
        return {"number": returned["number"].take(pa.array(codes, mask=mask))}


def _sizes(table: pa.Table, keys: tuple[str, ...]) -> pa.Array:
    (name,) = [name for name in table.column_names if name not in (*keys, POSITION)]
    return single_chunk(table.column(name))


def _within(codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the running total of `sizes` before each row in its run of equal `codes`."""
    if not len(codes):
        return sizes
    total = np.cumsum(sizes) - sizes
    new = np.concatenate(([True], codes[1:] != codes[:-1]))
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, len(codes)))
    return total - np.repeat(total[starts], lengths)


def _with_groups(table: pa.Table) -> tuple[pa.Table, int]:
    import pyarrow.compute as pc

    most = pc.max(table.column("number")).as_py()
    return table, 0 if most is None else most + 1


def _add(total: int, count: int) -> int:
    return total + count


def _numbered_from(table: pa.Table, before: int) -> pa.Table:
    import pyarrow.compute as pc

    place = table.schema.get_field_index("number")
    return table.set_column(place, "number", pc.add(table.column("number"), before))

"""Group by keys: the aggregate of its group for each row."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate import AggSpec, combine, finalize, output_field
from penstock.engine.kernels.aggregate import partial as partial_aggregate
from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.nodes.group_spread import GroupSpread, keyless
from penstock.engine.nodes.reduce import needed_columns
from penstock.engine.nodes.row_return import POSITION
from penstock.engine.plan import FrameNode
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@record(eq=False)
class GroupTransform(GroupSpread):
    """The aggregate of its group for each row.

    Attributes
    ----------
    specs : tuple of AggSpec
        Decomposable aggregations.
    labels : tuple
        The user's label of each.
    dropna : bool
        Rows without a key have no group, and no value.
    """

    specs: tuple[AggSpec, ...]
    labels: tuple[Any, ...]
    dropna: bool = True

    name = "groupby transform"

    @cached_property
    def schema(self) -> FrameSchema:
        arrow = self.input.schema.arrow
        return self._schema(tuple(output_field(spec, arrow) for spec in self.specs), self.labels)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        before = self.input.schema
        used = needed_columns([spec for spec in self.specs if spec.output in columns])
        carried = columns & frozenset(before.index + before.order)
        return (frozenset(self.keys) | used | carried,)

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

    def _summary(self, table: pa.Table) -> pa.Table:
        return partial_aggregate(table, list(self.keys), list(self.specs), dropna=False)

    def _meet(self, table: pa.Table) -> dict[str, pa.Array]:
        import pyarrow as pa

        keys, specs = list(self.keys), list(self.specs)
        done = finalize(combine(table.drop_columns([POSITION]), keys, specs), keys, specs)
        # groups are numbered alike: in the order in which they appear
        codes = pa.array(group_codes([table.column(key) for key in keys]).codes)
        return {
            spec.output: single_chunk(done.column(len(keys) + place)).take(codes)
            for place, spec in enumerate(specs)
        }

    def _apply(
        self, table: pa.Table, codes: np.ndarray, returned: dict[str, pa.Array]
    ) -> dict[str, Any]:
        import pyarrow as pa

        rows = pa.array(codes, mask=keyless(table, self.keys) if self.dropna else None)
        return {name: values.take(rows) for name, values in returned.items()}

    def describe(self) -> str:
        shown = ", ".join(f"{s.function}({s.column or ''})" for s in self.specs)
        return f"by {', '.join(self.keys)}: {shown}"

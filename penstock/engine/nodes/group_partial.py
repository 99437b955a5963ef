"""Partial aggregates of the groups of each block, as rows of a frame."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.reduce import needed_columns, partial_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


@record(eq=False)
class GroupPartial(FrameNode):
    """Aggregate the rows of each group of each block; `GroupAggregate` merges what this gives.

    Attributes
    ----------
    keys : tuple of str
        Key columns; rows whose key is missing are a group too.
    specs : tuple of AggSpec
        Decomposable aggregations. The result has their partials beside the keys.
    """

    input: FrameNode
    keys: tuple[str, ...]
    specs: tuple[AggSpec, ...]

    name = "groupby partial"
    is_blockwise = True
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        return FrameSchema(tuple(self._kernel()(self.input.schema.arrow.empty_table()).schema))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(self.keys) | needed_columns(self.specs),)

    def lower(self, lowering: Lowering) -> Blocks:
        return lower_partial(lowering, self.name, self.input, self._kernel())

    def _kernel(self) -> Callable[[pa.Table], pa.Table]:
        return partial(partial_block, self.keys, self.specs, dropna=False, where_it_pays=True)

    def describe(self) -> str:
        return f"by {', '.join(self.keys)}"


def lower_partial(
    lowering: Lowering, name: str, node: FrameNode, function: Callable[[pa.Table], pa.Table]
) -> Blocks:
    """Add the stage in which `function` makes one row per group of each block of `node`."""
    blocks = lowering.blocks(node)
    memory = TaskMemory(input_factor=1.0 + hashing_factor(node.schema), output=blocks.nbytes)
    return blockwise(lowering, name, function, [blocks], memory=memory)

"""Reductions of bags to one value, or to a bag of one partition, through a tree."""

from __future__ import annotations

from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import BagNode, Node, ValueNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.primitives.tree_reduce import SPLIT_EVERY
from penstock.records import record


@record(eq=False)
class ReduceBag(ValueNode):
    """``finish(aggregate([per_partition(items), ...]))`` as one value.

    Attributes
    ----------
    per_partition, aggregate, finish : Opaque
        `aggregate` takes a list of what `per_partition`, or it itself, gave.
    split_every : int or None
        Partial results that are aggregated at a time.
    """

    input: BagNode
    per_partition: Opaque
    aggregate: Opaque
    finish: Opaque | None = None
    split_every: int | None = None
    label: str = "reduction"

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    def lower(self, lowering: Lowering) -> Blocks:
        return _reduced(self, lowering)


@record(eq=False)
class ReduceToBag(BagNode):
    """As `ReduceBag`; the value is a list, the one partition of a bag."""

    input: BagNode
    per_partition: Opaque
    aggregate: Opaque
    finish: Opaque | None = None
    split_every: int | None = None
    label: str = "reduction"

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def npartitions(self) -> int:
        return 1

    def lower(self, lowering: Lowering) -> Blocks:
        return _reduced(self, lowering)


def _reduced(node: ReduceBag | ReduceToBag, lowering: Lowering) -> Blocks:
    source: Node = node.input
    partials = blockwise(lowering, node.name, node.per_partition.value, [lowering.blocks(source)])
    combined = tree_reduce(
        lowering,
        f"{node.name} combine",
        node.aggregate.value,
        partials,
        split_every=node.split_every or SPLIT_EVERY,
    )
    if node.finish is None:
        return combined
    return blockwise(lowering, node.name, node.finish.value, [combined])

"""MapBag: a function of lists, partition by partition; BagToFrame: items become rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.engine.kernels.bags import FirstItems, joined
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import BagNode, FrameNode, Node
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.tree_reduce import reduce_once
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class MapBag(BagNode):
    """Call ``function(items, *others)`` on each partition.

    Attributes
    ----------
    others : tuple of Node
        Bags with as many partitions, or single values for all.
    function : Opaque
        Gives a list.
    """

    input: BagNode
    others: tuple[Node, ...]
    function: Opaque
    label: str = "map"

    is_blockwise = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def npartitions(self) -> int:
        return self.input.npartitions

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = [lowering.blocks(node) for node in self.inputs]
        return blockwise(
            lowering,
            self.name,
            self.function.value,
            blocks,
            ntasks=len(blocks[0]),
            memory=TaskMemory(input_factor=1.0, output=blocks[0].nbytes),
        )

    def describe(self) -> str:
        return str(getattr(self.function.value, "__name__", ""))


@record(eq=False)
class TakeBag(BagNode):
    """The first items of the first partitions, as one partition."""

    input: BagNode
    items: int
    partitions: int

    name = "take"

    @property
    def npartitions(self) -> int:
        return 1

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        first = Blocks(blocks.ids[: self.partitions], blocks.nbytes)
        take = FirstItems(self.items)
        heads = blockwise(lowering, self.name, take, [first])
        whole = reduce_once(lowering, self.name, joined, heads, max(1, len(heads)))
        return blockwise(lowering, self.name, take, [whole])

    def describe(self) -> str:
        return str(self.items)


@record(eq=False)
class BagToFrame(FrameNode):
    """Tables of the items: dicts, tuples or records of the same fields."""

    input: BagNode
    result: FrameSchema

    name = "to-dataframe"
    is_blockwise = True

    @property
    def schema(self) -> FrameSchema:
        return self.result

    @property
    def divisions(self) -> None:
        return None

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        return blockwise(
            lowering,
            self.name,
            _Tabulate(self.result),
            [blocks],
            memory=TaskMemory(input_factor=2.0, output=blocks.nbytes),
        )


class _Tabulate:
    def __init__(self, schema: FrameSchema) -> None:
        self.schema = schema

    def __call__(self, items: list[Any]) -> pa.Table:
        import pandas as pd

        labels = list(self.schema.labels)
        if not items:
            return self.schema.arrow.empty_table()
        named = isinstance(items[0], dict)
        frame = pd.DataFrame(items) if named else pd.DataFrame(items, columns=labels)
        if named:
            frame = frame.reindex(columns=labels)
        return self.schema.from_pandas(frame, self.__name__)

    __name__ = "to_dataframe"

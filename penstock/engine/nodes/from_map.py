"""Leaf of a frame plan: a function of the user's that makes each block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from penstock.engine.nodes.map_blocks import Opaque, block_from_pandas
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# What the function makes in pandas, and the block.
_PANDAS_COPIES = 3


@record(eq=False)
class FromMap(FrameNode):
    """Call ``function(*arguments[i])`` for block `i`.

    Attributes
    ----------
    function : Opaque
        Gives a frame or series of pandas.
    arguments : Opaque
        A tuple for each block.
    block_nbytes : int
        Expected bytes of a block.
    """

    function: Opaque
    arguments: Opaque
    result: FrameSchema
    block_nbytes: int
    label: str = "from-map"

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def schema(self) -> FrameSchema:
        return self.result

    @property
    def npartitions(self) -> int:
        return len(self.arguments.value)

    @property
    def nbytes(self) -> int:
        return self.block_nbytes * self.npartitions

    def lower(self, lowering: Lowering) -> Blocks:
        inputs: Sequence[tuple] = self.arguments.value
        return blockwise(
            lowering,
            self.name,
            _Made(self.function.value, self.result, self.label),
            [],
            ntasks=len(inputs),
            arguments=inputs,
            nbytes=self.block_nbytes,
            memory=TaskMemory(
                fixed=(_PANDAS_COPIES - 1) * self.block_nbytes, output=self.block_nbytes
            ),
            origin=_Inputs(inputs),
        )

    def describe(self) -> str:
        return f"{self.npartitions} inputs"


class _Made:
    def __init__(self, function: Callable[..., Any], result: FrameSchema, name: str) -> None:
        self.function = function
        self.result = result
        self.name = name

    def __call__(self, arguments: tuple) -> pa.Table:
        return block_from_pandas(self.result, self.function(*arguments), self.name)


class _Inputs:
    """Tells in errors which input a block was made of; further arguments may be secrets."""

    def __init__(self, inputs: Sequence[tuple]) -> None:
        self.inputs = inputs

    def __call__(self, i: int) -> str:
        text = repr(self.inputs[i][0])
        return text if len(text) <= 200 else f"{text[:200]}..."

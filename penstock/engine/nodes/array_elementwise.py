"""Elementwise: NumPy ufuncs and the like on arrays whose blocks lie over each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from penstock.engine.kernels.arrays import ElementwiseProgram, Program
from penstock.engine.kernels.chunks import ArraySchema, broadcast_blocks, broadcast_chunks
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.scheduler.graph import TaskMemory


@dataclass(frozen=True, eq=False)
class Elementwise(ArrayNode):
    """A program of elementwise steps on the blocks of `operands`, which broadcast.

    Built with one step; the rule `fuse_elementwise` makes one program of many.
    """

    program: Program
    operands: tuple[ArrayNode, ...]

    name = "elementwise"
    is_blockwise = True

    @cached_property
    def label(self) -> str:
        """The functions in the order in which they run."""
        names = [getattr(step[0], "__name__", type(step[0]).__name__) for step in self.program]
        return ", ".join(names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"])

    @cached_property
    def schema(self) -> ArraySchema:
        grids = [operand.schema.chunks for operand in self.operands]
        return ArraySchema(broadcast_chunks(self.label, grids), self.program[-1][3])

    def lower(self, lowering: Lowering) -> Blocks:
        schema = self.schema
        run = ElementwiseProgram(self.program)
        inputs = []
        for operand in self.operands:
            blocks = lowering.blocks(operand)
            if operand.schema.numblocks != schema.numblocks:
                ids = broadcast_blocks(blocks.ids, operand.schema.numblocks, schema)
                blocks = Blocks(ids, blocks.nbytes)
            inputs.append(blocks)
        # only a first input can be fused with what makes it
        order = sorted(range(len(inputs)), key=lambda place: inputs[place].stage is None)
        in_order = order == list(range(len(order)))
        nbytes = schema.block_nbytes
        return blockwise(
            lowering,
            self.label,
            run if in_order else _Reordered(run, order),
            [inputs[place] for place in order],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, fixed=run.temporary_bytes(nbytes), output=nbytes),
        )

    def describe(self) -> str:
        return self.label


class _Reordered:
    """A program whose blocks come in another order."""

    def __init__(self, program: ElementwiseProgram, order: list[int]) -> None:
        self.program = program
        self.places = [order.index(place) for place in range(len(order))]

    def __call__(self, *blocks: object) -> object:
        return self.program(*[blocks[place] for place in self.places])

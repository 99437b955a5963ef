"""Elementwise: NumPy ufuncs and the like on arrays whose blocks lie over each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from penstock.engine.kernels.arrays import ElementwiseProgram, Program
from penstock.engine.kernels.chunks import (
    ArraySchema,
    broadcast_blocks,
    broadcast_chunks,
    schema_of,
)
from penstock.engine.nodes.arrays.again import made_again
from penstock.engine.plan import ArrayNode, Node
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class Elementwise(ArrayNode):
    """A program of elementwise steps on the blocks of `operands`, which broadcast.

    Built with one step; the rule `fuse_elementwise` makes one program of many.
    """

    program: Program
    operands: tuple[ArrayNode, ...]

    name = "elementwise"
    is_blockwise = True
    made_cheaply = True

    @cached_property
    def label(self) -> str:
        """The functions in the order in which they run."""
        names = [getattr(step[0], "__name__", type(step[0]).__name__) for step in self.program]
        return ", ".join(names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"])

    @cached_property
    def schema(self) -> ArraySchema:
        schemas = [operand.schema for operand in self.operands]
        chunks = broadcast_chunks(self.label, [schema.chunks for schema in schemas])
        return schema_of(chunks, self.program[-1][3], max(s.bound for s in schemas))

    def lower(self, lowering: Lowering) -> Blocks:
        schema = self.schema
        blocks: list[Blocks] = []
        inputs: list[Any] = []
        names = []
        spanned: list[Any] = []  # chunks of what comes as blocks
        for operand in self.operands:
            again = made_again(lowering, operand, self.operands)
            source = tile_source(lowering, operand, schema, alone=bool(again))
            if source is None:
                inputs.append(len(blocks))
                spanned.append(operand.schema.chunks)
                blocks.append(_over(lowering, operand, schema, again))
            else:
                inputs.append(source)
                names.append(operand.name)
        # only a first input can be fused with what makes it
        order = sorted(range(len(blocks)), key=lambda place: blocks[place].stage is None)
        inputs = [order.index(given) if isinstance(given, int) else given for given in inputs]
        numbered = not blocks or any(hasattr(given, "tiles") for given in inputs)
        if len(blocks) < len(inputs) and schema.known and not numbered:
            # what is made in place may be wider than all blocks together
            numbered = broadcast_chunks(self.label, spanned) != schema.chunks
        run = ElementwiseProgram(self.program, inputs, schema.block_shape if numbered else None)
        nbytes = schema.block_nbytes
        return blockwise(
            lowering,
            " → ".join([*dict.fromkeys(names), self.label]),
            run,
            [blocks[place] for place in order],
            ntasks=schema.nblocks,
            arguments=range(schema.nblocks) if numbered else None,
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, fixed=run.temporary_bytes(nbytes), output=nbytes),
        )

    def describe(self) -> str:
        return self.label


def tile_source(
    lowering: Lowering, operand: ArrayNode, schema: ArraySchema, alone: bool = False
) -> Any:
    """Return what makes `operand` tile by tile inside a program, None when blocks must."""
    made = getattr(operand, "tile_source", None)
    if made is None:
        return None
    same = operand.schema.chunks == schema.chunks
    return made(alone=same and (alone or lowering.uses[operand] <= 1), same=same)


def _over(
    lowering: Lowering, operand: ArrayNode, schema: ArraySchema, again: Sequence[Node]
) -> Blocks:
    """Return for each block of the result the block of `operand` that lies over it."""
    blocks = lowering.blocks_anew(operand, again) if again else lowering.blocks(operand)
    if operand.schema.numblocks == schema.numblocks:
        return blocks
    ids = broadcast_blocks(blocks.ids, operand.schema.numblocks, schema)
    return Blocks(ids, blocks.nbytes)

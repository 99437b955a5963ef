"""Nodes that move blocks of arrays about as they are, or look at them in another shape."""

from __future__ import annotations

import math
from functools import cached_property, partial

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema, Grid, schema_of
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class ReshapeBlocks(ArrayNode):
    """The same elements in blocks of another shape, as many and in the same order.

    Attributes
    ----------
    grid_sizes : Grid
        Block `i` has as many elements as block `i` of the input.
    """

    input: ArrayNode
    grid_sizes: Grid

    name = "reshape"

    @cached_property
    def schema(self) -> ArraySchema:
        before = self.input.schema
        return schema_of(self.grid_sizes.sizes, before.dtype, before.bound)

    def lower(self, lowering: Lowering) -> Blocks:
        schema, blocks = self.schema, lowering.blocks(self.input)
        return blockwise(
            lowering,
            self.name,
            _Reshape(schema),
            [blocks],
            arguments=range(schema.nblocks),
            nbytes=blocks.nbytes,
            memory=TaskMemory(input_factor=0.0, output=max(1, blocks.nbytes)),
        )

    def describe(self) -> str:
        return f"{self.input.schema.shape} to {self.schema.shape}"


class _Reshape:
    def __init__(self, schema: ArraySchema) -> None:
        self.schema = schema

    def __call__(self, number: int, block: np.ndarray) -> np.ndarray:
        shape = tuple(-1 if size != size else size for size in self.schema.block_shape(number))
        return np.asarray(block).reshape(shape)


@record(eq=False)
class TransposeArray(ArrayNode):
    """The axes of an array in another order.

    Attributes
    ----------
    axes : tuple of int
        Which axis of the input each axis of the result is.
    """

    input: ArrayNode
    axes: tuple[int, ...]

    name = "transpose"

    @cached_property
    def schema(self) -> ArraySchema:
        before = self.input.schema
        return ArraySchema(
            tuple(before.chunks[axis] for axis in self.axes), before.dtype, before.bound
        )

    def lower(self, lowering: Lowering) -> Blocks:
        before, blocks = self.input.schema, lowering.blocks(self.input)
        turned = blockwise(
            lowering,
            self.name,
            partial(np.transpose, axes=self.axes),
            [blocks],
            nbytes=blocks.nbytes,
            memory=TaskMemory(input_factor=0.0, output=max(1, blocks.nbytes)),
        )
        ids = turned.ids.reshape(before.numblocks).transpose(self.axes).ravel()
        return turned if np.array_equal(ids, turned.ids) else Blocks(ids, turned.nbytes)

    def describe(self) -> str:
        return f"axes {self.axes}"


@record(eq=False)
class JoinArrays(ArrayNode):
    """Arrays one after the other along an axis; they agree in the chunks of the other axes."""

    operands: tuple[ArrayNode, ...]
    axis: int

    name = "concatenate"

    @cached_property
    def schema(self) -> ArraySchema:
        first = self.operands[0].schema
        sizes = tuple(
            size for operand in self.operands for size in operand.schema.chunks[self.axis]
        )
        chunks = (*first.chunks[: self.axis], sizes, *first.chunks[self.axis + 1 :])
        bound = max(operand.schema.bound or operand.schema.block_items for operand in self.operands)
        return schema_of(chunks, first.dtype, bound)

    def lower(self, lowering: Lowering) -> Blocks:
        parts = [lowering.blocks(operand) for operand in self.operands]
        grids = [
            part.ids.reshape(operand.schema.numblocks)
            for part, operand in zip(parts, self.operands, strict=True)
        ]
        ids = np.concatenate(grids, axis=self.axis).ravel()
        return Blocks(ids, max(part.nbytes for part in parts))

    def describe(self) -> str:
        return f"{len(self.operands)} along axis {self.axis}"


@record(eq=False)
class PickBlocks(ArrayNode):
    """Some of the blocks of an array.

    Attributes
    ----------
    numbers : tuple of tuple of int
        Along each axis, which blocks.
    """

    input: ArrayNode
    numbers: tuple[tuple[int, ...], ...]

    name = "blocks"

    @cached_property
    def schema(self) -> ArraySchema:
        before = self.input.schema
        chunks = tuple(
            tuple(sizes[number] for number in numbers)
            for sizes, numbers in zip(before.chunks, self.numbers, strict=True)
        )
        return schema_of(chunks, before.dtype, before.bound)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        grid = blocks.ids.reshape(self.input.schema.numblocks)
        return Blocks(np.ascontiguousarray(grid[np.ix_(*self.numbers)]).ravel(), blocks.nbytes)


@record(eq=False)
class SizedArray(ArrayNode):
    """An array whose sizes have become known."""

    input: ArrayNode
    layout: ArraySchema

    name = "sized"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    def lower(self, lowering: Lowering) -> Blocks:
        return lowering.blocks(self.input).shared()


@record(eq=False)
class BroadcastArray(ArrayNode):
    """An array repeated along new axes, or axes of length 1, without memory for it.

    Attributes
    ----------
    grid_sizes : Grid
        Sizes of the chunks of the result.
    """

    input: ArrayNode
    grid_sizes: Grid

    name = "broadcast"

    @cached_property
    def schema(self) -> ArraySchema:
        return ArraySchema(self.grid_sizes.sizes, self.input.schema.dtype)

    def lower(self, lowering: Lowering) -> Blocks:
        schema, blocks = self.schema, lowering.blocks(self.input)
        before = self.input.schema.numblocks
        ids = np.broadcast_to(blocks.ids.reshape(before), schema.numblocks).ravel()
        given = blocks if len(ids) == len(blocks) else Blocks(ids, blocks.nbytes)
        return blockwise(
            lowering,
            self.name,
            _Broadcast(schema),
            [given],
            ntasks=math.prod(schema.numblocks),
            arguments=range(schema.nblocks),
            nbytes=blocks.nbytes,
            memory=TaskMemory(input_factor=0.0, output=max(1, blocks.nbytes)),
        )


class _Broadcast:
    def __init__(self, schema: ArraySchema) -> None:
        self.schema = schema

    def __call__(self, number: int, block: np.ndarray) -> np.ndarray:
        return np.broadcast_to(block, self.schema.block_shape(number))

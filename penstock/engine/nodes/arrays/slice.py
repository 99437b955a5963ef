"""SliceArray: basic slicing; blocks outside the slice are not computed."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from penstock.engine.kernels.chunks import (
    ArraySchema,
    AxisSlice,
    schema_of,
    slice_axis,
)
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class SliceArray(ArrayNode):
    """What an int or a slice per axis takes of an array.

    Attributes
    ----------
    index : tuple
        Per axis of the input an int, not negative, or ``(start, stop, step)``.
    """

    input: ArrayNode
    index: tuple[int | tuple[int | None, int | None, int | None], ...]

    name = "slice"

    @cached_property
    def _axes(self) -> tuple[AxisSlice, ...]:
        return tuple(
            _whole(sizes)
            if part == (None, None, None)
            else slice_axis(part if isinstance(part, int) else slice(*part), sizes)
            for part, sizes in zip(self.index, self.input.schema.chunks, strict=True)
        )

    @cached_property
    def schema(self) -> ArraySchema:
        chunks = tuple(axis.sizes for axis in self._axes if not axis.drops)
        before = self.input.schema
        return schema_of(chunks, before.dtype, before.bound)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        grid = blocks.ids.reshape(self.input.schema.numblocks)
        ids = grid[np.ix_(*(axis.blocks for axis in self._axes))].ravel() if grid.ndim else grid
        nbytes = self.schema.block_nbytes
        return blockwise(
            lowering,
            self.name,
            _Cut(self._axes),
            [Blocks(np.ascontiguousarray(ids).ravel(), blocks.nbytes)],
            ntasks=math.prod(len(axis.blocks) for axis in self._axes),
            arguments=range(ids.size),
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, output=nbytes),
        )

    def describe(self) -> str:
        return f"{self.input.schema.shape} to {self.schema.shape}"


def _whole(sizes: tuple[int, ...]) -> AxisSlice:
    return AxisSlice(tuple(range(len(sizes))), (slice(None),) * len(sizes), sizes)


class _Cut:
    def __init__(self, axes: tuple[AxisSlice, ...]) -> None:
        self.axes = axes

    def __call__(self, number: int, block: np.ndarray) -> np.ndarray:
        parts: list[slice | int] = []
        for axis in reversed(self.axes):
            number, place = divmod(number, len(axis.blocks))
            parts.append(axis.parts[place])
        part = np.asarray(block[tuple(reversed(parts))])
        return part if part.nbytes == block.nbytes and part.base is None else part.copy()

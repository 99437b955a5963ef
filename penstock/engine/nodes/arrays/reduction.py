"""ReduceBlocks: a reduction made of the user's functions."""

from __future__ import annotations

import math
from functools import cached_property, partial
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class ReduceBlocks(ArrayNode):
    """Reduce axes through functions for a block, for several parts, and for the end.

    Attributes
    ----------
    operands : tuple of ArrayNode
        The array and, when given, weights of the same chunks.
    axes : tuple of int
        Not negative, in order.
    functions : Opaque
        ``(chunk, combine, aggregate)``, each taking ``axis`` and ``keepdims``.
    keepdims : bool
    concatenate : bool
        Whether parts are joined to one array, or given as a list.
    size : int
        Length of the reduced axes of what `chunk` gives.
    split_every : int
        Parts combined at a time.
    layout : ArraySchema
    """

    operands: tuple[ArrayNode, ...]
    axes: tuple[int, ...]
    functions: Opaque
    keepdims: bool
    concatenate: bool
    size: int
    split_every: int
    layout: ArraySchema

    name = "reduction"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @cached_property
    def nbytes(self) -> int:
        return self.layout.nbytes

    def lower(self, lowering: Lowering) -> Blocks:
        chunk, combine, aggregate = self.functions.value
        before = self.operands[0].schema
        nbytes = max(1, self.layout.block_nbytes * self.size ** len(self.axes))
        partials = blockwise(
            lowering,
            self.name,
            partial(_of_block, chunk, self.axes),
            [lowering.blocks(operand) for operand in self.operands],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=1.0, output=nbytes),
        )
        kept = [axis for axis in range(len(before.chunks)) if axis not in self.axes]
        groups = math.prod(before.numblocks[axis] for axis in kept)
        ids = partials.ids.reshape(before.numblocks).transpose([*kept, *self.axes]).ravel()
        ordered = partials if np.array_equal(ids, partials.ids) else Blocks(ids, nbytes)
        joined = partial(_of_parts, combine, self.axes, self.concatenate)
        if len(ordered) > groups * self.split_every:
            ordered = tree_reduce(
                lowering,
                f"{self.name} combine",
                joined,
                ordered,
                split_every=self.split_every,
                until=self.split_every,
                groups=groups,
            )
        last = partial(_at_end, aggregate, self.axes, self.concatenate, self.keepdims,
                       self.layout.dtype)  # fmt: skip
        return tree_reduce(
            lowering,
            f"{self.name} end",
            last,
            Blocks(ordered.ids, nbytes),
            split_every=max(1, len(ordered) // groups),
            groups=groups,
        )

    def describe(self) -> str:
        return f"axes {self.axes}"


def _of_block(chunk: Any, axes: tuple[int, ...], *blocks: Any) -> Any:
    weights = {"weights": blocks[1]} if len(blocks) > 1 else {}
    return chunk(blocks[0], axis=axes, keepdims=True, **weights)


def _of_parts(combine: Any, axes: tuple[int, ...], concatenate: bool, parts: Any) -> Any:
    return combine(_together(parts, axes, concatenate), axis=axes, keepdims=True)


def _at_end(
    aggregate: Any, axes: tuple[int, ...], concatenate: bool, keepdims: bool, dtype: Any, parts: Any
) -> np.ndarray:
    made = aggregate(_together(parts, axes, concatenate), axis=axes, keepdims=keepdims)
    return np.asarray(made).astype(dtype, copy=False)


def _together(parts: Any, axes: tuple[int, ...], concatenate: bool) -> Any:
    if not concatenate:
        return parts if len(parts) > 1 else parts[0]
    return np.concatenate(parts, axis=axes[0]) if axes else parts[0]

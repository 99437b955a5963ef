"""BlockwiseArray: any function on the blocks of arrays that lie over each other by index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from penstock.engine.kernels.arrays.blocks import Assembled, picked
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.errors import SchemaError
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class BlockwiseArray(ArrayNode):
    """A function of blocks; each axis of an operand stands for one of the result or is summed over.

    Attributes
    ----------
    layout : ArraySchema
    operands : tuple of ArrayNode
    labels : tuple of tuple of int
        Per operand and axis the axis of the result, or a number from `ndim` on
        for an axis that the result does not have: its blocks all go to one call.
    function : Opaque
        Called as ``function(*operands)``, or ``function(number, *operands)``.
    label : str
        What the operation is called.
    concatenate : bool
        Join blocks along axes that the result does not have; otherwise the
        function gets nested lists.
    numbered : bool
        Whether the function is told the number of the block.
    copies : float
        Bytes that the function takes beside its inputs and its result, per byte of the inputs.
    fixed : int
        Bytes that it takes whatever the inputs.
    checked : bool
        Whether the shapes of the blocks that it gives are checked.
    """

    layout: ArraySchema
    operands: tuple[ArrayNode, ...]
    labels: tuple[tuple[int, ...], ...]
    function: Opaque
    label: str = "blockwise"
    concatenate: bool = True
    numbered: bool = False
    copies: float = 1.0
    fixed: int = 0
    checked: bool = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @cached_property
    def nbytes(self) -> int:
        return block_bytes(self.layout, self.operands) * self.layout.nblocks

    def lower(self, lowering: Lowering) -> Blocks:
        ndim = len(self.layout.chunks)
        columns: list[Blocks] = []
        shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        joins = False
        for operand, labels in zip(self.operands, self.labels, strict=True):
            blocks = lowering.blocks(operand)
            counts = operand.schema.numblocks
            axes = tuple(axis for axis, label in enumerate(labels) if label >= ndim)
            summed = tuple(counts[axis] for axis in axes)
            shapes.append((summed, axes))
            if labels == tuple(range(ndim)) and counts == self.layout.numblocks:
                columns.append(blocks)
                continue
            ids = self._over_result(blocks.ids, counts, labels)
            joins = joins or (self.concatenate and ids.shape[1] > 1)
            columns.extend(Blocks(np.ascontiguousarray(column), blocks.nbytes) for column in ids.T)
        # only a first input can be fused with what makes it
        order = sorted(range(len(columns)), key=lambda place: columns[place].stage is None)
        moved = None if order == sorted(order) else [order.index(p) for p in range(len(order))]
        run = Assembled(
            self.function.value,
            shapes,
            concatenate=self.concatenate,
            numbered=self.numbered,
            order=moved,
            layout=self.layout if self.checked else None,
            label=self.label,
        )
        nbytes = block_bytes(self.layout, self.operands)
        return blockwise(
            lowering,
            self.name,
            run,
            [columns[place] for place in order],
            ntasks=self.layout.nblocks,
            arguments=range(self.layout.nblocks) if self.numbered or self.checked else None,
            nbytes=nbytes,
            memory=TaskMemory(
                input_factor=self.copies + joins,
                fixed=self.fixed,
                output=max(1, nbytes),
            ),
        )

    def _over_result(
        self, ids: np.ndarray, counts: tuple[int, ...], labels: tuple[int, ...]
    ) -> np.ndarray:
        """Return the blocks for each block of the result, those summed over side by side."""
        ndim = len(self.layout.chunks)
        kept = sorted((label, axis) for axis, label in enumerate(labels) if label < ndim)
        summed = [axis for axis, label in enumerate(labels) if label >= ndim]
        grid = ids.reshape(counts).transpose([axis for _, axis in kept] + summed)
        shape = [1] * ndim
        for label, axis in kept:
            shape[label] = counts[axis]
        rest = [counts[axis] for axis in summed]
        for label, (have, want) in enumerate(zip(shape, self.layout.numblocks, strict=True)):
            if have not in (1, want):
                raise SchemaError(
                    f"{self.label}: an operand has {have} blocks along axis {label} of the "
                    f"result, which has {want}"
                )
        grid = np.broadcast_to(grid.reshape(shape + rest), (*self.layout.numblocks, *rest))
        return grid.reshape(self.layout.nblocks, math.prod(rest))

    def describe(self) -> str:
        return self.label


@record(eq=False)
class PickArray(ArrayNode):
    """One of the arrays that a function gives together, as a tuple per block."""

    input: ArrayNode
    place: int
    layout: ArraySchema

    name = "pick"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    def lower(self, lowering: Lowering) -> Blocks:
        nbytes = block_bytes(self.layout, (self.input,))
        return blockwise(
            lowering,
            self.name,
            partial(picked, self.place),
            [lowering.blocks(self.input)],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, output=max(1, nbytes)),
        )


def block_bytes(layout: ArraySchema, operands: Sequence[ArrayNode]) -> int:
    """Return the expected bytes of a block of `layout`; of its inputs where sizes are unknown."""
    sizes = [largest(part) for part in layout.chunks]
    if all(size is not None for size in sizes):
        return math.prod(size for size in sizes if size is not None) * layout.dtype.itemsize
    return max((node.nbytes // max(1, node.npartitions) for node in operands), default=0)


def largest(sizes: Sequence[Any]) -> int | None:
    """Return the largest of the chunk sizes of an axis, None where they are unknown (NaN)."""
    return None if any(size != size for size in sizes) else max(sizes)

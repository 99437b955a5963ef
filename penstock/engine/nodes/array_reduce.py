"""ReduceArray: reductions over some or all axes, through partial results and a tree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from penstock.engine.kernels import arrays
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class ReduceArray(ArrayNode):
    """Reduce `axes` of an array.

    Attributes
    ----------
    function : str
        ``sum``, ``prod``, ``min``, ``max``, ``any``, ``all``, ``mean``, ``var`` or ``std``.
    axes : tuple of int
        Not negative, in order.
    keepdims : bool
        Keep reduced axes with length 1.
    dtype : dtype or None
        In which to accumulate, as in NumPy.
    ddof : float
        Taken from the count in ``var`` and ``std``.
    """

    input: ArrayNode
    function: str
    axes: tuple[int, ...]
    keepdims: bool = False
    dtype: np.dtype | None = None
    ddof: float = 0.0

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.function

    @cached_property
    def _dtypes(self) -> tuple[np.dtype, np.dtype]:
        return arrays.reduction_dtypes(self.function, self.input.schema.dtype, self.dtype)

    @cached_property
    def schema(self) -> ArraySchema:
        chunks = tuple(
            (1,) if axis in self.axes else sizes
            for axis, sizes in enumerate(self.input.schema.chunks)
            if axis not in self.axes or self.keepdims
        )
        return ArraySchema(chunks, self._dtypes[1])

    def lower(self, lowering: Lowering) -> Blocks:
        before, axes = self.input.schema, self.axes
        accumulator, dtype = self._dtypes
        copies = 2 if self.function in arrays.MOMENTS else 1
        items = self.schema.block_nbytes // max(1, dtype.itemsize)
        nbytes = max(1, items * accumulator.itemsize * copies)
        blocks = lowering.blocks(self.input)
        # distances from the mean and their squares, in the accumulator's precision
        wide = before.block_nbytes // max(1, before.dtype.itemsize) * accumulator.itemsize * 2
        partials = blockwise(
            lowering,
            self.name,
            partial(arrays.partial, self.function, axes, accumulator),
            [blocks],
            nbytes=nbytes,
            memory=TaskMemory(
                input_factor=0.0,
                fixed=wide if self.function in arrays.MOMENTS else nbytes,
                output=nbytes,
            ),
        )
        combined = self._combined(lowering, partials)
        count = math.prod(before.shape[axis] for axis in axes)
        finish = partial(
            arrays.finalize, self.function, axes, self.keepdims, count, self.ddof, dtype
        )
        size = self.schema.block_nbytes
        return blockwise(
            lowering,
            self.name,
            finish,
            [combined],
            nbytes=size,
            memory=TaskMemory(input_factor=1.0, output=size),
        )

    def _combined(self, lowering: Lowering, partials: Blocks) -> Blocks:
        """Combine the blocks that lie behind each other along the reduced axes."""
        counts, axes = self.input.schema.numblocks, self.axes
        kept = [axis for axis in range(len(counts)) if axis not in axes]
        groups = math.prod(counts[axis] for axis in kept)
        if groups == len(partials):
            return partials
        ids = partials.ids.reshape(counts).transpose([*kept, *axes]).ravel()
        return tree_reduce(
            lowering,
            f"{self.name} combine",
            partial(arrays.combine, self.function),
            Blocks(ids, partials.nbytes),
            groups=groups,
        )

    def describe(self) -> str:
        return f"axes {self.axes}"

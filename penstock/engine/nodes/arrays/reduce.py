"""ReduceArray: reductions over some or all axes, through partial results and a tree."""

from __future__ import annotations

import math
from functools import cached_property, partial
from typing import Any

from penstock.engine.kernels.arrays import TILE_BYTES, ElementwiseProgram, Reduction
from penstock.engine.kernels.arrays.positions import Largest
from penstock.engine.kernels.chunks import ArraySchema, schema_of
from penstock.engine.nodes.arrays.elementwise import tile_source
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.primitives.blockwise import last_function, with_last
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

_MERGED_BYTES = 64 << 10


@record(eq=False)
class ReduceArray(ArrayNode):
    """Reduce some axes of an array.

    Attributes
    ----------
    reduction : Reduction
    keepdims : bool
        Keep reduced axes with length 1.
    """

    input: ArrayNode
    reduction: Reduction
    keepdims: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.reduction.name

    @cached_property
    def schema(self) -> ArraySchema:
        axes = self.reduction.axes
        length = abs(self.reduction.k) if isinstance(self.reduction, Largest) else 1
        before = self.input.schema
        chunks = tuple(
            (min(length, before.shape[axis]) if length != 1 else 1,) if axis in axes else sizes
            for axis, sizes in enumerate(before.chunks)
            if axis not in axes or self.keepdims
        )
        return schema_of(chunks, self.reduction.dtype, before.bound)

    def lower(self, lowering: Lowering) -> Blocks:
        before, reduction = self.input.schema, self.reduction
        items = self.schema.block_items
        nbytes = max(1, items * sum(dtype.itemsize for dtype in reduction.state_dtypes))
        partials = self._partials(lowering, nbytes)
        combined = self._combined(lowering, partials)
        count = math.prod(before.shape[axis] for axis in reduction.axes)
        size = self.schema.block_nbytes
        return blockwise(
            lowering,
            self.name,
            partial(reduction.result, self.keepdims, count),
            [combined],
            nbytes=size,
            memory=TaskMemory(input_factor=1.0, output=size),
        )

    def _partials(self, lowering: Lowering, nbytes: int) -> Blocks:
        before, reduction = self.input.schema, self.reduction
        wide = before.block_items * reduction.accumulator.itemsize * reduction.copies
        memory = TaskMemory(input_factor=0.0, fixed=nbytes + wide, output=nbytes)
        if not reduction.in_tiles:
            return blockwise(
                lowering,
                self.name,
                _Placed(reduction, before),
                [lowering.blocks(self.input)],
                arguments=range(before.nblocks),
                nbytes=nbytes,
                memory=memory,
            )
        tile = min(wide, (1 + reduction.copies) * TILE_BYTES)
        source = tile_source(lowering, self.input, before)
        if source is not None:
            program = ElementwiseProgram((), (source,), before.block_shape, reduction)
            return blockwise(
                lowering,
                f"{self.input.name} → {self.name}",
                program,
                [],
                ntasks=before.nblocks,
                arguments=range(before.nblocks),
                nbytes=nbytes,
                memory=TaskMemory(input_factor=0.0, fixed=nbytes + TILE_BYTES + tile,
                                  output=nbytes),
            )  # fmt: skip
        blocks = lowering.blocks(self.input)
        last = last_function(blocks)
        if isinstance(last, ElementwiseProgram) and last.reduction is None:
            program = last.reduced(reduction)
            assert blocks.stage is not None
            declared = blocks.stage.memory
            fixed = declared.fixed + nbytes + tile + TILE_BYTES
            return with_last(
                lowering,
                self.name,
                blocks,
                program,
                nbytes=nbytes,
                memory=TaskMemory(declared.input_factor, fixed, nbytes),
            )
        function: Any = reduction.partial
        if reduction.copies:
            function = ElementwiseProgram((), (0,), None, reduction)
            memory = TaskMemory(input_factor=0.0, fixed=nbytes + tile, output=nbytes)
        return blockwise(lowering, self.name, function, [blocks], nbytes=nbytes, memory=memory)

    def _combined(self, lowering: Lowering, partials: Blocks) -> Blocks:
        """Combine the blocks that lie behind each other along the reduced axes."""
        counts, axes = self.input.schema.numblocks, self.reduction.axes
        kept = [axis for axis in range(len(counts)) if axis not in axes]
        groups = math.prod(counts[axis] for axis in kept)
        if groups == len(partials):
            return partials
        ids = partials.ids.reshape(counts).transpose([*kept, *axes]).ravel()
        return tree_reduce(
            lowering,
            f"{self.name} combine",
            self.reduction.combine,
            Blocks(ids, partials.nbytes),
            # many tiny states are merged faster than handed from task to task
            split_every=max(8, min(128, _MERGED_BYTES // partials.nbytes)),
            groups=groups,
        )

    def describe(self) -> str:
        return f"axes {self.reduction.axes}"


class _Placed:
    """The state of a block that knows where it is."""

    def __init__(self, reduction: Any, layout: ArraySchema) -> None:
        self.reduction = reduction
        self.layout = layout

    def __call__(self, number: int, block: Any) -> Any:
        place = self.layout.position(number)
        starts = tuple(each[at] for each, at in zip(self.layout.starts, place, strict=True))
        return self.reduction.placed(starts, block)

"""TakeArray: along each axis, elements of an array in some order, in any chunks."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from penstock.engine.kernels.arrays.regions import (
    AxisPieces,
    Cutter,
    affine_pieces,
    index_pieces,
    needed_blocks,
    point_pieces,
)
from penstock.engine.kernels.chunks import ArraySchema, Grid
from penstock.engine.nodes.arrays.again import made_for_part
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode, Node
from penstock.engine.primitives import Blocks, Lowering
from penstock.engine.primitives.array_exchange import exchange_arrays, gather_blocks
from penstock.records import record

Selector = tuple[int, int] | Opaque
"""``(start, step)`` of the elements that are taken, or an array of positions, none negative."""

_AGAIN = 3
"""Inputs that do not fit in memory are exchanged when they would be read so many times."""


@record(eq=False)
class TakeArray(ArrayNode):
    """Elements of an array, chosen along each axis: rechunking, taking, rolling, flipping.

    Attributes
    ----------
    selectors : tuple of Selector
        One for each axis.
    grid_sizes : Grid
        Sizes of the chunks of the result.
    label : str
        What the operation is called.
    joint : int
        So many leading axes are taken together, point by point: the first
        selector then holds a tuple of positions along them.
    """

    input: ArrayNode
    selectors: tuple[Selector, ...]
    grid_sizes: Grid
    label: str = "take"
    joint: int = 1

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @cached_property
    def schema(self) -> ArraySchema:
        return ArraySchema(self.grid_sizes.sizes, self.input.schema.dtype)

    def _pieces(self) -> list[AxisPieces]:
        chunks, pieces = self.input.schema.chunks, []
        selectors, sizes = self.selectors, self.grid_sizes.sizes
        if self.joint > 1:
            assert isinstance(selectors[0], Opaque)
            pieces = [point_pieces(selectors[0].value, chunks[: self.joint], sizes[0])]
            selectors, sizes, chunks = selectors[1:], sizes[1:], chunks[self.joint :]
        return pieces + [
            index_pieces(selector.value, before, after)
            if isinstance(selector, Opaque)
            else affine_pieces(*selector, before, after)
            for selector, before, after in zip(selectors, chunks, sizes, strict=True)
        ]

    def _over_axes(self) -> list[tuple[int, Selector]]:
        """Return along each axis of the input how many blocks there are, and the selector."""
        counts = self.input.schema.numblocks
        selectors = (self.selectors[0],) * self.joint + self.selectors[1:]
        return list(zip(counts, selectors, strict=True))

    @property
    def _lists(self) -> bool:
        return any(isinstance(selector, Opaque) for selector in self.selectors)

    def lower(self, lowering: Lowering) -> Blocks:
        schema, before = self.schema, self.input.schema
        cutter = Cutter(self._pieces(), schema.dtype, self.joint)
        indptr, needed = needed_blocks(cutter.axes)
        used = np.unique(needed)
        anew: tuple[Node, ...] = ()
        if self._lists:
            apart = math.prod(count for count, selector in self._over_axes()
                              if not isinstance(selector, Opaque))  # fmt: skip
            anew = made_for_part(lowering, self.input, len(used), self.input.nbytes // apart)
        blocks = lowering.blocks_anew(self.input, anew) if anew else lowering.blocks(self.input)
        # what one task would keep in memory at once, and all of them in turn
        together = int(np.diff(indptr).max(initial=0)) * before.block_nbytes
        whole = len(used) * before.block_nbytes
        again = len(needed) * before.block_nbytes
        exchanged = together > lowering.task_bytes // 2 or (
            whole > lowering.budget // 3 and again > _AGAIN * whole
        )
        if lowering.exchange_bytes is not None and len(needed) > len(used):
            exchanged = True
        if not exchanged or schema.dtype.hasobject:
            return gather_blocks(
                lowering,
                self.label,
                cutter.gather,
                (indptr, blocks.ids[needed]),
                nbytes=schema.block_nbytes,
                # elements at listed positions are copied before they are put in place
                fixed=schema.block_nbytes if self._lists else 0,
            )
        if len(used) < len(blocks):
            blocks = Blocks(blocks.ids[used], blocks.nbytes)
        return exchange_arrays(
            lowering,
            self.label,
            blocks,
            used,
            cutter,
            schema.nblocks,
            nbytes=schema.block_nbytes,
        )

    def describe(self) -> str:
        return f"{self.input.schema.shape} to {self.schema.shape}"

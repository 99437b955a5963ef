"""CumulativeArray: running sums and the like along an axis, through a scan over its blocks."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class CumulativeArray(ArrayNode):
    """A ufunc accumulated along an axis.

    Attributes
    ----------
    ufunc : numpy.ufunc or the like
        Associative, with a method ``accumulate``.
    axis : int
    result : dtype
        Of the result.
    skips_nan : bool
        Treat NaN as the identity.
    """

    input: ArrayNode
    ufunc: Any
    axis: int
    result: np.dtype
    skips_nan: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"cumulative {self.ufunc.__name__}"

    @cached_property
    def schema(self) -> ArraySchema:
        before = self.input.schema
        return ArraySchema(before.chunks, self.result, before.bound)

    def lower(self, lowering: Lowering) -> Blocks:
        counts, axis = self.schema.numblocks, self.axis
        nbytes = self.schema.block_nbytes
        blocks = lowering.blocks(self.input)
        one = len(blocks) == 1 or counts[axis] == 1
        local = blockwise(
            lowering,
            self.name,
            _Accumulate(self.ufunc, axis, self.result, self.skips_nan),
            [blocks],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=1.0 if self.skips_nan else 0.0, output=max(1, nbytes)),
        )
        if one:
            return local
        local = local.shared()
        edge = max(1, nbytes // max(1, *self.schema.chunks[axis]))
        ends = blockwise(
            lowering,
            f"{self.name} end",
            _End(axis),
            [local],
            nbytes=edge,
            memory=TaskMemory(input_factor=0.0, output=edge),
        )
        # lanes along the axis, one after the other
        order = np.moveaxis(np.arange(len(local)).reshape(counts), axis, -1).ravel()
        scanned = prefix_scan(
            lowering,
            f"{self.name} scan",
            _Advance(self.ufunc),
            ends.ids[order],
            memory=TaskMemory(input_factor=0.0, output=edge),
            groups=math.prod(counts) // counts[axis],
        )
        ids = np.empty_like(scanned.ids)
        ids[order] = scanned.ids
        return blockwise(
            lowering,
            self.name,
            _Shift(self.ufunc),
            [local, Blocks(ids, edge)],
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, output=max(1, nbytes)),
        )

    def describe(self) -> str:
        return f"axis {self.axis}"


class _Accumulate:
    def __init__(self, ufunc: Any, axis: int, dtype: np.dtype, skips_nan: bool) -> None:
        self.ufunc = ufunc
        self.axis = axis
        self.dtype = dtype
        self.skips_nan = skips_nan

    def __call__(self, block: np.ndarray) -> np.ndarray:
        if self.skips_nan and block.dtype.kind in "fc":
            block = np.where(np.isnan(block), block.dtype.type(self.ufunc.identity), block)
        dtype = None if self.dtype.kind in "mM" else self.dtype
        return np.asarray(self.ufunc.accumulate(block, axis=self.axis, dtype=dtype))


class _End:
    def __init__(self, axis: int) -> None:
        self.axis = axis

    def __call__(self, block: np.ndarray) -> np.ndarray:
        extent = block.shape[self.axis]
        return block.take([extent - 1] if extent else [], axis=self.axis)


class _Advance:
    def __init__(self, ufunc: Any) -> None:
        self.ufunc = ufunc

    def __call__(self, state: np.ndarray | None, end: np.ndarray) -> np.ndarray:
        if state is None or 0 in end.shape:
            return end if state is None else state
        return np.asarray(self.ufunc(state, end))


class _Shift:
    def __init__(self, ufunc: Any) -> None:
        self.ufunc = ufunc

    def __call__(self, block: np.ndarray, state: np.ndarray | None) -> np.ndarray:
        if state is None or 0 in state.shape:
            return block
        return np.asarray(self.ufunc(state, block))

"""CountArray and DistinctArray: sums of counts, and distinct elements, through a tree."""

from __future__ import annotations

from collections.abc import Sequence
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
class CountArray(ArrayNode):
    """Counts of each block added up: bincount, histograms.

    Attributes
    ----------
    operands : tuple of ArrayNode
        Arrays of as many blocks, or of one.
    function : Opaque
        Gives an array of counts for the blocks of the operands.
    result : dtype
    length : int or None
        Of the counts; None when the data decide. Shorter counts go on with zeros.
    """

    operands: tuple[ArrayNode, ...]
    function: Opaque
    result: np.dtype
    length: int | None

    name = "count"

    @cached_property
    def schema(self) -> ArraySchema:
        if self.length is None:
            bound = max(self.operands[0].schema.block_items, 1 << 10)
            return ArraySchema(((np.nan,),), self.result, bound)  # type: ignore[arg-type]
        return ArraySchema(((self.length,),), self.result)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = [lowering.blocks(operand) for operand in self.operands]
        nbytes = max(1, self.schema.block_nbytes)
        counted = blockwise(
            lowering,
            self.name,
            self.function.value,
            blocks,
            nbytes=nbytes,
            memory=TaskMemory(input_factor=2.0, output=nbytes),
        )
        total = tree_reduce(lowering, f"{self.name} combine", _added, counted)
        return blockwise(lowering, self.name, partial(_typed, self.result), [total], nbytes=nbytes)


def _added(counts: Sequence[np.ndarray]) -> np.ndarray:
    total = max(counts, key=len).astype(np.result_type(*counts))
    largest = next(k for k, each in enumerate(counts) if len(each) == len(total))
    for place, each in enumerate(counts):
        if place != largest:
            total[: len(each)] += each
    return total


def _typed(dtype: np.dtype, counts: np.ndarray) -> np.ndarray:
    return counts.astype(dtype, copy=False)


@record(eq=False)
class DistinctArray(ArrayNode):
    """Distinct elements of an array of one axis, with their first positions and their counts.

    Attributes
    ----------
    equal_nan : bool
        Whether all NaN are one element, or each is distinct.
    """

    input: ArrayNode
    equal_nan: bool = True

    name = "unique"

    @cached_property
    def schema(self) -> ArraySchema:
        before = self.input.schema
        bound = max(before.block_items, 1)
        return ArraySchema(((np.nan,),), before.dtype, bound)  # type: ignore[arg-type]

    def lower(self, lowering: Lowering) -> Blocks:
        before = self.input.schema
        starts = before.starts[0] if before.known else (0,) * before.nblocks
        nbytes = before.block_items * (before.dtype.itemsize + 16)
        found = blockwise(
            lowering,
            self.name,
            partial(_distinct, self.equal_nan),
            [lowering.blocks(self.input)],
            arguments=starts,
            nbytes=nbytes,
            memory=TaskMemory(input_factor=3.0, output=max(1, nbytes)),
        )
        return tree_reduce(
            lowering, f"{self.name} combine", partial(_merged, self.equal_nan), found
        )


def _distinct(equal_nan: bool, start: int, block: np.ndarray) -> tuple[np.ndarray, ...]:
    values, index, counts = np.unique(
        block, return_index=True, return_counts=True, equal_nan=equal_nan
    )
    return values, index + start, counts


def _merged(equal_nan: bool, parts: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    values, index, inverse = np.unique(
        np.concatenate([part[0] for part in parts]),
        return_index=True,
        return_inverse=True,
        equal_nan=equal_nan,
    )
    first = np.concatenate([part[1] for part in parts])[index]
    counts = np.zeros(len(values), np.intp)
    np.add.at(counts, inverse, np.concatenate([part[2] for part in parts]))
    return values, first, counts


@record(eq=False)
class PartOfDistinct(ArrayNode):
    """The distinct elements (0), their first positions (1), or their counts (2)."""

    input: DistinctArray
    part: int
    result: np.dtype

    name = "unique"

    @cached_property
    def schema(self) -> ArraySchema:
        before = self.input.schema
        return ArraySchema(before.chunks, self.result, before.bound)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        return blockwise(lowering, self.name, partial(_part, self.part), [blocks])


def _part(place: int, found: Any) -> np.ndarray:
    return found[place]

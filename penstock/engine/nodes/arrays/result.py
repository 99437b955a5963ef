"""WholeArray: all blocks written into one array, as ``compute`` gives it.

The array is claimed from the budget before the first block is made, and each
block is gone once it is written: the result is in memory once and not twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from penstock.config import format_bytes
from penstock.engine.kernels.arrays.blocks import joined
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.plan import ArrayNode, Node
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.errors import MemoryLimitError
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


class Target:
    """An array under construction: what the store counts, but cannot spill."""

    base = None
    nbytes = 0

    def __init__(self, schema: ArraySchema) -> None:
        self.values = np.empty(schema.shape, schema.dtype)
        self.nbytes = int(self.values.nbytes)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an array under construction stays in memory")


@record(eq=False)
class WholeArray(Node):
    """The first block is a `Target` that holds all elements once the others are done."""

    input: ArrayNode

    name = "whole-array"

    @property
    def schema(self) -> ArraySchema:
        return self.input.schema

    @property
    def npartitions(self) -> int:
        return self.input.npartitions + 1

    def lower(self, lowering: Lowering) -> Blocks:
        schema = self.schema
        if not schema.known:
            return self._joined(lowering)
        if schema.nbytes > lowering.budget:
            raise MemoryLimitError(
                f"the result, an array of shape {schema.shape} and dtype {schema.dtype}, takes "
                f"{format_bytes(schema.nbytes)}, but the budget under memory_limit is "
                f"{format_bytes(lowering.budget)}; reduce or slice it, iterate over its blocks "
                "with iter_blocks(), keep it with persist(), or raise memory_limit"
            )
        target = blockwise(
            lowering,
            "result",
            _Allocate(schema),
            [],
            ntasks=1,
            nbytes=schema.nbytes,
            memory=TaskMemory(input_factor=0.0, output=schema.nbytes),
        ).shared()
        written = blockwise(
            lowering,
            self.name,
            _Write(schema),
            [lowering.blocks(self.input), target],
            arguments=range(schema.nblocks),
            nbytes=1,
            memory=TaskMemory(input_factor=0.0, output=1),  # 0 would mean as much as the inputs
        )
        return Blocks(np.concatenate([target.ids, written.ids]), schema.block_nbytes)

    def _joined(self, lowering: Lowering) -> Blocks:
        """Return one block of all, whose sizes are only known once they are there."""
        blocks = lowering.blocks(self.input)
        return tree_reduce(
            lowering, "result", _Join(self.schema.numblocks), blocks, split_every=len(blocks)
        )


class _Join:
    def __init__(self, numblocks: tuple[int, ...]) -> None:
        self.numblocks = numblocks

    def __call__(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        return joined(blocks, self.numblocks, tuple(range(len(self.numblocks))))


class _Allocate:
    def __init__(self, schema: ArraySchema) -> None:
        self.schema = schema

    def __call__(self) -> Target:
        return Target(self.schema)


class _Write:
    def __init__(self, schema: ArraySchema) -> None:
        self.schema = schema

    def __call__(self, number: int, block: Any, target: Target) -> None:
        target.values[self.schema.region(number)] = block

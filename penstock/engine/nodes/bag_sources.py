"""Leaves of a bag plan: sequences, lines of text files, stored blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from penstock.blocks import block_nbytes
from penstock.engine.kernels.bags import joined
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.sources import DEFAULT_BLOCK_BYTES, read_carried, stored_blocks
from penstock.engine.plan import BagNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.lowering import add_stage
from penstock.io.source import CarrySource, Pushdown, Split
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class FromSequence(BagNode):
    """Cut a list in memory into neighbouring runs of `size` items."""

    items: Opaque
    size: int

    name = "from-sequence"

    @property
    def npartitions(self) -> int:
        return max(1, -(-len(self.items.value) // self.size))

    @cached_property
    def nbytes(self) -> int:
        return block_nbytes(self.items.value)

    def lower(self, lowering: Lowering) -> Blocks:
        count = self.npartitions
        nbytes = self.nbytes // count
        return blockwise(
            lowering,
            self.name,
            _Run(self.items.value, self.size),
            [],
            ntasks=count,
            arguments=range(count),
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, output=nbytes),
        )

    def describe(self) -> str:
        return f"{len(self.items.value)} items"


class _Run:
    def __init__(self, items: list[Any], size: int) -> None:
        self.items = items
        self.size = size

    def __call__(self, number: int) -> list[Any]:
        return self.items[number * self.size : (number + 1) * self.size]


@record(eq=False)
class ReadText(BagNode):
    """Read the lines of a text source.

    Attributes
    ----------
    source : CarrySource
        Gives lists.
    target_bytes : int or None
        Wanted bytes of a block; None until the optimizer chooses.
    files_per_partition : int or None
        Join the blocks of so many files each.
    """

    source: CarrySource
    target_bytes: int | None = None
    files_per_partition: int | None = None

    name = "read-text"

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """The units of reading."""
        return tuple(self.source.split(Pushdown(), self.target_bytes or DEFAULT_BLOCK_BYTES))

    @cached_property
    def _group_starts(self) -> list[int]:
        """Position of the first split of each run of files that becomes one block."""
        assert self.files_per_partition is not None
        firsts = [place for place, split in enumerate(self.splits) if split.first]
        return firsts[:: self.files_per_partition]

    @property
    def npartitions(self) -> int:
        count = len(self.splits if self.files_per_partition is None else self._group_starts)
        return max(1, count)

    @cached_property
    def nbytes(self) -> int:
        return sum(split.nbytes for split in self.splits)

    def sized(self, block_bytes: int) -> ReadText:
        return self if self.target_bytes is not None else replace(self, target_bytes=block_bytes)

    def lower(self, lowering: Lowering) -> Blocks:
        splits = self.splits
        if not splits:
            return blockwise(lowering, self.name, list, [], ntasks=1, nbytes=0)
        nbytes = max(split.nbytes for split in splits)
        stored = max(max(split.stored_bytes, 1) for split in splits)
        parse = _ParseLines(self.source)
        blocks = read_carried(lowering, self.name, self.source, splits, parse, nbytes, stored)
        if self.files_per_partition is None:
            return blocks
        starts = self._group_starts
        whole = max(1, self.nbytes // len(starts))
        return add_stage(
            lowering,
            "join files",
            joined,
            (np.append(starts, len(splits)), blocks.ids),
            csr=True,
            nbytes=whole,
            gathers=True,
            memory=TaskMemory(input_factor=0.0, output=whole),
        )

    def describe(self) -> str:
        return f"{self.source.describe().get('files', '')} files"


class _ParseLines:
    def __init__(self, source: CarrySource) -> None:
        self.source = source

    def __call__(self, split: Split, payload: Any, state: Any) -> Sequence[Any]:
        return self.source.parse(payload, state, split, Pushdown())


@record(eq=False)
class PersistedBag(BagNode):
    """Lists that an earlier run left in the store."""

    handles: tuple[Any, ...]

    name = "persisted"

    @property
    def npartitions(self) -> int:
        return len(self.handles)

    @cached_property
    def nbytes(self) -> int:
        return sum(handle.nbytes for handle in self.handles)

    def lower(self, lowering: Lowering) -> Blocks:
        return stored_blocks(lowering, self.handles, self.nbytes)

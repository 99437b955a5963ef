"""Repartition: the same rows in the same order, in blocks of other sizes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from penstock.blocks import compact, concat_tables
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.lowering import add_stage
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Repartition(FrameNode):
    """Join neighbouring blocks, or cut blocks, to get `partitions` of them.

    Attributes
    ----------
    partitions : int or None
        Number of blocks wanted.
    partition_bytes : int or None
        Wanted bytes of a block in memory, when no number is given.
    """

    input: FrameNode
    partitions: int | None = None
    partition_bytes: int | None = None

    name = "repartition"
    moves_rows = True
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def npartitions(self) -> int:
        return self._wanted(self.input.nbytes)

    def _wanted(self, nbytes: int) -> int:
        if self.partitions is not None:
            return self.partitions
        return max(1, -(-nbytes // (self.partition_bytes or nbytes or 1)))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        wanted = self._wanted(blocks.nbytes * len(blocks))
        if wanted <= len(blocks):
            bounds = np.linspace(0, len(blocks), wanted + 1).astype(np.int64)
            return _joined(lowering, self.name, blocks, bounds)
        # part k of the result is a share of the rows of block k * n // wanted
        owner = np.arange(wanted) * len(blocks) // wanted
        first = np.searchsorted(owner, owner)
        count = np.bincount(owner, minlength=len(blocks))[owner]
        shares = list(zip((np.arange(wanted) - first).tolist(), count.tolist(), strict=True))
        return blockwise(
            lowering,
            self.name,
            _share,
            [Blocks(blocks.ids[owner], blocks.nbytes, None, blocks.origin)],
            arguments=shares,
            nbytes=blocks.nbytes * len(blocks) // wanted,
        )

    def describe(self) -> str:
        return f"{self.partitions} partitions" if self.partitions else f"{self.partition_bytes} B"


def _joined(lowering: Lowering, name: str, blocks: Blocks, bounds: np.ndarray) -> Blocks:
    nbytes = blocks.nbytes * int(np.diff(bounds).max())
    return add_stage(
        lowering,
        name,
        concat_tables,
        (bounds, blocks.ids),
        csr=True,
        nbytes=nbytes,
        gathers=True,
        memory=TaskMemory(input_factor=1.0, output=nbytes),
    )


def _share(share: tuple[int, int], table: pa.Table) -> pa.Table:
    part, parts = share
    start = table.num_rows * part // parts
    stop = table.num_rows * (part + 1) // parts
    return compact(table.slice(start, stop - start))


@record(eq=False)
class Subdivide(FrameNode):
    """Cut blocks whose rows are about to become `growth` times as wide, where they are too large.

    Blocks that fit are left as they are.
    """

    input: FrameNode
    growth: float

    name = "subdivide"
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        pieces = int(-(-blocks.nbytes * self.growth // lowering.block_bytes))
        if pieces <= 1:
            return blocks
        blocks = blocks.shared()
        owner = np.repeat(np.arange(len(blocks)), pieces)
        return blockwise(
            lowering,
            self.name,
            _share,
            [Blocks(blocks.ids[owner], blocks.nbytes, None, blocks.origin)],
            arguments=[(part, pieces) for _ in range(len(blocks)) for part in range(pieces)],
            nbytes=max(1, blocks.nbytes // pieces),
        )

    def describe(self) -> str:
        return f"for rows {self.growth:.3g} times as wide"


@record(eq=False)
class RepartitionDivisions(FrameNode):
    """Cut rows that are sorted by the index at the given index values.

    Attributes
    ----------
    bounds : tuple
        First index value of each block, and the last one of the last block. Rows beyond
        either end are an error: none may get lost.
    """

    input: FrameNode
    bounds: tuple

    name = "repartition"
    moves_rows = True
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def npartitions(self) -> int:
        return len(self.bounds) - 1

    @property
    def divisions(self) -> tuple | None:
        return self.bounds

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns | frozenset(self.input.schema.index[:1]),)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input).shared()
        index = self.input.schema.index[0]
        known = self.input.divisions
        if known is not None and len(known) != len(blocks) + 1:
            known = None
        parts: list[tuple[int, int]] = []
        arguments: list[tuple] = []
        last = self.npartitions - 1
        for part in range(self.npartitions):
            low, high = self.bounds[part], self.bounds[part + 1]
            near = [
                block
                for block in range(len(blocks))
                if known is None or (known[block] <= high and known[block + 1] >= low)
            ]
            # a part without rows still is a block, and says what columns there are
            for block in near or [0]:
                parts.append((part, block))
                arguments.append((low, high, part == 0, part == last))
        pairs = np.array(parts)
        cut = blockwise(
            lowering,
            f"{self.name} cut",
            partial(_between, index),
            [Blocks(blocks.ids[pairs[:, 1]], blocks.nbytes)],
            arguments=arguments,
            nbytes=blocks.nbytes * len(blocks) // len(parts),
            memory=TaskMemory(input_factor=1.0, output=blocks.nbytes),
        )
        bounds = np.searchsorted(pairs[:, 0], np.arange(self.npartitions + 1))
        return _joined(lowering, self.name, cut, bounds)

    def describe(self) -> str:
        return f"{self.npartitions} divisions"


def _between(index: str, bounds: tuple, table: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    low, high, first, last = bounds
    column = table.column(index)
    low, high = pa.scalar(low).cast(column.type), pa.scalar(high).cast(column.type)
    if column.null_count:
        raise ValueError(
            f"repartition: {column.null_count} row labels are missing; drop them first"
        )
    _check_end(first and _any(pc.less(column, low)), "left", low)
    _check_end(last and _any(pc.greater(column, high)), "right", high)
    upper = pc.less_equal(column, high) if last else pc.less(column, high)
    return compact(table.filter(pc.and_(pc.greater_equal(column, low), upper)))


def _any(mask: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(mask).as_py())


def _check_end(outside: bool, side: str, bound: pa.Scalar) -> None:
    if outside:
        raise ValueError(
            f"repartition: rows are labelled beyond {bound.as_py()!r}, the {side} end of the new "
            "divisions, which must hold all rows"
        )

"""Rows that went through an exchange, brought back into the blocks that they came from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.partition import scatter
from penstock.engine.kernels.sort import sort_table
from penstock.engine.primitives import Blocks, Lowering, blockwise, exchange
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

POSITION = "__position__"
"""Column of the block that a row is of (the high bits) and of its place there."""

# A block of 2**36 rows does not fit any memory, and 2**27 blocks no plan.
_ROW_BITS = 36


def positions(block: int, rows: int) -> np.ndarray:
    """Return the positions of the rows of a block."""
    start = block << _ROW_BITS
    return np.arange(start, start + rows, dtype=np.int64)


def places(array: pa.Array) -> np.ndarray:
    """Return the places within their block that positions tell."""
    return array.to_numpy() & ((1 << _ROW_BITS) - 1)


def with_positions(block: int, table: pa.Table) -> pa.Table:
    """Return `table` with the positions of its rows."""
    import pyarrow as pa

    return table.append_column(POSITION, pa.array(positions(block, table.num_rows)))


@record
class _BlockPartitioner:
    """Rows of one block meet in one partition, the one of its number."""

    count: int
    npartitions: int = 1
    fitted: bool = False
    ordered: bool = False

    def sample(self, table: pa.Table, rows: int) -> pa.Table:
        return table.slice(0, 0)

    def fit(self, sample: pa.Table, npartitions: int) -> _BlockPartitioner:
        # a block is not cut again: what was read as one fits
        return replace(self, npartitions=1 if self.fitted else self.count, fitted=True)

    def split(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        if self.npartitions == 1:
            return table, np.array([0, table.num_rows])
        numbers = single_chunk(table.column(POSITION)).to_numpy() >> _ROW_BITS
        return scatter(table, numbers, self.npartitions)

    def around(self, sample: pa.Table) -> _BlockPartitioner:
        raise TypeError("rows of one block stay together")


def return_rows(
    lowering: Lowering, name: str, blocks: Blocks, count: int, schema: pa.Schema, nbytes: int
) -> Blocks:
    """Return `count` blocks that hold the rows of `blocks` by their positions, in order.

    Parameters
    ----------
    name : str
        Of the operation.
    blocks : Blocks
        Tables with a column `POSITION`.
    count : int
        Number of blocks that the rows came from.
    schema : pyarrow.Schema
        Of the tables, for blocks that no row came from.
    nbytes : int
        Expected bytes of all rows together.
    """
    # a row for each block, so that also those without rows get a partition of their own
    marks = blockwise(lowering, f"{name} blocks", partial(_marks, count), [], ntasks=1)
    partitioner = _BlockPartitioner(count)
    return exchange(
        lowering,
        f"{name} return",
        [blocks, marks],
        [partitioner, partitioner],
        partial(_in_place, schema),
        nbytes=max(1, nbytes),
        slots=count,
    )


def _marks(count: int) -> pa.Table:
    import pyarrow as pa

    return pa.table({POSITION: np.arange(count, dtype=np.int64) << _ROW_BITS})


def _in_place(schema: pa.Schema, pieces: list[pa.Table], marks: list[pa.Table]) -> pa.Table:
    if sum(mark.num_rows for mark in marks) != 1:
        raise RuntimeError("rows of several blocks came back as one: blocks were mixed up")
    pieces = [piece for piece in pieces if piece.num_rows]
    if not pieces:
        return schema.empty_table()
    return sort_table(concat_tables(pieces), [POSITION], [True], "last")

"""WithMargins: each block together with a margin of its neighbours along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from penstock.engine.kernels.arrays.halo import Margins, Piece, cut, margins, with_margins
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.lowering import add_stage
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


@record(eq=False)
class WithMargins(ArrayNode):
    """Blocks that hold elements of their neighbours too.

    Attributes
    ----------
    axis : int
    before, after : int
        How many elements on either side.
    mode : str
        What is beyond the ends; see `margins`.
    value : object
        For the mode ``"constant"``.
    """

    input: ArrayNode
    axis: int
    before: int
    after: int
    mode: str
    value: Any = None

    name = "overlap"

    @cached_property
    def margins(self) -> tuple[Margins, ...]:
        """The margins of each block along the axis."""
        sizes = self.input.schema.chunks[self.axis]
        return margins(sizes, self.before, self.after, self.mode)

    @cached_property
    def schema(self) -> ArraySchema:
        chunks = list(self.input.schema.chunks)
        chunks[self.axis] = tuple(
            size + sum(each.sizes)
            for size, each in zip(chunks[self.axis], self.margins, strict=True)
        )
        return ArraySchema(tuple(chunks), self.input.schema.dtype)

    def lower(self, lowering: Lowering) -> Blocks:
        before = self.input.schema
        blocks = lowering.blocks(self.input).shared()
        grid = np.moveaxis(blocks.ids.reshape(before.numblocks), self.axis, -1)
        count = grid.shape[-1]
        rows = grid.reshape(-1, count)  # one for each place along the other axes
        pieces = [
            piece
            for each in self.margins
            for piece in (*each.before, *each.after)
            if piece.block >= 0
        ]
        edges: np.ndarray = np.empty((len(rows), 0), np.int64)
        nbytes = self.schema.block_nbytes
        if pieces:
            taken = rows[:, [piece.block for piece in pieces]]
            largest = max(piece.size for piece in pieces)
            edge_bytes = before.block_nbytes // max(1, *before.chunks[self.axis]) * largest
            edges = blockwise(
                lowering,
                f"{self.name} edge",
                partial(_cut, self.axis),
                [Blocks(np.ascontiguousarray(taken).ravel(), blocks.nbytes)],
                arguments=_Repeated(pieces, len(rows)),
                nbytes=edge_bytes,
                memory=TaskMemory(input_factor=0.0, output=max(1, edge_bytes)),
            ).ids.reshape(taken.shape)
        indices, lengths, layouts = self._joins(rows, edges)
        joined = add_stage(
            lowering,
            self.name,
            partial(_join, self.axis, self.value),
            (np.concatenate([[0], np.cumsum(lengths)]), indices),
            csr=True,
            arguments=_Repeated(layouts, len(rows)),
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, output=max(1, nbytes)),
        )
        ids = np.moveaxis(joined.ids.reshape(grid.shape), -1, self.axis)
        return Blocks(np.ascontiguousarray(ids).ravel(), nbytes)

    def _joins(
        self, rows: np.ndarray, edges: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[tuple[int, ...], tuple[int, ...]]]]:
        """Return the inputs of each block's task, how many they are, and how they are joined."""
        columns: list[np.ndarray] = []
        lengths, layouts = [], []
        place = 0
        for own, each in enumerate(self.margins):
            start = len(columns)
            for part in (each.before, None, each.after):
                if part is None:
                    columns.append(rows[:, own])
                    continue
                for piece in part:
                    if piece.block >= 0:
                        columns.append(edges[:, place])
                        place += 1
            lengths.append(len(columns) - start)
            layouts.append((_fills(each.before), _fills(each.after)))
        indices = np.stack(columns, axis=1).ravel()
        return indices, np.tile(lengths, len(rows)), layouts

    def describe(self) -> str:
        return f"{self.before} before and {self.after} after along axis {self.axis}, {self.mode}"


def _fills(pieces: tuple[Piece, ...]) -> tuple[int, ...]:
    return tuple(piece.size if piece.block < 0 else 0 for piece in pieces)


def _cut(axis: int, piece: Piece, block: np.ndarray) -> np.ndarray:
    return cut(axis, piece, block)


def _join(axis: int, value: Any, layout: Any, *parts: np.ndarray) -> np.ndarray:
    return with_margins(axis, value, layout, parts)


class _Repeated(Sequence[Any]):
    """The same arguments again and again, without a list of them."""

    def __init__(self, items: list[Any], times: int) -> None:
        self.items = items
        self.times = times

    def __len__(self) -> int:
        return math.prod((len(self.items), self.times))

    def __getitem__(self, place: Any) -> Any:
        return self.items[place % len(self.items)]

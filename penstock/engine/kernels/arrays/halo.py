"""Blocks with a margin: what to take of which neighbour, and joining the pieces."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from penstock.records import record

MODES = ("none", "periodic", "reflect", "nearest", "constant")


@record
class Piece:
    """A part of a block's margin along one axis.

    Attributes
    ----------
    block : int
        Which block it comes from; -1 for a constant, which comes from none.
    part : slice
        Which elements of that block.
    size : int
        Elements of the margin that it makes.
    """

    block: int
    part: slice
    size: int


@record
class Margins:
    """The pieces in front of a block and behind it."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    @property
    def sizes(self) -> tuple[int, int]:
        """Elements in front and behind."""
        return sum(piece.size for piece in self.before), sum(piece.size for piece in self.after)


def margins(sizes: Sequence[int], before: int, after: int, mode: str) -> tuple[Margins, ...]:
    """Return the margins of each block of an axis with chunks of `sizes`.

    Parameters
    ----------
    sizes : sequence of int
    before, after : int
        Elements wanted on either side. They come from as many neighbours as it takes.
    mode : {"none", "periodic", "reflect", "nearest", "constant"}
        What is beyond the ends of the axis. Reflection repeats the last element.

    Examples
    --------
    >>> [each.sizes for each in margins((3, 3), 1, 1, "none")]
    [(0, 1), (1, 0)]
    """
    bounds = [0, *accumulate(sizes)]
    extent = bounds[-1]
    found = []
    for start, stop in pairwise(bounds):
        front = _between(start - before, start, extent, mode)
        behind = _between(stop, stop + after, extent, mode)
        found.append(Margins(_pieces(front, bounds), _pieces(behind, bounds)))
    return tuple(found)


def _between(low: int, high: int, extent: int, mode: str) -> list[tuple[int, int, int]]:
    """Return (first, count, step) runs of elements; a step of 0 repeats, a first of -1 is constant."""
    runs: list[tuple[int, int, int]] = []
    left = min(high, 0) - low
    if left > 0:
        runs += {
            "none": [],
            "constant": [(-1, left, 0)],
            "nearest": [(0, left, 0)],
            "periodic": [(low + extent, left, 1)],
            "reflect": [(-1 - low, left, -1)],
        }[mode]
    inside = min(high, extent) - max(low, 0)
    if inside > 0:
        runs.append((max(low, 0), inside, 1))
    right = high - max(low, extent)
    if right > 0:
        first = max(low, extent)
        runs += {
            "none": [],
            "constant": [(-1, right, 0)],
            "nearest": [(extent - 1, right, 0)],
            "periodic": [(first - extent, right, 1)],
            "reflect": [(2 * extent - 1 - first, right, -1)],
        }[mode]
    return runs


def _pieces(runs: list[tuple[int, int, int]], bounds: Sequence[int]) -> tuple[Piece, ...]:
    pieces = []
    for first, count, step in runs:
        if first < 0:
            pieces.append(Piece(-1, slice(0, 0), count))
            continue
        while count:
            block = bisect_right(bounds, first) - 1
            start = first - bounds[block]
            if step == 0:
                pieces.append(Piece(block, slice(start, start + 1), count))
                break
            room = bounds[block + 1] - first if step > 0 else start + 1
            taken = min(count, room)
            if step > 0:
                part = slice(start, start + taken)
            else:
                part = slice(start, start - taken if start - taken >= 0 else None, -1)
            pieces.append(Piece(block, part, taken))
            first += step * taken
            count -= taken
    return tuple(pieces)


def cut(axis: int, piece: Piece, block: np.ndarray) -> np.ndarray:
    """Return a copy of what a margin takes of a block."""
    index = (slice(None),) * axis + (piece.part,)
    part = block[index]
    if part.shape[axis] != piece.size:
        return np.repeat(part, piece.size, axis=axis)
    return part.copy()


def with_margins(
    axis: int, value: Any, layout: tuple[tuple[int, ...], tuple[int, ...]], parts: Sequence[Any]
) -> np.ndarray:
    """Return a block and the pieces of its margins as one array.

    Parameters
    ----------
    value : scalar
        Beyond the ends of the array.
    layout : (tuple of int, tuple of int)
        For each piece in front and behind 0, or the length of a constant one, which is not
        among `parts`.
    parts : sequence of ndarray
        The pieces in front, the block, and those behind.
    """
    before, after = layout
    given = list(parts)
    own = given[sum(not fill for fill in before)]

    def filled(length: int) -> np.ndarray:
        shape = (*own.shape[:axis], length, *own.shape[axis + 1 :])
        return np.full(shape, value, own.dtype)

    pieces = [filled(fill) if fill else given.pop(0) for fill in before]
    pieces.append(given.pop(0))
    pieces += [filled(fill) if fill else given.pop(0) for fill in after]
    return np.concatenate(pieces, axis=axis) if len(pieces) > 1 else pieces[0]


def trimmed(
    cuts: Sequence[Sequence[tuple[int, int]]], position: tuple[int, ...], block: np.ndarray
) -> np.ndarray:
    """Return `block`, at `position` of the grid, without so many elements at both ends of axes."""
    index = []
    for axis, (each, at) in enumerate(zip(cuts, position, strict=True)):
        front, behind = each[at]
        index.append(slice(front, block.shape[axis] - behind))
    part = block[tuple(index)]
    return part if part.shape == block.shape else part.copy()

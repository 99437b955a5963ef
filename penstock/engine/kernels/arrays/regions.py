"""What each block of an array takes of the blocks of another: pieces along each axis.

Slicing, rechunking, taking by positions, rolling and padding with what is there are all the same:
along each axis, the elements of the result are elements of the input in some order. Blocks are
then cut and joined piece by piece, axis by axis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

_PART = 4 << 20
"""Bytes of a block's pieces that share memory."""


class AxisPieces:
    """Along one axis, which part of which input chunk goes where in which chunk of the result.

    Pieces are ordered by chunk of the result. There is one for each pair of chunks that have
    elements in common.

    Attributes
    ----------
    target, source : ndarray
        Chunk of the result, and of the input, of each piece.
    bounds : ndarray
        Where the pieces of each chunk of the result begin.
    counts : ndarray
        Elements of each piece.
    """

    def __init__(
        self,
        sizes: tuple[np.ndarray, np.ndarray],
        target: np.ndarray,
        source: np.ndarray,
        counts: np.ndarray,
        takes: tuple[np.ndarray, np.ndarray, int] | tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        self.ninputs, self.ntargets = len(sizes[0]), len(sizes[1])
        self.sizes = sizes[1]
        self.target = target
        self.source = source
        self.counts = counts
        self.bounds = np.searchsorted(target, np.arange(self.ntargets + 1))
        self._takes = takes
        self._pairs: dict[tuple[int, int], int] | None = None

    def taken(self, piece: int) -> slice | np.ndarray:
        """Return what a piece takes of its input chunk."""
        count = int(self.counts[piece])
        if isinstance(self._takes[2], int):
            first, step = int(self._takes[0][piece]), self._takes[2]
            stop = first + count * step
            return slice(first, stop if stop >= 0 else None, step)
        start = int(self._takes[2][piece])
        return _straight(self._takes[0][start : start + count])

    def put(self, piece: int) -> slice | np.ndarray:
        """Return where a piece goes in its chunk of the result."""
        count = int(self.counts[piece])
        if isinstance(self._takes[2], int):
            first = int(self._takes[1][piece])
            return slice(first, first + count)
        start = int(self._takes[2][piece])
        return _straight(self._takes[1][start : start + count])

    def of_input(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pieces ordered by input chunk, and where those of each begin."""
        order = np.argsort(self.source, kind="stable")
        return order, np.searchsorted(self.source[order], np.arange(self.ninputs + 1))

    def pair(self, source: int, target: int) -> int:
        """Return the piece that two chunks have in common."""
        if self._pairs is None:
            self._pairs = {
                pair: piece
                for piece, pair in enumerate(
                    zip(self.source.tolist(), self.target.tolist(), strict=True)
                )
            }
        return self._pairs[source, target]


def _straight(index: np.ndarray) -> slice | np.ndarray:
    """Return positions as a slice when they follow each other."""
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def affine_pieces(start: int, step: int, before: Sequence[int], after: Sequence[int]) -> AxisPieces:
    """Return the pieces of a result whose element `i` is element ``start + i * step``."""
    have, want = np.asarray(before, np.int64), np.asarray(after, np.int64)
    begins, ends = np.cumsum(have) - have, np.cumsum(want)
    total = int(ends[-1]) if len(ends) else 0
    # the first element of the result that lies in each input chunk, or beyond it
    if step > 0:
        cuts = -((start - begins) // step)
    else:
        cuts = (start - begins) // -step + 1
    cuts = np.unique(np.concatenate([[0], ends, cuts[(cuts > 0) & (cuts < total)]]))
    cuts = cuts[cuts <= total]
    first, counts = cuts[:-1], np.diff(cuts)
    target = np.searchsorted(ends, first, "right")
    at = start + first * step
    source = np.searchsorted(begins, at, "right") - 1
    # chunks of no elements begin where the next one does
    into = first - (ends - want)[target]
    return AxisPieces((have, want), target, source, counts, (at - begins[source], into, step))


def index_pieces(index: np.ndarray, before: Sequence[int], after: Sequence[int]) -> AxisPieces:
    """Return the pieces of a result whose element `i` is element ``index[i]``."""
    have, want = np.asarray(before, np.int64), np.asarray(after, np.int64)
    begins, ends = np.cumsum(have) - have, np.cumsum(want)
    source = np.searchsorted(begins, index, "right") - 1
    target = np.searchsorted(ends, np.arange(len(index)), "right")
    order = np.lexsort((source, target))
    source, target = source[order], target[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(source) != 0) | (np.diff(target) != 0)
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(order)))
    into = order - (ends - want)[target]
    taken = index[order] - begins[source]
    return AxisPieces((have, want), target[starts], source[starts], counts, (taken, into, starts))


def point_pieces(
    points: Sequence[np.ndarray], before: Sequence[Sequence[int]], after: Sequence[int]
) -> AxisPieces:
    """Return the pieces of a result whose element `i` is at ``points[0][i], points[1][i], ...``.

    The axes of the input count as one, whose chunks are the blocks of their
    grid, and the elements of a block follow each other in C order.
    """
    want = np.asarray(after, np.int64)
    ends = np.cumsum(want)
    block = np.zeros(len(points[0]), np.int64)
    inside = np.zeros(len(points[0]), np.int64)
    for index, sizes in zip(points, before, strict=True):
        have = np.asarray(sizes, np.int64)
        begins = np.cumsum(have) - have
        at = np.searchsorted(begins, index, "right") - 1
        block = block * len(have) + at
        inside = inside * have[at] + index - begins[at]
    target = np.searchsorted(ends, np.arange(len(block)), "right")
    order = np.lexsort((block, target))
    block, target = block[order], target[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(block) != 0) | (np.diff(target) != 0)
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(order)))
    into = order - (ends - want)[target]
    have = np.zeros(math.prod(map(len, before)), np.int64)
    return AxisPieces(
        (have, want), target[starts], block[starts], counts, (inside[order], into, starts)
    )


def needed_blocks(axes: Sequence[AxisPieces]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each block of the result, as a CSR pair, the input blocks that it takes."""
    counts = [np.diff(axis.bounds) for axis in axes]
    shape = tuple(axis.ntargets for axis in axes)
    ntasks = math.prod(shape)
    rows = np.arange(ntasks)
    block = np.zeros(ntasks, np.int64)
    places = np.unravel_index(rows, shape) if shape else ()
    for axis, count, place in zip(axes, counts, places, strict=True):
        at = place[rows]
        width = count[at]
        repeated = np.repeat(np.arange(len(rows)), width)
        within = np.arange(len(repeated)) - np.repeat(np.cumsum(width) - width, width)
        piece = axis.bounds[at][repeated] + within
        block = block[repeated] * axis.ninputs + axis.source[piece]
        rows = rows[repeated]
    return np.searchsorted(rows, np.arange(ntasks + 1)), block


class Cutter:
    """Cuts input blocks into pieces and joins pieces to blocks of the result.

    Parameters
    ----------
    axes : sequence of AxisPieces
    dtype : dtype
    joint : int
        Leading axes of the input that count as one.
    """

    def __init__(self, axes: Sequence[AxisPieces], dtype: np.dtype, joint: int = 1) -> None:
        self.axes = tuple(axes)
        self.joint = joint
        self.dtype = dtype
        self.inputs = tuple(axis.ninputs for axis in axes)
        self.targets = tuple(axis.ntargets for axis in axes)
        self._by_input: list[tuple[np.ndarray, np.ndarray]] | None = None

    def shape(self, number: int) -> tuple[int, ...]:
        """Return the shape of block `number` of the result."""
        place = _position(number, self.targets)
        return tuple(int(axis.sizes[at]) for axis, at in zip(self.axes, place, strict=True))

    def gather(self, number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Return block `number` of the result from whole input blocks, as `needed_blocks` says."""
        blocks = [self._flat(block) for block in blocks]
        place = _position(number, self.targets)
        runs = [
            range(axis.bounds[at], axis.bounds[at + 1])
            for axis, at in zip(self.axes, place, strict=True)
        ]
        if len(blocks) == 1 and not any(
            isinstance(axis.put(run[0]), np.ndarray)
            for axis, run in zip(self.axes, runs, strict=True)
        ):
            part = _taken(blocks[0], [a.taken(r[0]) for a, r in zip(self.axes, runs, strict=True)])
            return part if part is blocks[0] else _owned(part, blocks[0])
        result = np.empty(self.shape(number), self.dtype)
        for pieces, block in zip(itertools.product(*runs), blocks, strict=True):
            found = _taken(
                block, [axis.taken(p) for axis, p in zip(self.axes, pieces, strict=True)]
            )
            _put(result, [axis.put(p) for axis, p in zip(self.axes, pieces, strict=True)], found)
        return result

    def _flat(self, block: np.ndarray) -> np.ndarray:
        return block.reshape(-1, *block.shape[self.joint :]) if self.joint > 1 else block

    def cut(
        self, number: int, block: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield what input block `number` gives: target blocks, bounds, and the elements.

        Each part has memory of its own, so that what is kept longer keeps nothing else.
        """
        if self._by_input is None:
            self._by_input = [axis.of_input() for axis in self.axes]
        place = _position(number, self.inputs)
        runs = [
            order[bounds[at] : bounds[at + 1]]
            for (order, bounds), at in zip(self._by_input, place, strict=True)
        ]
        targets = np.zeros(1, np.int64)
        counts = np.ones(1, np.int64)
        for axis, run in zip(self.axes, runs, strict=True):
            targets = (targets[:, None] * axis.ntargets + axis.target[run]).ravel()
            counts = (counts[:, None] * axis.counts[run]).ravel()
        block = self._flat(block)
        taken = [
            [axis.taken(piece) for piece in run] for axis, run in zip(self.axes, runs, strict=True)
        ]
        pieces = itertools.product(*taken)
        ends = np.cumsum(counts)
        part = (ends - counts) // max(1, _PART // self.dtype.itemsize)
        firsts = np.flatnonzero(np.diff(part, prepend=-1)).tolist()
        for first, last in itertools.pairwise([*firsts, len(targets)]):
            bounds = np.concatenate([[0], np.cumsum(counts[first:last])])
            room = np.empty(int(bounds[-1]), self.dtype)
            places = itertools.pairwise(bounds.tolist())
            for (start, stop), piece in zip(places, pieces, strict=False):
                found = _taken(block, piece)
                room[start:stop].reshape(found.shape)[...] = found
            yield targets[first:last], bounds, room

    def join(self, number: int, parts: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
        """Return block `number` of the result from ``(input block, elements)`` that `cut` gave."""
        place = _position(number, self.targets)
        result = np.empty(self.shape(number), self.dtype)
        for source, flat in parts:
            pieces = [
                axis.pair(at, to)
                for axis, at, to in zip(
                    self.axes, _position(source, self.inputs), place, strict=True
                )
            ]
            shape = tuple(
                int(axis.counts[piece]) for axis, piece in zip(self.axes, pieces, strict=True)
            )
            puts = [axis.put(piece) for axis, piece in zip(self.axes, pieces, strict=True)]
            _put(result, puts, flat.reshape(shape))
        return result


def _position(number: int, counts: tuple[int, ...]) -> tuple[int, ...]:
    place = []
    for count in reversed(counts):
        number, at = divmod(number, count)
        place.append(at)
    return tuple(reversed(place))


def _taken(block: np.ndarray, parts: Sequence[slice | np.ndarray]) -> np.ndarray:
    lists = [axis for axis, part in enumerate(parts) if isinstance(part, np.ndarray)]
    if len(lists) <= 1:
        return block[tuple(parts)]
    extents = zip(parts, block.shape, strict=True)
    return block[
        np.ix_(
            *(
                np.arange(*part.indices(extent)) if isinstance(part, slice) else part
                for part, extent in extents
            )
        )
    ]


def _put(result: np.ndarray, parts: Sequence[slice | np.ndarray], values: np.ndarray) -> None:
    if sum(isinstance(part, np.ndarray) for part in parts) <= 1:
        result[tuple(parts)] = values
        return
    index = [
        np.arange(part.start, part.stop) if isinstance(part, slice) else part for part in parts
    ]
    result[np.ix_(*index)] = values


def _owned(part: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return `part` with memory of its own, unless it is all of its block."""
    if part.nbytes == block.nbytes or part.flags.owndata or _repeats(block):
        return part
    return part.copy()


def _repeats(block: np.ndarray) -> bool:
    """Return whether one element stands for all of a block."""
    return not any(block.strides)

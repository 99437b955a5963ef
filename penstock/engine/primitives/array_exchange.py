"""The exchange of arrays: every block is cut into pieces that meet in the blocks of another grid.

Scatter tasks cut their block and hand the pieces to spillable buffers; gather tasks put a block
of the result together. Nothing is read twice and memory is bounded whatever the two grids.
Pieces that do not fit wait in one file, written in long runs that are ordered by block of the
result, so that a gather task reads a few long stretches, each of which follows the one before.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from penstock.engine.primitives.blockwise import blockwise
from penstock.engine.primitives.lowering import Blocks, Lowering, add_stage
from penstock.engine.primitives.pieces_file import PiecesFile, Stretch
from penstock.engine.primitives.read_ahead import ReadAhead
from penstock.scheduler import current_pool, direct_io
from penstock.scheduler.graph import TaskMemory

_CRUMBS = 1 << 20
"""Less than this in memory is not worth a flush."""
_TASKS = 4
"""Blocks for which there should be room while a worker writes, for the others to go on."""
_BAND = 64 << 20
"""Bytes of neighbouring pieces that are freed as soon as they are written."""
_SWEEPS = 64
"""How often what was gathered is freed."""


_Found = tuple[int, list[tuple[int, np.ndarray]]]
"""How many stretches were looked at, and the pieces in them."""


class Cuts(Protocol):
    """How blocks are cut and put together."""

    def cut(
        self, number: int, block: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield target blocks, bounds of their pieces, and the elements in that order."""

    def join(self, number: int, parts: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
        """Return a block of the result from ``(input block, elements)``."""


def gather_blocks(
    lowering: Lowering,
    name: str,
    function: Callable[[int, list[Any]], Any],
    needs: tuple[np.ndarray, np.ndarray],
    *,
    nbytes: int,
    fixed: int = 0,
) -> Blocks:
    """Call ``function(number, blocks)`` for each block of the result, with the blocks it needs.

    Parameters
    ----------
    needs : (indptr, indices)
        Value ids of the blocks for each block of the result, as a CSR pair.
    nbytes, fixed : int
        Bytes of one block of the result, and what the function takes beside it.
    """
    return add_stage(
        lowering,
        name,
        function,
        needs,
        csr=True,
        gathers=True,
        arguments=range(len(needs[0]) - 1),
        nbytes=nbytes,
        memory=TaskMemory(input_factor=0.0, fixed=fixed, output=max(1, nbytes)),
    )


def exchange_arrays(
    lowering: Lowering,
    name: str,
    blocks: Blocks,
    numbers: np.ndarray,
    cuts: Cuts,
    count: int,
    *,
    nbytes: int,
) -> Blocks:
    """Cut `blocks` and put them together to another grid.

    Parameters
    ----------
    blocks : Blocks
        Those that are needed.
    numbers : ndarray
        The number of each in its grid.
    cuts : Cuts
    count : int
        Blocks of the result.
    nbytes : int
        Bytes of the largest of them.
    """
    state = ArrayExchange(
        name, count, nbytes, most=lowering.exchange_bytes, room=_TASKS * blocks.nbytes
    )
    lowering.resources.append(state)
    scatter = blockwise(
        lowering,
        f"{name} scatter",
        _Scatter(state, cuts),
        [blocks],
        arguments=numbers.tolist(),
        nbytes=1,
        memory=TaskMemory(input_factor=0.0, fixed=blocks.nbytes, output=1),
    )
    barrier = add_stage(
        lowering,
        f"{name} plan",
        len,
        (np.array([0, len(scatter)]), scatter.ids),
        csr=True,
        gathers=True,
    )
    return add_stage(
        lowering,
        f"{name} gather",
        _Gather(state, cuts),
        [np.repeat(barrier.ids, count)],
        arguments=range(count),
        nbytes=nbytes,
        memory=TaskMemory(input_factor=0.0, fixed=nbytes, output=max(1, nbytes)),
    )


class _Scatter:
    def __init__(self, state: ArrayExchange, cuts: Cuts) -> None:
        self.state = state
        self.cuts = cuts

    def __call__(self, number: int, block: np.ndarray) -> int:
        for part in self.cuts.cut(number, block):
            self.state.append(number, *part)
        return number


class _Gather:
    def __init__(self, state: ArrayExchange, cuts: Cuts) -> None:
        self.state = state
        self.cuts = cuts

    def __call__(self, number: int, planned: int) -> np.ndarray:
        result = self.cuts.join(number, self.state.read(number))
        self.state.done(number)
        return result


class _Piled:
    """Pieces of one block in memory."""

    __slots__ = ("bounds", "elements", "first", "number", "targets")

    def __init__(
        self, number: int, targets: np.ndarray, bounds: np.ndarray, elements: np.ndarray
    ) -> None:
        self.number = number
        self.targets = targets
        self.bounds = bounds
        self.elements = elements
        self.first = int(targets[0])


class _Index:
    """The pieces in memory, ordered by target."""

    __slots__ = ("_owner", "_piles", "_starts", "_stops", "_targets")

    def __init__(self, piles: Sequence[_Piled]) -> None:
        self._piles = sorted(piles, key=lambda pile: pile.number)
        targets, self._owner, self._starts, self._stops = _laid_out(self._piles)
        self._targets = targets

    def pieces(self, target: int) -> list[tuple[int, np.ndarray]]:
        """Return the pieces of one block of the result."""
        low, high = np.searchsorted(self._targets, [target, target + 1]).tolist()
        found = []
        for place in range(low, high):
            pile = self._piles[self._owner[place]]
            found.append((pile.number, pile.elements[self._starts[place] : self._stops[place]]))
        return found


def _laid_out(
    piles: Sequence[_Piled],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return target, pile, start and stop of every piece, ordered by target."""
    none = np.empty(0, np.int64)
    targets = np.concatenate([none, *(pile.targets for pile in piles)])
    owner = np.repeat(np.arange(len(piles)), [len(pile.targets) for pile in piles])
    starts = np.concatenate([none, *(pile.bounds[:-1] for pile in piles)])
    stops = np.concatenate([none, *(pile.bounds[1:] for pile in piles)])
    order = np.argsort(targets, kind="stable")
    return targets[order], owner[order], starts[order], stops[order]


def _bands(piles: list[_Piled]) -> Iterator[list[_Piled]]:
    """Yield piles of neighbouring blocks of the result together, in their order."""
    first = attrgetter("first")
    band: list[_Piled] = []
    for _, alike in itertools.groupby(sorted(piles, key=first), first):
        band += sorted(alike, key=attrgetter("number"))
        if sum(pile.elements.nbytes for pile in band) >= _BAND:
            yield band
            band = []
    if band:
        yield band


class ArrayExchange:
    """The spillable buffers of one exchange of arrays.

    Parameters
    ----------
    name : str
        Of the operation.
    count : int
        Blocks of the result.
    nbytes : int
        Bytes of the largest of them.
    most : int or None
        Bytes to hold in memory at most; None leaves it to the pool.
    room : int
        Bytes that should stay available to the tasks beside a flush.
    """

    def __init__(
        self, name: str, count: int, nbytes: int, *, most: int | None = None, room: int = 0
    ) -> None:
        self.name = name
        self._nbytes = nbytes
        self._most = most
        self._room = room
        self._piles: list[_Piled] = []
        self._stretches: list[Stretch] = []
        self._index: _Index | None = None
        self._file: PiecesFile | None = None
        self._ahead: ReadAhead[_Found] | None = None
        self._dtype = np.dtype("u1")
        self._held = 0
        self._done = np.zeros(count, bool)
        self._left = count
        self._writing = False
        self._closed = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pool = current_pool()
        self._pool.register(self)

    @property
    def held_bytes(self) -> int:
        """Bytes of the pieces in memory."""
        ahead = self._ahead
        return self._held + (0 if ahead is None else ahead.held_bytes)

    @property
    def next_use(self) -> float:
        """Furthest of all, but soon while a flush would only make crumbs."""
        return float("inf") if self.held_bytes >= _CRUMBS else 0.0

    def append(
        self, number: int, targets: np.ndarray, bounds: np.ndarray, elements: np.ndarray
    ) -> None:
        """Take pieces of input block `number`."""
        with self._lock:
            self._dtype = elements.dtype
            self._piles.append(_Piled(number, targets, bounds, elements))
            self._index = None
            self._held += elements.nbytes
        self._pool.handed_over(elements.nbytes)
        if self._most is not None and self._held > self._most:
            self.spill(self._held)
            return
        available = self._pool.available
        if available < 0 and self._held >= _CRUMBS:
            self._pool.make_room(-available)
        elif available < self._room <= self._held and not self._writing:
            # before the tasks beside this one have to wait for it
            self.spill(self._room - available)

    def spill(self, nbytes: int) -> int:
        """Forget what was read ahead, or write all pieces in memory; return the bytes freed.

        While another thread writes, wait until it has freed `nbytes`.
        """
        if self._dtype.hasobject:
            return 0
        ahead = self._ahead
        dropped = 0 if ahead is None else ahead.drop()
        if dropped >= nbytes or (dropped and self._held < _CRUMBS):
            return dropped
        with self._changed:
            before = self._held + dropped
            if self._writing:
                self._changed.wait_for(lambda: not self._writing or before - self._held >= nbytes)
                return max(0, before - self._held)
            self._writing = True
            piles = list(self._piles)
        try:
            return dropped + sum(self._write(band) for band in _bands(piles))
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, piles: list[_Piled]) -> int:
        targets, owner, starts, stops = _laid_out(piles)
        left = ~self._done[targets]
        targets, owner, starts, stops = (each[left] for each in (targets, owner, starts, stops))
        sizes = (stops - starts) * self._dtype.itemsize
        if self._file is None:
            whole = self._nbytes * len(self._done)
            self._file = PiecesFile(self.name, direct=direct_io.pays(whole, self._pool.limit))
        places = zip(owner.tolist(), starts.tolist(), stops.tolist(), strict=True)
        pieces = (
            piles[place].elements[start:stop].view(np.uint8).data for place, start, stop in places
        )
        numbers = np.array([pile.number for pile in piles], np.int64)[owner]
        stretch = self._file.write(targets, numbers, sizes, pieces)
        self._pool.sample()  # the loop may be here, and what runs goes on
        with self._changed:
            self._stretches.append(stretch)
            return self._forget(piles)

    def _forget(self, piles: Sequence[_Piled]) -> int:
        gone = {id(pile) for pile in piles}
        freed = sum(pile.elements.nbytes for pile in self._piles if id(pile) in gone)
        self._piles = [pile for pile in self._piles if id(pile) not in gone]
        self._index = None
        self._held -= freed
        self._changed.notify_all()
        return freed

    def read(self, target: int) -> list[tuple[int, np.ndarray]]:
        """Return the pieces of one block of the result, with the input blocks they come from."""
        with self._lock:
            file = self._file if self._stretches else None
            if self._ahead is None and file is not None and file.direct and not self._closed:
                self._ahead = ReadAhead(
                    self.name,
                    self._read_ahead,
                    len(self._done),
                    nbytes=self._nbytes,
                    room=self._room,
                )
            ahead = self._ahead
        seen, found = (ahead and ahead.take(target)) or (0, [])
        with self._lock:
            if self._index is None:
                self._index = _Index(self._piles)
            index, stretches = self._index, self._stretches[seen:]
        return index.pieces(target) + found + self._from_file(stretches, target)

    def _read_ahead(self, target: int) -> _Found:
        with self._lock:
            stretches = list(self._stretches)
        return len(stretches), self._from_file(stretches, target)

    def _from_file(self, stretches: Sequence[Stretch], target: int) -> list[tuple[int, np.ndarray]]:
        file = self._file
        if file is None or not stretches:
            return []
        pieces = file.read(stretches, target)
        return [(number, piece.view(self._dtype)) for number, piece in pieces]

    def done(self, target: int) -> None:
        """Tell that a block of the result stands; the last one frees the buffers."""
        with self._lock:
            self._left -= not self._done[target]
            self._done[target] = True
            left = self._left
        if not left:
            self.close()
        elif left % max(1, len(self._done) // _SWEEPS) == 0:
            self._sweep()

    def _sweep(self) -> None:
        """Free the pieces in memory of which all are in blocks that stand."""
        with self._changed:
            self._forget([pile for pile in self._piles if self._done[pile.targets].all()])

    def close(self) -> None:
        """Free the buffers and remove the file; doing so again does nothing."""
        with self._changed:
            self._closed = True  # a task that was given up may still read
            ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
            self._piles, self._stretches, self._held = [], [], 0
            self._index = None
            file, self._file = self._file, None
        if file is not None:
            file.remove()
        self._pool.unregister(self)

"""The file in which pieces of arrays wait for their blocks of the result."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from penstock.errors import SpillError
from penstock.scheduler import direct_io, spill

if TYPE_CHECKING:
    from io import FileIO


class Stretch:
    """What one write put in the file, ordered by block of the result.

    Attributes
    ----------
    targets, numbers : ndarray
        Block of the result, and of the input, of each piece.
    bounds : ndarray
        Where each begins in the file, and where the last one ends.
    """

    __slots__ = ("bounds", "numbers", "targets")

    def __init__(self, targets: np.ndarray, numbers: np.ndarray, bounds: np.ndarray) -> None:
        self.targets = targets
        self.numbers = numbers
        self.bounds = bounds

    def place(self, target: int) -> slice:
        """Return where the pieces of `target` are among all."""
        low, high = np.searchsorted(self.targets, [target, target + 1]).tolist()
        return slice(low, high)


class PiecesFile:
    """A spill file of pieces.

    Parameters
    ----------
    name : str
        Of the operation.
    direct : bool
        Whether to go past the system's page cache, where that can be done.
    """

    def __init__(self, name: str, *, direct: bool) -> None:
        self.name = name
        self._file = spill.directory().file("pieces")
        self.direct = direct and direct_io.possible(os.path.dirname(self._file.path))

    def write(
        self,
        targets: np.ndarray,
        numbers: np.ndarray,
        sizes: np.ndarray,
        pieces: Iterable[memoryview],
    ) -> Stretch:
        """Append pieces, ordered by block of the result.

        Raises
        ------
        SpillError
            When the disk is full or the limit reached; the file is as it was before.
        """
        if self.direct:
            opener, put = direct_io.opener, direct_io.write
        else:
            opener, put = None, spill.write_buffers

        def append(stream: FileIO) -> None:
            put(stream, pieces)

        start, _ = spill.directory().append(self._file, append, int(sizes.sum()), opener=opener)
        return Stretch(targets, numbers, start + np.concatenate([[0], np.cumsum(sizes)]))

    def read(self, stretches: Sequence[Stretch], target: int) -> list[tuple[int, np.ndarray]]:
        """Return the pieces of one block of the result, with the input blocks they come from.

        Raises
        ------
        SpillError
            When the file is damaged or gone.
        """
        found = [(stretch, stretch.place(target)) for stretch in stretches]
        found = [(stretch, place) for stretch, place in found if place.start < place.stop]
        if not found:
            return []
        runs = [
            (int(stretch.bounds[place.start]), int(stretch.bounds[place.stop]))
            for stretch, place in found
        ]
        opener, get = (direct_io.opener, direct_io.read) if self.direct else (None, _read)
        try:
            with open(self._file.path, "rb", buffering=0, opener=opener) as stream:
                rooms = get(stream.fileno(), runs)
        except (OSError, EOFError) as error:
            raise SpillError(
                f"cannot read the spill file {self._file.path} of {self.name} back: "
                f"{getattr(error, 'strerror', None) or error}; something else removed or damaged it"
            ) from error
        pieces = []
        for (stretch, place), room in zip(found, rooms, strict=True):
            edges = stretch.bounds[place.start : place.stop + 1]
            starts = (edges - edges[0]).tolist()
            for at, number in enumerate(stretch.numbers[place].tolist()):
                pieces.append((number, room[starts[at] : starts[at + 1]]))
        return pieces

    def remove(self) -> None:
        """Delete the file; doing so again does nothing."""
        self._file.remove()


def _read(descriptor: int, runs: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    found = []
    for start, stop in runs:
        room = np.empty(stop - start, np.uint8)
        view, at = room.data, 0
        while at < len(room):
            got = os.preadv(descriptor, [view[at:]], start + at)
            if not got:
                raise EOFError("it ends too early")
            at += got
        found.append(room)
    return found

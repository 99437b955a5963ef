"""Where records end: the cutting shared by CSV and text.

A split of a text file is any range of bytes. Which of its newlines end a record
depends on whether it starts inside quotes, and that depends on all bytes
before. So `scan_split` answers for each state in which a split may start, at the
speed of counting quotes, and `Summary.step` later picks the answer that holds.

Parity of quotes is right only where every opening quote stands at the start of
a field (elsewhere a quote is an ordinary character): that is verified, and a
split where it fails is walked quote by quote instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

FIELD, TEXT, QUOTED = 0, 1, 2
"""States between two bytes: a quote would open a field (or be the second of a
doubled one), would be an ordinary character, would close the field."""

TAIL_LIMIT = 64 << 10
"""Bytes of an unfinished record up to which they are handed on; longer ones are read again."""

RECORD_LIMIT = 1 << 30
"""Bytes of one record beyond which a quote must have been left open."""

_TILE = 256 << 10
_AT_ONCE = 64 << 10
_LF, _CR = 10, 13


@record
class Separators:
    """The bytes that decide where fields and records end."""

    delimiter: int = 44
    quote: int | None = 34


class Outcome(NamedTuple):
    """What a split does to a reader that enters it in a given state."""

    end: int
    """State after its last byte."""
    cut: int
    """Bytes up to and including its last record end; -1 when none ends here."""
    tail: bytes | None
    """What follows `cut`; None when it is too long to hand on."""


class State(NamedTuple):
    """How a split of a file starts."""

    mode: int = FIELD
    start: int = -1
    """Offset in the file of the unfinished record; -1 when the file starts."""
    tail: bytes | None = b""
    """The bytes from `start`; None when they are too many and must be read again."""


class Summary(NamedTuple):
    """What later splits must know of a split."""

    offset: int
    length: int
    first: bool
    outcomes: tuple[Outcome | None, ...]
    """For each start state; None where only reading the bytes again can tell."""
    file: int = 0
    limit: int = RECORD_LIMIT
    """Bytes of one record that may be carried from split to split."""

    def step(self, state: State | None, again: Callable[[int, int, int], Outcome]) -> State:
        """Return the state after this split when it was entered in `state`.

        `again(offset, length, mode)` reads the split once more where it must.
        """
        if state is None or self.first:
            state = State(start=self.offset)
        if self.length == 0:
            return state
        outcome: Outcome | None = self.outcomes[state.mode]
        if outcome is None:
            outcome = again(self.offset, self.length, state.mode)
        if outcome.cut >= 0:
            return State(outcome.end, self.offset + outcome.cut, outcome.tail)
        tail = None
        if state.tail is not None and outcome.tail is not None:
            joined = state.tail + outcome.tail
            tail = joined if len(joined) <= TAIL_LIMIT else None
        return State(outcome.end, state.start, tail)


def scan_split(
    data: Bytes, separators: Separators, first_quote: int | None = None
) -> tuple[Outcome | None, ...]:
    """Return the `Outcome` of `data` for each of the states FIELD, TEXT and QUOTED.

    Parameters
    ----------
    data : numpy.ndarray
        The bytes of the split, at least one.
    separators : Separators
    first_quote : int, optional
        Where its first quote is, -1 for none, if known.

    Returns
    -------
    tuple of Outcome or None
        None where the quotes of a split make sense from one start state only
        and this is another one: `scan_from` tells, at the cost of a slow walk.

    Examples
    --------
    >>> data = np.frombuffer(b'a,"b' + bytes([10]) + b'c"' + bytes([10]) + b"d", np.uint8)
    >>> [outcome.cut if outcome else None for outcome in scan_split(data, Separators())]
    [8, 8, None]
    """
    count, valid_outside, valid_inside = _check_quotes(data, separators, first_quote)
    if not count:
        plain = _outcome(data, None, False, separators)
        return (plain, plain, _outcome(data, None, True, separators))
    if not valid_outside and not valid_inside:
        field = scan_from(data, FIELD, separators)
        same = data[0] != separators.quote
        text = field if same else scan_from(data, TEXT, separators)
        return (field, text, scan_from(data, QUOTED, separators))
    outside = _outcome(data, None, False, separators, count) if valid_outside else None
    inside = _outcome(data, None, True, separators, count) if valid_inside else None
    return (outside, None if data[0] == separators.quote else outside, inside)


def scan_from(data: Bytes, mode: int, separators: Separators) -> Outcome:
    """Return the `Outcome` of `data` entered in the state `mode`, walking its quotes."""
    if not len(data):
        return Outcome(mode, -1, b"")
    count, valid_outside, valid_inside = _check_quotes(data, separators)
    valid = valid_inside if mode == QUOTED else valid_outside
    if not count or (valid and not (mode == TEXT and data[0] == separators.quote)):
        return _outcome(data, None, mode == QUOTED, separators, count)
    positions = find_byte(data, separators.quote)
    structural = _structural(data, positions, mode, separators)
    return _outcome(data, structural, mode == QUOTED, separators, len(structural))


def first_of(data: Bytes, marks: Sequence[int | None]) -> list[int]:
    """Return where each of the bytes `marks` first occurs in `data`, -1 for never and for None.

    The data passes through the cache once, whatever the number of marks.

    Examples
    --------
    >>> first_of(np.frombuffer(b"a,b", np.uint8), (44, 34))
    [1, -1]
    """
    found = [-1] * len(marks)
    for start in range(0, len(data), _TILE):
        missing = [(i, mark) for i, mark in enumerate(marks) if mark is not None and found[i] < 0]
        if not missing:
            break
        tile = data[start : start + _TILE].tobytes()  # whose find() is the C library's memchr
        for i, mark in missing:
            place = tile.find(mark)
            if place >= 0:
                found[i] = start + place
    return found


def _check_quotes(
    data: Bytes, separators: Separators, first: int | None = None
) -> tuple[int, bool, bool]:
    """Return how many quotes there are, and whether every second one may open.

    The first answer takes the first quote for an opening one (the data starts
    outside quotes), the second for a closing one. `first` is where the first
    quote is, -1 where there is none, if that is known.
    """
    total = 0
    bad = [False, False]  # by the parity of the opening quotes
    quote = separators.quote
    if quote is None:
        return 0, True, True
    if first is None:
        (first,) = first_of(data, (quote,))
    if first < 0:
        return 0, True, True
    for start in range(first - first % _TILE, len(data), _TILE):
        tile = data[start : start + _TILE]
        equal = tile == quote
        count = int(np.count_nonzero(equal))
        if not count:
            continue
        parity = total & 1
        total += count
        if bad[0] and bad[1]:
            continue
        before = data[start - 1] if start else separators.delimiter
        if count * 128 < len(tile):
            positions = np.flatnonzero(equal) + start
            opens = _may_open(data, positions, separators)
            if before == quote and positions[0] == start:
                opens[0] = True
            even, odd = not opens[0::2].all(), not opens[1::2].all()
        else:
            even, odd = _check_dense(tile, equal, int(before), separators)
        bad[parity] |= bool(even)
        bad[1 - parity] |= bool(odd)
    return total, not bad[0], not bad[1]


def _check_dense(
    tile: Bytes, quotes: NDArray[np.bool_], before: int, separators: Separators
) -> tuple[bool, bool]:
    """Return whether a quote at an even (odd) place cannot open, a word of bits at a time."""
    ends = tile == separators.delimiter
    ends |= tile == _LF
    ends |= tile == _CR
    ends |= quotes
    marks = _words(quotes)
    may = _words(ends)
    shifted = may << np.uint64(1)
    shifted[1:] |= may[:-1] >> np.uint64(63)
    if before in (separators.delimiter, separators.quote, _LF, _CR):
        shifted[0] |= np.uint64(1)
    inside = marks.copy()
    for distance in (1, 2, 4, 8, 16, 32):  # each bit becomes the parity of those up to it
        inside ^= inside << np.uint64(distance)
    carried = np.bitwise_xor.accumulate(inside >> np.uint64(63))
    inside[1:] ^= carried[:-1] * _ALL_ONES
    wrong = marks & ~shifted
    return bool((wrong & inside).any()), bool((wrong & ~inside).any())


_ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def _words(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    packed = np.packbits(flags, bitorder="little")
    padding = -len(packed) % 8
    if padding:
        packed = np.concatenate([packed, np.zeros(padding, np.uint8)])
    return packed.view("<u8").astype(np.uint64, copy=False)


def find_byte(data: Bytes, byte: int | None) -> NDArray[np.int64]:
    """Return the positions of `byte` in `data`, tile by tile to stay in the cache."""
    found = []
    if byte is not None:
        for start in range(0, len(data), _TILE):
            equal = data[start : start + _TILE] == byte
            if equal.any():
                found.append(np.flatnonzero(equal) + start)
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _before_field(
    data: Bytes, positions: NDArray[np.int64], separators: Separators
) -> NDArray[np.bool_]:
    """Return whether the byte before each position ends a field (position 0: yes)."""
    before = data[positions - 1]
    ends: NDArray[np.bool_] = (before == separators.delimiter) | (before == _LF) | (before == _CR)
    if len(positions) and positions[0] == 0:
        ends[0] = True
    return ends


def _may_open(
    data: Bytes, positions: NDArray[np.int64], separators: Separators
) -> NDArray[np.bool_]:
    """Return for each quote whether it could open: at a field's start or doubling the last."""
    opens = _before_field(data, positions, separators)
    opens[1:] |= positions[1:] - positions[:-1] == 1
    return opens


def _structural(
    data: Bytes, positions: NDArray[np.int64], mode: int, separators: Separators
) -> NDArray[np.int64]:
    """Return the quotes that open or close, leaving out those that are text."""
    starts = _before_field(data, positions, separators)
    if mode == TEXT and positions[0] == 0:
        starts[0] = False
    inside = mode == QUOTED
    closed = -2
    pieces = []
    for low in range(0, len(positions), _AT_ONCE):  # as lists they take several times the memory
        kept = []
        some = slice(low, low + _AT_ONCE)
        for position, start in zip(positions[some].tolist(), starts[some].tolist(), strict=True):
            if inside:
                kept.append(position)
                inside = False
                closed = position
            elif start or position == closed + 1:
                kept.append(position)
                inside = True
        pieces.append(np.array(kept, np.int64))
    return np.concatenate(pieces)


def _outcome(
    data: Bytes,
    quotes: NDArray[np.int64] | None,
    inside: bool,
    separators: Separators,
    count: int = 0,
) -> Outcome:
    """Return the outcome when quotes toggle between outside and inside.

    `quotes` holds their positions; None means all of them, `count` in number.
    """
    at_end = (
        data[-1] == separators.quote
        if quotes is None
        else len(quotes) > 0 and (quotes[-1] == len(data) - 1)
    )
    if (count + inside) % 2:
        end = QUOTED
    elif count and at_end:
        end = FIELD  # a quote that follows doubles this one
    else:
        end = FIELD if data[-1] in (separators.delimiter, _LF, _CR) else TEXT
    cut = -1
    if count or not inside:
        cut = _last_end(data, quotes, end == QUOTED, separators if count else None)
    tail = data[max(cut, 0) :]
    return Outcome(end, cut, tail.tobytes() if len(tail) <= TAIL_LIMIT else None)


def _last_end(
    data: Bytes, quotes: NDArray[np.int64] | None, inside: bool, separators: Separators | None
) -> int:
    """Return the offset after the last record end outside quotes, or -1.

    `inside` is the state after the last byte. A carriage return in the very last
    place may be half of a line end: it is left to the next split.
    """
    stop = len(data)
    size = 1 << 10
    while stop > 0:
        start = max(0, stop - size)
        tile = data[start:stop]
        if separators is None:
            marks = np.empty(0, np.int64)
        elif quotes is None:
            marks = np.flatnonzero(tile == separators.quote)
        else:
            low, high = np.searchsorted(quotes, [start, stop])
            marks = quotes[low:high] - start
        ends = np.flatnonzero((tile == _LF) | (tile == _CR))
        if len(ends) and ends[-1] + start == len(data) - 1 and data[-1] == _CR:
            ends = ends[:-1]
        if len(ends):
            after = len(marks) - np.searchsorted(marks, ends)
            outside = (after + inside) % 2 == 0
            if outside.any():
                end = int(ends[outside][-1]) + start
                if data[end] == _CR and data[end + 1] == _LF:
                    end += 1
                return end + 1
        inside = bool((len(marks) + inside) % 2)
        stop = start
        size = min(2 * size, _TILE)
    return -1

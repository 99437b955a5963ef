"""The buffers of an exchange of arrays, written while others read and append."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from penstock.engine.primitives import array_exchange
from penstock.engine.primitives.array_exchange import ArrayExchange
from penstock.engine.primitives.pieces_file import PiecesFile
from penstock.scheduler import direct_io, spill

TARGETS = 8
ELEMENTS = 512
BLOCK = 8 * ELEMENTS * 8


@pytest.fixture(params=["through the page cache", "past it"])
def exchange(monkeypatch, request):
    direct = request.param == "past it"
    if direct and not direct_io.possible(str(spill.default_parent())):
        pytest.skip("the file system cannot do it")
    monkeypatch.setattr(direct_io, "pays", lambda nbytes, memory_limit: direct)
    monkeypatch.setattr(array_exchange, "_BAND", 8 << 10)
    made = ArrayExchange("rechunk", TARGETS, BLOCK)
    yield made
    made.close()


def values(number, target):
    return np.arange(ELEMENTS, dtype=np.int64) + 10_000 * number + 1_000 * target


def append(exchange, number):
    """Give a block's pieces in two parts, as neighbouring targets lie together."""
    for first in (0, TARGETS // 2):
        targets = np.arange(first, first + TARGETS // 2)
        bounds = np.arange(len(targets) + 1) * ELEMENTS
        elements = np.concatenate([values(number, target) for target in targets])
        exchange.append(number, targets, bounds, elements)


def before_writing(monkeypatch, function):
    """Call `function` when the file is open, before anything is written to it."""
    write = PiecesFile.write

    def after(pieces):
        function()
        yield from pieces

    def write_after(self, targets, numbers, sizes, pieces):
        return write(self, targets, numbers, sizes, after(pieces))

    monkeypatch.setattr(PiecesFile, "write", write_after)


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def check(exchange, target, numbers):
    found = dict(exchange.read(target))
    assert sorted(found) == list(numbers)
    for number, elements in found.items():
        np.testing.assert_array_equal(elements, values(number, target))


def test_pieces_come_from_the_file_and_from_memory(exchange):
    for number in range(5):
        append(exchange, number)
    held = exchange.held_bytes
    assert exchange.spill(1) == held == 5 * TARGETS * ELEMENTS * 8
    assert exchange.held_bytes == 0
    for number in range(5, 7):
        append(exchange, number)
    for target in range(TARGETS):
        check(exchange, target, range(7))


def test_what_was_gathered_is_freed_and_not_written(exchange):
    for number in range(3):
        append(exchange, number)
    for target in range(TARGETS // 2):
        check(exchange, target, range(3))
        exchange.done(target)
    assert exchange.held_bytes == 3 * (TARGETS // 2) * ELEMENTS * 8
    before = spill.directory().written
    exchange.done(TARGETS // 2)
    exchange.spill(1)
    assert spill.directory().written - before == 3 * (TARGETS // 2 - 1) * ELEMENTS * 8
    for target in range(TARGETS // 2 + 1, TARGETS):
        check(exchange, target, range(3))


def test_reading_and_appending_go_on_while_pieces_are_written(exchange, monkeypatch):
    for number in range(4):
        append(exchange, number)
    inside, go_on = threading.Event(), threading.Event()

    def slow():
        inside.set()
        assert go_on.wait(20)

    before_writing(monkeypatch, slow)
    writer = threading.Thread(target=exchange.spill, args=(1,))
    writer.start()
    assert inside.wait(20)
    check(exchange, 1, range(4))
    append(exchange, 4)
    check(exchange, 6, range(5))
    go_on.set()
    writer.join(20)
    assert exchange.held_bytes == TARGETS * ELEMENTS * 8
    for target in range(TARGETS):
        check(exchange, target, range(5))


def test_who_needs_little_waits_for_one_band_of_another_thread(exchange, monkeypatch):
    for number in range(4):
        append(exchange, number)
    first, go_on = threading.Event(), threading.Event()
    bands = []

    def slow():
        bands.append(exchange.held_bytes)
        if len(bands) > 1:
            first.set()
            assert go_on.wait(20)

    before_writing(monkeypatch, slow)
    whole = exchange.held_bytes
    writer = threading.Thread(target=exchange.spill, args=(whole,))
    writer.start()
    assert first.wait(20)
    assert exchange.held_bytes == whole // 2
    freed = []
    waiting = threading.Thread(target=lambda: freed.append(exchange.spill(1)))
    waiting.start()
    go_on.set()
    writer.join(20)
    waiting.join(20)
    assert freed == [whole // 2]
    assert len(bands) == 2


def test_a_worker_writes_before_room_is_short(monkeypatch):
    exchange = ArrayExchange("rechunk", TARGETS, BLOCK, room=2 * TARGETS * ELEMENTS * 8)
    available = iter([1 << 30] * 3 + [1 << 10] * 9)
    monkeypatch.setattr(type(exchange._pool), "available", property(lambda pool: next(available)))
    try:
        append(exchange, 0)
        assert exchange.held_bytes == TARGETS * ELEMENTS * 8
        append(exchange, 1)
        assert exchange.held_bytes == 0
    finally:
        exchange.close()


def test_a_full_disk_loses_nothing(exchange, monkeypatch):
    append(exchange, 0)

    def full():
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        before_writing(patch, full)
        with pytest.raises(spill.SpillError, match="No space left"):
            exchange.spill(1)
    assert exchange.held_bytes == TARGETS * ELEMENTS * 8
    for target in range(TARGETS):
        check(exchange, target, range(1))
    exchange.spill(1)
    for target in range(TARGETS):
        check(exchange, target, range(1))


def test_pieces_written_after_the_read_ahead_are_found(exchange):
    for number in range(3):
        append(exchange, number)
    exchange.spill(1)
    check(exchange, 0, range(3))
    if exchange._file.direct:
        until(lambda: exchange.held_bytes)
    append(exchange, 3)
    exchange.spill(1 << 40)
    append(exchange, 4)
    for target in range(1, TARGETS):
        check(exchange, target, range(5))


def test_what_was_read_ahead_goes_first(exchange):
    append(exchange, 0)
    exchange.spill(1)
    check(exchange, 0, range(1))
    if not exchange._file.direct:
        assert exchange._ahead is None
        return
    append(exchange, 1)
    until(lambda: exchange._ahead.held_bytes)
    written = spill.directory().written
    assert exchange.spill(1) % BLOCK == 0
    assert spill.directory().written == written
    for target in range(1, TARGETS):
        check(exchange, target, range(2))


@pytest.mark.parametrize("left", [0, 5000])
def test_a_damaged_file_is_an_error(exchange, left):
    append(exchange, 0)
    exchange.spill(1)
    os.truncate(exchange._file._file.path, left)
    with pytest.raises(spill.SpillError, match="of rechunk back: it ends too early"):
        exchange.read(TARGETS - 1)
    os.unlink(exchange._file._file.path)
    with pytest.raises(spill.SpillError, match="No such file"):
        exchange.read(TARGETS - 1)


def test_a_task_that_was_given_up_reads_nothing_ahead(exchange):
    append(exchange, 0)
    exchange.spill(1)
    exchange.close()
    before = threading.active_count()
    exchange._stretches, exchange._file = [object()], FakeFile()
    assert exchange.read(0) == []
    assert exchange._ahead is None
    assert threading.active_count() == before
    exchange._file = None


class FakeFile:
    direct = True

    def read(self, stretches, target):
        return []

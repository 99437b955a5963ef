"""The buffers of an exchange of arrays, written while others read and append."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from penstock.engine.primitives import array_exchange
from penstock.engine.primitives.array_exchange import ArrayExchange
from penstock.scheduler import spill

TARGETS = 8
ELEMENTS = 512


@pytest.fixture
def exchange(monkeypatch):
    monkeypatch.setattr(array_exchange, "_BAND", 8 << 10)
    made = ArrayExchange("rechunk", TARGETS)
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
    inside, go_on, write = threading.Event(), threading.Event(), spill.write_buffers

    def slow(stream, buffers):
        inside.set()
        assert go_on.wait(20)
        write(stream, buffers)

    monkeypatch.setattr(spill, "write_buffers", slow)
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
    first, go_on, write = threading.Event(), threading.Event(), spill.write_buffers
    bands = []

    def slow(stream, buffers):
        bands.append(stream)
        if len(bands) > 1:
            first.set()
            assert go_on.wait(20)
        write(stream, buffers)

    monkeypatch.setattr(spill, "write_buffers", slow)
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
    exchange = ArrayExchange("rechunk", TARGETS, room=2 * TARGETS * ELEMENTS * 8)
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

    def full(stream, buffers):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spill, "write_buffers", full)
        with pytest.raises(spill.SpillError, match="No space left"):
            exchange.spill(1)
    assert exchange.held_bytes == TARGETS * ELEMENTS * 8
    for target in range(TARGETS):
        check(exchange, target, range(1))
    exchange.spill(1)
    for target in range(TARGETS):
        check(exchange, target, range(1))

"""Values that are read before tasks ask for them."""

from __future__ import annotations

import threading
import time

import pytest

from penstock.engine.primitives import read_ahead
from penstock.engine.primitives.read_ahead import ReadAhead


@pytest.fixture
def begin():
    begun = []

    def begin(read, count=20, *, room=0):
        begun.append(ReadAhead("rechunk", read, count, nbytes=1000, room=room))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()
        assert one.held_bytes == 0
        assert not any(thread.is_alive() for thread in one._threads)


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_each_value_is_read_once_and_taken_once(begin):
    read = []

    def value(number):
        read.append(number)
        return number * 10

    ahead = begin(value)
    until(lambda: ahead.held_bytes)
    taken = [ahead.take(number) for number in range(20)]
    assert all(found in (None, number * 10) for number, found in enumerate(taken))
    assert taken[0] == 0
    assert len(read) == len(set(read))
    assert {number for number, found in enumerate(taken) if found is not None} <= set(read)
    assert ahead.take(0) is None


def test_no_more_is_read_than_may_wait(begin):
    ahead = begin(lambda number: number)
    until(lambda: ahead.held_bytes == read_ahead._MOST * 1000)
    assert ahead.drop() == read_ahead._MOST * 1000
    until(lambda: ahead.held_bytes == read_ahead._MOST * 1000)
    assert [ahead.take(number) for number in range(read_ahead._MOST)] == [None] * read_ahead._MOST
    assert ahead.take(read_ahead._MOST) == read_ahead._MOST


def test_nothing_is_read_while_tasks_need_the_memory(begin):
    read = []
    ahead = begin(read.append, room=1 << 60)
    time.sleep(5 * read_ahead._PATIENCE)
    assert not read
    assert ahead.take(0) is None


def test_who_takes_what_is_being_read_waits_for_it(begin):
    inside, go_on = threading.Event(), threading.Event()

    def slow(number):
        if not number:
            inside.set()
            assert go_on.wait(20)
        return number

    ahead = begin(slow)
    assert inside.wait(20)
    taken = []
    taking = threading.Thread(target=lambda: taken.append(ahead.take(0)))
    taking.start()
    go_on.set()
    taking.join(20)
    assert taken == [0]


def test_what_cannot_be_read_is_left_to_the_task(begin):
    def failing(number):
        raise OSError("the disk is gone")

    ahead = begin(failing)
    until(lambda: ahead._stopped)
    assert ahead.take(0) is None


def test_claims_are_released(begin):
    ahead = begin(lambda number: number, count=3)
    until(lambda: ahead.held_bytes == 3000)
    until(lambda: not any(thread.is_alive() for thread in ahead._threads))
    assert "rechunk" not in [name for name, _ in ahead._pool.top(100)]

"""The account of memory: reservations, holders, refusals, the limit."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from penstock import config
from penstock.errors import MemoryLimitError, SpillError
from penstock.scheduler import current_pool, limits
from penstock.scheduler.memory import MemoryPool, limit_bytes

MB = 1 << 20


class Holder:
    """Holds bytes that exist only in the account, and frees them when asked."""

    def __init__(self, name: str, held: int, next_use: float, *, full: bool = False) -> None:
        self.name = name
        self.held_bytes = held
        self.next_use = next_use
        self.full = full

    def spill(self, nbytes: int) -> int:
        if self.full:
            raise SpillError("the disk is full")
        freed = min(nbytes, self.held_bytes)
        self.held_bytes -= freed
        return freed


@pytest.fixture
def pool() -> MemoryPool:
    made = MemoryPool(0)
    made.limit = 10 * 1000 * MB
    made.limit += 1000 * MB - made.budget
    assert abs(made.budget - 1000 * MB) < 50 * MB + 0.06 * 10_000 * MB
    return made


def test_a_reservation_is_given_back_at_the_end_of_its_block(pool):
    before = pool.available
    with pool.reserve("sort", 100 * MB) as claim:
        assert pool.reserved == 100 * MB
        assert pool.available == before - 100 * MB
        claim.grow(50 * MB)
        claim.shrink(20 * MB)
        assert pool.reserved == 130 * MB
        claim.shrink(1000 * MB)
        assert pool.reserved == 0
    claim.release()
    assert pool.reserved == 0


def test_what_is_not_there_is_not_given(pool):
    with pool.reserve("one", pool.budget - MB):
        assert pool.try_reserve("two", 2 * MB) is None
        assert pool.try_reserve("tiny", 0) is not None


def test_a_request_above_the_budget_fails_at_once_and_names_the_largest(pool):
    holders = [Holder(f"holder {n}", n * MB, 0) for n in range(1, 6)]
    for holder in holders:
        pool.register(holder)
    started = time.monotonic()
    with pytest.raises(MemoryLimitError) as caught:
        pool.reserve("join", pool.budget + 1)
    assert time.monotonic() - started < 1
    message = str(caught.value)
    assert message.startswith("join needs")
    assert "holder 5 5.24 MB, holder 4 4.19 MB, holder 3 3.15 MB." in message
    assert "Raise memory_limit, use a smaller blocksize" in message
    with pool.reserve("sort", MB) as claim, pytest.raises(MemoryLimitError, match="sort needs"):
        claim.grow(pool.budget)


def test_the_furthest_next_use_is_spilled_first(pool):
    soon, late = Holder("soon", 10 * MB, 1), Holder("late", 10 * MB, 9)
    pool.register(soon)
    pool.register(late)
    assert pool.make_room(4 * MB) == 4 * MB
    assert (soon.held_bytes, late.held_bytes) == (10 * MB, 6 * MB)
    assert pool.make_room(10 * MB) == 10 * MB
    assert (soon.held_bytes, late.held_bytes) == (6 * MB, 0)
    pool.unregister(late)
    assert pool.held == 6 * MB


def test_reserving_spills(pool):
    holder = Holder("blocks", pool.budget, 0)
    pool.register(holder)
    with pool.reserve("sort", 30 * MB):
        assert pool.held == pool.budget - 30 * MB


def test_a_full_disk_is_an_error_only_when_nobody_else_can_spill(pool):
    full, other = Holder("full", 10 * MB, 9, full=True), Holder("other", 10 * MB, 1)
    pool.register(full)
    pool.register(other)
    assert pool.make_room(5 * MB) == 5 * MB
    other.held_bytes = 0
    with pytest.raises(SpillError):
        pool.make_room(5 * MB)


def test_reserving_waits_for_others(pool):
    first = pool.reserve("first", pool.budget - MB)
    threading.Timer(0.1, first.release).start()
    with pool.reserve("second", 100 * MB):
        assert pool.reserved == 100 * MB


def test_reserving_does_not_wait_for_ever(pool):
    with (
        pool.reserve("first", pool.budget - MB),
        pytest.raises(MemoryLimitError, match="held now: first"),
    ):
        pool.reserve("second", 100 * MB, timeout=0.1)


def test_memory_in_no_account_makes_the_budget_smaller(pool):
    pool.rebase()
    assert pool.sample(force=True) < 8 * MB
    before = pool.available
    array = np.ones(10 * MB)  # 80 MB
    overrun = pool.sample(force=True)
    assert 40 * MB < overrun < 100 * MB
    assert pool.available == before - overrun
    with pool.reserve("the array", array.nbytes):
        assert pool.sample(force=True) < 10 * MB
    del array
    assert pool.sample(force=True, trim=True) < 10 * MB
    assert pool.peak_rss <= limits.peak_resident_bytes() + MB


def test_what_was_in_use_at_the_last_run_and_is_free_now_is_no_baseline():
    pool = MemoryPool(1 << 40)
    taken = [np.ones(8 << 10) for _ in range(1700)]
    last = np.ones(8 << 10)  # behind which the allocator keeps what is freed
    pool.rebase()
    high = pool.baseline
    del taken
    pool.rebase()
    assert len(last)
    assert pool.baseline < high - (64 << 20)


def test_an_override_is_temporary_and_the_smallest_holds(pool):
    before = pool.limit
    with pool.override(3000 * MB):
        with pool.override(5000 * MB):
            assert pool.limit == 3000 * MB
        with pool.override(None):
            assert pool.limit == 3000 * MB
    assert pool.limit == before


def test_a_holder_that_is_gone_is_not_counted(pool):
    pool.register(Holder("gone", 10 * MB, 0))
    assert pool.held == 0


def test_limits_are_bytes_texts_or_shares():
    assert limit_bytes("480MB") == 480_000_000
    assert limit_bytes(480_000_000) == 480_000_000
    assert limit_bytes(0.5) == limit_bytes("0.5") == int(limits.allowed_bytes() * 0.5)
    assert limit_bytes(None) == int(limits.allowed_bytes() * 0.6)
    with pytest.raises(ValueError, match="is not a size"):
        limit_bytes("much")


def test_the_setting_changes_the_process_pool():
    pool = current_pool()
    before = pool.limit
    with config.set(memory_limit="3GB"):
        assert current_pool() is pool
        assert pool.limit == 3_000_000_000
    assert current_pool().limit == before


def test_what_the_machine_allows_is_sensible():
    assert 0 < limits.resident_bytes() <= limits.peak_resident_bytes()
    assert limits.resident_bytes() < limits.allowed_bytes() <= limits.physical_bytes()
    assert limits.available_cpus() >= 1


def test_a_claim_is_kept_until_the_task_ends(pool):
    with pool.reserve("the task", 10 * MB) as own, pool.running(own):
        pool.keep_for_task(pool.reserve("its large block", 5 * MB))
        assert pool.reserved == 15 * MB
        with pool.reserve("a task within", MB) as inner, pool.running(inner):
            pool.keep_for_task(pool.reserve("another block", 2 * MB))
            assert pool.reserved == 18 * MB
        assert pool.reserved == 15 * MB
        pool.task_ended()
        assert pool.reserved == 10 * MB
        pool.keep_for_task(pool.reserve("a block of the next task", 3 * MB))
    assert pool.reserved == 0
    pool.keep_for_task(pool.reserve("nobody's block", MB))
    assert pool.reserved == 0

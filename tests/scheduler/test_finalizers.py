"""Garbage collection may run finalizers in any thread, in the middle of anything."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.scheduler import Graph, closing, current_pool, spill
from penstock.scheduler.memory import MemoryPool
from penstock.scheduler.run import stream
from penstock.scheduler.store import BlockStore, current_store
from tests.scheduler.graphs import ids, source

SECONDS = 10


class Watched:
    """A lock that calls `inside` with its first holder, and `refused` when another must wait."""

    def __init__(self, lock):
        self._lock = lock
        self.inside = self.refused = None

    def acquire(self, blocking=True, timeout=-1):
        if not self._lock.acquire(blocking=False):
            if not blocking:
                return False
            if self.refused is not None:
                self.refused()
            self._lock.acquire(timeout=timeout)
        inside, self.inside = self.inside, None
        if inside is not None:
            inside()
        return True

    def release(self):
        self._lock.release()

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exc_info):
        self.release()


@pytest.fixture
def pool():
    made = MemoryPool(0)
    made.limit = 100 << 30
    return made


@pytest.fixture
def store(pool):
    return BlockStore(pool)


def make_garbage(*objects):
    """Leave `objects` to the next garbage collection."""
    knot = list(objects)
    knot.append(knot)


def watch(owner, name, monkeypatch):
    lock = Watched(getattr(owner, name))
    monkeypatch.setattr(owner, name, lock)
    return lock


def finish(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not [thread.name for thread in threads if thread.is_alive()], "a deadlock"


@pytest.fixture
def held_by_one_wanted_by_another(pool, store, monkeypatch):
    """Collect garbage in a thread that holds a lock which the holder of the pool's waits for."""

    def run(lock, work):
        entered, waiting = threading.Event(), threading.Event()

        def inside():
            entered.set()
            assert waiting.wait(SECONDS)
            gc.collect()

        lock.inside, lock.refused = inside, waiting.set

        def ask():
            assert entered.wait(SECONDS)
            with pool._lock:
                assert pool.available > 0

        finish(
            threading.Thread(target=work, name="worker", daemon=True),
            threading.Thread(target=ask, name="asks the pool", daemon=True),
        )

    return run


def test_claims_collected_while_the_store_is_locked(
    pool, store, held_by_one_wanted_by_another, monkeypatch
):
    lock = watch(store, "_lock", monkeypatch)
    store._dropped.append((-1, 0, None))  # so that the pool has to ask the store
    make_garbage(pool.force_reserve("lost", 1 << 20))
    held_by_one_wanted_by_another(lock, lambda: store.put(np.zeros(10)))
    assert pool.reserved == 0


def test_claims_collected_while_the_spill_directory_is_locked(
    pool, store, tmp_path, held_by_one_wanted_by_another, monkeypatch
):
    directory = spill.SpillDirectory(str(tmp_path))
    file = directory.write(np.zeros(10))
    lock = watch(directory, "_lock", monkeypatch)
    store._dropped.append((-1, 0, file))
    make_garbage(pool.force_reserve("lost", 1 << 20))
    held_by_one_wanted_by_another(lock, directory.file)
    assert pool.reserved == 0
    directory.close()


def test_a_collected_claim_is_given_back(pool):
    before = pool.available
    make_garbage(pool.force_reserve("lost", 1 << 20), pool.force_reserve("too", 2 << 20))
    assert before - pool.available == 3 << 20
    gc.collect()
    assert pool.available == before
    assert pool.reserved == 0
    assert pool.top() == []
    kept = pool.reserve("kept", pool.budget - (1 << 20))
    kept.release()
    kept.release()
    del kept
    assert pool.reserved == 0


def test_a_dropped_claim_serves_who_waits_for_it(pool):
    claims = [pool.force_reserve("lost", pool.budget)]
    done = []
    waiting = threading.Thread(target=lambda: done.append(pool.reserve("late", 1 << 30)))
    waiting.start()
    claims.clear()
    waiting.join(SECONDS)
    assert done


def test_blocks_collected_while_the_store_is_locked(store, monkeypatch):
    lock = watch(store, "_lock", monkeypatch)
    make_garbage(store.put(np.zeros(1000)), store.put(np.zeros(1000)))
    lock.inside = gc.collect
    kept = []
    finish(threading.Thread(target=lambda: kept.append(store.put(np.zeros(10))), daemon=True))
    assert store.held_bytes == kept[0].nbytes


def test_claims_collected_while_the_pool_is_locked(pool, monkeypatch):
    make_garbage(pool.force_reserve("lost", 1 << 20))
    lock = watch(pool, "_lock", monkeypatch)
    lock.inside = gc.collect
    claims = []
    finish(threading.Thread(target=lambda: claims.append(pool.try_reserve("a", 5)), daemon=True))
    assert pool.reserved == 5


def big(number):
    return np.full(100_000, number)


def test_a_run_collected_while_the_store_is_locked(monkeypatch):
    store = current_store()
    graph = Graph()
    graph.wanted = ids(source(graph, "big", big, 6))
    blocks = stream(graph, num_workers=2)
    assert next(blocks)[0] == 0
    runs = current_pool().runs
    lock = watch(store, "_lock", monkeypatch)
    monkeypatch.setattr(store, "_settled", threading.Condition(lock))
    make_garbage(blocks)
    del blocks
    lock.inside = gc.collect
    kept = []
    finish(threading.Thread(target=lambda: kept.append(store.put(np.zeros(10))), daemon=True))
    wait_until(lambda: current_pool().runs == runs - 1)


def wait_until(true):
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_streams_that_are_dropped_end_at_once_and_collected_ones_soon():
    frame = dd.from_pandas(pd.DataFrame({"x": range(1000)}), npartitions=20)
    runs = current_pool().runs
    blocks = frame.iter_blocks()
    next(blocks)
    assert current_pool().runs == runs + 1
    del blocks
    assert current_pool().runs == runs
    for block in frame.iter_blocks():
        assert len(block) == 50
        break
    del block
    assert current_pool().runs == runs
    blocks = frame.iter_blocks()
    next(blocks)
    make_garbage(blocks)
    del blocks
    assert current_pool().runs == runs + 1
    gc.collect()
    wait_until(lambda: current_pool().runs == runs)
    assert not closing._open


def test_closing_a_stream():
    graph = Graph()
    graph.wanted = ids(source(graph, "big", big, 6))
    blocks = stream(graph)
    next(blocks)
    blocks.close()
    blocks.close()
    assert list(blocks) == []
    graph.wanted = graph.wanted[:1]
    assert len(list(stream(graph))) == 1
    assert not closing._open


def test_a_stream_that_is_open_at_the_end_of_the_program():
    program = (
        "import time, penstock.dataframe as dd, pandas as pd\n"
        "frame = dd.from_pandas(pd.DataFrame({'x': range(1000)}), npartitions=20)\n"
        "blocks = frame.map_partitions(lambda part: time.sleep(0.01) or part).iter_blocks()\n"
        "print(len(next(blocks)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert (ended.stdout, ended.stderr) == ("50\n", "")

"""Running graphs: the three ways, all executors, errors, nesting."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import config
from penstock.errors import MemoryLimitError, SpillError
from penstock.scheduler import Graph, TaskMemory, current_pool, execute, persist, stream
from tests.scheduler.graphs import block, evaluate, ids, needing_all, random_graph, source, stage

MB = 1 << 20


def limit_for(budget: int) -> int:
    """Return the memory_limit that leaves a run about `budget` bytes."""
    pool = current_pool()
    pool.rebase()
    with pool.override(pool.baseline + budget + 200 * MB):
        taken = pool.baseline + budget + 200 * MB - pool.budget
    return taken + budget


def assert_nothing_is_left() -> None:
    pool = current_pool()
    assert pool.reserved == 0
    assert pool.held == 0


@given(st.integers(0, 10**9))
def test_any_graph_gives_the_same_on_every_executor(seed: int):
    graph = random_graph(seed)
    expected = evaluate(graph)
    assert execute(graph, scheduler="sync") == expected
    assert execute(graph, num_workers=1) == expected
    assert execute(graph, num_workers=4) == expected
    assert list(stream(graph)) == expected


def test_blocks_are_spilled_and_the_result_is_right():
    graph, expected = needing_all(24, 4 * MB)
    from penstock.scheduler import Profile

    with Profile() as profile:
        result = execute(graph, memory_limit=limit_for(40 * MB))
    assert result == [expected]
    assert profile.spilled_bytes > 40 * MB
    assert_nothing_is_left()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_spilling_gives_the_same_for_any_number_of_workers(workers: int):
    graph, expected = needing_all(12, 2 * MB)
    assert execute(graph, num_workers=workers, memory_limit=limit_for(12 * MB)) == [expected]


def test_a_stream_advances_only_while_it_is_asked():
    made = []
    graph = Graph()
    graph.wanted = ids(source(graph, "make", lambda i: made.append(i) or block(i, MB), 50))
    blocks = stream(graph, num_workers=2)
    assert next(blocks)[0] == 0
    time.sleep(0.1)
    assert len(made) <= 6
    assert next(blocks)[0] == 1
    blocks.close()
    assert_nothing_is_left()
    assert len(made) < 10


def test_a_resting_stream_does_not_keep_memory_from_other_runs():
    limit = limit_for(40 * MB)
    graph = Graph()
    made = source(graph, "make", lambda i: block(i, 8 * MB), 8, memory=TaskMemory(output=8 * MB))
    graph.wanted = ids(made)
    blocks = stream(graph, num_workers=2, memory_limit=limit)
    assert next(blocks)[0] == 0
    other, expected = needing_all(8, 4 * MB)
    assert execute(other, memory_limit=limit) == [expected]
    assert [each[0] for each in blocks] == [1, 2, 3, 4, 5, 6, 7]
    assert_nothing_is_left()


def test_a_stream_may_be_larger_than_the_budget():
    graph = Graph()
    made = source(graph, "make", lambda i: block(i, 4 * MB), 20, memory=TaskMemory(output=4 * MB))
    graph.wanted = ids(made)
    for number, each in enumerate(stream(graph, memory_limit=limit_for(24 * MB))):
        assert each[0] == number
    assert_nothing_is_left()


def test_a_result_that_cannot_fit_is_refused_with_what_to_do():
    graph = Graph()
    made = source(graph, "make", lambda i: block(i, 4 * MB), 20, memory=TaskMemory(output=4 * MB))
    graph.wanted = ids(made)
    with pytest.raises(MemoryLimitError, match=r"result takes about .* \(20 blocks\).*to_parquet"):
        execute(graph, memory_limit=limit_for(24 * MB))
    assert_nothing_is_left()


def test_a_task_that_cannot_fit_is_refused_before_it_runs():
    ran = []
    graph = Graph()
    huge = source(graph, "sort", ran.append, 1, memory=TaskMemory(fixed=10**15))
    graph.wanted = ids(huge)
    with pytest.raises(MemoryLimitError, match=r"sort needs 1000 TB.*memory_limit"):
        execute(graph)
    assert not ran
    assert_nothing_is_left()


def test_persisted_blocks_stay_until_their_handles_go():
    graph = Graph()
    graph.wanted = ids(source(graph, "make", lambda i: block(i, MB), 4))
    handles = persist(graph)
    assert current_pool().held == 4 * MB
    more = Graph()
    given_ = source(more, "given", None, 4, handles=handles)
    total = stage(more, "total", lambda xs: sum(x[0] for x in xs), [ids(given_)], gathers=True)
    more.wanted = ids(total)
    assert execute(more) == [6.0]
    assert execute(more) == [6.0]
    assert current_pool().held == 4 * MB
    current_pool().make_room(4 * MB)
    assert current_pool().held == 0
    assert all(handle.spilled for handle in handles)
    assert execute(more) == [6.0]
    del given_, more, total, handles
    gc.collect()
    assert_nothing_is_left()


def test_small_values_can_be_persisted_too():
    graph = Graph()
    graph.wanted = ids(source(graph, "make", lambda i: i, 3))
    assert [handle.get() for handle in persist(graph)] == [0, 1, 2]


def test_an_error_keeps_its_type_and_says_where_it_happened():
    graph = Graph()

    def fail(number: int) -> int:
        if number == 3:
            raise ZeroDivisionError("no")
        return number

    graph.wanted = ids(
        source(
            graph,
            "divide",
            fail,
            5,
            origin=lambda task: f"data.csv, part {task}",
            where="script.py:12",
        )
    )
    for scheduler in ("sync", "threads"):
        with pytest.raises(ZeroDivisionError, match="no") as caught:
            execute(graph, scheduler=scheduler)
        assert caught.value.__notes__ == [
            "in operation divide",
            "on data.csv, part 3",
            "asked for at script.py:12",
        ]
    graph.wanted = graph.wanted[:3]
    assert execute(graph) == [0, 1, 2]
    assert_nothing_is_left()


def test_the_wrong_number_of_outputs_is_an_error():
    graph = Graph()
    graph.wanted = ids(source(graph, "split", lambda i: (i,), 1, outputs=2))
    with pytest.raises(TypeError, match="split must give a tuple of 2"):
        execute(graph)


def test_other_tasks_end_before_an_error_is_raised():
    ended = threading.Event()
    graph = Graph()

    def work(number: int) -> None:
        if number == 0:
            time.sleep(0.1)
            ended.set()
        else:
            time.sleep(0.01)
            raise ValueError

    graph.wanted = ids(source(graph, "work", work, 2))
    with pytest.raises(ValueError):  # noqa: PT011 - the task's own
        execute(graph, num_workers=2)
    assert ended.is_set()


def test_a_run_inside_a_task_does_not_wait_for_itself():
    inner = Graph()
    inner.wanted = ids(source(inner, "inner", lambda i: block(i, MB), 4))
    outer = Graph()
    outer.wanted = ids(source(outer, "outer", lambda i: sum(x[0] for x in execute(inner)) + i, 6))
    assert execute(outer, num_workers=2) == [6.0 + i for i in range(6)]
    assert_nothing_is_left()


def test_runs_of_several_threads_share_the_budget():
    limit = limit_for(40 * MB)
    graphs = [needing_all(10, 3 * MB) for _ in range(3)]
    results: list[list[float]] = [[] for _ in graphs]

    def run(number: int) -> None:
        results[number] = execute(graphs[number][0], memory_limit=limit)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[expected] for _, expected in graphs]
    assert_nothing_is_left()


def test_open_streams_are_never_spilled():
    graph = Graph()
    opened = source(graph, "open", lambda i: [threading.Lock(), b"x" * (2 * MB)], 4)
    made = source(graph, "make", lambda i: block(i, 2 * MB), 8)
    graph.wanted = ids(
        stage(
            graph,
            "count",
            len,
            [ids(opened) + ids(made)],
            gathers=True,
            memory=TaskMemory(input_factor=0, output=1000),
        )
    )
    assert execute(graph, memory_limit=limit_for(36 * MB)) == [12]


def test_tables_lists_and_arrays_come_back_from_disk():
    def make(number: int) -> object:
        values = list(range(number, number + 50_000))
        return [pa.table({"a": values, "s": [str(v) for v in values]}), values, np.array(values)][
            number % 3
        ]

    graph = Graph()
    graph.wanted = ids(source(graph, "make", make, 9))
    handles = persist(graph)
    current_pool().make_room(1 << 40)
    assert all(handle.spilled for handle in handles)
    for number, handle in enumerate(handles):
        found, expected = handle.get(), make(number)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected


def test_a_full_spill_limit_is_an_error_and_the_process_goes_on(spill_directory):
    graph, expected = needing_all(16, 4 * MB)
    limit = limit_for(20 * MB)
    with (
        config.set(spill_limit="8MB"),
        pytest.raises(SpillError, match=r"spill_limit is 8 MB .*used"),
    ):
        execute(graph, memory_limit=limit)
    assert_nothing_is_left()
    assert not [path for path in spill_directory.rglob("*") if path.is_file()]
    # the process may have grown by what the allocators keep
    assert execute(graph, memory_limit=limit_for(20 * MB)) == [expected]


def test_the_settings_choose_scheduler_and_workers():
    seen = set()
    graph = Graph()
    graph.wanted = ids(
        source(graph, "name", lambda i: seen.add(threading.current_thread().name), 20)
    )
    with config.set(scheduler="sync"):
        execute(graph)
    assert seen == {threading.current_thread().name}
    seen.clear()
    execute(graph, scheduler="threads")
    assert all(name.startswith(("penstock-worker-", "MainThread")) for name in seen)
    with pytest.raises(ValueError, match="no scheduler 'thread'; choose one of"):
        execute(graph, scheduler="thread")
    with pytest.raises(ValueError, match="num_workers"):
        execute(graph, num_workers=-1)


def test_an_empty_graph_gives_nothing():
    assert execute(Graph()) == []
    assert list(stream(Graph())) == []
    assert persist(Graph()) == []


def test_the_same_value_may_be_wanted_twice():
    graph = Graph()
    made = source(graph, "make", lambda i: block(i, MB), 2)
    graph.wanted = [made.base + 1, made.base, made.base + 1]
    assert [x[0] for x in execute(graph)] == [1, 0, 1]
    assert [x[0] for x in stream(graph)] == [1, 0, 1]
    assert_nothing_is_left()

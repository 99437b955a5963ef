"""The pure state of a run: order, dependency counts, reference counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.scheduler.graph import Graph
from penstock.scheduler.state import FOREVER, State
from tests.scheduler.graphs import ids, random_graph, source, stage


def nothing(*_: object) -> None:
    """Stand for any function."""


def run_all(state: State) -> list[int]:
    order = []
    while state.remaining:
        task = state.pop()
        order.append(task)
        state.finish(task)
    return order


def names(graph: Graph, state: State, tasks: list[int]) -> list[str]:
    return [
        f"{graph.stages[state.stage_of[task]].name}{task - state.first_task[state.stage_of[task]]}"
        for task in tasks
    ]


def test_a_chain_of_blockwise_stages_runs_depth_first():
    graph = Graph()
    read = source(graph, "r", nothing, 3)
    double = stage(graph, "d", nothing, [[value] for value in ids(read)])
    write = stage(graph, "w", nothing, [[value] for value in ids(double)])
    graph.wanted = ids(write)
    state = State(graph)
    order = names(graph, state, run_all(state))
    assert order == ["r0", "d0", "w0", "r1", "d1", "w1", "r2", "d2", "w2"]


def test_the_order_follows_the_wanted_order():
    graph = Graph()
    read = source(graph, "r", nothing, 3)
    double = stage(graph, "d", nothing, [[value] for value in ids(read)])
    graph.wanted = ids(double)[::-1]
    state = State(graph)
    assert names(graph, state, run_all(state)) == ["r2", "d2", "r1", "d1", "r0", "d0"]


def test_a_tree_is_reduced_as_its_leaves_arrive():
    graph = Graph()
    leaves = ids(source(graph, "r", nothing, 4))
    pairs = stage(graph, "p", nothing, [leaves[:2], leaves[2:]])
    graph.wanted = ids(stage(graph, "t", nothing, [ids(pairs)]))
    state = State(graph)
    assert names(graph, state, run_all(state)) == ["r0", "r1", "p0", "r2", "r3", "p1", "t0"]


def test_a_stage_may_depend_on_itself():
    graph = Graph()
    stage(graph, "c", nothing, [[], [0], [1], [2], [1]])
    graph.wanted = [3]
    state = State(graph)
    assert run_all(state) == [0, 1, 2, 3]  # the fifth is not needed


def test_unneeded_tasks_are_culled():
    graph = Graph()
    read = source(graph, "r", nothing, 100)
    double = stage(graph, "d", nothing, [[value] for value in ids(read)])
    graph.wanted = [double.base + 7]
    state = State(graph)
    assert state.needed_per_stage == [1, 1]
    assert names(graph, state, run_all(state)) == ["r7", "d7"]


def test_values_are_free_after_their_last_consumer():
    graph = Graph()
    first = source(graph, "r", nothing, 1)
    left = stage(graph, "a", nothing, [[first.base, first.base]])
    right = stage(graph, "b", nothing, [[first.base]])
    graph.wanted = [left.base, right.base]
    state = State(graph)
    assert state.finish(state.pop()) == []
    assert state.next_use(first.base) == state.rank[1]
    assert state.finish(state.pop()) == []  # `right` still needs it
    assert state.next_use(first.base) == state.rank[2]
    assert state.finish(state.pop()) == [first.base]
    assert state.next_use(first.base) == FOREVER
    assert state.release(left.base)


def test_an_output_without_consumer_is_free_at_once():
    graph = Graph()
    pair = stage(graph, "p", nothing, [[]], outputs=2)
    graph.wanted = [pair.base + 1]
    state = State(graph)
    assert state.finish(state.pop()) == [pair.base]


def test_existing_values_count_as_finished():
    graph = Graph()
    given_ = source(graph, "h", None, 2, handles=["a", "b"])
    total = stage(graph, "t", nothing, [ids(given_)])
    graph.wanted = [total.base, given_.base]
    state = State(graph)
    assert state.remaining == 1
    assert names(graph, state, run_all(state)) == ["t0"]


def test_a_task_can_be_put_back():
    graph = Graph()
    graph.wanted = ids(source(graph, "a", nothing, 5))
    state = State(graph)
    assert (state.pop(), state.pop(), state.ready) == (0, 1, 3)
    state.push(0)
    assert (state.peek(), state.pop(), state.pop()) == (0, 0, 2)


@given(st.integers(0, 10**9))
def test_any_graph_is_run_in_a_valid_order_and_freed_completely(seed: int):
    graph = random_graph(seed)
    state = State(graph)
    done: set[int] = set()
    freed: list[int] = []
    while state.remaining:
        task = state.pop()
        assert all(value in done for value in state.inputs(task))
        assert not set(state.inputs(task)) & set(freed)
        freed += state.finish(task)
        done.update(state.outputs(task))
    assert state.ready == 0
    freed += [value for value in graph.wanted if state.release(value)]
    assert sorted(freed) == sorted(done)


@given(st.integers(0, 10**9))
def test_next_use_is_the_nearest_unfinished_consumer(seed: int):
    graph = random_graph(seed)
    state = State(graph)
    left = set(range(state.ntasks))
    needed = set(np.flatnonzero(_needed(graph, state)))
    left &= needed
    while state.remaining:
        task = state.pop()
        state.finish(task)
        left.discard(task)
        for value in state.outputs(task):
            users = [state.rank[other] for other in left if value in state.inputs(other)]
            assert state.next_use(value) == min(users, default=FOREVER)


def _needed(graph: Graph, state: State) -> np.ndarray:
    wanted = set(graph.wanted)
    needed = np.zeros(state.ntasks, bool)
    for task in reversed(range(state.ntasks)):
        if wanted & set(state.outputs(task)):
            needed[task] = True
            wanted |= set(state.inputs(task))
    return needed

"""Events, and the observers that turn them into something to look at."""

from __future__ import annotations

import io
import time

import pytest

from penstock.scheduler import Graph, Profile, TaskMemory, execute, stream
from penstock.scheduler.estimate import StageEstimate
from penstock.scheduler.events import (
    MemorySampled,
    RunFinished,
    RunStarted,
    TasksFinished,
    TasksStarted,
)
from penstock.scheduler.observers.progress import ProgressBar
from tests.scheduler.graphs import block, ids, source, stage

MB = 1 << 20


def small_graph(count: int = 10) -> Graph:
    graph = Graph()
    made = source(graph, "make", lambda i: block(i, MB), count)
    graph.wanted = ids(stage(graph, "double", lambda x: x * 2, [[v] for v in ids(made)]))
    return graph


def test_the_events_of_a_run_are_complete_and_in_order():
    seen: list = []
    execute(small_graph(), observers=[seen.append])
    assert isinstance(seen[0], RunStarted)
    assert seen[0].stages == (("make", 10), ("double", 10))
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].error is None
    finished = [event for event in seen if isinstance(event, TasksFinished)]
    started = [event for event in seen if isinstance(event, TasksStarted)]
    assert sum(event.ntasks for event in finished) == 20 == seen[-1].ntasks
    assert sum(event.ntasks for event in started) == 20
    assert sum(event.nbytes for event in finished) == 20 * MB
    assert any(isinstance(event, MemorySampled) for event in seen)
    assert [event.seconds for event in seen] == sorted(event.seconds for event in seen)
    assert len({event.run for event in seen}) == 1


def test_an_error_and_a_closed_stream_end_the_run_too():
    seen: list = []
    graph = Graph()
    graph.wanted = ids(source(graph, "fail", lambda i: 1 // i, 1))
    with pytest.raises(ZeroDivisionError):
        execute(graph, observers=[seen.append])
    assert seen[-1].error == "ZeroDivisionError"
    blocks = stream(small_graph(), observers=[seen.append])
    next(blocks)
    blocks.close()
    assert seen[-1].error == "GeneratorExit"


def test_a_profile_sees_all_runs_inside():
    with Profile() as profile:
        execute(small_graph())
        execute(small_graph(4), scheduler="sync")
    execute(small_graph())
    assert (profile.runs, profile.tasks) == (2, 28)
    assert profile.stages["make"].tasks == 14
    assert profile.stages["double"].nbytes == 14 * MB
    assert profile.peak_memory > 10 * MB
    assert profile.spilled_bytes == 0
    assert "28 tasks in" in str(profile)
    assert "make: 14 tasks" in str(profile)


def slow_graph() -> Graph:
    graph = Graph()
    graph.wanted = ids(source(graph, "sleep", lambda i: time.sleep(0.02), 20))
    return graph


def drawn(delay: float, graph: Graph) -> str:
    from rich.console import Console

    text = io.StringIO()
    bar = ProgressBar(delay, Console(file=text, force_terminal=True, width=150))
    execute(graph, observers=[bar], progress=False)
    return text.getvalue()


def test_a_long_run_shows_its_progress():
    text = drawn(0.1, slow_graph())
    assert "sleep" in text
    assert "20/20" in text
    assert "memory" in text


def test_a_short_run_shows_nothing():
    assert drawn(10, small_graph()) == ""


def test_nothing_is_shown_in_a_pipe_unless_asked_for(capsys):
    execute(slow_graph())
    assert capsys.readouterr().err == ""
    from penstock import config

    with config.set(progress_delay=0.05):
        execute(slow_graph(), progress=True)
    assert "sleep" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [False, True])
def test_a_hand_over_reserves_one_tasks_memory_and_all_outputs(kept, monkeypatch):
    monkeypatch.setattr(StageEstimate, "run_length", lambda self, ready, workers: 1000)
    seen: list = []
    graph = Graph()
    if kept:
        make, memory = (lambda i: block(i, 100_000)), TaskMemory(output=100_000)
    else:
        make, memory = float, TaskMemory(fixed=100_000, output=8)
    graph.wanted = ids(source(graph, "make", make, 2000, memory=memory))
    execute(graph, observers=[seen.append])
    started = [event for event in seen if isinstance(event, TasksStarted)]
    assert sum(event.ntasks for event in started) == 2000
    assert max(event.ntasks for event in started) == ((2 << 20) // 100_000 if kept else 167)
    assert max(event.reserved for event in started) == (2_000_000 if kept else 100_000 + 167 * 8)

"""What is learned of a stage from its earlier tasks."""

from __future__ import annotations

from penstock.scheduler import TaskMemory
from penstock.scheduler.estimate import MAX_RUN, StageEstimate
from tests.scheduler.graphs import Graph, source

MB = 1 << 20


def estimate(**memory: float) -> StageEstimate:
    return StageEstimate(source(Graph(), "work", abs, 10, memory=TaskMemory(**memory)))


def test_what_is_declared_counts_before_anything_ran():
    declared = estimate(input_factor=2.0, fixed=3 * MB, output=5 * MB)
    assert declared.temporary(10 * MB) == 23 * MB
    assert declared.output(10 * MB) == 5 * MB
    assert estimate().output(7 * MB) == 7 * MB


def test_outputs_are_corrected_upwards_at_once_and_downwards_slowly():
    learned = estimate()
    learned.learn(1, 0.1, 10 * MB, 1 * MB)
    assert learned.output(10 * MB) == 1 * MB
    learned.learn(1, 0.1, 10 * MB, 4 * MB)
    assert abs(learned.output(10 * MB) - 4 * MB) < 10
    learned.learn(1, 0.1, 10 * MB, 1 * MB)
    assert 3 * MB < learned.output(10 * MB) < 4 * MB


def test_outputs_without_inputs_are_learned_too():
    learned = estimate()
    assert learned.output(0) == 0
    learned.learn(2, 0.1, 0, 16 * MB)
    assert learned.output(0) == 8 * MB


def test_what_is_taken_beyond_the_reservation_is_reserved_next_time():
    learned = estimate(input_factor=1.0)
    learned.took_more(20 * MB)
    assert learned.temporary(10 * MB) == 30 * MB
    assert learned.temporary(10 * MB, corrected=False) == 10 * MB
    for _ in range(100):
        learned.took_less()
    assert learned.temporary(10 * MB) == 5 * MB  # the floor: half of what was declared
    learned.took_more(MB)
    assert learned.temporary(10 * MB) == 11 * MB


def test_tiny_tasks_are_handed_over_in_runs():
    learned = estimate()
    assert learned.run_length(1000, 2) == 1  # nothing is known yet
    learned.learn(1, 1e-5, 0, 0)
    assert learned.run_length(1000, 2) == 100
    assert learned.run_length(20, 2) == 10  # the other worker wants some too
    assert learned.run_length(1, 2) == 1
    learned.learn(1, 0.5, 0, 0)
    assert learned.run_length(1000, 2) == 1
    fast = estimate()
    fast.learn(10**6, 1e-6, 0, 0)
    assert fast.run_length(10**6, 1) == MAX_RUN

"""100,000 tasks of a dict graph and their sum.

``threaded.get`` of tasks that do next to nothing: the figure is the scheduler's own time per task,
without imports and without making the graph.
"""

import time

from scenarios import Timed

UNIT = "µs/task"


def _inc(number):
    return number + 1


def _timed(get, tasks):
    graph = {("inc", number): (_inc, number) for number in range(tasks)}
    graph["total"] = (sum, list(graph))
    started = time.perf_counter()
    total = get(graph, "total")
    return Timed([[total]], (time.perf_counter() - started) / tasks * 1e6)


def penstock(inputs):
    from penstock.threaded import get

    return _timed(get, inputs.tasks)


def dask(inputs):
    from dask.threaded import get

    return _timed(get, inputs.tasks)

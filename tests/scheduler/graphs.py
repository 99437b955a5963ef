"""Small graphs to run, and what they give when they are evaluated task by task."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from penstock.scheduler import Graph, Stage, TaskMemory


def stage(
    graph: Graph,
    name: str,
    function: Any,
    inputs: list[list[int]],
    **options: Any,
) -> Stage:
    """Add a stage whose task i takes the values ``inputs[i]``."""
    indptr = np.cumsum([0] + [len(each) for each in inputs])
    indices = np.array([value for each in inputs for value in each], np.int64)
    return graph.add(Stage(name, function, len(inputs), indptr, indices, **options))


def source(graph: Graph, name: str, function: Any, count: int, **options: Any) -> Stage:
    """Add a stage without inputs whose task i calls ``function(i)``."""
    return stage(graph, name, function, [[]] * count, arguments=range(count), **options)


def ids(of: Stage) -> list[int]:
    """Return the ids of all values of a stage."""
    return list(range(of.base, of.base + of.nvalues))


def combine(argument: int, *inputs: Any) -> tuple[int, int]:
    """Give two values that depend on every input and on their order."""
    total = argument
    for value in inputs:
        total = (total * 31 + value) % 1_000_003
    return total, total + 1


def random_graph(seed: int) -> Graph:
    """Return a graph of a few stages whose tasks take random earlier values."""
    rng = random.Random(seed)
    graph = Graph()
    for number in range(rng.randint(1, 6)):
        known = graph.nvalues
        inputs = [
            [rng.randrange(known) for _ in range(rng.choice([0, 1, 1, 2, 5]))] if known else []
            for _ in range(rng.randint(1, 12))
        ]
        arguments = [rng.randrange(1000) for _ in inputs]
        if rng.random() < 0.5:
            stage(graph, f"s{number}", combine, inputs, arguments=arguments, outputs=2)
        else:
            stage(graph, f"s{number}", _first, inputs, arguments=arguments)
    graph.wanted = [rng.randrange(graph.nvalues) for _ in range(rng.randint(0, 8))]
    return graph


def _first(argument: int, *inputs: Any) -> int:
    return combine(argument, *inputs)[0]


def evaluate(graph: Graph) -> list[Any]:
    """Return the wanted values of a graph, computed in the plainest way."""
    values: list[Any] = []
    for each in graph.stages:
        for task in range(each.ntasks):
            used = each.indices[each.indptr[task] : each.indptr[task + 1]]
            inputs = [values[value] for value in used]
            if each.gathers:
                inputs = [inputs]
            if each.arguments is not None:
                inputs.insert(0, each.arguments[task])
            result = each.function(*inputs)
            values.extend(result if each.outputs > 1 else [result])
    return [values[value] for value in graph.wanted]


def block(number: int, nbytes: int) -> np.ndarray:
    """Return an array of `nbytes` filled with `number`."""
    return np.full(nbytes // 8, float(number))


def needing_all(count: int, nbytes: int) -> tuple[Graph, float]:
    """Return a graph that needs every block twice, once after all of them, and its result."""
    graph = Graph()
    made = source(
        graph,
        "make",
        lambda number: block(number, nbytes),
        count,
        memory=TaskMemory(output=nbytes),
    )
    sums = stage(graph, "sum", lambda x: float(x.sum()), [[value] for value in ids(made)])
    total = stage(graph, "total", sum, [ids(sums)], gathers=True)
    again = stage(
        graph,
        "again",
        lambda x, whole: float(x.sum()) + 0 * whole,
        [[value, total.base] for value in ids(made)],
    )
    graph.wanted = ids(stage(graph, "result", sum, [ids(again)], gathers=True))
    return graph, float(sum(number * (nbytes // 8) for number in range(count)))

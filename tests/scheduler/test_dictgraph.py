"""Graphs as dicts, as users of Dask write them."""

from __future__ import annotations

from operator import add, mul
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import threaded
from penstock.scheduler.dictgraph import from_dict


def inc(x: int) -> int:
    return x + 1


GRAPH = {
    "x": 1,
    "y": 2,
    "z": (add, "x", "y"),
    "w": (sum, ["x", "y", "z"]),
    "nested": (add, (inc, "x"), (mul, "z", (inc, 4))),
    ("chunk", 0): (inc, "y"),
    ("chunk", 1): (inc, ("chunk", 0)),
    7: (inc, ("chunk", 1)),
    "alias": "z",
    "list": ["x", [("chunk", 1), "literal"], (inc, "alias")],
    "text": (str.upper, "not a key"),
    "pair": (lambda pair: pair, ("no", "key")),
    "none": None,
    "call": (dict, [["a", "x"], ["b", "y"]]),
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("x", 1),
        ("z", 3),
        ("w", 6),
        ("nested", 17),
        (("chunk", 1), 4),
        (7, 5),
        ("alias", 3),
        ("list", [1, [4, "literal"], 4]),
        ("text", "NOT A KEY"),
        ("pair", ("no", "key")),
        ("none", None),
        ("call", {"a": 1, "b": 2}),
    ],
)
def test_each_kind_of_value(key: Any, expected: Any):
    assert threaded.get(GRAPH, key) == expected
    assert threaded.get(GRAPH, key, scheduler="sync") == expected


def test_keys_may_be_nested_lists_and_come_back_as_such():
    assert threaded.get(GRAPH, ["z", ["x", ["alias"]], []]) == [3, [1, [3]], []]
    assert threaded.get(GRAPH, []) == []


def test_only_what_is_needed_runs():
    ran: list[str] = []
    graph = {"a": (ran.append, "first"), "b": (ran.append, "second")}
    threaded.get(graph, "b")
    assert ran == ["second"]


def test_each_task_runs_once():
    ran: list[int] = []
    graph = {"a": (ran.append, 100), **{i: (lambda _: None, "a") for i in range(10)}}
    threaded.get(graph, list(range(10)))
    assert ran == [100]


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        ({"a": (inc, "a")}, "'a' -> 'a'"),
        ({"a": (inc, "b"), "b": (inc, "c"), "c": (inc, "b")}, "'b' -> 'c' -> 'b'"),
        ({"a": ["x", (inc, "b")], "x": 1, "b": "a"}, "'a' -> 'b' -> 'a'"),
    ],
)
def test_a_circle_is_shown(graph: dict, circle: str):
    with pytest.raises(ValueError, match=f"in a circle: {circle}$"):
        threaded.get(graph, "a")


def test_a_missing_key_is_named():
    with pytest.raises(ValueError, match=r"no key \('x', 1\) in the graph"):
        threaded.get({"x": 1}, ("x", 1))


def test_an_error_names_the_key_and_the_function():
    def fail(_: int) -> int:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside") as caught:
        threaded.get({"a": 1, ("b", 2): (fail, "a")}, ("b", 2))
    assert "on key ('b', 2), function fail" in caught.value.__notes__


def test_a_deep_chain_needs_no_recursion():
    graph: dict[Any, Any] = {("c", 0): 0}
    graph.update({("c", i): (inc, ("c", i - 1)) for i in range(1, 20_000)})
    assert threaded.get(graph, ("c", 19_999)) == 19_999


@given(st.data())
def test_random_graphs_give_what_plain_evaluation_gives(data: st.DataObject):
    size = data.draw(st.integers(1, 25))
    graph: dict[Any, Any] = {}
    expected: list[int] = []
    for key in range(size):
        used = data.draw(st.lists(st.integers(0, key - 1), max_size=4)) if key else []
        graph[f"k{key}"] = (sum, [key, *(f"k{other}" for other in used)])
        expected.append(key + sum(expected[other] for other in used))
    keys = data.draw(st.lists(st.integers(0, size - 1), max_size=5))
    assert threaded.get(graph, [f"k{key}" for key in keys]) == [expected[key] for key in keys]


def test_the_graph_is_columnar_and_in_depth_first_order():
    graph = from_dict(GRAPH, ["w"])
    (stage,) = graph.stages
    assert stage.ntasks == 4
    assert len(stage.indices) == 5
    assert list(graph.wanted) == [3]


def test_a_hundred_thousand_small_tasks():
    count = 100_000
    graph: dict[Any, Any] = {("x", i): (inc, i) for i in range(count)}
    graph["total"] = (sum, [("x", i) for i in range(count)])
    assert threaded.get(graph, "total") == count * (count + 1) // 2

"""Users' graphs as dicts, ``{"z": (add, "x", "y")}``, become one columnar graph.

As in Dask: a tuple that begins with a callable is a task; its arguments are
keys, literals, nested tasks, or lists of those; a key may stand for another key.
Keys are strings, numbers or tuples; anything else is a literal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.errors import PenstockError
from penstock.scheduler.graph import Graph, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping


class GraphError(PenstockError, ValueError):
    """A graph that cannot run: it has a cycle or asks for keys it does not have."""


class _Slot:
    """Stands for the `place`-th input in a task's template."""

    __slots__ = ("place",)

    def __init__(self, place: int) -> None:
        self.place = place


def from_dict(dsk: Mapping[Any, Any], keys: list[Any]) -> Graph:
    """Return the graph that computes `keys` of `dsk`, in their order.

    Parameters
    ----------
    dsk : mapping
        Tasks, literals and aliases by key.
    keys : list
        The results that are wanted.

    Returns
    -------
    Graph

    Raises
    ------
    GraphError
        When a key is missing or tasks wait for each other in a circle.
    """
    for key in keys:
        if key not in dsk:
            raise GraphError(f"no key {key!r} in the graph")
    numbers: dict[Hashable, int] = {}
    functions: list[Any] = []
    order: list[Any] = []
    indptr, indices = [0], []
    # Depth-first without recursion; a task is numbered when its inputs are.
    open_keys: dict[Any, tuple[Any, list[Any]]] = {}
    stack = list(reversed(keys))
    while stack:
        key = stack[-1]
        if key in numbers:
            stack.pop()
            continue
        entered = open_keys.get(key)
        if entered is None:
            template, used = _parse(dsk[key], dsk)
            missing = [other for other in used if other not in numbers]
            if missing:
                open_keys[key] = (template, used)
                for other in missing:
                    if other in open_keys:
                        raise _cycle(open_keys, other)
                stack.extend(reversed(missing))
                continue
        else:
            template, used = entered
            del open_keys[key]
        stack.pop()
        numbers[key] = len(functions)
        functions.append(template)
        order.append(key)
        indices.extend([numbers[other] for other in used])
        indptr.append(len(indices))
    graph = Graph(wanted=[numbers[key] for key in keys])
    graph.add(
        Stage(
            "graph",
            _evaluate,
            len(functions),
            np.array(indptr, np.int64),
            np.array(indices, np.int64),
            arguments=functions,
            origin=lambda task: f"key {order[task]!r}{_named(functions[task])}",
        )
    )
    return graph


def _named(template: Any) -> str:
    function = template[0] if type(template) is tuple else getattr(template, "function", None)
    name = getattr(function, "__name__", None)
    return f", function {name}" if name else ""


def _cycle(open_keys: dict[Any, tuple[Any, list[Any]]], start: Any) -> GraphError:
    # The open keys are the path from the result down to here, in order.
    waiting = list(open_keys)
    shown = " -> ".join(map(repr, [*waiting[waiting.index(start) :], start]))
    return GraphError(f"tasks wait for each other in a circle: {shown}")


def _parse(value: Any, dsk: Mapping[Any, Any]) -> tuple[Any, list[Any]]:
    """Return the template of a task and the keys it uses."""
    if type(value) is tuple and value and callable(value[0]):
        # The usual case: a function of keys and plain literals.
        used: list[Any] = []
        template: list[Any] = [value[0]]
        plain = True
        for argument in value[1:]:
            kind = type(argument)
            if kind is list or kind is dict or (kind is tuple and not _is_key(argument, dsk)):
                argument = _template(argument, dsk, used)
                plain = plain and not isinstance(argument, _Call | _List)
            elif _is_key(argument, dsk):
                argument = _input(argument, used)
            template.append(argument)
        if plain:
            return tuple(template), used
        return _Call(template[0], template[1:]), used
    used = []
    if _is_key(value, dsk):
        return _input(value, used), used
    return _template(value, dsk, used), used


def _is_key(value: Any, dsk: Mapping[Any, Any]) -> bool:
    kind = type(value)
    if kind is str or kind is int or kind is tuple:
        try:
            return value in dsk
        except TypeError:
            return False
    if kind is float or kind is bytes:
        return value in dsk
    return False


def _input(key: Any, used: list[Any]) -> _Slot:
    used.append(key)
    return _slots(len(used) - 1)


_known_slots = [_Slot(place) for place in range(64)]


def _slots(place: int) -> _Slot:
    return _known_slots[place] if place < 64 else _Slot(place)


class _Call:
    """A task that has nested tasks or lists among its arguments."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., Any], arguments: list[Any]) -> None:
        self.function = function
        self.arguments = arguments


class _List:
    """A list with keys or tasks in it."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items = items


def _template(value: Any, dsk: Mapping[Any, Any], used: list[Any]) -> Any:
    if _is_key(value, dsk):
        return _input(value, used)
    if type(value) is list:
        return _List([_template(item, dsk, used) for item in value])
    if type(value) is tuple and value and callable(value[0]):
        return _Call(value[0], [_template(item, dsk, used) for item in value[1:]])
    return value


def _evaluate(template: Any, *inputs: Any) -> Any:
    """Run one task of a dict graph."""
    kind = type(template)
    if kind is tuple and template and callable(template[0]):
        return template[0](
            *[inputs[part.place] if type(part) is _Slot else part for part in template[1:]]
        )
    return _fill(template, inputs)


def _fill(template: Any, inputs: tuple[Any, ...]) -> Any:
    kind = type(template)
    if kind is _Slot:
        return inputs[template.place]
    if kind is _List:
        return [_fill(item, inputs) for item in template.items]
    if kind is _Call:
        return template.function(*[_fill(item, inputs) for item in template.arguments])
    return template

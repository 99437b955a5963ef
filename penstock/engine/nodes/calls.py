"""Calls of the user's functions on single values: what `delayed` builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.sources import stored_blocks
from penstock.engine.plan import Node, ValueNode, user_lines
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.lowering import add_stage
from penstock.engine.primitives.tree_reduce import reduce_once
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


class Slot:
    """Stands for the `place`-th value that a call takes from elsewhere."""

    __slots__ = ("place",)

    def __init__(self, place: int) -> None:
        self.place = place


class Nested:
    """A list, tuple, set or dict with slots in it."""

    __slots__ = ("items", "kind")

    def __init__(self, kind: Callable[[Any], Any], items: list[Any]) -> None:
        self.kind = kind
        self.items = items


class CallTemplate:
    """A function and its arguments, with slots for the values of other nodes."""

    __slots__ = ("args", "function", "kwargs")

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs

    def __call__(self, inputs: Sequence[Any]) -> Any:
        function = fill(self.function, inputs)
        args = [fill(value, inputs) for value in self.args]
        if not self.kwargs:
            return function(*args)
        return function(*args, **{name: fill(v, inputs) for name, v in self.kwargs.items()})

    @property
    def label(self) -> str:
        """The function's name."""
        if isinstance(self.function, Slot):
            return "call"
        name = getattr(self.function, "__name__", type(self.function).__name__)
        if name in ("getattr", "getitem") and len(self.args) == 2:
            return f"{name} {self.args[1]!r}"
        return str(name)


def fill(value: Any, inputs: Sequence[Any]) -> Any:
    """Return `value` with its slots replaced by `inputs`."""
    kind = value.__class__
    if kind is Slot:
        return inputs[value.place]
    if kind is Nested:
        return value.kind([fill(item, inputs) for item in value.items])
    return value


@record(eq=False)
class Value(ValueNode):
    """An object that is there already."""

    value: Opaque

    name = "value"

    def lower(self, lowering: Lowering) -> Blocks:
        return blockwise(lowering, self.name, _Constant(self.value.value), [], ntasks=1, nbytes=0)


class _Constant:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


@record(eq=False)
class Call(ValueNode):
    """One call; the rule `group_calls` makes one stage of all calls of a plan.

    Attributes
    ----------
    template : Opaque
        A `CallTemplate`. Each call of the user's is one of its own.
    values : tuple of Node
        What its slots stand for; each has one block.
    """

    template: Opaque
    values: tuple[Node, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return str(self.template.value.label)

    def lower(self, lowering: Lowering) -> Blocks:
        places = tuple(~place for place in range(len(self.values)))
        return CallGroup((self.template,), (places,), self.values, (None,)).lower(lowering)


@record(eq=False)
class CallGroup(Node):
    """Calls that may take each other's values, one block each.

    Attributes
    ----------
    templates : tuple of Opaque
        In an order in which they can run.
    taken : tuple of tuple of int
        Per call and slot the number of an earlier call, or ``~k`` for the
        `k`-th of `values`.
    lines : tuple
        Where the user asked for each call.
    """

    templates: tuple[Opaque, ...]
    taken: tuple[tuple[int, ...], ...]
    values: tuple[Node, ...]
    lines: tuple[str | None, ...]

    name = "calls"

    @property
    def schema(self) -> None:
        return

    @property
    def npartitions(self) -> int:
        return len(self.templates)

    @property
    def nbytes(self) -> int:
        return 0

    def lower(self, lowering: Lowering) -> Blocks:
        outer = np.array([int(lowering.blocks(node).ids[0]) for node in self.values], np.int64)
        counts = np.fromiter(map(len, self.taken), np.int64, len(self.taken))
        places = np.fromiter(
            (place for each in self.taken for place in each), np.int64, int(counts.sum())
        )
        base = lowering.graph.nvalues
        indices = base + places
        if len(outer):
            indices = np.where(places < 0, outer[~np.minimum(places, -1)], indices)
        templates = [template.value for template in self.templates]
        return add_stage(
            lowering,
            self.name,
            _evaluate,
            (np.concatenate([[0], np.cumsum(counts)]), indices),
            csr=True,
            arguments=templates,
            memory=TaskMemory(input_factor=1.0),
            origin=_Origin(templates, self.lines),
        ).shared()

    def describe(self) -> str:
        return f"{len(self.templates)} functions"


def _evaluate(template: CallTemplate, *inputs: Any) -> Any:
    return template(inputs)


class _Origin:
    def __init__(self, templates: list[CallTemplate], lines: tuple[str | None, ...]) -> None:
        self.templates = templates
        self.lines = lines

    def __call__(self, number: int) -> str:
        line = self.lines[number]
        return f"the call of {self.templates[number].label}" + (f", {line}" if line else "")


@record(eq=False)
class CallResult(ValueNode):
    """The value of one call of a group."""

    group: CallGroup
    place: int

    name = "call"

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.group)
        return Blocks(blocks.ids[self.place : self.place + 1], 0)


@record(eq=False)
class Gathered(ValueNode):
    """All blocks of a collection as one object, what its ``compute`` would give."""

    input: Node
    finish: Opaque

    name = "gather"

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        count = max(1, len(blocks))
        whole = Blocks(blocks.ids, blocks.nbytes * count)
        return reduce_once(lowering, self.name, self.finish.value, whole, count)


@record(eq=False)
class PersistedValue(ValueNode):
    """A value that an earlier run left in the store."""

    handle: Any

    name = "persisted"

    def lower(self, lowering: Lowering) -> Blocks:
        return stored_blocks(lowering, (self.handle,), self.handle.nbytes)


def line_of(node: Node) -> str | None:
    """Return where the user asked for `node`."""
    return user_lines.get(node)

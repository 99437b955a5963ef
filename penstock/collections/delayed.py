"""Delayed: one value, computed by calls of any functions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from penstock.collections.base import Collection, noted
from penstock.engine.nodes.calls import (
    Call,
    CallTemplate,
    Gathered,
    Nested,
    PersistedValue,
    Slot,
    Value,
)
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import Node, ValueNode

_NOTHING: Any = object()


def delayed(
    obj: Any = _NOTHING,
    name: str | None = None,
    pure: bool | None = None,
    nout: int | None = None,
    traverse: bool = True,
) -> Any:
    """Make a function or a value lazy.

    Parameters
    ----------
    obj : object
        A function, whose calls are then built into a graph instead of run; or a
        value. Without it, a decorator is returned.
    name : str, optional
        Accepted for compatibility.
    pure : bool, optional
        Accepted for compatibility: every call is one of its own.
    nout : int, optional
        Number of values that a call gives, to be unpacked.
    traverse : bool
        Look for lazy values inside of lists, tuples, sets and dicts.

    Returns
    -------
    Delayed

    Examples
    --------
    >>> @delayed
    ... def add(x, y):
    ...     return x + y
    >>> (add(1, 2) * add(3, 4)).compute()
    21
    """
    if obj is _NOTHING:
        return partial(delayed, name=name, pure=pure, nout=nout, traverse=traverse)
    if isinstance(obj, Delayed):
        return obj
    values: dict[Node, int] = {}
    template = _template(obj, values, traverse)
    if not values:
        return Delayed(Value(Opaque(obj)), nout)
    if isinstance(template, Slot):
        (node,) = values
        assert isinstance(node, ValueNode)
        return Delayed(node, nout)
    return Delayed(noted(Call(Opaque(CallTemplate(_same, (template,), {})), tuple(values))), nout)


def _same(value: Any) -> Any:
    return value


def _template(value: Any, values: dict[Node, int], traverse: bool = True) -> Any:
    """Return `value` with slots for what is lazy in it, whose nodes are added to `values`."""
    if isinstance(value, Collection):
        node = value_node(value)
        return Slot(values.setdefault(node, len(values)))
    kind = type(value)
    if not traverse or kind not in (list, tuple, set, frozenset, dict):
        return value
    slots = False
    items = []
    for item in value.items() if kind is dict else value:
        made = _template(item, values)
        slots = slots or made is not item
        items.append(made)
    return Nested(kind, items) if slots else value


def value_node(collection: Collection) -> Node:
    """Return the node whose one block is what `collection` computes to."""
    if isinstance(collection, Delayed):
        return collection.plan
    plan, finish = collection._prepare()
    return Gathered(plan, Opaque(finish))


def _call(function: Any, *args: Any, **kwargs: Any) -> Delayed:
    values: dict[Node, int] = {}
    made = _template(function, values, traverse=False)
    positional = tuple(_template(value, values) for value in args)
    keywords = {name: _template(value, values) for name, value in kwargs.items()}
    template = CallTemplate(made, positional, keywords)
    return Delayed(noted(Call(Opaque(template), tuple(values))))


class Delayed(Collection):
    """A lazy value: calls, attributes, items and operators give further ones.

    Parameters
    ----------
    plan : ValueNode
    nout : int, optional
        Number of values that it, or a call of it, can be unpacked into.
    """

    def __init__(self, plan: ValueNode, nout: int | None = None) -> None:
        self._plan = plan
        self._nout = nout

    @property
    def plan(self) -> ValueNode:
        """The plan node whose value this is."""
        return self._plan

    def _finalize(self, blocks: list[Any], **_: Any) -> Any:
        (value,) = blocks
        return value

    def _from_handles(self, handles: list[Any]) -> Delayed:
        return Delayed(PersistedValue(handles[0]), self._nout)

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        """Return a lazy call of the value."""
        kwargs.pop("dask_key_name", None)
        plan = self._plan
        function = plan.value.value if isinstance(plan, Value) else self
        called = _call(function, *args, **kwargs)
        called._nout = self._nout
        return called

    def __getattr__(self, name: str) -> Delayed:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return _call(getattr, self, name)

    def __getitem__(self, key: Any) -> Delayed:
        return _call(operator.getitem, self, key)

    def __iter__(self) -> Iterator[Delayed]:
        if self._nout is None:
            raise TypeError(
                "a lazy value of unknown length cannot be iterated over; pass nout= to delayed, "
                "or compute it first"
            )
        return iter([self[place] for place in range(self._nout)])

    def __len__(self) -> int:
        if self._nout is None:
            raise TypeError("a lazy value has no length; pass nout= to delayed, or compute it")
        return self._nout

    def __bool__(self) -> bool:
        raise TypeError("a lazy value has no truth value; call .compute() first")

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._plan.name})"


def _binary(function: Callable[[Any, Any], Any], reverse: bool) -> Callable[[Any, Any], Delayed]:
    def method(self: Delayed, other: Any) -> Delayed:
        return _call(function, other, self) if reverse else _call(function, self, other)

    return method


def _unary(function: Callable[[Any], Any]) -> Callable[[Any], Delayed]:
    def method(self: Delayed) -> Delayed:
        return _call(function, self)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift",
              "rshift", "and", "or", "xor"):  # fmt: skip
    _function = getattr(operator, f"__{_name}__")
    setattr(Delayed, f"__{_name}__", _binary(_function, reverse=False))
    setattr(Delayed, f"__r{_name}__", _binary(_function, reverse=True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Delayed, f"__{_name}__", _binary(getattr(operator, _name), reverse=False))
for _name in ("neg", "pos", "invert", "abs"):
    setattr(Delayed, f"__{_name}__", _unary(getattr(operator, _name)))

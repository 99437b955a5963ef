"""Frozen dataclasses that are quick to define.

`dataclasses.dataclass` compiles the methods of each class on its own, a millisecond or two for
each; a first query imports eighty such classes. The methods of a `record` are shared and read
the fields of the class they are called on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

_Class = TypeVar("_Class", bound=type)


@overload
def record(cls: _Class, /) -> _Class: ...
@overload
def record(*, frozen: bool = True, eq: bool = True) -> Callable[[_Class], _Class]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(
    cls: type | None = None, /, *, frozen: bool = True, eq: bool = True
) -> type | Callable[[type], type]:
    """Make a class a dataclass whose attributes cannot be set once it is made.

    Parameters
    ----------
    cls : type
        Its annotations are its fields, as for `dataclasses.dataclass`; all are arguments, by
        position or name.
    frozen : bool, default True
        Whether setting an attribute raises.
    eq : bool, default True
        Whether records of equal fields are equal (and, when frozen, hash alike); otherwise each
        equals itself only.

    Returns
    -------
    type
        `cls`. `dataclasses.fields` and `dataclasses.replace` work on its instances.

    Raises
    ------
    TypeError
        When a field is not to be an argument, or by name only.

    Examples
    --------
    >>> @record
    ... class Interval:
    ...     start: int
    ...     stop: int = 10
    >>> Interval(3), Interval(3) == Interval(3, 10)
    (Interval(start=3, stop=10), True)
    """
    if cls is None:
        return lambda cls: _define(cls, frozen, eq)
    return _define(cls, frozen, eq)


class _Layout:
    """The fields of a record class, in the forms in which its methods need them."""

    def __init__(self, cls: type) -> None:
        fields = dataclasses.fields(cls)
        for field in fields:
            if not field.init or field.kw_only:
                raise TypeError(f"{cls.__name__}.{field.name} must be an argument by position")
        self.names = tuple(field.name for field in fields)
        self.defaults = {
            field.name: field.default
            for field in fields
            if field.default is not dataclasses.MISSING
        }
        self.factories = {
            field.name: field.default_factory
            for field in fields
            if field.default_factory is not dataclasses.MISSING
        }
        self.shown = tuple(field.name for field in fields if field.repr)
        self.compared = _values(field.name for field in fields if field.compare)
        self.hashed = _values(
            field.name for field in fields if (field.compare if field.hash is None else field.hash)
        )
        self.has_post_init = hasattr(cls, "__post_init__")


def _values(names: Any) -> Callable[[Any], Any]:
    names = tuple(names)
    return attrgetter(*names) if names else lambda record: ()


def _define(cls: type, frozen: bool, eq: bool) -> type:
    own = dict(vars(cls))
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # what dataclass would make of the signature takes as long
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    methods: dict[str, Any] = {"__init__": _init, "__repr__": _repr}
    if frozen:
        methods |= {"__setattr__": _setattr, "__delattr__": _delattr}
    if eq:
        methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
        if own.get("__hash__") is None:
            own.pop("__hash__", None)  # Python's, where the class has an __eq__ of its own
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    cls.__layout__ = _Layout(cls)  # type: ignore[attr-defined]
    return cls


def _init(self: Any, /, *args: Any, **kwargs: Any) -> None:
    layout = self.__layout__
    if kwargs or len(args) != len(layout.names):
        args = _bound(type(self).__name__, layout, args, kwargs)
    self.__dict__.update(zip(layout.names, args, strict=True))
    if layout.has_post_init:
        self.__post_init__()


def _bound(name: str, layout: _Layout, args: tuple, kwargs: dict[str, Any]) -> tuple:
    if len(args) > len(layout.names):
        raise TypeError(f"{name}() takes {len(layout.names)} arguments, not {len(args)}")
    given = dict(zip(layout.names, args, strict=False))
    for argument in kwargs:
        if argument not in layout.names:
            raise TypeError(f"{name}() has no argument {argument!r}")
        if argument in given:
            raise TypeError(f"{name}() got two values for {argument!r}")
    given = layout.defaults | given | kwargs
    for field, factory in layout.factories.items():
        if field not in given:
            given[field] = factory()
    missing = [field for field in layout.names if field not in given]
    if missing:
        raise TypeError(f"{name}() misses the arguments {', '.join(map(repr, missing))}")
    return tuple(given[field] for field in layout.names)


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__layout__.shown)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: Any) -> bool:
    if type(other) is not type(self):
        return NotImplemented
    compared = self.__layout__.compared
    return bool(compared(self) == compared(other))


def _hash(self: Any) -> int:
    return hash(self.__layout__.hashed(self))


def _setattr(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

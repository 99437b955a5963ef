"""Operators and their method spellings, added to collections that have ``_combined``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_LOGIC = ("and", "or", "xor")
_UNARY = {"__neg__": "neg", "__invert__": "invert", "__abs__": "abs", "__pos__": "pos"}


def _binary(op: str, reverse: bool) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        return self._combined(op, other, reverse=reverse)

    return method


def _unary(op: str) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        return self._elementwise(op)

    return method


def _spelled(op: str, reverse: bool) -> Callable[..., Any]:
    def method(self: Any, other: Any, axis: Any = "columns", fill_value: Any = None) -> Any:
        if fill_value is None:
            return self._combined(op, other, reverse=reverse, axis=axis)
        lazy = hasattr(other, "fillna")
        filled = other.fillna(fill_value) if lazy else other
        result = self.fillna(fill_value)._combined(op, filled, reverse=reverse, axis=axis)
        # where both are missing, the result is
        return result.mask(self.isna() & other.isna()) if lazy else result

    name = f"r{op}" if reverse else op
    method.__name__ = name
    method.__doc__ = f"Return the elementwise ``{name}`` with `other`, as pandas' method does."
    return method


def add_operators(cls: type) -> None:
    """Give `cls` Python's arithmetic, comparison and logical operators."""
    for op in _ARITHMETIC + _LOGIC:
        setattr(cls, f"__{op}__", _binary(op, reverse=False))
        setattr(cls, f"__r{op}__", _binary(op, reverse=True))
    for op in _COMPARISONS:
        setattr(cls, f"__{op}__", _binary(op, reverse=False))
    setattr(cls, "__hash__", object.__hash__)  # noqa: B010  __eq__ would have removed it
    for name, op in _UNARY.items():
        setattr(cls, name, _unary(op))


def add_operator_methods(cls: type) -> None:
    """Give `cls` pandas' named methods for the operators: ``add``, ``radd``, ``lt``, ..."""
    for op in _ARITHMETIC:
        setattr(cls, op, _spelled(op, reverse=False))
        setattr(cls, f"r{op}", _spelled(op, reverse=True))
    for op in _COMPARISONS:
        setattr(cls, op, _spelled(op, reverse=False))
    for alias, op in (("subtract", "sub"), ("multiply", "mul"), ("div", "truediv"),
                      ("divide", "truediv"), ("rdiv", "rtruediv")):  # fmt: skip
        setattr(cls, alias, getattr(cls, op))

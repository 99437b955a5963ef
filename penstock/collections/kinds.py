"""Collections by kind, so that a module can make one without importing its class.

Collections give each other: a column of a frame is a series, the sum of a series a scalar, a
series made a frame. Each class registers itself here, and is made from here by the modules that
it imports itself; so imports run one way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from penstock.engine.expr import Expr
    from penstock.engine.plan import FrameNode, Node

_classes: dict[str, type] = {}
Class = TypeVar("Class", bound=type)


def register(cls: Class) -> Class:
    """Make `cls` the class of collections of its name."""
    _classes[cls.__name__] = cls
    return cls


def class_of(kind: str) -> type:
    """Return the class of collections called `kind`."""
    return _classes[kind]


def is_kind(value: Any, *kinds: str) -> bool:
    """Return whether `value` is a collection of one of `kinds`."""
    return any(kind in _classes and isinstance(value, _classes[kind]) for kind in kinds)


def new_frame(plan: FrameNode) -> Any:
    """Return the DataFrame of `plan`."""
    return _classes["DataFrame"](plan)


def new_series(rows: FrameNode, expr: Expr, name: Any = None) -> Any:
    """Return the Series of `expr` over `rows`."""
    return _classes["Series"](rows, expr, name)


def new_scalar(rows: FrameNode, expr: Expr) -> Any:
    """Return the Scalar of `expr` over the one row of `rows`."""
    return _classes["Scalar"](rows, expr)


def new_index(rows: FrameNode) -> Any:
    """Return the Index of the labels of `rows`."""
    return _classes["Index"](rows)


def new_array(plan: Node) -> Any:
    """Return the Array of `plan`."""
    return _classes["Array"](plan)


def is_known(kind: str) -> bool:
    """Return whether the class of collections called `kind` has been imported."""
    return kind in _classes

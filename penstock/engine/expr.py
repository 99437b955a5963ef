"""Expressions over the columns of a block: columns, literals and calls of operations.

An expression is frozen, hashable and small; it names its operations as pandas names its
methods (``add``, ``str.contains``, ``dt.hour``) and holds no data but its literals.
`penstock.engine.evaluate` runs it; `to_filter` hands what a reader can decide to readers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, cast
from weakref import WeakValueDictionary

import numpy as np

from penstock.engine.kernels.identity import identity_key

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

INFIX = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%",
    "pow": "**", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "and": "&", "or": "|", "xor": "^",
}  # fmt: skip
CONSTANT = "constant"
"""The operation that reads, as a scalar, a column that has the same value on every row."""
PREFIX = {"neg": "-", "invert": "~", "pos": "+"}
_NEGATED = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def _owned(value: Any) -> Any:
    """Return `value`, copied if its owner could still change it."""
    if isinstance(value, list | set | dict | tuple):
        return copy.copy(value)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


class _Node:
    """Equality and a hash that is computed once, both from a key.

    Equal nodes are one object while it lives, so that comparing two trees that share
    their branches takes a step for each branch, not one for each path to it.
    """

    __slots__ = ("__weakref__", "_hash", "_key")
    _hash: int
    _key: Any

    @classmethod
    def _interned(cls, key: Any, **attributes: Any) -> Self:
        new = object.__new__(cls)
        for name, value in attributes.items():
            object.__setattr__(new, name, value)
        object.__setattr__(new, "_key", key)
        object.__setattr__(new, "_hash", hash((cls.__name__, key)))
        return cast("Self", _NODES.setdefault((cls, key), new))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or not isinstance(other, _Node):
            return False
        return self._hash == other._hash and self._key == other._key


_NODES: WeakValueDictionary[Any, _Node] = WeakValueDictionary()


class Column(_Node):
    """A column of the block, by name.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> Column("fare_amount")
    fare_amount
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str) -> Self:
        """Return the node of this name."""
        return cls._interned(name, name=name)

    def __reduce__(self) -> tuple:
        return (Column, (self.name,))

    def __repr__(self) -> str:
        return self.name if self.name.isidentifier() else f"[{self.name!r}]"


class Literal(_Node):
    """A constant: a scalar, or the values of an ``isin``.

    Parameters
    ----------
    value : object
        Lists and sets are held as tuples and frozensets.

    Examples
    --------
    >>> Literal(1) == Literal(True)
    False
    """

    __slots__ = ("value",)
    value: Any

    def __new__(cls, value: Any) -> Self:
        """Return the node of this value."""
        if isinstance(value, list):
            value = tuple(value)
        elif isinstance(value, set):
            value = frozenset(value)
        value = _owned(value)
        return cls._interned(identity_key(value), value=value)

    def __reduce__(self) -> tuple:
        return (Literal, (self.value,))

    def __repr__(self) -> str:
        return _shown(self.value)


class Call(_Node):
    """An operation on expressions, with options that are not data.

    Parameters
    ----------
    op : str
        pandas' name of it, with its accessor: ``add``, ``str.len``, ``dt.hour``.
    args : tuple of Expr
    options : tuple of (str, object), optional
        Keyword arguments, in any order.

    Examples
    --------
    >>> Call("gt", (Column("fare"), Literal(0)))
    fare > 0
    """

    __slots__ = ("args", "op", "options")
    op: str
    args: tuple[Expr, ...]
    options: tuple[tuple[str, Any], ...]

    def __new__(
        cls, op: str, args: tuple[Expr, ...], options: tuple[tuple[str, Any], ...] = ()
    ) -> Self:
        """Return the node of this call."""
        args = tuple(args)
        options = tuple(sorted(((k, _owned(v)) for k, v in options), key=lambda pair: pair[0]))
        key = (op, args, tuple((k, identity_key(v)) for k, v in options))
        return cls._interned(key, op=op, args=args, options=options)

    def __reduce__(self) -> tuple:
        return (Call, (self.op, self.args, self.options))

    def __repr__(self) -> str:
        if self.op in INFIX and len(self.args) == 2:
            return f"{_operand(self.args[0])} {INFIX[self.op]} {_operand(self.args[1])}"
        if self.op in PREFIX and len(self.args) == 1:
            return f"{PREFIX[self.op]}{_operand(self.args[0])}"
        given = [repr(arg) for arg in self.args[1:]]
        given += [f"{name}={_shown(value)}" for name, value in self.options]
        owner = _operand(self.args[0]) if self.args else ""
        return f"{owner}.{self.op}({', '.join(given)})"


Expr = Column | Literal | Call


def _operand(expr: Expr) -> str:
    infix = isinstance(expr, Call) and (expr.op in INFIX or expr.op in PREFIX)
    return f"({expr!r})" if infix else repr(expr)


def _shown(value: Any) -> str:
    if isinstance(value, tuple | frozenset) and len(value) > 6:
        first = ", ".join(repr(item) for item in list(value)[:5])
        return f"[{first}, ... {len(value)} values]"
    if isinstance(value, tuple):
        return repr(list(value))
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if isinstance(value, np.generic):
        return repr(value.item())
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield `expr` and the expressions in it, each once, the outermost first.

    Parameters
    ----------
    expr : Expr

    Yields
    ------
    Expr
    """
    stack, seen = [expr], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        if isinstance(node, Call):
            stack.extend(reversed(node.args))


def columns_of(expr: Expr) -> frozenset[str]:
    """Return the names of the columns that `expr` reads.

    Parameters
    ----------
    expr : Expr

    Returns
    -------
    frozenset of str

    Examples
    --------
    >>> sorted(columns_of(Call("add", (Column("a"), Column("b")))))
    ['a', 'b']
    """
    return frozenset(node.name for node in walk(expr) if isinstance(node, Column))


def substitute(expr: Expr, mapping: Mapping[str, Expr]) -> Expr:
    """Return `expr` with each column of `mapping` replaced by its expression.

    Parameters
    ----------
    expr : Expr
    mapping : dict of str to Expr

    Returns
    -------
    Expr

    Examples
    --------
    >>> substitute(Call("neg", (Column("a"),)), {"a": Literal(2)})
    -2
    """
    return _substitute(expr, mapping, {})


def _substitute(expr: Expr, mapping: Mapping[str, Expr], done: dict[Expr, Expr]) -> Expr:
    if isinstance(expr, Column):
        return mapping.get(expr.name, expr)
    if isinstance(expr, Literal):
        return expr
    if expr not in done:
        args = tuple(_substitute(arg, mapping, done) for arg in expr.args)
        same = all(new is old for new, old in zip(args, expr.args, strict=True))
        done[expr] = expr if same else Call(expr.op, args, expr.options)
    return done[expr]


def rename_columns(expr: Expr, mapping: Mapping[str, str]) -> Expr:
    """Return `expr` reading columns by their new names.

    Parameters
    ----------
    expr : Expr
    mapping : dict of str to str
        Old name to new name; other columns keep theirs.

    Returns
    -------
    Expr
    """
    return substitute(expr, {old: Column(new) for old, new in mapping.items()})


def split_conjuncts(expr: Expr) -> list[Expr]:
    """Return the parts of `expr` that must all hold.

    Parameters
    ----------
    expr : Expr

    Returns
    -------
    list of Expr

    Examples
    --------
    >>> split_conjuncts(Call("and", (Column("a"), Call("and", (Column("b"), Column("c"))))))
    [a, b, c]
    """
    if isinstance(expr, Call) and expr.op == "and":
        return [part for arg in expr.args for part in split_conjuncts(arg)]
    return [expr]


def to_filter(expr: Expr, schema: pa.Schema | None = None) -> pc.Expression | None:
    """Return the conjuncts of `expr` that Arrow can decide, as one Arrow expression.

    The result keeps every row that `expr` keeps, with pandas' reading of missing values
    (a comparison with a missing value is False, so its negation is True).

    Parameters
    ----------
    expr : Expr
    schema : pyarrow.Schema, optional
        Types of the columns: with it, literals are brought to the column's type, and
        comparisons that do not fit it are left out.

    Returns
    -------
    pyarrow.compute.Expression or None
        None where no conjunct can be converted.
    """
    found = None
    for part in split_conjuncts(expr):
        converted = _filter(part, schema, negate=False)
        if converted is not None:
            found = converted if found is None else found & converted
    return found


def _filter(expr: Expr, schema: pa.Schema | None, *, negate: bool) -> pc.Expression | None:
    import pyarrow.compute as pc

    if isinstance(expr, Column):
        import pyarrow as pa

        if schema is None or expr.name not in schema.names:
            return None
        if not pa.types.is_boolean(schema.field(expr.name).type):
            return None
        field = pc.field(expr.name)
        return (~field | field.is_null()) if negate else field
    if not isinstance(expr, Call):
        return None
    if expr.op == "invert":
        return _filter(expr.args[0], schema, negate=not negate)
    if expr.op in ("and", "or"):
        left = _filter(expr.args[0], schema, negate=negate)
        right = _filter(expr.args[1], schema, negate=negate)
        if left is None or right is None:
            return None
        return left & right if (expr.op == "and") != negate else left | right
    if expr.op == "between":
        return _filter(_between(expr), schema, negate=negate)
    if expr.op in ("isna", "notna") and isinstance(expr.args[0], Column):
        missing = pc.field(expr.args[0].name).is_null(nan_is_null=True)
        return missing if (expr.op == "isna") != negate else ~missing
    if expr.op == "isin":
        return _isin_filter(expr, schema, negate=negate)
    if expr.op in _NEGATED:
        return _comparison_filter(expr, schema, negate=negate)
    return None


def _between(expr: Call) -> Expr:
    value, left, right = expr.args
    inclusive = dict(expr.options).get("inclusive", "both")
    low = Call("ge" if inclusive in ("both", "left") else "gt", (value, left))
    high = Call("le" if inclusive in ("both", "right") else "lt", (value, right))
    return Call("and", (low, high))


def _comparison_filter(
    expr: Call, schema: pa.Schema | None, *, negate: bool
) -> pc.Expression | None:
    import pyarrow.compute as pc

    left, right = expr.args
    op = expr.op
    if isinstance(left, Literal) and isinstance(right, Column):
        left, right, op = right, left, _MIRRORED[op]
    if not isinstance(left, Column) or not isinstance(right, Literal):
        return None
    scalar = _filter_scalar(right.value, left.name, schema)
    if scalar is None:
        return None
    # Missing values fail a comparison and pass its negation; Arrow's null drops the row.
    keeps_missing = (op == "ne") != negate
    op = _NEGATED[op] if negate else op
    field = pc.field(left.name)
    compared = {
        "eq": field == scalar, "ne": field != scalar, "lt": field < scalar,
        "le": field <= scalar, "gt": field > scalar, "ge": field >= scalar,
    }[op]  # fmt: skip
    return compared | field.is_null(nan_is_null=True) if keeps_missing else compared


def _isin_filter(expr: Call, schema: pa.Schema | None, *, negate: bool) -> pc.Expression | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    column, values = expr.args
    if not isinstance(column, Column) or not isinstance(values, Literal):
        return None
    if not isinstance(values.value, tuple | frozenset | np.ndarray):
        return None
    scalars = [_filter_scalar(value, column.name, schema) for value in values.value]
    known = [scalar for scalar in scalars if scalar is not None]
    types = {scalar.type for scalar in known}
    if len(types) != 1 or len(known) < len(scalars):
        return None  # a missing value among them too: isin(None) finds missing values
    found = pc.field(column.name).isin(pa.concat_arrays([pa.repeat(s, 1) for s in known]))
    return ~found if negate else found


def _filter_scalar(value: Any, name: str, schema: pa.Schema | None) -> pa.Scalar | None:
    """Return `value` as an Arrow scalar fit to be compared with column `name`, or None."""
    import pyarrow as pa

    from penstock.engine.kernels.elementwise.scalars import scalar_for
    from penstock.engine.kernels.missing import is_missing

    if is_missing(value):
        return None
    if schema is not None:
        if name not in schema.names:
            return None
        kind = schema.field(name).type
        if pa.types.is_dictionary(kind) and not kind.ordered:
            kind = kind.value_type
        return scalar_for(value, kind)
    try:
        return pa.scalar(value.item() if isinstance(value, np.generic) else value)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None

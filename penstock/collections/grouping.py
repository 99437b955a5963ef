"""How the rows of a collection are grouped: keys of every kind, and what is grouped by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import is_kind, new_index
from penstock.collections.rows import labelled, united
from penstock.engine.expr import Column, Expr
from penstock.engine.nodes.select import Select
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError, UnsupportedError, column_not_found
from penstock.records import record

Columns = tuple[tuple[str, Any], ...]
"""Name in blocks and the user's label of columns."""


@record
class Grouping:
    """How rows are grouped.

    Attributes
    ----------
    plan : FrameNode
        Rows with the key columns.
    keys : tuple of str
        Key columns in the plan's blocks.
    names : tuple
        The user's names of the keys.
    columns : tuple of (str, Any)
        Value columns: name in blocks and label.
    whole : tuple of (str, Any)
        The columns of the rows themselves, with keys that are among them.
    """

    plan: FrameNode
    keys: tuple[str, ...]
    names: tuple[Any, ...]
    columns: Columns
    whole: Columns
    as_index: bool = True
    sort: bool = True
    group_keys: bool = True
    observed: bool = True
    dropna: bool = True
    listed: bool = False
    """The keys were given as a list, so that groups are called by tuples, even of one key."""

    @property
    def has_categories(self) -> bool:
        """Whether a key is categorical."""
        import pyarrow as pa

        schema = self.plan.schema
        return any(pa.types.is_dictionary(schema.field(key).type) for key in self.keys)


def resolve(frame: Any, by: Any, level: Any) -> tuple[FrameNode, tuple[str, ...], tuple]:
    """Return the plan with key columns, their names in blocks, and the user's names."""
    rows: FrameNode = frame._rows
    if level is not None:
        if by is not None:
            raise UnsupportedError(
                "groupby by keys and by a level at once: name the level among the keys"
            )
        return _index_level(rows, level)
    if by is None:
        raise TypeError("groupby needs `by` or `level`")
    wanted: list[Any] = list(by) if isinstance(by, list) else [by]
    if not wanted:
        raise ValueError("No group keys passed!")
    schema = rows.schema
    computed: list[tuple[int, Any]] = []
    keys: list[str] = []
    names: list[Any] = []
    for position, given in enumerate(wanted):
        key = _plain_key(frame, given)
        if isinstance(key, FrameLike):
            computed.append((position, key))
            keys.append("")
            names.append(getattr(key, "name", None))
        elif key in schema.labels and schema.column(key) in keys:
            computed.append((position, frame[key]))
            keys.append("")
            names.append(key)
        elif key in schema.labels:
            keys.append(schema.column(key))
            names.append(key)
        elif key in schema.index_names:
            keys.append(schema.index[schema.index_names.index(key)])
            names.append(key)
        else:
            raise column_not_found(key, schema.labels)
    if not computed:
        return rows, tuple(keys), tuple(names)
    operands: list[tuple[FrameNode, Expr]] = [
        frame._operand(rows, series) for _, series in computed
    ]
    rows, exprs = united(rows, operands, "groupby")
    made: list[tuple[str, Any, Expr]] = [
        (name, label, Column(name))
        for name, label in zip(schema.columns, schema.labels, strict=True)
    ]
    for (position, _), expr in zip(computed, exprs, strict=True):
        known = (*schema.columns, *rows.schema.index)
        if isinstance(expr, Column) and expr.name in known and expr.name not in keys:
            keys[position] = expr.name
            continue
        name = unique_names([*schema.names, *(item[0] for item in made), "__key__"])[-1]
        keys[position] = name
        made.append((name, name, expr))
    plan = Select(
        rows,
        tuple((name, expr) for name, _, expr in made),
        tuple(label for _, label, _ in made),
        schema.label_names,
    )
    return plan, tuple(keys), tuple(names)


def _plain_key(frame: Any, key: Any) -> Any:
    """Return a label, or a Series of keys, for one of pandas' spellings of a key."""
    if isinstance(key, FrameLike):
        if not is_kind(key, "Series"):
            raise SchemaError("groupby by a DataFrame: pass its columns as a list of Series")
        return key
    if type(key).__name__ in ("Grouper", "TimeGrouper") and hasattr(key, "freq"):
        if key.freq is not None:
            raise UnsupportedError(
                "groupby by pd.Grouper(freq=...): group by series.dt.floor(freq), which leaves "
                "out periods without rows, or resample"
            )
        if key.key is None:
            raise UnsupportedError("pd.Grouper without key: pass level= to groupby")
        return key.key
    if isinstance(key, dict):
        key = key.get
    if isinstance(key, Callable):  # type: ignore[arg-type]
        labels = new_index(frame._rows).to_series()
        return labels.map(key)
    try:
        hash(key)
    except TypeError:
        raise UnsupportedError(
            f"groupby by a {type(key).__name__}: pass labels, or a Series of the same rows"
        ) from None
    return key


def _index_level(rows: FrameNode, level: Any) -> tuple[FrameNode, tuple[str, ...], tuple]:
    plan = labelled(rows)
    names = plan.schema.index_names
    positions = [
        _level_position(names, one)
        for one in (level if isinstance(level, list | tuple) else [level])
    ]
    return (
        plan,
        tuple(plan.schema.index[position] for position in positions),
        tuple(names[position] for position in positions),
    )


def _level_position(names: tuple[Any, ...], level: Any) -> int:
    if level in names:
        return names.index(level)
    if isinstance(level, int):
        if not -len(names) <= level < len(names):
            raise ValueError(f"level {level}: the index has {len(names)} levels")
        return level % len(names)
    raise ValueError(f"level name {level} is not the name of the index")

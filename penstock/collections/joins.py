"""merge and concat: which columns meet, what they are called, which index results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.beside import beside, named
from penstock.collections.framelike import FrameLike
from penstock.collections.in_memory import from_pandas
from penstock.collections.kinds import is_kind, new_frame
from penstock.collections.mapping import collection_of
from penstock.collections.rows import labelled
from penstock.engine.kernels.concat import common_type
from penstock.engine.kernels.convert import nullable_dtype
from penstock.engine.nodes.concat import Concat
from penstock.engine.nodes.join import Columns, Join
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.select import ResetIndex, SetIndex, project
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.schema import FrameSchema, unique_names
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.engine.plan import FrameNode

# Columns that index levels become for a join: keys, and labels that are carried along.
_KEY, _LABEL = "__key_", "__label_"
_HOW = ("inner", "left", "right", "outer", "cross", "semi", "anti")
_DASK_HOW = {"leftsemi": "semi", "leftanti": "anti"}


def merge(
    left: Any,
    right: Any,
    how: str = "inner",
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    suffixes: tuple[str | None, str | None] = ("_x", "_y"),
    indicator: bool | str = False,
    validate: str | None = None,
    broadcast: bool | None = None,
    sort: bool = False,
) -> Any:
    """Join two frames on equal keys; see `DataFrame.merge`."""
    how = _DASK_HOW.get(how, how)
    if how not in _HOW:
        raise ValueError(f"how={how!r}: must be one of {', '.join(_HOW)}")
    left, right = as_frame(left), as_frame(right)
    keys_left, keys_right = _keys(left, right, how, on, left_on, right_on, left_index, right_index)
    keep_index = left_index and right_index
    left_plan, on_left = _keyed(left, keys_left, left_index, labels=right_index)
    right_plan, on_right = _keyed(right, keys_right, right_index, labels=left_index)
    left_columns, right_columns = _named(
        left_plan.schema, right_plan.schema, on_left, on_right, suffixes,
        shared=_shared_keys(left_plan.schema, right_plan.schema, on_left, on_right, keep_index),
        left_only=how in ("semi", "anti"),
    )  # fmt: skip
    if how == "right":
        right_plan = RowPositions(in_order(right_plan))
    elif how not in ("outer", "cross"):  # whose rows come ordered: by key, or as on the left
        left_plan = RowPositions(in_order(left_plan))
    mark = "_merge" if indicator is True else indicator or None
    node: FrameNode = Join(
        left_plan, right_plan, on_left, on_right, left_columns, right_columns, how,
        mark, validate, broadcast,
    )  # fmt: skip
    if how == "outer":
        node = in_order(node)
    elif sort and how != "cross":
        node = _by_keys(node, on_right if how == "right" else on_left,
                        right_columns if how == "right" else left_columns)  # fmt: skip
    if keep_index:
        node = _with_common_index(node, left, right, on_left, left_columns)
    elif left_index or right_index:
        node = _with_index_of(node, right if left_index else left, how, left_index)
    return new_frame(noted(node))


def _by_keys(node: FrameNode, keys: tuple[str, ...], columns: Columns) -> FrameNode:
    """Return the joined rows ordered by their keys, and as they were where these are equal."""
    names = {source: name for source, name, _ in columns}
    by = (*(names[key] for key in keys), *node.schema.order)
    return Sort(node, by, (True,) * len(by))


def as_frame(value: Any) -> Any:
    """Return `value` as a lazy frame: a pandas object or a Series is taken in."""
    if is_kind(value, "DataFrame"):
        return value
    if isinstance(value, FrameLike):
        return value.to_frame()  # type: ignore[attr-defined]
    if type(value).__module__.startswith("pandas"):
        made = from_pandas(value, npartitions=1)
        return made if is_kind(made, "DataFrame") else made.to_frame()
    raise SchemaError(f"cannot merge with a {type(value).__name__}")


def _keys(
    left: Any,
    right: Any,
    how: str,
    on: Any,
    left_on: Any,
    right_on: Any,
    left_index: bool,
    right_index: bool,
) -> tuple[list[Any], list[Any]]:
    if how == "cross":
        return [], []
    if on is not None:
        left_on = right_on = on
    if left_on is None and right_on is None and not (left_index or right_index):
        common = [label for label in left.columns if label in set(right.columns)]
        if not common:
            raise SchemaError("merge: the frames have no column in common; give on= or left_on=")
        left_on = right_on = common
    lefts = [] if left_index else _as_list(left_on)
    rights = [] if right_index else _as_list(right_on)
    wanted_left = len(left.plan.schema.index) or 1 if left_index else len(lefts)
    wanted_right = len(right.plan.schema.index) or 1 if right_index else len(rights)
    if wanted_left != wanted_right:
        raise ValueError(f"merge: {wanted_left} left keys and {wanted_right} right keys")
    return lefts, rights


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _keyed(
    frame: Any, keys: list[Any], by_index: bool, *, labels: bool
) -> tuple[FrameNode, tuple[str, ...]]:
    """Return the plan to join, without an index, and its key columns.

    With `labels`, the index of a frame that is joined by columns goes along as columns.
    """
    if by_index or labels:
        plan = in_order(labelled(frame.plan))
        prefix = _KEY if by_index else _LABEL
        names = tuple(f"{prefix}{level}__" for level in range(len(plan.schema.index)))
        plan = ResetIndex(plan, names, names)
        if by_index:
            return plan, names
    else:
        plan = in_order(frame.plan)
        if plan.schema.index:
            plan = ResetIndex(plan, (), (), drop=True)
    return plan, tuple(plan.schema.column(key) for key in keys)


def _shared_keys(
    left: FrameSchema,
    right: FrameSchema,
    on_left: tuple[str, ...],
    on_right: tuple[str, ...],
    keep_index: bool,
) -> frozenset[tuple[str, str]]:
    """Return the pairs of key columns that become one column."""
    label_left = dict(zip(left.columns, left.labels, strict=True))
    label_right = dict(zip(right.columns, right.labels, strict=True))
    return frozenset(
        (a, b)
        for a, b in zip(on_left, on_right, strict=True)
        if keep_index or label_left[a] == label_right[b]
    )


def _named(
    left: FrameSchema,
    right: FrameSchema,
    on_left: tuple[str, ...],
    on_right: tuple[str, ...],
    suffixes: tuple[str | None, str | None],
    *,
    shared: frozenset[tuple[str, str]],
    left_only: bool,
) -> tuple[Columns, Columns]:
    """Return the columns of each side with their names in the result."""
    taken_right = {b for _, b in shared}
    rest = [
        (name, label)
        for name, label in zip(right.columns, right.labels, strict=True)
        if name not in taken_right
    ]
    taken_left = {a for a, _ in shared}
    own = [
        label
        for name, label in zip(left.columns, left.labels, strict=True)
        if name not in taken_left
    ]
    clashing = set() if left_only else set(own) & {label for _, label in rest}
    if clashing and not (suffixes[0] or suffixes[1]):
        raise ValueError(f"columns overlap but no suffix specified: {sorted(map(str, clashing))}")

    def suffixed(label: Any, suffix: str | None) -> Any:
        return f"{label}{suffix}" if label in clashing and suffix else label

    lefts = [
        (name, suffixed(label, suffixes[0]) if name not in taken_left else label)
        for name, label in zip(left.columns, left.labels, strict=True)
    ]
    rights = [(name, suffixed(label, suffixes[1])) for name, label in rest]
    names = unique_names([label for _, label in (*lefts, *rights)])
    left_columns = tuple(
        (source, name, label) for (source, label), name in zip(lefts, names, strict=False)
    )
    right_columns = tuple(
        (source, name, label)
        for (source, label), name in zip(rights, names[len(lefts) :], strict=True)
    )
    output = {source: name for source, name, _ in left_columns}
    merged = tuple((b, output[a], label_of(left, a)) for a, b in sorted(shared))
    return left_columns, right_columns + merged


def label_of(schema: FrameSchema, name: str) -> Any:
    """Return the user's label of the data column `name`."""
    return schema.labels[schema.columns.index(name)]


def _with_common_index(
    node: FrameNode,
    left: Any,
    right: Any,
    on_left: tuple[str, ...],
    left_columns: Columns,
) -> FrameNode:
    """Make the keys, which were the index of both sides, the index of the result."""
    names = {source: name for source, name, _ in left_columns}
    index_names = left.plan.schema.index_names or (None,)
    others = right.plan.schema.index_names or (None,)
    common = tuple(a if a == b else None for a, b in zip(index_names, others, strict=True))
    return SetIndex(node, tuple(names[key] for key in on_left), common)


def _with_index_of(node: FrameNode, side: Any, how: str, left_index: bool) -> FrameNode:
    """Give the rows the labels they had on the side that was joined by columns, as pandas does."""
    if how not in ("inner", "right" if left_index else "left"):
        raise UnsupportedError(
            f"merge how={how!r} of an index with columns would make labels for rows that have "
            "none; use reset_index() and merge on columns"
        )
    columns = node.schema.columns
    labels = tuple(name for name in columns if name.startswith(_LABEL))
    index_names = side.plan.schema.index_names or (None,) * len(labels)
    node = SetIndex(node, labels, index_names)
    kept = tuple(name for name in node.schema.columns if not name.startswith(_KEY))
    return project(node, kept)


def concat(
    frames: Sequence[Any],
    axis: Any = 0,
    join: str = "outer",
    ignore_index: bool = False,
    *,
    sort: bool | None = None,
) -> Any:
    """Put frames after each other (axis 0) or side by side (axis 1).

    Parameters
    ----------
    frames : sequence of DataFrame or Series
    axis : {0, 1}
        With 1, rows with the same labels meet.
    join : {"outer", "inner"}
        All columns (with axis 1: rows), or those that every frame has.
    ignore_index : bool
        Label the rows (with axis 1: the columns) 0, 1, 2, ...
    sort : bool, optional
        With axis 1 and an outer join, order the rows by their labels; by default, as in pandas,
        where these are times, and otherwise in the order in which labels first appear.

    Returns
    -------
    DataFrame or Series

    Raises
    ------
    SchemaError
        With axis 1, when a label occurs twice in a frame and the frames have other rows
        (found when computing).

    Notes
    -----
    Frames made from one another without dropping or moving rows are put side by side as they
    are; other ones are joined on their index, through an exchange.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([5, 7], index=["a", "b"], name="fare"), npartitions=1)
    >>> tips = dd.from_pandas(pd.Series([1, 2], index=["b", "c"], name="tip"), npartitions=1)
    >>> dd.concat([fares, tips], axis=1, join="inner").compute()
       fare  tip
    b     7    1
    """
    members = list(frames)
    if not members:
        raise ValueError("no objects to concatenate")
    if join not in ("outer", "inner"):
        raise ValueError(f"concat: join must be 'outer' or 'inner', not {join!r}")
    if axis in (1, "columns"):
        plans = [as_frame(member).plan for member in named(members)]
        return beside(plans, join, ignore_index, sort)
    if sort:
        raise UnsupportedError(
            "concat(sort=True) would order the columns; choose them in that order afterwards: "
            "frame[sorted(frame.columns)]"
        )
    is_series = all(is_kind(member, "Series") for member in members)
    names = {member.name for member in members} if is_series else set()
    if is_series and len(names) > 1:
        members = [member.rename(None) for member in members]
    lazies = [member if is_kind(member, "Series") and is_series else as_frame(member)
              for member in members]  # fmt: skip
    plans = []
    for lazy in lazies:
        plan = in_order(lazy.plan)
        if ignore_index:
            plan = ResetIndex(plan, (), (), drop=True) if plan.schema.index else plan
        else:
            plan = labelled(plan)
        plans.append(plan)
    return collection_of(noted(Concat(tuple(plans), _united_schema(plans, join))), is_series)


def _united_schema(plans: list[FrameNode], join: str) -> FrameSchema:
    schemas = [plan.schema for plan in plans]
    depth = {len(schema.index) for schema in schemas}
    if len(depth) > 1:
        raise SchemaError("concat: the frames' indexes have different numbers of levels")
    fields: dict[str, pa.Field] = {}
    labels: dict[str, Any] = {}
    for schema in schemas:
        for field, label in zip(schema.fields, schema.labels, strict=True):
            fields[field.name] = _common_field(fields.get(field.name), field)
            labels[field.name] = label
    common = set.intersection(*(set(schema.columns) for schema in schemas))
    if join == "inner":
        fields = {name: field for name, field in fields.items() if name in common}
    else:
        fields.update({n: _with_missing(f) for n, f in fields.items() if n not in common})
    index_fields = tuple(schemas[0].index_fields)
    for schema in schemas[1:]:
        index_fields = tuple(
            _common_field(a, b) for a, b in zip(index_fields, schema.index_fields, strict=True)
        )
    names = schemas[0].index_names
    for schema in schemas[1:]:
        names = tuple(a if a == b else None for a, b in zip(names, schema.index_names, strict=True))
    first = schemas[0]
    return replace(
        first,
        fields=tuple(fields.values()),
        labels=tuple(labels[name] for name in fields),
        index_fields=index_fields,
        index_names=names,
    )


def _common_field(known: pa.Field | None, field: pa.Field) -> pa.Field:
    import pyarrow as pa

    if known is None:
        return field
    kind = common_type(known.type, field.type, field.name)
    marked = next((one for one in (known, field) if one.type == kind and one.metadata), None)
    return pa.field(field.name, kind, metadata=None if marked is None else marked.metadata)


def _with_missing(field: pa.Field) -> pa.Field:
    """Return the field of a column that some frame lacks: pandas makes integers floats for it."""
    import pyarrow as pa

    plain = pa.types.is_integer(field.type) and nullable_dtype(field) is None
    return pa.field(field.name, pa.float64()) if plain else field

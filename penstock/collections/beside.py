"""concat along the columns: frames side by side, rows with the same labels meeting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import select_plan
from penstock.collections.kinds import new_frame
from penstock.collections.rows import labelled
from penstock.engine.expr import Column
from penstock.engine.nodes.concat import SideBySide
from penstock.engine.nodes.join import Join
from penstock.engine.nodes.numbering import NumberRows
from penstock.engine.nodes.select import ResetIndex, SetIndex
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError

_LABEL, _PLACE = "__label_", "__place_"


def beside(plans: list[FrameNode], join: str, ignore_index: bool, sort: bool | None) -> Any:
    """Return the columns of several plans side by side; see `concat`.

    Parameters
    ----------
    plans : list of FrameNode
    join : {"outer", "inner"}
        Rows with labels of any plan, in the order in which they appear, or of all.
    ignore_index : bool
        Label the columns 0, 1, 2, ...
    sort : bool or None
        Order the rows of an outer join by their labels; None does so for times, as pandas.

    Returns
    -------
    DataFrame
    """
    labels = [label for plan in plans for label in plan.schema.labels]
    if ignore_index:
        labels = list(range(len(labels)))
    same = all(plan.grid is plans[0].grid for plan in plans)
    rows, names = _together(plans) if same else _joined(plans, join, sort)
    items = tuple((name, label, Column(name)) for name, label in zip(names, labels, strict=True))
    return new_frame(select_plan(noted(rows), items))


def named(members: Sequence[Any]) -> list[Any]:
    """Return frames and series, those without a name numbered as pandas does."""
    found, number = [], 0
    for member in members:
        if getattr(member, "ndim", 2) == 1 and member.name is None:
            member = member.rename(number)
            number += 1
        found.append(member)
    return found


def _together(plans: list[FrameNode]) -> tuple[FrameNode, list[str]]:
    """Return the columns of plans that have the same rows in the same blocks, and their names."""
    first = plans[0].schema
    taken = list(first.index + first.order)
    columns = []
    for plan in plans:
        names = unique_names([*taken, *plan.schema.columns])[len(taken) :]
        taken += names
        columns.append(tuple(zip(plan.schema.columns, names, plan.schema.labels, strict=True)))
    made = [name for pairs in columns for _, name, _ in pairs]
    return SideBySide(tuple(plans), tuple(columns)), made


def _joined(plans: list[FrameNode], join: str, sort: bool | None) -> tuple[FrameNode, list[str]]:
    """Return the columns of plans joined on their labels, in the order of their appearance."""
    depth = {len(plan.schema.index) or 1 for plan in plans}
    if len(depth) > 1:
        raise SchemaError("concat: the frames' indexes have different numbers of levels")
    keys = tuple(f"{_LABEL}{level}__" for level in range(depth.pop()))
    columns = unique_names([name for plan in plans for name in plan.schema.columns])
    labels = [plan.schema.index_names or (None,) for plan in plans]
    shared = tuple(
        names[0] if all(name == names[0] for name in names) else None
        for names in zip(*labels, strict=True)
    )
    done, made, rest = _numbered(plans[0], 0, keys), [], list(columns)
    for number, plan in enumerate(plans):
        own, rest = rest[: len(plan.schema.columns)], rest[len(plan.schema.columns) :]
        if number:
            done = _met(done, _numbered(plan, number, keys), own, keys, join)
        else:
            done = _renamed(done, (*keys, *own, f"{_PLACE}0__"))
        made += own
    if join == "outer" and (_are_times(plans) if sort is None else sort):
        done = Sort(done, keys, (True,) * len(keys))
    return SetIndex(done, keys, shared), made


def _are_times(plans: list[FrameNode]) -> bool:
    import pyarrow as pa

    fields = [plan.schema.index_fields for plan in plans]
    return all(len(levels) == 1 and pa.types.is_timestamp(levels[0].type) for levels in fields)


def _numbered(plan: FrameNode, number: int, keys: tuple[str, ...]) -> FrameNode:
    """Return `plan` with its labels and the numbers of its rows as columns, and no index."""
    plan = ResetIndex(in_order(labelled(plan)), keys, keys)
    place = f"{_PLACE}{number}__"
    plan = ResetIndex(NumberRows(plan), (place,), (place,))
    names = plan.schema.columns  # the place, the labels, the others
    order = (*names[1 : 1 + len(keys)], *names[1 + len(keys) :], place)
    label_of = dict(zip(names, plan.schema.labels, strict=True))
    return select_plan(plan, tuple((name, label_of[name], Column(name)) for name in order))


def _renamed(plan: FrameNode, names: tuple[str, ...]) -> FrameNode:
    pairs = zip(names, plan.schema.columns, strict=True)
    return select_plan(plan, tuple((name, name, Column(source)) for name, source in pairs))


def _met(
    left: FrameNode, right: FrameNode, own: list[str], keys: tuple[str, ...], join: str
) -> FrameNode:
    """Join one more plan, whose columns are to be called `own`."""
    place = right.schema.columns[-1]
    right = _renamed(right, (*keys, *own, place))
    node = Join(
        left,
        right,
        keys,
        keys,
        tuple((name, name, name) for name in left.schema.columns),
        tuple((name, name, name) for name in right.schema.columns),
        join,
        validate="1:1",
    )
    places = [name for name in node.schema.columns if name.startswith(_PLACE)]
    by = tuple(places if join == "outer" else places[:1])
    return Sort(node, by, (True,) * len(by))

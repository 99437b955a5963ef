"""Distinct values and how often they occur."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.rows import labelled
from penstock.engine.expr import Call, Column
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.nodes.dedupe import DropDuplicates
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.reduce import Reduce
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode

if TYPE_CHECKING:
    from penstock.collections.series import Series


def drop_duplicates(frame: FrameLike, subset: Any, keep: Any) -> Any:
    """Return one row per distinct `subset`, in the order of the rows."""
    plan = RowPositions(in_order(labelled(frame.plan)))
    if subset is None:
        names = plan.schema.columns
    else:
        labels = subset if isinstance(subset, list | tuple) else [subset]
        names = tuple(plan.schema.column(label) for label in labels)
    return frame._on(DropDuplicates(plan, names, keep))


def unique(series: Series) -> Series:
    """Return the distinct values in order of appearance, with a new index."""
    plan = _without_index(series.plan)
    distinct = DropDuplicates(RowPositions(in_order(plan)), plan.schema.columns)
    return series._on(distinct)


def _without_index(plan: FrameNode) -> FrameNode:
    return ResetIndex(plan, (), (), drop=True) if plan.schema.index else plan


def nunique(frame: FrameLike, dropna: bool) -> Any:
    """Return the exact number of distinct values of each column."""
    from penstock.collections.scalar import Row, Scalar
    from penstock.engine.nodes.concat import SideBySide

    counted: list[FrameNode] = []
    for name, _, expr in frame._items:
        plan: FrameNode = _without_index(
            select_plan(frame._rows, ((name, name, expr),))
        )
        if dropna:
            plan = Filter(plan, Call("notna", (Column(name),)))
        distinct = DropDuplicates(plan, (name,))
        # the distinct values may be missing ones: count rows, not values
        counted.append(Reduce(distinct, (AggSpec(None, "size", name),)))
    if not _is_frame(frame):
        return Scalar(noted(counted[0]), Column(counted[0].schema.columns[0]))
    columns = tuple(
        ((name, name, label),) for name, label, _ in frame._items
    )
    rows = SideBySide(tuple(counted), columns)
    items = tuple((name, label, Column(name)) for name, label, _ in frame._items)
    return Row(noted(rows), items)


def _is_frame(frame: FrameLike) -> bool:
    from penstock.collections.frame import DataFrame

    return isinstance(frame, DataFrame)


def value_counts(
    series: Series, sort: bool, ascending: bool, dropna: bool, normalize: bool
) -> Series:
    """Return the number of rows of each value, as pandas orders them."""
    from penstock.collections.series import Series

    ((name, label, _),) = series._items
    plan = RowPositions(_without_index(in_order(series.plan)))
    counts: FrameNode = GroupAggregate(
        plan, (name,), (label,), (AggSpec(None, "size", "count"),), ("count",),
        sort=False, dropna=dropna,
    )  # fmt: skip
    if sort:
        counts = Sort(
            counts, ("count", *counts.schema.order), (ascending, True), drop_order=True
        )
    result = Series(noted(counts), Column("count"), "count")
    if not normalize:
        return result
    total = series.count() if dropna else series._count()
    return (result / total).rename("proportion")


def mode(series: Series, dropna: bool) -> Series:
    """Return the most frequent values, sorted."""
    counts = value_counts(series, sort=False, ascending=False, dropna=dropna, normalize=False)
    most = counts._masked(counts == counts.max())
    values = most.reset_index().plan
    by = values.schema.columns[0]
    ordered = Sort(in_order(values), (by,), (True,))
    from penstock.collections.series import Series

    return Series(_without_index(ordered), Column(by), series.name)

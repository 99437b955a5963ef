"""Distinct values and how often they occur."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.kinds import is_kind, new_series
from penstock.collections.rows import labelled
from penstock.engine.expr import Call, Column
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.kernels.convert import nullable_dtype
from penstock.engine.nodes.dedupe import DropDuplicates
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.groupby import GroupAggregate, GroupMap
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.reduce import Reduce
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode

if TYPE_CHECKING:
    import pandas as pd

    from penstock.collections.grouping import Grouping


def drop_duplicates(frame: FrameLike, subset: Any, keep: Any) -> Any:
    """Return one row per distinct `subset`, in the order of the rows."""
    plan = RowPositions(in_order(labelled(frame.plan)))
    if subset is None:
        names = plan.schema.columns
    else:
        labels = subset if isinstance(subset, list | tuple) else [subset]
        names = tuple(plan.schema.column(label) for label in labels)
    return frame._on(DropDuplicates(plan, names, keep))


def unique(series: Any) -> Any:
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
        plan: FrameNode = _without_index(select_plan(frame._rows, ((name, name, expr),)))
        if dropna:
            plan = Filter(plan, Call("notna", (Column(name),)))
        distinct = DropDuplicates(plan, (name,))
        # the distinct values may be missing ones: count rows, not values
        counted.append(Reduce(distinct, (AggSpec(None, "size", name),)))
    if not _is_frame(frame):
        return Scalar(noted(counted[0]), Column(counted[0].schema.columns[0]))
    columns = tuple(((name, name, label),) for name, label, _ in frame._items)
    rows = SideBySide(tuple(counted), columns)
    items = tuple((name, label, Column(name)) for name, label, _ in frame._items)
    return Row(noted(rows), items, label_names=frame._schema.label_names)


def _is_frame(frame: FrameLike) -> bool:
    return is_kind(frame, "DataFrame")


def value_counts(series: Any, sort: bool, ascending: bool, dropna: bool, normalize: bool) -> Any:
    """Return the number of rows of each value, as pandas orders them."""
    import pyarrow as pa

    ((name, label, _),) = series._items
    plan = RowPositions(_without_index(in_order(series.plan)))
    field = plan.schema.field(name)
    # categories come in their own order, with those that no row has
    categorical = pa.types.is_dictionary(field.type)
    counts: FrameNode = GroupAggregate(
        plan, (name,), (label,), (AggSpec(None, "size", "count"),), ("count",),
        sort=categorical, dropna=dropna, complete=categorical,
    )  # fmt: skip
    if sort:
        ties = counts.schema.index if categorical else counts.schema.order
        counts = Sort(counts, ("count", *ties), (ascending, True))
    result: Any = new_series(noted(counts), Column("count"), "count")
    if nullable_dtype(field) is not None:
        result = result.astype("Int64")
    if not normalize:
        return result
    total = series.count() if dropna else series._count()
    return (result / total).rename("proportion")


def grouped_value_counts(
    grouping: Grouping, normalize: bool, sort: bool, ascending: bool, dropna: bool
) -> Any:
    """Return the number of rows of each value in each group; see `value_counts`."""
    ((column, label),) = grouping.columns
    plan = in_order(grouping.plan)
    required = (*(grouping.keys if grouping.dropna else ()), *((column,) if dropna else ()))
    for name in required:
        plan = Filter(plan, Call("notna", (Column(name),)))
    counts: FrameNode = GroupAggregate(
        RowPositions(plan), (*grouping.keys, column), (*grouping.names, label),
        (AggSpec(None, "size", "count"),), ("count",), sort=False, dropna=False,
    )  # fmt: skip
    levels = counts.schema.index[:-1]
    name = "count"
    if normalize:
        name = "proportion"
        import pyarrow as pa

        result = replace(counts.schema, fields=(pa.field(name, pa.float64()),), labels=(name,))
        share = Opaque(partial(_shares, levels=list(range(len(levels)))))
        counts = GroupMap(counts, levels, share, Opaque(((), {})), result, "share of group")
    by = ((*levels,) if grouping.sort else ()) + ((name,) if sort else ())
    directions = tuple(ascending if one == name else True for one in by)
    ordered = Sort(counts, (*by, *counts.schema.order), (*directions, True))
    return new_series(noted(ordered), Column(name), name)


def _shares(frame: pd.DataFrame, levels: list[int]) -> pd.Series:
    counts = frame["count"]
    return counts / counts.groupby(level=levels, dropna=False).transform("sum")


def mode(series: Any, dropna: bool) -> Any:
    """Return the most frequent values, sorted."""
    counts = value_counts(series, sort=False, ascending=False, dropna=dropna, normalize=False)
    present = counts._masked(counts > 0)
    most = present._masked(present == present.max())
    values = most.reset_index().plan
    by = values.schema.columns[0]
    ordered = Sort(in_order(values), (by,), (True,))
    return new_series(_without_index(ordered), Column(by), series.name)

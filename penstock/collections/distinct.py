"""Distinct values and how often they occur."""

from __future__ import annotations

from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.kinds import is_kind, new_series
from penstock.collections.rows import labelled
from penstock.engine.expr import Column
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.kernels.convert import nullable_dtype
from penstock.engine.nodes.dedupe import DropDuplicates, Duplicated
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.nunique import Nunique
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sketches import CountDistinct
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode
from penstock.errors import UnsupportedError


def drop_duplicates(frame: FrameLike, subset: Any, keep: Any) -> Any:
    """Return one row per distinct `subset`, in the order of the rows."""
    plan = RowPositions(in_order(labelled(frame.plan)))
    if subset is None:
        names = plan.schema.columns
    else:
        labels = subset if isinstance(subset, list | tuple) else [subset]
        names = tuple(plan.schema.column(label) for label in labels)
    return frame._on(DropDuplicates(plan, names, keep))


def duplicated(collection: FrameLike, subset: Any, keep: Any) -> Any:
    """Return which rows repeat another one, for each row."""
    if keep not in ("first", "last", False):
        raise ValueError(f'keep must be either "first", "last" or False, not {keep!r}')
    plan = labelled(collection.plan)  # the rows that a filter by the result would have
    names = plan.schema.columns
    if subset is not None:
        labels = subset if isinstance(subset, list | tuple) else [subset]
        names = tuple(plan.schema.column(label) for label in labels)
    if not names:
        raise UnsupportedError("duplicated: there are no columns to compare")
    marks = Duplicated(plan, names, keep)
    return new_series(noted(marks), Column(marks.schema.columns[0]), None)


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
        counted.append(Nunique(plan, name, dropna))
    if not _is_frame(frame):
        return Scalar(noted(counted[0]), Column(counted[0].schema.columns[0]))
    columns = tuple(((name, name, label),) for name, label, _ in frame._items)
    rows = SideBySide(tuple(counted), columns)
    items = tuple((name, label, Column(name)) for name, label, _ in frame._items)
    return Row(noted(rows), items, label_names=frame._schema.label_names)


def _is_frame(frame: FrameLike) -> bool:
    return is_kind(frame, "DataFrame")


def count_distinct(collection: FrameLike) -> Any:
    """Return the estimated number of distinct rows."""
    from penstock.collections.scalar import Scalar

    plan = collection.plan
    return Scalar(noted(CountDistinct(plan, plan.schema.columns)), Column("rows"))


def value_counts(
    series: Any, sort: bool, ascending: bool, dropna: bool, normalize: bool, bins: Any = None
) -> Any:
    """Return the number of rows of each value, as pandas orders them."""
    import pyarrow as pa

    if bins is not None:
        return _binned_counts(series, bins, sort, ascending, dropna, normalize)
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


def _binned_counts(
    series: Any, bins: Any, sort: bool, ascending: bool, dropna: bool, normalize: bool
) -> Any:
    """Return the number of values in each bin; shares are of all rows, as in pandas."""
    from penstock.collections.binning import cut

    binned = cut(series, bins, include_lowest=True)
    counts = value_counts(binned, sort=False, ascending=False, dropna=True, normalize=False)
    if sort:
        plan = counts.plan
        by = (plan.schema.columns[0], *plan.schema.index)
        counts = counts._on(Sort(plan, by, (ascending, True)))
    return (counts / series._count()).rename("proportion") if normalize else counts


def frame_value_counts(
    frame: Any, subset: Any, normalize: bool, sort: bool, ascending: bool, dropna: bool
) -> Any:
    """Return the number of rows of each combination of values; see `DataFrame.value_counts`."""
    import pyarrow as pa

    plan = RowPositions(_without_index(in_order(frame.plan)))
    schema = plan.schema
    chosen = list(schema.labels) if subset is None else subset
    labels = tuple(chosen) if isinstance(chosen, list | tuple) else (chosen,)
    keys = tuple(schema.column(label) for label in labels)
    if any(pa.types.is_dictionary(schema.field(key).type) for key in keys):
        raise UnsupportedError(
            "value_counts of several columns with categories would count each pair of categories; "
            "use groupby(...).size(), or astype(str) first"
        )
    counts: FrameNode = GroupAggregate(
        plan, keys, labels, (AggSpec(None, "size", "count"),), ("count",),
        sort=False, dropna=dropna,
    )  # fmt: skip
    if sort:
        counts = Sort(counts, ("count", *counts.schema.order), (ascending, True))
    result: Any = new_series(noted(counts), Column("count"), "count")
    return (result / result.sum()).rename("proportion") if normalize else result


def frame_mode(frame: Any, numeric_only: bool, dropna: bool) -> Any:
    """Return the most frequent values of each column, those of fewer filled up."""
    from penstock.collections.joins import merge

    items = frame._reducible(True) if numeric_only else frame._items
    modes = [
        mode(new_series(frame._rows, expr, label), dropna).to_frame(label)
        for _, label, expr in items
    ]
    if not modes:
        raise UnsupportedError("mode: there are no columns")
    result = modes[0]
    for one in modes[1:]:
        result = merge(result, one, how="outer", left_index=True, right_index=True)
    return result


def mode(series: Any, dropna: bool) -> Any:
    """Return the most frequent values, sorted."""
    counts = value_counts(series, sort=False, ascending=False, dropna=dropna, normalize=False)
    present = counts._masked(counts > 0)
    most = present._masked(present == present.max())
    values = most.reset_index().plan
    by = values.schema.columns[0]
    ordered = Sort(in_order(values), (by,), (True,))
    return new_series(_without_index(ordered), Column(by), series.name)

"""Values that become columns: pivot_table, pivot and unstack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.collections.base import compute, noted
from penstock.collections.framelike import MOST_COLUMNS
from penstock.collections.kinds import is_kind, new_frame
from penstock.collections.reshaping import as_labels
from penstock.collections.scalar import Scalar
from penstock.engine.expr import Column
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.kernels.convert import nullable_dtype
from penstock.engine.nodes.dedupe import DropDuplicates
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.reduce import RowCount
from penstock.engine.nodes.reshape import DistinctRows, Pivot
from penstock.engine.nodes.select import ResetIndex, SetIndex
from penstock.engine.schema import FrameSchema, index_column, unique_names
from penstock.errors import SchemaError, UnsupportedError
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.engine.plan import FrameNode


def pivot_table(
    data: Any,
    values: Any = None,
    index: Any = None,
    columns: Any = None,
    aggfunc: Any = "mean",
    fill_value: Any = None,
    margins: bool = False,
    dropna: bool = True,
    margins_name: Any = "All",
    observed: bool = True,
    sort: bool = True,
    max_columns: int = MOST_COLUMNS,
    **kwargs: Any,
) -> Any:
    """Aggregate the rows of each `index` and put those of each `columns` side by side.

    Parameters
    ----------
    data : DataFrame
    values : label or list of labels, optional
        Columns to aggregate; by default all others.
    index, columns : label or list of labels
        Columns whose values become row labels, and column labels.
    aggfunc : str, callable, list of these, or dict of column to these
        As for ``groupby().agg()``.
    fill_value : scalar, optional
        In place of missing values of the result.
    margins : bool
        Only False.
    dropna : bool
        Only True: columns without any value are left out, and rows whose keys are missing.
    margins_name : str
        Not used.
    observed : bool
        Only categories that occur.
    sort : bool
        Only True.
    max_columns : int
        Raise when `columns` have more distinct values.
    **kwargs
        For `aggfunc`.

    Returns
    -------
    DataFrame

    Raises
    ------
    UnsupportedError
        For the parameters above, or when there are more than `max_columns` values.

    Notes
    -----
    Which columns there are is known once the data have been aggregated: the call does so, and
    keeps the groups, spilled where they do not fit, for what follows. Columns made of categories
    are labelled by the plain values.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> trips = pd.DataFrame({"zone": [1, 2, 1], "day": ["mo", "mo", "tu"], "fare": [5, 7, 9]})
    >>> lazy = dd.from_pandas(trips, npartitions=2)
    >>> lazy.pivot_table(index="zone", columns="day", values="fare", aggfunc="sum").compute()
    day    mo   tu
    zone
    1     5.0  9.0
    2     7.0  NaN
    """
    if margins:
        raise UnsupportedError(
            "pivot_table margins are not supported; aggregate by the index alone with groupby "
            "for totals"
        )
    if not dropna or not sort:
        raise UnsupportedError(
            "pivot_table drops columns without values and sorts: pass dropna=True and sort=True; "
            "for other results use groupby and unstack"
        )
    rows, keys = as_labels(index), as_labels(columns)
    if not rows or not keys:
        raise UnsupportedError("pivot_table needs index= and columns=; for one use groupby")
    schema = data.plan.schema
    for label in (*rows, *keys):
        if not isinstance(label, str | int | float | tuple) or callable(label):
            raise UnsupportedError(
                f"pivot_table by a {type(label).__name__} is not supported; assign it as a "
                "column and name that"
            )
        schema.column(label)
    several = isinstance(values, list | tuple)
    chosen = as_labels(list(values) if isinstance(values, tuple) else values)
    if values is None:
        chosen = [label for label in schema.labels if label not in (*rows, *keys)]
    grouped = data.groupby([*rows, *keys], observed=observed)[chosen]
    made = grouped.agg(aggfunc, **kwargs)
    if is_kind(made, "Series") or not made.plan.schema.columns:
        raise UnsupportedError(
            f"pivot_table with aggfunc={aggfunc!r} has no columns of values; pass values="
        )
    by_function = isinstance(aggfunc, list)
    drop = values is not None and not several
    nested = by_function or any(isinstance(label, tuple) for label in made.plan.schema.labels)
    long = Long.of(made.dropna(how="all"), len(rows), "pivot_table", max_columns)
    sources = [Source(name, _base(label, by_function, drop, nested), order)
               for name, label, order in _ordered(long.plan.schema, aggfunc, by_function)]  # fmt: skip
    levels = len(sources[0].label) if sources else 0
    return long.wide(sources, (None,) * levels, absent=fill_value, missing=fill_value,
                     only_filled=True)  # fmt: skip


def _base(label: Any, by_function: bool, drop: bool, nested: bool) -> tuple[Any, ...]:
    """Return the outer levels of the label of a column of the result."""
    levels = label if nested and isinstance(label, tuple) else (label,)
    if by_function:  # pandas has the function outermost
        levels = (levels[-1], *(() if drop else levels[:-1]))
    elif drop:
        levels = levels[1:]
    return levels


def _ordered(schema: FrameSchema, aggfunc: Any, by_function: bool) -> list[tuple[str, Any, Any]]:
    """Return name, label and order of the value columns, as pandas sorts them."""
    pairs = list(zip(schema.columns, schema.labels, strict=True))
    if by_function:
        names = list(dict.fromkeys(label[-1] for label in schema.labels))
        orders = [(names.index(label[-1]), label[:-1]) for _, label in pairs]
    else:
        orders = [label if isinstance(label, tuple) else (label,) for _, label in pairs]
    return [(name, label, order) for (name, label), order in zip(pairs, orders, strict=True)]


def pivot(data: Any, columns: Any, index: Any = None, values: Any = None,
          max_columns: int = MOST_COLUMNS) -> Any:  # fmt: skip
    """Put the values of rows with the same `index` side by side; see `DataFrame.pivot`."""
    keys = as_labels(columns)
    rows = as_labels(index)
    schema = data.plan.schema
    several = values is None or isinstance(values, list | tuple)
    chosen = as_labels(list(values) if isinstance(values, tuple) else values)
    if values is None:
        chosen = [label for label in schema.labels if label not in (*rows, *keys)]
    if not rows:
        raise UnsupportedError("pivot needs index=; reset_index() makes columns of row labels")
    long = data.set_index([*rows, *keys], sort=False)[chosen]
    return _unstacked(long, len(rows), "pivot", max_columns, not several, na_position="first")


def unstack(collection: Any, level: Any, fill_value: Any, max_columns: int) -> Any:
    """Make an index level columns; see `DataFrame.unstack`."""
    schema = collection.plan.schema
    count = len(schema.index)
    if count < 2:
        raise UnsupportedError(
            "unstack needs an index of several levels; for one level the result would be all "
            "values as one row: use melt, or compute() first"
        )
    if isinstance(level, list | tuple):
        if len(level) != 1:
            raise UnsupportedError("unstack takes one level; call it once for each")
        (level,) = level
    place = _level_number(schema, level)
    frame = collection.to_frame() if is_kind(collection, "Series") else collection
    if place != count - 1:  # the level to unstack goes innermost
        plan = _with_level_last(frame.plan, place)
        frame = new_frame(plan)
    single = is_kind(collection, "Series")
    return _unstacked(frame, count - 1, "unstack", max_columns, single, fill_value)


def _level_number(schema: FrameSchema, level: Any) -> int:
    if level in schema.index_names and level is not None:
        return schema.index_names.index(level)
    count = len(schema.index)
    if isinstance(level, int) and -count <= level < count:
        return level % count
    raise KeyError(f"no index level {level!r}; the levels are {list(schema.index_names)}")


def _with_level_last(plan: FrameNode, place: int) -> FrameNode:
    schema = plan.schema
    order = [i for i in range(len(schema.index)) if i != place] + [place]
    return with_levels(plan, order, [schema.index_names[i] for i in order])


def with_levels(plan: FrameNode, order: Sequence[int], index_names: Sequence[Any]) -> FrameNode:
    """Return `plan` with its index levels in another order, and under other names."""
    schema = plan.schema
    names = unique_names([*schema.names, *(f"__level_{i}__" for i in range(len(schema.index)))])
    names = names[len(schema.names) :]
    flat = ResetIndex(plan, tuple(names), tuple(names))
    return SetIndex(flat, tuple(names[i] for i in order), tuple(index_names))


def _unstacked(frame: Any, rows: int, purpose: str, most: int, single: bool,
               fill_value: Any = None, na_position: str = "last") -> Any:  # fmt: skip
    long = Long.of(frame, rows, purpose, most, na_position)
    schema = long.plan.schema
    nested = any(isinstance(label, tuple) for label in schema.labels)
    sources = []
    for place, (name, label) in enumerate(zip(schema.columns, schema.labels, strict=True)):
        base = () if single else label if nested else (label,)
        sources.append(Source(name, base, (place,)))
    outer = () if single else schema.label_names
    return long.wide(sources, outer, absent=fill_value)


@record
class Source:
    """A column of values: its name in blocks, outer labels, and place among the columns."""

    name: str
    label: tuple[Any, ...]
    order: Any


@record
class Long:
    """Rows that are to be pivoted, kept in the store, and what has been found about them.

    Attributes
    ----------
    plan : FrameNode
        Its first index levels label the rows, the others become columns.
    rows, keys : tuple of str
        The index columns of either kind.
    combinations : pyarrow.Table
        The distinct keys, sorted.
    total, lines : int
        How many rows there are, and how many distinct labels of rows.
    na_position : {"last", "first"}
        Of missing keys, on both axes.
    """

    plan: FrameNode
    rows: tuple[str, ...]
    keys: tuple[str, ...]
    combinations: pa.Table
    total: int
    lines: int
    na_position: str

    @classmethod
    def of(cls, frame: Any, rows: int, purpose: str, most: int, na_position: str = "last") -> Long:
        """Compute and keep `frame`, whose first `rows` index levels label the rows."""
        plan = frame.persist().plan
        levels = plan.schema.index
        by, keys = levels[:rows], levels[rows:]
        distinct = new_frame(noted(DistinctRows(plan, keys, most, purpose, na_position)))
        combinations = distinct.to_arrow()
        counts = [RowCount(plan), RowCount(DropDuplicates(plan, by))]
        total, lines = compute(*(Scalar(noted(node), Column("rows")) for node in counts))
        return cls(plan, by, keys, combinations, int(total), int(lines), na_position)

    @property
    def complete(self) -> bool:
        """Whether every row of the result has a value of every combination."""
        return self.total == self.lines * self.combinations.num_rows

    def wide(
        self,
        sources: Sequence[Source],
        outer: tuple[Any, ...],
        *,
        absent: Any = None,
        missing: Any = None,
        only_filled: bool = False,
    ) -> Any:
        """Return the frame of one row per distinct row label.

        Parameters
        ----------
        sources : sequence of Source
        outer : tuple
            Names of the outer column levels.
        absent, missing : optional
            See `Pivot`.
        only_filled : bool
            Leave out columns without any value.
        """
        import pyarrow as pa

        schema = self.plan.schema
        filled = self._filled(sources) if only_filled else None
        keys = self._key_labels()
        cells = [
            (source, number)
            for source in _sorted(sources)
            for number in range(len(keys))
            if filled is None or filled[source.name][number]
        ]
        labels = []
        for source, number in cells:
            label = (*source.label, *keys[number])
            labels.append(label if len(label) > 1 else label[0])
        taken = [*schema.index, *self.rows]
        names = unique_names([*taken, *labels])[len(taken) :]
        fields = [
            self._field(schema.field(source.name), absent).with_name(name)
            for (source, _), name in zip(cells, names, strict=True)
        ]
        index_fields = tuple(
            schema.field(name).with_name(index_column(level))
            for level, name in enumerate(self.rows)
        )
        inner = schema.index_names[len(self.rows) :]
        result = FrameSchema(
            tuple(pa.field(f.name, f.type, metadata=f.metadata) for f in fields),
            tuple(labels),
            index_fields,
            schema.index_names[: len(self.rows)],
            (),
            (*outer, *inner),
        )
        node = Pivot(
            self.plan,
            self.rows,
            self.keys,
            Opaque(self.combinations),
            tuple((source.name, number, name)
                  for (source, number), name in zip(cells, names, strict=True)),
            result,
            None if absent is None else Opaque(absent),
            None if missing is None else Opaque(missing),
            self.na_position,
            self.lines,
        )  # fmt: skip
        return new_frame(noted(node))

    def _field(self, field: pa.Field, absent: Any) -> pa.Field:
        """Return the field of a column of the result: pandas makes integers floats for gaps."""
        import pyarrow as pa

        if self.complete or not pa.types.is_integer(field.type) or nullable_dtype(field):
            return field
        if absent is None or isinstance(absent, float):
            return pa.field(field.name, pa.float64())
        return field

    def _key_labels(self) -> list[tuple[Any, ...]]:
        schema = self.plan.schema
        fields = tuple(schema.field(name) for name in self.keys)
        frame = FrameSchema(fields, self.keys).to_pandas(self.combinations)
        return list(zip(*(frame.iloc[:, i].tolist() for i in range(len(self.keys))), strict=True))

    def _filled(self, sources: Sequence[Source]) -> dict[str, list[bool]]:
        """Return, for each column of values, which combinations have any."""
        names = [source.name for source in sources]
        outputs = unique_names([*self.keys, *names])[len(self.keys) :]
        specs = tuple(
            AggSpec(name, "count", output) for name, output in zip(names, outputs, strict=True)
        )
        counted = GroupAggregate(
            self.plan, self.keys, self.keys, specs, tuple(outputs), dropna=False
        )
        found = new_frame(noted(counted)).compute()
        if len(found) != self.combinations.num_rows:
            raise SchemaError("pivot: the groups changed between two looks at them")
        return {
            name: (found[output] > 0).tolist() for name, output in zip(names, outputs, strict=True)
        }


def _sorted(sources: Sequence[Source]) -> list[Source]:
    try:
        return sorted(sources, key=_order)
    except TypeError:  # labels of several kinds have no order
        return list(sources)


def _order(source: Source) -> Any:
    return source.order

"""Grouped frames and series: keys, selected columns, and the spellings of ``agg``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.grouping import Grouping
from penstock.collections.groups import GroupFunctionsMixin
from penstock.collections.kinds import new_frame, new_series
from penstock.collections.rows import united
from penstock.engine.expr import Column, Expr
from penstock.engine.kernels.aggregate import AGGREGATIONS, HOLISTIC, AggSpec
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.select import Select
from penstock.engine.nodes.sort import in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError, UnsupportedError, column_not_found

_SAME_IN_NUMPY = frozenset({"sum", "prod", "mean", "min", "max", "any", "all"})
_ALIASES = {"kurtosis": "kurt", "amax": "max", "amin": "min", "product": "prod"}


class _GroupBy(GroupFunctionsMixin, ABC):
    """What grouped frames and grouped series share: the aggregations."""

    _grouping: Grouping

    @abstractmethod
    def _aggregate_each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        """Apply one aggregation to every selected column."""

    def sum(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the sum of each group."""
        return self._aggregate_each("sum", numeric_only, min_count=min_count)

    def prod(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the product of each group."""
        return self._aggregate_each("prod", numeric_only, min_count=min_count)

    def mean(self, numeric_only: bool = False) -> Any:
        """Return the mean of each group."""
        return self._aggregate_each("mean", numeric_only)

    def count(self) -> Any:
        """Return the number of values in each group that are not missing."""
        return self._aggregate_each("count")

    def min(self, numeric_only: bool = False, min_count: int = -1) -> Any:
        """Return the minimum of each group."""
        return self._aggregate_each("min", numeric_only, min_count=min_count)

    def max(self, numeric_only: bool = False, min_count: int = -1) -> Any:
        """Return the maximum of each group."""
        return self._aggregate_each("max", numeric_only, min_count=min_count)

    def first(self, numeric_only: bool = False, min_count: int = -1) -> Any:
        """Return the first value of each group that is not missing."""
        return self._aggregate_each("first", numeric_only, min_count=min_count)

    def last(self, numeric_only: bool = False, min_count: int = -1) -> Any:
        """Return the last value of each group that is not missing."""
        return self._aggregate_each("last", numeric_only, min_count=min_count)

    def std(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard deviation of each group."""
        return self._aggregate_each("std", numeric_only, ddof=ddof)

    def var(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the variance of each group."""
        return self._aggregate_each("var", numeric_only, ddof=ddof)

    def sem(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard error of the mean of each group."""
        return self._aggregate_each("sem", numeric_only, ddof=ddof)

    def skew(self, numeric_only: bool = False) -> Any:
        """Return the skewness of each group."""
        return self._aggregate_each("skew", numeric_only)

    def any(self, skipna: bool = True) -> Any:
        """Return whether any value of each group is true."""
        return self._aggregate_each("any", skipna=skipna)

    def all(self, skipna: bool = True) -> Any:
        """Return whether all values of each group are true."""
        return self._aggregate_each("all", skipna=skipna)

    def nunique(self, dropna: bool = True) -> Any:
        """Return the exact number of distinct values of each group."""
        return self._aggregate_each("nunique", dropna=dropna)

    def median(self, numeric_only: bool = False) -> Any:
        """Return the exact median of each group."""
        return self._aggregate_each("median", numeric_only)

    def quantile(self, q: float = 0.5, interpolation: str = "linear",
                 numeric_only: bool = False) -> Any:  # fmt: skip
        """Return an exact quantile of each group."""
        return self._aggregate_each("quantile", numeric_only, q=q, interpolation=interpolation)

    def size(self) -> Any:
        """Return the number of rows of each group."""
        return self._built((AggSpec(None, "size", "size"),), ("size",), series=None)

    # -- machinery ------------------------------------------------------------

    def _built(
        self, specs: tuple[AggSpec, ...], labels: tuple[Any, ...], *, series: Any = False,
        label_names: tuple[Any, ...] = (None,),
    ) -> Any:  # fmt: skip
        """Return the aggregated collection: a Series of name `series` unless it is False."""
        grouping = self._grouping
        plan = grouping.plan
        # a key may be aggregated too, under its own name
        outputs = unique_names([*grouping.keys, *(spec.output for spec in specs)])
        specs = tuple(
            replace(spec, output=output)
            for spec, output in zip(specs, outputs[len(grouping.keys) :], strict=True)
        )
        if not grouping.sort:
            if not plan.schema.order:
                plan = RowPositions(plan)
        elif any(spec.depends_on_order for spec in specs):
            plan = in_order(plan)
        node = GroupAggregate(
            plan,
            grouping.keys,
            grouping.names,
            specs,
            labels,
            label_names,
            sort=grouping.sort,
            dropna=grouping.dropna,
            holistic=any(spec.function not in AGGREGATIONS for spec in specs),
            complete=not grouping.observed,
        )
        if series is not False and grouping.as_index:
            return new_series(noted(node), Column(specs[0].output), series)
        frame = new_frame(noted(node))
        return frame if grouping.as_index else frame.reset_index()

    def _spec(self, column: str | None, function: Any, output: str, **options: Any) -> AggSpec:
        """Return the aggregation that one of pandas' spellings means."""
        name = function if isinstance(function, str) else getattr(function, "__name__", "")
        name = _ALIASES.get(name, name)
        known = name in AGGREGATIONS or name in HOLISTIC
        if not known or (callable(function) and not _stands_for_its_name(function, name)):
            if isinstance(function, str):
                self._unknown(function)
            return AggSpec(column, "apply", output, (("func", Opaque(function)),))
        column = None if name == "size" else column
        return AggSpec(column, name, output, tuple(sorted(options.items())))

    def _unknown(self, function: str) -> None:
        known = ", ".join(sorted({*AGGREGATIONS, *HOLISTIC} - {"apply"}))
        raise UnsupportedError(f"no aggregation {function!r}; there are: {known}")


def _stands_for_its_name(function: Any, name: str) -> bool:
    """Return whether `function` is NumPy's and calls the method of that name.

    Others of NumPy's (std, median) treat missing values or ``ddof`` in their own way, and
    Python's own functions see each value.
    """
    import numpy as np

    return name in _SAME_IN_NUMPY and function is getattr(np, name)


def _function_name(function: Any) -> str:
    return function if isinstance(function, str) else getattr(function, "__name__", str(function))


class DataFrameGroupBy(_GroupBy):
    """The rows of a frame in groups; made by `DataFrame.groupby`."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping

    @classmethod
    def of_frame(
        cls, frame: Any, by: Any, *, level: Any = None, **options: Any
    ) -> DataFrameGroupBy:
        """Return `frame` grouped by `by`; see `DataFrame.groupby`."""
        plan, keys, names = _resolve(frame, by, level)
        own = frame._rows.schema
        columns = tuple(
            (name, label)
            for name, label in zip(own.columns, own.labels, strict=True)
            if name not in keys
        )
        return cls(Grouping(plan, keys, names, columns, **options))

    def __getitem__(self, key: Any) -> DataFrameGroupBy | SeriesGroupBy:
        schema = self._grouping.plan.schema
        if isinstance(key, list | tuple):
            columns = tuple((schema.column(label), label) for label in key)
            return DataFrameGroupBy(replace(self._grouping, columns=columns))
        return SeriesGroupBy(replace(self._grouping, columns=((schema.column(key), key),)))

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._grouping.plan.schema.labels:
            return self[name]
        raise AttributeError(f"grouped frames have no method and no column {name!r}")

    def agg(self, func: Any = None, **named: Any) -> Any:
        """Aggregate, in any of pandas' spellings.

        Parameters
        ----------
        func : str, callable, list, or dict of column to these, optional
        **named
            ``out=("column", "function")``: named outputs.

        Returns
        -------
        DataFrame
        """
        if func is None:
            return self._named(named)
        if isinstance(func, dict):
            return self._by_column(func)
        if isinstance(func, list):
            return self._by_column({label: func for _, label in self._grouping.columns})
        if isinstance(func, str) and hasattr(self, func) and not named:
            return getattr(self, func)()
        return self._aggregate_with(func, named)

    aggregate = agg

    def _aggregate_each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        chosen = self._numeric(numeric_only)
        specs = tuple(self._spec(name, function, name, **options) for name, _ in chosen)
        return self._built(specs, tuple(label for _, label in chosen))

    def _aggregate_with(self, func: Any, options: dict[str, Any]) -> Any:
        chosen = self._grouping.columns
        specs = tuple(self._spec(name, func, name, **options) for name, _ in chosen)
        return self._built(specs, tuple(label for _, label in chosen))

    def _numeric(self, numeric_only: bool) -> tuple[tuple[str, Any], ...]:
        if not numeric_only:
            return self._grouping.columns
        from penstock.engine.kernels.aggregate.functions import is_number

        schema = self._grouping.plan.schema
        return tuple(
            (name, label)
            for name, label in self._grouping.columns
            if is_number(schema.field(name).type)
        )

    def _by_column(self, functions: dict[Any, Any]) -> Any:
        schema = self._grouping.plan.schema
        nested = any(isinstance(function, list) for function in functions.values())
        specs: list[AggSpec] = []
        labels: list[Any] = []
        for label, function in functions.items():
            column = schema.column(label)
            for one in function if isinstance(function, list) else [function]:
                made = (label, _function_name(one)) if nested else label
                labels.append(made)
                output = unique_names([*(spec.output for spec in specs), made])[-1]
                specs.append(self._spec(column, one, output))
        names: tuple[Any, ...] = (None, None) if nested else (None,)
        return self._built(tuple(specs), tuple(labels), label_names=names)

    def _named(self, named: dict[str, Any]) -> Any:
        schema = self._grouping.plan.schema
        specs: list[AggSpec] = []
        for output, spelled in named.items():
            label, function, options = _named_spelling(output, spelled)
            specs.append(self._spec(schema.column(label), function, output, **options))
        if not specs:
            raise TypeError("agg needs a function, a list, a dict or named aggregations")
        return self._built(tuple(specs), tuple(named))


class SeriesGroupBy(_GroupBy):
    """One column in groups; made by selecting it, or by `Series.groupby`."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping

    @classmethod
    def of_series(cls, series: Any, by: Any, **options: Any) -> SeriesGroupBy:
        """Return `series` grouped by other Series of the same rows."""
        frame = series.to_frame()
        plan, keys, names = _resolve(frame, by, options.pop("level", None))
        ((name, label),) = zip(frame._rows.schema.columns, (series.name,), strict=True)
        return cls(Grouping(plan, keys, names, ((name, label),), **options))

    def agg(self, func: Any = None, **named: Any) -> Any:
        """Aggregate by a function, a list of them, or named ones (``out="function"``)."""
        ((column, _),) = self._grouping.columns
        if func is None:
            named = {output: _only_function(one) for output, one in named.items()}
            specs = tuple(self._spec(column, one, output) for output, one in named.items())
            return self._built(specs, tuple(named))
        if isinstance(func, list):
            labels = tuple(_function_name(one) for one in func)
            outputs = unique_names(labels)
            specs = tuple(
                self._spec(column, one, out) for one, out in zip(func, outputs, strict=True)
            )
            return self._built(specs, labels)
        if isinstance(func, dict):
            raise SchemaError("agg of one column takes named aggregations instead of a dict")
        return self._series(self._spec(column, func, column, **named))

    aggregate = agg

    def _aggregate_each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        ((column, _),) = self._grouping.columns
        return self._series(self._spec(column, function, column, **options))

    def size(self) -> Any:
        """Return the number of rows of each group."""
        ((_, label),) = self._grouping.columns
        return self._built((AggSpec(None, "size", "size"),), ("size",), series=label)

    def _series(self, spec: AggSpec) -> Any:
        ((_, label),) = self._grouping.columns
        return self._built((spec,), (label,), series=label)

    def value_counts(self, normalize: bool = False, sort: bool = True, ascending: bool = False,
                     dropna: bool = True) -> Any:  # fmt: skip
        """Return how often each value occurs in each group.

        Parameters
        ----------
        normalize : bool
            Give shares of the group instead of numbers.
        sort : bool
            Most frequent first; otherwise values come in order of appearance.
        ascending : bool
            Least frequent first.
        dropna : bool
            Leave missing values out.
        """
        from penstock.collections.distinct import grouped_value_counts

        return grouped_value_counts(self._grouping, normalize, sort, ascending, dropna)


def _named_spelling(output: str, spelled: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return column, function and options of ``(column, function)`` or of `pandas.NamedAgg`."""
    if hasattr(spelled, "aggfunc"):
        if getattr(spelled, "args", ()):
            raise UnsupportedError(f"agg: {output} has positional arguments; name them instead")
        return spelled.column, spelled.aggfunc, dict(getattr(spelled, "kwargs", {}))
    if not isinstance(spelled, tuple) or len(spelled) != 2:
        raise TypeError(f"agg: {output} needs (column, function), not {spelled!r}")
    return spelled[0], spelled[1], {}


def _only_function(spelled: Any) -> Any:
    return spelled[1] if isinstance(spelled, tuple) else spelled


def _resolve(frame: Any, by: Any, level: Any) -> tuple[FrameNode, tuple[str, ...], tuple]:
    """Return the plan with key columns, their names in blocks, and the user's names."""
    rows: FrameNode = frame._rows
    if level is not None:
        return _index_level(rows, level)
    if by is None:
        raise TypeError("groupby needs `by` or `level`")
    wanted: list[Any] = list(by) if isinstance(by, list) else [by]
    schema = rows.schema
    computed: list[tuple[int, Any]] = []
    keys: list[str] = []
    names: list[Any] = []
    for position, key in enumerate(wanted):
        if isinstance(key, FrameLike):
            computed.append((position, key))
            keys.append("")
            names.append(getattr(key, "name", None))
        elif key in schema.labels:
            keys.append(schema.column(key))
            names.append(key)
        elif key in schema.index_names:
            keys.append(schema.index[schema.index_names.index(key)])
            names.append(key)
        elif isinstance(key, Callable):  # type: ignore[arg-type]
            raise SchemaError("groupby by a function of the index: pass a Series of keys instead")
        else:
            raise column_not_found(key, schema.labels)
    if not computed:
        return rows, tuple(keys), tuple(names)
    operands: list[tuple[FrameNode, Expr]] = [
        frame._operand(rows, series) for _, series in computed
    ]
    rows, exprs = united(rows, operands, "groupby")
    items = [(name, label, Column(name)) for name, label in zip(schema.columns, schema.labels)]  # noqa: B905
    made: list[tuple[str, Any, Expr]] = list(items)
    for (position, _), expr in zip(computed, exprs, strict=True):
        if isinstance(expr, Column) and expr.name in schema.columns:
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


def _index_level(rows: FrameNode, level: Any) -> tuple[FrameNode, tuple[str, ...], tuple]:
    from penstock.collections.rows import labelled

    plan = labelled(rows)
    levels = level if isinstance(level, list | tuple) else [level]
    names = plan.schema.index_names
    positions = [one if isinstance(one, int) else names.index(one) for one in levels]
    return (
        plan,
        tuple(plan.schema.index[position] for position in positions),
        tuple(names[position] for position in positions),
    )

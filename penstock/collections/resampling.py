"""Bins of time: what `resample` gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import is_kind, new_frame, new_series
from penstock.engine.expr import Column
from penstock.engine.kernels.aggregate import AGGREGATIONS, AggSpec
from penstock.engine.kernels.aggregate.functions import is_number
from penstock.engine.kernels.resample import Bins
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.reduce import Reduce
from penstock.engine.nodes.resample import AllBins, BinLabels
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError, UnsupportedError, column_not_found

_FUNCTIONS = frozenset(
    (
        "sum", "prod", "mean", "count", "size", "min", "max", "first", "last", "median", "std",
        "var", "sem", "nunique", "quantile",
    )
)  # fmt: skip
# What a bin without rows has, where that is not missing.
_EMPTY: dict[str, Any] = {"sum": 0, "prod": 1, "count": 0, "size": 0, "nunique": 0}
_OHLC = (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"))


class Resampler:
    """Rows in bins of time; made by `DataFrame.resample` and `Series.resample`.

    Bins are groups: rows are aggregated block by block, and only what that gives travels.

    Parameters
    ----------
    plan : FrameNode
    time : str
        Column of the times, in blocks.
    name : hashable
        The user's name of the times.
    bins : Bins
    columns : tuple of (str, Any)
        Columns to aggregate: name in blocks and label.
    single : bool
        There is one column, as a Series.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> when = pd.to_datetime(["2024-01-01 09:10", "2024-01-01 09:50", "2024-01-01 11:05"])
    >>> fares = dd.from_pandas(pd.Series([5, 7, 9], index=when, name="fare"), npartitions=2)
    >>> fares.resample("1h").sum().compute().to_list()
    [12, 0, 9]
    """

    def __init__(
        self,
        plan: FrameNode,
        time: str,
        name: Any,
        bins: Bins,
        columns: tuple[tuple[str, Any], ...],
        single: bool,
    ) -> None:
        self._plan = plan
        self._time = time
        self._name = name
        self._bins = bins
        self._columns = columns
        self._single = single

    def __getitem__(self, key: Any) -> Resampler:
        single = not isinstance(key, list)
        known = {label: name for name, label in self._columns}
        chosen = []
        for label in [key] if single else key:
            if label not in known:
                raise column_not_found(label, known)
            chosen.append((known[label], label))
        return Resampler(self._plan, self._time, self._name, self._bins, tuple(chosen), single)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if any(name == label for _, label in self._columns):
                return self[name]
            if name in ("asfreq", "ffill", "bfill", "nearest", "interpolate"):
                raise UnsupportedError(
                    f"resample {name} is not supported; aggregate with first() and call "
                    "ffill(), bfill() or interpolate() on the result"
                )
            if name in ("apply", "transform", "pipe"):
                raise UnsupportedError(
                    f"resample {name} is not supported; pass a function of each column to agg()"
                )
        raise AttributeError(f"resampled rows have no method and no column {name!r}")

    def __repr__(self) -> str:
        return f"<Resampler [{self._bins}]>"

    # -- aggregations ---------------------------------------------------------

    def sum(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the sum of each bin."""
        return self._each("sum", numeric_only, min_count=min_count)

    def prod(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the product of each bin."""
        return self._each("prod", numeric_only, min_count=min_count)

    def mean(self, numeric_only: bool = False) -> Any:
        """Return the mean of each bin."""
        return self._each("mean", numeric_only)

    def count(self) -> Any:
        """Return the number of values in each bin that are not missing."""
        return self._each("count", False)

    def size(self) -> Any:
        """Return the number of rows of each bin."""
        label = self._columns[0][1] if self._single else None
        return self._built([AggSpec(None, "size", "size")], ["size"], series=True, name=label)

    def min(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the smallest value of each bin."""
        return self._each("min", numeric_only, min_count=min_count)

    def max(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the largest value of each bin."""
        return self._each("max", numeric_only, min_count=min_count)

    def first(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the first value in time of each bin that is not missing; sorts by time."""
        return self._each("first", numeric_only, min_count=min_count)

    def last(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Return the last value in time of each bin that is not missing; sorts by time."""
        return self._each("last", numeric_only, min_count=min_count)

    def std(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard deviation of each bin."""
        return self._each("std", numeric_only, ddof=ddof)

    def var(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the variance of each bin."""
        return self._each("var", numeric_only, ddof=ddof)

    def sem(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard error of the mean of each bin."""
        return self._each("sem", numeric_only, ddof=ddof)

    def median(self, numeric_only: bool = False) -> Any:
        """Return the exact median of each bin."""
        return self._each("median", numeric_only)

    def nunique(self) -> Any:
        """Return the exact number of distinct values of each bin."""
        return self._each("nunique", False)

    def quantile(self, q: float = 0.5, numeric_only: bool = False) -> Any:
        """Return an exact quantile of each bin."""
        if not isinstance(q, int | float):
            raise UnsupportedError("resample quantile takes one q; call it once for each")
        return self._each("quantile", numeric_only, q=float(q))

    def ohlc(self) -> Any:
        """Return the first, largest, smallest and last value of each bin; sorts by time."""
        specs: list[AggSpec] = []
        labels: list[Any] = []
        for name, label in self._columns:
            for shown, function in _OHLC:
                specs.append(AggSpec(name, function, str(len(specs))))
                labels.append(shown if self._single else (label, shown))
        return self._built(specs, labels, names=self._nested_names("ohlc"))

    def agg(self, func: Any = None, **named: Any) -> Any:
        """Aggregate in any of pandas' spellings.

        Parameters
        ----------
        func : str, callable, list of these, or dict of column to these, optional
            A function takes the values of a bin as a Series, and is called with an empty one
            for bins without rows.
        **named
            ``out=("column", "function")``, or ``out="function"`` for one column.

        Returns
        -------
        DataFrame or Series
        """
        if func is None:
            return self._named(named)
        if named:
            raise UnsupportedError("resample agg takes a function or named aggregations, not both")
        if isinstance(func, str):
            if func not in _FUNCTIONS and func != "ohlc":
                raise self._unknown(func)
            return getattr(self, func)()
        if isinstance(func, dict | list):
            return self._by_column(func)
        specs = [self._spec(name, func, name) for name, _ in self._columns]
        return self._built(specs, [label for _, label in self._columns], series=self._single)

    aggregate = agg

    # -- machinery ------------------------------------------------------------

    def _nested_names(self, function: str) -> tuple[Any, ...]:
        """Return the names of the levels of labels, with one more for functions."""
        names = self._plan.schema.label_names
        if self._single:
            return (None,)
        if len(names) > 1:
            raise UnsupportedError(
                f"resample {function} of columns with labels of several levels is not supported; "
                "select one column after the other"
            )
        return (names[0], None)

    def _unknown(self, function: str) -> UnsupportedError:
        known = ", ".join(sorted(_FUNCTIONS))
        return UnsupportedError(f"resample has no aggregation {function!r}; there are: {known}")

    def _spec(self, column: str, function: Any, output: str) -> AggSpec:
        if callable(function):
            return AggSpec(column, "apply", output, (("func", Opaque(function)),))
        if function not in _FUNCTIONS:
            raise self._unknown(function)
        return AggSpec(None if function == "size" else column, function, output)

    def _each(self, function: str, numeric_only: bool, **options: Any) -> Any:
        schema = self._plan.schema
        chosen = [
            (name, label)
            for name, label in self._columns
            if not numeric_only or is_number(schema.field(name).type)
        ]
        settings = tuple(sorted(options.items()))
        specs = [AggSpec(name, function, name, settings) for name, _ in chosen]
        labels = [label for _, label in chosen]
        return self._built(specs, labels, series=self._single, names=schema.label_names)

    def _by_column(self, functions: dict[Any, Any] | list[Any]) -> Any:
        known = {label: name for name, label in self._columns}
        by_label = dict.fromkeys(known, functions) if isinstance(functions, list) else functions
        nested = any(isinstance(each, list) for each in by_label.values())
        if self._single and not isinstance(functions, list):
            raise SchemaError("resample agg of one column takes named aggregations, not a dict")
        specs: list[AggSpec] = []
        labels: list[Any] = []
        for label, given in by_label.items():
            if label not in known:
                raise column_not_found(label, known)
            for function in given if isinstance(given, list) else [given]:
                shown = getattr(function, "__name__", function)
                own = shown if self._single else (label, shown)
                labels.append(own if nested else label)
                specs.append(self._spec(known[label], function, str(len(specs))))
        names = (None,) if self._single else self._plan.schema.label_names
        return self._built(specs, labels, names=self._nested_names("agg") if nested else names)

    def _named(self, named: dict[str, Any]) -> Any:
        known = {label: name for name, label in self._columns}
        if not named:
            raise TypeError("agg needs a function, a list, a dict or named aggregations")
        specs: list[AggSpec] = []
        for spelled in named.values():
            if isinstance(spelled, tuple):
                label, function = spelled[:2]
            elif self._single:
                label, function = self._columns[0][1], spelled
            else:
                raise TypeError(f"named aggregations are (column, function), not {spelled!r}")
            if label not in known:
                raise column_not_found(label, known)
            specs.append(self._spec(known[label], function, str(len(specs))))
        return self._built(specs, list(named))

    def _built(
        self,
        specs: list[AggSpec],
        labels: list[Any],
        *,
        series: bool = False,
        name: Any = None,
        names: tuple[Any, ...] = (None,),
    ) -> Any:
        """Return the aggregated bins: a Series of its only column when `series`."""
        plan = self._plan
        if any(spec.depends_on_order(plan.schema.arrow) for spec in specs):
            # pandas sorts by time first; rows of one time keep their order
            plan = Sort(in_order(plan), (self._time,), (True,))
        taken = [*plan.schema.names, *(spec.output for spec in specs)]
        key, first, last, *outputs = unique_names(
            ["__bin__", "__first__", "__last__", *(spec.output for spec in specs)]
        )
        while key in taken:
            key = f"_{key}"
        specs = [replace(spec, output=out) for spec, out in zip(specs, outputs, strict=True)]
        labelled = BinLabels(plan, self._bounds(plan), self._time, self._bins, key)
        holistic = any(spec.function not in AGGREGATIONS for spec in specs)
        ends = (AggSpec(self._time, "min", first), AggSpec(self._time, "max", last))
        # where rows travel, their times need not travel with them
        hidden = () if holistic else (first, last)
        whole = tuple(specs) if holistic else (*specs, *ends)
        grouped = GroupAggregate(
            labelled, (key,), (self._name,), whole, (*labels, *hidden), names, holistic=holistic
        )
        bounds: FrameNode
        if holistic:
            bounds = Reduce(labelled, ends)
        else:
            both = (AggSpec(first, "min", first), AggSpec(last, "max", last))
            bounds = Reduce(grouped, both)
        fills = tuple(
            (spec.output, Opaque(fill))
            for spec in specs
            if (fill := self._fill(plan, spec)) is not None
        )
        node = AllBins(grouped, bounds, self._bins, hidden, fills)
        if series:
            label = labels[0] if specs[0].function != "size" else name
            return new_series(noted(node), Column(specs[0].output), label)
        return new_frame(noted(node))

    def _bounds(self, plan: FrameNode) -> tuple[FrameNode, ...]:
        zone = getattr(plan.schema.field(self._time).type, "tz", None)
        if not self._bins.depends_on_ends(zone):
            return ()
        ends = (AggSpec(self._time, "min", "first"), AggSpec(self._time, "max", "last"))
        return (Reduce(plan, ends),)

    def _fill(self, plan: FrameNode, spec: AggSpec) -> Callable[[], Any] | None:
        """Return what gives the value of a bin without rows, unless it is missing."""
        if spec.function == "apply":
            assert spec.column is not None
            return partial(_of_nothing, spec.option("func"), plan.schema.field(spec.column))
        if spec.function not in _EMPTY or spec.option("min_count", 0) > 0:
            return None
        value = _EMPTY[spec.function]
        if spec.function == "sum" and spec.column is not None:
            kind = str(plan.schema.field(spec.column).type)
            value = "" if "string" in kind else value
        return partial(_constant, value)


def _constant(value: Any) -> Any:
    return value


def _of_nothing(function: Callable[[Any], Any], field: Any) -> Any:
    """Return what the user's function gives for no rows."""
    import pyarrow as pa

    from penstock.engine.kernels.convert import series_from_arrow

    return function(series_from_arrow(pa.array([], field.type), field))


def resample(
    source: FrameLike,
    rule: Any,
    closed: str | None,
    label: str | None,
    on: Any,
    level: Any,
    origin: Any,
    offset: Any,
    group_keys: bool,
) -> Resampler:
    """Return the rows of `source` in bins of time; see `DataFrame.resample`."""
    import pyarrow as pa

    if level is not None or group_keys:
        raise UnsupportedError("resample with level or group_keys is not supported; use on=")
    plan = source.plan
    schema = plan.schema
    single = is_kind(source, "Series")
    if on is not None:
        if single:
            raise SchemaError("resample of a Series bins by its index; on= is for frames")
        time, name = schema.column(on), on
    else:
        if len(schema.index) != 1:
            raise SchemaError(
                "resample needs an index of times, or on= a column of them; "
                "set_index such a column first"
            )
        time, name = schema.index[0], schema.index_names[0]
    kind = schema.field(time).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_duration(kind)):
        raise SchemaError(
            f"resample needs times, but {'the index' if on is None else repr(on)} is of type "
            f"{kind}; convert it with dd.to_datetime"
        )
    bins = Bins(rule, closed, label, origin, offset)
    _check_bins(bins, plan, time)
    columns = tuple(
        (column, own)
        for column, own in zip(schema.columns, schema.labels, strict=True)
        if column != time
    )
    return Resampler(plan, time, name, bins, columns, single)


def _check_bins(bins: Bins, plan: FrameNode, time: str) -> None:
    """Let pandas refuse options that it does not know, before anything runs."""
    from penstock.engine.nodes.resample import bin_field

    hash(bins)
    bin_field(bins, plan.schema.field(time))

"""Grouped frames and series: selected columns, and the spellings of ``agg``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from penstock.collections.aggregation import Aggregation
from penstock.collections.grouped import check_hints, function_name
from penstock.collections.grouping import Grouping, resolve
from penstock.collections.mixins.group_functions import GroupFunctionsMixin
from penstock.collections.mixins.group_reduce import GroupReduceMixin
from penstock.collections.mixins.group_select import GroupSelectMixin
from penstock.collections.mixins.group_tables import FrameTablesMixin, SeriesTablesMixin
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.sort import in_order
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError, UnsupportedError

__all__ = ["Aggregation", "DataFrameGroupBy", "SeriesGroupBy"]


class DataFrameGroupBy(GroupReduceMixin, GroupSelectMixin, GroupFunctionsMixin, FrameTablesMixin):
    """The rows of a frame in groups; made by `DataFrame.groupby`."""

    _is_series = False

    @classmethod
    def of_frame(
        cls, frame: Any, by: Any, *, level: Any = None, **options: Any
    ) -> DataFrameGroupBy:
        """Return `frame` grouped by `by`; see `DataFrame.groupby`."""
        plan, keys, names = resolve(frame, by, level)
        own = frame._rows.schema
        whole = tuple(zip(own.columns, own.labels, strict=True))
        columns = tuple((name, label) for name, label in whole if name not in keys)
        listed = isinstance(by, list) or isinstance(level, list)
        return cls(Grouping(plan, keys, names, columns, whole, **options, listed=listed))

    def __getitem__(self, key: Any) -> DataFrameGroupBy | SeriesGroupBy:
        schema = self._grouping.plan.schema
        if isinstance(key, list | tuple) and not (isinstance(key, tuple) and key in schema.labels):
            columns = tuple((schema.column(label), label) for label in key)
            return self._regrouped(columns=columns, whole=columns)
        columns = ((schema.column(key), key),)
        return SeriesGroupBy(replace(self._grouping, columns=columns, whole=columns))

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._grouping.plan.schema.labels:
            return self[name]
        raise AttributeError(f"grouped frames have no method and no column {name!r}")

    def __dir__(self) -> list[str]:
        labels = [label for _, label in self._grouping.columns if isinstance(label, str)]
        return sorted({*super().__dir__(), *(label for label in labels if label.isidentifier())})

    def agg(self, func: Any = None, *args: Any, **named: Any) -> Any:
        """Aggregate, in any of pandas' spellings.

        Parameters
        ----------
        func : str, callable, `Aggregation`, list, or dict of column to these, optional
            A callable is given each column of each group, which must fit in memory.
        *args
            For `func`, when it is a callable.
        **named
            ``out=("column", "function")``: named outputs; with `func`, its options.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
        >>> trips.groupby("zone").agg(low=("fare", "min"), n=("fare", "count")).compute()
              low  n
        zone
        1     5.0  2
        2     7.5  1
        """
        if func is None:
            return self._named(named)
        if isinstance(func, dict):
            return self._by_column(func)
        if isinstance(func, list | tuple):
            return self._by_column({label: list(func) for _, label in self._grouping.columns})
        if isinstance(func, str) and _is_method(type(self), func):
            return getattr(self, func)(*args, **named)
        function = _with_arguments(func, args)
        chosen = self._grouping.columns
        specs = tuple(self._spec(name, function, name, **named) for name, _ in chosen)
        return self._built(specs, tuple(label for _, label in chosen))

    aggregate = agg

    def _aggregate_each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        chosen = self._chosen(numeric_only)
        specs = tuple(self._spec(name, function, name, **options) for name, _ in chosen)
        return self._built(specs, tuple(label for _, label in chosen))

    def _by_column(self, functions: dict[Any, Any]) -> Any:
        schema = self._grouping.plan.schema
        nested = any(isinstance(function, list | tuple) for function in functions.values())
        specs: list[AggSpec] = []
        labels: list[Any] = []
        for label, function in functions.items():
            column = schema.column(label)
            several = list(function) if isinstance(function, list | tuple) else [function]
            for name, one in _labelled_functions(several):
                made = (label, name) if nested else label
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


class SeriesGroupBy(GroupReduceMixin, GroupSelectMixin, GroupFunctionsMixin, SeriesTablesMixin):
    """One column in groups; made by selecting it, or by `Series.groupby`."""

    _is_series = True

    @classmethod
    def of_series(cls, series: Any, by: Any, **options: Any) -> SeriesGroupBy:
        """Return `series` grouped by other Series of the same rows, or by its index."""
        frame = series.to_frame()
        level = options.pop("level", None)
        plan, keys, names = resolve(frame, by, level)
        options["listed"] = isinstance(by, list) or isinstance(level, list)
        own = ((frame._rows.schema.columns[0], series.name),)
        return cls(Grouping(plan, keys, names, own, own, **options))

    def agg(self, func: Any = None, *args: Any, **named: Any) -> Any:
        """Aggregate by a function, a list of them, or named ones (``out="function"``).

        Parameters
        ----------
        func : str, callable, `Aggregation`, or list of these, optional
            A callable is given the values of each group, which must fit in memory.
        *args
            For `func`, when it is a callable.
        **named
            ``out="function"``: named outputs; with `func`, its options.

        Returns
        -------
        Series or DataFrame
        """
        ((column, _),) = self._grouping.columns
        if func is None:
            functions = [(output, _only_function(one)) for output, one in named.items()]
            if not functions:
                raise TypeError("agg needs a function, a list or named aggregations")
            return self._several(functions)
        if isinstance(func, list | tuple):
            return self._several(_labelled_functions(list(func)))
        if isinstance(func, dict):
            raise SchemaError("agg of one column takes named aggregations instead of a dict")
        if isinstance(func, str) and _is_method(type(self), func):
            return getattr(self, func)(*args, **named)
        return self._series(self._spec(column, _with_arguments(func, args), column, **named))

    aggregate = agg

    def _several(self, functions: list[tuple[Any, Any]]) -> Any:
        ((column, _),) = self._grouping.columns
        labels = tuple(label for label, _ in functions)
        outputs = unique_names(labels)
        specs = tuple(
            self._spec(column, one, out) for (_, one), out in zip(functions, outputs, strict=True)
        )
        return self._built(specs, labels)

    def _aggregate_each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        ((column, _),) = self._grouping.columns
        return self._series(self._spec(column, function, column, **options))

    def size(self, **hints: Any) -> Any:
        """Return the number of rows of each group."""
        ((_, label),) = self._grouping.columns
        return super().size(**hints).rename(label) if self._grouping.as_index else super().size()

    def nunique(self, dropna: bool = True, **hints: Any) -> Any:
        """Return the exact number of distinct values of each group.

        Values are made distinct before groups are counted, so that no group is too large.

        Parameters
        ----------
        dropna : bool
            Do not count missing values.
        **hints
            See `sum`.

        Returns
        -------
        Series or DataFrame
        """
        from penstock.engine.nodes.dedupe import DropDuplicates

        check_hints("nunique", hints)
        grouping = self._grouping
        ((column, label),) = grouping.columns
        plan = grouping.plan
        if not grouping.sort:
            plan = RowPositions(in_order(plan))
        distinct = DropDuplicates(plan, tuple(dict.fromkeys((*grouping.keys, column))))
        spec = AggSpec(column, "count", column) if dropna else AggSpec(None, "size", column)
        made = self._regrouped(plan=distinct)._built((spec,), (label,), series=label)
        # numbers of values are never missing, whatever the values are
        return made.astype("int64" if grouping.as_index else {label: "int64"})

    def _series(self, spec: AggSpec) -> Any:
        ((_, label),) = self._grouping.columns
        return self._built((spec,), (label,), series=label)


def _is_method(kind: type, name: str) -> bool:
    """Return whether groups have a method called `name` that aggregates by itself."""
    return not name.startswith("_") and callable(getattr(kind, name, None))


def _with_arguments(function: Any, args: tuple) -> Any:
    if not args:
        return function
    from functools import partial, wraps

    called: Any = function
    return wraps(called)(partial(_call_last, called, args))


def _call_last(function: Any, args: tuple, values: Any, **options: Any) -> Any:
    return function(values, *args, **options)


def _labelled_functions(functions: list[Any]) -> list[tuple[Any, Any]]:
    """Return functions with their labels, lambdas among several numbered, as in pandas."""
    pairs = [one if isinstance(one, tuple) else (function_name(one), one) for one in functions]
    if len(pairs) > 1:
        numbers = iter(range(len(pairs)))
        pairs = [
            (f"<lambda_{next(numbers)}>" if label == "<lambda>" else label, one)
            for label, one in pairs
        ]
    return pairs


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

"""Functions of the user's and windows of pandas' on whole groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from penstock.collections.grouped import Grouped
from penstock.collections.rows import labelled
from penstock.engine.expr import Call, Column
from penstock.engine.nodes.filter import Filter
from penstock.errors import UnsupportedError

_LIKE_INDEXED = "has the rows of the groups"

_OF_WINDOWS = frozenset(
    {
        "sum", "mean", "min", "max", "count", "std", "var", "sem", "median", "quantile", "skew",
        "kurt", "first", "last", "nunique", "rank", "apply", "agg", "aggregate", "corr", "cov",
        "size", "ohlc", "prod", "ffill", "bfill", "nearest", "interpolate", "asfreq",
    }
)  # fmt: skip


class GroupFunctionsMixin(Grouped):
    """Methods that call functions with whole groups."""

    def apply(self, func: Callable[..., Any], *args: Any, meta: Any = None, **kwargs: Any) -> Any:
        """Call `func` with each group as a pandas object.

        Parameters
        ----------
        func : callable
            Takes a group, gives a DataFrame, a Series or a scalar.
        *args, **kwargs
            For `func`.
        meta : optional
            Names and dtypes of the result, see `DataFrame.map_partitions`.
            Without it `func` is run on the groups of the first rows.

        Returns
        -------
        DataFrame or Series

        Notes
        -----
        The rows of a group must fit in memory. With ``group_keys=False`` a function that gives
        its groups' own rows back, with their labels, has these in their order; whether it does
        is seen from the groups of the first rows.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
        >>> trips.groupby("zone").fare.apply(lambda fares: fares.max() - fares.min()).compute()
        zone
        1    15.0
        2     0.0
        Name: fare, dtype: float64
        """
        if not self._grouping.as_index:
            raise UnsupportedError("apply with as_index=False: call reset_index() on the result")
        function = partial(_applied, func=func, args=args, kwargs=kwargs)
        if meta is None and not self._grouping.group_keys:
            given = self._with_keys_only()
            groups = given._pandas_groups(given._grouping.columns)
            plan = given._grouping.plan
            meta = given._tried(plan, groups, partial(_told, function=function))
            if meta.attrs.pop(_LIKE_INDEXED):
                return given._rowwise("groupby apply", function, meta=meta)
        return self._groupwise("groupby apply", function, meta=meta, sampled=True)

    def _with_keys_only(self) -> Any:
        """Return the groups of rows that have all keys, with their labels in columns."""
        grouping = self._grouping
        plan = labelled(grouping.plan)
        for key in grouping.keys if grouping.dropna else ():
            plan = Filter(plan, Call("notna", (Column(key),)))
        return self._regrouped(plan=plan)

    def pipe(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return ``func(self, *args, **kwargs)``."""
        return func(self, *args, **kwargs)

    def rolling(self, window: Any, min_periods: int | None = None, center: bool = False,
                closed: str | None = None, **options: Any) -> GroupWindow:  # fmt: skip
        """Return windows of `window` rows, or of a span of time of the index, in each group.

        Parameters
        ----------
        window : int, offset or timedelta
        min_periods : int, optional
            Fewest values for a result.
        center : bool
            Label windows by their middle.
        closed : {"right", "left", "both", "neither"}, optional
        **options
            Others of `pandas.DataFrame.rolling`.

        Returns
        -------
        GroupWindow
            Whose methods give a result for each row, labelled by group and row.
        """
        given = {"min_periods": min_periods, "center": center, "closed": closed, **options}
        return GroupWindow(self, "rolling", (window,), given)

    def expanding(self, min_periods: int = 1) -> GroupWindow:
        """Return windows from the first row of each group to each row."""
        return GroupWindow(self, "expanding", (), {"min_periods": min_periods})

    def ewm(self, **options: Any) -> GroupWindow:
        """Return exponentially weighted windows of each group; see `pandas.DataFrame.ewm`."""
        return GroupWindow(self, "ewm", (), options)

    def resample(self, rule: Any, **options: Any) -> GroupWindow:
        """Return the rows of each group by periods of their index, which must be of times."""
        return GroupWindow(self, "resample", (rule,), options)

    @property
    def groups(self) -> Any:
        """Not supported: the labels of all rows, in memory."""
        raise UnsupportedError(
            "groups would hold the label of every row; use size(), ngroup() or get_group(key)"
        )

    indices = groups

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield pairs of key and rows of each group; the keys are computed, the rows are lazy."""
        self._observed_only("iteration over groups")
        grouping = self._grouping
        keys = self._regrouped(as_index=True).size().compute().index
        single = grouping.listed and len(grouping.keys) == 1
        return (
            ((key,) if single else key, self.get_group(key))  # type: ignore[attr-defined]
            for key in keys
        )


class GroupWindow:
    """Windows of rows in each group; its methods are those of pandas' windows of groups.

    Each group must fit in memory.
    """

    def __init__(self, grouped: Any, method: str, args: tuple, options: dict[str, Any]) -> None:
        self._grouped = grouped
        self._made = (method, args, options)

    def __getitem__(self, key: Any) -> GroupWindow:
        return GroupWindow(self._grouped[key], *self._made)

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_WINDOWS:
            raise AttributeError(f"windows of groups have no method {name!r}")
        return partial(self._call, name)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        method, made_args, made_options = self._made
        if not self._grouped._grouping.as_index:
            raise UnsupportedError(
                f"{method} with as_index=False: call reset_index() on the result"
            )
        function = partial(
            _windowed, made=(method, made_args, made_options), name=name, args=args, kwargs=kwargs
        )
        sampled = method == "resample" or name in ("apply", "agg", "aggregate")
        return self._grouped._groupwise(f"groupby {method} {name}", function, sampled=sampled)


def _told(grouped: Any, function: Callable[[Any], Any]) -> Any:
    """Return what `function` gives, and note whether it has the rows of the groups."""
    result = function(grouped)
    result.attrs[_LIKE_INDEXED] = result.index.equals(grouped.obj.index)
    return result


def _applied(grouped: Any, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    return grouped.apply(func, *args, **kwargs)


def _windowed(
    grouped: Any, made: tuple[str, tuple, dict[str, Any]], name: str, args: tuple,
    kwargs: dict[str, Any],
) -> Any:  # fmt: skip
    method, made_args, made_options = made
    return getattr(getattr(grouped, method)(*made_args, **made_options), name)(*args, **kwargs)

"""Methods of groups that give a value for each row, or choose among the rows."""

from __future__ import annotations

from functools import partial
from typing import Any

from penstock.collections.base import noted
from penstock.collections.grouped import (
    Grouped,
    function_name,
    of_known_types,
    stands_for_its_name,
)
from penstock.collections.kinds import new_frame, new_series
from penstock.collections.mapping import collection_of, result_schema
from penstock.engine.expr import Column
from penstock.engine.kernels.aggregate import AGGREGATIONS, AggSpec
from penstock.engine.kernels.convert import nullable_dtype
from penstock.engine.nodes.select import project
from penstock.engine.nodes.sort import in_order
from penstock.errors import UnsupportedError

# Aggregations whose value each row gets without its group being brought together.
_SPREAD = frozenset(AGGREGATIONS) - {"list", "unique", "idxmin", "idxmax"}
_OF_ROWS = frozenset(
    {
        "cumsum", "cumprod", "cummin", "cummax", "cumcount", "ngroup", "rank", "shift", "diff",
        "pct_change", "ffill", "bfill",
    }
)  # fmt: skip
_WHOLE = frozenset({"median", "nunique", "quantile", "idxmin", "idxmax"})


class GroupRowsMixin(Grouped):
    """Results row by row beside the rows themselves: to assign as columns, or to select by."""

    def transform(self, func: Any, *args: Any, meta: Any = None, **kwargs: Any) -> Any:
        """Return what `func` makes of its group for each row.

        Parameters
        ----------
        func : str or callable
            The name of an aggregation or of a method that keeps rows, or a function of a
            column's group (a Series) that gives a value or as many as there are rows.
        *args, **kwargs
            For `func`.
        meta : optional
            Names and dtypes of the result, see `DataFrame.map_partitions`. Without it a
            function is run on the groups of the first rows.

        Returns
        -------
        DataFrame or Series
            With the rows of what was grouped, in their order.

        Notes
        -----
        Aggregations by name that blocks can prepare (sum, mean, count, min, max, first, last,
        std, var, ...) do not bring the rows of a group together, which may be of any size. Other
        functions need each group in memory.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
        >>> trips.assign(share=trips.fare / trips.groupby("zone").fare.transform("sum")).compute()
           zone  fare  share
        0     1   5.0    0.2
        1     2   7.5    1.0
        2     1  20.0    0.8
        """
        name = function_name(func)
        if not isinstance(func, str) and not stands_for_its_name(func, name):
            function = partial(_transformed, func=func, args=args, kwargs=kwargs)
            return self._rowwise("groupby transform", function, meta=meta, sampled=True)
        if name in _OF_ROWS:
            return getattr(self, name)(*args, **kwargs)
        if name in _SPREAD and not args:
            return self._spread(name, **kwargs)
        if name in _SPREAD | _WHOLE:
            function = partial(_transformed, func=name, args=args, kwargs=kwargs)
            return self._rowwise("groupby transform", function, meta=meta)
        raise ValueError(f"{name!r} is not a valid function name for transform(name)")

    def _spread(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        from penstock.engine.nodes.group_transform import GroupTransform

        specs: tuple[AggSpec, ...]
        labels: tuple[Any, ...]
        if function == "size":
            specs, labels = (AggSpec(None, "size", "size"),), (self._whole_label(),)
        else:
            chosen = self._chosen(numeric_only)
            specs = tuple(self._spec(name, function, name, **options) for name, _ in chosen)
            labels = tuple(label for _, label in chosen)
        grouping = self._grouping
        plan = grouping.plan
        if any(spec.depends_on_order(plan.schema.arrow) for spec in specs):
            plan = in_order(plan)
        node = GroupTransform(plan, grouping.keys, specs, labels, grouping.dropna)
        return collection_of(noted(node), self._is_series or function == "size")

    def _whole_label(self) -> Any:
        return self._grouping.columns[0][1] if self._is_series else None

    # -- running and neighbouring values --------------------------------------

    def cumsum(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the sum of each group's values up to each row."""
        return self._running("cumsum", numeric_only, **kwargs)

    def cumprod(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the product of each group's values up to each row."""
        return self._running("cumprod", numeric_only, **kwargs)

    def cummin(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the minimum of each group's values up to each row."""
        return self._running("cummin", numeric_only, **kwargs)

    def cummax(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the maximum of each group's values up to each row."""
        return self._running("cummax", numeric_only, **kwargs)

    def shift(self, periods: Any = 1, freq: Any = None, fill_value: Any = None,
              suffix: str | None = None) -> Any:  # fmt: skip
        """Return the values of the group's row `periods` before each row.

        Parameters
        ----------
        periods : int or list of int
            Negative ones look ahead; a list gives a column for each.
        freq : None
            Not supported: shift a column of times instead.
        fill_value : optional
            For rows that have none before them; by default missing.
        suffix : str, optional
            Of the columns' names when `periods` is a list.
        """
        import pyarrow as pa

        from penstock.engine.nodes.group_scan import GroupShift

        if freq is not None:
            raise UnsupportedError("shift(freq=...) of groups: add the offset to a column of times")
        given: dict[str, Any] = {"fill_value": fill_value, "suffix": suffix}
        options = {name: value for name, value in given.items() if value is not None}
        chosen = self._chosen()
        grouping = self._grouping
        neighbours = type(periods) is int and abs(periods) == 1 and chosen and suffix is None
        fills_categories = fill_value is not None and any(
            pa.types.is_dictionary(grouping.plan.schema.field(name).type) for name, _ in chosen
        )
        if not neighbours or fills_categories or self._is_ordered_otherwise():
            return self._method("shift", periods=periods, **options)
        trial = partial(_called, name="shift", options={"periods": periods, **options})
        meta = self._pandas_groups(chosen).trial(grouping.plan.schema, trial)
        result = of_known_types(result_schema(meta, grouping.plan, self)[0], grouping.plan.schema)
        node = GroupShift(
            grouping.plan, grouping.keys, chosen, grouping.dropna, result, periods > 0, fill_value
        )
        return collection_of(noted(node), self._is_series)

    def diff(self, periods: int = 1) -> Any:
        """Return each value less that of the group's row `periods` before it."""
        import pyarrow as pa

        schema = self._grouping.plan.schema
        for name, label in self._grouping.columns:
            if pa.types.is_boolean(schema.field(name).type):
                raise UnsupportedError(
                    f"diff() of column {label!r}: booleans give objects in pandas; "
                    "use astype(int) first"
                )
        values = self._of_neighbours(periods)
        if values is None:
            return self._method("diff", periods=periods)
        return values - self.shift(periods)

    def pct_change(self, periods: int = 1, fill_method: None = None, freq: Any = None) -> Any:
        """Return the relative change of each value to the group's row `periods` before it."""
        if freq is not None or fill_method is not None:
            raise UnsupportedError("pct_change of groups: fill_method and freq must be None")
        values = self._of_neighbours(periods)
        if values is None:
            return self._method("pct_change", periods=periods)
        return values / self.shift(periods) - 1

    def rank(self, method: str = "average", ascending: bool = True, na_option: str = "keep",
             pct: bool = False) -> Any:  # fmt: skip
        """Return the rank of each value in its group.

        Parameters
        ----------
        method : {"average", "min", "max", "first", "dense"}
            Rank of equal values.
        ascending : bool
        na_option : {"keep", "top", "bottom"}
            Rank of missing values.
        pct : bool
            Give ranks as shares of the group.

        Returns
        -------
        DataFrame or Series

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
        >>> trips.groupby("zone").fare.rank(ascending=False).compute().tolist()
        [2.0, 1.0, 1.0]
        """
        return self._method(
            "rank", method=method, ascending=ascending, na_option=na_option, pct=pct
        )

    def ffill(self, limit: int | None = None) -> Any:
        """Fill missing values with the valid one before them in their group."""
        return self._filled("ffill", limit)

    def bfill(self, limit: int | None = None) -> Any:
        """Fill missing values with the valid one after them in their group."""
        return self._filled("bfill", limit)

    def _running(self, name: str, numeric_only: bool = False, **options: Any) -> Any:
        from penstock.engine.kernels.group_scan import has_running
        from penstock.engine.nodes.group_scan import GroupCumulative

        grouping = self._grouping
        chosen = self._chosen(numeric_only)
        fields = [grouping.plan.schema.field(column) for column, _ in chosen]
        plain = all(has_running(f.type) and nullable_dtype(f) is None for f in fields)
        if options or not plain or not chosen or self._is_ordered_otherwise():
            return self._method(name, numeric_only, **options)
        node = GroupCumulative(grouping.plan, grouping.keys, chosen, grouping.dropna, name)
        return collection_of(noted(node), self._is_series)

    def _filled(self, name: str, limit: int | None) -> Any:
        from penstock.engine.nodes.group_scan import GroupFill

        grouping = self._grouping
        chosen = self._chosen()
        if limit is not None or not chosen or self._is_ordered_otherwise():
            return self._method(name, limit=limit)
        node = GroupFill(grouping.plan, grouping.keys, chosen, grouping.dropna, name == "ffill")
        return collection_of(noted(node), self._is_series)

    def _of_neighbours(self, periods: Any) -> Any:
        """Return the values themselves where plain numbers are compared with their neighbours."""
        import pyarrow as pa

        grouping = self._grouping
        fields = [grouping.plan.schema.field(name) for name, _ in grouping.columns]
        plain = (pa.float64(), pa.int64(), pa.int32())
        if periods not in (1, -1) or not fields or self._is_ordered_otherwise():
            return None
        if any(field.type not in plain or nullable_dtype(field) is not None for field in fields):
            return None
        if self._is_series:
            return self._ungrouped(grouping.plan)
        return new_frame(project(grouping.plan, tuple(name for name, _ in grouping.columns)))

    def _is_ordered_otherwise(self) -> bool:
        """Whether the rows are not in the blocks in their order, which scans go by."""
        return bool(self._grouping.plan.schema.order)

    def _method(self, name: str, numeric_only: bool = False, **options: Any) -> Any:
        """Return what pandas' method of groups called `name` gives, on whole groups."""
        function = partial(_called, name=name, options=options)
        return self._rowwise(f"groupby {name}", function, columns=self._chosen(numeric_only))

    # -- numbers --------------------------------------------------------------

    def cumcount(self, ascending: bool = True) -> Any:
        """Return the number of rows of the group before each row (after it if not `ascending`)."""
        before, after = self._places()
        return before if ascending else after

    def ngroup(self, ascending: bool = True) -> Any:
        """Return the number of the group of each row, in the order in which groups come.

        Parameters
        ----------
        ascending : bool
            False counts from the last group.
        """
        from penstock.engine.nodes.group_places import GroupNumbers

        self._observed_only("ngroup")
        grouping = self._grouping
        plan, keys = in_order(grouping.plan), grouping.keys
        if not grouping.sort:
            plan, keys = self._by_appearance(plan)
        node = GroupNumbers(plan, keys, grouping.dropna)
        numbers = new_series(noted(node), Column("number"), None)
        return numbers if ascending else numbers.max() - numbers

    def _places(self) -> tuple[Any, Any]:
        """Return the place of each row in its group, counted from either end."""
        from penstock.engine.nodes.group_places import GroupPositions

        grouping = self._grouping
        node = noted(GroupPositions(in_order(grouping.plan), grouping.keys, grouping.dropna))
        return new_series(node, Column("before")), new_series(node, Column("after"))


def _called(grouped: Any, name: str, options: dict[str, Any]) -> Any:
    return getattr(grouped, name)(**options)


def _transformed(grouped: Any, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    if not grouped.ngroups:  # rows without keys
        return grouped.obj.where(grouped.obj.isna() & False)
    return grouped.transform(func, *args, **kwargs)

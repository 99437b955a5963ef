"""Methods of groups that give several values for each group."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.grouped import Grouped, check_hints
from penstock.collections.grouping import Columns
from penstock.collections.kinds import new_frame, new_series
from penstock.engine.expr import Call, Column
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.kernels.aggregate.functions import is_number
from penstock.engine.kernels.convert import nullable_dtype
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

_OHLC = (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"))


class GroupTablesMixin(Grouped):
    """Quantiles, counts of values, and summaries of groups."""

    def quantile(self, q: Any = 0.5, interpolation: str = "linear", numeric_only: bool = False,
                 **hints: Any) -> Any:  # fmt: skip
        """Return exact quantiles of each group.

        Parameters
        ----------
        q : float or list of float
            A list adds a level to the index.
        interpolation : {"linear", "lower", "higher", "midpoint", "nearest"}
        numeric_only : bool
        **hints
            See `sum`.

        Returns
        -------
        DataFrame or Series
        """
        from penstock.engine.nodes.stack import StackColumns

        check_hints("quantile", hints)
        options = {"interpolation": interpolation}
        if not isinstance(q, list | tuple) and type(q).__name__ not in ("ndarray", "Index"):
            return self._aggregate_each("quantile", numeric_only, q=q, **options)
        wanted = tuple(float(one) for one in q)
        if not wanted:
            raise ValueError("quantile needs at least one q")
        chosen = self._chosen(numeric_only)
        specs = tuple(
            self._spec(name, "quantile", f"{name} {one}", q=one, **options)
            for name, _ in chosen
            for one in wanted
        )
        node = self._aggregated(specs, tuple(spec.output for spec in specs))
        names = unique_names([name for name, _ in chosen])
        depth = len(wanted)
        columns = tuple(
            (names[place], label, node.schema.columns[place * depth : (place + 1) * depth])
            for place, (_, label) in enumerate(chosen)
        )
        stacked = noted(StackColumns(node, wanted, columns))
        if self._is_series and self._grouping.as_index:
            return new_series(stacked, Column(names[0]), chosen[0][1])
        frame = new_frame(stacked)
        if self._grouping.as_index:
            return frame
        raise UnsupportedError(
            "quantile of several q with as_index=False: leave as_index out and call reset_index()"
        )

    def describe(self, percentiles: Any = None, include: Any = None, exclude: Any = None) -> Any:
        """Return count, mean, std, min, quantiles and max of each group's numbers.

        Parameters
        ----------
        percentiles : list of float, optional
            Between 0 and 1; by default the quartiles.
        include, exclude : None
            Not supported: select columns instead.

        Returns
        -------
        DataFrame
        """
        if include is not None or exclude is not None:
            raise UnsupportedError("describe(include=, exclude=) of groups: select columns instead")
        if not self._grouping.as_index:
            raise UnsupportedError("describe with as_index=False: call reset_index() on the result")
        wanted = sorted({0.25, 0.5, 0.75} if percentiles is None else set(percentiles))
        chosen = self._described()
        stats: list[tuple[str, str, dict[str, Any]]] = [
            (name, name, {}) for name in ("count", "mean", "std", "min")
        ]
        stats += [(f"{100 * q:.10g}%", "quantile", {"q": float(q)}) for q in wanted]
        stats.append(("max", "max", {}))
        specs, labels = [], []
        for name, label in chosen:
            for stat, function, options in stats:
                specs.append(self._spec(name, function, f"{name} {stat}", **options))
                labels.append(stat if self._is_series else (label, stat))
        levels = (None,) if self._is_series else (None, None)
        made = self._built(tuple(specs), tuple(labels), label_names=levels)
        marked = {
            name for name, _ in chosen if nullable_dtype(grouping_field(self, name)) is not None
        }
        kinds = ["Float64" if name in marked else "float64" for name, _ in chosen for _ in stats]
        return made.astype(dict(zip(labels, kinds, strict=True)))

    def _described(self) -> Columns:
        import pyarrow as pa

        schema = self._grouping.plan.schema
        kinds = {name: schema.field(name).type for name, _ in self._grouping.columns}
        chosen = tuple(
            (name, label)
            for name, label in self._grouping.columns
            if is_number(kinds[name]) and not pa.types.is_boolean(kinds[name])
        )
        if not chosen or any(pa.types.is_temporal(kind) for kind in kinds.values()):
            raise UnsupportedError(
                "describe of groups is for numbers: select numeric columns, or use agg"
            )
        return chosen

    def ohlc(self) -> Any:
        """Return the first, greatest, least and last value of each group."""
        specs, labels = [], []
        for name, label in self._grouping.columns:
            for stat, function in _OHLC:
                specs.append(self._spec(name, function, f"{name} {stat}"))
                labels.append(stat if self._is_series else (label, stat))
        levels = (None,) if self._is_series else (None, None)
        return self._built(tuple(specs), tuple(labels), label_names=levels)

    def _counted(
        self,
        columns: Columns,
        normalize: bool,
        sort: bool,
        ascending: bool,
        dropna: bool,
    ) -> Any:
        """Return how often each combination of `columns` occurs in each group."""
        from penstock.engine.nodes.group_transform import GroupTransform

        grouping = self._grouping
        self._observed_only("value_counts")
        plan = in_order(grouping.plan)
        values = tuple(name for name, _ in columns)
        for name in (*(grouping.keys if grouping.dropna else ()), *(values if dropna else ())):
            plan = Filter(plan, Call("notna", (Column(name),)))
        counts: FrameNode = GroupAggregate(
            RowPositions(plan), (*grouping.keys, *values),
            (*grouping.names, *(label for _, label in columns)),
            (AggSpec(None, "size", "count"),), ("count",), sort=False, dropna=False,
        )  # fmt: skip
        levels = counts.schema.index[: len(grouping.keys)]
        name = "proportion" if normalize else "count"
        order = counts.schema.order
        series = new_series(noted(counts), Column("count"), name)
        if normalize:
            total = GroupTransform(
                counts, levels, (AggSpec("count", "sum", "total"),), ("total",), dropna=False
            )
            series = series / new_series(total, Column("total"), name)
            counts = series.plan
        ((column, _, _),) = series._items
        by = (*(levels if grouping.sort else ()), *((column,) if sort else ()), *order)
        directions = tuple(ascending if one == column else True for one in by)
        ordered = noted(Sort(series.plan, by, directions))
        return new_series(ordered, Column(column), name)


class SeriesTablesMixin(GroupTablesMixin):
    """What only one grouped column gives."""

    def value_counts(self, normalize: bool = False, sort: bool = True, ascending: bool = False,
                     bins: None = None, dropna: bool = True) -> Any:  # fmt: skip
        """Return how often each value occurs in each group.

        Parameters
        ----------
        normalize : bool
            Give shares of the group instead of numbers.
        sort : bool
            Most frequent first; otherwise values come in order of appearance.
        ascending : bool
            Least frequent first.
        bins : None
            Not supported: group by ``pd.cut`` of the values instead.
        dropna : bool
            Leave missing values out.
        """
        if bins is not None:
            raise UnsupportedError("value_counts(bins=...) of groups: count a column of bins")
        counted = self._counted(self._grouping.columns, normalize, sort, ascending, dropna)
        return counted if self._grouping.as_index else counted.reset_index()

    def unique(self) -> Any:
        """Return the distinct values of each group, in order of appearance, as lists."""
        return self._aggregate_each("unique")

    def cov(self, other: Any = None, **options: Any) -> Any:
        """Not supported: group a frame of both columns."""
        raise UnsupportedError("cov of one grouped column: group a frame of both columns")

    def corr(self, other: Any = None, **options: Any) -> Any:
        """Not supported: group a frame of both columns."""
        raise UnsupportedError("corr of one grouped column: group a frame of both columns")

    def nlargest(self, n: int = 5, keep: str = "first") -> Any:
        """Return the `n` largest values of each group, labelled by group and row."""
        return self._ranked("nlargest", n, keep)

    def nsmallest(self, n: int = 5, keep: str = "first") -> Any:
        """Return the `n` smallest values of each group, labelled by group and row."""
        return self._ranked("nsmallest", n, keep)

    def _ranked(self, name: str, n: int, keep: str) -> Any:
        return self._groupwise(f"groupby {name}", partial(_ranked, name=name, n=n, keep=keep))

    @property
    def is_monotonic_increasing(self) -> Any:
        """Whether no value of the group is less than the one before it."""
        return self._groupwise("groupby is_monotonic_increasing", _increasing)

    @property
    def is_monotonic_decreasing(self) -> Any:
        """Whether no value of the group is greater than the one before it."""
        return self._groupwise("groupby is_monotonic_decreasing", _decreasing)


class FrameTablesMixin(GroupTablesMixin):
    """What only several grouped columns give."""

    def cov(self, min_periods: int | None = None, ddof: int = 1, numeric_only: bool = False,
            **hints: Any) -> Any:  # fmt: skip
        """Return the covariances between the columns of each group.

        Parameters
        ----------
        min_periods : int, optional
            Fewest pairs of values for a result.
        ddof : int
            Others than 1 need each group in memory.
        numeric_only : bool
        **hints
            See `sum`.
        """
        check_hints("cov", hints)
        return self._matrix("cov", numeric_only, min_periods=min_periods, ddof=ddof)

    def corr(self, method: Any = "pearson", min_periods: int = 1, numeric_only: bool = False,
             **hints: Any) -> Any:  # fmt: skip
        """Return the correlations between the columns of each group.

        Parameters
        ----------
        method : {"pearson", "kendall", "spearman"} or callable
            Others than Pearson's need each group in memory.
        min_periods : int
            Fewest pairs of values for a result.
        numeric_only : bool
        **hints
            See `sum`.
        """
        check_hints("corr", hints)
        return self._matrix("corr", numeric_only, method=method, min_periods=min_periods)

    def _matrix(
        self, name: str, numeric_only: bool, min_periods: int | None, **options: Any
    ) -> Any:
        from penstock.engine.nodes.group_matrix import GroupMatrix

        self._observed_only(name)
        grouping = self._grouping
        chosen = self._chosen(numeric_only)
        if not grouping.as_index:
            raise UnsupportedError(f"{name} with as_index=False: call reset_index() on the result")
        plain = options in ({"ddof": 1}, {"method": "pearson"})
        numbers = all(is_number(grouping.plan.schema.field(key).type) for key, _ in chosen)
        if not plain or not numbers or not all(isinstance(label, str) for _, label in chosen):
            options["min_periods"] = min_periods
            function = partial(_related, name=name, options=options)
            return self._groupwise(f"groupby {name}", function, columns=chosen)
        plan = grouping.plan
        if not grouping.sort and not plan.schema.order:
            plan = RowPositions(plan)
        node = GroupMatrix(
            plan, grouping.keys, grouping.names, name, chosen, min_periods or 1,
            sort=grouping.sort, dropna=grouping.dropna,
        )  # fmt: skip
        return new_frame(noted(node))

    def value_counts(self, subset: Any = None, normalize: bool = False, sort: bool = True,
                     ascending: bool = False, dropna: bool = True) -> Any:  # fmt: skip
        """Return how often each combination of values occurs in each group.

        Parameters
        ----------
        subset : list of labels, optional
            Columns to count; by default all but the keys.
        normalize : bool
            Give shares of the group instead of numbers.
        sort : bool
            Most frequent first; otherwise in order of appearance.
        ascending : bool
            Least frequent first.
        dropna : bool
            Leave combinations with missing values out.
        """
        columns = self._grouping.columns
        if subset is not None:
            schema = self._grouping.plan.schema
            columns = tuple((schema.column(label), label) for label in subset)
        counted = self._counted(columns, normalize, sort, ascending, dropna)
        return counted if self._grouping.as_index else counted.reset_index()


def grouping_field(grouped: Grouped, name: str) -> pa.Field:
    """Return the field of a column of what is grouped."""
    return grouped._grouping.plan.schema.field(name)


def _ranked(grouped: Any, name: str, n: int, keep: str) -> Any:
    return getattr(grouped, name)(n, keep)


def _increasing(grouped: Any) -> Any:
    return grouped.is_monotonic_increasing


def _decreasing(grouped: Any) -> Any:
    return grouped.is_monotonic_decreasing


def _related(grouped: Any, name: str, options: dict[str, Any]) -> Any:
    return getattr(grouped, name)(**options)

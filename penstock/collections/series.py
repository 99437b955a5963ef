"""Series: one column of a frame, lazy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.collections.framelike import Items, select_plan
from penstock.collections.kinds import is_kind, new_frame, register
from penstock.collections.mapping import MapMixin
from penstock.collections.mixins.arrays import ArrayMixin
from penstock.collections.mixins.counting import SeriesCountingMixin
from penstock.collections.mixins.elementwise import ElementwiseMixin, common_name
from penstock.collections.mixins.order import OrderMixin
from penstock.collections.mixins.output import OutputMixin
from penstock.collections.mixins.reduce import ReduceMixin
from penstock.collections.mixins.relations import SeriesRelationsMixin
from penstock.collections.mixins.reshape import SeriesReshapeMixin
from penstock.collections.mixins.window import WindowMixin
from penstock.collections.operators import add_operator_methods, add_operators
from penstock.collections.rows import labelled, united
from penstock.collections.scalar import Scalar
from penstock.engine.expr import Column, Expr
from penstock.engine.nodes.sort import Sort, TopN, in_order
from penstock.engine.schema import unique_names

# inside the class, `str` is the accessor
Text = str

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from penstock.collections.accessors import DatetimeAccessor, StringAccessor
    from penstock.engine.nodes.reduce import Reduce
    from penstock.engine.plan import FrameNode


@register
class Series(
    ElementwiseMixin,
    ReduceMixin,
    OrderMixin,
    SeriesCountingMixin,
    SeriesRelationsMixin,
    SeriesReshapeMixin,
    WindowMixin,
    MapMixin,
    OutputMixin,
    ArrayMixin,
):
    """A lazy column with labels.

    Parameters
    ----------
    rows : FrameNode
        The plan whose rows it has.
    expr : Expr
        Its values, over the columns of `rows`.
    name : hashable
        The user's name.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([5.0, 7.5, 20.0], name="fare"), npartitions=2)
    >>> (fares + 1).max().compute()
    np.float64(21.0)
    """

    def __init__(self, rows: FrameNode, expr: Expr, name: Any = None) -> None:
        self._base = rows
        self._expr = expr
        self.name = name

    # -- structure ------------------------------------------------------------

    @property
    def _rows(self) -> FrameNode:
        return self._base

    @property
    def _items(self) -> Items:
        return ((unique_names([self.name])[0], self.name, self._expr),)

    def _like(self, rows: FrameNode, items: Items) -> Series:
        ((_, label, expr),) = items
        return Series(rows, expr, label)

    @property
    def plan(self) -> FrameNode:
        """The plan node whose blocks hold this."""
        return select_plan(self._base, self._items)

    @property
    def dtype(self) -> Any:
        """The pandas dtype."""
        return self._repr_meta().dtypes.iloc[0]

    @property
    def size(self) -> Scalar:
        """The number of rows, lazy."""
        return self._count()

    @property
    def shape(self) -> tuple[Scalar]:
        """``(rows,)``, lazy."""
        return (self._count(),)

    @property
    def ndim(self) -> int:
        """1."""
        return 1

    @property
    def str(self) -> StringAccessor:
        """Methods for text, as pandas' ``.str``."""
        from penstock.collections.accessors import StringAccessor

        return StringAccessor(self)

    @property
    def dt(self) -> DatetimeAccessor:
        """Methods for dates and times, as pandas' ``.dt``."""
        from penstock.collections.accessors import DatetimeAccessor

        return DatetimeAccessor(self)

    @property
    def loc(self) -> Any:
        """Select rows by a mask: ``series.loc[mask]``."""
        from penstock.collections.indexing import LocIndexer

        return LocIndexer(self)

    def __iter__(self) -> Iterator[Any]:
        for block in self.iter_blocks():
            yield from block

    def __getitem__(self, key: Any) -> Series:
        return self._masked(key)

    def _masked(self, mask: Any) -> Series:
        rows, exprs = united(
            labelled(self._base),
            [(self._base, self._expr), self._operand(self._base, mask)],
            "a filter",
            moved=True,
        )
        return Series(self._filtered(rows, exprs[1]), exprs[0], self.name)

    # -- results --------------------------------------------------------------

    def _finalize(self, blocks: list[pa.Table], dtype_backend: Any = None) -> pd.Series:
        from penstock.collections.gathering import gathered_in_pandas

        frame = gathered_in_pandas(self._schema, blocks, dtype_backend)
        series = frame.iloc[:, 0]
        series.name = self.name
        return series

    def _reduced(self, node: Reduce, chosen: Items) -> Scalar:
        from penstock.collections.base import noted

        return Scalar(noted(node), Column(node.specs[0].output))

    def __repr__(self) -> Text:
        return f"<Series {self.name!r}: {self.dtype}>"

    def __bool__(self) -> bool:
        raise TypeError("the truth value of a lazy Series is not known; call .compute() first")

    # -- methods --------------------------------------------------------------

    def _combined(self, op: Text, other: Any, reverse: bool = False, axis: Any = None) -> Any:
        """Apply an operator; Series of different names give one without."""
        if is_kind(other, "DataFrame"):
            return other._combined(op, self, reverse=not reverse)
        result = self._elementwise(op, other, reverse=reverse)
        return result.rename(common_name(self, other)) if isinstance(other, Series) else result

    def to_frame(self, name: Any = None) -> Any:
        """Return a DataFrame of this one column."""
        label = self.name if name is None else name
        label = 0 if label is None else label
        return new_frame(select_plan(self._base, ((str_name(label), label, self._expr),)))

    def rename(self, index: Any = None) -> Series:
        """Return this series under another name."""
        return Series(self._base, self._expr, index)

    def dropna(self) -> Series:
        """Return the values that are not missing."""
        return self._masked(self.notna())

    def map(self, func: Any, na_action: Any = None, meta: Any = None) -> Series:
        """Return each value replaced through a dict, a Series or a function.

        Parameters
        ----------
        func : dict, pandas.Series or callable
        na_action : {None, "ignore"}
            ``"ignore"`` leaves missing values as they are.
        meta : dtype, or (name, dtype), optional
            Of a function's result; by default found by running on the first rows.
        """
        if callable(func):
            return self.map_partitions(_map_each, func, na_action, meta=meta, _rowwise=True)
        return self._elementwise("map", func=func, na_action=na_action)

    def unique(self) -> Series:
        """Return the distinct values in order of appearance; computes to a Series."""
        from penstock.collections.distinct import unique

        return unique(self)

    def value_counts(self, sort: bool = True, ascending: bool = False, dropna: bool = True,
                     normalize: bool = False, bins: Any = None) -> Series:  # fmt: skip
        """Return how often each value occurs, most frequent first.

        Parameters
        ----------
        sort, ascending : bool
            Order by frequency.
        dropna : bool
            Leave missing values out.
        normalize : bool
            Give shares instead of numbers.
        bins : int or sequence, optional
            Count values in bins; see `penstock.dataframe.cut`.
        """
        from penstock.collections.distinct import value_counts

        return value_counts(self, sort, ascending, dropna, normalize, bins)

    def drop_duplicates(self, keep: Any = "first", ignore_index: bool = False) -> Series:
        """Return one row for each distinct value."""
        from penstock.collections.distinct import drop_duplicates

        done = drop_duplicates(self, None, keep)
        return done.reset_index(drop=True) if ignore_index else done

    def mode(self, dropna: bool = True) -> Series:
        """Return the most frequent values, sorted."""
        from penstock.collections.distinct import mode

        return mode(self, dropna)

    def sort_values(self, ascending: bool = True, na_position: Text = "last") -> Series:
        """Return the rows sorted by value; ties keep their order."""
        plan = in_order(labelled(self.plan))
        return self._on(Sort(plan, plan.schema.columns, (ascending,), na_position))

    def nlargest(self, n: int = 5, keep: Text = "first") -> Series:
        """Return the `n` largest values, without a full sort."""
        plan = in_order(labelled(self.plan))
        return self._on(TopN(plan, plan.schema.columns, n, False, keep))

    def nsmallest(self, n: int = 5, keep: Text = "first") -> Series:
        """Return the `n` smallest values, without a full sort."""
        plan = in_order(labelled(self.plan))
        return self._on(TopN(plan, plan.schema.columns, n, True, keep))

    def reset_index(self, drop: bool = False, name: Any = None) -> Any:
        """Return the values with a new default index (and the old one as columns)."""
        if drop:
            plan = self._reset(True, (), ())
            return self._on(plan)
        return self.to_frame(name).reset_index()

    def groupby(self, by: Any = None, **options: Any) -> Any:
        """Group by another Series of the same rows, or by the index (``level=0``)."""
        from penstock.collections.groupby import SeriesGroupBy

        return SeriesGroupBy.of_series(self, by, **options)

    def describe(self, percentiles: Any = None) -> Any:
        """Return count, mean, std, min, quantiles and max."""
        from penstock.collections.describing import describe

        return describe(self, percentiles)

    def apply(self, function: Callable[..., Any], args: tuple = (), meta: Any = None,
              **kwargs: Any) -> Series:  # fmt: skip
        """Call `function` with each value.

        Parameters
        ----------
        function : callable
        args : tuple
            Further positional arguments.
        meta : dtype, or (name, dtype), optional
            Of the result; by default found by running on the first rows.
        **kwargs
            Further keyword arguments.
        """
        return self.map_partitions(_apply_each, function, args, kwargs, meta=meta, _rowwise=True)

    def to_list(self) -> list:
        """Compute and return a list."""
        return list(self.compute())

    tolist = to_list

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        import numpy as np

        return np.asarray(self.compute(), dtype=dtype)


def str_name(label: Any) -> Any:
    """Return the name inside blocks for the user's `label`."""
    return unique_names([label])[0]


def _map_each(series: pd.Series, func: Any, na_action: Any) -> Any:
    return series.map(func, na_action=na_action)


def _apply_each(series: pd.Series, function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    return series.apply(function, args=args, **kwargs)


add_operators(Series)
add_operator_methods(Series)

"""Methods about rows and their neighbours: moving windows, filling, resampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.framelike import FrameLike
from penstock.collections.mixins.reduce import is_across
from penstock.engine.nodes.sort import in_order
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from penstock.collections.resampling import Resampler
    from penstock.collections.rolling import Rolling
    from penstock.collections.scan_windows import Expanding, ExponentialMoving


class WindowMixin(FrameLike):
    """Windows over the rows."""

    def rolling(self, window: Any, min_periods: int | None = None, center: bool = False,
                win_type: str | None = None, on: Any = None, closed: str | None = None,
                step: int | None = None, method: str = "single") -> Rolling:  # fmt: skip
        """Return windows that move along the rows, to aggregate.

        Parameters
        ----------
        window : int, str, timedelta or FixedForwardWindowIndexer
            Rows of each window; or a span of time such as ``"2h"``, on a sorted index of
            times or on `on`.
        min_periods : int, optional
            Fewest values for a result; by default `window` rows, or 1 for spans of time.
        center : bool
            Label each window by its middle instead of its end.
        win_type : None
        on : label, optional
            Column of sorted times, instead of the index.
        closed : {"right", "left", "both", "neither"}, optional
        step : None
        method : {"single"}

        Returns
        -------
        Rolling

        Raises
        ------
        ValueError
            When the times are not sorted (while it is computed).

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> when = pd.to_datetime(["2024-01-01 09:00", "2024-01-01 09:30", "2024-01-01 12:00"])
        >>> trips = dd.from_pandas(pd.DataFrame({"fare": [5.0, 7.0, 9.0]}, index=when), 2)
        >>> trips.rolling("1h").sum().compute()["fare"].to_list()
        [5.0, 12.0, 9.0]
        """
        from penstock.collections.rolling import rolling

        return rolling(self, window, min_periods, center, win_type, on, closed, step, method)

    def expanding(self, min_periods: int = 1, method: str = "single") -> Expanding:
        """Return windows of all rows up to each one, to aggregate.

        Parameters
        ----------
        min_periods : int
            Fewest values for a result.
        method : {"single"}

        Returns
        -------
        Expanding

        Raises
        ------
        UnsupportedError
            For functions that need all rows before each one: ``median``, ``quantile``,
            ``rank``, ``apply``.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([5.0, 7.0, 9.0]), npartitions=2)
        >>> fares.expanding(min_periods=2).sum().compute().to_list()
        [nan, 12.0, 21.0]
        """
        from penstock.collections.scan_windows import expanding

        return expanding(self, min_periods, method)

    def ewm(self, com: float | None = None, span: float | None = None,
            halflife: float | None = None, alpha: float | None = None,
            min_periods: int | None = 0, adjust: bool = True, ignore_na: bool = False,
            times: Any = None, method: str = "single") -> ExponentialMoving:  # fmt: skip
        """Return windows whose weights decay exponentially, to aggregate.

        Parameters
        ----------
        com, span, halflife, alpha : float
            How fast: exactly one of them.
        min_periods : int
            Fewest values for a result.
        adjust : bool
            Divide by the sum of the weights, so that early rows weigh as much as they should.
        ignore_na : bool
            Missing values do not age the ones before.
        times : None
        method : {"single"}

        Returns
        -------
        ExponentialMoving

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([4.0, 7.0]), npartitions=2)
        >>> fares.ewm(alpha=0.5).mean().compute().to_list()
        [4.0, 6.0]
        """
        from penstock.collections.scan_windows import exponential

        return exponential(
            self, com, span, halflife, alpha, min_periods, adjust, ignore_na, times, method
        )

    def resample(self, rule: Any, closed: str | None = None, label: str | None = None,
                 on: Any = None, level: Any = None, origin: Any = "start_day",
                 offset: Any = None, group_keys: bool = False) -> Resampler:  # fmt: skip
        """Return the rows in bins of time, to aggregate.

        Parameters
        ----------
        rule : str, timedelta or offset
            Length of a bin, e.g. ``"15min"``, ``"1D"``, ``"ME"``.
        closed, label : {"left", "right"}, optional
            Side of a bin that belongs to it, and that names it.
        on : label, optional
            Column of times, instead of the index.
        level : None
        origin : {"start_day", "start", "epoch", "end", "end_day"} or timestamp
            Where bins are counted from.
        offset : str or timedelta, optional
            Added to the origin.
        group_keys : bool
            False.

        Returns
        -------
        Resampler

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> when = pd.to_datetime(["2024-01-01 09:10", "2024-01-01 11:05"])
        >>> trips = dd.from_pandas(pd.DataFrame({"fare": [5.0, 7.0]}, index=when), 2)
        >>> trips.resample("1h").fare.count().compute().to_list()
        [1, 0, 1]
        """
        from penstock.collections.resampling import resample

        return resample(self, rule, closed, label, on, level, origin, offset, group_keys)

    def map_overlap(self, func: Callable[..., Any], before: Any, after: Any, *args: Any,
                    meta: Any = None, **kwargs: Any) -> Any:  # fmt: skip
        """Call `func` with each partition together with rows of its neighbours.

        Parameters
        ----------
        func : callable
            Takes a DataFrame or Series, and gives one row for each that it gets; those of the
            neighbours are cut off.
        before, after : int or timedelta
            How many rows, or how long a span of time on a sorted index of times. Rows come
            from as many partitions as needed.
        *args
            Further arguments.
        meta : DataFrame, Series, dict, tuple or dtype, optional
            Names and dtypes of the result, see `map_partitions`.
        **kwargs
            Further keyword arguments.

        Returns
        -------
        DataFrame or Series

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([5.0, 7.0, 9.0]), npartitions=3)
        >>> fares.map_overlap(lambda s: s + s.shift(1), 1, 0).compute().to_list()
        [nan, 12.0, 16.0]
        """
        from penstock.collections.overlap import map_overlap

        for option in ("enforce_metadata", "transform_divisions", "align_dataframes"):
            kwargs.pop(option, None)  # of Dask's; divisions are found out
        return map_overlap(self, func, before, after, args, meta, kwargs)

    def pct_change(self, periods: int = 1, fill_method: None = None, freq: Any = None) -> Any:
        """Return the relative change to the value `periods` rows before.

        Parameters
        ----------
        periods : int
            Negative to compare with rows after.
        fill_method : None
        freq : None

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([4.0, 6.0, 3.0]), npartitions=2)
        >>> fares.pct_change().compute().to_list()
        [nan, 0.5, -0.5]
        """
        if fill_method is not None:
            raise ValueError(
                f"fill_method must be None, not {fill_method!r}; call ffill() or bfill() first"
            )
        if freq is not None:
            raise UnsupportedError(
                "pct_change with freq is not supported; join with shift(periods, freq=...) instead"
            )
        rows: Any = self._on(in_order(self.plan))
        return rows / rows.shift(periods) - 1

    def ffill(self, *, axis: Any = 0, limit: int | None = None,
              limit_area: str | None = None) -> Any:  # fmt: skip
        """Return missing values replaced by the last valid one before them.

        Parameters
        ----------
        axis : {0, 1}
            1 takes the value of the column before.
        limit : int, optional
            Most rows in a row to fill.
        limit_area : None

        Returns
        -------
        DataFrame or Series

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([4.0, None, None, 3.0]), npartitions=2)
        >>> fares.ffill(limit=1).compute().to_list()
        [4.0, 4.0, nan, 3.0]
        """
        return self._filled("ffill", axis, limit, limit_area)

    def bfill(self, *, axis: Any = 0, limit: int | None = None,
              limit_area: str | None = None) -> Any:  # fmt: skip
        """Return missing values replaced by the first valid one after them.

        Parameters
        ----------
        axis : {0, 1}
            1 takes the value of the column after.
        limit : int, optional
            Most rows in a row to fill.
        limit_area : None

        Returns
        -------
        DataFrame or Series
        """
        return self._filled("bfill", axis, limit, limit_area)

    def _filled(self, method: str, axis: Any, limit: int | None, limit_area: str | None) -> Any:
        from penstock.engine.nodes.fill import Fill

        if limit_area is not None:
            raise UnsupportedError(f"{method} with limit_area is not supported; leave it out")
        _check_limit(method, limit)
        if is_across(axis):
            return self._across(method, limit=limit)  # type: ignore[attr-defined]
        return self._on(Fill(in_order(self.plan), method, limit))

    def interpolate(self, method: str = "linear", *, axis: Any = 0, limit: int | None = None,
                    limit_direction: str = "forward",
                    limit_area: str | None = None) -> Any:  # fmt: skip
        """Return missing numbers replaced by those on the line between their neighbours.

        Parameters
        ----------
        method : {"linear"}
            By the number of rows, whatever the labels.
        axis : {0}
        limit : int, optional
            Most rows in a row to fill.
        limit_direction : {"forward", "backward", "both"}
            From where `limit` counts, and which end is filled with its nearest value.
        limit_area : {"inside", "outside"}, optional

        Returns
        -------
        DataFrame or Series

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([4.0, None, None, 7.0]), npartitions=2)
        >>> fares.interpolate().compute().to_list()
        [4.0, 5.0, 6.0, 7.0]
        """
        from penstock.engine.nodes.fill import Interpolate

        if method != "linear":
            raise UnsupportedError(
                f"interpolate with method={method!r} is not supported; use 'linear', ffill() or "
                "map_overlap with a function of pandas'"
            )
        if is_across(axis):
            raise UnsupportedError("interpolate over columns is not supported; use axis=0")
        if limit_direction not in ("forward", "backward", "both"):
            raise ValueError(
                f"limit_direction must be forward, backward or both, not {limit_direction!r}"
            )
        if limit_area not in (None, "inside", "outside"):
            raise ValueError(f"limit_area must be inside or outside, not {limit_area!r}")
        _check_limit("interpolate", limit)
        plan = in_order(self.plan)
        for field, label in zip(plan.schema.fields, plan.schema.labels, strict=True):
            _check_interpolated(field, label)
        return self._on(Interpolate(plan, limit, limit_direction, limit_area))


def _check_limit(method: str, limit: int | None) -> None:
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"{method}: limit must be an integer above 0, not {limit!r}")


def _check_interpolated(field: pa.Field, label: Any) -> None:
    """Refuse columns that have no numbers to draw a line between."""
    import pyarrow as pa

    types = pa.types
    kind = field.type
    if types.is_temporal(kind) or types.is_dictionary(kind) or _is_nullable(field):
        raise UnsupportedError(
            f"interpolate of column {label!r} of type {kind} is not supported; convert it with "
            "astype('float64'), or leave it out"
        )
    numbers = types.is_integer(kind) or types.is_floating(kind)
    if not (numbers or types.is_boolean(kind) or types.is_null(kind)):
        raise SchemaError(f"interpolate of column {label!r} of type {kind} is not defined")


def _is_nullable(field: pa.Field) -> bool:
    from penstock.engine.kernels.convert import nullable_dtype

    return nullable_dtype(field) is not None

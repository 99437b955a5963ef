"""Moving windows of frames and series: what `rolling` gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.kinds import is_kind
from penstock.collections.mapping import collection_of
from penstock.collections.rows import labelled, united
from penstock.engine.kernels.rolling import FORWARD, WindowCall
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.rolling import Rolling as RollingNode
from penstock.engine.nodes.rolling import window_meta
from penstock.engine.nodes.sort import in_order
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    from penstock.engine.schema import FrameSchema


class Rolling:
    """Windows that move along the rows; made by `DataFrame.rolling` and `Series.rolling`.

    A block is computed together with the rows of its neighbours that its windows reach: memory
    holds a block and a window per task, never a column.

    Parameters
    ----------
    source : DataFrame or Series
    options : dict
        Keyword arguments of pandas' ``rolling``.
    selected : tuple, optional
        Labels of the columns to aggregate.
    single : bool
        One column was selected, as a Series.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([5.0, 7.0, 9.0, 1.0], name="fare"), npartitions=2)
    >>> fares.rolling(2).sum().compute().to_list()
    [nan, 12.0, 16.0, 10.0]
    """

    def __init__(
        self,
        source: FrameLike,
        options: dict[str, Any],
        selected: tuple[Any, ...] | None = None,
        single: bool = False,
    ) -> None:
        self._source = source
        self._options = options
        self._selected = selected
        self._single = single

    def __getitem__(self, key: Any) -> Rolling:
        if is_kind(self._source, "Series"):
            raise KeyError(f"a rolling Series has no column {key!r}")
        single = not isinstance(key, list)
        labels = (key,) if single else tuple(key)
        for label in labels:
            self._source._schema.column(label)
        return Rolling(self._source, self._options, labels, single)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and is_kind(self._source, "DataFrame"):
            if name in self._source._schema.labels:
                return self[name]
        raise AttributeError(f"rolling windows have no method and no column {name!r}")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self._options.items())
        return f"<Rolling [{shown}]>"

    # -- aggregations ---------------------------------------------------------

    def sum(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the sum of each window."""
        return self._each("sum", numeric_only, **kwargs)

    def count(self, numeric_only: bool = False) -> Any:
        """Return how many values of each window are not missing."""
        return self._each("count", numeric_only)

    def mean(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the mean of each window."""
        return self._each("mean", numeric_only, **kwargs)

    def min(self, numeric_only: bool = False) -> Any:
        """Return the smallest value of each window."""
        return self._each("min", numeric_only)

    def max(self, numeric_only: bool = False) -> Any:
        """Return the largest value of each window."""
        return self._each("max", numeric_only)

    def first(self, numeric_only: bool = False) -> Any:
        """Return the first value of each window that is not missing."""
        return self._each("first", numeric_only)

    def last(self, numeric_only: bool = False) -> Any:
        """Return the last value of each window that is not missing."""
        return self._each("last", numeric_only)

    def nunique(self, numeric_only: bool = False) -> Any:
        """Return the number of distinct values of each window."""
        return self._each("nunique", numeric_only)

    def var(self, ddof: int = 1, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the variance of each window."""
        return self._each("var", numeric_only, ddof=ddof, **kwargs)

    def std(self, ddof: int = 1, numeric_only: bool = False, **kwargs: Any) -> Any:
        """Return the standard deviation of each window."""
        return self._each("std", numeric_only, ddof=ddof, **kwargs)

    def sem(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard error of the mean of each window."""
        return self._each("sem", numeric_only, ddof=ddof)

    def median(self, numeric_only: bool = False) -> Any:
        """Return the median of each window."""
        return self._each("median", numeric_only)

    def skew(self, numeric_only: bool = False) -> Any:
        """Return the unbiased skewness of each window."""
        return self._each("skew", numeric_only)

    def kurt(self, numeric_only: bool = False) -> Any:
        """Return the unbiased excess kurtosis of each window."""
        return self._each("kurt", numeric_only)

    def quantile(self, q: float, interpolation: str = "linear", numeric_only: bool = False) -> Any:
        """Return a quantile of each window."""
        return self._each("quantile", numeric_only, q=q, interpolation=interpolation)

    def rank(self, method: str = "average", ascending: bool = True, pct: bool = False,
             numeric_only: bool = False) -> Any:  # fmt: skip
        """Return the rank of the last value within each window."""
        if self._options.get("center") and not isinstance(self._options.get("window"), int):
            raise UnsupportedError(
                "rolling rank in centered windows of time is not supported: pandas gives ranks "
                "of earlier windows there; leave center out"
            )
        return self._each("rank", numeric_only, method=method, ascending=ascending, pct=pct)

    def apply(self, func: Callable[..., Any], raw: bool = False, engine: str | None = None,
              engine_kwargs: Any = None, args: tuple = (), kwargs: Any = None) -> Any:  # fmt: skip
        """Call a function with the values of each window.

        Parameters
        ----------
        func : callable
            Takes a Series (an array with `raw`) and gives a number.
        raw : bool
            Pass NumPy arrays, which is much faster.
        engine : {"cython"}, optional
        engine_kwargs : None
        args, kwargs
            Further arguments of `func`.

        Returns
        -------
        DataFrame or Series
        """
        if engine not in (None, "cython") or engine_kwargs is not None:
            raise UnsupportedError(
                f"rolling apply with engine={engine!r} is not supported; leave engine out"
            )
        arguments = {"func": Opaque(func), "raw": raw, "args": Opaque(args)}
        return self._called("apply", {**arguments, "kwargs": Opaque(kwargs)}, each=True)

    def agg(self, func: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Aggregate in any of pandas' spellings: a name, a function, a list or dict of these."""
        if isinstance(func, str):
            return getattr(self, func)(*args, **kwargs)
        if args:
            raise UnsupportedError("rolling agg: pass further arguments by name")
        named = {name: Opaque(value) for name, value in kwargs.items()}
        return self._called("agg", {"func": Opaque(func), **named}, each=False)

    aggregate = agg

    def cov(self, other: Any = None, pairwise: bool | None = None, ddof: int = 1,
            numeric_only: bool = False) -> Any:  # fmt: skip
        """Return covariances within each window, see `corr`."""
        return self._moments("cov", other, pairwise, ddof, numeric_only)

    def corr(self, other: Any = None, pairwise: bool | None = None, ddof: int = 1,
             numeric_only: bool = False) -> Any:  # fmt: skip
        """Return correlations within each window.

        Parameters
        ----------
        other : Series, optional
            Of the same rows. Without it, columns are taken with each other, which gives a
            matrix for each row.
        pairwise : bool, optional
            False takes each column with itself.
        ddof : int
        numeric_only : bool

        Returns
        -------
        DataFrame or Series
        """
        return self._moments("corr", other, pairwise, ddof, numeric_only)

    # -- machinery ------------------------------------------------------------

    def _each(self, function: str, numeric_only: bool, **arguments: Any) -> Any:
        engine = arguments.pop("engine", None), arguments.pop("engine_kwargs", None)
        if engine not in ((None, None), ("cython", None)):
            raise UnsupportedError(f"rolling {function}: leave engine and engine_kwargs out")
        if numeric_only:
            arguments["numeric_only"] = True
        return self._called(function, arguments, each=True)

    def _called(self, function: str, arguments: dict[str, Any], *, each: bool) -> Any:
        call = WindowCall(
            tuple(self._options.items()), function, tuple(arguments.items()),
            self._selected, self._single,
        )  # fmt: skip
        plan = in_order(self._narrowed().plan)
        if each and function != "count" and "numeric_only" not in arguments:
            self._check_numbers(function, plan.schema)
        return self._built(plan, call, each=each and self._selected is None)

    def _built(
        self, plan: Any, call: WindowCall, *, each: bool = False, pairwise: bool = False
    ) -> Any:
        as_series = is_kind(self._source, "Series") and not call.with_other
        result = window_meta(call, plan.schema, as_series)
        time, reach, ahead = self._time(plan)
        node = RollingNode(plan, call, as_series, time, reach, ahead, each, pairwise)
        return collection_of(noted(node), result.ndim == 1)

    def _check_numbers(self, function: str, schema: FrameSchema) -> None:
        """Refuse columns without numbers, which pandas notices once there are rows."""
        import pyarrow as pa

        from penstock.engine.kernels.aggregate.functions import is_number

        on = self._options.get("on")
        for field, label in zip(schema.fields, schema.labels, strict=True):
            chosen = label != on if self._selected is None else label in self._selected
            if chosen and not (is_number(field.type) or pa.types.is_null(field.type)):
                raise SchemaError(
                    f"rolling {function} of column {label!r}, which is of type {field.type}, is "
                    "not defined; select numeric columns, or pass numeric_only=True"
                )

    def _narrowed(self) -> Any:
        """Return the source with only the columns that the windows need."""
        if self._selected is None:
            return self._source
        on = self._options.get("on")
        kept = [*self._selected, *([] if on is None or on in self._selected else [on])]
        return self._source[[label for label in self._source._schema.labels if label in kept]]  # type: ignore[index]

    def _time(self, plan: Any) -> tuple[str | None, int, int]:
        """Return the column of times and how far windows reach, in nanoseconds."""
        import pandas as pd

        window = self._options.get("window")
        if window is None or isinstance(window, int):
            return None, 0, 0
        on = self._options.get("on")
        time = plan.schema.index[0] if on is None else plan.schema.column(on)
        reach = int(pd.Timedelta(window).as_unit("ns").value)
        if self._options.get("center"):
            return time, reach // 2 + 1, reach // 2 + 1
        return time, reach, 0

    def _moments(
        self, function: str, other: Any, pairwise: bool | None, ddof: int, numeric_only: bool
    ) -> Any:
        arguments: dict[str, Any] = {"ddof": ddof}
        if pairwise is not None:
            arguments["pairwise"] = pairwise
        if numeric_only:
            arguments["numeric_only"] = True
        one = self._single or is_kind(self._source, "Series")
        if other is None:
            if not one and pairwise is not False:
                return self._pairwise(function, arguments)
            return self._called(function, arguments, each=False)
        if not is_kind(other, "Series") or pairwise:
            raise UnsupportedError(
                f"rolling {function} takes a Series of the same rows; call it column by column "
                "for another frame"
            )
        if self._options.get("on") is not None:
            raise UnsupportedError(
                f"rolling {function} with another Series needs the times as the index; "
                "call set_index first"
            )
        source: Any = self._narrowed()
        rows, exprs = united(
            in_order(source._rows), [source._operand(source._rows, other)], f"rolling {function}"
        )
        items = source._items
        name = unique_names([*(item[0] for item in items), "other"])[-1]
        plan = select_plan(rows, (*items, (name, other.name, exprs[0])))
        call = WindowCall(
            tuple(self._options.items()), function, tuple(arguments.items()),
            single=one, with_other=True,
        )  # fmt: skip
        return self._built(plan, call)

    def _pairwise(self, function: str, arguments: dict[str, Any]) -> Any:
        if self._options.get("on") is not None:
            raise UnsupportedError(
                f"rolling {function} of several columns needs the times as the index; "
                "call set_index first"
            )
        call = WindowCall(
            tuple(self._options.items()), function, tuple(arguments.items()), self._selected
        )
        plan = labelled(in_order(self._narrowed().plan))
        return self._built(plan, call, pairwise=True)


def rolling(
    source: FrameLike,
    window: Any,
    min_periods: int | None,
    center: bool,
    win_type: str | None,
    on: Any,
    closed: str | None,
    step: int | None,
    method: str,
) -> Rolling:
    """Return the windows that move along the rows of `source`; see `DataFrame.rolling`."""
    import pandas as pd

    if step not in (None, 1):
        raise UnsupportedError("rolling with a step is not supported; select rows afterwards")
    if method != "single":
        raise UnsupportedError(f"rolling with method={method!r} is not supported; use 'single'")
    if win_type is not None:
        raise UnsupportedError(
            "rolling with win_type is not supported; pass the weighted sum to "
            "rolling(window).apply(function, raw=True)"
        )
    options: dict[str, Any] = {"window": _window(window)}
    if isinstance(options["window"], pd.api.indexers.BaseIndexer):
        options = {FORWARD: options["window"].window_size}
    given = {"min_periods": min_periods, "center": center, "on": on, "closed": closed}
    unset = {"min_periods": None, "center": False, "on": None, "closed": None}
    options.update({name: value for name, value in given.items() if value != unset[name]})
    if on is not None and not isinstance(on, str | int | tuple):
        raise UnsupportedError("rolling: `on` is the label of a column")
    schema = source._schema
    if isinstance(options.get("window"), pd.Timedelta) and not _has_times(schema, on):
        raise ValueError(
            "rolling: a window of time needs an index of times, or on= a column of them; "
            "otherwise give a number of rows"
        )
    WindowCall(tuple(options.items()), "count")(
        schema.meta.iloc[:, 0] if is_kind(source, "Series") else schema.meta
    )
    return Rolling(source, options)


def _has_times(schema: FrameSchema, on: Any) -> bool:
    import pyarrow as pa

    if on is None:
        fields = schema.index_fields
    else:
        fields = (schema.field(schema.column(on)),)
    types = pa.types
    return len(fields) == 1 and (
        types.is_timestamp(fields[0].type) or types.is_duration(fields[0].type)
    )


def _window(window: Any) -> Any:
    """Return a number of rows, or a span of time that can be hashed."""
    import operator

    import pandas as pd

    indexers = pd.api.indexers
    if isinstance(window, indexers.FixedForwardWindowIndexer):
        return window
    if isinstance(window, indexers.BaseIndexer):
        raise UnsupportedError(
            "rolling with a window indexer of one's own is not supported; give a number of rows, "
            "a span of time or pandas.api.indexers.FixedForwardWindowIndexer"
        )
    try:
        return operator.index(window)
    except TypeError:
        pass
    try:
        offset = pd.tseries.frequencies.to_offset(window) if isinstance(window, str) else window
        return pd.Timedelta(offset)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"rolling: window {window!r} is neither a number of rows nor a span of time such as "
            "'2h'"
        ) from error

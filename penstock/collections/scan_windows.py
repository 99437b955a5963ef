"""Expanding and exponentially weighted windows of frames and series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import is_kind
from penstock.collections.mapping import collection_of
from penstock.engine.kernels.ewm import EXPONENTIAL, Decay
from penstock.engine.kernels.expanding import EXPANDING
from penstock.engine.nodes.scan_windows import Expanding as ExpandingNode
from penstock.engine.nodes.scan_windows import Exponential as ExponentialNode
from penstock.engine.nodes.scan_windows import Specs, WindowSpec
from penstock.engine.nodes.sort import in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import SchemaError, UnsupportedError

Chosen = list[tuple[str, Any]]


class _ScanWindows(ABC):
    """Windows that begin at the first row: the functions that a small state is enough for."""

    _kind: ClassVar[str]
    _known: ClassVar[frozenset[str]]
    _remedy: ClassVar[str]

    def __init__(
        self, source: FrameLike, min_periods: int, selected: Any = None, single: bool = False
    ) -> None:
        self._source = source
        self._min_periods = min_periods
        self._selected = selected
        self._single = single

    @abstractmethod
    def _selecting(self, selected: Any, single: bool) -> Any:
        """Return these windows of some columns."""

    @abstractmethod
    def _node(self, plan: FrameNode, specs: Specs, labels: tuple, names: tuple) -> FrameNode:
        """Return the node that computes `specs`."""

    def __getitem__(self, key: Any) -> Any:
        if is_kind(self._source, "Series"):
            raise KeyError(f"{self._kind} windows of a Series have no column {key!r}")
        single = not isinstance(key, list)
        labels = [key] if single else key
        for label in labels:
            self._source._schema.column(label)
        return self._selecting(labels, single)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if is_kind(self._source, "DataFrame") and name in self._source._schema.labels:
                return self[name]
            raise UnsupportedError(
                f"{self._kind} {name} is not supported: it needs all rows before each one. "
                f"{self._remedy}"
            )
        raise AttributeError(f"{self._kind} windows have no method and no column {name!r}")

    def mean(self, numeric_only: bool = False) -> Any:
        """Return the mean of each window."""
        return self._each("mean", numeric_only)

    def sum(self, numeric_only: bool = False) -> Any:
        """Return the sum of each window."""
        return self._each("sum", numeric_only)

    def agg(self, func: Any = None, **options: Any) -> Any:
        """Aggregate by a name, a list of names, or a dict of column to these.

        Parameters
        ----------
        func : str, list of str, or dict
        **options
            Of a single function.

        Returns
        -------
        DataFrame or Series
        """
        if isinstance(func, str):
            return getattr(self, func)(**options)
        chosen = self._chosen()
        if isinstance(func, dict):
            by_label = {label: (name, label) for name, label in chosen}
            missing = [label for label in func if label not in by_label]
            if missing:
                raise SchemaError(f"{self._kind} agg: there are no columns {missing}")
            wanted = [(by_label[label], functions) for label, functions in func.items()]
        elif isinstance(func, list):
            wanted = [(each, func) for each in chosen]
        else:
            raise self._unsupported(func)
        nested = isinstance(func, list) or any(isinstance(each, list) for _, each in wanted)
        specs: list[WindowSpec] = []
        labels: list[Any] = []
        one = self._is_single()
        for (column, label), functions in wanted:
            for function in functions if isinstance(functions, list) else [functions]:
                if not isinstance(function, str) or function not in self._known:
                    raise self._unsupported(function)
                made = (function if one else (label, function)) if nested else label
                labels.append(made)
                output = unique_names([*(spec.output for spec in specs), made])[-1]
                specs.append(WindowSpec(column, function, output))
        names: tuple[Any, ...] = (None,) if one else self._source._schema.label_names
        if nested and not one:
            if len(names) > 1:
                raise UnsupportedError(
                    f"{self._kind} agg of columns with labels of several levels is not "
                    "supported; call the functions one by one"
                )
            names = (names[0], None)
        return self._built(specs, labels, names, is_series=False)

    aggregate = agg

    # -- machinery ------------------------------------------------------------

    def _unsupported(self, function: Any) -> UnsupportedError:
        shown = getattr(function, "__name__", function)
        return UnsupportedError(
            f"{self._kind} agg takes the names of functions, not {shown!r}; there are: "
            f"{', '.join(sorted(self._known))}. {self._remedy}"
        )

    def _is_single(self) -> bool:
        return self._single or is_kind(self._source, "Series")

    def _chosen(self) -> Chosen:
        schema = self._source._schema
        pairs = list(zip(schema.columns, schema.labels, strict=True))
        if self._selected is None:
            return pairs
        return [(schema.column(label), label) for label in self._selected]

    def _each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        chosen = self._chosen()
        if numeric_only:  # for windows, booleans are none in pandas
            chosen = [pair for pair in chosen if self._is_number(pair[0], booleans=False)]
        settings = tuple(options.items())
        specs = [WindowSpec(name, function, name, settings) for name, _ in chosen]
        names = self._source._schema.label_names
        labels = [label for _, label in chosen]
        return self._built(specs, labels, names, is_series=self._is_single())

    def _is_number(self, name: str, booleans: bool = True) -> bool:
        import pyarrow as pa

        kind = self._source._schema.field(name).type
        types = pa.types
        number = types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind)
        return number or (booleans and types.is_boolean(kind))

    def _built(
        self, specs: list[WindowSpec], labels: list[Any], names: tuple, *, is_series: bool
    ) -> Any:
        for spec, label in zip(specs, labels, strict=True):
            if spec.function != "count" and not self._is_number(spec.column):
                kind = self._source._schema.field(spec.column).type
                raise SchemaError(
                    f"{self._kind} {spec.function} of column {label!r}, which is of type {kind}, "
                    "is not defined; select numeric columns, or pass numeric_only=True"
                )
        plan = in_order(self._source.plan)
        node = self._node(plan, tuple(specs), tuple(labels), names)
        return collection_of(noted(node), is_series)


class Expanding(_ScanWindows):
    """Windows of all rows up to each; made by `DataFrame.expanding` and `Series.expanding`.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([5.0, 7.0, 9.0]), npartitions=2)
    >>> fares.expanding().mean().compute().to_list()
    [5.0, 6.0, 7.0]
    """

    _kind = "expanding"
    _known = EXPANDING
    _remedy = "Use a rolling window of a fixed size, or compute() the column and call pandas."

    def _selecting(self, selected: Any, single: bool) -> Expanding:
        return Expanding(self._source, self._min_periods, selected, single)

    def _node(self, plan: FrameNode, specs: Specs, labels: tuple, names: tuple) -> FrameNode:
        return ExpandingNode(plan, specs, labels, names, self._min_periods)

    def count(self, numeric_only: bool = False) -> Any:
        """Return how many values are not missing."""
        return self._each("count", numeric_only)

    def min(self, numeric_only: bool = False) -> Any:
        """Return the smallest value so far."""
        return self._each("min", numeric_only)

    def max(self, numeric_only: bool = False) -> Any:
        """Return the largest value so far."""
        return self._each("max", numeric_only)

    def first(self, numeric_only: bool = False) -> Any:
        """Return the first value that is not missing."""
        return self._each("first", numeric_only)

    def last(self, numeric_only: bool = False) -> Any:
        """Return the last value that is not missing."""
        return self._each("last", numeric_only)

    def var(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the variance so far."""
        return self._each("var", numeric_only, ddof=ddof)

    def std(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard deviation so far."""
        return self._each("std", numeric_only, ddof=ddof)

    def sem(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Return the standard error of the mean so far."""
        return self._each("sem", numeric_only, ddof=ddof)

    def skew(self, numeric_only: bool = False) -> Any:
        """Return the unbiased skewness so far."""
        return self._each("skew", numeric_only)

    def kurt(self, numeric_only: bool = False) -> Any:
        """Return the unbiased excess kurtosis so far."""
        return self._each("kurt", numeric_only)


class ExponentialMoving(_ScanWindows):
    """Windows whose weights decay with the rows; made by `DataFrame.ewm` and `Series.ewm`.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([4.0, 8.0, 2.0]), npartitions=2)
    >>> fares.ewm(alpha=0.5, adjust=False).mean().compute().to_list()
    [4.0, 6.0, 4.0]
    """

    _kind = "ewm"
    _known = EXPONENTIAL
    _remedy = "Use rolling windows, or compute() the columns and call pandas."

    def __init__(
        self, source: FrameLike, min_periods: int, decay: Decay, selected: Any = None,
        single: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(source, min_periods, selected, single)
        self._decay = decay

    def _selecting(self, selected: Any, single: bool) -> ExponentialMoving:
        return ExponentialMoving(self._source, self._min_periods, self._decay, selected, single)

    def _node(self, plan: FrameNode, specs: Specs, labels: tuple, names: tuple) -> FrameNode:
        if not self._decay.adjust and any(spec.function == "sum" for spec in specs):
            raise UnsupportedError("ewm sum is defined with adjust=True only, as in pandas")
        return ExponentialNode(plan, specs, labels, names, self._min_periods, self._decay)

    def var(self, bias: bool = False, numeric_only: bool = False) -> Any:
        """Return the weighted variance of each window."""
        return self._each("var", numeric_only, bias=bias)

    def std(self, bias: bool = False, numeric_only: bool = False) -> Any:
        """Return the weighted standard deviation of each window."""
        return self._each("std", numeric_only, bias=bias)


def expanding(source: FrameLike, min_periods: int, method: str) -> Expanding:
    """Return the windows of all rows up to each one; see `DataFrame.expanding`."""
    if method != "single":
        raise UnsupportedError(f"expanding with method={method!r} is not supported; use 'single'")
    if not isinstance(min_periods, int) or min_periods < 0:
        raise ValueError(f"min_periods must be an integer of at least 0, not {min_periods!r}")
    return Expanding(source, min_periods)


def exponential(
    source: FrameLike,
    com: float | None,
    span: float | None,
    halflife: Any,
    alpha: float | None,
    min_periods: int | None,
    adjust: bool,
    ignore_na: bool,
    times: Any,
    method: str,
) -> ExponentialMoving:
    """Return exponentially weighted windows; see `DataFrame.ewm`."""
    if times is not None or not isinstance(halflife, int | float | None):
        raise UnsupportedError(
            "ewm with times, or a halflife of time, is not supported; resample to even steps and "
            "give halflife as a number of them"
        )
    if method != "single":
        raise UnsupportedError(f"ewm with method={method!r} is not supported; use 'single'")
    weight = _alpha(com, span, halflife, alpha)
    fewest = 0 if min_periods is None else int(min_periods)
    return ExponentialMoving(source, fewest, Decay(weight, bool(adjust), bool(ignore_na)))


def _alpha(
    com: float | None, span: float | None, halflife: float | None, alpha: float | None
) -> float:
    """Return the weight of a new value, from the one parameter that is given."""
    if sum(value is not None for value in (com, span, halflife, alpha)) != 1:
        raise ValueError("ewm needs exactly one of com, span, halflife and alpha")
    if com is not None:
        if com < 0:
            raise ValueError(f"com must be at least 0, not {com}")
        return 1.0 / (1.0 + com)
    if span is not None:
        if span < 1:
            raise ValueError(f"span must be at least 1, not {span}")
        return 2.0 / (span + 1.0)
    if halflife is not None:
        if halflife <= 0:
            raise ValueError(f"halflife must be above 0, not {halflife}")
        return 1.0 - 0.5 ** (1.0 / halflife)
    assert alpha is not None
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be above 0 and at most 1, not {alpha}")
    return float(alpha)

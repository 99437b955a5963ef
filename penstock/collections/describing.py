"""describe: a summary of each column, as pandas gives it for its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.collections.base import Collection, compute
from penstock.collections.kinds import is_kind
from penstock.engine.nodes.concat import SideBySide
from penstock.engine.nodes.sources import Persisted
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_QUARTILES = (0.25, 0.5, 0.75)


def describe(
    data: Any, percentiles: Any = None, include: Any = None, exclude: Any = None
) -> Describe:
    """Return the summary of a frame's columns or of a series; see `DataFrame.describe`."""
    quantiles = sorted(set(_QUARTILES if percentiles is None else percentiles))
    series = is_kind(data, "Series")
    frame = data.to_frame() if series else _chosen(data, include, exclude)
    labels = list(frame.columns)
    if not labels:
        raise ValueError("Cannot describe a DataFrame without columns")
    if len(set(labels)) < len(labels):
        raise UnsupportedError("describe of columns with the same label: rename them first")
    dtypes = dict(zip(labels, frame.dtypes, strict=True))
    numbers = [label for label in labels if _kind(dtypes[label]) == "number"]
    times = [label for label in labels if _kind(dtypes[label]) == "time"]
    others = [label for label in labels if label not in (*numbers, *times)]
    parts: dict[Any, Any] = {"count": frame.count()}
    for name, chosen, std in (("number", numbers, True), ("time", times, False)):
        if chosen:
            part = frame[chosen]
            parts |= {(name, "mean"): part.mean(), (name, "min"): part.min()}
            parts |= {(name, "max"): part.max(), (name, "quantiles"): part.quantile(quantiles)}
            if std:
                parts[name, "std"] = part.std()
    for label in others:
        parts["unique", label] = frame[label].nunique()
        parts["top", label] = frame[label].value_counts().head(1, compute=False)
    return Describe(parts, dtypes, quantiles, series, getattr(data, "name", None))


def _kind(dtype: Any) -> str:
    from pandas.api import types

    if types.is_datetime64_any_dtype(dtype):
        return "time"
    number = types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype)
    return "number" if number or types.is_timedelta64_dtype(dtype) else "other"


def _chosen(frame: Any, include: Any, exclude: Any) -> Any:
    if include is None and exclude is None:
        usual = frame.select_dtypes(include=["number", "datetime", "datetimetz"])
        return usual if len(usual.columns) else frame
    if isinstance(include, str) and include == "all":
        if exclude is not None:
            raise ValueError("exclude must be None when include is 'all'")
        return frame
    return frame.select_dtypes(include, exclude)


class Describe(Collection):
    """The lazy result of ``describe``: computes to what pandas gives."""

    def __init__(
        self,
        parts: dict[Any, Any],
        dtypes: dict[Any, Any],
        quantiles: Sequence[float],
        series: bool,
        name: Any,
    ) -> None:
        self._parts = parts
        self._dtypes = dtypes
        self._quantiles = tuple(quantiles)
        self._series = series
        self._name = name

    @property
    def plan(self) -> FrameNode:
        """The plan node whose blocks hold the counts, means, deviations and extremes."""
        plans = tuple(
            part.plan
            for key, part in self._parts.items()
            if key == "count" or key[1] in ("mean", "std", "min", "max")
        )
        names = unique_names([f"{i}" for i in range(sum(len(p.schema.columns) for p in plans))])
        columns, start = [], 0
        for plan in plans:
            taken = names[start : start + len(plan.schema.columns)]
            columns.append(
                tuple(
                    (source, name, name)
                    for source, name in zip(plan.schema.columns, taken, strict=True)
                )
            )
            start += len(taken)
        return SideBySide(plans, tuple(columns))

    def compute(self, **options: Any) -> Any:
        """Run the plan and return what pandas' ``describe`` gives.

        Parameters
        ----------
        **options
            As for `Collection.compute`.

        Returns
        -------
        pandas.DataFrame or pandas.Series
        """
        import pandas as pd

        results = compute(*self._parts.values(), **options)
        parts = dict(zip(self._parts, results, strict=True))
        columns = [self._column(label, dtype, parts) for label, dtype in self._dtypes.items()]
        if self._series:
            return columns[0].rename(self._name)
        names: list[str] = []
        for index in sorted((column.index for column in columns), key=len):
            names += [name for name in index if name not in names]
        table = pd.concat([column.reindex(names) for column in columns], axis=1)
        table.columns = pd.Index(list(self._dtypes))
        return table

    def _column(self, label: Any, dtype: Any, parts: dict[Any, Any]) -> pd.Series:
        import pandas as pd

        kind = _kind(dtype)
        count = parts["count"][label]
        if kind == "other":
            top, frequency = _most_frequent(parts["top", label])
            values = [count, parts["unique", label], top, frequency]
            return pd.Series(values, ["count", "unique", "top", "freq"], dtype=object, name=label)
        rows = {"count": count, "mean": parts[kind, "mean"][label]}
        if kind == "number":
            rows["std"] = parts[kind, "std"][label]
        rows["min"] = parts[kind, "min"][label]
        for q in self._quantiles:
            rows[_percent(q)] = parts[kind, "quantiles"][label].loc[q]
        rows["max"] = parts[kind, "max"][label]
        if kind == "time" or dtype.kind == "m":
            return pd.Series(rows, dtype=object, name=label)
        nullable = isinstance(dtype, pd.api.extensions.ExtensionDtype)
        return pd.Series(rows, dtype="Float64" if nullable else "float64", name=label)

    def _finalize(self, blocks: list[pa.Table]) -> pd.DataFrame:
        raise TypeError("describe is computed from several results")

    def _from_handles(self, handles: list[Any]) -> Any:
        return Persisted(tuple(handles), self.plan.schema)


def _most_frequent(counts: pd.Series) -> tuple[Any, Any]:
    if not len(counts) or not counts.iloc[0]:
        return float("nan"), float("nan")
    return counts.index[0], counts.iloc[0]


def _percent(q: float) -> str:
    return f"{100 * q:.10g}%"

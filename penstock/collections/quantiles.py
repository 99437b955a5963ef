"""Quantiles, exact or estimated, and describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.base import Collection, noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.kinds import is_kind, new_frame, new_series
from penstock.engine.expr import Call, Column
from penstock.engine.nodes.concat import SideBySide
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.quantile import Quantile
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sketches import EstimatedQuantile
from penstock.engine.nodes.sources import Persisted
from penstock.engine.plan import FrameNode
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_METHODS = ("default", "exact", "tdigest")


def quantile(
    frame: FrameLike,
    q: Any,
    numeric_only: bool,
    interpolation: str,
    name: Any = None,
    method: str = "default",
) -> Any:
    """Return quantiles of each column; see `DataFrame.quantile`."""
    from penstock.collections.scalar import Row, Scalar

    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    if method == "tdigest" and interpolation != "linear":
        raise UnsupportedError("method='tdigest' interpolates linearly; use method='default'")

    many = isinstance(q, list | tuple) or type(q).__name__ in ("ndarray", "Index", "Series")
    wanted = tuple(float(one) for one in q) if many else (float(q),)
    for one in wanted:
        if not 0 <= one <= 1:
            raise ValueError(f"quantile {one} is not between 0 and 1")
    chosen = frame._reducible(numeric_only)  # type: ignore[attr-defined]
    estimated = method == "tdigest"
    nodes = tuple(
        _of_column(frame._rows, item, wanted, interpolation, estimated) for item in chosen
    )
    if not nodes:
        raise SchemaError("quantile: there are no numeric columns")
    columns = tuple(((name, name, label),) for name, label, _ in chosen)
    rows: FrameNode = SideBySide(nodes, columns) if len(nodes) > 1 else nodes[0]
    if not many:  # the quantile labels no row
        rows = ResetIndex(rows, (), (), drop=True)
    items = tuple((name, label, Column(name)) for name, label, _ in chosen)
    if is_kind(frame, "Series"):
        _, label, expr = items[0]
        return new_series(noted(rows), expr, label) if many else Scalar(noted(rows), expr)
    if many:
        return new_frame(select_plan(noted(rows), items))
    return Row(noted(rows), items, name)


def _of_column(
    rows: FrameNode,
    item: tuple[str, Any, Any],
    wanted: tuple[float, ...],
    interpolation: str,
    estimated: bool,
) -> FrameNode:
    from penstock.collections.distinct import _without_index

    name, label, expr = item
    column = _without_index(select_plan(rows, ((name, label, expr),)))
    if estimated:
        if not _is_numeric(column.schema.field(name).type):
            raise UnsupportedError(
                f"method='tdigest' estimates numbers, but {label!r} is "
                f"{column.schema.field(name).type}; use method='default'"
            )
        return EstimatedQuantile(column, name, wanted)
    present = Filter(column, Call("notna", (Column(name),)))
    return Quantile(present, name, wanted, interpolation)


def _is_numeric(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)


def describe(frame: FrameLike, percentiles: Any) -> Describe:
    """Return the summary of the numeric columns; see `DataFrame.describe`."""
    quantiles = sorted({0.25, 0.5, 0.75} if percentiles is None else set(percentiles))
    target: Any = (
        frame
        if is_kind(frame, "Series")
        else frame[  # type: ignore[index]
            [
                label
                for _, label, _ in frame._reducible(True)  # type: ignore[attr-defined]
                if not _is_bool(frame, label)
            ]
        ]
    )
    as_frame = target.to_frame() if is_kind(frame, "Series") else target
    parts = {
        "count": as_frame.count(),
        "mean": as_frame.mean(),
        "std": as_frame.std(),
        "min": as_frame.min(),
        "quantiles": as_frame.quantile(list(quantiles)),
        "max": as_frame.max(),
    }
    return Describe(parts, tuple(quantiles), is_kind(frame, "Series"), getattr(frame, "name", None))


def _is_bool(frame: Any, label: Any) -> bool:
    return str(frame[label].dtype) == "bool"


class Describe(Collection):
    """The lazy result of ``describe``: computes to what pandas gives."""

    def __init__(
        self, parts: dict[str, Any], quantiles: tuple[float, ...], series: bool, name: Any
    ) -> None:
        self._parts = parts
        self._quantiles = quantiles
        self._series = series
        self._name = name

    @property
    def plan(self) -> FrameNode:
        """The plan node whose blocks hold this."""
        from penstock.engine.schema import unique_names

        plans = tuple(part.plan for key, part in self._parts.items() if key != "quantiles")
        names = unique_names([f"{i}" for i in range(sum(len(p.schema.columns) for p in plans))])
        columns, start = [], 0
        for plan in plans:
            width = len(plan.schema.columns)
            columns.append(
                tuple(
                    (source, name, name)
                    for source, name in zip(
                        plan.schema.columns, names[start : start + width], strict=True
                    )
                )
            )
            start += width
        return SideBySide(plans, tuple(columns))

    def compute(self, **options: Any) -> Any:
        """Run the plan and return what pandas' ``describe`` gives."""
        import pandas as pd

        from penstock.collections.base import compute

        parts = dict(zip(self._parts, compute(*self._parts.values(), **options), strict=True))
        rows = {key: parts[key] for key in ("count", "mean", "std", "min")}
        for q in self._quantiles:
            rows[_percent(q)] = parts["quantiles"].loc[q]
        rows["max"] = parts["max"]
        table = pd.DataFrame(rows).T.astype("float64")
        if not self._series:
            return table
        series = table.iloc[:, 0]
        series.name = self._name
        return series

    def _finalize(self, blocks: list[pa.Table]) -> pd.DataFrame:
        raise TypeError("describe is computed from several results")

    def _from_handles(self, handles: list[Any]) -> Any:
        return Persisted(tuple(handles), self.plan.schema)


def _percent(q: float) -> str:
    text = f"{100 * q:.10g}"
    return f"{text}%"

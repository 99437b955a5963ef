"""Quantiles, exact or estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.kinds import is_kind, new_frame, new_series
from penstock.engine.expr import Call, Column
from penstock.engine.nodes.concat import SideBySide
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.quantile import Quantile
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sketches import EstimatedQuantile
from penstock.engine.plan import FrameNode
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

_METHODS = ("default", "exact", "tdigest")


def quantile(
    frame: FrameLike,
    q: Any,
    numeric_only: bool,
    interpolation: str,
    name: Any = None,
    method: str = "default",
    *,
    skipna: bool = True,
) -> Any:
    """Return quantiles of each column; see `DataFrame.quantile`."""
    from penstock.collections.scalar import Row, Scalar

    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    if method == "tdigest" and interpolation != "linear":
        raise UnsupportedError("method='tdigest' interpolates linearly; use method='default'")
    if method == "tdigest" and not skipna:
        raise UnsupportedError("method='tdigest' skips missing values; use method='default'")

    many = isinstance(q, list | tuple) or type(q).__name__ in ("ndarray", "Index", "Series")
    wanted = tuple(float(one) for one in q) if many else (float(q),)
    for one in wanted:
        if not 0 <= one <= 1:
            raise ValueError(f"quantile {one} is not between 0 and 1")
    chosen = frame._reducible(numeric_only)  # type: ignore[attr-defined]
    estimated = method == "tdigest"
    nodes = tuple(
        _of_column(frame._rows, item, wanted, interpolation, estimated, skipna) for item in chosen
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
    skipna: bool,
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
    if not skipna:
        return Quantile(column, name, wanted, interpolation, skipna=False)
    present = Filter(column, Call("notna", (Column(name),)))
    return Quantile(present, name, wanted, interpolation)


def _is_numeric(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)

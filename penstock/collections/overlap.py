"""Functions of the user's on partitions with rows of their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import is_kind
from penstock.collections.mapping import collection_of, result_schema, sampled_meta
from penstock.collections.rows import labelled
from penstock.engine.kernels.rolling import TimeEdge
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.overlap import MapOverlap
from penstock.engine.nodes.sort import in_order
from penstock.engine.plan import FrameNode
from penstock.errors import SchemaError, UnsupportedError


def map_overlap(
    source: FrameLike,
    func: Callable[..., Any],
    before: Any,
    after: Any,
    args: tuple,
    meta: Any,
    kwargs: dict[str, Any],
) -> Any:
    """Return `func` of each partition with neighbouring rows; see `DataFrame.map_overlap`."""
    if any(isinstance(each, FrameLike) for each in (*args, *kwargs.values())):
        raise UnsupportedError(
            "map_overlap takes one collection; assign the others as columns of it first"
        )
    as_series = is_kind(source, "Series")
    plan = labelled(in_order(source.plan))
    sampled = meta is None
    if sampled:
        meta = sampled_meta(func, args, kwargs, [source], (as_series,))
    schema, is_series = result_schema(meta, plan, source, sampled=sampled)
    node = MapOverlap(
        plan, Opaque(func), Opaque((args, kwargs)), _edge(plan, before, "before"),
        _edge(plan, after, "after", ahead=True), schema, as_series,
    )  # fmt: skip
    return collection_of(noted(node), is_series)


def _edge(plan: FrameNode, wanted: Any, side: str, *, ahead: bool = False) -> int | TimeEdge:
    """Return a number of rows, or what picks rows by their times."""
    import operator

    import pandas as pd
    import pyarrow as pa

    if wanted is None:
        return 0
    try:
        rows = operator.index(wanted)
    except TypeError:
        span = pd.Timedelta(wanted)
    else:
        if rows < 0:
            raise ValueError(f"map_overlap: {side} must be at least 0, not {rows}")
        return rows
    fields = plan.schema.index_fields
    if len(fields) != 1 or not pa.types.is_timestamp(fields[0].type):
        raise SchemaError(
            f"map_overlap with {side}={wanted!r} needs an index of times; give a number of rows"
        )
    reach = int(span.as_unit("ns").value)
    return TimeEdge(fields[0].name, reach, "the index", ahead, "map_overlap")

"""Aggregations of the user's in three steps: of chunks, of what chunks gave, and the last one.

The functions see pandas' grouped series; groups are numbered, so that keys of any kind do. What
a chunk gives for its groups travels as columns, one or several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from penstock.engine.kernels.aggregate.spec import AggSpec
from penstock.engine.kernels.convert import array_from_series, example_of, series_from_arrow
from penstock.errors import SchemaError

CUSTOM = "custom"
_PART = "\x1ecustom"


class ThreeSteps(Protocol):
    """What the functions of an aggregation are called."""

    __name__: str
    chunk: Callable[[Any], Any]
    agg: Callable[..., Any]
    finalize: Callable[..., Any] | None


def steps_of(spec: AggSpec) -> ThreeSteps:
    """Return the functions of the aggregation `spec`."""
    return spec.option("aggregation").value


def part_name(spec: AggSpec, part: int) -> str:
    """Return the name of the column with part `part` of what chunks give for `spec`."""
    return f"{_PART}{part}:{spec.output}"


def is_part(name: str) -> bool:
    """Return whether the column `name` was made by a chunk."""
    return name.startswith(_PART)


def chunk_columns(
    array: pa.Array, codes: np.ndarray, ngroups: int, spec: AggSpec
) -> dict[str, pa.Array]:
    """Return what the first function gives for the groups of a chunk, a column for each part."""
    steps = steps_of(spec)
    made = steps.chunk(_grouped(array, codes, spec))
    parts = made if isinstance(made, tuple) else (made,)
    return {
        part_name(spec, place): _one_each(part, ngroups, steps, "chunk")
        for place, part in enumerate(parts)
    }


def final_column(
    parts: Sequence[pa.Array], codes: np.ndarray, ngroups: int, spec: AggSpec
) -> pa.Array:
    """Return the aggregate of each group from what the chunks gave."""
    steps = steps_of(spec)
    made = steps.agg(*(_grouped(part, codes, spec) for part in parts))
    if steps.finalize is not None:
        made = steps.finalize(*(made if isinstance(made, tuple) else (made,)))
    if isinstance(made, tuple):
        raise SchemaError(
            f"aggregation {steps.__name__!r}: agg gave {len(made)} series; "
            "give finalize, which makes one of them"
        )
    return _one_each(made, ngroups, steps, "agg" if steps.finalize is None else "finalize")


def whole_column(array: pa.Array, codes: np.ndarray, ngroups: int, spec: AggSpec) -> pa.Array:
    """Return the aggregate of each group, all of whose rows are there: one chunk."""
    parts = chunk_columns(array, codes, ngroups, spec)
    return final_column(list(parts.values()), np.arange(ngroups), ngroups, spec)


def custom_type(spec: AggSpec, kind: pa.DataType) -> pa.DataType:
    """Return what the functions make of a value of `kind`; a double where they do not say."""
    try:
        made = whole_column(example_of(kind), np.zeros(1, np.intp), 1, spec)
    except Exception:  # noqa: BLE001  the user's functions need not like the example
        return pa.float64()
    return pa.float64() if pa.types.is_null(made.type) else made.type


def applied_type(spec: AggSpec, schema: pa.Schema) -> pa.DataType:
    """Return the type of what a function of the user's gives, as far as one made-up value shows.

    Numbers are doubles: which ones they are is known once it has run on all groups.
    """
    import pandas as pd

    field = schema.field(spec.column)
    try:
        series = series_from_arrow(example_of(field.type), field)
        kind = array_from_series(pd.Series([spec.option("func")(series)])).type
    except Exception:  # noqa: BLE001  the user's function need not like the example
        return pa.float64()
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
    return pa.float64() if plain else kind


def _grouped(array: pa.Array, codes: np.ndarray, spec: AggSpec) -> Any:
    import pandas as pd

    series = series_from_arrow(array)
    series.name = spec.column
    series.index = pd.Index(codes)
    return series.groupby(level=0, sort=True)


def _one_each(made: Any, ngroups: int, steps: ThreeSteps, step: str) -> pa.Array:
    import pandas as pd

    if not isinstance(made, pd.Series):
        raise SchemaError(
            f"aggregation {steps.__name__!r}: {step} gave a {type(made).__name__}; "
            "it must give a Series"
        )
    if len(made) != ngroups or not made.index.is_unique:
        raise SchemaError(
            f"aggregation {steps.__name__!r}: {step} gave {len(made)} values for {ngroups} "
            "groups; it must give one for each (a list where there are several)"
        )
    ordered = made.reindex(range(ngroups)) if made.index.nlevels == 1 else made
    return array_from_series(ordered)

"""Reductions of whole columns (``df.sum()``, ``df.describe()``), on the partials of groupby.

A frame's reduction is ``partial`` of every block without keys, ``combine``, ``finalize``: one
row, a column per reduced column. `reduction_specs` says for which columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from penstock.engine.kernels.aggregate import AggSpec, combine, finalize, grouped, partial
from penstock.engine.kernels.aggregate.functions import AGGREGATIONS, is_number
from penstock.engine.kernels.aggregate.holistic import holistic_field
from penstock.errors import SchemaError


def reduction_specs(
    schema: pa.Schema,
    function: str,
    *,
    numeric_only: bool = False,
    columns: Sequence[str] | None = None,
    **options: Any,
) -> list[AggSpec]:
    """Return a spec for every column of `schema` that the reduction `function` is of.

    Parameters
    ----------
    schema
        Schema of the frame.
    function
        Name of an aggregation.
    numeric_only
        Only integers, floats, booleans (and decimals).
    columns
        Columns to reduce; all by default.
    **options
        Options of the function: ``skipna``, ``min_count``, ``ddof``, ``q``, ...

    Returns
    -------
    list of AggSpec
        Each with its column's name as output.

    Raises
    ------
    SchemaError
        The function is not defined for a column.

    Examples
    --------
    >>> import pyarrow as pa
    >>> schema = pa.schema({"x": pa.int64(), "s": pa.string()})
    >>> [spec.column for spec in reduction_specs(schema, "mean", numeric_only=True)]
    ['x']
    """
    names = schema.names if columns is None else list(columns)
    chosen = tuple(sorted(options.items()))
    specs = []
    for name in names:
        if numeric_only and not is_number(schema.field(name).type):
            continue
        spec = AggSpec(name, function, name, chosen)
        holistic_field(spec, schema)  # raises where the function is not defined
        specs.append(spec)
    return specs


def reduce_table(table: pa.Table, specs: Sequence[AggSpec]) -> pa.Table:
    """Reduce a table that is all there is to one row.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"x": [1, 2, 4]})
    >>> reduce_table(table, reduction_specs(table.schema, "sum")).to_pydict()
    {'x': [7]}
    """
    if all(spec.function in AGGREGATIONS for spec in specs):
        return finalize(combine(partial(table, [], specs), [], specs), [], specs)
    return grouped(table, [], specs)


def describe_specs(
    field: pa.Field, percentiles: Sequence[float] = (0.25, 0.5, 0.75)
) -> list[AggSpec]:
    """Return the reductions that `describe` shows of a column, in pandas' order.

    Numbers and durations: count, mean, std, min, quantiles, max; timestamps the same without
    std. Others: count and nunique; ``top`` and ``freq`` come from `value_counts`.

    Parameters
    ----------
    field
        The column.
    percentiles
        Quantiles to show, between 0 and 1.

    Returns
    -------
    list of AggSpec
        Outputs are the labels of `describe`'s rows.
    """
    kind, name = field.type, field.name
    for q in percentiles:
        if not 0 <= q <= 1:
            raise SchemaError(f"describe of column {name!r}: percentile {q} is not in [0, 1]")
    quantiles = [
        AggSpec(name, "quantile", percentile_label(q), (("q", q),)) for q in sorted(percentiles)
    ]
    number = (is_number(kind) and not pa.types.is_boolean(kind)) or pa.types.is_duration(kind)
    if number:
        head = [AggSpec(name, label, label) for label in ("count", "mean", "std", "min")]
        return [*head, *quantiles, AggSpec(name, "max", "max")]
    if pa.types.is_timestamp(kind):
        head = [AggSpec(name, label, label) for label in ("count", "mean", "min")]
        return [*head, *quantiles, AggSpec(name, "max", "max")]
    return [AggSpec(name, "count", "count"), AggSpec(name, "nunique", "unique")]


def percentile_label(q: float) -> str:
    """Return the row label of a quantile: ``25%``, ``99.9%``."""
    percent = round(q * 100, 10)
    return f"{percent:.0f}%" if percent == int(percent) else f"{percent:g}%"

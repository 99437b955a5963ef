"""The aggregations: which partials each needs, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.aggregate.kinds import WORD
from penstock.engine.kernels.aggregate.spec import AggSpec, label_kind
from penstock.engine.kernels.aggregate.values import as_floats, from_floats
from penstock.engine.kernels.convert import is_text
from penstock.errors import SchemaError, UnsupportedError
from penstock.records import record

Parts = Mapping[str, pa.Array]


@record
class Aggregation:
    """One aggregation function.

    Parameters
    ----------
    name
        pandas' name.
    kinds
        Partials needed for a column's field and a spec.
    finish
        Output column from the partials of all groups.
    output_type
        Type of the output for a column's field and a spec.
    labelled
        The output is a value of the column in the option ``label``, not of the column itself.
    """

    name: str
    kinds: Callable[[pa.Field | None, AggSpec], tuple[str, ...]]
    finish: Callable[[Parts, pa.Field | None, AggSpec], pa.Array]
    output_type: Callable[[pa.Field | None, AggSpec], pa.DataType]
    labelled: bool = False


def _type(field: pa.Field | None) -> pa.DataType:
    if field is None:
        raise SchemaError("this aggregation needs a column")
    return field.type


def _numeric(field: pa.Field | None, spec: AggSpec, *, times: tuple[str, ...] = ()) -> pa.DataType:
    """Return the type, refusing those for which pandas' function raises."""
    kind = _type(field)
    types = pa.types
    ok = (
        is_number(kind)
        or ("timestamp" in times and types.is_timestamp(kind))
        or ("duration" in times and types.is_duration(kind))
    )
    if not ok:
        raise SchemaError(
            f"{spec.function}() of column {spec.column!r}: not defined for {kind}; "
            "select numeric columns or pass numeric_only=True"
        )
    return kind


def is_number(kind: pa.DataType) -> bool:
    """Return whether pandas' ``numeric_only`` keeps a column of this type (or a missing one)."""
    types = pa.types
    return (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    )


def _is_wide_int(kind: pa.DataType) -> bool:
    return pa.types.is_int64(kind) or pa.types.is_uint64(kind)


def _with_count(kinds: tuple[str, ...], spec: AggSpec) -> tuple[str, ...]:
    extra: tuple[str, ...] = ()
    if not spec.option("skipna", True) or spec.option("min_count", 0) > 0:
        extra = ("count",)
    if not spec.option("skipna", True):
        extra += ("size",)
    return kinds + tuple(kind for kind in extra if kind not in kinds)


def _blank(array: pa.Array, parts: Parts, spec: AggSpec) -> pa.Array:
    """Put null where too few values, or (skipna=False) a missing one, went in."""
    keep = None
    if spec.option("min_count", 0) > 0:
        keep = pc.greater_equal(parts["count"], spec.option("min_count", 0))
    if not spec.option("skipna", True):
        complete = pc.equal(parts["count"], parts["size"])
        keep = complete if keep is None else pc.and_(keep, complete)
    return array if keep is None else pc.if_else(keep, array, pa.scalar(None, array.type))


# -- sum, prod ----------------------------------------------------------------------------------


def _sum_kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
    if is_text(_type(field)):
        return _with_count(("concat",), spec)
    _numeric(field, spec, times=("duration",))
    return _with_count(("sum",), spec)


def _prod_kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
    _numeric(field, spec)
    return _with_count(("prod",), spec)


def _sum_type(field: pa.Field | None, spec: AggSpec) -> pa.DataType:
    kind = _type(field)
    if pa.types.is_boolean(kind) or pa.types.is_signed_integer(kind):
        return pa.int64()
    if pa.types.is_unsigned_integer(kind):
        return pa.uint64()
    if pa.types.is_null(kind):
        return pa.float64()
    return kind


def _sum_finish(kind: str) -> Callable[[Parts, pa.Field | None, AggSpec], pa.Array]:
    def finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
        target = _sum_type(field, spec)
        array = parts["concat" if "concat" in parts and kind == "sum" else kind]
        if pa.types.is_duration(target):
            array = array.view(target)
        elif pa.types.is_floating(target):
            array = from_floats(as_floats(array), target)
        elif array.type != target:
            array = array.cast(target, safe=False)
        return _blank(array, parts, spec)

    return finish


# -- count, size --------------------------------------------------------------------------------


def _int64(field: pa.Field | None, spec: AggSpec) -> pa.DataType:
    return pa.int64()


# -- mean ---------------------------------------------------------------------------------------


def _mean_kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
    kind = _numeric(field, spec, times=("timestamp", "duration"))
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _with_count(("count", "high", "low"), spec)
    # 64-bit integers could overflow their sum, which pandas' mean does not.
    return _with_count(("count", "fsum" if _is_wide_int(kind) else "sum"), spec)


def _mean_type(field: pa.Field | None, spec: AggSpec) -> pa.DataType:
    kind = _type(field)
    types = pa.types
    keeps = types.is_floating(kind) or types.is_timestamp(kind) or types.is_duration(kind)
    return kind if keeps or types.is_decimal(kind) else pa.float64()


def _mean_finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
    target = _mean_type(field, spec)
    count = parts["count"].to_numpy(zero_copy_only=False)
    if "high" in parts:
        high, low = (parts[k].to_numpy(zero_copy_only=False) for k in ("high", "low"))
        n = np.maximum(count, 1)
        whole, rest = np.divmod(high, n)
        units, remainder = np.divmod((rest << WORD) + low, n)
        values = (whole << WORD) + units
        # As pandas' mean, which truncates a double: towards the epoch.
        values += (values < 0) & (remainder != 0)
        array = pa.array(values, mask=count == 0).view(target)
    elif pa.types.is_decimal(target):
        n = pc.if_else(pc.equal(parts["count"], 0), None, parts["count"])
        array = pc.divide(parts["sum"], n.cast(pa.decimal128(19, 0))).cast(target, safe=False)
    else:
        total = parts["fsum"] if "fsum" in parts else parts["sum"]
        with np.errstate(all="ignore"):
            array = from_floats(as_floats(total) / count, pa.float64())
    return _blank(array, parts, spec)


# -- min, max, first, last ----------------------------------------------------------------------


def _same_type(field: pa.Field | None, spec: AggSpec) -> pa.DataType:
    return _type(field)


def _picked(kind: str) -> Aggregation:
    def kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
        column = _type(field)
        if kind in ("min", "max") and pa.types.is_dictionary(column) and not column.ordered:
            raise SchemaError(
                f"{kind}() of column {spec.column!r}: a category without order has none; "
                "use .cat.as_ordered() first"
            )
        if kind in ("first", "last") and not spec.option("skipna", True):
            return (f"{kind}row",)
        return _with_count((kind,), spec)

    def finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
        if f"{kind}row" in parts:
            return parts[f"{kind}row"]
        return _blank(parts[kind], parts, spec)

    return Aggregation(kind, kinds, finish, _same_type)


def _labelled(kind: str) -> Aggregation:
    def kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
        _type(field)
        return _with_count((kind, label_kind(kind, spec.option("label"))), spec)

    def finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
        if _blank(parts[kind], parts, spec).null_count:
            raise ValueError(
                f"{spec.function} of column {spec.column!r}: no value is there, or one is missing "
                "and skipna=False"
            )
        return parts[label_kind(kind, spec.option("label"))]

    return Aggregation(f"idx{kind}", kinds, finish, _same_type, labelled=True)


# -- list ---------------------------------------------------------------------------------------


def _list_type(field: pa.Field | None, spec: AggSpec) -> pa.DataType:
    return pa.list_(_type(field))


def _listed(kind: str) -> Aggregation:
    def finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
        lists = parts[kind]
        values = lists.flatten()
        if not pa.types.is_floating(values.type) or not values.null_count:
            return lists
        # a missing number within a list is NaN, as in the column
        return pa.ListArray.from_arrays(_offsets(lists), values.fill_null(float("nan")))

    return Aggregation(kind, lambda f, s: (kind,), finish, _list_type)


def _offsets(lists: pa.ListArray) -> pa.Array:
    lengths = pc.list_value_length(lists).to_numpy()
    return pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())


# -- any, all -----------------------------------------------------------------------------------


def _truth(kind: str) -> Aggregation:
    def kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
        column = _type(field)
        if pa.types.is_timestamp(column) or pa.types.is_date(column):
            raise SchemaError(f"{kind}() of column {spec.column!r}: not defined for {column}")
        return (kind,) if spec.option("skipna", True) else (kind, "count", "size")

    def finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
        array = parts[kind]
        if kind == "any" and not spec.option("skipna", True):
            # A missing value counts as true (NaN is truthy).
            array = pc.or_(array, pc.less(parts["count"], parts["size"]))
        return array

    return Aggregation(kind, kinds, finish, lambda field, spec: pa.bool_())


# -- var, std, sem, skew, kurt ------------------------------------------------------------------


def _moment_type(field: pa.Field | None, spec: AggSpec) -> pa.DataType:
    kind = _type(field)
    if pa.types.is_timestamp(kind):
        return pa.duration(kind.unit)
    if pa.types.is_duration(kind) or pa.types.is_floating(kind):
        return kind
    return pa.float64()


def _moment(
    name: str, order: int, formula: Callable[[Mapping[str, np.ndarray], int], np.ndarray]
) -> Aggregation:
    times = ("timestamp", "duration") if name in ("std", "sem") else ()

    def kinds(field: pa.Field | None, spec: AggSpec) -> tuple[str, ...]:
        _numeric(field, spec, times=times)
        return _with_count(("count", "mean", "m2", "m3", "m4")[: order + 1], spec)

    def finish(parts: Parts, field: pa.Field | None, spec: AggSpec) -> pa.Array:
        values = {kind: as_floats(array) for kind, array in parts.items()}
        with np.errstate(all="ignore"):
            result = formula(values, spec.option("ddof", 1))
        return _blank(from_floats(result, _moment_type(field, spec)), parts, spec)

    return Aggregation(name, kinds, finish, _moment_type)


def _variance(parts: Mapping[str, np.ndarray], ddof: int) -> np.ndarray:
    free = parts["count"] - ddof
    return np.where((free > 0) & (parts["count"] > 0), parts["m2"] / free, np.nan)


def _skew(parts: Mapping[str, np.ndarray], ddof: int) -> np.ndarray:
    n, m2, m3 = parts["count"], parts["m2"], parts["m3"]
    value = n * np.sqrt(n - 1) / (n - 2) * m3 / m2**1.5
    return np.where((n < 3) | _constant(parts), np.nan, value)


def _kurt(parts: Mapping[str, np.ndarray], ddof: int) -> np.ndarray:
    n, m2, m4 = parts["count"], parts["m2"], parts["m4"]
    adjust = 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    value = n * (n + 1) * (n - 1) * m4 / ((n - 2) * (n - 3) * m2**2) - adjust
    return np.where((n < 4) | _constant(parts), np.nan, value)


def _constant(parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which groups deviate from their mean by no more than its rounding."""
    rounding = np.finfo(np.float64).eps * np.abs(parts["mean"])
    return parts["m2"] <= parts["count"] * rounding**2


AGGREGATIONS: dict[str, Aggregation] = {
    aggregation.name: aggregation
    for aggregation in (
        Aggregation("sum", _sum_kinds, _sum_finish("sum"), _sum_type),
        Aggregation("prod", _prod_kinds, _sum_finish("prod"), _sum_type),
        Aggregation("count", lambda f, s: ("count",), lambda p, f, s: p["count"], _int64),
        Aggregation("size", lambda f, s: ("size",), lambda p, f, s: p["size"], _int64),
        Aggregation("mean", _mean_kinds, _mean_finish, _mean_type),
        *(_picked(kind) for kind in ("min", "max", "first", "last")),
        *(_labelled(kind) for kind in ("min", "max")),
        *(_listed(kind) for kind in ("list", "unique")),
        *(_truth(kind) for kind in ("any", "all")),
        _moment("var", 2, _variance),
        _moment("std", 2, lambda parts, ddof: np.sqrt(_variance(parts, ddof))),
        _moment("sem", 2, lambda parts, ddof: np.sqrt(_variance(parts, ddof) / parts["count"])),
        _moment("skew", 3, _skew),
        _moment("kurt", 4, _kurt),
    )
}


def aggregation(spec: AggSpec) -> Aggregation:
    """Return the decomposable aggregation that `spec` names."""
    try:
        return AGGREGATIONS[spec.function]
    except KeyError:
        raise UnsupportedError(
            f"no decomposable aggregation {spec.function!r}; known: {', '.join(AGGREGATIONS)}"
        ) from None

"""Columns as NumPy values to aggregate, and results as columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import to_arrow
from penstock.engine.kernels.missing import null_mask, raw_values


def valid_mask(array: pa.Array) -> np.ndarray | None:
    """Return where `array` is valid, or None where all of it is."""
    if not array.null_count:
        return None
    return ~null_mask(array)


def raw(array: pa.Array) -> np.ndarray:
    """Return the values of a fixed-width `array`; those in null slots are arbitrary."""
    kind = array.type
    types = pa.types
    if types.is_boolean(kind):
        return array.cast(pa.int8()).fill_null(0).to_numpy()
    if types.is_null(kind):
        return np.zeros(len(array), np.float64)
    if types.is_dictionary(kind):
        return raw(array.indices)
    if types.is_float16(kind):
        return raw_values(array.cast(pa.float32()))
    if types.is_temporal(kind):
        array = array.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    return raw_values(array)


def filled(array: pa.Array, fill: float, dtype: type[np.generic] | None = None) -> np.ndarray:
    """Return the values of `array`, as `dtype`, with `fill` in its null slots."""
    values = raw(array)
    valid = valid_mask(array)
    if dtype is not None:
        values = values.astype(dtype, copy=False)
    if valid is None:
        return values
    return np.where(valid, values, values.dtype.type(fill))


def as_floats(array: pa.Array) -> np.ndarray:
    """Return `array` as doubles, 0.0 in its null slots."""
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64(), safe=False)
    return filled(array, 0.0, np.float64)


def typed(values: np.ndarray, kind: pa.DataType, missing: np.ndarray | None = None) -> pa.Array:
    """Return NumPy values as an array of `kind` (the reverse of `raw`), null where `missing`."""
    mask = missing if missing is not None and missing.any() else None
    types = pa.types
    if types.is_boolean(kind):
        return pa.array(values.astype(bool), mask=mask)
    if types.is_temporal(kind):
        bits = pa.int64() if kind.bit_width == 64 else pa.int32()
        values = values.astype(bits.to_pandas_dtype(), copy=False)
        return to_arrow(values, mask).view(kind)
    if types.is_float16(kind):
        return pa.array(values.astype(np.float16), mask=mask)
    if types.is_null(kind):
        return pa.nulls(len(values), kind)
    if types.is_primitive(kind) and values.dtype == kind.to_pandas_dtype():
        return to_arrow(values, mask)
    return pa.array(values, kind, mask=mask)


def from_floats(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Return doubles as an array of `kind`, NaN as null."""
    array = pa.array(values, pa.float64(), from_pandas=True)
    if pa.types.is_duration(kind):
        return pc.trunc(array).cast(pa.int64()).view(kind)
    return array if array.type == kind else array.cast(kind, safe=False)


def take_optional(array: pa.Array, rows: np.ndarray) -> pa.Array:
    """Return the given rows of `array`, null where the row is -1."""
    missing = rows < 0
    return array.take(to_arrow(rows, missing if missing.any() else None))

"""Operations along the rows of a column in which a block needs something of its neighbours.

`cumulative` carries a state from block to block; `shift`, `diff` get the neighbouring rows;
`fill` carries the last valid value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.aggregate.values import raw, typed, valid_mask
from penstock.engine.kernels.groupby_codes import single_chunk
from penstock.engine.kernels.missing import nan_to_null
from penstock.errors import SchemaError, UnsupportedError

_UFUNCS = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
}


@dataclass(frozen=True)
class CumulativeState:
    """What the rows before a block come to.

    Parameters
    ----------
    value
        Total, product or extreme; None where there was no valid value.
    missing
        With ``skipna=False``: a value was missing, so that everything after it is.
    """

    value: object = None
    missing: bool = False


def cumulative_type(kind: pa.DataType, op: str) -> pa.DataType:
    """Return the type of the cumulative `op` of a column of `kind`."""
    types = pa.types
    if op in ("cummax", "cummin"):
        return kind
    if types.is_boolean(kind) or types.is_integer(kind):
        return pa.uint64() if types.is_unsigned_integer(kind) else pa.int64()
    return kind


def cumulative(
    column: pa.Array | pa.ChunkedArray,
    op: str,
    state: CumulativeState | None = None,
    *,
    skipna: bool = True,
) -> tuple[pa.Array, CumulativeState]:
    """Return a cumulative operation of a block and the state for the next one.

    Parameters
    ----------
    column
        A block's values.
    op
        ``cumsum``, ``cumprod``, ``cummax`` or ``cummin``.
    state
        State after the blocks before.
    skipna
        A missing value stays missing but is passed over; otherwise all after it are missing.

    Returns
    -------
    array : pyarrow.Array
    state : CumulativeState

    Raises
    ------
    SchemaError
        The column's type has no such operation.

    Examples
    --------
    >>> import pyarrow as pa
    >>> first, state = cumulative(pa.array([1, 2]), "cumsum")
    >>> cumulative(pa.array([3, None, 4]), "cumsum", state)[0].to_pylist()
    [6, None, 10]
    """
    array = single_chunk(column)
    state = state or CumulativeState()
    _check(array.type, op)
    if state.missing:
        return pa.nulls(len(array), cumulative_type(array.type, op)), state
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _cumulative_text(array, op, state, skipna=skipna)
    kind = cumulative_type(array.type, op)
    values = raw(array)
    if op in ("cumsum", "cumprod") and values.dtype.kind in "iu":
        values = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64)
    valid = valid_mask(array)
    kept = values if valid is None else values[valid]
    ufunc = _UFUNCS[op]
    if state.value is not None:
        kept = np.concatenate((np.array([state.value], values.dtype), kept))
    with np.errstate(all="ignore"):
        running = ufunc.accumulate(kept, dtype=kept.dtype)
    value = running[-1].item() if len(running) else None
    if state.value is not None:
        running = running[1:]
    if valid is None:
        full, missing = running, None
    else:
        full = np.zeros(len(array), values.dtype)
        full[valid] = running
        missing = ~valid
        if not skipna:
            missing = np.logical_or.accumulate(missing)
            return nan_to_null(typed(full, kind, missing)), CumulativeState(value, True)
    return nan_to_null(typed(full, kind, missing)), CumulativeState(value)


def _check(kind: pa.DataType, op: str) -> None:
    types = pa.types
    if op not in _UFUNCS:
        raise UnsupportedError(f"{op!r}: must be one of {', '.join(_UFUNCS)}")
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    text = types.is_string(kind) or types.is_large_string(kind)
    allowed = {
        "cumsum": number or text or types.is_duration(kind),
        "cumprod": number,
        "cummax": number or text or types.is_temporal(kind),
        "cummin": number or text or types.is_temporal(kind),
    }
    if not (allowed[op] or types.is_null(kind)):
        raise SchemaError(f"{op}() is not defined for a column of type {kind}")


def _cumulative_text(
    array: pa.Array, op: str, state: CumulativeState, *, skipna: bool
) -> tuple[pa.Array, CumulativeState]:
    """Run over text in Python: its results (growing texts) are quadratic anyway."""
    value = state.value
    result: list[str | None] = []
    missing = False
    for item in array.to_pylist():
        missing = missing or (item is None and not skipna)
        if item is None or missing:
            result.append(None)
            continue
        if value is None:
            value = item
        elif op == "cumsum":
            value = str(value) + item
        else:
            value = max(str(value), item) if op == "cummax" else min(str(value), item)
        result.append(value)
    return pa.array(result, array.type), CumulativeState(value, missing)


def shift(
    column: pa.Array | pa.ChunkedArray,
    periods: int,
    before: pa.Array | None = None,
    after: pa.Array | None = None,
    fill_value: object = None,
) -> pa.Array:
    """Return a block's rows shifted by `periods`, with rows of its neighbours moving in.

    Parameters
    ----------
    column
        A block's values.
    periods
        Rows to shift down (up if negative).
    before, after
        The up to ``abs(periods)`` rows next to the block (nearest rows; fewer at an end).
    fill_value
        For rows that come from outside of the whole column.

    Returns
    -------
    pyarrow.Array
        As many rows as `column`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> shift(pa.array([3, 4]), 1, before=pa.array([2])).to_pylist()
    [2, 3]
    """
    array = single_chunk(column)
    size, kind = len(array), array.type
    need = abs(periods)
    neighbour = (before if periods > 0 else after) if need else None
    if neighbour is None:
        neighbour = array.slice(0, 0)
    outside = pa.repeat(pa.scalar(fill_value, _scalar_type(kind)), max(need - len(neighbour), 0))
    if pa.types.is_dictionary(kind):
        outside = outside.cast(kind.value_type).dictionary_encode().cast(kind)
    if periods >= 0:
        parts = [outside, neighbour.slice(max(len(neighbour) - need, 0)), array]
        start = 0
    else:
        parts = [array, neighbour.slice(0, need), outside]
        start = need
    whole = single_chunk(pa.chunked_array([part.cast(kind) for part in parts], type=kind))
    return whole.slice(start, size)


def _scalar_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def diff(
    column: pa.Array | pa.ChunkedArray,
    periods: int = 1,
    before: pa.Array | None = None,
    after: pa.Array | None = None,
) -> pa.Array:
    """Return each row less the row `periods` above it; see `shift`.

    Integers and booleans become doubles, as in pandas; timestamps become durations.

    Examples
    --------
    >>> import pyarrow as pa
    >>> diff(pa.array([1.0, 4.0]), before=pa.array([0.5])).to_pylist()
    [0.5, 3.0]
    """
    array = single_chunk(column)
    kind = array.type
    types = pa.types
    other = shift(array, periods, before, after)
    if types.is_integer(kind):
        # As pandas: the difference of integers, then a double (a float for the narrow ones).
        array, other = (part.cast(pa.int64(), safe=False) for part in (array, other))
        target = pa.float32() if kind.bit_width <= 16 else pa.float64()
        return pc.subtract(array, other).cast(target, safe=False)
    if types.is_null(kind):
        array, other = (part.cast(pa.float64()) for part in (array, other))
    elif types.is_boolean(kind):
        raise UnsupportedError("diff() of booleans gives objects in pandas; use astype(int) first")
    elif not (types.is_floating(kind) or types.is_timestamp(kind) or types.is_duration(kind)):
        raise SchemaError(f"diff() is not defined for a column of type {kind}")
    return nan_to_null(pc.subtract(array, other))


def fill(
    column: pa.Array | pa.ChunkedArray,
    method: str,
    carry: pa.Scalar | None = None,
    *,
    limit: int | None = None,
    run: int = 0,
) -> tuple[pa.Array, pa.Scalar | None, int]:
    """Fill missing values with the valid one before (``ffill``) or after (``bfill``).

    Parameters
    ----------
    column
        A block's values.
    method
        ``"ffill"`` or ``"bfill"``.
    carry
        Last valid value of the blocks before (for ``bfill``: first of the blocks after).
    limit
        Fill at most so many in a row.
    run
        Missing values between `carry` and this block.

    Returns
    -------
    array : pyarrow.Array
    carry : pyarrow.Scalar or None
        For the next block.
    run : int
        Missing values at the end of this block since `carry`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> fill(pa.array([None, 2, None]), "ffill", pa.scalar(1))[0].to_pylist()
    [1, 2, 2]
    """
    if method not in ("ffill", "bfill"):
        raise UnsupportedError(f"fill method {method!r}: must be 'ffill' or 'bfill'")
    array = single_chunk(column)
    size = len(array)
    valid = np.ones(size, bool) if not array.null_count else valid_mask(array)
    assert valid is not None
    if method == "bfill":
        valid = valid[::-1]
    rows = np.arange(size)
    source = np.maximum.accumulate(np.where(valid, rows, -1))
    distance = np.where(source >= 0, rows - source, rows + 1 + run)
    if carry is None:
        source = np.where(source >= 0, source, -2)
    if limit is not None:
        source = np.where(distance > limit, -2, source)
    end = int(distance[-1]) if size else run
    if method == "bfill":
        source = np.where(source >= 0, size - 1 - source, source)[::-1]
    hits = np.flatnonzero(valid)
    if len(hits):
        last = int(hits[-1])
        new_carry = array[size - 1 - last if method == "bfill" else last]
    else:
        new_carry = carry
    if not array.null_count:
        return array, new_carry, end
    values = array
    if (source == -1).any() and carry is not None:
        # The carried value is one more row at the end.
        tail = pa.array([carry.as_py()], _scalar_type(array.type))
        if pa.types.is_dictionary(array.type):
            tail = tail.dictionary_encode().cast(array.type)
        values = single_chunk(pa.chunked_array([array, tail], type=array.type))
        source = np.where(source == -1, size, source)
    result = values.take(pa.array(source, mask=source < 0))
    return result, new_carry, end

"""Operations along the rows of a column in which a block needs something of its neighbours.

`cumulative` carries a state from block to block; `shift` and `diff` get the neighbouring rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.values import raw, typed, valid_mask
from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.missing import nan_to_null
from penstock.errors import SchemaError, UnsupportedError
from penstock.records import record

_UFUNCS = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
}


@record
class CumulativeState:
    """What the rows before a block come to.

    Parameters
    ----------
    value
        Total, product or extreme; None where there was no valid value.
    missing
        With ``skipna=False``: a value was missing, so that everything after it is.
    categories
        Of an ordered categorical column, where `value` is one of them.
    """

    value: object = None
    missing: bool = False
    categories: pa.Array | None = None

    @property
    def row(self) -> pa.Array:
        """The value as a column of one row."""
        if self.categories is None:
            return pa.array([self.value])
        place = _place(self.categories, self.value)
        return pa.DictionaryArray.from_arrays(
            pa.array([place], pa.int32()), self.categories, ordered=True
        )


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
    if pa.types.is_dictionary(array.type):
        return _cumulative_ordered(array, op, state, skipna=skipna)
    if state.missing:
        return pa.nulls(len(array), cumulative_type(array.type, op)), state
    if is_text(array.type):
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
    ordered = types.is_dictionary(kind) and kind.ordered
    allowed = {
        "cumsum": number or is_text(kind) or types.is_duration(kind),
        "cumprod": number,
        "cummax": number or is_text(kind) or ordered or types.is_temporal(kind),
        "cummin": number or is_text(kind) or ordered or types.is_temporal(kind),
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


def _cumulative_ordered(
    array: pa.DictionaryArray, op: str, state: CumulativeState, *, skipna: bool
) -> tuple[pa.Array, CumulativeState]:
    """Run over the places of ordered categories, which are the same in all blocks."""
    if not len(array):
        return array, state
    categories = array.dictionary
    before = None if state.value is None else _place(categories, state.value)
    codes, after = cumulative(
        array.indices, op, CumulativeState(before, state.missing), skipna=skipna
    )
    value = state.value
    if isinstance(after.value, int):
        value = categories[after.value].as_py()
    result = pa.DictionaryArray.from_arrays(codes, categories, ordered=True)
    return result, CumulativeState(value, after.missing, categories)


def _place(categories: pa.Array, value: object) -> int:
    place = int(categories.index(pa.scalar(value, categories.type)).as_py())
    if place < 0:
        raise SchemaError(f"category {value!r} is not one of {categories.to_pylist()}")
    return place


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
    if not size:
        return array
    need = abs(periods)
    neighbour = (before if periods > 0 else after) if need else None
    if neighbour is None:
        neighbour = array.slice(0, 0)
    outside = _repeated(fill_value, array, max(need - len(neighbour), 0))
    if periods >= 0:
        parts = [outside, neighbour.slice(max(len(neighbour) - need, 0)), array]
        start = 0
    else:
        parts = [array, neighbour.slice(0, need), outside]
        start = need
    parts = [part.cast(kind, safe=False) for part in parts]
    whole = single_chunk(pa.chunked_array(parts, type=kind))
    return whole.slice(start, size)


def _repeated(value: object, like: pa.Array, rows: int) -> pa.Array:
    """Return `rows` times `value` as an array of the type (and categories) of `like`."""
    kind = like.type
    if not pa.types.is_dictionary(kind):
        return pa.repeat(value if isinstance(value, pa.Scalar) else pa.scalar(value, kind), rows)
    if value is None:
        return like.slice(0, 0).take(pa.nulls(rows, pa.int64()))
    place = like.dictionary.index(pa.scalar(value, kind.value_type)).as_py()
    if place < 0:
        raise SchemaError(f"shift: the fill value {value!r} is not one of the categories")
    codes = pa.repeat(pa.scalar(place, kind.index_type), rows)
    return pa.DictionaryArray.from_arrays(codes, like.dictionary, ordered=kind.ordered)


def diff(
    column: pa.Array | pa.ChunkedArray,
    periods: int = 1,
    before: pa.Array | None = None,
    after: pa.Array | None = None,
) -> pa.Array:
    """Return each row less the row `periods` above it; see `shift`.

    Integers become doubles, as in pandas; timestamps become durations; booleans tell where
    they change.

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
        return pc.xor(array, other)
    elif not (types.is_floating(kind) or types.is_timestamp(kind) or types.is_duration(kind)):
        raise SchemaError(f"diff() is not defined for a column of type {kind}")
    return nan_to_null(pc.subtract(array, other))

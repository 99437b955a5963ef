"""Running values, neighbours and fills within groups, of rows whose groups are in many blocks.

Rows are told their group by codes. What the blocks before come to for a group is its state: a
running value, the row before, or the last value that is not missing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.grouping import neutral
from penstock.engine.kernels.aggregate.values import take_optional, valid_mask

RUNNING = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
}


def has_running(kind: pa.DataType) -> bool:
    """Return whether values of `kind` have running values here (doubles and integers)."""
    return pa.types.is_float64(kind) or pa.types.is_integer(kind)


def identity(function: str, dtype: np.dtype) -> float | int:
    """Return the value that changes no running value of `function`."""
    if function in ("cumsum", "cumprod"):
        return int(function == "cumprod")
    return neutral(dtype, function.removeprefix("cum"))


def grouped_order(codes: np.ndarray, *, reverse: bool = False) -> np.ndarray:
    """Return the rows ordered by group, in their order or (`reverse`) from the last one."""
    order = np.argsort(codes, kind="stable")
    return order[::-1] if reverse else order


def starts_of(ordered: np.ndarray) -> np.ndarray:
    """Return for each of the ordered codes where the run of its equals starts."""
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return np.maximum.accumulate(np.where(new, np.arange(len(ordered)), 0))


def running_before(values: np.ndarray, codes: np.ndarray, function: str) -> np.ndarray:
    """Return for each row the running value of the rows of its group before it.

    Parameters
    ----------
    values
        One for each row, none missing.
    codes
        Group of each row; the rows are in order.
    function
        One of `RUNNING`.

    Examples
    --------
    >>> running_before(np.array([1, 2, 3]), np.array([0, 1, 0]), "cumsum").tolist()
    [0, 0, 1]
    """
    if not len(values):
        return values
    ufunc = RUNNING[function]
    order = grouped_order(codes)
    starts = starts_of(codes[order])
    running = values[order]
    rows = np.arange(len(running))
    longest = int((rows - starts).max()) + 1
    step = 1
    with np.errstate(all="ignore"):
        while step < longest:  # twice as far each time
            far = np.flatnonzero(rows - step >= starts)
            running[far] = ufunc(running[far - step], running[far])
            step *= 2
    before = np.full(len(running), identity(function, running.dtype), running.dtype)
    follows = np.flatnonzero(rows > starts)
    before[follows] = running[follows - 1]
    result = np.empty_like(before)
    result[order] = before
    return result


def running_rows(
    array: pa.Array, codes: np.ndarray, states: np.ndarray, function: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the running values of a block, and which are missing.

    `states` has for each group the running value of the blocks before.
    """
    import pandas as pd

    valid = valid_mask(array)
    dtype = states.dtype
    values = np.zeros(len(array), dtype)
    known = array.drop_null().to_numpy(zero_copy_only=False)
    values[slice(None) if valid is None else valid] = known
    if valid is not None:
        values[~valid] = identity(function, dtype)
    with np.errstate(all="ignore"):
        if function == "cumsum" and dtype.kind == "f" and np.isinf(values).any():
            # pandas' compensated sum makes NaN of a second infinity
            running = running_before(values, codes, function) + values
        else:
            running = getattr(pd.Series(values).groupby(codes), function)().to_numpy()
        result = RUNNING[function](states.take(codes), running)
    return result, None if valid is None else ~valid


def rows_before(codes: np.ndarray, *, reverse: bool = False) -> np.ndarray:
    """Return the row of the same group before each row (after it), -1 where there is none."""
    order = grouped_order(codes, reverse=reverse)
    before = np.full(len(codes), -1, np.int64)
    same = codes[order[1:]] == codes[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    return before


def rows_filling(
    valid: np.ndarray | None, codes: np.ndarray, *, reverse: bool = False, itself: bool = True
) -> np.ndarray:
    """Return the nearest row of the same group that is valid, at each row or before it.

    Parameters
    ----------
    valid
        Which rows are; None stands for all.
    codes
        Group of each row.
    reverse
        Look at the rows after instead.
    itself
        Whether a valid row is the nearest to itself.

    Returns
    -------
    ndarray
        -1 where there is none.

    Examples
    --------
    >>> rows_filling(np.array([True, False, True]), np.array([0, 0, 0])).tolist()
    [0, 0, 2]
    """
    order = grouped_order(codes, reverse=reverse)
    starts = starts_of(codes[order])
    rows = np.arange(len(codes))
    known = rows if valid is None else np.where(valid[order], rows, -1)
    nearest = np.maximum.accumulate(known) if len(known) else known
    if not itself and len(nearest):
        nearest = np.concatenate(([-1], nearest[:-1]))
    found = np.where(nearest >= starts, order.take(np.maximum(nearest, 0)), -1)
    result = np.empty(len(codes), np.int64)
    result[order] = found
    return result


def take_or_state(
    array: pa.Array, state: pa.Array, rows: np.ndarray, codes: np.ndarray
) -> pa.Array:
    """Return the given rows of `array`, and where the row is -1 the state of the group."""
    both = pa.chunked_array([array, state.cast(array.type)], type=array.type)
    return take_optional(single_chunk(both), np.where(rows < 0, len(array) + codes, rows))

"""Missing values from the nearest valid ones, which may be in other blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.values import as_floats, valid_mask
from penstock.errors import UnsupportedError


class FillState(NamedTuple):
    """What the rows on one side of a block have for its missing values."""

    value: pa.Array | None = None
    """The nearest valid value, alone in an array; None where there is none."""
    run: int = 0
    """Missing rows between that value (or the end of the column) and the block."""


def fill_state(column: pa.Array | pa.ChunkedArray, method: str) -> FillState:
    """Return what a block alone has for the missing values of the next one (``ffill``).

    Parameters
    ----------
    column
        A block's values.
    method
        ``"ffill"``, or ``"bfill"`` for the block before.
    """
    array = single_chunk(column)
    valid = valid_mask(array)
    if valid is None:
        hits = np.arange(len(array))[:1] if method == "bfill" else np.arange(len(array))[-1:]
    else:
        hits = np.flatnonzero(valid)
    if not len(hits):
        return FillState(None, len(array))
    place = int(hits[0] if method == "bfill" else hits[-1])
    run = place if method == "bfill" else len(array) - 1 - place
    return FillState(array.take(pa.array([place])), run)


def fill_joined(state: FillState, summary: FillState) -> FillState:
    """Return what the blocks of `state` and then the one of `summary` have."""
    if summary.value is not None:
        return summary
    return FillState(state.value, state.run + summary.run)


def fill(
    column: pa.Array | pa.ChunkedArray,
    method: str,
    state: FillState | None = None,
    *,
    limit: int | None = None,
) -> pa.Array:
    """Fill missing values with the valid one before (``ffill``) or after (``bfill``).

    Parameters
    ----------
    column
        A block's values.
    method
        ``"ffill"`` or ``"bfill"``.
    state
        What the blocks before (for ``bfill``: after) have.
    limit
        Fill at most so many in a row.

    Returns
    -------
    pyarrow.Array

    Examples
    --------
    >>> import pyarrow as pa
    >>> fill(pa.array([None, 2, None]), "ffill", FillState(pa.array([1]))).to_pylist()
    [1, 2, 2]
    """
    if method not in ("ffill", "bfill"):
        raise UnsupportedError(f"fill method {method!r}: must be 'ffill' or 'bfill'")
    array = single_chunk(column)
    if not array.null_count:
        return array
    state = state or FillState()
    size = len(array)
    source, distance = _nearest(array, method, state)
    if limit is not None:
        source = np.where(distance > limit, -2, source)
    values = array
    if state.value is not None:
        # the value from outside is one more row at the end
        parts = [array, state.value.cast(array.type)]
        values = single_chunk(pa.chunked_array(parts, type=array.type))
        source = np.where(source == -1, size, source)
    return values.take(pa.array(source, mask=source < 0))


def _nearest(array: pa.Array, method: str, state: FillState) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of the nearest valid value on one side of each, and how far it is.

    The row is -1 where the value comes from outside, and -2 where there is none.
    """
    size = len(array)
    valid = valid_mask(array)
    if valid is None:
        valid = np.ones(size, bool)
    if method == "bfill":
        valid = valid[::-1]
    rows = np.arange(size)
    source = np.maximum.accumulate(np.where(valid, rows, -1))
    distance = np.where(source >= 0, rows - source, rows + 1 + state.run)
    if state.value is None:
        source = np.where(source >= 0, source, -2)
    if method == "bfill":
        return np.where(source >= 0, size - 1 - source, source)[::-1], distance[::-1]
    return source, distance


def interpolate(
    column: pa.Array | pa.ChunkedArray,
    before: FillState | None = None,
    after: FillState | None = None,
    *,
    limit: int | None = None,
    direction: str = "forward",
    area: str | None = None,
) -> pa.Array:
    """Fill missing numbers on the straight line between the valid ones on both sides.

    Parameters
    ----------
    column
        A block's values.
    before, after
        What the blocks on either side have.
    limit
        Fill at most so many in a row.
    direction
        ``"forward"``, ``"backward"`` or ``"both"``: from where `limit` counts, and which end
        of the column is filled with its nearest value.
    area
        ``"inside"``: only between valid values; ``"outside"``: only at the ends.

    Returns
    -------
    pyarrow.Array

    Examples
    --------
    >>> import pyarrow as pa
    >>> interpolate(pa.array([1.0, None, 2.0]), None, None).to_pylist()
    [1.0, 1.5, 2.0]
    """
    array = single_chunk(column)
    if not array.null_count:
        return array
    before, after = before or FillState(), after or FillState()
    low, steps_up = _nearest(array, "ffill", before)
    high, steps_down = _nearest(array, "bfill", after)
    values = as_floats(array)
    lower, upper = _looked_up(values, low, before), _looked_up(values, high, after)
    inside = (low > -2) & (high > -2)
    with np.errstate(all="ignore"):
        between = lower + (upper - lower) / (steps_up + steps_down) * steps_up
    result = np.where(inside, between, np.where(low > -2, lower, upper))
    forward = (steps_up <= limit) if limit is not None else np.ones(len(array), bool)
    backward = (steps_down <= limit) if limit is not None else np.ones(len(array), bool)
    reached = np.zeros(len(array), bool)
    if direction in ("forward", "both"):
        reached |= forward & (low > -2)
    if direction in ("backward", "both"):
        reached |= backward & (high > -2)
    if area is not None:
        reached &= inside if area == "inside" else ~inside
    valid = valid_mask(array)
    assert valid is not None
    result = np.where(valid, values, result)
    kind = array.type if pa.types.is_floating(array.type) else pa.float64()
    return pa.array(result, mask=~(valid | reached)).cast(kind, safe=False)


def _looked_up(values: np.ndarray, rows: np.ndarray, state: FillState) -> np.ndarray:
    outside = np.nan if state.value is None else float(as_floats(state.value)[0])
    return np.append(values, outside)[np.where(rows >= 0, rows, len(values))]

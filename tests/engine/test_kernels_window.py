"""Cumulative operations, shift, diff and fill over any blocks against pandas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.convert import series_from_arrow
from penstock.engine.kernels.fill import FillState, fill, fill_joined, fill_state, interpolate
from penstock.engine.kernels.window import cumulative, diff, shift
from penstock.errors import SchemaError, UnsupportedError
from tests.engine.kernel_frames import frames, to_table

CUMULATIVE = {
    "cumsum": ["number", "float", "int", "tiny", "bool", "text", "delta"],
    "cumprod": ["tiny", "bool"],
    "cummax": ["number", "float", "int", "tiny", "time", "delta", "text"],
    "cummin": ["number", "float", "int", "tiny", "time", "delta", "text"],
}


def array_blocks(frame: pd.DataFrame, column: str, size: int) -> list[pa.Array]:
    array = to_table(frame)[column].combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    return [array.slice(i, size) for i in range(0, max(len(array), 1), size)]


def assert_series(parts: list[pa.Array], expected: pd.Series) -> None:
    got = series_from_arrow(pa.concat_arrays(parts))
    pd.testing.assert_series_equal(got, expected, check_names=False)


@pytest.mark.parametrize("op", CUMULATIVE)
@given(frame=frames, data=st.data(), size=st.integers(1, 9), skipna=st.booleans())
def test_cumulative(
    op: str, frame: pd.DataFrame, data: st.DataObject, size: int, skipna: bool
) -> None:
    column = data.draw(st.sampled_from(CUMULATIVE[op]))
    state, parts = None, []
    for block in array_blocks(frame, column, size):
        part, state = cumulative(block, op, state, skipna=skipna)
        parts.append(part)
    values = frame["tiny"] % 3 - 1 if op == "cumprod" and column == "tiny" else frame[column]
    if op == "cumprod" and column == "tiny":
        parts, state = [], None
        for block in array_blocks(pd.DataFrame({"tiny": values}), "tiny", size):
            part, state = cumulative(block, op, state)
            parts.append(part)
    expected = getattr(values, op)(skipna=skipna)
    if op == "cumprod" and column == "bool":
        expected = expected.astype("int64")
    assert_series(parts, expected)


@given(
    frame=frames,
    column=st.sampled_from(["number", "text", "time", "delta", "cat"]),
    periods=st.integers(-5, 5),
    size=st.integers(1, 9),
)
def test_shift(frame: pd.DataFrame, column: str, periods: int, size: int) -> None:
    whole = pa.concat_arrays(array_blocks(frame, column, 100))
    parts, start = [], 0
    for block in array_blocks(frame, column, size):
        begin = max(start - abs(periods), 0)
        before, after = (
            whole.slice(begin, start - begin),
            whole.slice(start + len(block), abs(periods)),
        )
        parts.append(shift(block, periods, before, after))
        start += len(block)
    assert_series(parts, frame[column].shift(periods))


@given(
    frame=frames,
    column=st.sampled_from(["number", "int", "big", "tiny", "time", "delta"]),
    periods=st.integers(-3, 3),
    size=st.integers(1, 9),
)
def test_diff(frame: pd.DataFrame, column: str, periods: int, size: int) -> None:
    frame["time"] = frame["time"].where(frame["time"].dt.year > 1900)
    whole = pa.concat_arrays(array_blocks(frame, column, 100))
    parts, start = [], 0
    for block in array_blocks(frame, column, size):
        begin = max(start - abs(periods), 0)
        before, after = (
            whole.slice(begin, start - begin),
            whole.slice(start + len(block), abs(periods)),
        )
        parts.append(diff(block, periods, before, after))
        start += len(block)
    assert_series(parts, frame[column].diff(periods))


@given(
    frame=frames,
    column=st.sampled_from(["number", "text", "time", "delta", "cat"]),
    method=st.sampled_from(["ffill", "bfill"]),
    limit=st.one_of(st.none(), st.integers(1, 3)),
    size=st.integers(1, 9),
)
def test_fill(frame: pd.DataFrame, column: str, method: str, limit: int | None, size: int) -> None:
    state = FillState()
    blocks = array_blocks(frame, column, size)
    parts = []
    for block in blocks if method == "ffill" else reversed(blocks):
        parts.append(fill(block, method, state, limit=limit))
        state = fill_joined(state, fill_state(block, method))
    if method == "bfill":
        parts.reverse()
    assert_series(parts, getattr(frame[column], method)(limit=limit))


@given(
    frame=frames,
    limit=st.one_of(st.none(), st.integers(1, 3)),
    direction=st.sampled_from(["forward", "backward", "both"]),
    area=st.sampled_from([None, "inside", "outside"]),
    size=st.integers(1, 9),
)
def test_interpolate(
    frame: pd.DataFrame, limit: int | None, direction: str, area: str | None, size: int
) -> None:
    column = frame["number"].where(frame["number"].abs() < 1e9)
    blocks = array_blocks(column.to_frame("number"), "number", size)
    before, after = [FillState()], [FillState()]
    for block in blocks:
        before.append(fill_joined(before[-1], fill_state(block, "ffill")))
    for block in reversed(blocks):
        after.append(fill_joined(after[-1], fill_state(block, "bfill")))
    after.reverse()
    options = {"limit": limit, "direction": direction, "area": area}
    parts = [
        interpolate(block, start, end, **options)
        for block, start, end in zip(blocks, before, after[1:], strict=False)
    ]
    expected = column.interpolate(limit=limit, limit_direction=direction, limit_area=area)
    assert_series(parts, expected)


def test_shift_fills_with_a_value() -> None:
    assert shift(pa.array([1, 2]), 1, fill_value=0).to_pylist() == [0, 1]


def test_errors() -> None:
    with pytest.raises(SchemaError, match="cumprod"):
        cumulative(pa.array(["a"]), "cumprod")
    with pytest.raises(UnsupportedError, match="cummean"):
        cumulative(pa.array([1]), "cummean")
    with pytest.raises(UnsupportedError, match="ffill"):
        fill(pa.array([1]), "linear")
    with pytest.raises(SchemaError, match="diff"):
        diff(pa.array(["a"]))

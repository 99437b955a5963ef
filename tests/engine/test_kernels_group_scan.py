"""Running values, neighbours and fills within groups, against pandas on the whole column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from penstock.engine.kernels.group_scan import (
    RUNNING,
    rows_before,
    rows_filling,
    running_before,
    running_rows,
    take_or_state,
)

CODES = np.array([0, 1, 0, 2, 1, 0, 0, 2, 0])


@pytest.mark.parametrize("function", RUNNING)
@pytest.mark.parametrize("dtype", ["int64", "float64", "uint64"])
def test_running_before(function: str, dtype: str) -> None:
    values = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5], dtype)
    before = running_before(values, CODES, function)
    running = RUNNING[function](before, values)
    expected = getattr(pd.Series(values).groupby(CODES), function)()
    np.testing.assert_array_equal(running, expected)


def test_running_before_nothing() -> None:
    assert len(running_before(np.empty(0), np.empty(0, np.int64), "cumsum")) == 0


@pytest.mark.parametrize("function", RUNNING)
def test_running_rows_go_on_from_the_states(function: str) -> None:
    values = pd.Series([3.0, 1.0, np.nan, 1.0, 5.0, 9.0, np.nan, 6.0, 5.0])
    expected = getattr(values.groupby(CODES), function)()
    for cut in range(10):
        codes = CODES[cut:]
        head = values[:cut].fillna(0.0 if function == "cumsum" else 1.0).to_numpy()
        if function in ("cummin", "cummax"):
            head = values[:cut].fillna(np.inf if function == "cummin" else -np.inf).to_numpy()
        # a row more for each group, whose running value before it is the state
        marks = np.concatenate((head, np.zeros(3)))
        states = running_before(marks, np.concatenate((CODES[:cut], [0, 1, 2])), function)[-3:]
        array = pa.array(values[cut:], from_pandas=True)
        found, missing = running_rows(array, codes, states, function)
        blank = np.zeros(len(found), bool) if missing is None else missing
        np.testing.assert_array_equal(np.where(blank, np.nan, found), expected[cut:])


def test_neighbours() -> None:
    rows = pd.Series(np.arange(len(CODES)))
    for reverse in (False, True):
        expected = rows.groupby(CODES).shift(-1 if reverse else 1, fill_value=-1)
        np.testing.assert_array_equal(rows_before(CODES, reverse=reverse), expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_fills(reverse: bool) -> None:
    values = pd.Series([np.nan, 1.0, 2.0, np.nan, np.nan, np.nan, 3.0, 4.0, np.nan])
    known = values.notna().to_numpy()
    grouped = values.groupby(CODES)
    expected = (grouped.bfill() if reverse else grouped.ffill()).fillna(-1.0)
    rows = rows_filling(known, CODES, reverse=reverse)
    np.testing.assert_array_equal(np.where(rows >= 0, values.to_numpy()[rows], -1.0), expected)
    others = rows_filling(known, CODES, reverse=reverse, itself=False)
    assert not np.any(others == np.arange(len(CODES)))


def test_states_stand_for_rows_before_the_block() -> None:
    array, state = pa.array(["x", "y", "z"]), pa.array(["s", None])
    rows, codes = np.array([-1, 0, -1]), np.array([0, 0, 1])
    assert take_or_state(array, state, rows, codes).to_pylist() == ["s", "x", None]

"""Running moments, decaying weights and linear recurrences against plain loops and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.ewm import Decay, DecayRows, DecayState, affine_scan
from penstock.engine.kernels.expanding import (
    ExpandingRows,
    ExpandingState,
    expanding_joined,
    expanding_total,
    order_of,
)
from penstock.engine.kernels.moments import Moments, joined, moments, running_moments
from penstock.errors import UnsupportedError

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


@given(one=VALUES, other=VALUES)
def test_joined_moments_are_those_of_all_values(one: list[float], other: list[float]) -> None:
    both = np.array(one + other)
    found = joined(moments(np.array(one)), moments(np.array(other)))
    away = both - both.mean()
    # what rounding may do to sums of powers of values of this size
    size = np.abs(both).max() + 1
    assert found.n == len(both)
    np.testing.assert_allclose(found.mean, both.mean(), atol=1e-12 * size)
    for power, value in zip((2, 3, 4), found[2:], strict=True):
        expected = (away**power).sum()
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-10 * size**power)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 16_383, 16_385, 40_000])
@pytest.mark.parametrize("values", ["noise", "far", "drift"])
def test_running_moments(values: str, size: int) -> None:
    rng = np.random.default_rng(0)
    made = {
        "noise": lambda: rng.normal(size=size),
        "far": lambda: 1e9 + rng.normal(size=size),
        "drift": lambda: np.arange(float(size)),
    }[values]()
    found = running_moments(made, Moments())
    for end in {1, size // 3, size // 2, size} - {0}:
        expected = moments(made[:end])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one[end - 1], other, rtol=1e-6, atol=1e-5)


@given(
    factors=st.lists(st.floats(0, 1), max_size=40),
    start=st.floats(-5, 5),
)
def test_affine_scan(factors: list[float], start: float) -> None:
    terms = np.arange(float(len(factors)))
    expected, value = [], start
    for factor, term in zip(factors, terms, strict=True):
        value = factor * value + term
        expected.append(value)
    found = affine_scan(np.array(factors), terms, start)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", ["sum", "min", "var", "kurt", "count", "sem"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_expanding_over_blocks(function: str, size: int) -> None:
    series = pd.Series([None, 2, 2, None, 5, -1, 2.5, None, 7, 1])
    array = pa.array(series, from_pandas=True)
    order = order_of(frozenset({function}))
    state, parts = ExpandingState(), []
    for start in range(0, len(array), size):
        block = array.slice(start, size)
        parts += ExpandingRows(block, state, order, 1).result(function).to_pylist()
        state = expanding_joined(state, expanding_total(block, order), order)
    expected = getattr(series.expanding(), function)()
    np.testing.assert_allclose(np.array(parts, float), expected, rtol=1e-12, atol=1e-12)


def test_functions_that_there_are_not() -> None:
    column = pa.array([1.0])
    with pytest.raises(UnsupportedError, match="median"):
        ExpandingRows(column, ExpandingState(), 0, 1).result("median")
    with pytest.raises(UnsupportedError, match="median"):
        DecayRows(column, Decay(0.5), DecayState(), frozenset()).result("median", 1)

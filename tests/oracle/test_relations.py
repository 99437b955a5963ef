"""Covariances and correlations between columns."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock.dataframe as dd
from tests.oracle.exchanges import SPILLING
from tests.oracle.harness import Call, check, sample

CASES: dict[str, Call] = {
    "corr": lambda df: df[["few", "finite"]].corr(),
    "corr of numbers only": lambda df: df.corr(numeric_only=True),
    "corr of more pairs": lambda df: df[["few", "finite"]].corr(min_periods=10**6),
    "corr of text": lambda df: df.corr(),
    "cov": lambda df: df[["few", "finite"]].cov(),
    "cov of numbers only": lambda df: df.cov(numeric_only=True),
    "one column": lambda df: df[["finite"]].corr(),
    "no rows": lambda df: df[df.few > 10**6][["few", "finite"]].corr(),
    "labelled rows": lambda df: df.set_index("text")[["few", "finite"]].cov(),
    "series corr": lambda df: df.few.corr(df.finite),
    "series corr of few pairs": lambda df: df.few.corr(df.finite, min_periods=10**6),
    "series cov": lambda df: df.few.cov(df.finite * 2),
    "series corr without rows": lambda df: df[df.few > 10**6].few.corr(df[df.few > 10**6].finite),
    "autocorr": lambda df: df.finite.autocorr(),
    "autocorr of a lag": lambda df: df.finite.autocorr(3),
}


@pytest.mark.parametrize("case", CASES)
def test_relations(case: str) -> None:
    check(CASES[case], sample("few", "finite", "text"))


numbers = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-1000, 1000)),
        st.one_of(st.none(), st.floats(-1000, 1000, width=32)),
        st.booleans(),
    ),
    max_size=40,
)


@given(numbers)
def test_drawn(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "y", "z"])
    frame = frame.astype({"x": "float64", "y": "float64", "z": "bool"})
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # NumPy's, of no rows
        expected = frame.cov()
    for npartitions in (1, 3):
        actual = dd.from_pandas(frame, npartitions).cov().compute()
        pd.testing.assert_frame_equal(actual, expected, rtol=1e-9, atol=1e-9)


def test_with_spilling() -> None:
    from penstock import config

    frame = sample("few", "finite")
    with config.set(SPILLING):
        check(lambda df: df.corr(), frame)


def test_what_needs_all_rows_is_refused() -> None:
    lazy = dd.from_pandas(sample("few", "finite"), 2)
    with pytest.raises(NotImplementedError, match="only 'pearson'"):
        lazy.corr(method="kendall")
    with pytest.raises(NotImplementedError, match="only ddof=1"):
        lazy.cov(ddof=0)
    with pytest.raises(NotImplementedError, match="labels are text"):
        dd.from_pandas(pd.DataFrame({0: [1.0], 1: [2.0]}), 1).corr()


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    made = []

    def block(number: int) -> pd.DataFrame:
        made.append(number)
        return pd.DataFrame({"x": [1.0, 2.0], "y": [number, 3.0]})

    lazy = dd.from_map(block, [5, 6], meta={"x": "float64", "y": "float64"})
    together = lazy.corr(), lazy.x.corr(lazy.y), lazy.x.cov(lazy.y), lazy.x.autocorr()
    assert not made
    expected = pd.concat([block(5), block(6)])
    assert together[1].compute() == pytest.approx(expected.x.corr(expected.y))

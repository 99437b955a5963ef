"""Tests of statistics against SciPy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import penstock.array as da
from penstock.errors import MissingDependencyError, UnsupportedError
from tests.support.frames import assert_eq

scipy_stats = pytest.importorskip("scipy.stats")

A = np.random.default_rng(0).normal(size=(40, 3))
B = np.random.default_rng(1).normal(0.3, 2, size=(40, 3))
COUNTS = np.random.default_rng(2).integers(5, 30, size=(12, 3))

CALLS: dict[str, Callable[..., Any]] = {
    "ttest_1samp": lambda s, x, y, c: s.ttest_1samp(x, 0.2),
    "ttest_ind": lambda s, x, y, c: s.ttest_ind(x, y),
    "welch": lambda s, x, y, c: s.ttest_ind(x, y[:30], equal_var=False),
    "ttest_rel": lambda s, x, y, c: s.ttest_rel(x, y, axis=1),
    "f_oneway": lambda s, x, y, c: s.f_oneway(x, y, x[:20] + 1),
    "chisquare": lambda s, x, y, c: s.chisquare(c),
    "neyman": lambda s, x, y, c: s.power_divergence(c, lambda_="neyman"),
    "log-likelihood": lambda s, x, y, c: s.power_divergence(c, lambda_="log-likelihood"),
    "mod-log-likelihood": lambda s, x, y, c: s.power_divergence(c, lambda_="mod-log-likelihood"),
    "skewtest": lambda s, x, y, c: s.skewtest(x),
    "kurtosistest": lambda s, x, y, c: s.kurtosistest(x),
    "normaltest": lambda s, x, y, c: s.normaltest(x, axis=None),
    "skew": lambda s, x, y, c: (s.skew(x), s.skew(x, bias=False, axis=1)),
    "kurtosis": lambda s, x, y, c: (s.kurtosis(x), s.kurtosis(y, fisher=False, bias=False)),
    "moment": lambda s, x, y, c: (s.moment(x, 1), s.moment(x, 2), s.moment(x, 3, axis=1)),
}


@pytest.mark.parametrize("name", CALLS)
def test_against_scipy(name: str) -> None:
    lazy = CALLS[name](
        da.stats, da.from_array(A, (7, 2)), da.from_array(B, (9, 3)), da.from_array(COUNTS, 5)
    )
    known = CALLS[name](scipy_stats, A, B, COUNTS)
    for one, other in zip(da.compute(*lazy), tuple(known), strict=True):
        assert_eq(one, other, rtol=1e-7, atol=1e-12)


def test_what_is_not_there(monkeypatch: Any) -> None:
    x = da.from_array(A, 5)
    with pytest.raises(UnsupportedError, match="nan_policy"):
        da.stats.skew(x, nan_policy="omit")
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingDependencyError, match=r"penstock\[stats\]"):
        da.stats.ttest_1samp(x, 0.0)

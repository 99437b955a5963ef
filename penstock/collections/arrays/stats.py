"""Tests of statistics, as those of `scipy.stats` (`penstock.array.stats`).

The statistics are computed block by block; probabilities come from SciPy.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.elementwise import elementwise, where
from penstock.collections.arrays.storage import asarray
from penstock.errors import UnsupportedError, missing_dependency


class Outcome(NamedTuple):
    """What a test gives."""

    statistic: Any
    pvalue: Any


def _probability(name: str, *values: Any) -> Any:
    """Return what a function of `scipy.special` gives, with plain numbers bound."""
    try:
        from scipy import special
    except ImportError as error:
        raise missing_dependency("SciPy", "stats", "a test of statistics") from error
    function = getattr(special, name)
    if not any(isinstance(value, Array) for value in values):
        return function(*values)
    return elementwise(partial(_called, function), *values, dtype=np.dtype("f8"))


def _called(function: Any, *values: Any, dtype: Any = None) -> Any:
    return function(*values)


def _two_sided(statistic: Any) -> Any:
    return 2 * _probability("ndtr", -abs(statistic))


def _plain(nan_policy: str) -> None:
    if nan_policy != "propagate":
        raise UnsupportedError(
            f"nan_policy={nan_policy!r} is not supported; drop missing values first"
        )


def _along(a: Any, axis: int | None) -> tuple[Array, int]:
    array = asarray(a)
    if axis is None:
        array, axis = array.reshape(-1), 0
    axis = range(array.ndim)[axis]
    return (array if array.dtype.kind in "fc" else array.astype("f8")), axis


def moment(a: Any, moment: Any = 1, axis: int | None = 0, nan_policy: str = "propagate") -> Array:
    """Return a moment about the mean; see `scipy.stats.moment`."""
    _plain(nan_policy)
    array, axis = _along(a, axis)
    return _moment(array, int(moment), axis)


def _moment(array: Array, order: int, axis: int) -> Array:
    if order == 0:
        return array.sum(axis=axis) * 0 + 1
    if order == 1:
        return array.sum(axis=axis) * 0
    distance = array - array.mean(axis=axis, keepdims=True)
    return (distance**order).mean(axis=axis)


def skew(a: Any, axis: int | None = 0, bias: bool = True, nan_policy: str = "propagate") -> Array:
    """Return the skewness along an axis; see `scipy.stats.skew`.

    Examples
    --------
    >>> import penstock.array as da
    >>> da.stats.skew(da.arange(5, chunks=2)).compute()
    np.float64(0.0)
    """
    _plain(nan_policy)
    array, axis = _along(a, axis)
    n = array.shape[axis]
    second, third = _moment(array, 2, axis), _moment(array, 3, axis)
    value = where(second == 0, np.nan, third / where(second == 0, 1.0, second) ** 1.5)
    if not bias and n > 2:
        value = math.sqrt(n * (n - 1)) / (n - 2) * value
    return value


def kurtosis(
    a: Any, axis: int | None = 0, fisher: bool = True, bias: bool = True,
    nan_policy: str = "propagate",
) -> Array:  # fmt: skip
    """Return the kurtosis along an axis; see `scipy.stats.kurtosis`."""
    _plain(nan_policy)
    array, axis = _along(a, axis)
    n = array.shape[axis]
    second, fourth = _moment(array, 2, axis), _moment(array, 4, axis)
    value = where(second == 0, np.nan, fourth / where(second == 0, 1.0, second) ** 2)
    if not bias and n > 3:
        value = ((n**2 - 1.0) * value - 3 * (n - 1.0) ** 2) / ((n - 2) * (n - 3)) + 3
    return value - 3 if fisher else value


def skewtest(a: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Outcome:
    """Test whether the skewness is that of a normal distribution; see `scipy.stats.skewtest`."""
    array, axis = _along(a, axis)
    b2 = skew(array, axis, nan_policy=nan_policy)
    n = float(array.shape[axis])
    if n < 8:
        raise ValueError(f"skewtest needs at least 8 values, not {int(n)}")
    y = b2 * math.sqrt(((n + 1) * (n + 3)) / (6.0 * (n - 2)))
    beta2 = 3.0 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3)
    beta2 /= (n - 2.0) * (n + 5) * (n + 7) * (n + 9)
    w2 = -1 + math.sqrt(2 * (beta2 - 1))
    delta = 1 / math.sqrt(0.5 * math.log(w2))
    alpha = math.sqrt(2.0 / (w2 - 1))
    y = where(y == 0, 1.0, y)
    z = delta * np.log(y / alpha + np.sqrt((y / alpha) ** 2 + 1))
    return Outcome(z, _two_sided(z))


def kurtosistest(a: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Outcome:
    """Test whether the kurtosis is that of a normal distribution; see `scipy.stats.kurtosistest`."""
    array, axis = _along(a, axis)
    n = float(array.shape[axis])
    if n < 5:
        raise ValueError(f"kurtosistest needs at least 5 values, not {int(n)}")
    b2 = kurtosis(array, axis, fisher=False, nan_policy=nan_policy)
    expected = 3.0 * (n - 1) / (n + 1)
    variance = 24.0 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (b2 - expected) / math.sqrt(variance)
    root = 6.0 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9))
    root *= math.sqrt((6.0 * (n + 3) * (n + 5)) / (n * (n - 2) * (n - 3)))
    a_ = 6.0 + 8.0 / root * (2.0 / root + math.sqrt(1 + 4.0 / root**2))
    term = 1 - 2 / (9.0 * a_)
    below = 1 + x * math.sqrt(2 / (a_ - 4.0))
    ratio = (1 - 2.0 / a_) / abs(where(below == 0, np.nan, below))
    z = (term - np.sign(below) * np.cbrt(ratio)) / math.sqrt(2 / (9.0 * a_))
    return Outcome(z, _two_sided(z))


def normaltest(a: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Outcome:
    """Test whether a sample is normally distributed; see `scipy.stats.normaltest`."""
    first = skewtest(a, axis, nan_policy).statistic
    second = kurtosistest(a, axis, nan_policy).statistic
    total = first * first + second * second
    return Outcome(total, _probability("chdtrc", 2, total))


# -- differences of means -----------------------------------------------------------------------


def _of_t(statistic: Any, freedom: Any) -> Outcome:
    return Outcome(statistic, 2 * _probability("stdtr", freedom, -abs(statistic)))


def ttest_1samp(
    a: Any, popmean: Any, axis: int | None = 0, nan_policy: str = "propagate"
) -> Outcome:
    """Test whether the mean of a sample is `popmean`; see `scipy.stats.ttest_1samp`.

    Examples
    --------
    >>> import penstock.array as da
    >>> float(da.stats.ttest_1samp(da.arange(5, chunks=2), 2.0).pvalue.compute())
    1.0
    """
    _plain(nan_policy)
    array, axis = _along(a, axis)
    n = array.shape[axis]
    spread = array.var(axis=axis, ddof=1)
    return _of_t((array.mean(axis=axis) - popmean) / np.sqrt(spread / float(n)), n - 1)


def ttest_rel(a: Any, b: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Outcome:
    """Test whether two samples of the same things have one mean; see `scipy.stats.ttest_rel`."""
    left, _ = _along(a, axis)
    right, place = _along(b, axis)
    if left.shape[place] != right.shape[place]:
        raise ValueError(f"ttest_rel: {left.shape[place]} and {right.shape[place]} values")
    return ttest_1samp(left - right, 0.0, place, nan_policy)


def ttest_ind(
    a: Any, b: Any, axis: int | None = 0, equal_var: bool = True, nan_policy: str = "propagate"
) -> Outcome:
    """Test whether two independent samples have one mean; see `scipy.stats.ttest_ind`."""
    _plain(nan_policy)
    left, place = _along(a, axis)
    right, _ = _along(b, axis)
    n1, n2 = left.shape[place], right.shape[place]
    v1, v2 = left.var(axis=place, ddof=1), right.var(axis=place, ddof=1)
    freedom: Any
    if equal_var:
        freedom = n1 + n2 - 2.0
        error = np.sqrt(((n1 - 1) * v1 + (n2 - 1) * v2) / freedom * (1.0 / n1 + 1.0 / n2))
    else:
        e1, e2 = v1 / n1, v2 / n2
        freedom = (e1 + e2) ** 2 / (e1**2 / (n1 - 1) + e2**2 / (n2 - 1))
        error = np.sqrt(e1 + e2)
    return _of_t((left.mean(axis=place) - right.mean(axis=place)) / error, freedom)


def f_oneway(*args: Any) -> Outcome:
    """Test whether samples have one mean, by analysis of variance; see `scipy.stats.f_oneway`."""
    if len(args) < 2:
        raise TypeError(f"f_oneway compares at least two samples, not {len(args)}")
    samples = [_along(sample, 0)[0] for sample in args]
    count = sum(sample.shape[0] for sample in samples)
    total: Any = sum(sample.sum(axis=0) for sample in samples) / count
    means = [sample.mean(axis=0) for sample in samples]
    between: Any = sum(
        sample.shape[0] * (mean - total) ** 2 for sample, mean in zip(samples, means, strict=True)
    )
    within: Any = sum(sample.var(axis=0) * sample.shape[0] for sample in samples)
    groups = len(samples) - 1
    statistic = (between / groups) / (within / float(count - len(samples)))
    return Outcome(statistic, _probability("fdtrc", groups, count - len(samples), statistic))


# -- counts -------------------------------------------------------------------------------------

_POWERS = {"pearson": 1.0, "log-likelihood": 0.0, "freeman-tukey": -0.5,
           "mod-log-likelihood": -1.0, "neyman": -2.0, "cressie-read": 2 / 3}  # fmt: skip


def power_divergence(
    f_obs: Any, f_exp: Any = None, ddof: int = 0, axis: int | None = 0, lambda_: Any = None
) -> Outcome:
    """Test whether counts are as expected; see `scipy.stats.power_divergence`.

    Parameters
    ----------
    f_obs : Array
    f_exp : Array, optional
        The mean of `f_obs` by default.
    ddof : int
    axis : int, optional
    lambda_ : number or str, optional
        The power, or its name.

    Returns
    -------
    Outcome
    """
    if isinstance(lambda_, str):
        if lambda_ not in _POWERS:
            raise ValueError(f"lambda_ must be a number or one of {', '.join(_POWERS)}")
        lambda_ = _POWERS[lambda_]
    power = 1.0 if lambda_ is None else float(lambda_)
    observed, place = _along(f_obs, axis)
    if f_exp is None:
        expected: Any = observed.mean(axis=place, keepdims=True)
    else:
        expected, _ = _along(f_exp, axis)
    if power == 1:
        terms = (observed - expected) ** 2 / expected
    elif power == 0:
        terms = 2.0 * _probability("xlogy", observed, observed / expected)
    elif power == -1:
        terms = 2.0 * _probability("xlogy", expected, expected / observed)
    else:
        terms = observed * ((observed / expected) ** power - 1) / (0.5 * power * (power + 1))
    statistic = terms.sum(axis=place)
    freedom = observed.shape[place] - 1 - ddof
    return Outcome(statistic, _probability("chdtrc", freedom, statistic))


def chisquare(f_obs: Any, f_exp: Any = None, ddof: int = 0, axis: int | None = 0) -> Outcome:
    """Test whether counts are as expected; see `scipy.stats.chisquare`."""
    return power_divergence(f_obs, f_exp, ddof, axis, "pearson")

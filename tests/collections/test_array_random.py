"""Random arrays: distributions, and the same values whatever runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.errors import UnsupportedError
from tests.support.limits import limit_leaving


@pytest.fixture(autouse=True)
def _in_this_thread() -> Iterator[None]:
    """Run without threads, whose end each test would wait for."""
    with penstock.config.set({"scheduler": "sync"}):
        yield


DISTRIBUTIONS: dict[str, tuple[float, ...]] = {
    "beta": (2, 3), "binomial": (10, 0.3), "chisquare": (3,), "exponential": (2,), "f": (3, 20),
    "gamma": (2, 3), "geometric": (0.3,), "gumbel": (1, 2), "hypergeometric": (10, 20, 8),
    "laplace": (1, 2), "logistic": (1, 2), "lognormal": (0.1, 0.3), "logseries": (0.4,),
    "negative_binomial": (4, 0.4), "noncentral_chisquare": (3, 2), "noncentral_f": (3, 20, 1),
    "normal": (3, 2), "pareto": (5,), "poisson": (4,), "power": (3,), "rayleigh": (2,),
    "standard_exponential": (), "standard_gamma": (3,), "standard_normal": (), "standard_t": (9,),
    "triangular": (0, 1, 3), "uniform": (1, 4), "vonmises": (0.1, 4), "wald": (2, 3),
    "weibull": (2,), "zipf": (6,),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions(name: str) -> None:
    parameters = DISTRIBUTIONS[name]
    x = getattr(da.random.default_rng(3), name)(*parameters, size=(100, 50), chunks=(64, 33))
    values = x.compute()
    known = getattr(np.random.default_rng(1), name)(*parameters, size=50_000)
    assert values.dtype == x.dtype == known.dtype
    assert abs(values.mean() - known.mean()) < 6 * known.std() / np.sqrt(values.size)
    again = getattr(da.random.RandomState(3), name)(*parameters, size=(100, 50), chunks=(64, 33))
    np.testing.assert_array_equal(again.compute(), values)
    if parameters:
        first = da.from_array(np.full((3, 1), parameters[0]), chunks=2)
        wide = getattr(da.random.default_rng(3), name)(first, *parameters[1:], size=(3, 400))
        assert wide.shape == (3, 400)
        assert abs(wide.mean().compute() - known.mean()) < 8 * known.std() / np.sqrt(1200)


def test_values_do_not_depend_on_workers_or_memory() -> None:
    def draw() -> Any:
        rng = da.random.default_rng([1, 2])
        return (
            rng.normal(np.arange(3.0), 1, size=(2_000, 3)),
            rng.choice(9, 50, chunks=20),
            rng.random(3),
        )

    first = penstock.compute(*draw(), scheduler="sync")
    limit = limit_leaving(64 << 20)
    with penstock.config.set({"num-workers": 7, "memory-limit": limit}):
        second = penstock.compute(*draw(), scheduler="threads", num_workers=4)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_parameters_that_are_arrays() -> None:
    rng = da.random.default_rng(0)
    means = rng.normal(da.arange(3, chunks=2) * 1000.0, 1).compute()
    np.testing.assert_allclose(means, [0, 1000, 2000], atol=10)
    assert rng.integers([1, 100], [2, 101]).compute().tolist() == [1, 100]
    with pytest.raises(ValueError, match="do not fit"):
        rng.normal(np.zeros(3), 1, size=4)
    with pytest.raises(ValueError, match="scale"):
        rng.normal(0, -1, size=3)
    with pytest.raises(TypeError, match="needs df"):
        rng.chisquare(size=3)
    with pytest.raises(TypeError, match="takes the parameters"):
        rng.normal(0, 1, sizes=3)


def test_vectors() -> None:
    rng = da.random.default_rng(0)
    counts = rng.multinomial(10, [0.2, 0.3, 0.5], size=40, chunks=7).compute()
    assert counts.shape == (40, 3)
    assert (counts.sum(axis=1) == 10).all()
    np.testing.assert_allclose(rng.dirichlet([1, 2], size=(3, 4), chunks=2).compute().sum(-1), 1)
    assert rng.multivariate_normal([0, 1], np.eye(2), size=5, chunks=2).compute().shape == (5, 2)
    drawn = rng.multivariate_hypergeometric([3, 5], 4, size=6, chunks=4).compute()
    assert (drawn.sum(axis=1) == 4).all()


def test_choice_and_permutation() -> None:
    rng = da.random.default_rng(0)
    names = da.from_array(np.array([10, 20, 30, 40]), chunks=3)
    drawn = rng.choice(names, (20, 30), p=[0, 0.5, 0.5, 0], chunks=7).compute()
    assert set(np.unique(drawn)) == {20, 30}
    assert sorted(rng.choice(9, 9, replace=False).compute()) == list(range(9))
    with pytest.raises(UnsupportedError, match="one chunk"):
        rng.choice(9, 9, replace=False, chunks=3)
    with pytest.raises(ValueError, match="too many"):
        rng.choice(9, 10, replace=False)
    assert sorted(rng.permutation(100).compute()) == list(range(100))
    rows = np.arange(40).reshape(20, 2)
    moved = rng.permutation(da.from_array(rows, chunks=(6, 2))).compute()
    assert not (moved == rows).all()
    np.testing.assert_array_equal(moved[np.argsort(moved[:, 0])], rows)


def test_names_of_old() -> None:
    state = da.random.RandomState(4)
    assert set(state.randint(3, size=200, chunks=50).compute()) == {0, 1, 2}
    assert set(state.random_integers(3, size=200, chunks=50).compute()) == {1, 2, 3}
    assert state.rand(2, 3).compute().shape == state.randn(2, 3).compute().shape == (2, 3)
    assert state.tomaxint(3).compute().min() >= 0
    da.random.seed(1)
    first = da.random.normal(0, 1, 5).compute(), da.random.random_sample(3).compute()
    da.random.seed(1)
    second = da.random.normal(0, 1, 5).compute(), da.random.random_sample(3).compute()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_children_are_independent() -> None:
    one, two = da.random.default_rng(5).spawn(2)
    assert not np.array_equal(one.random(9).compute(), two.random(9).compute())
    with pytest.raises(UnsupportedError, match="seed"):
        da.random.default_rng(np.random.default_rng(1))

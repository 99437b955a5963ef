"""Duplicates, counts and modes equal pandas'; estimates are as near as their sketches promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import penstock.dataframe as dd
from penstock.engine.kernels import sketches
from penstock.errors import UnsupportedError
from tests.oracle.exchanges import check_exchanged
from tests.oracle.harness import Call, check, drawn, sample
from tests.support.frames import assert_eq

_ROWS = pd.DataFrame(
    {
        "a": [1, 2, 1, 1, 2, 3] * 3,
        "f": [1.5, np.nan, 1.5, 4, np.nan, 5] * 3,
        "s": ["p", None, "p", "q", "r", None] * 3,
        "c": pd.Categorical(["x", "y", "x", None, "y", "x"] * 3, categories=["y", "x", "z"]),
    },
    index=[f"r{i}" for i in range(18)],
)

# -- equal rows ---------------------------------------------------------------

DUPLICATES: dict[str, Any] = {
    "rows": lambda df, keep: df.duplicated(keep=keep),
    "subset": lambda df, keep: df.duplicated(["a", "s"], keep=keep),
    "label": lambda df, keep: df.duplicated("c", keep=keep),
    "series": lambda df, keep: df.f.duplicated(keep=keep),
    "mask": lambda df, keep: df[~df.duplicated(["a", "s"], keep=keep)],
    "default labels": lambda df, keep: df.reset_index(drop=True).duplicated(["a"], keep=keep),
    "after a filter": lambda df, keep: df[df.a < 3].duplicated(keep=keep),
    "merged": lambda df, keep: df.merge(df, on="a").pipe(
        lambda both: both[both.duplicated(["a", "s_x"], keep=keep)]
    ),
    "dropped": lambda df, keep: df[["a", "f"]].drop_duplicates(keep=keep, ignore_index=True),
    "dropped values": lambda df, keep: df.s.drop_duplicates(keep=keep, ignore_index=True),
}


@pytest.mark.parametrize("keep", ["first", "last", False])
@pytest.mark.parametrize("case", DUPLICATES)
def test_duplicates(case: str, keep: Any) -> None:
    check_exchanged(lambda df: DUPLICATES[case](df, keep), _ROWS)


@drawn("few finite text category zoned", max_examples=2)
def test_duplicated(frame: pd.DataFrame) -> None:
    check(lambda df: df.duplicated(["few", "text"]), frame)
    check(lambda df: df.zoned.duplicated(keep=False), frame)


def test_duplicated_refuses() -> None:
    frame = dd.from_pandas(_ROWS, 3)
    with pytest.raises(ValueError, match="keep"):
        frame.duplicated(keep="none")
    with pytest.raises(KeyError):
        frame.duplicated("nothing")


COUNTS: dict[str, Call] = {
    "all": lambda df: df[["a", "f", "s"]].value_counts(),
    "subset": lambda df: df.value_counts(["a", "s"]),
    "label": lambda df: df.value_counts("f"),
    "shares": lambda df: df.value_counts(["a", "f"], normalize=True, dropna=False),
    "unsorted": lambda df: df.value_counts(["s", "a"], sort=False),
    "ascending": lambda df: df.value_counts(["a", "s"], ascending=True, dropna=False),
    "missing": lambda df: df.s.value_counts(dropna=False, normalize=True),
    "categories": lambda df: df.c.value_counts(sort=False),
    "distinct": lambda df: df.nunique(),
    "distinct with missing": lambda df: df.nunique(dropna=False),
    "mode": lambda df: df[["a", "s"]].mode(),
    "mode with missing": lambda df: df[["f"]].mode(dropna=False),
    "numeric mode": lambda df: df.mode(numeric_only=True),
}


@pytest.mark.parametrize("case", COUNTS)
def test_counts(case: str) -> None:
    check_exchanged(COUNTS[case], _ROWS)


@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"sort": False}, {"ascending": True}])
@pytest.mark.parametrize("bins", [3, [0, 2, 4, 9]])
def test_counts_in_bins(bins: Any, options: dict[str, Any]) -> None:
    def texts(counts: Any) -> Any:
        if isinstance(counts, pd.Series):
            return counts.set_axis([str(one) for one in counts.index])
        return counts

    check(lambda df: texts(df.f.value_counts(bins=bins, **options)), _ROWS, check_index=False)
    found = dd.from_pandas(_ROWS, 3).f.value_counts(bins=bins, **options).compute()
    expected = _ROWS.f.value_counts(bins=bins, **options)
    assert [str(one) for one in found.index] == [str(one) for one in expected.index]


def test_counts_of_categories_together() -> None:
    with pytest.raises(UnsupportedError, match="categories"):
        dd.from_pandas(_ROWS, 3).value_counts(["a", "c"])


# -- estimates ----------------------------------------------------------------


@pytest.mark.parametrize("distinct", [0, 1, 7, 300, 5_000, 60_000])
def test_nunique_approx(distinct: int) -> None:
    generator = np.random.default_rng(distinct)
    values = generator.permutation(np.tile(np.arange(distinct), 2))
    for data in (pd.Series(values), pd.Series(values * 0.5), pd.Series(values).astype("str")):
        found = dd.from_pandas(data, 7).nunique_approx().compute()
        assert abs(found - distinct) <= 0.03 * distinct
    frame = pd.DataFrame({"x": values, "y": values % 3})
    rows = dd.from_pandas(frame, 5).nunique_approx().compute()
    assert abs(rows - distinct) <= 0.03 * distinct


def test_registers_merge_exactly() -> None:
    table = pa.table({"x": np.random.default_rng(0).integers(0, 10**6, 5000)})
    parts = [sketches.registers(table.slice(start, 1000), ["x"]) for start in range(0, 5000, 1000)]
    whole = sketches.registers(table, ["x"])
    assert (sketches.united_registers(parts) == whole).all()
    # a second time the same values change nothing
    assert (sketches.united_registers([whole, *parts]) == whole).all()


_QUANTILES = [0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999, 1.0]


@pytest.mark.parametrize("shape", ["normal", "lognormal", "sorted", "steps"])
def test_estimated_quantiles(shape: str) -> None:
    generator = np.random.default_rng(1)
    rows = 50_000
    values = {
        "normal": lambda: generator.normal(size=rows),
        "lognormal": lambda: generator.lognormal(0, 2, rows),
        "sorted": lambda: np.arange(rows) * 1.0,
        "steps": lambda: generator.integers(0, 5, rows).astype(float),
    }[shape]()
    found = dd.from_pandas(pd.Series(values), 9).quantile(_QUANTILES, method="tdigest").compute()
    assert list(found.index) == _QUANTILES
    ordered = np.sort(values)
    assert (found.iloc[0], found.iloc[-1]) == (ordered[0], ordered[-1])
    for share, value in found.items():
        low, high = (
            np.searchsorted(ordered, value, "left"),
            np.searchsorted(ordered, value, "right"),
        )
        wanted = share * (rows - 1)
        assert low - 0.003 * rows <= wanted <= high + 0.003 * rows


def test_few_values_have_exact_quantiles() -> None:
    frame = sample("few", "finite")
    for data in (frame, frame.iloc[:1]):
        expected = data.quantile([0, 0.3, 0.5, 1])
        for npartitions in (1, 3):
            lazy = dd.from_pandas(data, npartitions)
            assert_eq(lazy.quantile([0, 0.3, 0.5, 1], method="tdigest"), expected)
            assert_eq(lazy.median(method="tdigest"), data.median())
            assert_eq(lazy.finite.median(method="tdigest"), data.finite.median())
    nothing = dd.from_pandas(frame.iloc[:0], 2)
    assert np.isnan(nothing.finite.quantile(0.5, method="tdigest").compute())


def test_estimates_refuse() -> None:
    lazy = dd.from_pandas(sample("finite", "zoned"), 2)
    with pytest.raises(UnsupportedError, match="linearly"):
        lazy.finite.quantile(0.5, interpolation="lower", method="tdigest")
    with pytest.raises(UnsupportedError, match="numbers"):
        lazy.zoned.quantile(0.5, method="tdigest")
    with pytest.raises(ValueError, match="method"):
        lazy.finite.quantile(0.5, method="guess")


# -- samples ------------------------------------------------------------------


def test_sample() -> None:
    frame = pd.DataFrame({"x": np.arange(20_000)}, index=[f"r{i}" for i in range(20_000)])
    found = [
        dd.from_pandas(frame, count).sample(frac=0.1, random_state=4).compute()
        for count in (1, 3, 17)
    ]
    assert 1800 < len(found[0]) < 2200
    assert_eq(found[0], frame.loc[found[0].index])
    assert_eq(found[1], found[0])
    assert_eq(found[2], found[0])
    other = dd.from_pandas(frame, 3).sample(frac=0.1, random_state=5).compute()
    assert len(other.index.intersection(found[0].index)) < 400
    assert len(dd.from_pandas(frame.x, 3).sample(frac=1).compute()) == 20_000
    assert len(dd.from_pandas(frame, 3).sample(frac=0).compute()) == 0


def test_sample_refuses() -> None:
    lazy = dd.from_pandas(_ROWS, 3)
    for options in ({"n": 3}, {}, {"frac": 0.5, "replace": True}, {"frac": 0.5, "weights": "a"}):
        with pytest.raises(UnsupportedError):
            lazy.sample(**options)
    with pytest.raises(ValueError, match="frac"):
        lazy.sample(frac=2)

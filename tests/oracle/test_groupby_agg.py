"""groupby: aggregations beyond the plain ones, in all their spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import UnsupportedError
from tests.oracle.exchanges import Call, check_exchanged, drawn, sample

REDUCTIONS: dict[str, Call] = {
    "kurt": lambda g: g.kurt(),
    "idxmin": lambda g: g.idxmin(),
    "idxmax": lambda g: g.idxmax(),
    "idxmax, missing refused": lambda g: g.idxmax(skipna=False),
    "first with missing": lambda g: g.first(skipna=False),
    "last with missing": lambda g: g.last(skipna=False),
    "skew with missing": lambda g: g.skew(skipna=False),
    "quantiles": lambda g: g.quantile([0.1, 0.5]),
    "quantiles lower": lambda g: g.quantile([0.9, 0.25], interpolation="lower"),
    "describe": lambda g: g.describe(),
    "describe percentiles": lambda g: g.describe(percentiles=[0.1, 0.5]),
    "ohlc": lambda g: g.ohlc(),
    "agg kurt": lambda g: g.agg("kurt"),
    "agg quantile": lambda g: g.agg("quantile", q=0.25),
    "agg std of population": lambda g: g.agg("std", ddof=0),
    "agg with arguments": lambda g: g.agg(_within, 0.5),
    "agg with named arguments": lambda g: g.agg(_within, share=0.25),
    "agg of method that keeps rows": lambda g: g.agg("cumsum"),
    "agg of unknown": lambda g: g.agg([None]),
}  # fmt: skip


def _within(values: Any, share: float) -> float:
    return float(values.max() * share)


@pytest.mark.parametrize("case", REDUCTIONS)
def test_of_column(case: str) -> None:
    check_exchanged(lambda df: REDUCTIONS[case](df.groupby("few").finite), sample("few", "finite"))


@pytest.mark.parametrize("case", [name for name in REDUCTIONS if name != "agg of unknown"])
def test_of_frame(case: str) -> None:
    data = sample("few", "finite", "int")
    check_exchanged(lambda df: REDUCTIONS[case](df.groupby("few")), data)


@pytest.mark.parametrize("case", ["idxmin", "quantiles", "first with missing"])
@drawn("text finite few", max_examples=1)
def test_of_drawn(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(lambda df: REDUCTIONS[case](df.groupby("text").few), frame)


OTHERS: dict[str, Call] = {
    "idxmax of labels": lambda df: df.groupby("few").int.idxmax(),
    "idxmax of text keys": lambda df: df.groupby("text").int.idxmax(),
    "idxmax unsorted": lambda df: df.groupby("text", sort=False).int.idxmax(),
    "quantiles unsorted": lambda df: df.groupby("text", sort=False).int.quantile([0.5, 0.1]),
    "quantiles of categories": lambda df: df.groupby("category", observed=False)
    .int.quantile([0.5]),
    "quantiles by several": lambda df: df.groupby(["few", "text"]).int.quantile([0.2, 0.4]),
    "describe as frame": lambda df: df.groupby("few")[["int", "finite"]].describe(),
    "several in a list": lambda df: df.groupby("few").int.agg(["idxmax", "sum", "nunique"]),
    "pairs in a list": lambda df: df.groupby("few").int.agg([("low", "min"), ("high", "max")]),
    "several lambdas": lambda df: df.groupby("few").int.agg(
        [lambda v: v.min(), lambda v: v.max()]
    ),
    "lambdas by column": lambda df: df.groupby("few").agg(
        {"int": [lambda v: v.min(), lambda v: v.max()], "finite": "sum"}
    ),
    "one lambda of several": lambda df: df.groupby("few").int.agg([lambda v: v.max(), "min"]),
    "one of several quantiles": lambda df: df.groupby("few")[["int", "finite"]]
    .quantile([0.1, 0.9]).finite,
    "one of a description": lambda df: df.groupby("few")[["int", "finite"]].describe()["int"],
    "key twice": lambda df: df.groupby(["few", "few"]).int.sum(),
    "nunique unsorted": lambda df: df.groupby("text", sort=False).int.nunique(),
    "nunique with missing": lambda df: df.groupby("text", dropna=False).finite.nunique(dropna=False),
    "nunique of categories": lambda df: df.groupby("category", observed=False).int.nunique(),
    "nunique of the key": lambda df: df.groupby("few").few.nunique(),
    "nunique without index": lambda df: df.groupby("few", as_index=False).int.nunique(),
    "nunique after a sort": lambda df: df.sort_values("finite").groupby("text", sort=False)
    .int.nunique(),
    "tuple": lambda df: df.groupby("few")[["int"]].agg(("min", "max")),
    "dask's knobs": lambda df: df.groupby("few").int.agg("sum"),
    "value_counts of frame": lambda df: df.groupby("few")[["text", "bool"]].value_counts(),
    "value_counts subset": lambda df: df.groupby("few").value_counts(subset=["bool"]),
    "value_counts shares": lambda df: df.groupby("few")[["bool"]].value_counts(normalize=True),
    "value_counts unsorted": lambda df: df.groupby("few")[["bool"]].value_counts(sort=False),
    "difference of two": lambda df: df.groupby("few").int.max() - df.groupby("few").int.min(),
    "quotient of two": lambda df: df.groupby("text").finite.sum() / df.groupby("text").int.count(),
    "three together": lambda df: (
        df.groupby("few").int.max() - df.groupby("few").int.median() + df.groupby("few").finite.sum()
    ),
    "frames together": lambda df: df.groupby("few")[["int"]].max() - df.groupby("few")[["int"]].min(),
    "value_counts as frame": lambda df: df.groupby("few", as_index=False).bool.value_counts(),
    "numbers only": lambda df: df.groupby("few").kurt(numeric_only=True),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_others(case: str) -> None:
    data = sample("few", "text", "int", "finite", "category", "bool")
    # pandas sorts counts by an unstable sort: its order of ties is arbitrary
    check_exchanged(OTHERS[case], data, check_order="value_counts" not in case)


KEYS: dict[str, Call] = {
    "function": lambda df: df.groupby(lambda label: label % 2).finite.sum(),
    "dict": lambda df: df.groupby(dict.fromkeys(range(7), 1) | {3: 0}).finite.sum(),
    "grouper": lambda df: df.groupby(pd.Grouper(key="few")).finite.sum(),
    "grouper and label": lambda df: df.groupby([pd.Grouper(key="few"), "text"]).finite.sum(),
    "series by level": lambda df: df.finite.groupby(level=0).sum(),
    "no keys": lambda df: df.groupby([]).finite.sum(),
    "wrong level": lambda df: df.groupby(level=3).finite.sum(),
    "wrong level name": lambda df: df.groupby(level="nope").finite.sum(),
}  # fmt: skip


@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str) -> None:
    check_exchanged(KEYS[case], sample("few", "text", "finite"))


def test_levels_of_several() -> None:
    data = sample("few", "finite", "text", "int").set_index(["few", "text"])
    check_exchanged(lambda df: df.groupby(level=["few", "text"]).int.sum(), data)
    check_exchanged(lambda df: df.groupby(level=-1).int.max(), data)
    check_exchanged(lambda df: df.groupby(["text", "few"]).int.cumsum(), data)
    check_exchanged(lambda df: df.groupby(level=1).head(1), data)
    single = sample("few", "finite").set_index("few")
    check_exchanged(lambda df: df.finite.groupby(lambda label: label > 1).max(), single)


def test_lists() -> None:
    data = sample("few", "int", "finite")
    check_exchanged(lambda df: df.groupby("few").int.agg(list), data)
    check_exchanged(lambda df: df.groupby("few").agg(v=("int", list), n=("int", "sum")), data)
    lazy = dd.from_pandas(data, 3).groupby("few").finite
    found, expected = lazy.agg(list).compute(), data.groupby("few").finite.agg(list)
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize("kind", ["finite", "text", "int", "datetime"])
def test_unique(kind: str) -> None:
    data = sample("few", kind)
    expected = data.groupby("few")[kind].unique()
    for partitions in (1, 3, 17):
        found = dd.from_pandas(data, partitions).groupby("few")[kind].unique().compute()
        assert found.index.equals(expected.index)
        assert found.name == expected.name
        for values, wanted in zip(found, expected, strict=True):
            pd.testing.assert_series_equal(
                pd.Series(values, dtype=data[kind].dtype), pd.Series(wanted)
            )


def test_functions_show_their_types() -> None:
    data = sample("few", "text", "datetime", "int")
    made = dd.from_pandas(data, 3).groupby("few").agg(
        t=("text", lambda v: v.max()), d=("datetime", lambda v: v.min()), i=("int", lambda v: v.sum())
    )  # fmt: skip
    assert made.dtypes.astype(str).tolist() == ["str", "datetime64[us]", "float64"]
    assert made.compute().dtypes.astype(str).tolist() == ["str", "datetime64[us]", "int64"]


MEAN = dd.Aggregation(
    "own_mean",
    lambda s: (s.count(), s.sum()),
    lambda count, total: (count.sum(), total.sum()),
    lambda count, total: total / count,
)
TOTAL = dd.Aggregation("own_sum", lambda s: s.sum(), lambda s: s.sum())
DISTINCT = dd.Aggregation(
    "own_nunique",
    lambda s: s.apply(lambda values: list(set(values))),
    lambda s: s.obj.groupby(level=list(range(s.obj.index.nlevels))).sum(),
    lambda s: s.apply(lambda values: len(set(values))),
)


def _own_mean(values: Any) -> float:
    return float(values.sum() / values.count()) if values.count() else np.nan


@pytest.mark.parametrize("options", [{}, {"sort": False}, {"dropna": False}])
def test_own_aggregation(options: dict[str, Any]) -> None:
    data = sample("text", "few", "finite")
    for exchange in (64, None):
        for partitions in (1, 3, 17):
            with dd_config(exchange):
                lazy = dd.from_pandas(data, partitions).groupby("text", **options)
                found = lazy.agg({"finite": MEAN, "few": [TOTAL, "max"]}).compute()
            grouped = data.groupby("text", **options)
            assert list(found.columns) == [
                ("finite", "own_mean"), ("few", "own_sum"), ("few", "max")
            ]  # fmt: skip
            pd.testing.assert_series_equal(
                found["finite", "own_mean"], grouped.finite.mean(), check_names=False
            )
            pd.testing.assert_series_equal(
                found["few", "own_sum"], grouped.few.sum(), check_names=False
            )
            pd.testing.assert_series_equal(
                found["few", "max"], grouped.few.max(), check_names=False
            )


def dd_config(exchange: int | None) -> Any:
    import penstock

    return penstock.config.set({"exchange-memory": exchange, "verify-plans": True})


def test_own_aggregation_of_lists() -> None:
    data = sample("few", "int")
    lazy = dd.from_pandas(data, 3).groupby("few")
    found = lazy["int"].agg(DISTINCT).compute()
    pd.testing.assert_series_equal(found, data.groupby("few").int.nunique())
    found = lazy["int"].agg([DISTINCT, "median"]).compute()
    assert list(found.columns) == ["own_nunique", "median"]
    assert found["median"].tolist() == data.groupby("few").int.median().tolist()


def test_own_aggregation_of_wrong_shape() -> None:
    wrong = dd.Aggregation("wrong", lambda s: s.value_counts(), lambda s: s.sum())
    lazy = dd.from_pandas(sample("few", "int"), 2).groupby("few")
    with pytest.raises(TypeError, match="one for each"):
        lazy["int"].agg(wrong).compute()


def test_knobs_of_dask() -> None:
    lazy = dd.from_pandas(sample("few", "finite"), 2).groupby("few").finite
    assert lazy.sum(split_out=2, split_every=4).compute().equals(lazy.sum().compute())
    with pytest.raises(UnsupportedError, match="engine"):
        lazy.sum(engine="numba")
    with pytest.raises(TypeError, match="unexpected"):
        lazy.sum(splitout=2)


REFUSED: dict[str, Any] = {
    "grouper with frequency": lambda df: df.groupby(pd.Grouper(key="datetime", freq="D")),
    "arrays": lambda df: df.groupby([np.arange(7)]),
    "by and level": lambda df: df.groupby("few", level=0),
    "describe of text": lambda df: df.groupby("few").text.describe(),
    "describe include": lambda df: df.groupby("few").describe(include="all"),
    "quantiles without index": lambda df: df.groupby("few", as_index=False).int.quantile([0.5]),
    "apply without index": lambda df: df.groupby("few", as_index=False).apply(len),
    "apply of absent": lambda df: df.groupby("category", observed=False).int.apply(len),
    "cov of a column": lambda df: df.groupby("few").int.cov(),
    "bins": lambda df: df.groupby("few").int.value_counts(bins=3),
    "unknown": lambda df: df.groupby("few").int.agg("nope"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    lazy = dd.from_pandas(sample("few", "text", "int", "category", "datetime"), 2)
    with pytest.raises(UnsupportedError):
        REFUSED[case](lazy)


LEVELS: dict[str, Call] = {
    "reset": lambda df: df.groupby("few").agg({"finite": ["sum", "max"]}).reset_index(),
    "several keys": lambda df: (
        df.groupby(["few", "text"]).agg({"finite": ["sum"], "bool": ["any"]}).reset_index()
    ),
    "no index": lambda df: df.groupby("few", as_index=False).agg({"finite": ["sum", "count"]}),
    "key": lambda df: df.groupby("few").agg({"finite": ["sum"]}).reset_index()["few"],
    "attribute": lambda df: df.groupby("few").agg({"finite": ["sum", "max"]}).finite["max"],
}


@pytest.mark.parametrize("case", LEVELS)
@drawn("few finite text bool")
def test_keys_beside_columns_of_several_levels(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(LEVELS[case], frame)


TEXT_SUMS: dict[str, Call] = {
    "groups": lambda df: df.sort_values("finite").groupby("few").text.sum(),
    "groups and count": lambda df: (
        df.sort_values("finite").groupby("few").text.agg(["sum", "count"])
    ),
    "after a join": lambda df: (
        df.merge(df[["few"]].drop_duplicates(), on="few").groupby("few").text.sum()
    ),
    "all rows": lambda df: df.fillna({"text": "-"}).sort_values("finite").text.sum(),
    "all rows after a join": lambda df: (
        df.fillna({"text": "-"}).merge(df[["few"]].drop_duplicates(), on="few").text.sum()
    ),
}


@pytest.mark.parametrize("case", TEXT_SUMS)
@drawn("few finite text", max_examples=3)
def test_sums_of_texts_are_in_the_order_of_the_rows(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(TEXT_SUMS[case], frame.assign(finite=np.arange(len(frame))[::-1]))

"""groupby: keys of every kind, every reduction, every spelling of agg."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.oracle.exchanges import Call, check_exchanged, drawn, sample


def spread(values: Any) -> Any:
    """Return the distance between the extremes."""
    return values.max() - values.min()


def total(values: Any) -> float:
    """Return the sum."""
    return float(values.sum())


REDUCTIONS = (
    "sum", "prod", "mean", "count", "min", "max", "first", "last", "std", "var", "sem", "skew",
    "median", "nunique", "any", "all",
)  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@drawn("few finite float", max_examples=1)
def test_reduction_of_frame(reduction: str, frame: pd.DataFrame) -> None:
    check_exchanged(lambda df: getattr(df.groupby("few"), reduction)(), frame)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@drawn("text finite", max_examples=1)
def test_reduction_of_series(reduction: str, frame: pd.DataFrame) -> None:
    check_exchanged(lambda df: getattr(df.groupby("text").finite, reduction)(), frame)


KEYS: dict[str, Call] = {
    "int": lambda df: df.groupby("few").finite.sum(),
    "wide int": lambda df: df.groupby("int").finite.count(),
    "nullable int": lambda df: df.groupby("nullable_int").finite.sum(),
    "text": lambda df: df.groupby("text").finite.sum(),
    "float with NaN": lambda df: df.groupby("float").finite.max(),
    "bool": lambda df: df.groupby("bool").finite.mean(),
    "timestamp": lambda df: df.groupby("datetime").finite.sum(),
    "zoned": lambda df: df.groupby("zoned").finite.sum(),
    "timedelta": lambda df: df.groupby("timedelta").finite.sum(),
    "all missing": lambda df: df.groupby("all_missing").finite.sum(),
    "category": lambda df: df.groupby("category", observed=True).finite.sum(),
    "category, all": lambda df: df.groupby("category", observed=False).finite.sum(),
    "category, all, mean": lambda df: df.groupby("category", observed=False).finite.mean(),
    "category, all, frame": lambda df: df.groupby("category", observed=False)[["few"]].max(),
    "category, all, size": lambda df: df.groupby("category", observed=False).size(),
    "ordered category": lambda df: df.groupby("ordered_category", observed=True).few.max(),
    "several": lambda df: df.groupby(["few", "text"]).finite.sum(),
    "several with NaN": lambda df: df.groupby(["float", "datetime"], dropna=False).few.sum(),
    "category and int": lambda df: df.groupby(["category", "few"], observed=True).finite.sum(),
    "category and int, all": lambda df: df.groupby(["category", "few"], observed=False)
    .finite.sum(),
    "list of one": lambda df: df.groupby(["few"]).finite.sum(),
    "series": lambda df: df.groupby(df.few).finite.sum(),
    "series of another name": lambda df: df.groupby(df.few.rename("key")).finite.sum(),
    "expression": lambda df: df.groupby(df.few % 2).finite.sum(),
    "comparison": lambda df: df.groupby(df.finite > 0).few.sum(),
    "expression and label": lambda df: df.groupby([df.few % 2, "text"]).finite.sum(),
    "two expressions": lambda df: df.groupby([df.few % 2, df.finite > 0]).finite.count(),
    "expression, frame": lambda df: df[["few", "finite"]].groupby(df.few % 2).sum(),
    "index level": lambda df: df.set_index("few").groupby(level=0).finite.sum(),
    "index name": lambda df: df.set_index("few").groupby("few").finite.sum(),
    "index level name": lambda df: df.set_index("few").groupby(level="few")[["finite"]].sum(),
    "missing column": lambda df: df.groupby("nope").finite.sum(),
    "missing value column": lambda df: df.groupby("few")["nope"].sum(),
}  # fmt: skip
KEY_KINDS = (
    "few int nullable_int text float bool datetime zoned timedelta all_missing category "
    "ordered_category finite"
)


@pytest.mark.parametrize("case", KEYS)
@drawn(KEY_KINDS, max_examples=1)
def test_keys(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(KEYS[case], frame)


OPTIONS: dict[str, Call] = {
    "dropna=False": lambda df: df.groupby("text", dropna=False).finite.sum(),
    "dropna=False, float": lambda df: df.groupby("float", dropna=False).few.sum(),
    "dropna=False, several": lambda df: df.groupby(["text", "float"], dropna=False).size(),
    "dropna=False, category": lambda df: df.groupby("category", dropna=False, observed=True)
    .few.sum(),
    "sort=False": lambda df: df.groupby("text", sort=False).finite.sum(),
    "sort=False, dropna=False": lambda df: df.groupby("text", sort=False, dropna=False).few.sum(),
    "sort=False, several": lambda df: df.groupby(["few", "text"], sort=False).finite.max(),
    "sort=False, median": lambda df: df.groupby("text", sort=False).finite.median(),
    "sort=False, first": lambda df: df.groupby("few", sort=False).finite.first(),
    "sort=False, then head": lambda df: df.groupby("text", sort=False).few.sum().reset_index(),
    "as_index=False": lambda df: df.groupby("text", as_index=False).finite.sum(),
    "as_index=False, frame": lambda df: df.groupby("few", as_index=False)[["finite"]].mean(),
    "as_index=False, several": lambda df: df.groupby(["few", "text"], as_index=False)
    .finite.max(),
    "as_index=False, size": lambda df: df.groupby("few", as_index=False).size(),
    "as_index=False, agg": lambda df: df.groupby("few", as_index=False).agg({"finite": "sum"}),
    "as_index=False, sort=False": lambda df: df.groupby("text", as_index=False, sort=False)
    .finite.sum(),
    "min_count": lambda df: df.groupby("few").finite.sum(min_count=2),
    "prod min_count": lambda df: df.groupby("few").finite.prod(min_count=1),
    "ddof": lambda df: df.groupby("few").finite.std(ddof=0),
    "nunique dropna=False": lambda df: df.groupby("few").finite.nunique(dropna=False),
    "numeric_only": lambda df: df.groupby("few").mean(numeric_only=True),
    "numeric_only sum": lambda df: df.groupby("few").sum(numeric_only=True),
    "mean of text": lambda df: df.groupby("few").text.mean(),
    "sum of text": lambda df: df.groupby("few").text.sum(),
    "max of text": lambda df: df.groupby("few").text.max(),
    "first of text": lambda df: df.groupby("few").text.first(),
    "last of category": lambda df: df.groupby("few").category.last(),
    "nunique of text": lambda df: df.groupby("few").text.nunique(),
    "quantile": lambda df: df.groupby("few").finite.quantile(0.3),
    "quantile, frame": lambda df: df.groupby("few")[["finite"]].quantile(0.9),
    "quantile lower": lambda df: df.groupby("few").finite.quantile(0.5, interpolation="lower"),
    "size": lambda df: df.groupby("few").size(),
    "size of column": lambda df: df.groupby("few").finite.size(),
    "size of two keys": lambda df: df.groupby(["few", "text"]).size(),
    "columns chosen": lambda df: df.groupby("few")[["finite", "float"]].sum(),
    "column twice used": lambda df: df.groupby("few").few.sum(),
    "after filter": lambda df: df[df.finite > 0].groupby("few").float.sum(),
    "after assign": lambda df: df.assign(z=df.few * 2).groupby("z").finite.sum(),
    "then arithmetic": lambda df: df.groupby("few").finite.sum() + 1,
    "then filter": lambda df: df.groupby("text", as_index=False).few.sum().query("few > 0"),
    "then sort": lambda df: df.groupby("text").few.sum().sort_values(),
    "then reset": lambda df: df.groupby("text").few.sum().reset_index(),
    "groupby of a groupby": lambda df: df.groupby(["few", "text"]).finite.count().reset_index()
    .groupby("few").finite.max(),
    "after sort": lambda df: df.sort_values("finite").groupby("few").float.first(),
    "after sort, last": lambda df: df.sort_values("finite", ascending=False)
    .groupby("text").few.last(),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS)
@drawn("few text float finite category", max_examples=1)
def test_options(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(OPTIONS[case], frame)


SPELLINGS: dict[str, Call] = {
    "string": lambda df: df.groupby("few").agg("sum"),
    "string of holistic": lambda df: df.groupby("few").agg("median"),
    "list": lambda df: df.groupby("few").agg(["sum", "max"]),
    "dict": lambda df: df.groupby("few").agg({"finite": "sum", "float": "max"}),
    "dict of lists": lambda df: df.groupby("few").agg({"finite": ["min", "max"], "float": ["sum"]}),
    "dict of list and string": lambda df: df.groupby("few")
    .agg({"finite": ["min", "max"], "float": "sum"}),
    "named": lambda df: df.groupby("few")
    .agg(low=("finite", "min"), high=("finite", "max"), n=("float", "count")),
    "NamedAgg": lambda df: df.groupby("few").agg(n=pd.NamedAgg("float", "size")),
    "np.sum": lambda df: df.groupby("few").agg(np.sum),
    "np.mean in dict": lambda df: df.groupby("few").agg({"finite": np.mean}),
    "np.max in list": lambda df: df.groupby("few").agg([np.max, "min"]),
    "builtin max": lambda df: df.groupby("few").agg(max),
    "own function": lambda df: df.groupby("few").agg(total),
    "own function in list": lambda df: df.groupby("few").finite.agg([total, "sum"]),
    "own function in dict": lambda df: df.groupby("few").agg({"finite": spread}),
    "own function named": lambda df: df.groupby("few").agg(width=("finite", spread)),
    "lambda": lambda df: df.groupby("few").finite.agg(lambda values: float(values.count())),
    "lambda named": lambda df: df.groupby("few").finite.agg(n=lambda values: values.count()),
    "decomposable and holistic": lambda df: df.groupby("few").finite.agg(["mean", "median"]),
    "series string": lambda df: df.groupby("few").finite.agg("sum"),
    "series list": lambda df: df.groupby("few").finite.agg(["sum", "count"]),
    "series list of one": lambda df: df.groupby("few").finite.agg(["sum"]),
    "series named": lambda df: df.groupby("few").finite.agg(low="min", high="max"),
    "aggregate": lambda df: df.groupby("few").aggregate({"finite": "mean"}),
    "missing column": lambda df: df.groupby("few").agg({"nope": "sum"}),
    "nothing": lambda df: df.groupby("few").agg(),
    "one of dict then": lambda df: df.groupby("few").agg({"finite": ["min"]})["finite"],
    "then column": lambda df: df.groupby("few").agg(a=("finite", "sum"), b=("float", "max")).a,
    "std and mean": lambda df: df.groupby("few").finite.agg(["std", "mean", "var", "count"]),
    "two of one column": lambda df: df.groupby("few").agg({"few": "count", "finite": "sum"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLINGS)
@drawn("few finite float", max_examples=1)
def test_spellings(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(SPELLINGS[case], frame)


VALUE_COUNTS: dict[str, Call] = {
    "default": lambda df: df.groupby("few").text.value_counts(),
    "unsorted": lambda df: df.groupby("few").text.value_counts(sort=False),
    "ascending": lambda df: df.groupby("few").text.value_counts(ascending=True),
    "normalize": lambda df: df.groupby("few").text.value_counts(normalize=True),
    "dropna=False": lambda df: df.groupby("few").text.value_counts(dropna=False),
    "of numbers": lambda df: df.groupby("text").few.value_counts(),
}


@pytest.mark.parametrize("case", VALUE_COUNTS)
@drawn("few text", max_examples=1)
def test_value_counts(case: str, frame: pd.DataFrame) -> None:
    # pandas sorts the groups by an unstable sort: its order of ties is arbitrary
    check_exchanged(VALUE_COUNTS[case], frame, check_order=False)


@pytest.mark.parametrize(
    "reduction", ["sum", "mean", "min", "first", "var", "median", "nunique", "count"]
)
@pytest.mark.parametrize(
    "kind", ["nullable_int", "nullable_bool", "timedelta", "datetime", "zoned"]
)
def test_value_kinds(reduction: str, kind: str) -> None:
    check_exchanged(lambda df: getattr(df.groupby("few")[kind], reduction)(), sample("few", kind))

"""Methods that give a value for each value: missing ones, bounds, casts, replacement, ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.harness import Call, check, drawn, sample

NUMBERS: dict[str, Call] = {
    "isna": lambda df: df.isna(),
    "notna": lambda df: df.finite.notna(),
    "isnull": lambda df: df.isnull(),
    "notnull": lambda df: df.finite.notnull(),
    "fillna": lambda df: df.fillna(0),
    "fillna float": lambda df: df.fillna(1.5),
    "fillna dict": lambda df: df.fillna({"finite": -1, "nope": 2}),
    "fillna row": lambda df: df.fillna(df.mean()),
    "fillna lazy": lambda df: df.finite.fillna(df.finite.mean()),
    "fillna series": lambda df: df.finite.fillna(df.few),
    "fillna lazy dict": lambda df: df.fillna({"finite": df.few.max(), "few": df.few.sum()}),
    "fillna pandas series": lambda df: df.fillna(pd.Series({"finite": 9})),
    "isin": lambda df: df.few.isin([0, 2]),
    "isin of frame": lambda df: df.isin([0, 1.5]),
    "isin dict": lambda df: df.isin({"few": [0, 2], "finite": [1.5]}),
    "isin set": lambda df: df.few.isin({1, 7}),
    "isin nothing": lambda df: df.few.isin([]),
    "isin array": lambda df: df.few.isin(np.array([1, 5])),
    "isin pandas series": lambda df: df.few.isin(pd.Series([1, 5])),
    "isin missing": lambda df: df.finite.isin([np.nan, 1.5]),
    "not isin": lambda df: ~df.few.isin([0]),
    "between": lambda df: df.few.between(1, 2),
    "between neither": lambda df: df.finite.between(-3, 1.5, inclusive="neither"),
    "between left": lambda df: df.finite.between(-3, 1.5, inclusive="left"),
    "between series": lambda df: df.finite.between(df.small_int, df.few),
    "between lazy": lambda df: df.finite.between(df.finite.min(), df.finite.mean()),
    "clip": lambda df: df.clip(0, 1),
    "clip lower": lambda df: df.finite.clip(lower=0.5),
    "clip upper": lambda df: df.few.clip(upper=1),
    "clip float": lambda df: df.few.clip(0.5, 1.5),
    "clip lazy": lambda df: df.finite.clip(lower=df.finite.mean()),
    "clip series": lambda df: df.finite.clip(df.small_int, df.small_int + 10),
    "round": lambda df: df.round(),
    "round decimals": lambda df: df.finite.round(1),
    "round dict": lambda df: df.round({"finite": 1}),
    "round negative": lambda df: df.small_int.round(-1),
    "abs": lambda df: df.finite.abs(),
    "astype float": lambda df: df.astype("float64"),
    "astype dict": lambda df: df.astype({"few": "int8", "small_int": "float32"}),
    "astype unknown column": lambda df: df.astype({"nope": "int8"}),
    "astype str": lambda df: df.few.astype(str),
    "astype bool": lambda df: df.few.astype(bool),
    "astype int": lambda df: df.finite.fillna(0).astype("int64"),
    "astype int of missing": lambda df: df.finite.astype("int64"),
    "astype nullable": lambda df: df.few.astype("Int64"),
    "astype category": lambda df: df.few.astype("category"),
    "astype nonsense": lambda df: df.few.astype("nonsense"),
    "map dict": lambda df: df.few.map({0: "a", 1: "b"}),
    "map whole dict": lambda df: df.few.map({0: 10, 1: 20, 2: 30}),
    "map function": lambda df: df.few.map(lambda v: v * 2.5),
    "map series": lambda df: df.few.map(pd.Series([7, 8, 9])),
    "replace": lambda df: df.few.replace(0, 5),
    "replace list": lambda df: df.few.replace([0, 1], 5),
    "replace lists": lambda df: df.few.replace([0, 1], [1, 0]),
    "replace dict": lambda df: df.few.replace({0: 100, 2: 200}),
    "replace frame": lambda df: df.replace(0, 5),
    "replace by column": lambda df: df.replace({"few": {0: 9}}),
    "replace missing": lambda df: df.finite.replace(np.nan, 3.0),
    "to_numeric": lambda df: _function("to_numeric", df.few.astype(str), df),
    "np.log1p": lambda df: np.log1p(df.few),
    "np.sqrt frame": np.sqrt,
    "np.exp negative": lambda df: np.exp(-df.few),
    "np.add": lambda df: np.add(df.few, df.finite),
    "np.subtract scalar": lambda df: np.subtract(10, df.few),
    "np.maximum": lambda df: np.maximum(df.few, df.finite),
    "np.minimum scalar": lambda df: np.minimum(df.few, 1),
    "np.power": lambda df: np.power(df.few, 2),
    "np.hypot first": lambda df: np.hypot(3, df.few),
    "np.isnan": lambda df: np.isnan(df.finite),
    "np.isfinite": lambda df: np.isfinite(df.finite),
    "np.absolute": lambda df: np.abs(df.finite),
    "np.negative": lambda df: np.negative(df.few),
    "np.sign": lambda df: np.sign(df.finite),
    "np.floor": lambda df: np.floor(df.finite),
    "np.greater": lambda df: np.greater(df.few, 1),
    "np.logical_and": lambda df: np.logical_and(df.few > 0, df.finite > 0),
    "np.logical_not": lambda df: np.logical_not(df.few > 0),
    "np.arctan2": lambda df: np.arctan2(df.finite, df.few),
    "filter then cast": lambda df: df[df.finite.notna()].finite.astype("int64"),
    "filter by a cast": lambda df: df[df.finite.notna()][lambda d: d.finite.astype("int64") > 0],
}


def _function(name: str, series: Any, frame: Any, **options: Any) -> Any:
    library = pd if isinstance(frame, pd.DataFrame) else dd
    return getattr(library, name)(series, **options)


@pytest.mark.parametrize("case", NUMBERS)
@drawn("few small_int finite")
def test_numbers(case: str, frame: pd.DataFrame) -> None:
    check(NUMBERS[case], frame)


KINDS: dict[str, Call] = {
    "isna": lambda df: df.isna(),
    "fillna text": lambda df: df.text.fillna("?"),
    "fillna text by text": lambda df: df.text.fillna(df.text + "!"),
    "fillna nullable": lambda df: df.nullable_int.fillna(0),
    "fillna datetime": lambda df: df.datetime.fillna(pd.Timestamp("2000-01-01")),
    "fillna timedelta": lambda df: df.timedelta.fillna(pd.Timedelta(0)),
    "fillna category": lambda df: df.category.fillna("low"),
    "fillna zoned": lambda df: df.zoned.fillna(pd.Timestamp("2000-01-01", tz="UTC")),
    "fillna dict": lambda df: df.fillna({"text": "", "nullable_int": 1}),
    "isin text": lambda df: df.text.isin(["a b", ""]),
    "isin text missing": lambda df: df.text.isin([None]),
    "isin category": lambda df: df.category.isin(["low", "nope"]),
    "isin datetime": lambda df: df.datetime.isin([pd.Timestamp("1970-01-01")]),
    "isin nullable": lambda df: df.nullable_int.isin([1]),
    "between text": lambda df: df.text.between("a", "b"),
    "between datetime": lambda df: df.datetime.between("1970-01-01", "2021-12-31"),
    "clip nullable": lambda df: df.nullable_int.clip(0, 5),
    "clip datetime": lambda df: df.datetime.clip(pd.Timestamp("1970-01-01")),
    "clip text": lambda df: df.text.clip("b"),
    "round mixed": lambda df: df[["text", "nullable_int"]].round(1),
    "abs text": lambda df: df.text.abs(),
    "astype text to int": lambda df: df.text.astype("int64"),
    "astype text to category": lambda df: df.text.astype("category"),
    "astype category to str": lambda df: df.category.astype(str),
    "astype nullable to float": lambda df: df.nullable_int.astype("float64"),
    "astype nullable to int": lambda df: df.nullable_int.fillna(0).astype("int64"),
    "astype bool to int": lambda df: df.bool.astype(int),
    "astype datetime to int": lambda df: df.timedelta.fillna(pd.Timedelta(0)).astype("int64"),
    "astype datetime unit": lambda df: df.datetime.astype("datetime64[s]"),
    "astype zone": lambda df: df.zoned.astype("datetime64[us, UTC]"),
    "astype string": lambda df: df.text.astype("string"),
    "astype known categories": lambda df: df.text.astype(pd.CategoricalDtype(["a b", ""])),
    "where category": lambda df: df.category.where(df.bool),
    "where category other": lambda df: df.category.where(df.bool, "mid"),
    "where datetime": lambda df: df.datetime.where(df.bool),
    "where nullable": lambda df: df.nullable_int.where(df.bool),
    "mask zoned": lambda df: df.zoned.mask(df.bool),
    "mask all": lambda df: df.mask(df.bool),
    "map text function": lambda df: df.text.map(len, na_action="ignore"),
    "map datetime": lambda df: df.datetime.map(lambda t: t.year),
    "replace text": lambda df: df.text.replace("a b", "c"),
    "replace regex": lambda df: df.text.replace("^a", "b", regex=True),
    "replace regex dict": lambda df: df.text.replace({"a": "x", "b$": "y"}, regex=True),
    "to_numeric coerce": lambda df: _function("to_numeric", df.text, df, errors="coerce"),
    "to_timedelta": lambda df: _function("to_timedelta", df.bool.astype(int), df, unit="s"),
    "np.sqrt of text": lambda df: np.sqrt(df.text),
}


@pytest.mark.parametrize("case", KINDS)
@drawn("bool nullable_int text category datetime zoned timedelta")
def test_kinds(case: str, frame: pd.DataFrame) -> None:
    check(KINDS[case], frame)


UFUNCS = (
    "arccos", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2",
    "expm1", "fabs", "isinf", "log", "log10", "log2", "positive", "radians", "reciprocal", "rint",
    "signbit", "sin", "square", "tan", "tanh", "trunc",
)  # fmt: skip


@pytest.mark.parametrize("name", UFUNCS)
def test_functions_of_numpy(name: str) -> None:
    check(getattr(np, name), sample("few", "small_int", "finite", "float"))


@drawn("float int")
def test_extremes(frame: pd.DataFrame) -> None:
    for call in (np.abs, np.sign, np.floor, lambda df: df.clip(-1, 1), lambda df: df.round(2)):
        check(call, frame)


def test_to_datetime() -> None:
    frame = pd.DataFrame({"text": ["2021-03-28", None, "1970-01-01", "2024-02-29"]}, dtype="str")
    for options in ({}, {"format": "%Y-%m-%d"}, {"errors": "coerce"}):
        check(
            lambda df, options=options: _function("to_datetime", df.text, df, **options).astype(
                "datetime64[us]"
            ),
            frame,
        )
    check(lambda df: _function("to_datetime", df.text + "?", df), frame)


def test_map_of_kinds() -> None:
    frame = sample("text", "category")
    check(lambda df: df.text.map({"a b": 1, "": 2}), frame)
    check(lambda df: df.category.map({"low": 1, "high": 3}), frame)

"""Reductions along rows and columns, labels of extremes, and running ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.harness import check, drawn, sample

SIMPLE = ("sum", "mean", "min", "max", "count", "prod", "any", "all")
MOMENTS = ("std", "var", "sem", "skew", "kurt")
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    **dict.fromkeys(SIMPLE, ({}, {"skipna": False})),
    **dict.fromkeys(MOMENTS, ({}, {"skipna": False})),
    "count": ({},),
    "sum": ({}, {"skipna": False}, {"min_count": 1}, {"min_count": 100}),
    "prod": ({}, {"skipna": False}, {"min_count": 2}),
    "std": ({}, {"skipna": False}, {"ddof": 0}),
    "var": ({}, {"ddof": 0}, {"ddof": 5}),
    "sem": ({}, {"ddof": 0}),
}
_CASES = [
    pytest.param(name, options, id=f"{name}-{','.join(map(str, options.items()))}")
    for name, several in OPTIONS.items()
    for options in several
]


@pytest.mark.parametrize(("name", "options"), _CASES)
@drawn("few small_int finite bool", max_examples=2)
def test_numbers(name: str, options: dict[str, Any], frame: pd.DataFrame) -> None:
    numbers = frame[["few", "small_int", "finite"]]
    if name in ("skew", "kurt"):
        numbers = numbers[["few"]]
    check(lambda df: getattr(df, name)(**options), numbers, rtol=1e-7)
    for label in (*numbers, "bool"):
        check(lambda df, label=label: getattr(df[label], name)(**options), frame, rtol=1e-7)


@pytest.mark.parametrize(("name", "options"), _CASES)
@drawn("few small_int finite bool", max_examples=2)
def test_across_columns(name: str, options: dict[str, Any], frame: pd.DataFrame) -> None:
    # without rows, pandas makes everything a float
    compare = {"rtol": 1e-7, "check_dtype": len(frame) > 0}
    check(lambda df: getattr(df, name)(axis=1, **options), frame[["few", "finite"]], **compare)
    integers = frame[["few", "small_int"]]
    check(lambda df: getattr(df, name)(axis="columns", **options), integers, **compare)


_REFUSED = {
    **dict.fromkeys(("datetime", "zoned", "timedelta"), ("sem",)),
    **dict.fromkeys(("category", "ordered_category"), ("any", "all")),
}


@pytest.mark.parametrize("name", [*SIMPLE, *MOMENTS])
@pytest.mark.parametrize(
    "kind",
    ["nullable_int", "nullable_bool", "text", "datetime", "zoned", "timedelta", "category",
     "ordered_category", "all_missing"],
)  # fmt: skip
def test_kinds(name: str, kind: str) -> None:
    if name in _REFUSED.get(kind, ()):
        pytest.skip("pandas refuses what has a meaning here")
    frame = sample(kind).iloc[:6]  # the last date is one whose mean pandas rounds
    for each in (frame, frame.iloc[:1]):
        if name == "std" and kind in ("datetime", "zoned", "timedelta"):
            check(lambda df: df[kind].std() / pd.Timedelta("1s"), each)
        else:
            check(lambda df: getattr(df[kind], name)(), each, rtol=1e-7)


@pytest.mark.parametrize("name", ["min", "max", "count", "mean", "sum", "std"])
@drawn("few text nullable_int bool datetime finite", max_examples=2)
def test_numeric_only(name: str, frame: pd.DataFrame) -> None:
    frame = frame.drop(columns="nullable_int")
    compare = {"rtol": 1e-7, "check_dtype": len(frame) > 0}
    check(lambda df: getattr(df, name)(numeric_only=True), frame, **compare)
    check(lambda df: getattr(df, name)(), frame, **compare)


@drawn("few text finite")
def test_some(frame: pd.DataFrame) -> None:
    for call in (
        lambda df: df[["few", "finite"]].median(axis=1),
        lambda df: df.median(axis=1, numeric_only=True),
        lambda df: df.sum(axis=1, numeric_only=True),
        lambda df: df[["few", "finite"]].sum().sum(),
        lambda df: df.few.sum() / df.few.count(),
        lambda df: (df.few > 0).sum(),
        lambda df: (df.few > 0).mean(),
        lambda df: df[df.few > 0].finite.sum(),
        lambda df: df.isna().sum(),
        lambda df: df[[]].sum(),
        lambda df: len(df[df.few > 0]),
        lambda df: df.isna().sum().sum(),
        lambda df: df[["few", "finite"]].count().max(),
        lambda df: df.isna().sum().loc[lambda s: s > 1],
        lambda df: df[["few", "finite"]].sum().to_frame(),
        lambda df: df[["few", "finite"]].sum().nope,
        lambda df: df.few.sum(axis=5),
    ):
        check(call, frame, rtol=1e-7)


@pytest.mark.parametrize("name", ["idxmin", "idxmax"])
@drawn("few finite small_int datetime")
def test_labels_of_extremes(name: str, frame: pd.DataFrame) -> None:
    check(lambda df: getattr(df.few, name)(), frame)
    check(lambda df: getattr(df.finite, name)(), frame)
    check(lambda df: getattr(df.datetime, name)(), frame)
    check(lambda df: getattr(df[["few", "small_int"]], name)(), frame)
    check(lambda df: getattr(df, name)(numeric_only=True), frame)
    check(lambda df: getattr(df[["few", "small_int"]], name)(axis=1), frame)
    labelled = frame.set_index(pd.Index([f"r{i}" for i in range(len(frame))], name="row"))
    check(lambda df: getattr(df.few, name)(), labelled)


@drawn("int float", max_examples=6)
def test_extreme_values(frame: pd.DataFrame) -> None:
    for name in ("min", "max", "count", "any", "all"):
        check(lambda df, name=name: getattr(df, name)(), frame)
    check(lambda df: df.int.sum(), frame)


RUNNING = ("cumsum", "cumprod", "cummax", "cummin")


@pytest.mark.parametrize("skipna", [True, False])
@pytest.mark.parametrize("name", RUNNING)
@drawn("few small_int finite bool")
def test_running(name: str, skipna: bool, frame: pd.DataFrame) -> None:
    check(lambda df: getattr(df, name)(skipna=skipna), frame.drop(columns="bool"))
    check(lambda df: getattr(df.finite, name)(skipna=skipna), frame)
    check(lambda df: getattr(df.bool, name)(skipna=skipna), frame)
    check(lambda df: getattr(df[df.few > 0].finite, name)(), frame)


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("kind", ["nullable_int", "datetime", "timedelta", "text", "category"])
def test_running_kinds(name: str, kind: str) -> None:
    check(lambda df: getattr(df[kind], name)(), sample(kind))


@drawn("few finite")
def test_running_across_columns(frame: pd.DataFrame) -> None:
    check(lambda df: df.cumsum(axis=1), frame)


@pytest.mark.parametrize("periods", [0, 1, -1, 3, -20])
@drawn("few finite text bool datetime")
def test_shift(periods: int, frame: pd.DataFrame) -> None:
    check(lambda df: df.shift(periods), frame.drop(columns="bool"), check_dtype=len(frame) > 0)
    check(lambda df: df.few.shift(periods), frame)
    check(lambda df: df.few.shift(periods, fill_value=0), frame)
    check(lambda df: df[df.few > 0].text.shift(periods), frame)
    check(lambda df: df[["few", "finite", "datetime"]].diff(periods), frame)


@pytest.mark.parametrize(
    "kind", ["bool", "nullable_int", "category", "zoned", "timedelta", "small_int"]
)
def test_shift_of_kinds(kind: str) -> None:
    frame = sample(kind)
    check(lambda df: df[kind].shift(2), frame)
    if kind != "bool":  # pandas gives objects
        check(lambda df: df[kind].diff(), frame)


def test_values_are_numpy_scalars() -> None:
    frame = dd.from_pandas(sample("few", "finite", "text"), 3)
    assert isinstance(frame.few.sum().compute(), np.int64)
    assert isinstance(frame.finite.mean().compute(), np.float64)
    assert isinstance(frame.text.max().compute(), str)

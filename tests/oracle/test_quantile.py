"""Quantiles, medians and describe, exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.oracle.exchanges import Call, check_exchanged, drawn, sample

if TYPE_CHECKING:
    import pandas as pd

CASES: dict[str, Call] = {
    "median by default": lambda df: df.finite.quantile(),
    "one": lambda df: df.finite.quantile(0.3),
    "list": lambda df: df.finite.quantile([0.1, 0.5, 0.9]),
    "unsorted list": lambda df: df.finite.quantile([0.9, 0.0, 1.0, 0.5]),
    "ends": lambda df: df.few.quantile([0, 1]),
    "frame": lambda df: df.quantile(0.25),
    "frame, list": lambda df: df.quantile([0.25, 0.75]),
    "frame, numeric_only": lambda df: df.quantile(0.5, numeric_only=True),
    "median": lambda df: df.finite.median(),
    "median of frame": lambda df: df.median(),
    "median, missing": lambda df: df.finite.median(skipna=False),
    "median of frame, missing": lambda df: df.median(skipna=False),
    "median after filter": lambda df: df[df.finite > 0].finite.median(skipna=False),
    "describe": lambda df: df.describe(),
    "describe of series": lambda df: df.finite.describe(),
    "describe percentiles": lambda df: df.describe(percentiles=[0.1, 0.99]),
    "out of range": lambda df: df.finite.quantile(1.5),
    "expression": lambda df: (df.few * 2).quantile(0.4),
    "after filter": lambda df: df[df.few > 0].finite.quantile(0.5),
    "used in a filter": lambda df: df[df.few >= df.few.quantile(0.5)],
    "difference": lambda df: df.finite.quantile(0.75) - df.finite.quantile(0.25),
    **{
        interpolation: lambda df, interpolation=interpolation: df.finite.quantile(
            [0.2, 0.5, 0.77], interpolation=interpolation
        )
        for interpolation in ("linear", "lower", "higher", "midpoint", "nearest")
    },
}


@pytest.mark.parametrize("case", CASES)
@drawn("few finite", max_examples=3)
def test_quantile(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(CASES[case], frame)


@pytest.mark.parametrize("kind", ["float", "small_int", "datetime", "timedelta"])
def test_kinds(kind: str) -> None:
    frame = sample(kind)
    check_exchanged(lambda df: df[kind].quantile(0.3), frame)
    check_exchanged(lambda df: df[kind].quantile([0.5]), frame)
    check_exchanged(lambda df: df[kind].median(), frame)
    check_exchanged(lambda df: df[kind].median(skipna=False), frame)


def test_describe_keeps_the_order_of_columns() -> None:
    check_exchanged(lambda df: df.describe(), sample("finite", "text", "few", "small_int"))

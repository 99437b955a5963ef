"""Distinct values: drop_duplicates, unique, nunique, value_counts, mode."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.oracle.exchanges import Call, check_exchanged, drawn, sample

ROWS: dict[str, Call] = {
    "all columns": lambda df: df.drop_duplicates(),
    "of few columns": lambda df: df[["few", "bool"]].drop_duplicates(),
    "last": lambda df: df[["few", "bool"]].drop_duplicates(keep="last"),
    "none": lambda df: df[["few", "bool"]].drop_duplicates(keep=False),
    "subset": lambda df: df.drop_duplicates("few"),
    "subset list": lambda df: df.drop_duplicates(["few", "text"]),
    "subset last": lambda df: df.drop_duplicates("text", keep="last"),
    "subset none": lambda df: df.drop_duplicates(subset=["text"], keep=False),
    "ignore_index": lambda df: df.drop_duplicates("few", ignore_index=True),
    "float": lambda df: df.drop_duplicates("float"),
    "series": lambda df: df.text.drop_duplicates(),
    "series last": lambda df: df.float.drop_duplicates(keep="last"),
    "series none": lambda df: df.few.drop_duplicates(keep=False),
    "after sort": lambda df: df.sort_values("finite", **_stable(df)).drop_duplicates("few"),
    "after filter": lambda df: df[df.few > 0].drop_duplicates("few"),
    "then sort": lambda df: df.drop_duplicates("text").sort_values("text"),
    "then columns": lambda df: df.drop_duplicates("text")[["few"]],
    "then sum": lambda df: df.drop_duplicates("text").few.sum(),
    "then len": lambda df: len(df.drop_duplicates("few")),
    "then head": lambda df: df.drop_duplicates("few").head(2),
    "then groupby": lambda df: df.drop_duplicates("text").groupby("few").size(),
}  # fmt: skip


def _stable(frame: Any) -> dict[str, str]:
    return {"kind": "stable"} if isinstance(frame, pd.DataFrame) else {}


@pytest.mark.parametrize("case", ROWS)
@drawn("few float finite text bool", max_examples=2)
def test_rows(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(ROWS[case], frame)


COUNTS: dict[str, Call] = {
    "nunique": lambda df: df.nunique(),
    "nunique dropna=False": lambda df: df.nunique(dropna=False),
    "nunique of series": lambda df: df.text.nunique(),
    "nunique of float": lambda df: df.float.nunique(dropna=False),
    "value_counts": lambda df: df.text.value_counts(),
    "value_counts of numbers": lambda df: df.few.value_counts(),
    "value_counts of float": lambda df: df.float.value_counts(dropna=False),
    "value_counts ascending": lambda df: df.few.value_counts(ascending=True),
    "value_counts unsorted": lambda df: df.text.value_counts(sort=False),
    "value_counts dropna=False": lambda df: df.text.value_counts(dropna=False),
    "value_counts normalize": lambda df: df.text.value_counts(normalize=True),
    "value_counts normalize dropna=False": lambda df: df.text.value_counts(
        normalize=True, dropna=False
    ),
    "value_counts of expression": lambda df: (df.few % 2).value_counts(),
    "value_counts then head": lambda df: df.few.value_counts().head(1),
    "value_counts then reset": lambda df: df.few.value_counts().reset_index(),
    "mode": lambda df: df.few.mode(),
    "mode of text": lambda df: df.text.mode(),
    "mode of float": lambda df: df.float.mode(),
    "mode dropna=False": lambda df: df.text.mode(dropna=False),
}


@pytest.mark.parametrize("case", COUNTS)
@drawn("few float text", max_examples=2)
def test_counts(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(COUNTS[case], frame)


KINDS = (
    "int", "nullable_int", "nullable_bool", "bool", "datetime", "timedelta", "zoned", "category",
    "ordered_category", "all_missing",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    frame = sample(kind, "few")
    check_exchanged(lambda df: df.drop_duplicates(kind), frame)
    check_exchanged(lambda df: df[kind].nunique(), frame)
    check_exchanged(lambda df: df[kind].value_counts(), frame)
    check_exchanged(lambda df: df[kind].mode(), frame)


@pytest.mark.parametrize("column", ["few", "text", "float", "datetime", "category", "bool"])
@drawn("few text float datetime category bool", max_examples=1)
def test_unique(column: str, frame: pd.DataFrame) -> None:
    def unique(df: Any) -> Any:
        values = df[column].unique()  # an array in pandas, which has no lazy one
        return pd.Series(values, name=column) if isinstance(df, pd.DataFrame) else values

    check_exchanged(unique, frame)

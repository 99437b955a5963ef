"""concat: frames below each other and side by side."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import SchemaError
from tests.oracle.exchanges import Call, check_exchanged, drawn, sample


def concat(frames: list[Any], **options: Any) -> Any:
    """Concatenate in the library of `frames`."""
    pandas = isinstance(frames[0], pd.DataFrame | pd.Series)
    return (pd if pandas else dd).concat(frames, **options)


CASES: dict[str, Call] = {
    "twice": lambda df: concat([df, df]),
    "three": lambda df: concat([df, df[df.few > 0], df]),
    "ignore_index": lambda df: concat([df, df], ignore_index=True),
    "other columns": lambda df: concat([df[["few", "finite"]], df[["few", "text"]]]),
    "inner": lambda df: concat([df[["few", "finite"]], df[["few", "text"]]], join="inner"),
    "inner, other order": lambda df: concat([df[["few", "text"]], df[["text", "few"]]]),
    "int and float": lambda df: concat(
        [df[["few"]], df[["finite"]].rename(columns={"finite": "few"})]
    ),
    "small int and int": lambda df: concat(
        [df[["small_int"]], df[["few"]].rename(columns={"few": "small_int"})]
    ),
    "small int and float": lambda df: concat(
        [df[["small_int"]], df[["finite"]].rename(columns={"finite": "small_int"})]
    ),
    "category": lambda df: concat([df[["category"]], df[["category", "few"]]]),
    "datetime": lambda df: concat([df[["datetime"]], df[["few"]]]),
    "text missing": lambda df: concat([df[["few"]], df[["text"]]], ignore_index=True),
    "series": lambda df: concat([df.few, df.few]),
    "series of other names": lambda df: concat([df.few, df.finite]),
    "series ignore_index": lambda df: concat([df.few, df.finite], ignore_index=True),
    "sorted": lambda df: concat([df.sort_values("few", **_stable(df)), df]),
    "with index": lambda df: concat([df.set_index("text").sort_index(**_stable(df))] * 2),
    "after merge": lambda df: concat([df.merge(df[["few"]], on="few"), df]),
    "after groupby": lambda df: concat(
        [df.groupby("text").few.sum().reset_index(), df[["text", "few"]]]
    ),
    "then groupby": lambda df: concat([df, df]).groupby("few").finite.sum(),
    "then sort": lambda df: concat([df, df]).sort_values("finite", **_stable(df)),
    "then filter": lambda df: concat([df, df]).query("few > 0"),
    "then columns": lambda df: concat([df, df])[["text"]],
    "then sum": lambda df: concat([df, df]).few.sum(),
    "then head": lambda df: concat([df, df]).head(3),
    "then cumsum": lambda df: concat([df, df]).few.cumsum(),
    "columns": lambda df: concat([df[["few"]], df[["text"]]], axis=1),
    "columns, word": lambda df: concat([df[["few"]], df[["text"]]], axis="columns"),
    "columns of series": lambda df: concat([df.few, df.finite + 1], axis=1),
    "columns of the same name": lambda df: concat([df[["few"]], df[["few"]]], axis=1),
}


def _stable(frame: Any) -> dict[str, str]:
    return {"kind": "stable"} if isinstance(frame, pd.DataFrame) else {}


@pytest.mark.parametrize("case", CASES)
@drawn("few small_int finite text bool category datetime", max_examples=1)
def test_concat(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(CASES[case], frame)


@pytest.mark.parametrize("kind", ["nullable_int", "timedelta", "zoned", "ordered_category"])
def test_kinds(kind: str) -> None:
    frame = sample(kind, "few")
    check_exchanged(lambda df: concat([df, df]), frame)
    check_exchanged(lambda df: concat([df, df[["few"]]]), frame)


def test_columns_with_an_index() -> None:
    def beside(df: Any) -> Any:
        frame = df.set_index("text").sort_index(**_stable(df))
        return concat([frame[["few"]], frame[["bool"]]], axis=1)

    check_exchanged(beside, sample("few", "text", "bool"))


def test_booleans_with_missing_ones() -> None:
    check_exchanged(lambda df: concat([df[["few", "bool"]], df[["few"]]]), sample("few", "bool"))


def test_types_without_a_common_one() -> None:
    lazy = dd.from_pandas(sample("few", "text"), 2)
    with pytest.raises(SchemaError, match="few"):
        dd.concat([lazy[["few"]], lazy[["text"]].rename(columns={"text": "few"})])


def test_nothing_to_concat() -> None:
    with pytest.raises(ValueError, match="no objects"):
        dd.concat([])

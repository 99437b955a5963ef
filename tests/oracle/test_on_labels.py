"""What a function made of partitions, assigned to the rows it was made of, as Dask's users do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import SchemaError, UnsupportedError
from tests.oracle.exchanges import check_exchanged, drawn, sample


def indexed(df: Any) -> Any:
    labels = df.assign(label=df.finite.fillna(-7.0) * 10 + df.few).drop_duplicates("label")
    result = labels.set_index("label")  # which sorts, as Dask's does
    return result.sort_index() if isinstance(df, pd.DataFrame) else result


ROWS: dict[str, Callable[[Any], Any]] = {
    "all": lambda df: df,
    "filtered": lambda df: df[df.few > 0],
    "sorted": lambda df: df.sort_values("finite"),
    "indexed": indexed,
    "distinct": lambda df: df.drop_duplicates("few"),
    "merged": lambda df: df.merge(df.drop_duplicates("few"), on="few", suffixes=("", "_other")),
}  # fmt: skip
MADE: dict[str, Callable[[Any], Any]] = {
    "as many": lambda part: part.finite * 2 + part.few,
    "fewer": lambda part: part.finite[part.few > 1] * 2,
    "turned round": lambda part: (part.few + 1)[::-1],
    "text": lambda part: part.text.str.upper(),
}


def mapped(df: Any, function: Callable[[Any], Any]) -> Any:
    return function(df) if isinstance(df, pd.DataFrame) else df.map_partitions(function)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("rows", ROWS)
def test_assigned(rows: str, made: str) -> None:
    def call(df: Any) -> Any:
        chosen = ROWS[rows](df)
        return chosen.assign(made=mapped(chosen, MADE[made]))

    check_exchanged(call, sample("few", "finite", "text"))


@pytest.mark.parametrize("rows", ROWS)
def test_as_a_mask(rows: str) -> None:
    def call(df: Any) -> Any:
        chosen = ROWS[rows](df)
        return chosen[mapped(chosen, lambda part: part.few != 1)]

    check_exchanged(call, sample("few", "finite", "text"))


@drawn("few finite", max_examples=5)
def test_in_an_expression(frame: pd.DataFrame) -> None:
    check_exchanged(
        lambda df: df.finite + mapped(df[["finite", "few"]], lambda part: part.few * 1.5), frame
    )


def test_labels_that_are_there_twice() -> None:
    frame = dd.from_pandas(pd.DataFrame({"x": [1, 2, 3]}), npartitions=1)
    twice = frame.map_partitions(lambda part: pd.concat([part.x, part.x]))
    with pytest.raises(SchemaError, match="more than once"):
        frame.assign(y=twice).compute()


def test_of_other_rows() -> None:
    frame = dd.from_pandas(pd.DataFrame({"x": [1, 2, 3]}), npartitions=2)
    others = frame[frame.x > 1].map_partitions(lambda part: part.x)
    with pytest.raises(UnsupportedError, match="different rows"):
        frame.assign(y=others)

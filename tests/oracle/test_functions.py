"""Functions of the user's on partitions, rows and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.harness import Call, check, drawn, sample
from tests.support.frames import assert_eq


def _mapped(frame: Any, function: Any, *args: Any, **options: Any) -> Any:
    """Call `function` with all rows in pandas, and with each partition in Penstock."""
    if isinstance(frame, pd.DataFrame | pd.Series):
        options.pop("meta", None)
        return function(frame, *args, **options)
    return frame.map_partitions(function, *args, **options)


def _doubled(frame: pd.DataFrame, by: int = 2) -> pd.DataFrame:
    return frame.assign(twice=frame.few * by)


def _positive(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.few > 0]


PARTITIONS: dict[str, Call] = {
    "inferred": lambda df: _mapped(df, _doubled),
    "argument": lambda df: _mapped(df, _doubled, 3),
    "keyword": lambda df: _mapped(df, _doubled, by=5),
    "fewer rows": lambda df: _mapped(df, _positive),
    "to a series": lambda df: _mapped(df, lambda d: d.few + d.finite),
    "of a series": lambda df: _mapped(df.few, lambda s: s * 1.5),
    "series to frame": lambda df: _mapped(df.few, lambda s: s.to_frame("x")),
    "meta frame": lambda df: _mapped(
        df, _doubled, meta=pd.DataFrame({"few": [1], "finite": [1.0], "text": ["a"], "twice": [1]})
    ),
    "meta empty frame": lambda df: _mapped(df, lambda d: d[["few"]], meta=sample("few").iloc[:0]),
    "meta dict": lambda df: _mapped(
        df, lambda d: d[["few", "finite"]], meta={"few": "int64", "finite": "float64"}
    ),
    "meta pairs": lambda df: _mapped(df, lambda d: d[["few"]], meta=[("few", "int64")]),
    "meta tuple": lambda df: _mapped(df, lambda d: d.few * 2, meta=("few", "int64")),
    "meta dtype": lambda df: _mapped(df.few, lambda s: s * 0.5, meta="float64"),
    "after filter": lambda df: _mapped(df[df.few > 0], _doubled),
    "then filter": lambda df: _mapped(df, _doubled)[lambda d: d.twice > 2],
    "then reduce": lambda df: _mapped(df, _doubled).twice.sum(),
    "apply rows": lambda df: df.apply(lambda row: row["few"] + 1, axis=1),
    "apply rows text": lambda df: df.apply(lambda row: f"{row['few']}-{row['text']}", axis=1),
    "apply rows arguments": lambda df: df.apply(lambda row, n: row["few"] * n, axis=1, args=(3,)),
    "apply values": lambda df: df.few.apply(lambda value: value * 2),
    "apply values arguments": lambda df: df.few.apply(lambda value, n: value + n, args=(4,)),
    "map values": lambda df: df.few.map(lambda value: f"<{value}>"),
    "map with meta": lambda df: (
        df.few.map(float) if isinstance(df, pd.DataFrame) else df.few.map(float, meta="float64")
    ),
    "pipe": lambda df: df.pipe(_doubled, by=4),
}


@pytest.mark.parametrize("case", PARTITIONS)
def test_functions(case: str) -> None:
    frame = sample("few", "finite", "text")
    check(PARTITIONS[case], frame)
    check(PARTITIONS[case], frame.set_index(pd.Index(list("gfedcba"), name="key")))


@drawn("few finite text")
def test_any_frame(frame: pd.DataFrame) -> None:
    meta = pd.DataFrame({"few": [0], "finite": [0.0], "text": [""], "twice": [0]})
    check(lambda df: _mapped(df, _doubled, meta=meta), frame)


def test_partition_info() -> None:
    collection = dd.from_pandas(sample("few"), 3)

    def numbered(part: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        return part.assign(number=partition_info["number"])

    for options in ({}, {"meta": {"few": "int64", "number": "int64"}}):
        result = collection.map_partitions(numbered, **options).compute()
        assert result.number.tolist() == [0, 0, 1, 1, 2, 2, 2]


def test_several_collections() -> None:
    frame = sample("few", "finite")
    collection = dd.from_pandas(frame, 3)
    result = collection.map_partitions(lambda a, b, n: a.few + b * n, collection.finite, 2)
    assert_eq(result, frame.few + frame.finite * 2)
    result = dd.map_partitions(lambda a, b: a.assign(y=b.few), collection, collection[["few"]])
    assert_eq(result, frame.assign(y=frame.few))


def test_columns_of_results_join_those_of_their_rows() -> None:
    frame = sample("few", "finite")
    check(lambda df: df.assign(x=df.apply(lambda row: row["few"] * 2, axis=1)), frame)
    check(lambda df: df.few + df.few.map(lambda value: value + 1), frame)
    check(lambda df: df[df.few.apply(lambda value: value > 0)], frame)


def test_errors_say_whose_function_failed() -> None:
    collection = dd.from_pandas(sample("few"), 3)

    def broken(frame: pd.DataFrame) -> pd.DataFrame:
        raise ZeroDivisionError("from the function")

    with pytest.raises(ZeroDivisionError, match="from the function") as caught:
        collection.map_partitions(broken)
    assert any("broken failed on the first 7 rows" in note for note in caught.value.__notes__)
    with pytest.raises(ZeroDivisionError, match="from the function"):
        collection.map_partitions(broken, meta={"few": "int64"}).compute()


def test_results_must_be_what_was_declared() -> None:
    collection = dd.from_pandas(sample("few", "text"), 2)
    with pytest.raises(TypeError, match=r"gave 2 columns .* but 1 were declared"):
        collection.map_partitions(lambda d: d, meta={"few": "int64"}).compute()
    with pytest.raises(TypeError, match="in column 'few' where int64 was declared"):
        collection.map_partitions(lambda d: d[["text"]].rename(columns={"text": "few"}),
                                  meta={"few": "int64"}).compute()  # fmt: skip
    with pytest.raises(TypeError, match="gave a list"):
        collection.map_partitions(lambda d: [1], meta={"few": "int64"}).compute()


def test_apply_of_columns_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="axis=1"):
        dd.from_pandas(sample("few"), 2).apply(np.sum)


def fails(value: Any) -> Any:
    raise ValueError("as it must")


@pytest.mark.parametrize("meta", [None, ("few", "int64")])
def test_errors_of_functions_of_values_and_rows_name_the_function(meta: Any) -> None:
    lazy = dd.from_pandas(sample("few"), 3)
    for call in (
        lambda: lazy.few.map(fails, meta=meta),
        lambda: lazy.few.apply(fails, meta=meta),
        lambda: lazy.apply(fails, axis=1, meta=meta),
    ):
        with pytest.raises(ValueError, match="as it must") as caught:
            call().compute()
        assert "fails" in caught.value.__notes__[0]

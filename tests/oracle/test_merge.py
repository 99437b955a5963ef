"""merge and join: rows, their order, their labels, names and dtypes as pandas'."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock import config
from penstock.errors import SchemaError, UnsupportedError
from tests.oracle.exchanges import SPILLING, Call, check_exchanged, drawn, sample
from tests.oracle.harness import check

HOW = ("inner", "left", "right", "outer")
OTHER = pd.DataFrame(
    {
        "few": [2, 1, 1, 7, 0, 2],
        "finite": [1.5, float("nan"), -2.25, 4.0, 0.0, 1.5],
        "text": ["a b", None, "x", "", "日本", "a b"],
        "v": [10, 20, 30, 40, 50, 60],
        "w": ["p", "q", None, "s", "t", "u"],
    }
)


def other(frame: Any, npartitions: int = 2) -> Any:
    """Return the other side of a join, in the library of `frame`."""
    pandas = isinstance(frame, pd.DataFrame | pd.Series)
    return OTHER if pandas else dd.from_pandas(OTHER, npartitions)


def merged(how: str, broadcast: bool | None, **options: Any) -> Call:
    """Return a call that merges, by the hash exchange unless it is to broadcast."""

    def call(frame: Any) -> Any:
        extra = {} if isinstance(frame, pd.DataFrame) else {"broadcast": broadcast}
        return frame.merge(other(frame), how=how, **options, **extra)

    return call


KEYS: dict[str, dict[str, Any]] = {
    "int": {"on": "few"},
    "float": {"on": "finite"},
    "text": {"on": "text"},
    "two": {"on": ["few", "text"]},
    "all in common": {},
    "int and float": {"left_on": "few", "right_on": "finite"},
    "differing names": {"left_on": "few", "right_on": "v"},
    "two differing": {"left_on": ["few", "text"], "right_on": ["v", "w"]},
}


@pytest.mark.parametrize("how", ["inner", "left"])
@pytest.mark.parametrize("types", [("int32", "float64"), ("float32", "int64"), ("int8", "int64")])
def test_a_key_of_one_name_keeps_the_dtype_of_the_left(types: tuple[str, str], how: str) -> None:
    frame = pd.DataFrame({"key": [3, 1, 2, 1, 0]}).astype(types[0])
    keyed = pd.DataFrame({"key": [2, 1, 4], "v": [1, 2, 3]}).astype({"key": types[1]})

    def call(df: Any) -> Any:
        lazy = not isinstance(df, pd.DataFrame)
        return df.merge(dd.from_pandas(keyed, 2) if lazy else keyed, on="key", how=how)

    check_exchanged(call, frame)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str, broadcast: bool, how: str) -> None:
    frame = sample("few", "finite", "text", "bool")
    check_exchanged(merged(how, broadcast, **KEYS[case]), frame)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("broadcast", [True, False])
@drawn("few finite text", max_examples=1)
def test_any_rows(broadcast: bool, how: str, frame: pd.DataFrame) -> None:
    check_exchanged(merged(how, broadcast, on="text"), frame)
    check_exchanged(merged(how, broadcast, on=["few", "finite"]), frame)


KINDS = "int nullable_int bool datetime datetime_ns timedelta zoned category ordered_category float"


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", KINDS.split())
def test_kinds_of_keys(kind: str, how: str) -> None:
    frame = sample(kind, "few")

    def call(df: Any) -> Any:
        right = df[[kind]].rename(columns={}).assign(v=df.few * 10)
        return df.merge(right, on=kind, how=how, **_exchanged(df))

    check_exchanged(call, frame)


def _exchanged(frame: Any) -> dict[str, Any]:
    return {} if isinstance(frame, pd.DataFrame) else {"broadcast": False}


OPTIONS: dict[str, Call] = {
    "suffixes": lambda df: df.merge(other(df), on="few", suffixes=("_left", "_right")),
    "suffix of one side": lambda df: df.merge(other(df), on="few", suffixes=(None, "_right")),
    "no suffixes": lambda df: df.merge(other(df), on="few", suffixes=(None, None)),
    "indicator": lambda df: df.merge(other(df), on="few", how="outer", indicator=True),
    "indicator named": lambda df: df.merge(other(df), on="few", how="left", indicator="from"),
    "indicator inner": lambda df: df.merge(other(df), on="few", indicator=True, **_exchanged(df)),
    "indicator right": lambda df: df.merge(other(df), on="few", how="right", indicator=True),
    "cross": lambda df: df.merge(other(df), how="cross"),
    "cross of columns": lambda df: df[["bool"]].merge(other(df)[["v"]], how="cross"),
    "m:m": lambda df: df.merge(other(df), on="few", validate="m:m"),
    "unique": lambda df: df.drop_duplicates("few").merge(
        other(df).drop_duplicates("few"), on="few", validate="1:1"
    ),
    "many to one": lambda df: df.merge(
        other(df).drop_duplicates("few"), on="few", validate="m:1", how="left"
    ),
    "with itself": lambda df: df.merge(df, on="few"),
    "with its own columns": lambda df: df.merge(df[["few", "finite"]], on="few", how="left"),
    "missing key": lambda df: df.merge(other(df), on="nope"),
    "unknown how": lambda df: df.merge(other(df), on="few", how="sideways"),
    "both indexes": lambda df: df.set_index("few").sort_index().merge(
        other(df)[["few", "v"]].set_index("few").sort_index(), left_index=True, right_index=True
    ),
    "default indexes": lambda df: df.merge(
        other(df)[["v"]], left_index=True, right_index=True, how="left"
    ),
    "default indexes, outer": lambda df: df.merge(
        other(df)[["v"]], left_index=True, right_index=True, how="outer"
    ),
    "sorted first": lambda df: df.sort_values("finite", **_kind(df)).merge(other(df), on="few"),
    "filtered first": lambda df: df[df.few > 0].merge(other(df), on="few", how="left"),
    "then groupby": lambda df: df.merge(other(df), on="few").groupby("v").few.sum(),
    "then groupby first": lambda df: df.merge(other(df), on="few", **_exchanged(df))
    .groupby("few").bool.first(),
    "then sort": lambda df: df.merge(other(df), on="few").sort_values(
        ["v", "bool"], **_kind(df)
    ),
    "then filter": lambda df: df.merge(other(df), on="few").query("v > 20"),
    "then columns": lambda df: df.merge(other(df), on="few", **_exchanged(df))[["v"]],
    "then arithmetic": lambda df: df.merge(other(df), on="few").v * 2,
    "then head": lambda df: df.merge(other(df), on="few", **_exchanged(df)).head(3),
    "then cumsum": lambda df: df.merge(other(df), on="few", **_exchanged(df)).v.cumsum(),
    "twice": lambda df: df.merge(other(df)[["few", "v"]], on="few", **_exchanged(df)).merge(
        other(df)[["few", "w"]], on="few", how="left", **_exchanged(df)
    ),
    "pandas frame": lambda df: df.merge(OTHER, on="few", how="left"),
    "function merge": lambda df: (pd if isinstance(df, pd.DataFrame) else dd).merge(
        df, other(df), on="few"
    ),
}  # fmt: skip


def _kind(frame: Any) -> dict[str, str]:
    return {"kind": "stable"} if isinstance(frame, pd.DataFrame) else {}


@pytest.mark.parametrize("case", OPTIONS)
@drawn("few finite text bool", max_examples=1)
def test_options(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(OPTIONS[case], frame)


@pytest.mark.parametrize("how", ["semi", "anti"])
@pytest.mark.parametrize("broadcast", [True, False])
@drawn("few finite text", max_examples=1)
def test_semi_and_anti(broadcast: bool, how: str, frame: pd.DataFrame) -> None:
    def call(df: Any) -> Any:
        if not isinstance(df, pd.DataFrame):
            return df.merge(other(df), on="few", how=how, broadcast=broadcast)
        hit = df.few.isin(OTHER.few)
        return df[hit if how == "semi" else ~hit].reset_index(drop=True)

    check_exchanged(call, frame)


JOINS: dict[str, Call] = {
    "left": lambda df: df.join(other(df)[["v"]]),
    "inner": lambda df: df.join(other(df)[["v"]], how="inner"),
    "outer": lambda df: df.join(other(df)[["v"]], how="outer"),
    "right": lambda df: df.join(other(df)[["v"]], how="right"),
    "suffixes": lambda df: df.join(other(df), lsuffix="_l", rsuffix="_r"),
    "no suffixes": lambda df: df.join(other(df)),
    "series": lambda df: df.join(other(df).v),
    "by label": lambda df: df.set_index("text").join(other(df).groupby("text").v.sum(), how="left"),
    "on a column": lambda df: df.join(_by_few(df), on="few"),
    "column and index": lambda df: df.merge(
        _by_few(df), left_on="few", right_index=True, how="left"
    ),
    "index and column": lambda df: _by_few(df).merge(
        df, left_index=True, right_on="few", how="right"
    ),
}


@pytest.mark.parametrize("case", JOINS)
@drawn("few finite text", max_examples=1)
def test_join(case: str, frame: pd.DataFrame) -> None:
    if case == "by label":  # set_index sorts, which it does not in pandas
        frame = frame.sort_values("text", kind="stable")
    check_exchanged(JOINS[case], frame)


def test_labels_of_the_side_joined_by_column() -> None:
    # without rows, pandas names the index after the other side's
    frame = sample("few", "text")
    right = {"left_on": "few", "right_index": True}
    check_exchanged(lambda df: df.join(_by_few(df), on="few", how="inner"), frame)
    check_exchanged(lambda df: df[df.few > 0].merge(_by_few(df), **right), frame)


def _by_few(frame: Any) -> Any:
    return other(frame).groupby("few")[["v"]].max()


def test_join_of_several() -> None:
    frame = sample("few", "text")
    check_exchanged(lambda df: df.join([other(df)[["v"]], other(df)[["w"]]]), frame)


REFUSED: dict[str, tuple[type, dict[str, Any]]] = {
    "not unique": (SchemaError, {"on": "few", "validate": "1:1"}),
    "not unique on the left": (SchemaError, {"on": "few", "validate": "one_to_many"}),
    "unknown validate": (UnsupportedError, {"on": "few", "validate": "some"}),
    "text and number": (SchemaError, {"left_on": "text", "right_on": "v"}),
    "another number of keys": (ValueError, {"left_on": ["few", "text"], "right_on": ["v"]}),
    "labels for rows without": (
        UnsupportedError, {"left_on": "few", "right_index": True, "how": "outer"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("broadcast", [True, False])
def test_refused(case: str, broadcast: bool) -> None:
    expected, options = REFUSED[case]
    lazy = dd.from_pandas(sample("few", "text"), 3)
    with pytest.raises(expected):
        lazy.merge(other(lazy), broadcast=broadcast, **options).compute()


def test_empty_sides() -> None:
    frame = sample("few", "text")
    for how in HOW:
        for broadcast in (True, False):
            call = merged(how, broadcast, on="few")
            check_exchanged(call, frame.iloc[:0])
            check_exchanged(call, frame[frame.few > 5])


@pytest.mark.parametrize("how", HOW)
def test_many_to_many_across_partitions(how: str) -> None:
    frame = pd.DataFrame({"few": [0, 1, 2, 3] * 10, "row": range(40)})
    right = pd.DataFrame({"few": [1, 3, 3, 5, 1] * 4, "other": range(20)})

    def call(df: Any) -> Any:
        lazy = not isinstance(df, pd.DataFrame)
        return df.merge(
            dd.from_pandas(right, 3) if lazy else right, on="few", how=how, **_exchanged(df)
        )

    check_exchanged(call, frame)
    with config.set(SPILLING):
        check(call, frame)


@pytest.mark.parametrize("how", HOW)
def test_texts_are_joined_in_the_order_of_rows(how: str) -> None:
    frame = pd.concat([sample("few", "text")] * 3, ignore_index=True).fillna("x")
    call = merged(how, False, on="few")
    check_exchanged(lambda df: call(df).text_x.sum(), frame)
    check_exchanged(lambda df: call(df).groupby("few").text_x.sum(), frame)


REDUCED: dict[str, Call] = {
    "sum": lambda df: df.finite_x.sum(),
    "groups": lambda df: df.groupby("few").finite_y.sum(),
    "rows": len,
    "rows themselves": lambda df: df,
}


@pytest.mark.parametrize("case", REDUCED)
@pytest.mark.parametrize("how", HOW)
@drawn("few finite", max_examples=1)
def test_sides_that_an_exchange_made_are_joined(how: str, case: str, frame: pd.DataFrame) -> None:
    def call(df: Any) -> Any:
        distinct = df.drop_duplicates()
        one, other = distinct.drop_duplicates("few"), distinct.drop_duplicates("few", keep="last")
        return REDUCED[case](one.merge(other, on="few", how=how))

    check_exchanged(call, frame)

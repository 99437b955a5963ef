"""Every method of ``.str`` and ``.dt``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import penstock.dataframe as dd
from penstock.engine.kernels.elementwise import OPS
from tests.oracle.harness import check, drawn, sample

if TYPE_CHECKING:
    import pandas as pd

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _call(*args: Any, **options: Any) -> Arguments:
    return args, options


# Methods with the arguments of calls; those that are not named are called without any.
TEXT: dict[str, list[Arguments]] = {
    "center": [_call(6), _call(6, "*")],
    "contains": [_call("a"), _call("A", case=False), _call("[0-9]"), _call("a", na=False)],
    "count": [_call("a")],
    "decode": [_call("utf-8")],
    "encode": [_call("utf-8")],
    "endswith": [_call("b"), _call(("b", "7"))],
    "extract": [_call("(a)", expand=False)],
    "find": [_call("a"), _call("b", 1)],
    "findall": [_call("a")],
    "fullmatch": [_call("a b")],
    "get": [_call(0), _call(-1), _call(99)],
    "index": [_call("")],
    "join": [_call("-")],
    "ljust": [_call(6)],
    "match": [_call("a")],
    "normalize": [_call("NFC")],
    "pad": [_call(6, side="both", fillchar="_")],
    "partition": [_call(" ", expand=False)],
    "removeprefix": [_call("a")],
    "removesuffix": [_call("b")],
    "repeat": [_call(2)],
    "replace": [_call("a", "z"), _call("[ab]", "z", regex=True), _call("A", "z", case=False)],
    "rfind": [_call("a")],
    "rindex": [_call("")],
    "rjust": [_call(6)],
    "rpartition": [_call(" ", expand=False)],
    "rsplit": [_call(" ")],
    "slice": [_call(1, 3), _call(step=2), _call(-2)],
    "slice_replace": [_call(0, 1, "z")],
    "split": [_call(), _call(" "), _call("a", n=1)],
    "startswith": [_call("a"), _call(("a", "0"))],
    "strip": [_call(), _call("a")],
    "translate": [_call({97: "z"})],
    "wrap": [_call(3)],
    "zfill": [_call(6)],
}
TIMES: dict[str, list[Arguments]] = {
    "as_unit": [_call("ms")],
    "ceil": [_call("h")],
    "floor": [_call("h"), _call("15min")],
    "round": [_call("D")],
    "strftime": [_call("%Y-%m-%d %H")],
    "tz_convert": [_call("Asia/Tokyo")],
    "tz_localize": [_call(None)],
}
# Results of objects, whose missing values pandas spells as it happens: None, NaN or NaT.
_OBJECTS = {"date", "encode", "findall", "partition", "rpartition", "rsplit", "split", "time"}
# Results that are no column: pandas gives frames, objects without an Arrow type, or one value.
_NO_COLUMN = {"cat", "components", "freq", "isocalendar", "timetz", "to_period", "to_pydatetime",
              "to_pytimedelta", "tz", "unit"}  # fmt: skip


def _methods(prefix: str, arguments: dict[str, list[Arguments]]) -> list[Any]:
    names = [name.partition(".")[2] for name in OPS if name.startswith(f"{prefix}.")]
    assert set(arguments) <= set(names)
    return [
        pytest.param(name, call, id=f"{name}-{place}")
        for name in names
        if name not in _NO_COLUMN
        for place, call in enumerate(arguments.get(name, [_call()]))
    ]


def _applied(series: Any, accessor: str, name: str, arguments: Arguments) -> Any:
    found = getattr(getattr(series, accessor), name)
    args, options = arguments
    return found(*args, **options) if callable(found) else found


@pytest.mark.parametrize(("name", "arguments"), _methods("str", TEXT))
@drawn("text", max_examples=2)
def test_text(name: str, arguments: Arguments, frame: pd.DataFrame) -> None:
    frame = frame.dropna() if name in _OBJECTS else frame
    check(lambda df: _applied(df.text, "str", name, arguments), frame)


@pytest.mark.parametrize(("name", "arguments"), _methods("dt", TIMES))
@pytest.mark.parametrize("kind", ["datetime", "datetime_ns", "zoned", "timedelta"])
@drawn("datetime datetime_ns zoned timedelta", max_examples=1)
def test_times(kind: str, name: str, arguments: Arguments, frame: pd.DataFrame) -> None:
    frame = frame[[kind]].dropna() if name in _OBJECTS else frame[[kind]]
    check(lambda df: _applied(df[kind], "dt", name, arguments), frame)


@drawn("text category ordered_category")
def test_text_of_categories(frame: pd.DataFrame) -> None:
    check(lambda df: df.category.str.upper(), frame, check_dtype=False)
    check(lambda df: df.category.str.contains("o"), frame)


@drawn("text few")
def test_text_by_position(frame: pd.DataFrame) -> None:
    for call in (
        lambda df: df.text.str[0],
        lambda df: df.text.str[1:3],
        lambda df: df.text.str[::-1],
        lambda df: df.text.str.cat(df.text, sep="-"),
        lambda df: df.text.str.cat([df.text, df.text], na_rep="?"),
        lambda df: df.text.str.cat("!"),
        lambda df: df.text.str.lower().str.replace("a", "b").str.len() + df.few,
        lambda df: df[df.text.str.contains("a", na=False)],
        lambda df: df.text.str.nope(),
        lambda df: df.few.str.len(),
    ):
        check(call, frame)
    # pandas takes lists that are all missing for numbers, which have no `str`
    if frame.text.notna().any():
        check(lambda df: df.text.str.split(" ").str.len(), frame)


def test_split_into_columns() -> None:
    frame = sample("text")
    for call in (
        lambda df: df.text.str.split(" ", n=1, expand=True),
        lambda df: df.text.str.rsplit(" ", n=1, expand=True),
        lambda df: df.text.str.split(" ").str[0].dropna().astype("str"),
    ):
        check(call, frame)


@pytest.mark.parametrize("name", ["cat", "timetz", "to_period", "components"])
def test_what_is_no_column_is_refused(name: str) -> None:
    frame = dd.from_pandas(sample("text", "datetime", "timedelta"), 2)
    series, accessor = {"cat": (frame.text, "str"), "components": (frame.timedelta, "dt")}.get(
        name, (frame.datetime, "dt")
    )
    with pytest.raises((NotImplementedError, TypeError)):
        _applied(series, accessor, name, _call("D") if name == "to_period" else _call()).compute()

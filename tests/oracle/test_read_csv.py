"""`read_csv` with parameters that say what a column is to be gives what pandas gives."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import TypeConflictError, UnsupportedError
from tests.support.frames import assert_eq


def check(path: Any, text: str, **options: Any) -> None:
    path.write_text(text)
    expected = pd.read_csv(path, **options)
    for blocksize in (None, 1, 4):
        assert_eq(dd.read_csv(path, blocksize=blocksize, **options), expected)


INDEXES: dict[str, tuple[str, dict[str, Any]]] = {
    "header is empty": (",a\n0,1\n1,2\n", {"index_col": 0}),
    "headers are empty": (",,a\n0,x,1\n1,y,2\n", {"index_col": [0, 1]}),
    "dates": ("d,a\n2020-01-01,1\n2020-01-02,2\n", {"index_col": "d", "parse_dates": True}),
    "dates by place": (",a\n2020-01-01,1\n2020-01-02,2\n", {"index_col": 0, "parse_dates": True}),
    "one of the dates": (
        "d,e,a\n2020-01-01,2021-01-01,1\n2020-01-02,2021-01-02,2\n",
        {"index_col": [0, 1], "parse_dates": ["e"]},
    ),
    "lines end with a comma": ("a,b\n1,2,\n3,4,\n", {"index_col": False}),
    "one field more": ("a,b\n1,2,3\n4,5,6\n", {}),
    "from the end": ("a,b,c\n1,2,3\n4,5,6\n", {"index_col": -1}),
    "of usecols": ("a,b,c\n1,2,3\n4,5,6\n", {"index_col": 1, "usecols": ["c", "b"]}),
}


@pytest.mark.filterwarnings("ignore:Length of header:pandas.errors.ParserWarning")
@pytest.mark.parametrize("case", INDEXES)
def test_index_col(tmp_path: Any, case: str) -> None:
    text, options = INDEXES[case]
    check(tmp_path / "x.csv", text, **options)


DECLARED: dict[str, tuple[Any, str]] = {
    "ones": (bool, "1 0 0 1"),
    "ones with a point": ("bool", "1.0 0.0 1.0"),
    "names": (bool, "True False TRUE"),
    "nullable": ("boolean", "1 True 0 NA False 1.0"),
    "whole": ("int64", "1 2.0 1e3 -7"),
    "small": ("int8", "-1.0 +2 127.0"),
    "whole and missing": ("Int64", "1.0 NA 3"),
}


@pytest.mark.parametrize("case", DECLARED)
def test_declared_types_take_numbers_that_stand_for_their_values(tmp_path: Any, case: str) -> None:
    dtype, values = DECLARED[case]
    check(tmp_path / "x.csv", "a\n" + values.replace(" ", "\n"), dtype=dtype)
    rows = [f"{value},{flag}" for value, flag in zip(values.split(), [True, False] * 3)]  # noqa: B905
    check(tmp_path / "x.csv", "\n".join(["a,b", *rows]), dtype={"a": dtype})


@pytest.mark.parametrize(("dtype", "value"), [(bool, "2"), ("int64", "1.5"), ("int8", "300.0")])
def test_declared_types_refuse_other_numbers(tmp_path: Any, dtype: Any, value: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"a\n1\n{value}\n")
    with pytest.raises((ValueError, OverflowError)):
        pd.read_csv(path, dtype=dtype)
    with pytest.raises(TypeConflictError, match=rf"line 3, column 'a': '{value}' is not"):
        dd.read_csv(path, dtype=dtype).compute()


def test_a_separator_is_not_guessed(tmp_path: Any) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1;2\n")
    with pytest.raises(UnsupportedError, match="sep=';'"):
        dd.read_csv(tmp_path / "a.csv", sep=None, engine="python")

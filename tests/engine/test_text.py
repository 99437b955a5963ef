"""Text operations against pandas' ``.str``."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from penstock.engine.kernels.convert import array_from_series, series_from_arrow
from penstock.engine.kernels.elementwise import OPS, apply_op
from penstock.errors import UnsupportedError

_TEXT = pd.Series(["Ab c", None, "", "ünï x", "a,b,c", "12", " pad ", "ab12cd", "x\ny", "ß"])
_OPTIONS: dict[str, dict[str, Any]] = {
    "center": {"width": 8},
    "contains": {"pat": "a"},
    "count": {"pat": "a"},
    "encode": {"encoding": "utf8"},
    "endswith": {"pat": "c"},
    "find": {"sub": "b"},
    "findall": {"pat": "[a-z]"},
    "fullmatch": {"pat": "[a-z]+"},
    "get": {"i": 1},
    "index": {"sub": ""},
    "join": {"sep": "-"},
    "ljust": {"width": 6},
    "match": {"pat": "a"},
    "normalize": {"form": "NFC"},
    "pad": {"width": 6},
    "removeprefix": {"prefix": "a"},
    "removesuffix": {"suffix": "c"},
    "repeat": {"repeats": 2},
    "replace": {"pat": "a", "repl": "Z"},
    "rfind": {"sub": "b"},
    "rindex": {"sub": ""},
    "rjust": {"width": 6},
    "slice": {"start": 1, "stop": 3},
    "slice_replace": {"start": 1, "stop": 2, "repl": "_"},
    "startswith": {"pat": "a"},
    "translate": {"table": {97: "Q"}},
    "wrap": {"width": 3},
    "zfill": {"width": 6},
}
_SPECIAL = {"cat", "extract", "partition", "rpartition", "decode", "encode"}
_METHODS = sorted(
    name.removeprefix("str.") for name, op in OPS.items() if op.accessor == "str"
)  # fmt: skip


def _same(array: pa.Array, expected: pd.Series) -> None:
    pd.testing.assert_series_equal(series_from_arrow(array), expected, check_names=False)


@pytest.mark.parametrize("method", [name for name in _METHODS if name not in _SPECIAL])
def test_method(method: str) -> None:
    options = _OPTIONS.get(method, {})
    actual = apply_op(f"str.{method}", [array_from_series(_TEXT)], options)
    _same(actual, getattr(_TEXT.str, method)(**options))


def test_nothing_of_pandas_is_forgotten() -> None:
    methods = {name for name in dir(_TEXT.str) if not name.startswith("_")}
    # They give several columns or rows: not elementwise.
    assert methods - set(_METHODS) <= {"get_dummies", "extractall"}


@pytest.mark.filterwarnings("ignore:This pattern is interpreted:UserWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"pat": "A", "case": False},
        {"pat": "[ab]+\\d"},
        {"pat": "(a)\\1"},
        {"pat": "c$"},
        {"pat": "(?i)AB"},
        {"pat": "a(?=b)"},
        {"pat": "Ü", "case": False},
        {"pat": "Ü", "case": False, "regex": False},
        {"pat": "x.y"},
        {"pat": ""},
        {"pat": "a", "na": True},
        {"pat": "\\w+"},
        {"pat": "\\bpad"},
        {"pat": "a{1,2}"},
        {"pat": "a", "flags": 2},
    ],
)
def test_contains(options: dict[str, Any]) -> None:
    _same(
        apply_op("str.contains", [array_from_series(_TEXT)], options),
        _TEXT.str.contains(**options),
    )


def test_contains_refuses_a_wrong_pattern() -> None:
    import re

    with pytest.raises((re.error, pa.ArrowInvalid)):
        apply_op("str.contains", [array_from_series(_TEXT)], {"pat": "[a"})


@pytest.mark.parametrize(
    "options",
    [{"start": -2}, {"start": 1, "stop": -1}, {"step": 2}, {"start": 3, "stop": 1}, {"stop": 0}],
)
def test_slice(options: dict[str, Any]) -> None:
    _same(apply_op("str.slice", [array_from_series(_TEXT)], options), _TEXT.str.slice(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"pat": "[ab]", "repl": "-", "regex": True},
        {"pat": "a", "repl": "bb", "n": 1},
        {"pat": "", "repl": "x"},
        {"pat": "A", "repl": "b", "case": False},
        {"pat": {"a": "x", "b": "y"}},
    ],
)
def test_replace(options: dict[str, Any]) -> None:
    _same(
        apply_op("str.replace", [array_from_series(_TEXT)], options), _TEXT.str.replace(**options)
    )


@pytest.mark.parametrize("method", ["partition", "rpartition"])
def test_partition_gives_three_parts(method: str) -> None:
    parts = apply_op(f"str.{method}", [array_from_series(_TEXT)], {"sep": " "})
    expected = getattr(_TEXT.str, method)(" ", expand=True)
    for i in range(3):
        _same(apply_op("str.get", [parts], {"i": i}), expected[i])


@pytest.mark.parametrize("options", [{"pat": ",", "n": 1}, {"pat": ","}, {}, {"n": 1}])
def test_split_then_get_is_split_expanded(options: dict[str, Any]) -> None:
    parts = apply_op("str.split", [array_from_series(_TEXT)], options)
    assert parts.type == pa.list_(pa.string())
    expected = _TEXT.str.split(**options, expand=True)
    for i in expected.columns:
        _same(apply_op("str.get", [parts], {"i": i}), expected[i])


def test_get_from_sliced_lists() -> None:
    lists = pa.array([["x"], ["a", "b"], None, [], ["c"]]).slice(1, 4)
    assert apply_op("str.get", [lists], {"i": 1}).to_pylist() == ["b", None, None, None]
    assert apply_op("str.get", [lists], {"i": -1}).to_pylist() == ["b", None, None, "c"]


def test_extract_one_group() -> None:
    pattern = "([a-z])(\\d)?"
    expected = _TEXT.str.extract(pattern, expand=True)
    for column in (0, 1):
        options = {"pat": pattern, "column": column}
        _same(apply_op("str.extract", [array_from_series(_TEXT)], options), expected[column])


def test_encode_and_decode() -> None:
    encoded = apply_op("str.encode", [array_from_series(_TEXT)], {"encoding": "utf-8"})
    assert encoded.type == pa.binary()
    assert encoded.to_pylist()[3] == "ünï x".encode()
    decoded = apply_op("str.decode", [encoded], {"encoding": "utf-8"})
    assert decoded.equals(array_from_series(_TEXT))


def test_cat() -> None:
    array = array_from_series(_TEXT)
    _same(apply_op("str.cat", [array, array], {"sep": "-"}), _TEXT.str.cat(_TEXT, sep="-"))
    with pytest.raises(UnsupportedError, match="without others"):
        apply_op("str.cat", [array])


def test_categories_are_text() -> None:
    series = pd.Series(["a", "B", None, "a"], dtype="category")
    upper = apply_op("str.upper", [array_from_series(series)])
    assert upper.to_pylist() == ["A", "B", None, "A"]


def test_numbers_have_no_text_accessor() -> None:
    with pytest.raises(AttributeError, match=r"\.str"):
        apply_op("str.upper", [pa.array([1, 2])])

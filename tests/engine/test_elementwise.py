"""Native kernels against pandas: each native operation, on data with everything in it."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.convert import (
    array_from_series,
    field_for,
    nullable_dtype,
    series_from_arrow,
)
from penstock.engine.kernels.elementwise import OPS, Value, apply_fallback, apply_op, apply_value
from penstock.engine.kernels.elementwise.signatures import bind_options
from penstock.errors import SchemaError, UnsupportedError
from tests.support.frames import frames

_NUMBERS = ("int", "small_int", "few", "float", "finite")
_STAMP = pd.Timestamp("2001-02-03 04:05:06")
_SPAN = pd.Timedelta("1D 2s")

# op -> cases: (kinds of the column arguments, literals after them, options)
_Case = tuple[tuple[str, ...], tuple[Any, ...], dict[str, Any]]


def _unary(kinds: tuple[str, ...], *options: dict[str, Any]) -> list[_Case]:
    return [((kind,), (), given) for kind in kinds for given in (options or ({},))]


def _binary(kinds: tuple[str, ...], literals: tuple[Any, ...]) -> list[_Case]:
    pairs: list[_Case] = [((one, other), (), {}) for one in kinds for other in kinds]
    return pairs + [((kind,), (literal,), {}) for kind in kinds for literal in literals]


_TEMPORAL: list[_Case] = [
    (("datetime",), (_SPAN,), {}),
    (("datetime",), (datetime.timedelta(days=1),), {}),
    (("zoned",), (_SPAN,), {}),
    (("timedelta", "timedelta"), (), {}),
    (("datetime", "timedelta"), (), {}),
]
_ORDERED = [
    *_binary(_NUMBERS, (0, 3, 1.5, -0.0, 10**6, float("nan"), np.float32(0.1))),
    (("text", "text"), (), {}),
    (("text",), ("a",), {}),
    (("datetime", "datetime"), (), {}),
    (("datetime",), (_STAMP,), {}),
    (("datetime",), ("2001-02-03",), {}),
    (("datetime_ns",), (_STAMP.to_pydatetime(),), {}),
    (("zoned",), (_STAMP.tz_localize("UTC"),), {}),
    (("timedelta",), (_SPAN,), {}),
]
_EQUAL = [*_ORDERED, (("bool",), (True,), {}), (("category",), ("low",), {})]
_ARITHMETIC = _binary(_NUMBERS, (2, 0, -3, 0.5, 0.0, np.int64(7), np.float32(1.5)))
_LOGIC: list[_Case] = [(("bool", "bool"), (), {}), (("bool",), (True,), {})]
_STAMPS = ("datetime", "datetime_ns", "zoned")
_CHOICE: list[_Case] = [
    ((kind, "bool"), literals, {})
    for kind in ("int", "float", "text", "datetime", "timedelta")
    for literals in ((), (float("nan"),))
]

CASES: dict[str, list[_Case]] = {
    "add": [*_ARITHMETIC, *_TEMPORAL, (("text", "text"), (), {}), (("text",), ("!",), {})],
    "sub": [*_ARITHMETIC, *_TEMPORAL, (("datetime",), (_STAMP,), {})],
    "mul": _ARITHMETIC,
    "truediv": _ARITHMETIC,
    "floordiv": _ARITHMETIC,
    "mod": _ARITHMETIC,
    "pow": [*_binary(("float", "finite"), (2, 0, -1, 0.5)), (("few", "few"), (), {})],
    "neg": _unary((*_NUMBERS, "timedelta")),
    "abs": _unary((*_NUMBERS, "timedelta")),
    "eq": _EQUAL,
    "ne": _EQUAL,
    "lt": _ORDERED,
    "le": _ORDERED,
    "gt": _ORDERED,
    "ge": _ORDERED,
    "and": _LOGIC,
    "or": _LOGIC,
    "xor": _LOGIC,
    "invert": _unary(("bool",)),
    "isna": _unary((*_NUMBERS, "text", "datetime", "category", "nullable_int", "all_missing")),
    "notna": _unary((*_NUMBERS, "text", "datetime", "category", "nullable_int", "all_missing")),
    "fillna": [
        (("float",), (0,), {}),
        (("float",), (1.5,), {}),
        (("int",), (0,), {}),
        (("text",), ("?",), {}),
        (("datetime",), (_STAMP,), {}),
        (("text", "text"), (), {}),
        (("float", "float"), (), {}),
    ],
    "isin": [
        (("int",), ((0, 1, 2**70),), {}),
        (("small_int",), ((0, 1, 300),), {}),
        (("float",), ((0, 1.5),), {}),
        (("text",), (("a", "", "NA"),), {}),
        (("category",), (frozenset({"low", "high", "no"}),), {}),
        (("few",), (np.array([1, 5]),), {}),
        (("few",), ((),), {}),
    ],
    "between": [
        ((kind,), bounds, {"inclusive": inclusive})
        for kind, bounds in (("int", (-1, 2)), ("float", (-1, 2.5)), ("text", ("A", "a")))
        for inclusive in ("both", "neither", "left", "right")
    ],
    "clip": [
        (("int",), (-1, 2), {}),
        (("float",), (-1, 2.5), {}),
        (("float",), (None, 0), {}),
        (("small_int",), (3, None), {}),
        (("finite",), (2, 1), {}),
    ],
    "where": _CHOICE,
    "mask": _CHOICE,
    "round": _unary(("float", "finite", "int"), {}, {"decimals": 2}),
    "astype": [
        *_unary(("int", "small_int"), {"dtype": "float64"}, {"dtype": "int8"}, {"dtype": str}),
        *_unary(("finite",), {"dtype": "float32"}, {"dtype": float}),
        *_unary(("bool",), {"dtype": int}, {"dtype": "float32"}, {"dtype": "str"}),
        *_unary(("few",), {"dtype": "uint16"}, {"dtype": "str"}),
        *_unary(("text",), {"dtype": str}),
    ],
    "str.len": _unary(("text",)),
    "str.lower": _unary(("text",)),
    "str.upper": _unary(("text",)),
    "str.strip": _unary(("text",), {}, {"to_strip": "a "}),
    "str.lstrip": _unary(("text",), {}, {"to_strip": "a "}),
    "str.rstrip": _unary(("text",), {}, {"to_strip": "a "}),
    "str.contains": _unary(
        ("text", "category"),
        {"pat": "a"},
        {"pat": "."},
        {"pat": ".", "regex": False},
        {"pat": "A", "case": False, "regex": False},
        {"pat": "[0-9]+|e"},
        {"pat": "^a"},
        {"pat": "a", "na": False},
    ),
    "str.startswith": _unary(("text",), {"pat": "a"}, {"pat": ("a", "n")}, {"pat": ""}),
    "str.endswith": _unary(("text",), {"pat": "a"}, {"pat": ("a", "l")}, {"pat": "é"}),
    "str.slice": _unary(("text",), {"start": 1}, {"start": 1, "stop": 3}, {"stop": 2}, {}),
    "str.replace": _unary(
        ("text",), {"pat": "a", "repl": "bb"}, {"pat": ".", "repl": "", "n": 1}
    ),
    "str.split": _unary(("text",), {"pat": ","}, {"pat": "a", "n": 1}),
    "str.rsplit": _unary(("text",), {"pat": ","}, {"pat": "ab", "n": 1}),
    **{
        f"dt.{name}": _unary(_STAMPS)
        for name in (
            "year", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond",
            "dayofweek", "day_of_week", "weekday", "dayofyear", "day_of_year", "quarter",
        )
    },
    "dt.date": _unary(("datetime", "zoned")),
    "dt.floor": _unary(("datetime",), {"freq": "h"}, {"freq": "15min"}, {"freq": "D"}),
    "dt.normalize": _unary(("datetime",)),
    **{
        name: _unary(("float", "finite", "few", "int"))
        for name, op in OPS.items()
        if name.startswith("np.") and op.native is not None
    },
}  # fmt: skip
# Made from str.split's lists, which the strategy does not draw: tested by themselves.
_ELSEWHERE = {"str.get"}
_ALIASES = {"isnull", "notnull"}


def test_every_native_kernel_has_cases() -> None:
    native = {name for name, op in OPS.items() if op.native is not None}
    assert native - _ELSEWHERE - _ALIASES == set(CASES)


def _value(series: pd.Series) -> Value:
    array = array_from_series(series)
    return Value(array, nullable_dtype(field_for(series, array, "x")))


def _series(value: Value) -> pd.Series:
    return series_from_arrow(value.array, value.field)


def _outcome(run: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _series(run())
        except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
            return error


@pytest.mark.parametrize("name", sorted(CASES))
@given(data=st.data())
def test_native_equals_pandas(name: str, data: st.DataObject) -> None:
    kinds, literals, options = data.draw(st.sampled_from(CASES[name]))
    columns = {f"c{place}": kind for place, kind in enumerate(kinds)}
    frame = data.draw(frames(columns=columns))
    args: list[Any] = [*(_value(frame[column]) for column in frame), *literals]
    mirrored = len(literals) == len(kinds) == 1 and name not in ("isin", "fillna")
    if mirrored and data.draw(st.booleans()):
        args.reverse()

    native = _outcome(lambda: apply_value(name, args, options))
    pandas = _outcome(lambda: apply_fallback(OPS[name], args, options))

    if isinstance(pandas, Exception) or isinstance(native, Exception):
        assert type(native) is type(pandas), (native, pandas)
        return
    pd.testing.assert_series_equal(native, pandas, check_names=False)


@pytest.mark.parametrize("name", sorted(CASES))
def test_native_kernel_is_taken(name: str) -> None:
    """Some case of each operation reaches its kernel, and not pandas by NotImplemented."""
    examples = {
        "int": pd.Series([1, 2]), "small_int": pd.Series([1, 2], dtype="int8"),
        "few": pd.Series([0, 1]), "float": pd.Series([1.5, 0.5]), "finite": pd.Series([1.5, 0.5]),
        "bool": pd.Series([True, False]), "text": pd.Series(["a", "b"]),
        "datetime": pd.Series(pd.to_datetime(["2001-01-01"] * 2)),
        "datetime_ns": pd.Series(pd.to_datetime(["2001-01-01"] * 2)).astype("datetime64[ns]"),
        "zoned": pd.Series(pd.to_datetime(["2001-01-01"] * 2)).dt.tz_localize("UTC"),
        "timedelta": pd.Series(pd.to_timedelta(["1s"] * 2)),
        "category": pd.Series(["low", "mid"], dtype="category"),
        "all_missing": pd.Series([np.nan, np.nan]),
        "nullable_int": pd.Series([1, None], dtype="Int64"),
    }  # fmt: skip
    taken = 0
    for kinds, literals, options in CASES[name]:
        arrays = [array_from_series(examples[kind]) for kind in kinds]
        if name.startswith("str."):
            arrays = [a.cast(pa.string()) if pa.types.is_dictionary(a.type) else a for a in arrays]
        result = OPS[name].native([*arrays, *literals], options)  # type: ignore[misc]
        taken += result is not NotImplemented
    assert taken


@pytest.mark.parametrize("op", ["eq", "lt", "ge"])
def test_missing_operands_compare_false(op: str) -> None:
    result = apply_op(op, [pa.array([1, None, 3]), pa.array([1, 2, None])])
    assert result.null_count == 0
    assert result.to_pylist()[1:] == [False, False]


def test_missing_operands_differ() -> None:
    assert apply_op("ne", [pa.array([1, None, 3]), 1]).to_pylist() == [False, True, True]


def test_sliced_arrays() -> None:
    array = pa.array([None, 1.0, None, 3.0, float("inf"), 5.0] * 3).slice(3, 11)
    expected = [None if v is None else v * 2 for v in array.to_pylist()]
    assert apply_op("mul", [array, 2]).to_pylist() == expected
    assert apply_op("isna", [array]).to_pylist() == [v is None for v in array.to_pylist()]
    assert apply_op("gt", [array, 2]).to_pylist() == [
        v is not None and v > 2 for v in array.to_pylist()
    ]
    assert apply_op("truediv", [array, 2.0]).to_pylist() == [
        None if v is None else v / 2 for v in array.to_pylist()
    ]
    assert apply_op("sub", [array, array]).to_pylist() == [
        None if v is None or v == float("inf") else 0.0 for v in array.to_pylist()
    ]


@pytest.mark.parametrize("op", ["np.log", "np.sqrt"])
def test_invalid_values_become_null(op: str) -> None:
    result = apply_op(op, [pa.array([-1.0, 1.0, None])])
    assert result.is_null().to_pylist() == [True, False, True]


def test_zero_by_zero_is_null() -> None:
    assert apply_op("truediv", [pa.array([0.0, 1.0]), 0]).to_pylist() == [None, float("inf")]
    assert apply_op("mod", [pa.array([5, 6]), 0]).to_pylist() == [None, None]
    assert apply_op("floordiv", [pa.array([0, 6]), 0]).to_pylist() == [None, float("inf")]


def test_integers_with_missing_values_stay_integers() -> None:
    result = apply_op("add", [pa.array([2**60 + 1, None]), 1])
    assert result.type == pa.int64()
    assert result.to_pylist() == [2**60 + 2, None]
    assert apply_op("pow", [pa.array([None, 3]), 0]).to_pylist() == [1, 1]
    assert apply_op("pow", [1, pa.array([None, 3])]).to_pylist() == [1, 1]


def test_integer_overflow_wraps_as_in_numpy() -> None:
    assert apply_op("add", [pa.array([127], pa.int8()), 1]).to_pylist() == [-128]
    with pytest.raises(OverflowError):
        apply_op("add", [pa.array([1], pa.int8()), 300])


def test_integer_of_missing_raises_as_pandas() -> None:
    with pytest.raises(pd.errors.IntCastingNaNError):
        apply_op("astype", [pa.array([1.0, None])], {"dtype": "int64"})
    with pytest.raises(pd.errors.IntCastingNaNError):
        apply_op("astype", [pa.array([1, None])], {"dtype": "int64"})


@pytest.mark.parametrize(
    "dtype",
    ["int32", "float32", "category", "string", "str", "Int64", "Float64", "boolean", "bool",
     "datetime64[ns]", float, str, np.int16, pd.Int32Dtype(), "timedelta64[s]"],
)  # fmt: skip
def test_astype_spellings(dtype: Any) -> None:
    series = pd.Series([1, 0, 1])
    value = apply_value("astype", [_value(series)], {"dtype": dtype})
    pd.testing.assert_series_equal(_series(value), series.astype(dtype), check_names=False)


def test_nullable_dtypes_keep_their_logic() -> None:
    series = pd.Series([1, None, 3], dtype="Int64")
    for op, expected in (("gt", series > 1), ("add", series + 1), ("truediv", series / 2)):
        literal = {"gt": 1, "add": 1, "truediv": 2}[op]
        value = apply_value(op, [_value(series), literal], {})
        pd.testing.assert_series_equal(_series(value), expected, check_names=False)


@pytest.mark.parametrize("regex", [False, True])
def test_replace(regex: bool) -> None:
    series = pd.Series(["ab", None, "b"])
    options = {"to_replace": "b", "value": "x", "regex": regex}
    value = apply_value("replace", [_value(series)], options)
    pd.testing.assert_series_equal(_series(value), series.replace(**options), check_names=False)


def test_isin_of_many_values() -> None:
    values = tuple(range(0, 6000, 3))
    for array in (pa.array([0, 1, 3, None, 5999]), pa.array([3, 4], pa.int8())):
        for _ in range(2):
            result = apply_op("isin", [array, values])
            assert result.to_pylist() == [value in values for value in array.to_pylist()]


def test_map() -> None:
    series = pd.Series([1, 2, 3])
    for arg in ({1: "x", 2: "y"}, lambda v: v + 0.5, pd.Series([10, 20, 30, 40])):
        value = apply_value("map", [_value(series)], {"func": arg})
        pd.testing.assert_series_equal(_series(value), series.map(arg), check_names=False)


def test_mixed_results_are_refused_by_name() -> None:
    with pytest.raises(SchemaError, match=r"result of map.*float, str"):
        apply_op("map", [pa.array([1, 2])], {"func": lambda v: "x" if v == 1 else 2.5})


def test_unknown_operation() -> None:
    with pytest.raises(UnsupportedError, match="frobnicate"):
        apply_op("frobnicate", [pa.array([1])])


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "expected"),
    [
        ("str.contains", ("a", False), {}, {"pat": "a", "case": False}),
        ("str.split", (",",), {"n": 2}, {"pat": ",", "n": 2}),
        ("dt.floor", ("h",), {}, {"freq": "h"}),
        ("dt.total_seconds", (), {}, {}),
        ("round", (2,), {}, {"decimals": 2}),
        ("map", ({1: 2},), {}, {"func": {1: 2}}),
    ],
)
def test_bind_options(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert bind_options(name, args, kwargs) == expected


def test_bind_options_refuses_what_pandas_refuses() -> None:
    with pytest.raises(TypeError, match=r"str\.contains"):
        bind_options("str.contains", ("a",), {"nope": 1})


@pytest.mark.parametrize(
    ("op", "series", "options", "call"),
    [
        ("to_numeric", pd.Series(["1", "2.5", None]), {}, pd.to_numeric),
        ("to_numeric", pd.Series(["1", "x"]), {"errors": "coerce"}, pd.to_numeric),
        ("to_datetime", pd.Series(["2001-02-03", None]), {}, pd.to_datetime),
        ("to_datetime", pd.Series(["03/02/2001"]), {"format": "%d/%m/%Y"}, pd.to_datetime),
        ("to_datetime", pd.Series(["2001-02-03"]), {"utc": True}, pd.to_datetime),
        ("to_datetime", pd.Series([1, 2]), {"unit": "s"}, pd.to_datetime),
        ("to_timedelta", pd.Series(["1s", "2 days"]), {}, pd.to_timedelta),
    ],
)
def test_parsing(op: str, series: pd.Series, options: dict[str, Any], call: Any) -> None:
    value = apply_value(op, [_value(series)], options)
    pd.testing.assert_series_equal(_series(value), call(series, **options), check_names=False)

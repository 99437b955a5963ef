"""Evaluation of expressions, and the fields they are said to give."""

from __future__ import annotations

import datetime
import operator
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from penstock.engine.evaluate import evaluate, evaluate_many, infer_field
from penstock.engine.expr import Call, Column, Literal
from penstock.engine.kernels.convert import frame_from_table, table_from_frame
from penstock.engine.kernels.elementwise import OPS, registry
from penstock.errors import ColumnNotFoundError, UnsupportedError


def _call(op: str, *args: Any, **options: Any) -> Call:
    wrapped = tuple(
        arg if isinstance(arg, Column | Literal | Call) else Literal(arg) for arg in args
    )
    return Call(op, wrapped, tuple(options.items()))


_FRAME = pd.DataFrame(
    {
        "i": [1, 2, -3, 5],
        "j": [4, 2, 2, 3],
        "small": np.array([1, 2, 100, 127], dtype="int8"),
        "f": [1.5, np.nan, -3.0, 0.0],
        "single": np.array([1, 2, 3, 0], dtype="float32"),
        "s": ["a", None, "c", "d"],
        "b": [True, False, True, False],
        "t": pd.to_datetime(["2020-01-01", None, "1600-02-03", "2021-01-01"]),
        "z": pd.to_datetime(["2020-01-01", None, "1900-02-03", "2021-01-01"]).tz_localize(
            "Europe/Paris"
        ),
        "d": pd.to_timedelta(["1s", None, "2D", "3h"]),
        "c": pd.Categorical(["x", None, "y", "x"]),
        "n": pd.array([1, None, 2, 7], dtype="Int64"),
        "m": pd.array([True, None, False, True], dtype="boolean"),
    }
)
_LITERALS = [
    2, 0, -1, 2.5, 0.0, float("nan"), None, "c", "2020-01-01", "x", True, 300, 2**40,
    pd.Timestamp("2020-01-01"), datetime.datetime(2021, 1, 1), np.datetime64("2020-01-01"),  # noqa: DTZ001
    pd.Timestamp("2020-01-01", tz="UTC"), pd.Timedelta("1s"), datetime.timedelta(hours=1),
    np.int64(3), np.float64(0.1), np.float32(1.5), np.bool_(True),
]  # fmt: skip
_OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow, "eq": operator.eq,
    "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge, "and": operator.and_, "or": operator.or_, "xor": operator.xor,
}  # fmt: skip


def _is_terabytes(op: str, column: str, other: Any) -> bool:
    """Whether text is repeated so often that the machine may end the process, pandas' too."""
    return op == "mul" and column == "s" and isinstance(other, Literal) and other.value == 2**40


def _outcome(run: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return run()
        except Exception as error:  # noqa: BLE001  the type of it is compared
            return error


@pytest.mark.parametrize("op", _OPERATORS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_operators_equal_pandas(op: str, mirrored: bool) -> None:
    """Every pair of columns in both orders, and every column with every literal on both sides."""
    table = table_from_frame(_FRAME)
    wrong = []
    for name in _FRAME:
        others: list[tuple[Any, Any]] = [(Literal(value), value) for value in _LITERALS]
        if not mirrored:
            others += [(Column(other), _FRAME[other]) for other in _FRAME]
        for other, value in others:
            sides = [(Column(name), _FRAME[name]), (other, value)]
            if mirrored:
                sides.reverse()
            if isinstance(sides[0][1], str) and op == "mod":
                continue  # formatting of text, not arithmetic
            if _is_terabytes(op, name, other):
                continue
            expr = Call(op, (sides[0][0], sides[1][0]))
            expected = _outcome(lambda sides=sides: _OPERATORS[op](sides[0][1], sides[1][1]))

            def run(expr: Call = expr) -> pd.Series:
                return frame_from_table(evaluate_many({"r": expr}, table))["r"]

            actual = _outcome(run)
            if isinstance(expected, Exception) or isinstance(actual, Exception):
                same = type(expected) is type(actual)
            else:
                same = _equal(actual, expected)
            if not same and not _documented(op, expr):
                wrong.append((expr, expected, actual))
    assert not wrong


def _equal(actual: pd.Series, expected: pd.Series) -> bool:
    try:
        pd.testing.assert_series_equal(actual, expected, check_names=False)
    except AssertionError:
        return False
    return True


def _documented(op: str, expr: Call) -> bool:
    """Whether dtypes differ because pandas' depend on the values: a zero among divisors."""
    names = {arg.name for arg in expr.args if isinstance(arg, Column)}
    return op in ("floordiv", "mod") and bool(names & {"single", "n", "m"})


@pytest.mark.parametrize("op", sorted(set(_OPERATORS) - {"floordiv"}))
def test_inferred_field_is_the_field(op: str) -> None:
    table = table_from_frame(_FRAME)
    for name in _FRAME:
        for other in [*map(Column, _FRAME), *map(Literal, _LITERALS)]:
            if _is_terabytes(op, name, other):
                continue
            expr = Call(op, (Column(name), other))
            found = _outcome(lambda expr=expr: evaluate_many({"r": expr}, table).schema.field("r"))
            if isinstance(found, Exception):
                continue
            inferred = infer_field(expr, table.schema, "r")
            assert inferred.equals(found, check_metadata=True), expr


@pytest.mark.parametrize(
    ("expr", "type_"),
    [
        (_call("dt.hour", Column("t")), pa.int32()),
        (_call("dt.date", Column("t")), pa.date32()),
        (_call("dt.day_name", Column("t")), pa.string()),
        (_call("dt.floor", Column("t"), freq="h"), pa.timestamp("us")),
        (_call("dt.total_seconds", Column("d")), pa.float64()),
        (_call("str.len", Column("s")), pa.int64()),
        (_call("str.split", Column("s"), pat=","), pa.list_(pa.string())),
        (_call("str.get", _call("str.split", Column("s")), i=0), pa.string()),
        (_call("str.contains", Column("s"), pat="(?i)a"), pa.bool_()),
        (_call("str.upper", Column("c")), pa.string()),
        (_call("to_datetime", Column("s")), pa.timestamp("us")),
        (_call("astype", Column("i"), dtype="category"), pa.dictionary(pa.int32(), pa.int64())),
        (_call("map", Column("i"), func={1: "x"}), pa.string()),
        (_call("map", Column("i"), func=str, meta="str"), pa.string()),
        (_call("map", Column("i"), func=float, meta=("x", "float32")), pa.float32()),
        (_call("np.log", Column("i")), pa.float64()),
        (_call("fillna", Column("s"), "?"), pa.string()),
        (Literal(1), pa.int64()),
        (Literal(pd.Timestamp("2001-01-01")), pa.timestamp("us")),
        (_call("add", 1, 2.5), pa.float64()),
    ],
)
def test_infer_field(expr: Any, type_: pa.DataType) -> None:
    field = infer_field(expr, table_from_frame(_FRAME).schema, "r")
    assert field.name == "r"
    assert field.type == type_


def test_infer_field_tells_nullable_dtypes_apart() -> None:
    plain = pa.schema([pa.field("x", pa.int64())])
    nullable = pa.schema([pa.field("x", pa.int64(), metadata={b"penstock.dtype": b"Int64"})])
    expr = _call("mul", Column("x"), 123)
    assert infer_field(expr, plain, "r").metadata is None
    assert infer_field(expr, nullable, "r").metadata == {b"penstock.dtype": b"Int64"}
    assert infer_field(expr, plain, "r").metadata is None


def test_scalars() -> None:
    table = pa.table({"x": [1]})
    assert evaluate(Literal(3), table).as_py() == 3
    assert evaluate(_call("add", 1, 2), table).as_py() == 3
    assert not evaluate(Literal(None), table).is_valid
    assert not evaluate(Literal(float("nan")), table).is_valid
    assert evaluate_many({"k": Literal("v"), "x": Column("x")}, table).to_pydict() == {
        "k": ["v"],
        "x": [1],
    }


def test_common_subexpressions_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    original = registry.apply_value

    def counted(name: str, *args: Any) -> Any:
        runs.append(name)
        return original(name, *args)

    monkeypatch.setattr("penstock.engine.evaluate.apply_value", counted)
    shared = _call("np.sqrt", Column("f"))
    again = _call("np.sqrt", Column("f"))
    table = table_from_frame(_FRAME)
    evaluate(_call("add", shared, _call("mul", again, again)), table)
    assert sorted(runs) == ["add", "mul", "np.sqrt"]
    runs.clear()
    evaluate_many({"x": shared, "y": _call("neg", again)}, table)
    assert sorted(runs) == ["neg", "np.sqrt"]


def test_unknown_column() -> None:
    with pytest.raises(ColumnNotFoundError, match="did you mean 'fare'"):
        evaluate(_call("add", Column("fares"), 1), pa.table({"fare": [1]}))


def test_unknown_operation() -> None:
    with pytest.raises(UnsupportedError, match="frobnicate"):
        evaluate(_call("frobnicate", Column("x")), pa.table({"x": [1]}))


def test_columns_of_several_chunks() -> None:
    table = pa.table({"x": pa.chunked_array([[1, 2], [], [3]])})
    assert evaluate(_call("add", Column("x"), 1), table).to_pylist() == [2, 3, 4]
    assert evaluate(Column("x"), table.slice(0, 0)).to_pylist() == []


def test_all_missing_blocks_have_the_type_of_others() -> None:
    table = pa.table({"s": pa.array([None, None], pa.string()), "i": pa.nulls(2, pa.int64())})
    for expr in (
        _call("str.split", Column("s")),
        _call("str.len", Column("s")),
        _call("str.title", Column("s")),
        _call("dt.year", _call("to_datetime", Column("s"))),
        _call("map", Column("i"), func={1: "x"}),
    ):
        result = evaluate(expr, table)
        assert result.type == infer_field(expr, table.schema, "r").type
        assert result.null_count == 2


def test_every_operation_is_described() -> None:
    for name, op in OPS.items():
        assert op.accessor in (None, "str", "dt")
        assert (op.accessor is not None) == name.startswith(("str.", "dt."))
        assert op.arity == -1 or 1 <= op.arity <= 3

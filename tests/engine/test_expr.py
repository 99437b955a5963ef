"""The expression tree: identity, substitution, filters."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.evaluate import evaluate
from penstock.engine.expr import (
    Call,
    Column,
    Expr,
    Literal,
    columns_of,
    rename_columns,
    split_conjuncts,
    substitute,
    to_filter,
)
from penstock.engine.kernels.missing import table_nan_to_null

_A, _B, _C = Column("a"), Column("b"), Column("c")


def _call(op: str, *args: Any, **options: Any) -> Call:
    wrapped = tuple(
        arg if isinstance(arg, Column | Literal | Call) else Literal(arg) for arg in args
    )
    return Call(op, wrapped, tuple(options.items()))


_VALUES = [
    1, True, 1.0, 0.0, -0.0, "1", b"1", None, float("nan"), np.int64(1), np.int32(1),
    np.float64(1), (1,), (True,), frozenset({1}), datetime.date(2001, 1, 1),
    pd.Timestamp("2001-01-01"), pd.Timestamp("2001-01-01", tz="UTC"), pd.Timedelta("1s"),
    np.array([1]), np.array([1.0]), {"a": 1}, {"a": True},
]  # fmt: skip


def test_literals_differ_by_type() -> None:
    literals = [Literal(value) for value in _VALUES]
    for i, one in enumerate(literals):
        for j, other in enumerate(literals):
            assert (one == other) is (i == j), (one, other)
    assert len(set(literals)) == len(literals)


def test_equal_literals_are_one() -> None:
    assert Literal([1, "a"]) == Literal((1, "a"))
    assert Literal({1, 2}) == Literal(frozenset({2, 1}))
    assert hash(Literal(float("nan"))) == hash(Literal(float("nan")))
    assert Literal(float("nan")) == Literal(float("nan"))
    assert Literal(np.array([1, 2])) == Literal(np.array([1, 2]))


def test_literals_own_their_values() -> None:
    values = np.array([1, 2])
    literal = Literal(values)
    values[0] = 9
    assert literal.value.tolist() == [1, 2]
    mapping = {"a": 1}
    call = _call("replace", _A, to_replace=mapping)
    mapping["a"] = 2
    assert dict(call.options)["to_replace"] == {"a": 1}


def test_frozen() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        _A.name = "b"


def test_calls_compare_by_content() -> None:
    assert _call("round", _A, decimals=1) == _call("round", _A, decimals=1)
    assert _call("round", _A, decimals=1) != _call("round", _A, decimals=2)
    assert Call("f", (_A,), (("x", 1), ("y", 2))) == Call("f", (_A,), (("y", 2), ("x", 1)))
    assert _call("map", _A, func=len) == _call("map", _A, func=len)
    assert _call("map", _A, func=lambda v: v) != _call("map", _A, func=lambda v: v)
    assert Column("a") != Literal("a")


def test_pickles() -> None:
    expr = _call("and", _call("gt", _A, 1.5), _call("isin", _B, [1, 2]))
    assert pickle.loads(pickle.dumps(expr)) == expr


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (_call("and", _call("gt", _A, 0), _call("invert", _B)), "(a > 0) & (~b)"),
        (_call("mul", _call("add", _A, 1), _B), "(a + 1) * b"),
        (_call("str.contains", _A, pat="x"), "a.str.contains(pat='x')"),
        (_call("isin", _A, [1, 2]), "a.isin([1, 2])"),
        (_call("isin", _A, list(range(100))), "a.isin([0, 1, 2, 3, 4, ... 100 values])"),
        (_call("map", Column("the name"), func=len), "['the name'].map(func=len)"),
        (_call("add", _A, np.int64(3)), "a + 3"),
    ],
)
def test_repr(expr: Expr, text: str) -> None:
    assert repr(expr) == text


def test_columns_and_substitution() -> None:
    expr = _call("add", _call("mul", _A, _B), _A)
    assert columns_of(expr) == {"a", "b"}
    assert columns_of(Literal(1)) == frozenset()
    assert rename_columns(expr, {"a": "x"}) == _call(
        "add", _call("mul", Column("x"), _B), Column("x")
    )
    replaced = substitute(expr, {"a": _call("neg", _C)})
    assert columns_of(replaced) == {"b", "c"}
    assert substitute(expr, {"z": _C}) is expr


def test_substitution_of_a_shared_tree_is_not_exponential() -> None:
    expr: Expr = _A
    for _ in range(200):
        expr = _call("add", expr, expr)
    other: Expr = _B
    for _ in range(200):
        other = _call("add", other, other)
    assert (substitute(expr, {"a": _B}) == other) is True
    assert columns_of(other) == {"b"}


def test_conjuncts() -> None:
    parts = [_call("gt", _A, 1), _call("lt", _B, 2), _call("eq", _C, "x")]
    assert split_conjuncts(_call("and", _call("and", parts[0], parts[1]), parts[2])) == parts


_TABLE = table_nan_to_null(
    pa.table(
        {
            "a": pa.array([1, 2, None, 4, 5, -1]),
            "f": pa.array([0.5, None, 2.0, float("inf"), -1.0, 0.0]),
            "s": pa.array(["x", None, "y", "", "X", "x"]),
            "t": pa.array([0, 1, None, 3, 4, 5], pa.timestamp("s")),
            "k": pa.array([True, False, None, True, False, True]),
        }
    )
)
_LEAVES = [
    *(_call(op, Column("a"), value) for op in ("eq", "ne", "lt", "ge") for value in (2, 2.5)),
    *(_call(op, Column("f"), value) for op in ("eq", "ne", "gt", "le") for value in (0, 0.5)),
    *(_call(op, Column("s"), "x") for op in ("eq", "ne", "gt", "le")),
    *(_call(op, Column("t"), pd.Timestamp(3, unit="s")) for op in ("eq", "ne", "lt")),
    _call("ge", Column("t"), "1970-01-01 00:00:03"),
    _call("lt", 2, Column("a")),
    _call("ge", 2, Column("a")),
    _call("isin", Column("a"), [1, 4, 7]),
    _call("isin", Column("s"), ("x", "")),
    _call("between", Column("a"), 1, 4, inclusive="left"),
    _call("between", Column("f"), 0.0, 2.0),
    _call("isna", Column("f")),
    _call("notna", Column("s")),
    Column("k"),
]
_TREES = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        st.builds(lambda x: _call("invert", x), inner.filter(lambda x: x != Column("k"))),
        st.builds(_call, st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=6,
)


def _rows(table: pa.Table, expr: Expr) -> list[int]:
    kept = evaluate(expr, table)
    return [i for i, keep in enumerate(kept.to_pylist()) if keep]


@given(expr=_TREES)
@pytest.mark.parametrize("nan", [False, True])
def test_filter_keeps_what_the_expression_keeps(nan: bool, expr: Expr) -> None:
    """Also in a file, where missing values may still be NaN."""
    table = _TABLE.append_column("row", pa.array(range(_TABLE.num_rows)))
    if nan:
        floats = table.column("f").fill_null(float("nan"))
        table = table.set_column(1, "f", floats)
    found = to_filter(expr, table.schema)
    assert found is not None
    kept = pads.dataset(table).to_table(filter=found).column("row").to_pylist()
    assert kept == _rows(_TABLE, expr)


def test_filter_leaves_out_what_it_cannot_say() -> None:
    plain = _call("gt", _A, 1)
    expr = _call("and", plain, _call("str.contains", Column("s"), pat="x"))
    assert to_filter(expr, _TABLE.schema).equals(to_filter(plain, _TABLE.schema))  # type: ignore[union-attr]
    for other in (
        _call("gt", _call("add", _A, 1), 1),
        _call("gt", _A, _B),
        _call("eq", _A, "text"),
        _call("eq", _A, None),
        _call("isin", _A, [1, None]),
        _call("or", plain, _call("str.isalpha", Column("s"))),
        _call("gt", Column("nowhere"), 1),
    ):
        assert to_filter(other, _TABLE.schema) is None


def test_filter_without_a_schema() -> None:
    found = to_filter(_call("and", _call("gt", _A, 1), _call("eq", Column("s"), "x")))
    assert pads.dataset(_TABLE).to_table(filter=found).num_rows == 0
    found = to_filter(_call("ne", _A, np.int64(1)))
    assert pads.dataset(_TABLE).to_table(filter=found).num_rows == 5

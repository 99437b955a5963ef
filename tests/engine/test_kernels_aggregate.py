"""Partial aggregates, combined over any blocks, give what pandas' groupby gives."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.engine.kernels.aggregate import (
    AGGREGATIONS,
    AggSpec,
    combine,
    complete_categories,
    finalize,
    grouped,
    holistic_field,
    output_field,
    partial,
)
from penstock.engine.kernels.sort import sort_table
from penstock.errors import ColumnNotFoundError, SchemaError, UnsupportedError
from tests.engine.kernel_frames import assert_same, blocks_of, build_frame, frames, to_table

NUMBERS = ["float", "big", "int", "tiny", "bool", "number"]
FUNCTIONS = {
    "sum": [*NUMBERS, "text", "delta"],
    "prod": ["int", "tiny", "bool"],
    "count": [*NUMBERS, "text", "time", "delta", "cat"],
    "mean": [*NUMBERS, "delta"],
    "min": [*NUMBERS, "text", "time", "delta", "cat"],
    "max": [*NUMBERS, "text", "time", "delta", "cat"],
    "first": [*NUMBERS, "text", "time", "delta", "cat"],
    "last": [*NUMBERS, "text", "time", "delta", "cat"],
    "any": [*NUMBERS, "text"],
    "all": [*NUMBERS, "text"],
    "var": ["number", "int", "bool"],
    "std": ["number", "int"],
    "sem": ["number", "int"],
    "skew": ["number", "int"],
    "kurt": ["number", "int"],
}
KEYS = st.sampled_from(
    [
        ["text"],
        ["float"],
        ["int"],
        ["bool"],
        ["time"],
        ["cat"],
        ["delta"],
        ["text", "float"],
        ["cat", "bool", "int"],
    ]
)


def run(
    table: pa.Table, keys: list[str], specs: list[AggSpec], size: int, dropna: bool
) -> pa.Table:
    parts = [partial(block, keys, specs, dropna=dropna) for block in blocks_of(table, size)]
    half = len(parts) // 2 or 1
    halves = [combine(pa.concat_tables(p), keys, specs) for p in (parts[:half], parts[half:]) if p]
    return finalize(combine(pa.concat_tables(halves), keys, specs), keys, specs)


def expected_groups(
    frame: pd.DataFrame,
    keys: list[str],
    column: str,
    function: str,
    drop: bool,
    **options: object,
) -> pd.DataFrame:
    groups = frame.groupby(keys, sort=False, dropna=drop, observed=True)[column]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(groups, function)(**options).reset_index(name="out")


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=8, deadline=None)
@given(frame=frames, keys=KEYS, size=st.integers(1, 12), dropna=st.booleans())
def test_groups_equal_pandas(
    function: str, frame: pd.DataFrame, keys: list[str], size: int, dropna: bool
) -> None:
    table = to_table(frame)
    for column in FUNCTIONS[function]:
        if column in keys:
            continue
        specs = [AggSpec(column, function, "out")]
        result = run(table, keys, specs, size, dropna)
        assert result.schema.field("out") == output_field(specs[0], table.schema)
        expected = expected_groups(frame, keys, column, function, dropna)
        options = tolerance(function)
        if expected.empty or (column == "tiny" and function in ("sum", "prod")):
            # pandas narrows these to int8 where all of the results happen to fit.
            options["check_dtype"] = False
        assert_same(result, expected, obj=f"{function} of {column}", **options)


def tolerance(function: str) -> dict[str, object]:
    # pandas' moments of nearly constant groups are rounding errors where ours are 0.
    return {"atol": 1e-6} if function in ("var", "std", "sem", "skew", "kurt") else {}


@settings(max_examples=8, deadline=None)
@given(
    frame=frames,
    function=st.sampled_from(["sum", "mean", "min", "max", "var", "first", "last", "any", "all"]),
    size=st.integers(1, 12),
)
def test_skipna_false(frame: pd.DataFrame, function: str, size: int) -> None:
    specs = [AggSpec("number", function, "out", (("skipna", False),))]
    result = run(to_table(frame), ["int"], specs, size, True)
    if frame.empty:
        assert result.num_rows == 0
        return
    assert_same(result, expected_groups(frame, ["int"], "number", function, True, skipna=False))


@settings(max_examples=8, deadline=None)
@given(frame=frames, min_count=st.integers(1, 4), size=st.integers(1, 12))
def test_min_count(frame: pd.DataFrame, min_count: int, size: int) -> None:
    for function in ("sum", "prod", "min", "max"):
        specs = [AggSpec("number", function, "out", (("min_count", min_count),))]
        result = run(to_table(frame), ["int"], specs, size, True)
        assert_same(
            result, expected_groups(frame, ["int"], "number", function, True, min_count=min_count)
        )


@settings(max_examples=8, deadline=None)
@given(frame=frames, size=st.integers(1, 12))
def test_ddof_size_and_several_outputs(frame: pd.DataFrame, size: int) -> None:
    specs = [
        AggSpec(None, "size", "rows"),
        AggSpec("number", "std", "deviation", (("ddof", 0),)),
        AggSpec("number", "mean", "average"),
        AggSpec("number", "sum", "total"),
    ]
    result = run(to_table(frame), ["text"], specs, size, True)
    groups = frame.groupby("text", sort=False)
    expected = pd.DataFrame(
        {
            "rows": groups.size().astype("int64"),
            "deviation": groups["number"].std(ddof=0),
            "average": groups["number"].mean(),
            "total": groups["number"].sum(),
        }
    ).reset_index()
    assert_same(result, expected, check_dtype=len(frame) > 0, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(
    frame=frames, column=st.sampled_from(["number", "int", "time", "text"]), size=st.integers(1, 9)
)
def test_labels_of_extremes(frame: pd.DataFrame, column: str, size: int) -> None:
    frame["label"] = np.arange(len(frame)) * 10
    kept = frame[frame[column].notna()]
    frame = frame[frame["bool"].isin(kept["bool"])]  # a group without values raises, as in pandas
    kept = kept[kept["bool"].isin(frame["bool"])]
    table = to_table(frame)
    if column == "text":
        kept = kept.assign(text=kept["text"].rank(method="dense"))
    for function in ("idxmin", "idxmax"):
        specs = [AggSpec(column, function, "out", (("label", "label"),))]
        result = run(table, ["bool"], specs, size, True).to_pydict()
        best = kept.groupby("bool")[column].agg(function) if len(kept) else {}
        assert dict(zip(result["bool"], result["out"], strict=True)) == {
            group: row * 10 for group, row in dict(best).items()
        }


@settings(max_examples=8, deadline=None)
@given(frame=frames, size=st.integers(1, 9))
def test_lists_keep_row_order(frame: pd.DataFrame, size: int) -> None:
    result = run(to_table(frame), ["int"], [AggSpec("big", "list", "out")], size, True)
    expected = frame.groupby("int", sort=False)["big"].agg(list) if len(frame) else {}
    assert dict(zip(*result.to_pydict().values(), strict=True)) == dict(expected)


@settings(max_examples=8, deadline=None)
@given(frame=frames, keys=KEYS, dropna=st.booleans())
def test_holistic_equal_pandas(frame: pd.DataFrame, keys: list[str], dropna: bool) -> None:
    table = to_table(frame)
    cases = [("median", "number", {}), ("median", "int", {}), ("median", "delta", {})]
    cases += [("nunique", column, {}) for column in ("number", "text", "time", "cat")]
    cases += [("nunique", "number", {"dropna": False})]
    cases += [("quantile", "number", {"q": q}) for q in (0.0, 0.3, 1.0)]
    cases += [
        ("quantile", "int", {"q": 0.4, "interpolation": how})
        for how in ("lower", "higher", "midpoint", "nearest")
    ]
    for function, column, options in cases:
        if column in keys:
            continue
        spec = AggSpec(column, function, "out", tuple(sorted(options.items())))
        result = grouped(table, keys, [spec, AggSpec(column, "count", "n")], dropna=dropna)
        assert result.schema.field("out") == holistic_field(spec, table.schema)
        if frame.empty:
            assert result.num_rows == 0
            continue
        expected = expected_groups(frame, keys, column, function, dropna, **options)
        # pandas gives floats for the quantiles of integers whatever the interpolation.
        assert_same(result.drop_columns(["n"]), expected, check_dtype=function != "quantile")


@settings(max_examples=8, deadline=None)
@given(frame=frames)
def test_mode_and_apply(frame: pd.DataFrame) -> None:
    specs = [
        AggSpec("text", "mode", "mode"),
        AggSpec("number", "apply", "span", (("func", lambda x: x.max() - x.min()),)),
    ]
    result = grouped(to_table(frame), ["int"], specs).to_pydict()
    for key, value, span in zip(*result.values(), strict=True):
        rows = frame[frame["int"] == key]
        mode = rows["text"].mode()
        assert value == (mode.iloc[0] if len(mode) else None)
        width = rows["number"].max() - rows["number"].min()
        assert span == (None if np.isnan(width) else width)


@settings(max_examples=8, deadline=None)
@given(frame=frames)
def test_unobserved_categories(frame: pd.DataFrame) -> None:
    specs = [
        AggSpec("number", "sum", "sum"),
        AggSpec("number", "mean", "mean"),
        AggSpec("number", "count", "count"),
        AggSpec("number", "max", "max"),
    ]
    keys = ["cat", "bool"]
    if frame.empty:
        return
    result = complete_categories(run(to_table(frame), keys, specs, 7, True), keys, specs)
    expected = (
        frame.groupby(keys, observed=False)["number"].agg(["sum", "mean", "count", "max"])
    ).reset_index()
    both = expected["bool"].isin(frame["bool"][frame["cat"].notna()].unique())
    assert_same(sort_table(result, keys), expected[both])


def test_moments_far_from_zero() -> None:
    values = 1e9 + np.random.default_rng(0).normal(size=4000)
    frame = pd.DataFrame({"k": np.arange(4000) % 3, "x": values})
    for function in ("var", "std", "skew", "kurt"):
        specs = [AggSpec("x", function, "out")]
        result = run(to_table(frame), ["k"], specs, 100, True)
        assert_same(
            result, expected_groups(frame, ["k"], "x", function, True), rtol=1e-4, atol=1e-6
        )


def test_integer_sums_are_exact_and_means_do_not_overflow() -> None:
    table = pa.table({"k": [0, 0], "x": [2**62 + 1, 2**62 - 3], "y": [2**62, 2**62]})
    specs = [AggSpec("x", "sum", "sum"), AggSpec("y", "mean", "mean")]
    assert run(table, ["k"], specs, 1, True).to_pydict() == {
        "k": [0],
        "sum": [2**63 - 2],
        "mean": [float(2**62)],
    }


def test_mean_of_times_is_exact() -> None:
    times = pd.to_datetime(["2262-04-11", "2262-04-10", None]).astype("datetime64[ns]")
    table = to_table(pd.DataFrame({"k": [1, 1, 2], "t": times}))
    result = run(table, ["k"], [AggSpec("t", "mean", "t")], 1, True)
    assert result["t"].to_pylist() == [pd.Timestamp("2262-04-10 12:00"), None]


def test_float_width_and_nullable_marks_are_kept() -> None:
    schema = pa.schema(
        [
            pa.field("k", pa.int64()),
            pa.field("x", pa.float32()),
            pa.field("n", pa.int64(), metadata={b"penstock.dtype": b"Int64"}),
        ]
    )
    table = pa.table([[1, 1], [0.5, 1.0], [1, None]], schema=schema)
    specs = [AggSpec("x", "mean", "x"), AggSpec("n", "sum", "n"), AggSpec("n", "mean", "m")]
    result = run(table, ["k"], specs, 1, True)
    assert result.schema.field("x").type == pa.float64()
    assert finalize(partial(table, [], specs), [], specs).schema.field("x").type == pa.float32()
    assert result.schema.field("n").metadata == {b"penstock.dtype": b"Int64"}
    assert result.schema.field("m").metadata == {b"penstock.dtype": b"Float64"}


def test_infinities_cancel_to_missing() -> None:
    table = pa.table({"k": [1, 1], "x": [float("inf"), float("-inf")]})
    specs = [AggSpec("x", "sum", "sum"), AggSpec("x", "max", "max"), AggSpec("x", "var", "var")]
    assert run(table, ["k"], specs, 1, True).to_pylist() == [
        {"k": 1, "sum": None, "max": float("inf"), "var": None}
    ]


def test_categories_with_different_dictionaries_meet() -> None:
    specs = [AggSpec("x", "sum", "x")]
    parts = [
        partial(pa.table({"k": pa.array(k).dictionary_encode(), "x": [1, 2]}), ["k"], specs)
        for k in (["a", "b"], ["b", "c"])
    ]
    result = finalize(combine(pa.concat_tables(parts), ["k"], specs), ["k"], specs)
    assert result.to_pydict() == {"k": ["a", "b", "c"], "x": [1, 3, 2]}


def test_decimals() -> None:
    table = pa.table({"k": [1, 1, 2], "x": pa.array([1, 2, None], pa.decimal128(5, 2))})
    specs = [AggSpec("x", f, f) for f in ("sum", "min", "max", "count")]
    result = run(table, ["k"], specs, 2, True)
    assert [str(v) for v in result["sum"].to_pylist()] == ["3.00", "0.00"]
    assert result["min"].to_pylist()[0] == 1
    assert result["max"].to_pylist()[1] is None


def test_unique_in_order_of_appearance() -> None:
    table = pa.table({"k": ["a", "b", "a", "a", "b"], "x": [2, 1, None, 2, 1]})
    specs = [AggSpec("x", "unique", "x")]
    for blocks in (1, 2, 5):
        assert run(table, ["k"], specs, blocks, True)["x"].to_pylist() == [[2, None], [1]]


def test_errors_name_the_column_and_the_function() -> None:
    table = to_table(build_frame([]))
    with pytest.raises(ColumnNotFoundError, match="did you mean 'number'"):
        partial(table, [], [AggSpec("numbr", "sum", "x")])
    with pytest.raises(ColumnNotFoundError, match="'k'"):
        partial(table, ["k"], [AggSpec("number", "sum", "x")])
    with pytest.raises(SchemaError, match=r"mean\(\) of column 'text'"):
        partial(table, [], [AggSpec("text", "mean", "x")])
    with pytest.raises(UnsupportedError, match="'nope'"):
        grouped(table, [], [AggSpec("number", "nope", "x")])
    unordered = pa.table({"c": pa.array(["a"]).dictionary_encode()})
    with pytest.raises(SchemaError, match="ordered"):
        partial(unordered, [], [AggSpec("c", "min", "x")])


def test_registry_is_covered() -> None:
    assert set(AGGREGATIONS) == {*FUNCTIONS, "size", "idxmin", "idxmax", "list", "unique"}

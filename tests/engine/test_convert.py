"""pandas to Arrow and back."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.blocks import single_chunk
from penstock.engine.kernels.convert import (
    DTYPE_KEY,
    array_from_series,
    dtype_of,
    field_of,
    frame_from_table,
    series_from_arrow,
    sort_categories,
    table_from_frame,
)
from penstock.engine.kernels.missing import has_nan, is_missing, nan_to_null, null_mask
from penstock.errors import SchemaError, UnsupportedError
from tests.support.frames import frames


@given(frame=frames(max_columns=6))
def test_round_trip(frame: pd.DataFrame) -> None:
    table = table_from_frame(frame)
    assert all(column.num_chunks == 1 for column in table.columns)
    assert not any(has_nan(column.chunk(0)) for column in table.columns)
    pd.testing.assert_frame_equal(frame_from_table(table), frame, check_column_type=False)


@given(frame=frames(max_columns=3, min_rows=1), data=st.data())
def test_round_trip_of_a_slice(frame: pd.DataFrame, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(frame)))
    table = table_from_frame(frame).slice(start)
    expected = frame.iloc[start:].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame_from_table(table), expected, check_column_type=False)


def test_round_trip_of_other_dtypes() -> None:
    frame = pd.DataFrame(
        {
            "string": pd.array(["a", None], dtype="string"),
            "python": pd.array(["a", None], dtype="string[python]"),
            "arrow": pd.array([1, None], dtype="int64[pyarrow]"),
            "float32": pd.array([1.5, None], dtype="Float32"),
            "half": np.array([1.5, np.nan], dtype="float16"),
            "seconds": np.array(["2001-01-01", "NaT"], dtype="M8[s]"),
            "codes": pd.Categorical([3, None], categories=[5, 3]),
            "date": [datetime.date(2001, 2, 3), None],
            "decimal": [decimal.Decimal("1.50"), None],
            "bytes": [b"a", None],
            "list": [[1, 2], np.nan],
        }
    )
    pd.testing.assert_frame_equal(frame_from_table(table_from_frame(frame)), frame)


def test_nullable_dtypes_are_recorded() -> None:
    schema = table_from_frame(pd.DataFrame({"x": pd.array([1], dtype="Int32")})).schema
    assert schema.field("x").type == pa.int32()
    assert schema.field("x").metadata == {DTYPE_KEY: b"Int32"}


def test_index_levels_come_first() -> None:
    frame = pd.DataFrame(
        {"x": [1.5]}, index=pd.MultiIndex.from_tuples([("a", 1)], names=["k", None])
    )
    table = table_from_frame(frame, preserve_index=True)
    assert table.column_names == ["k", "__index_1__", "x"]


def test_no_columns() -> None:
    table = table_from_frame(pd.DataFrame(index=[1, 2]))
    assert table.num_columns == 0


def test_duplicate_column_names() -> None:
    frame = pd.DataFrame([[1, "a"]], columns=["x", "x"])
    pd.testing.assert_frame_equal(frame_from_table(table_from_frame(frame)), frame)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None]), pd.Series([1.0, np.nan])),
        (pa.array([1, 2], pa.int16()), pd.Series([1, 2], dtype="int16")),
        (pa.array([None, None], pa.int64()), pd.Series([np.nan, np.nan])),
        (pa.array([True, None]), pd.Series([True, np.nan], dtype=object)),
        (pa.array(["a", None]), pd.Series(["a", None], dtype="str")),
        (pa.array(["a", None], pa.large_string()), pd.Series(["a", None], dtype="str")),
        (pa.array([[1], [2]]), pd.Series([[1], [2]])),
        (pa.array([{"a": 1}]), pd.Series([{"a": 1}])),
        (pa.nulls(1), pd.Series([None], dtype=object)),
        (pa.array([1, 2], pa.timestamp("ms")), pd.Series([1, 2]).astype("datetime64[ms]")),
        (pa.chunked_array([[1], [2]]), pd.Series([1, 2])),
        (pa.chunked_array([], pa.string()), pd.Series([], dtype="str")),
    ],
)
def test_default_dtypes(array: Any, expected: pd.Series) -> None:
    pd.testing.assert_series_equal(series_from_arrow(array), expected)


@pytest.mark.parametrize(
    ("backend", "dtypes"),
    [
        ("pyarrow", ["int64[pyarrow]", "bool[pyarrow]", "string[pyarrow]"]),
        ("numpy_nullable", ["Int64", "boolean", "string"]),
    ],
)
def test_dtype_backend(backend: Any, dtypes: list[str]) -> None:
    table = pa.table({"i": [1, None], "b": [True, None], "s": ["a", None]})
    frame = frame_from_table(table, dtype_backend=backend)
    assert [str(dtype) for dtype in frame.dtypes] == dtypes
    assert frame.isna().sum().tolist() == [1, 1, 1]
    for field, dtype in zip(table.schema, frame.dtypes, strict=True):
        assert dtype_of(field, dtype_backend=backend) == dtype


def test_results_may_be_changed() -> None:
    frame = frame_from_table(pa.table({"x": [1.0, 2.0], "t": pa.array([1, 2], pa.timestamp("s"))}))
    frame.loc[0, "x"] = 5.0
    frame.loc[0, "t"] = pd.Timestamp(7, unit="s")
    assert frame["x"].tolist() == [5.0, 2.0]


def test_categories_with_a_missing_or_double_category() -> None:
    indices = pa.array([0, 1, 2, None])
    array = pa.DictionaryArray.from_arrays(indices, pa.array(["a", None, "a"]))
    series = series_from_arrow(array)
    assert series.astype(object).where(series.notna(), None).tolist() == ["a", None, "a", None]


def test_sorted_categories() -> None:
    blocks = [pd.Series(["b", None, "d"]), pd.Series(["a", "b"])]
    chunks = [array_from_series(block.astype("category")) for block in blocks]
    array = single_chunk(pa.chunked_array(chunks))
    expected = pd.concat(blocks, ignore_index=True).astype("category")
    pd.testing.assert_series_equal(series_from_arrow(sort_categories(array)), expected)


@pytest.mark.parametrize("values", [["a", 1], ["a", b"x"], [1, True], [{"a": 1}, 2]])
def test_mixed_objects_are_refused(values: list[Any]) -> None:
    with pytest.raises(SchemaError, match="column 'mixed' holds values of different types"):
        array_from_series(pd.Series(values, dtype=object, name="mixed"))


@pytest.mark.parametrize("dtype", ["period[D]", "interval[int64]", "complex128"])
def test_unsupported_dtypes(dtype: str) -> None:
    with pytest.raises(UnsupportedError, match="column 'p' has dtype"):
        array_from_series(pd.Series([], dtype=dtype, name="p"))


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint64", "float32", "bool", "str", "datetime64[s]", "datetime64[ns, UTC]",
     "timedelta64[ms]", "Int64", "Float32", "boolean", "string", "int8[pyarrow]"],
)  # fmt: skip
def test_fields_name_their_dtypes(dtype: str) -> None:
    assert dtype_of(field_of(dtype, "x")) == pd.api.types.pandas_dtype(dtype)
    empty = pd.Series([], dtype=dtype)
    assert array_from_series(empty).type == field_of(dtype, "x").type


def test_big_endian_and_strided_values() -> None:
    series = pd.Series(np.arange(6, dtype=">i4")[::2])
    assert array_from_series(series).to_pylist() == [0, 2, 4]


@pytest.mark.parametrize("start", [0, 1, 3, 8, 9])
def test_nan_to_null_in_slices(start: int) -> None:
    values = [1.0, None, float("nan"), 4.0, 5.0, float("inf")] * 4
    array = nan_to_null(pa.array(values).slice(start, 11))
    expected = [v if v is not None and v == v else None for v in values[start : start + 11]]
    assert array.to_pylist() == expected
    assert null_mask(array).tolist() == [v is None for v in expected]
    assert null_mask(array.slice(2, 5)).tolist() == [v is None for v in expected[2:7]]


def test_nan_to_null_keeps_what_has_none() -> None:
    array = pa.array([1.0, None])
    assert nan_to_null(array) is array
    assert has_nan(pa.array([None, float("nan")]))
    assert not has_nan(array)


@pytest.mark.parametrize(
    ("value", "missing"),
    [(None, True), (float("nan"), True), (np.float32("nan"), True), (pd.NaT, True), (pd.NA, True),
     (np.datetime64("NaT"), True), (pa.scalar(None), True), (pa.scalar(1), False), (0, False),
     ("", False), ([], False), (float("inf"), False)],
)  # fmt: skip
def test_is_missing(value: Any, missing: bool) -> None:
    assert is_missing(value) is missing

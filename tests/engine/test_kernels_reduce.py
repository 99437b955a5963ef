"""Reductions of whole columns and concatenation against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.aggregate import combine, finalize, grouped, partial
from penstock.engine.kernels.concat import concat_schema, concat_tables
from penstock.engine.kernels.convert import frame_from_table
from penstock.engine.kernels.reduce import describe_specs, reduce_table, reduction_specs
from penstock.errors import SchemaError
from tests.engine.kernel_frames import assert_same, blocks_of, frames, to_table

FUNCTIONS = ["sum", "prod", "mean", "min", "max", "count", "var", "std", "sem", "skew", "kurt"]
COLUMNS = ["number", "int", "bool"]


@given(
    frame=frames, function=st.sampled_from(FUNCTIONS), size=st.integers(1, 9), skipna=st.booleans()
)
def test_reductions_equal_pandas(
    frame: pd.DataFrame, function: str, size: int, skipna: bool
) -> None:
    table = to_table(frame)
    options = {} if function == "count" else {"skipna": skipna}
    specs = reduction_specs(table.schema, function, columns=COLUMNS, **options)
    parts = [partial(block, [], specs) for block in blocks_of(table, size)]
    result = frame_from_table(finalize(combine(pa.concat_tables(parts), [], specs), [], specs))
    for column in COLUMNS:
        if column == "bool" and function in ("min", "max", "skew", "kurt"):
            continue
        expected = getattr(frame[column], function)(**options)
        got = result[column].iloc[0]
        if pd.isna(expected):
            assert pd.isna(got), column
        else:
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-6), column


@given(frame=frames, q=st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_quantile_median_and_nunique(frame: pd.DataFrame, q: float) -> None:
    table = to_table(frame)
    for column in ("number", "int"):
        got = reduce_table(table, reduction_specs(table.schema, "quantile", columns=[column], q=q))
        expected = frame[column].quantile(q) if len(frame) else np.nan
        assert got[column].to_pylist() == [None if np.isnan(expected) else pytest.approx(expected)]
    got = reduce_table(table, reduction_specs(table.schema, "nunique"))
    assert got.to_pylist() == [frame.nunique().to_dict()]


@given(frame=frames)
def test_describe(frame: pd.DataFrame) -> None:
    table = to_table(frame)
    for column in ("number", "int", "time", "delta"):
        specs = describe_specs(table.schema.field(column), [0.1, 0.5, 0.999])
        result = frame_from_table(grouped(table, [], specs))
        if frame.empty:
            assert result["count"].tolist() == [0]
            continue
        expected = frame[column].describe(percentiles=[0.1, 0.5, 0.999])
        assert list(result.columns) == list(expected.index)
        if column in ("number", "int"):
            np.testing.assert_allclose(
                result.iloc[0].astype(float), expected.astype(float), rtol=1e-9, atol=1e-6
            )


def test_numeric_only_and_text() -> None:
    table = pa.table({"x": [1, 2], "s": ["a", "b"], "b": [True, False]})
    specs = reduction_specs(table.schema, "mean", numeric_only=True)
    assert reduce_table(table, specs).to_pylist() == [{"x": 1.5, "b": 0.5}]
    assert reduce_table(table, reduction_specs(table.schema, "sum"))["s"].to_pylist() == ["ab"]
    with pytest.raises(SchemaError, match="'s'"):
        reduction_specs(table.schema, "mean")
    with pytest.raises(SchemaError, match="percentile"):
        describe_specs(table.schema.field("x"), [2.0])


@given(first=frames, second=frames, data=st.data(), join=st.sampled_from(["outer", "inner"]))
def test_concat_equals_pandas(
    first: pd.DataFrame, second: pd.DataFrame, data: st.DataObject, join: str
) -> None:
    columns = st.lists(
        st.sampled_from(["text", "number", "time", "cat", "delta"]), min_size=1, unique=True
    )
    first, second = first[data.draw(columns)], second[data.draw(columns)]
    if first.empty or second.empty or (join == "inner" and not set(first) & set(second)):
        return
    expected = pd.concat([first, second], join=join, ignore_index=True)
    assert_same(concat_tables([to_table(first), to_table(second)], join=join), expected)


def test_concat_promotes_types() -> None:
    tables = [
        pa.table({"x": pa.array([None], kind)}) for kind in (pa.int8(), pa.int64(), pa.null())
    ]
    assert concat_schema([t.schema for t in tables]).field("x").type == pa.int64()
    categories = pa.table({"x": pa.array(["a"]).dictionary_encode()})
    other = pa.table({"x": ["b"]})
    assert concat_tables([categories, other])["x"].to_pylist() == ["a", "b"]
    with pytest.raises(SchemaError, match="'x' is int64 in one table and string"):
        concat_tables([tables[1], other])

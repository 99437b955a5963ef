"""Frames as arrays and arrays as frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.array as da
import penstock.dataframe as dd
from penstock.errors import SchemaError, UnsupportedError
from tests.support.frames import assert_eq

FRAME = pd.DataFrame(
    {"a": np.arange(40), "b": np.arange(40) / 4, "c": np.arange(40) % 3 == 0, "t": ["x", "y"] * 20}
)


@pytest.fixture(params=[1, 3, 17])
def frame(request: pytest.FixtureRequest) -> Any:
    return dd.from_pandas(FRAME, npartitions=request.param)


def test_values(frame: Any) -> None:
    for columns in (["a"], ["a", "b"], ["a", "c"], ["a", "t"]):
        array = frame[columns].values
        assert array.dtype == FRAME[columns].to_numpy().dtype
        assert np.isnan(array.shape[0])
        assert array.shape[1] == len(columns)
        np.testing.assert_array_equal(array.compute(), FRAME[columns].to_numpy())
    assert_eq(frame.b.values + 1, FRAME.b.to_numpy() + 1)
    assert_eq(
        frame[["a", "b"]].to_dask_array().sum(axis=0), FRAME[["a", "b"]].to_numpy().sum(axis=0)
    )
    np.testing.assert_array_equal(frame[["a", "b"]].to_numpy(), FRAME[["a", "b"]].to_numpy())


def test_lengths(frame: Any) -> None:
    array = frame[frame.a > 7][["a", "b"]].to_dask_array(lengths=True)
    known = FRAME[FRAME.a > 7][["a", "b"]].to_numpy()
    assert array.shape == known.shape
    assert_eq(array[5:9], known[5:9])
    assert_eq(array.T @ array, known.T @ known)
    sizes = [len(part) for part in frame.b.iter_blocks()]
    given = frame.b.to_dask_array(lengths=sizes)
    assert given.chunks == (tuple(sizes),)
    assert_eq(given[::7], FRAME.b.to_numpy()[::7])
    if len(sizes) > 1:
        wrong = [sizes[0] + 1, sizes[1] - 1, *sizes[2:]]
        with pytest.raises(SchemaError, match="lengths= gives it"):
            frame.b.to_dask_array(lengths=wrong).compute()
    with pytest.raises(SchemaError, match="2 lengths"):
        frame.repartition(npartitions=4).b.to_dask_array(lengths=[20, 20])


def test_values_after_an_exchange(frame: Any) -> None:
    ordered = frame.sort_values("b", ascending=False)
    known = FRAME.sort_values("b", ascending=False)
    assert_eq(ordered.b.values, known.b.to_numpy())
    grouped = frame.groupby("c").a.sum()
    assert_eq(grouped.values, FRAME.groupby("c").a.sum().to_numpy())


def test_missing_values() -> None:
    data = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1.0, np.nan, 3.0]})
    frame = dd.from_pandas(data, npartitions=2)
    assert_eq(frame.b.values, data.b.to_numpy())
    assert_eq(frame.a.fillna(0).astype("i8").values, np.array([1, 0, 3]))


@pytest.mark.parametrize("chunks", [-1, (7, 1), (3, 2)], ids=str)
def test_arrays_as_frames(chunks: Any) -> None:
    values = FRAME[["a", "b"]].to_numpy()
    array = da.from_array(values, chunks)
    made = dd.from_dask_array(array, columns=["a", "b"])
    assert made.npartitions == array.numblocks[0]
    known = pd.DataFrame(values, columns=["a", "b"])
    assert_eq(made, known)
    assert_eq(made[made.a > 5].b.sum(), known[known.a > 5].b.sum())
    assert_eq(made.b, known.b)
    assert_eq(made.groupby("b").a.max(), known.groupby("b").a.max())
    assert_eq(dd.from_dask_array(array[:, 0], columns="z"), pd.Series(values[:, 0], name="z"))
    assert_eq(dd.from_dask_array(array)[1], pd.DataFrame(values)[1])
    assert_eq(made.values @ np.eye(2), values)


def test_structured_arrays_as_frames() -> None:
    values = np.zeros(9, dtype=[("n", "i4"), ("x", "f8")])
    values["n"] = np.arange(9)
    made = dd.from_dask_array(da.from_array(values, 4))
    assert_eq(made, pd.DataFrame({"n": values["n"], "x": values["x"]}))


def test_arrays_that_are_no_tables() -> None:
    with pytest.raises(SchemaError, match="3 axes"):
        dd.from_dask_array(da.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="3 columns"):
        dd.from_dask_array(da.ones((2, 2)), columns=list("abc"))
    with pytest.raises(UnsupportedError, match="set_index"):
        dd.from_dask_array(da.ones(3), index=pd.Index([1, 2, 3]))

"""Results do not depend on how rows are cut, nor on limits, executors or persisting."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import penstock
import penstock.dataframe as dd
from tests.oracle.harness import Call, check, drawn, sample
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

KINDS = ("few", "finite", "text", "bool", "category", "zoned", "nullable_int")


def _repartitioned(**options: Any) -> Call:
    return lambda df: df if isinstance(df, pd.DataFrame) else df.repartition(**options)


@pytest.mark.parametrize("npartitions", [1, 2, 5, 30])
@drawn("few text finite")
def test_repartition(npartitions: int, frame: pd.DataFrame) -> None:
    check(_repartitioned(npartitions=npartitions), frame)
    check(lambda df: _repartitioned(npartitions=npartitions)(df[df.few > 0]), frame)
    check(lambda df: _repartitioned(npartitions=npartitions)(df).few.cumsum(), frame)
    collection = dd.from_pandas(frame, 3).repartition(npartitions=npartitions)
    assert collection.npartitions == npartitions
    assert len(list(collection.iter_blocks())) == npartitions


@pytest.mark.parametrize("size", ["1kB", "100MB", 10])
def test_repartition_by_size(size: Any) -> None:
    check(_repartitioned(partition_size=size), sample(*KINDS))


def test_repartition_by_divisions() -> None:
    frame = sample("few", "text").set_index(pd.Index([1, 2, 2, 5, 8, 9, 12], name="key"))
    collection = dd.from_pandas(frame, 3).repartition(divisions=[1, 2, 9, 12])
    assert collection.divisions == (1, 2, 9, 12)
    assert collection.known_divisions
    blocks = list(collection.iter_blocks())
    assert [list(block.index) for block in blocks] == [[1], [2, 2, 5, 8], [9, 12]]
    assert_eq(collection, frame)
    days = pd.DatetimeIndex([f"2020-01-0{day}" for day in range(1, 8)], name="when")
    times = frame.set_index(days)
    assert_eq(dd.from_pandas(times, 2).repartition(divisions=list(days[[0, 3, 6]])), times)


def test_repartition_wants_one_way() -> None:
    collection = dd.from_pandas(sample("few"), 3)
    for options in ({}, {"npartitions": 2, "partition_size": 10}, {"npartitions": 0}):
        with pytest.raises(ValueError, match=r"npartitions"):
            collection.repartition(**options)


@drawn("few text finite")
def test_partitions(frame: pd.DataFrame) -> None:
    frame.index = pd.Index([f"r{i}" for i in range(len(frame))], dtype="str")
    collection = dd.from_pandas(frame, 4)
    bounds = np.linspace(0, len(frame), 5).astype(int)
    parts = [frame.iloc[a:b] for a, b in itertools.pairwise(bounds)]
    for number, part in enumerate(parts):
        assert_eq(collection.partitions[number], part)
        assert_eq(collection.get_partition(number).few + 1, part.few + 1)
    assert_eq(collection.partitions[-1], parts[-1])
    assert_eq(collection.partitions[1:3], pd.concat(parts[1:3]))
    assert_eq(collection.partitions[[2, 0]], pd.concat([parts[2], parts[0]]))
    assert len(collection.partitions) == 4
    assert [len(part) for part in collection.partitions] == [len(part) for part in parts]
    with pytest.raises(IndexError):
        collection.partitions[4]


@drawn("few text finite nullable_int zoned")
def test_blocks_together_are_the_whole(frame: pd.DataFrame) -> None:
    for collection in (dd.from_pandas(frame, 3), dd.from_pandas(frame, 17).repartition(3)):
        blocks = list(collection.iter_blocks())
        assert len(blocks) == 3
        assert_eq(pd.concat(blocks), frame)


@drawn("few text finite category zoned")
def test_persist(frame: pd.DataFrame) -> None:
    collection = dd.from_pandas(frame, 3)
    kept = collection[collection.few > 0].persist()
    expected = frame[frame.few > 0]
    assert_eq(kept, expected)
    assert_eq(kept.finite + 1, expected.finite + 1)
    assert_eq(kept.few.sum().persist(), expected.few.sum())
    assert_eq(kept[["few", "finite"]].max().persist(), expected[["few", "finite"]].max())
    assert kept.npartitions == 3


def test_several_at_once() -> None:
    frame = sample("few", "finite", "text")
    collection = dd.from_pandas(frame, 3)
    found = penstock.compute(
        collection, {"sum": collection.few.sum(), "more": [collection.finite.mean(), 7]}, "x"
    )
    assert_eq(found[0], frame)
    assert_eq(found[1]["sum"], frame.few.sum())
    assert_eq(found[1]["more"][0], frame.finite.mean())
    assert [*found[1]["more"][1:], found[2]] == [7, "x"]
    kept, number = penstock.persist(collection.few + 1, 3)
    assert_eq(kept, frame.few + 1)
    assert number == 3
    assert penstock.compute(1, "a") == (1, "a")


CALLS: dict[str, Call] = {
    "filter": lambda df: df[df.few > 10],
    "sum": lambda df: df.finite.sum(),
    "standardised": lambda df: (df.finite - df.finite.mean()) / df.finite.std(),
    "sorted": lambda df: df.sort_index(ascending=False),
    "running": lambda df: df.few.cumsum().shift(3),
    "labels": lambda df: df[df.few % 7 == 0].reset_index(),
    "head": lambda df: df.head(5000),
}


@pytest.mark.memory
@pytest.mark.parametrize("scheduler", ["threads", "sync"])
@pytest.mark.parametrize("case", CALLS)
def test_little_memory(case: str, scheduler: str) -> None:
    generator = np.random.default_rng(3)
    rows = 20_000
    frame = pd.DataFrame(
        {
            "few": generator.integers(0, 100, rows),
            "finite": generator.normal(size=rows),
            "text": generator.choice(["a", "bb", None], rows),
        }
    )
    limit = limit_leaving(48 << 20)
    check(CALLS[case], frame, partitions=(17,), scheduler=scheduler, memory_limit=limit)


@drawn("few text finite zoned bool")
def test_arrow_backed_results(frame: pd.DataFrame) -> None:
    collection = dd.from_pandas(frame, 3)
    result = collection.compute(dtype_backend="pyarrow")
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in result.dtypes)
    assert result.few.dtype == pd.ArrowDtype(pa.int64())
    assert result.text.dtype == pd.ArrowDtype(pa.string())
    assert_eq(result.few.astype("int64"), frame.few)
    nullable = collection.compute(dtype_backend="numpy_nullable")
    assert_eq(nullable[["few", "bool"]], frame[["few", "bool"]].convert_dtypes())
    (total,) = penstock.compute(collection.few.sum(), dtype_backend="pyarrow")
    assert total == frame.few.sum()


@drawn("few text finite category")
def test_to_arrow(frame: pd.DataFrame) -> None:
    table = dd.from_pandas(frame, 3).to_arrow()
    assert table.column_names == list(frame.columns)
    assert table.num_rows == len(frame)
    assert table["few"].to_pylist() == frame.few.tolist()
    assert table["finite"].null_count == frame.finite.isna().sum()
    assert dd.from_pandas(frame.few, 2).to_arrow().column_names == ["few"]


def test_explain() -> None:
    collection = dd.from_pandas(sample("few", "finite"), 3)
    text = (collection[collection.few > 0].finite - collection.finite.mean()).sum().explain()
    for word in ("plan", "stages", "from-memory", "few > 0", "aggregate", "3 blocks", "memory"):
        assert word in text
    assert "from-memory" in collection.few.explain()


def test_divisions_are_unknown_unless_sorted() -> None:
    collection = dd.from_pandas(sample("few"), 3)
    assert collection.npartitions == 3
    assert len(collection.divisions) == 4
    assert not collection[collection.few > 0].known_divisions


@pytest.mark.parametrize("filters", [[("key", "==", 2)], [("value", ">", 100)]])
def test_rows_that_read_parquet_filters_are_counted_and_labelled(tmp_path, filters):
    frame = pd.DataFrame({"key": [1, 2, 3, 1] * 50, "value": range(200)})
    dd.from_pandas(frame, npartitions=5).to_parquet(tmp_path / "x", partition_on=["key"])
    expected = pd.read_parquet(tmp_path / "x", filters=filters).reset_index(drop=True)
    lazy = dd.read_parquet(tmp_path / "x", filters=filters, index=False, blocksize=200)
    assert lazy.npartitions > 1
    assert len(lazy) == lazy.shape[0].compute() == len(expected)
    some = expected.value % 3 == 0
    found = lazy[lazy.value % 3 == 0].compute()
    assert_eq(found.index, expected.index[some])
    assert_eq(found.value, expected.value[some])

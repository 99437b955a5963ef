"""Parquet in very many folders, in files of a chosen size, and many small files made few."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import penstock
import penstock.dataframe as dd
from penstock.collections import writing
from penstock.errors import TargetExistsError
from penstock.io.parquet import parquet_source
from penstock.io.source import Pushdown
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving


def _frame(rows: int = 600, keys: int = 40) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "key": generator.integers(0, keys, rows),
            "kind": generator.choice(["a", "b/c", None], rows),
            "x": np.arange(rows),
        }
    )


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def _rows(folder: Path, by: list[str]) -> pd.DataFrame:
    found = dd.read_parquet(str(folder)).compute()
    return found.sort_values([*by, "x"], ignore_index=True)[["x", *by]]


def test_each_folder_is_written_once(tmp_path: Path) -> None:
    frame = _frame()
    dd.from_pandas(frame, 12).to_parquet(tmp_path / "out", partition_on="key", shuffle=True)
    files = _files(tmp_path / "out")
    assert len(files) == frame.key.nunique()
    for file in files:  # rows of a folder stay in their order
        key = int(file.parent.name.removeprefix("key="))
        assert pq.read_table(file)["x"].to_pylist() == frame.x[frame.key == key].tolist()
    dd.from_pandas(frame, 12).to_parquet(tmp_path / "many", partition_on="key", shuffle=False)
    assert len(_files(tmp_path / "many")) > 5 * len(files)
    assert_eq(_rows(tmp_path / "many", ["key"]), _rows(tmp_path / "out", ["key"]))


@pytest.mark.parametrize("spill", [None, 64])
def test_several_columns_and_missing_keys(tmp_path: Path, spill: int | None) -> None:
    frame = _frame(300, 5)
    with penstock.config.set({"exchange-memory": spill, "verify-plans": True}):
        dd.from_pandas(frame, 7).to_parquet(
            tmp_path / "out", partition_on=["kind", "key"], shuffle=True
        )
    expected = frame.sort_values(["kind", "key", "x"], ignore_index=True)[["x", "kind", "key"]]
    found = _rows(tmp_path / "out", ["kind", "key"])
    assert_eq(found.astype({"kind": "str", "key": "int64"}), expected)
    folders = {file.parent for file in _files(tmp_path / "out")}
    assert len(folders) == len(frame.groupby(["kind", "key"], dropna=False))


def test_many_folders_are_seen_in_the_first_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = dd.from_pandas(_frame(), 12)
    lazy.to_parquet(tmp_path / "few", partition_on="key")
    assert len(_files(tmp_path / "few")) > 40
    monkeypatch.setattr(writing, "_MANY_FILES", 100)
    lazy.to_parquet(tmp_path / "many", partition_on="key")
    assert len(_files(tmp_path / "many")) == 40
    assert_eq(_rows(tmp_path / "few", ["key"]), _rows(tmp_path / "many", ["key"]))
    # a few values of many blocks are no reason to move rows
    lazy.to_parquet(tmp_path / "kinds", partition_on="kind")
    assert len(_files(tmp_path / "kinds")) == 36


def test_hundreds_of_folders_need_little_memory(tmp_path: Path) -> None:
    frame = pd.DataFrame({"key": np.arange(20_000) % 400, "x": np.arange(20_000)})
    limit = limit_leaving(32 << 20)
    dd.from_pandas(frame, 10).to_parquet(
        tmp_path / "out", partition_on="key", compute_kwargs={"memory_limit": limit}
    )
    assert len(_files(tmp_path / "out")) == 400
    assert int(dd.read_parquet(str(tmp_path / "out")).x.sum().compute()) == frame.x.sum()


def test_folder_of_one_key_is_cut_by_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"key": "same", "x": np.arange(20_000)})
    with penstock.config.set({"exchange-memory": 1 << 14}):
        dd.from_pandas(frame, 5).to_parquet(tmp_path / "out", partition_on="key", shuffle=True)
    assert len(_files(tmp_path / "out")) >= 2
    assert dd.read_parquet(str(tmp_path / "out")).x.compute().tolist() == frame.x.tolist()


def test_file_size(tmp_path: Path) -> None:
    frame = pd.DataFrame({"key": np.arange(8000) % 4, "x": np.arange(8000)})
    for npartitions in (1, 3, 50):
        target = tmp_path / str(npartitions)
        dd.from_pandas(frame, npartitions).to_parquet(target, file_size="16kB")
        assert len(_files(target)) == 8
        assert_eq(dd.read_parquet(str(target)), frame)
    dd.from_pandas(frame, 50).to_parquet(tmp_path / "keys", partition_on="key", file_size="1MB")
    assert len(_files(tmp_path / "keys")) == 4


def test_row_group_size(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(100)})
    dd.from_pandas(frame, 1).to_parquet(tmp_path / "out", row_group_size=30)
    (file,) = _files(tmp_path / "out")
    assert pq.ParquetFile(file).metadata.num_row_groups == 4


def test_shuffle_needs_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="partition_on"):
        dd.from_pandas(_frame(), 2).to_parquet(tmp_path / "out", shuffle=True)


# -- compact ------------------------------------------------------------------


def test_compact(tmp_path: Path) -> None:
    frame = _frame(500).set_index("x")
    many, few = tmp_path / "many", tmp_path / "few"
    dd.from_pandas(frame, 120).to_parquet(many)
    assert len(_files(many)) == 120
    dd.compact(str(many), str(few))
    assert len(_files(few)) == 1
    assert_eq(dd.read_parquet(str(few)), frame)
    with pytest.raises(TargetExistsError):
        dd.compact(str(many), str(few))
    dd.compact(str(many), str(many), mode="overwrite", file_size="4kB")  # in place
    assert 1 < len(_files(many)) < 12
    assert_eq(dd.read_parquet(str(many)), frame)


def test_compact_keeps_folders(tmp_path: Path) -> None:
    frame = _frame(500, 6)
    lazy = dd.from_pandas(frame, 9)
    lazy.to_parquet(tmp_path / "many", partition_on="key", shuffle=False)
    dd.compact(str(tmp_path / "many"), str(tmp_path / "few"))
    assert len(_files(tmp_path / "few")) == 6
    assert_eq(_rows(tmp_path / "few", ["key"]), _rows(tmp_path / "many", ["key"]))
    dd.compact(str(tmp_path / "many"), str(tmp_path / "flat"), partition_on=[])
    assert len(_files(tmp_path / "flat")) == 1


# -- repartition --------------------------------------------------------------


def _blocks(collection: Any) -> list[list[int]]:
    return [block.x.tolist() for block in collection.iter_blocks()]


def test_repartition_up_and_down() -> None:
    frame = pd.DataFrame({"x": range(10)})
    for before in (1, 3, 17):
        for after in (1, 2, 5, 30):
            found = dd.from_pandas(frame, before).repartition(npartitions=after)
            assert found.npartitions == after
            assert list(chain(*_blocks(found))) == list(range(10))
    nothing = dd.from_pandas(frame.iloc[:0], 1).repartition(npartitions=4)
    assert _blocks(nothing) == [[], [], [], []]


def test_repartition_by_divisions_loses_nothing() -> None:
    frame = pd.DataFrame({"x": [1, 2, 5, 8, 9]}, index=[1, 2, 5, 8, 9])
    lazy = dd.from_pandas(frame, 2)
    found = lazy.repartition(divisions=[1, 3, 4, 9])
    assert _blocks(found) == [[1, 2], [], [5, 8, 9]]
    with pytest.raises(ValueError, match="order"):
        lazy.repartition(divisions=[9, 1])
    with pytest.raises(ValueError, match="at least two"):
        lazy.repartition(divisions=[1])
    for divisions, side in (([2, 9], "left"), ([1, 8], "right")):
        with pytest.raises(ValueError, match=side):
            lazy.repartition(divisions=divisions).compute()
        with pytest.raises(ValueError, match=side):
            lazy.repartition(divisions=divisions, force=True).compute()
    wider = lazy.repartition(divisions=[0, 4, 20], force=True)
    assert _blocks(wider) == [[1, 2], [5, 8, 9]]


def test_known_divisions_widen_by_force_only() -> None:
    frame = pd.DataFrame({"x": [1, 2, 5, 8, 9]}, index=[1, 2, 5, 8, 9])
    known = dd.from_pandas(frame, 2).repartition(divisions=[1, 9])
    with pytest.raises(ValueError, match="force=True"):
        known.repartition(divisions=[0, 9])
    assert _blocks(known.repartition(divisions=[0, 5, 10], force=True)) == [[1, 2], [5, 8, 9]]


def test_missing_labels_have_no_division() -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=[1.0, np.nan])
    with pytest.raises(ValueError, match="missing"):
        dd.from_pandas(frame, 1).repartition(divisions=[0.0, 2.0]).compute()


def test_repartition_by_frequency_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="divisions"):
        dd.from_pandas(_frame(), 2).repartition(freq="1D")


def test_a_file_beside_the_folders_keeps_its_own_column(tmp_path):
    (tmp_path / "k=a").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "k=a" / "0.parquet")
    pq.write_table(pa.table({"x": [2, 3], "k": ["b", "c"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"x": [4]}), tmp_path / "2.parquet")
    source = parquet_source(tmp_path)
    pushdown = Pushdown()
    found = pa.concat_tables(source.read(one, pushdown) for one in source.split(pushdown, 1 << 20))
    assert dict(zip(found["x"].to_pylist(), found["k"].to_pylist(), strict=True)) == {
        1: "a", 2: "b", 3: "c", 4: None,
    }  # fmt: skip
    assert source.describe()["partitions"] == ["k"]
    assert source.drift == ()
    wanted = parquet_source(tmp_path, filters=[("k", "==", "c")])
    assert [wanted.read(one, pushdown)["x"].to_pylist()
            for one in wanted.split(pushdown, 1 << 20)] == [[3]]  # fmt: skip

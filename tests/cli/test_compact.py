"""``penstock compact``: fewer files, the same rows in their order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import penstock.dataframe as dd
from tests.support.frames import assert_eq


@pytest.fixture
def many(trips, tmp_path):
    """Give a directory of 25 small files."""
    folder = tmp_path / "many"
    dd.from_pandas(trips, npartitions=25).to_parquet(folder, compression="zstd")
    return folder


def _files(folder):
    return sorted(folder.rglob("*.parquet"))


def test_few_files_hold_the_same_rows_in_order(run, many, trips, tmp_path):
    done = run("compact", many, tmp_path / "few")
    assert len(_files(tmp_path / "few")) == 1
    assert_eq(pd.read_parquet(tmp_path / "few"), trips)
    assert "5,000" in done.stdout
    assert "before   25 files" in done.stdout
    assert "after    1 file" in done.stdout
    assert len(_files(many)) == 25


def test_the_codec_stays_unless_another_is_asked_for(run, many, tmp_path):
    run("compact", many, tmp_path / "same")
    run("compact", many, tmp_path / "none", "--compression", "none")
    found = [pq.ParquetFile(_files(tmp_path / name)[0]).metadata.row_group(0).column(0).compression
             for name in ("same", "none")]  # fmt: skip
    assert found == ["ZSTD", "UNCOMPRESSED"]


def test_without_a_target_the_source_is_replaced(run, many, trips):
    run("compact", many, "--file-size", "60kB")
    assert 1 < len(_files(many)) < 25
    assert_eq(dd.read_parquet(many).compute(), trips)


def test_folders_stay_or_are_made(run, trips, tmp_path):
    source = tmp_path / "source"
    dd.from_pandas(trips, npartitions=5).to_parquet(source, partition_on="year")
    assert len(_files(source)) == 15
    run("compact", source, tmp_path / "years")
    run("compact", source, tmp_path / "months", "--partition-on", "month")
    assert [f.parent.name for f in _files(tmp_path / "years")] == [f"year={y}" for y in
                                                                 range(2020, 2023)]  # fmt: skip
    assert len(_files(tmp_path / "months")) == 3
    for folder, keys in (("years", ["year"]), ("months", ["month"])):
        found = dd.read_parquet(tmp_path / folder).compute()
        assert len(found) == len(trips)
        sums = trips.groupby(keys).fare.sum().to_numpy()
        kept = found.astype(dict.fromkeys(keys, "int64")).groupby(keys).fare.sum().to_numpy()
        assert np.allclose(kept, sums)


def test_a_target_that_is_there_is_kept_unless_it_may_be_replaced(run, many, trips, tmp_path):
    target = tmp_path / "few"
    run("compact", many, target)
    before = _files(target)[0].stat().st_mtime_ns
    refused = run("compact", many, target, code=1)
    assert "--overwrite" in refused.stderr
    assert _files(target)[0].stat().st_mtime_ns == before
    run("compact", many, target, "--overwrite")
    assert_eq(pd.read_parquet(target), trips)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["many/*.parquet"], 2, "give DST"),
        (["one.parquet"], 2, "one file"),
        (["many", "few.parquet"], 2, "one file"),
        (["many", "few", "--file-size", "tiny"], 2, "'tiny'"),
        (["many", "few", "--memory-limit", "1MB"], 1, "memory_limit"),
        (["none", "few"], 1, "none"),
        (["many", "few", "--partition-on", "years"], 1, "'years'"),
        (["many", "few", "--compression", "rar"], 1, "rar"),
    ],
)
def test_what_cannot_be_done_leaves_the_files_as_they_are(
    run, many, tmp_path, monkeypatch, arguments, code, told
):
    monkeypatch.chdir(tmp_path)
    refused = run("compact", *arguments, code=code)
    assert told in refused.stderr
    assert "Traceback" not in refused.output
    assert len(_files(many)) == 25
    assert not (tmp_path / "few").exists()


def test_a_foreign_file_in_the_source_stops_the_replacement(run, many):
    (many / "notes.txt").write_text("keep me")
    refused = run("compact", many, code=1)
    assert "notes.txt" in refused.stderr
    assert (many / "notes.txt").read_text() == "keep me"
    assert len(_files(many)) == 25


def test_a_directory_whose_name_looks_like_a_pattern(run, many, tmp_path):
    folder = tmp_path / "[2024]"
    many.rename(folder)
    run("compact", folder)
    assert len(list(folder.glob("*.parquet"))) == 1

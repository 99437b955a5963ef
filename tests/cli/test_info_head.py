"""``penstock info`` and ``penstock head``."""

from __future__ import annotations

import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.io.filesystem import bytes_read
from tests.support.frames import assert_eq


def test_info_of_parquet_knows_the_rows(run, trips, tmp_path):
    table = pa.Table.from_pandas(trips, preserve_index=False)
    for number in range(2):
        pq.write_table(table, tmp_path / f"{number}.parquet", compression="zstd")
    found = json.loads(run("info", tmp_path, "--json").stdout)
    assert found["format"] == "parquet"
    assert found["rows"] == 10_000
    assert found["files"] == 2
    assert found["codec"] == ["zstd"]
    assert found["bytes"] == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert found["schema"][1] == {"name": "fare", "type": "double"}
    assert found["drift"] == []
    assert found["blocks"] >= 1
    text = run("info", tmp_path).stdout
    assert "10,000" in text
    assert "fare" in text
    assert "zstd" in text


def test_info_of_csv_counts_only_when_asked_to(run, trips_csv):
    found = json.loads(run("info", trips_csv, "--json").stdout)
    assert found["rows"] is None
    assert found["bytes"] == trips_csv.stat().st_size
    assert [column["type"] for column in found["schema"]] == [
        "int64", "double", "string", "int64", "int64",
    ]  # fmt: skip
    assert "--count" in run("info", trips_csv).stdout
    assert json.loads(run("info", trips_csv, "--json", "--count").stdout)["rows"] == 5000
    assert json.loads(run("info", trips_csv, "--json", "--blocksize", "10kB").stdout)["blocks"] > 5


def test_info_counts_the_rows_that_a_filter_keeps(run, trips, tmp_path):
    trips.to_parquet(tmp_path / "a.parquet")
    arguments = ["info", tmp_path / "a.parquet", "--json", "-w", "zone == 1"]
    assert json.loads(run(*arguments).stdout)["rows"] is None
    assert json.loads(run(*arguments, "--count").stdout)["rows"] == int((trips.zone == 1).sum())


def test_info_tells_the_schema_drift_of_taxi_months(run, shared_data):
    found = json.loads(run("info", shared_data / "taxi" / "green", "--json").stdout)
    drift = {one["column"]: one for one in found["drift"]}
    assert "double" in drift["ehail_fee"]["what"]
    assert len(drift["cbd_congestion_fee"]["files"]) == 4
    text = run("info", shared_data / "taxi" / "green").stdout
    assert "schema drift" in text
    assert "green_tripdata_2025-11.parquet" in text


@pytest.mark.parametrize("count", [0, 1, 10, 4999, 6000])
def test_head_gives_the_first_rows_as_csv(run, trips_csv, trips, count):
    shown = run("head", trips_csv, "-n", count, "--csv", "--blocksize", "10kB")
    expected = io.StringIO()
    trips.head(count).to_csv(expected, index=False, lineterminator="\n")
    assert shown.stdout == expected.getvalue()


def test_head_keeps_the_digits_of_integers_with_missing_values(run, tmp_path):
    pq.write_table(pa.table({"a": [2**60 + 1, None]}), tmp_path / "a.parquet")
    assert run("head", tmp_path / "a.parquet", "--csv").stdout == f'a\n{2**60 + 1}\n""\n'


def test_head_takes_columns_and_where(run, trips_csv, trips):
    shown = run("head", trips_csv, "-n", 3, "--csv", "-c", "year,zone", "-w", "fare > 30")
    expected = trips.query("fare > 30")[["year", "zone"]].head(3).reset_index(drop=True)
    assert_eq(pd.read_csv(io.StringIO(shown.stdout)), expected)


def test_head_prints_a_table_that_cannot_steer_the_terminal(run, tmp_path):
    pq.write_table(pa.table({"n": [7, None], "t": ["[bold]x\x1b[31m\n", "plain"]}),
                   tmp_path / "a.parquet")  # fmt: skip
    shown = run("head", tmp_path / "a.parquet").stdout
    lines = shown.splitlines()
    assert lines[0].split() == ["n", "t"]
    assert "\x1b" not in shown
    assert "[bold]x\\x1b[31m\\n" in shown
    assert len(lines) == 4


def test_head_reads_only_the_beginning(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,some text that is long enough to count\n" * 800_000)
    before = bytes_read().get("file", 0)
    run("head", path, "-n", 5)
    assert bytes_read().get("file", 0) - before < path.stat().st_size * 0.7


def test_another_separator_is_pointed_out(run, tmp_path):
    path = tmp_path / "zones.csv"
    path.write_text('"id";"name"\n1;"a"\n')
    assert "pass --sep ';' if that separates columns" in run("head", path).stderr
    assert run("head", path, "--sep", ";").stderr == ""

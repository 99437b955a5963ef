"""``penstock convert``: what arrives is what pandas would have written."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.collections import conversion
from penstock.collections.conversion_files import Reading, Writing
from penstock.errors import SinkError
from penstock.io.csv.source import CsvSource
from penstock.io.filesystem import bytes_read
from tests.support.frames import assert_eq

if TYPE_CHECKING:
    pass


def test_csv_to_one_parquet_file_and_back_gives_the_same_rows(run, trips_csv, trips, tmp_path):
    parquet, back = tmp_path / "trips.parquet", tmp_path / "back.csv"
    done = run("convert", trips_csv, parquet, "--blocksize", "20kB")
    assert parquet.is_file()
    assert_eq(pd.read_parquet(parquet), trips)
    assert "5,000 rows" in done.stdout
    assert "peak memory" in done.stdout
    run("convert", parquet, back)
    assert back.read_bytes() == trips_csv.read_bytes()


def test_the_summary_tells_rows_bytes_and_files(run, trips_csv, tmp_path):
    done = run("convert", trips_csv, tmp_path / "o.parquet", "-w", "fare > 5", "-m", "2GB")
    wrote = pq.read_metadata(tmp_path / "o.parquet").num_rows
    assert f"read     5,000 rows ({5000 - wrote:,} filtered out)" in done.stdout
    assert f"wrote    {wrote:,} rows" in done.stdout
    assert "of 2 GB" in done.stdout


def test_a_name_without_suffix_becomes_a_directory(run, trips_csv, trips, tmp_path):
    run("convert", trips_csv, tmp_path / "out", "--blocksize", "30kB")
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) > 1
    assert all(file.suffix == ".parquet" for file in files)
    assert_eq(pd.concat([pd.read_parquet(tmp_path / "out" / f"part.{n}.parquet")
                         for n in range(len(files))], ignore_index=True), trips)  # fmt: skip
    run("convert", tmp_path / "out", tmp_path / "text")  # the other format
    assert all(file.suffix == ".csv" for file in (tmp_path / "text").iterdir())


def test_several_sources_keep_their_order(run, trips, tmp_path):
    for number in range(3):
        trips[number::3].to_csv(tmp_path / f"t-{number}.csv", index=False)
    expected = pd.concat([trips[number::3] for number in range(3)], ignore_index=True)
    run("convert", tmp_path / "t-*.csv", tmp_path / "a.parquet")
    assert_eq(pd.read_parquet(tmp_path / "a.parquet"), expected)
    names = [tmp_path / f"t-{number}.csv" for number in (2, 0)]
    run("convert", *names, tmp_path / "b.parquet")
    expected = pd.concat([trips[2::3], trips[0::3]], ignore_index=True)
    assert_eq(pd.read_parquet(tmp_path / "b.parquet"), expected)


def test_columns_and_where_are_those_of_pandas(run, trips_csv, trips, tmp_path):
    where = "fare > 0 and zone in [1, 2]"
    run("convert", trips_csv, tmp_path / "o.parquet", "--columns", "note,fare", "--where", where)
    expected = trips.query(where)[["note", "fare"]].reset_index(drop=True)
    assert_eq(pd.read_parquet(tmp_path / "o.parquet"), expected)
    run("convert", tmp_path / "o.parquet", tmp_path / "o.csv", "-w", "fare > 20", "-c", "fare")
    assert_eq(pd.read_csv(tmp_path / "o.csv"),
              expected.query("fare > 20")[["fare"]].reset_index(drop=True))  # fmt: skip


def test_columns_can_be_read_from_files_that_differ_in_others(run, tmp_path):
    (tmp_path / "a.csv").write_text("x,old\n1,5\n")
    (tmp_path / "b.csv").write_text("new,x\n7,2\n")
    failed = run("convert", tmp_path / "?.csv", tmp_path / "o.parquet", code=1)
    assert "b.csv" in failed.stderr
    run("convert", tmp_path / "?.csv", tmp_path / "o.parquet", "-c", "x", "-w", "`x` > 0")
    assert pd.read_parquet(tmp_path / "o.parquet").x.tolist() == [1, 2]


def test_no_rows_are_a_complete_file(run, trips_csv, tmp_path):
    run("convert", trips_csv, tmp_path / "o.parquet", "-w", "fare > 1e9")
    assert pq.read_metadata(tmp_path / "o.parquet").num_rows == 0
    run("convert", trips_csv, tmp_path / "o.csv", "-w", "fare > 1e9")
    assert (tmp_path / "o.csv").read_text() == "zone,fare,note,year,month\n"


def test_rows_of_many_folders_are_brought_together_first(run, tmp_path, monkeypatch):
    from penstock.collections import writing

    rows = 3000
    frame = pd.DataFrame({"key": np.arange(rows) % 60, "x": np.arange(rows), "t": "some text"})
    frame.to_csv(tmp_path / "a.csv", index=False)
    command = ("convert", tmp_path / "a.csv")
    run(*command, tmp_path / "few", "--partition-on", "key", "--blocksize", "5kB")
    monkeypatch.setattr(writing, "_MANY_FILES", 100)
    run(*command, tmp_path / "many", "--partition-on", "key", "--blocksize", "5kB")
    counts = [len(list((tmp_path / name).rglob("*.parquet"))) for name in ("few", "many")]
    assert counts[0] > 300
    assert counts[1] == 60
    found = pd.read_parquet(tmp_path / "many").astype({"key": "int64"}).sort_values("x")
    assert_eq(found.reset_index(drop=True)[["key", "x", "t"]], frame)
    assert "3,000 rows" in run(*command, tmp_path / "again", "--partition-on", "key").stdout


def test_partitions_become_folders(run, trips_csv, trips, tmp_path):
    run("convert", trips_csv, tmp_path / "o", "--partition-on", "year,month", "--blocksize", "50kB")
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"year=2020", "year=2021", "year=2022"}
    back = pq.read_table(tmp_path / "o").to_pandas().astype({"year": "int64", "month": "int64"})
    assert_eq(back[trips.columns], trips, check_order=False, check_index=False)


@pytest.mark.parametrize("codec", ["snappy", "zstd", "lz4", "gzip", "brotli", "none"])
def test_compression_of_parquet(run, trips_csv, tmp_path, codec):
    run("convert", trips_csv, tmp_path / "o.parquet", "--compression", codec)
    found = pq.read_metadata(tmp_path / "o.parquet").row_group(0).column(0).compression
    assert found.lower() == {"none": "uncompressed"}.get(codec, codec)


def test_compression_of_csv(run, trips_csv, tmp_path):
    run("convert", trips_csv, tmp_path / "o.csv.gz", "--from", "csv")
    assert gzip.decompress((tmp_path / "o.csv.gz").read_bytes()) == trips_csv.read_bytes()
    run("convert", trips_csv, tmp_path / "d", "--to", "csv", "--compression", "zstd")
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["part-0.csv.zst"]
    refused = run("convert", trips_csv, tmp_path / "o.csv", "--compression", "gzip", code=2)
    assert "'.gz'" in refused.stderr
    assert not (tmp_path / "o.csv").exists()


def test_an_existing_target_is_refused_replaced_or_added_to(run, trips_csv, tmp_path):
    one, many = tmp_path / "o.parquet", tmp_path / "o"
    for target in (one, many):
        run("convert", trips_csv, target)
        for flags in ([], ["--error-if-exists"]):
            refused = run("convert", trips_csv, target, *flags, "-w", "zone == 1", code=1)
            assert "exists already" in refused.stderr
            assert "--overwrite" in refused.stderr
        assert pq.read_table(target).num_rows == 5000
    run("convert", trips_csv, one, "-w", "zone == 1", "--overwrite")
    few = pq.read_table(one).num_rows
    assert few < 5000
    run("convert", trips_csv, many, "-w", "zone == 1", "--append")
    assert pq.read_table(many).num_rows == 5000 + few
    run("convert", trips_csv, many, "-w", "zone == 1", "--overwrite")
    assert pq.read_table(many).num_rows == few


def test_dtype_sep_and_encoding(run, tmp_path):
    (tmp_path / "a.csv").write_bytes("id;name\n007;Zürich\n012;x,y\n".encode("latin-1"))
    run("convert", tmp_path / "a.csv", tmp_path / "o.parquet", "--dtype", "id=str", "--sep", ";",
        "--encoding", "latin-1")  # fmt: skip
    expected = pd.DataFrame({"id": ["007", "012"], "name": ["Zürich", "x,y"]})
    assert_eq(pd.read_parquet(tmp_path / "o.parquet"), expected)
    run("convert", tmp_path / "o.parquet", tmp_path / "b.csv", "--sep", "\\t")
    assert (tmp_path / "b.csv").read_text() == "id\tname\n007\tZürich\n012\tx,y\n"
    run("convert", tmp_path / "o.parquet", tmp_path / "c.tsv")  # by its name
    assert (tmp_path / "c.tsv").read_text() == (tmp_path / "b.csv").read_text()
    run("convert", tmp_path / "c.tsv", tmp_path / "d.csv", "--to-sep", "|", "--dtype", "id=str")
    assert (tmp_path / "d.csv").read_text() == "id|name\n007|Zürich\n012|x,y\n"


def test_rows_of_too_many_fields_are_left_out_only_when_asked(run, tmp_path):
    (tmp_path / "a.csv").write_text("id,name\n1,a\n2,b,c\n3,d\n")
    arguments = ["convert", tmp_path / "a.csv", tmp_path / "o.parquet"]
    refused = run(*arguments, code=1)
    assert "expected 2 fields, found 3" in refused.stderr
    assert "pass --on-bad-lines 'skip'" in refused.stderr
    assert not (tmp_path / "o.parquet").exists()
    done = run(*arguments, "--on-bad-lines", "skip")
    assert "1 row left out" in done.stderr
    expected = pd.DataFrame({"id": [1, 3], "name": ["a", "d"]})
    assert_eq(pd.read_parquet(tmp_path / "o.parquet"), expected)
    other = run("info", tmp_path / "o.parquet", "--on-bad-lines", "skip", code=2)
    assert "on_bad_lines is for reading CSV" in other.stderr


def test_bytes_of_another_encoding_are_replaced_only_when_asked(run, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"id,name\n1,Z\xfcrich\n")
    arguments = ["convert", tmp_path / "a.csv", tmp_path / "o.csv"]
    refused = run(*arguments, code=1)
    assert "pass --encoding (" in refused.stderr
    assert "--encoding-errors 'replace'" in refused.stderr
    run(*arguments, "--encoding-errors", "replace")
    assert (tmp_path / "o.csv").read_text("utf-8") == "id,name\n1,Z\ufffdrich\n"


def test_advice_about_types_names_the_option(run, tmp_path):
    (tmp_path / "a.csv").write_text("a code\n12\nx y\n")
    refused = run("info", tmp_path / "a.csv", "--count", "--dtype", "a code=int64", code=1)
    assert "pass --dtype 'a code=...'" in refused.stderr


def test_from_and_to_override_names(run, trips_csv, trips, tmp_path):
    plain = trips_csv.rename(tmp_path / "trips.dat")
    unknown = run("convert", plain, tmp_path / "x.parquet", code=1)
    assert "trips.dat" in unknown.stderr
    run("convert", plain, tmp_path / "o", "--from", "csv", "--to", "parquet")
    assert_eq(pq.read_table(tmp_path / "o").to_pandas(), trips)
    (tmp_path / "o" / "part.0.parquet").rename(tmp_path / "nameless")
    run("convert", tmp_path / "nameless", tmp_path / "back.csv")  # its content tells
    assert pd.read_csv(tmp_path / "back.csv").shape == trips.shape


def test_a_stored_index_stays_one_and_the_default_index_is_not_written(run, trips, tmp_path):
    named = trips.set_index("zone")
    named.to_parquet(tmp_path / "named.parquet")
    trips.query("fare > 3").to_parquet(tmp_path / "unnamed.parquet")
    run("convert", tmp_path / "named.parquet", tmp_path / "a.parquet", "-w", "zone > 2")
    assert_eq(pd.read_parquet(tmp_path / "a.parquet"), named[named.index > 2])
    run("convert", tmp_path / "unnamed.parquet", tmp_path / "b.parquet")
    assert_eq(pd.read_parquet(tmp_path / "b.parquet"), trips.query("fare > 3"))
    run("convert", tmp_path / "named.parquet", tmp_path / "c.parquet", "-c", "fare,zone")
    assert_eq(pd.read_parquet(tmp_path / "c.parquet"), trips[["fare", "zone"]])
    trips.query("fare > 3").reset_index(drop=True).to_parquet(tmp_path / "default.parquet")
    run("convert", tmp_path / "default.parquet", tmp_path / "d.parquet")
    assert pq.read_schema(tmp_path / "d.parquet").names == list(trips.columns)


@pytest.mark.parametrize("target", ["o.parquet", "o", "o.csv"])
def test_a_type_that_widens_on_the_way_is_read_again(run, tmp_path, target):
    lines = [f"{number}\n" for number in range(120_000)]
    lines[60_123] = "x7\n"
    (tmp_path / "a.csv").write_text("v\n" + "".join(lines))
    done = run("convert", tmp_path / "a.csv", tmp_path / target, "--blocksize", "64kB")
    assert "120,000 rows" in done.stdout
    assert "Warning: " in done.stderr
    if target.endswith("csv"):
        assert (tmp_path / target).read_text() == (tmp_path / "a.csv").read_text()
    else:
        values = pq.read_table(tmp_path / target)["v"].to_pylist()
        assert sorted(values) == sorted(line.strip() for line in lines)


def test_to_parquet_writes_one_file_again_after_a_type_widened(tmp_path):
    import penstock.dataframe as dd

    lines = [f"{number}\n" for number in range(120_000)]
    lines[60_123] = "x7\n"
    (tmp_path / "a.csv").write_text("v\n" + "".join(lines))
    frame = dd.read_csv(tmp_path / "a.csv", blocksize="64kB")
    with pytest.warns(UserWarning, match="'v'"):
        frame.to_parquet(tmp_path / "o.parquet")
    assert pq.read_metadata(tmp_path / "o.parquet").num_rows == 120_000


def test_a_dry_run_reads_no_more_than_the_sample_and_writes_nothing(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,some text that is long enough to count\n" * 400_000)
    before = bytes_read().get("file", 0)
    shown = run("convert", path, tmp_path / "o.parquet", "--dry-run", "-c", "b", "-m", "400MB")
    assert bytes_read().get("file", 0) - before < path.stat().st_size / 4
    assert [found.name for found in tmp_path.iterdir()] == ["a.csv"]
    assert "string" in shown.stdout
    assert "int64" not in shown.stdout
    assert "one file, in order" in shown.stdout
    assert "of limit 400 MB" in shown.stdout
    (tmp_path / "o.parquet").write_text("")
    assert "exists already" in run("convert", path, tmp_path / "o.parquet", "--dry-run").stdout
    many = run("convert", path, tmp_path / "o", "--dry-run", "--blocksize", "1MB").stdout
    assert "a directory of files" in many
    assert f"{-(-path.stat().st_size // 10**6)} splits" in many


def test_lost_rows_are_an_error_and_leave_the_target_alone(run, trips_csv, tmp_path, monkeypatch):
    target = tmp_path / "o.parquet"
    run("convert", trips_csv, target, "-w", "zone == 1")
    before = target.read_bytes()
    from penstock.io.parquet.sink import ParquetSink

    write = ParquetSink.write

    def lossy(self: ParquetSink, index: int, block: pa.Table) -> object:
        return write(self, index, block.slice(1))

    monkeypatch.setattr(ParquetSink, "write", lossy)
    failed = run("convert", trips_csv, target, "--overwrite", code=1)
    assert "4999 rows were written, but 5000 were read" in failed.stderr
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.parquet", "trips.csv"]


def test_rows_that_a_filter_loses_are_noticed(trips_csv, tmp_path, monkeypatch):
    import penstock.engine.nodes.filter as node

    keep = node.filter_block
    monkeypatch.setattr(node, "filter_block", lambda p, table: keep(p, table).slice(2))
    with pytest.raises(SinkError, match="filtered out; the target is left as it was"):
        conversion.convert(
            Reading((str(trips_csv),), where="zone == 1"), Writing(str(tmp_path / "o.parquet"))
        )
    assert not (tmp_path / "o.parquet").exists()


def test_a_source_is_wrapped_with_the_ways_of_reading_it_has(trips_csv, tmp_path):
    from penstock.collections.counting import Tally, _counted
    from penstock.io.registry import source_for
    from penstock.io.source import CarrySource, Source

    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    carry = _counted(source_for("csv")(str(trips_csv)), Tally())
    both = _counted(source_for("parquet")(str(tmp_path / "a.parquet")), Tally())
    assert isinstance(carry, CarrySource)
    assert isinstance(both, CarrySource)
    assert (type(carry).read is Source.read) == (CsvSource.read is Source.read)
    assert type(both).read is not Source.read


def test_workers_and_progress(run, trips_csv, trips, tmp_path):
    for count in (1, 3):
        run("convert", trips_csv, tmp_path / f"{count}.parquet", "--num-workers", count,
            "--blocksize", "10kB", "--progress")  # fmt: skip
        assert_eq(pd.read_parquet(tmp_path / f"{count}.parquet"), trips)
    run("convert", trips_csv, tmp_path / "o.parquet", "--no-progress", "--num-workers", 0, code=2)


def test_taxi_months_with_drifting_schemas(run, shared_data, tmp_path):
    source = shared_data / "taxi" / "green"
    run("convert", source, tmp_path / "green.parquet")
    files = sorted(source.iterdir())
    written = pq.read_table(tmp_path / "green.parquet")
    assert written.num_rows == sum(pq.read_metadata(file).num_rows for file in files)
    fares = sum(pq.read_table(file, columns=["fare_amount"])["fare_amount"].to_pandas().sum()
                for file in files)  # fmt: skip
    assert written["fare_amount"].to_pandas().sum() == pytest.approx(fares)
    assert "cbd_congestion_fee" in written.column_names


def test_taxi_folders_by_month_to_csv_and_back(run, shared_data, tmp_path):
    source = shared_data / "taxi" / "yellow_hive"
    where = "year == 2014 and month in [1, 2] and fare_amount > 0"
    run("convert", source, tmp_path / "a.csv", "-w", where, "-c", "fare_amount,year,month")
    run("convert", tmp_path / "a.csv", tmp_path / "b", "--partition-on", "year,month")
    back = pq.read_table(tmp_path / "b").to_pandas()
    expected = pd.concat(
        pd.read_parquet(source / f"year=2014/month={month}" / "part-0.parquet")
        for month in (1, 2)
    ).query("fare_amount > 0")  # fmt: skip
    assert len(back) == len(expected)
    assert back.fare_amount.sum() == pytest.approx(expected.fare_amount.sum())


def test_taxi_csv_with_types_that_differ_by_file(run, shared_data, tmp_path):
    source = shared_data / "taxi" / "yellow_csv" / "*-0?.csv"
    run("convert", source, tmp_path / "o.parquet", "-w", "payment_type == 1")
    files = sorted((shared_data / "taxi" / "yellow_csv").glob("*-0?.csv"))
    expected = pd.concat(map(pd.read_csv, files)).query("payment_type == 1")
    written = pd.read_parquet(tmp_path / "o.parquet")
    assert len(written) == len(expected)
    assert written.total_amount.sum() == pytest.approx(expected.total_amount.sum())


@pytest.mark.s3
def test_s3_with_options_that_are_never_echoed(run, moto_s3, trips_csv, trips, tmp_path):
    bucket = moto_s3.new_bucket()
    options = ["--storage-option", f"endpoint_url={moto_s3.endpoint_url}"]
    for name in ("key", "secret"):
        options += ["--storage-option", f"{name}={moto_s3.storage_options[name]}"]
    target = f"s3://{bucket}/out"
    run("convert", trips_csv, target, *options, "--blocksize", "40kB")
    run("convert", target, tmp_path / "back.csv", *options)
    assert_eq(pd.read_csv(tmp_path / "back.csv"), trips)
    found = json.loads(run("info", target, "--json", *options).stdout)
    assert found["rows"] == 5000
    nested = json.dumps({"endpoint_url": moto_s3.endpoint_url})
    options = [*options[2:], "--storage-option", f"client_kwargs={nested}"]
    missing = run("convert", f"s3://{bucket}/none.csv", tmp_path / "x.parquet", *options, code=1)
    assert "none.csv" in missing.stderr
    assert moto_s3.storage_options["secret"] not in missing.output


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("when >= '2020-02-01'", 2),
        ("'2020-01-15' <= when < '2020-02-15 12:00'", 1),
        ("day > '2020-01-31'", 2),
        ("day == '2020-02-01'", 1),
        ("zoned < '2020-02-01T00:00:00Z'", 1),
        ("kind == 'a' and when == '2020-01-01'", 1),
    ],
)
def test_where_compares_dates_with_text(run, tmp_path, where, rows):
    days = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-03-01"])
    table = pa.table({"when": days, "day": pa.array(days.date), "zoned": days.tz_localize("UTC"),
                      "kind": pa.array(["a", "b", "a"]).dictionary_encode()})  # fmt: skip
    pq.write_table(table, tmp_path / "days.parquet", row_group_size=1)
    run("convert", tmp_path / "days.parquet", tmp_path / "o.parquet", "-w", where)
    assert pq.read_metadata(tmp_path / "o.parquet").num_rows == rows


def test_where_takes_text_with_signs_as_it_is(run, tmp_path):
    path = tmp_path / "mails.csv"
    path.write_text("mail,x\nme@example.com,1\n`tick`,2\nyou,3\n")
    for text, found in (("me@example.com", 1), ("`tick`", 2)):
        out = tmp_path / f"{found}.csv"
        run("convert", path, out, "-w", f"mail == '{text}' or mail == \"{text}\"", "-c", "x")
        assert out.read_text() == f"x\n{found}\n"


def test_where_needs_a_column(run, trips_csv, tmp_path):
    done = run("convert", trips_csv, tmp_path / "o.parquet", "-w", "1 < 2", code=2)
    assert "it names no column" in done.output


def test_where_knows_a_column_whose_name_has_a_line_end(run, tmp_path):
    names = ["a\nb", "fare (USD)"]
    pq.write_table(pa.table([[1, 2, 3], [1, 2, 3]], names=names), tmp_path / "odd.parquet")
    for name in names:
        out = tmp_path / "o.parquet"
        run("convert", tmp_path / "odd.parquet", out, "-w", f"`{name}` > 1", "--overwrite")
        assert pq.read_metadata(out).num_rows == 2


def test_quotes_protect_spaces_and_commas_of_a_name(run, tmp_path):
    names = [" a", "b ", "c,d", 'e"f', "g"]
    pq.write_table(pa.table([[1]] * 5, names=names), tmp_path / "odd.parquet")
    wanted = '" a", "b ","c,d" ,"e""f", g '
    run("convert", tmp_path / "odd.parquet", tmp_path / "o.parquet", "-c", wanted)
    assert pq.read_schema(tmp_path / "o.parquet").names == names


def test_rows_are_counted_in_each_file_once(run, tmp_path, monkeypatch):
    table = pa.table({"k": ["x", "y"], "x": [1, 2]})
    pq.write_table(table, tmp_path / "in.parquet")
    one_folder = lambda column: (["x", "x"], np.arange(len(column)))  # noqa: E731
    monkeypatch.setattr("penstock.io.parquet.sink._folder_names", one_folder)
    done = run("convert", tmp_path / "in.parquet", tmp_path / "out", "--to", "parquet",
               "--partition-on", "k", code=1)  # fmt: skip
    assert "the files hold 1 rows, but 2 were written" in done.output


def test_a_directory_with_other_files_is_not_replaced(run, trips_csv, tmp_path):
    folder = tmp_path / "out"
    run("convert", trips_csv, folder)
    run("convert", trips_csv, folder, "--overwrite")  # of its own files, it is
    (folder / "_SUCCESS").touch()
    (folder / "trips.csv").write_text("zone\n1\n")  # as the source is
    run("convert", trips_csv, folder, "--overwrite")
    (folder / "notes.txt").write_text("keep me")
    done = run("convert", trips_csv, folder, "--overwrite", code=1)
    assert "also holds" in done.output
    assert "notes.txt" in done.output
    assert (folder / "notes.txt").read_text() == "keep me"
    run("convert", trips_csv, folder, "--append")
    assert (folder / "notes.txt").exists()

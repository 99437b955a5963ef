from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.errors import (
    ColumnNotFoundError,
    SchemaError,
    SinkError,
    TargetExistsError,
)
from penstock.io.parquet import parquet_sink, parquet_source
from penstock.io.source import Pushdown
from tests.support.disk import small_disk


def save(sink, blocks, schema=None):
    """Write as the engine does: on threads, unless the order matters."""
    sink.begin(schema or blocks[0].schema, len(blocks))
    if sink.ordered:
        receipts = [sink.write(number, block) for number, block in enumerate(blocks)]
    else:
        with ThreadPoolExecutor(4) as pool:
            receipts = list(pool.map(sink.write, range(len(blocks)), blocks))
    return sink.commit(receipts)


def load(path, **options):
    source = parquet_source(path, **options)
    pushdown = Pushdown()
    blocks = [source.read(split, pushdown) for split in source.split(pushdown, 1 << 30)]
    return pa.concat_tables(blocks) if blocks else source.schema.empty_table()


@pytest.fixture
def blocks():
    table = pa.table(
        {
            "x": np.arange(1_200),
            "s": [f"t{i % 3}" for i in range(1_200)],
            "k": [["a", "b/c", None][i % 3] for i in range(1_200)],
        }
    )
    return [table.slice(start, 100) for start in range(0, 1_200, 100)]


def test_one_file_per_block_in_natural_order(tmp_path, blocks):
    target = tmp_path / "out"
    paths = save(parquet_sink(target), blocks)
    assert [os.path.basename(path) for path in paths] == [f"part.{n}.parquet" for n in range(12)]
    assert load(target).equals(pa.concat_tables(blocks))


def test_receipts_count_rows_and_bytes(tmp_path, blocks):
    sink = parquet_sink(tmp_path / "out")
    sink.begin(blocks[0].schema, 1)
    receipt = sink.write(0, blocks[0])
    (path,) = sink.commit([receipt])
    assert (receipt.index, receipt.rows) == (0, 100)
    assert receipt.nbytes == os.path.getsize(path)


def test_one_file_with_a_row_group_per_block(tmp_path, blocks):
    sink = parquet_sink(tmp_path / "out.parquet")
    assert sink.ordered
    assert save(sink, blocks) == [str(tmp_path / "out.parquet")]
    assert pq.read_metadata(tmp_path / "out.parquet").num_row_groups == 12
    assert load(tmp_path / "out.parquet").equals(pa.concat_tables(blocks))


def test_one_file_needs_its_blocks_in_order(tmp_path, blocks):
    sink = parquet_sink(tmp_path / "out.parquet")
    sink.begin(blocks[0].schema, 12)
    with pytest.raises(SinkError, match="block 1 came where 0 was due"):
        sink.write(1, blocks[1])
    sink.abort()
    assert os.listdir(tmp_path) == []


def test_row_groups_keep_to_the_size_asked_for(tmp_path, blocks):
    save(parquet_sink(tmp_path / "rows", row_group_rows=30), blocks[:1])
    footer = pq.read_metadata(tmp_path / "rows" / "part.0.parquet")
    assert [footer.row_group(n).num_rows for n in range(footer.num_row_groups)] == [30, 30, 30, 10]
    size = blocks[0].nbytes
    save(parquet_sink(tmp_path / "bytes", row_group_bytes=size // 4), blocks[:1])
    assert pq.read_metadata(tmp_path / "bytes" / "part.0.parquet").num_row_groups in (4, 5)


@pytest.mark.parametrize("codec", ["snappy", "zstd", "lz4", "gzip", "brotli", None])
def test_codecs(tmp_path, blocks, codec):
    save(parquet_sink(tmp_path / "out", compression=codec), blocks[:1])
    found = pq.read_metadata(tmp_path / "out" / "part.0.parquet").row_group(0).column(0)
    assert found.compression == {None: "UNCOMPRESSED"}.get(codec, str(codec).upper())
    with pytest.raises(ValueError, match="compression must be one of"):
        parquet_sink(tmp_path / "out", compression="rar")


def test_partition_folders_hold_every_row_once(tmp_path, blocks):
    paths = save(parquet_sink(tmp_path / "out", partition_on=["k", "s"]), blocks)
    folders = {os.path.relpath(os.path.dirname(path), tmp_path / "out") for path in paths}
    assert folders == {
        "k=a/s=t0",
        "k=b%2Fc/s=t1",
        "k=__HIVE_DEFAULT_PARTITION__/s=t2",
    }
    assert len(paths) == 36
    found = load(tmp_path / "out").to_pandas().sort_values("x", ignore_index=True)
    expected = pa.concat_tables(blocks).to_pandas()
    pd.testing.assert_frame_equal(found[["x", "s", "k"]], expected, check_dtype=False)
    only = load(tmp_path / "out", filters=[("k", "==", "b/c")])
    assert only.num_rows == 400


def test_partitions_of_numbers_dates_and_bools(tmp_path):
    table = pa.table(
        {
            "year": [2013, 2014, 2013],
            "flag": [True, False, True],
            "day": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01"]).date,
            "x": [1, 2, 3],
        }
    )
    save(parquet_sink(tmp_path / "out", partition_on=["year", "flag", "day"]), [table])
    assert load(tmp_path / "out").to_pylist() == [
        {"x": 1, "year": 2013, "flag": "true", "day": "2020-01-01"},
        {"x": 3, "year": 2013, "flag": "true", "day": "2020-01-01"},
        {"x": 2, "year": 2014, "flag": "false", "day": "2020-01-02"},
    ]


def test_the_plan_fixes_the_schema(tmp_path):
    schema = pa.schema([("a", pa.float64()), ("b", pa.string())])
    blocks = [
        pa.table({"b": ["x"], "a": [1.5]}),
        pa.table({"a": pa.nulls(2), "b": pa.nulls(2)}),
        pa.table({"a": pa.array([3], pa.int32()), "b": ["z"], "more": [1]}),
    ]
    save(parquet_sink(tmp_path / "out"), blocks, schema)
    for number in range(3):
        found = pq.read_schema(tmp_path / "out" / f"part.{number}.parquet")
        assert found.equals(schema)
    sink = parquet_sink(tmp_path / "bad")
    sink.begin(schema, 2)
    with pytest.raises(SchemaError, match="column 'a' is double in the plan, but string"):
        sink.write(0, pa.table({"a": ["x"], "b": ["x"]}))
    with pytest.raises(SchemaError, match="lacks the column 'b'"):
        sink.write(0, pa.table({"a": [1.0]}))
    sink.abort()
    assert os.listdir(tmp_path) == ["out"]


def test_modes(tmp_path, blocks):
    target = tmp_path / "out"
    save(parquet_sink(target), blocks[:3])
    with pytest.raises(TargetExistsError):
        parquet_sink(target).begin(blocks[0].schema, 1)
    paths = save(parquet_sink(target, mode="append"), blocks[3:5])
    assert [os.path.basename(path) for path in paths] == ["part.3.parquet", "part.4.parquet"]
    assert load(target).equals(pa.concat_tables(blocks[:5]))
    save(parquet_sink(target, mode="overwrite"), blocks[5:6])
    assert load(target).equals(blocks[5])
    assert os.listdir(target) == ["part.0.parquet"]


def test_a_data_set_may_be_replaced_by_what_is_read_from_it(tmp_path, blocks):
    target = tmp_path / "out"
    save(parquet_sink(target), blocks[:4])
    source = parquet_source(target)
    splits = source.split(Pushdown(), 500)
    sink = parquet_sink(target, mode="overwrite")
    sink.begin(source.schema, len(splits))
    receipts = [
        sink.write(number, source.read(split, Pushdown()).slice(0, 1))
        for number, split in enumerate(splits)
    ]
    sink.commit(receipts)
    assert load(target).num_rows == len(splits)


def test_an_empty_result_keeps_its_schema(tmp_path, blocks):
    empty = blocks[0].schema.empty_table()
    for options in ({}, {"partition_on": "k"}):
        target = tmp_path / f"out{len(options)}"
        save(parquet_sink(target, **options), [empty])
        assert load(target).num_rows == 0
        assert set(load(target).column_names) >= {"x", "s"}
    save(parquet_sink(tmp_path / "one.parquet"), [empty])
    assert load(tmp_path / "one.parquet").schema.equals(empty.schema)


def test_names_and_metadata_files(tmp_path, blocks):
    sink = parquet_sink(
        tmp_path / "out", name_function=lambda n: f"block-{n:03}", write_metadata_file=True
    )
    paths = save(sink, blocks[:2])
    assert sorted(os.path.basename(path) for path in paths) == [
        "_common_metadata",
        "_metadata",
        "block-000.parquet",
        "block-001.parquet",
    ]
    summary = pq.read_metadata(tmp_path / "out" / "_metadata")
    assert summary.num_rows == 200
    assert summary.row_group(1).column(0).file_path == "block-001.parquet"
    with pytest.raises(SinkError, match="the same file name"):
        parquet_sink(tmp_path / "o2", name_function=lambda _: "x").begin(blocks[0].schema, 2)
    assert os.listdir(tmp_path) == ["out"]


def test_wrong_options_are_refused(tmp_path, blocks):
    with pytest.raises(ColumnNotFoundError, match="'kk'"):
        parquet_sink(tmp_path / "out", partition_on="kk").begin(blocks[0].schema, 1)
    with pytest.raises(SchemaError, match="leaves no column"):
        parquet_sink(tmp_path / "out", partition_on="x").begin(pa.schema([("x", pa.int64())]), 1)
    with pytest.raises(ValueError, match="need a directory"):
        parquet_sink(tmp_path / "out.parquet", single_file=True, partition_on="k")
    assert os.listdir(tmp_path) == []


@pytest.mark.chaos
@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_a_full_disk_is_an_error_and_leaves_nothing(name):
    noise = pa.table({"x": np.random.default_rng(0).random(100_000)})
    with small_disk(2 << 20) as disk:
        sink = parquet_sink(disk / name, row_group_rows=20_000)
        sink.begin(noise.schema, 4)
        with pytest.raises(SinkError, match=rf"cannot write .*{name}: No space left"):
            list(map(sink.write, range(4), [noise] * 4))
        sink.abort()
        assert os.listdir(disk) == []


# --------------------------------------------------------------------- peers


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "i": pd.array([1, None, 3], dtype="Int64"),
            "f": [0.5, np.nan, -1.0],
            "s": ["a", None, "c"],
            "t": pd.to_datetime(["2020-01-01 00:00:00", None, "2021-05-06 07:08:09"]),
            "b": [True, False, True],
        },
        index=pd.Index(["p", "q", "r"], name="key"),
    )


@pytest.fixture
def written(tmp_path, frame):
    table = pa.Table.from_pandas(frame.reset_index()).replace_schema_metadata(None)
    save(parquet_sink(tmp_path / "dir", index=["key"]), [table.slice(0, 2), table.slice(2)])
    save(parquet_sink(tmp_path / "one.parquet", index=["key"]), [table])
    return tmp_path


def test_pandas_gets_the_index_back(written, frame):
    for name in ("dir", "one.parquet"):
        found = pd.read_parquet(written / name)
        pd.testing.assert_frame_equal(found, frame.astype({"i": "float64"}), check_dtype=False)
        assert found.index.name == "key"
    assert parquet_source(written / "dir").pandas_index == ["key"]


def test_given_pandas_metadata_restores_dtypes(tmp_path, frame):
    frame["c"] = pd.Categorical(["x", "y", "x"])
    table = pa.Table.from_pandas(frame)
    import json

    given = json.loads(table.schema.metadata[b"pandas"])
    save(parquet_sink(tmp_path / "out", index=["key"], pandas_metadata=given), [table])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out"), frame)


@pytest.mark.filterwarnings("ignore")  # its own
def test_dask_reads_it(written, frame):
    dd = pytest.importorskip("dask.dataframe")
    found = dd.read_parquet(written / "dir").compute(scheduler="sync")
    assert found.index.tolist() == ["p", "q", "r"]
    assert list(found.columns) == list(frame.columns)
    assert found["f"].sum() == frame["f"].sum()


def test_duckdb_reads_it(written):
    duckdb = pytest.importorskip("duckdb")
    rows = (
        duckdb.connect()
        .execute(f"select key, i, s from read_parquet('{written}/dir/*.parquet') order by key")
        .fetchall()
    )
    assert rows == [("p", 1, "a"), ("q", None, None), ("r", 3, "c")]


def test_polars_reads_it(written):
    polars = pytest.importorskip("polars")
    found = polars.scan_parquet(written / "dir").collect()
    assert found["i"].to_list() == [1, None, 3]
    assert found["key"].to_list() == ["p", "q", "r"]


@pytest.mark.filterwarnings("ignore")  # its own
def test_fastparquet_reads_it(written):
    fastparquet = pytest.importorskip("fastparquet")
    found = fastparquet.ParquetFile(str(written / "one.parquet")).to_pandas()
    assert found["s"].tolist()[::2] == ["a", "c"]
    assert found["i"].tolist()[::2] == [1, 3]
    assert found["f"].sum() == -0.5


def test_hive_folders_are_read_by_peers(tmp_path, blocks):
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    save(parquet_sink(tmp_path / "out", partition_on=["s"]), blocks)
    query = (
        f"select s, sum(x) from read_parquet('{tmp_path}/out/*/*.parquet') group by s order by s"
    )
    expected = pa.concat_tables(blocks).to_pandas().groupby("s")["x"].sum()
    assert duckdb.connect().execute(query).fetchall() == list(expected.items())
    lazy = polars.scan_parquet(tmp_path / "out", hive_partitioning=True)
    assert lazy.select(polars.col("x").sum()).collect().item() == expected.sum()
    assert pd.read_parquet(tmp_path / "out")["x"].sum() == expected.sum()


@pytest.mark.filterwarnings("ignore")  # theirs
def test_what_peers_write_is_read(tmp_path, frame):
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    plain = frame.reset_index()
    polars.DataFrame({"i": [1, None, 3], "s": ["a", None, "c"]}).write_parquet(
        tmp_path / "polars.parquet"
    )
    duckdb.connect().execute(
        "copy (select * from (values (1, 'a'), (NULL, NULL), (3, 'c')) t(i, s)) "
        f"to '{tmp_path}/duckdb.parquet' (format parquet, codec zstd)"
    )
    for name in ("polars", "duckdb"):
        found = load(tmp_path / f"{name}.parquet")
        assert found["i"].to_pylist() == [1, None, 3]
        assert found["s"].cast(pa.string()).to_pylist() == ["a", None, "c"]
    fastparquet = pytest.importorskip("fastparquet")
    fastparquet.write(str(tmp_path / "fast.parquet"), plain[["f", "b"]])
    assert load(tmp_path / "fast.parquet", index=False)["b"].to_pylist() == [True, False, True]


# ------------------------------------------------------------------------ S3


@pytest.mark.s3
def test_s3_round_trip_and_overwrite_of_what_is_read(moto_s3, blocks):
    options = moto_s3.storage_options
    target = f"s3://{moto_s3.new_bucket()}/out"
    paths = save(parquet_sink(target, storage_options=options), blocks[:3])
    assert paths[0] == f"{target}/part.0.parquet"
    assert load(target, storage_options=options).equals(pa.concat_tables(blocks[:3]))
    whole = load(target, storage_options=options)
    save(parquet_sink(target, mode="overwrite", storage_options=options), [whole])
    assert load(target, storage_options=options).equals(whole)
    single = f"{target}-one.parquet"
    save(parquet_sink(single, storage_options=options), blocks)
    assert load(single, storage_options=options).equals(pa.concat_tables(blocks))
    sink = parquet_sink(f"{target}-aborted", storage_options=options)
    sink.begin(blocks[0].schema, 1)
    sink.write(0, blocks[0])
    sink.abort()
    assert not moto_s3.filesystem().exists(f"{target}-aborted")


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["", None, "a", ""]),
        pa.array([1.5, None, float("nan"), 1.5]),
        pa.array(["", None, "a", ""]).dictionary_encode(),
    ],
    ids=["text", "floats", "category"],
)
def test_values_that_name_one_folder_share_its_file(tmp_path, values):
    block = pa.table({"x": [0, 1, 2, 3], "k": values})
    save(parquet_sink(tmp_path / "out", partition_on=["k"]), [block])
    found = pq.read_table(tmp_path / "out", partitioning=None)
    assert sorted(found["x"].to_pylist()) == [0, 1, 2, 3]
    missing = tmp_path / "out" / "k=__HIVE_DEFAULT_PARTITION__"
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert pq.ParquetFile(missing / "part.0.parquet").metadata.num_rows >= 2


def test_nested_values_make_no_folders(tmp_path):
    block = pa.table({"x": [1], "k": [[1, 2]]})
    with pytest.raises(SchemaError, match=r"column 'k' is list<.*make no folder names"):
        save(parquet_sink(tmp_path / "out", partition_on=["k"]), [block])
    assert not (tmp_path / "out").exists()


def test_a_table_without_columns(tmp_path):
    save(parquet_sink(tmp_path / "out.parquet", single_file=True), [pa.table({})])
    assert pq.read_table(tmp_path / "out.parquet").num_columns == 0


def test_appending_what_could_not_be_read_again(tmp_path):
    target = tmp_path / "out"
    save(parquet_sink(target), [pa.table({"x": [1], "k": ["a"]})])
    text = pa.table({"x": ["one"], "k": ["a"]})
    with pytest.raises(SchemaError, match=r"cannot be appended to: column 'x' has types"):
        save(parquet_sink(target, mode="append"), [text])
    more = pa.table({"x": [2], "k": ["a"]})
    with pytest.raises(SinkError, match=r"in folders of no column, which partition_on=\['k'\]"):
        save(parquet_sink(target, mode="append", partition_on=["k"]), [more])
    save(parquet_sink(target, mode="append"), [more.append_column("y", pa.array([1.5]))])
    assert load(target)["x"].to_pylist() == [1, 2]
    folders = tmp_path / "folders"
    save(parquet_sink(folders, partition_on=["k"]), [more])
    with pytest.raises(SinkError, match=r"in folders of \['k'\], which partition_on=\[\]"):
        save(parquet_sink(folders, mode="append"), [more])
    save(parquet_sink(folders, mode="append", partition_on=["k"]), [more])
    assert load(folders).num_rows == 2

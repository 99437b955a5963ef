from __future__ import annotations

import datetime
import decimal
import os
import pickle

import hypothesis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from penstock.errors import (
    ColumnNotFoundError,
    FormatError,
    SchemaError,
    SourceError,
)
from penstock.io import s3
from penstock.io.filesystem import bytes_read
from penstock.io.parquet import ROW_NUMBER, parquet_source
from penstock.io.parquet.schema import promote
from penstock.io.source import Pushdown
from tests.support.proxy import FaultPlan, FaultProxy

ALL = Pushdown()
TARGETS = (1, 1_500, 1 << 30)


def blocks_of(source, pushdown=ALL, target=1 << 30):
    """Read as the engine does: chained splits through one cursor."""
    blocks = []
    cursor = None
    for split in source.split(pushdown, target):
        payload, _, cursor = source.fetch(split, cursor if split.after else None)
        block = source.parse(payload, None, split, pushdown)
        if split.rows is not None and pushdown.limit is None:
            assert block.num_rows == split.rows
        assert all(column.num_chunks == 1 for column in block.columns)
        blocks.append(block)
    return blocks


def table_of(source, pushdown=ALL, target=1 << 30):
    blocks = blocks_of(source, pushdown, target)
    return pa.concat_tables(blocks).combine_chunks() if blocks else source.schema.empty_table()


@pytest.fixture
def numbers(tmp_path):
    """Two files, several row groups of 100 rows each."""
    x = np.arange(1_000)
    table = pa.table(
        {
            "x": x,
            "y": x * 0.5,
            "s": [f"text {i % 7}" for i in x],
            "z": [None if i % 3 else i for i in x],
        }
    )
    pq.write_table(table.slice(0, 600), tmp_path / "part.2.parquet", row_group_size=100)
    pq.write_table(table.slice(600), tmp_path / "part.10.parquet", row_group_size=100)
    return tmp_path, table


@pytest.mark.parametrize("target", TARGETS)
def test_every_split_size_gives_the_same_rows(numbers, target):
    folder, table = numbers
    source = parquet_source(folder)
    assert source.schema.equals(table.schema)
    assert table_of(source, target=target).equals(table)
    assert source.num_rows == 1_000
    splits = source.split(ALL, target)
    assert [split.index for split in splits] == list(range(len(splits)))
    offsets = [split.location.row_offset for split in splits]
    assert offsets == list(np.cumsum([0] + [split.rows for split in splits])[:-1])
    assert len(splits) == {1: 1_000, 1_500: 30, 1 << 30: 1}[target]


def test_chained_splits_can_also_be_read_alone(numbers):
    folder, table = numbers
    source = parquet_source(folder)
    splits = source.split(ALL, 1_000)
    assert any(split.after for split in splits)
    assert pa.concat_tables([source.read(split, ALL) for split in reversed(splits)][::-1]).equals(
        table
    )


def test_sources_are_picklable_values(numbers):
    folder, _ = numbers
    source = parquet_source(folder, filters=[("x", ">", 500)])
    again = pickle.loads(pickle.dumps(source))
    assert hash(again.fingerprint) == hash(source.fingerprint)
    assert again.fingerprint != parquet_source(folder).fingerprint
    split = pickle.loads(pickle.dumps(source.split(ALL, 3_000)[0]))
    assert again.read(split, ALL).equals(source.read(split, ALL))


def test_projection_reads_only_its_bytes(numbers, tmp_path):
    folder, table = numbers
    source = parquet_source(folder)
    whole = sum(path.stat().st_size for path in folder.iterdir())
    before = bytes_read()["file"]
    assert table_of(source, Pushdown(("y",))).equals(table.select(["y"]))
    used = bytes_read()["file"] - before
    footers = [pq.read_metadata(path) for path in folder.iterdir()]
    chunks = [f.row_group(g).column(1) for f in footers for g in range(f.num_row_groups)]
    assert used == sum(chunk.total_compressed_size for chunk in chunks) < whole / 2
    before = bytes_read()["file"]
    assert [block.num_rows for block in blocks_of(source, Pushdown(()))] == [1_000]
    assert [block.num_rows for block in blocks_of(source, Pushdown((), limit=7))] == [7]
    assert bytes_read()["file"] == before


def test_columns_come_in_the_order_asked_for(numbers):
    folder, table = numbers
    assert table_of(parquet_source(folder), Pushdown(("s", "x"))).equals(table.select(["s", "x"]))
    source = parquet_source(folder, columns=["z", "x"])
    assert source.schema.names == ["z", "x"]
    assert table_of(source).equals(table.select(["z", "x"]))
    with pytest.raises(ColumnNotFoundError, match="no column 'xx'; did you mean 'x'"):
        parquet_source(folder, columns=["xx"])
    with pytest.raises(ColumnNotFoundError):
        source.split(Pushdown(("nope",)), 100)


def test_fewer_columns_give_longer_splits(numbers):
    source = parquet_source(numbers[0])
    everything = source.split(ALL, 5_000)
    assert len(source.split(Pushdown(("x",)), 5_000)) < len(everything)


def test_limits_read_no_more_than_they_need(numbers):
    folder, table = numbers
    source = parquet_source(folder)
    for limit in (0, 5, 100, 250):
        assert table_of(source, Pushdown(("x",), limit=limit)).equals(
            table.select(["x"]).slice(0, limit)
        )
    filtered = Pushdown(("x",), filter=pc.field("x") > 150, limit=5)
    assert table_of(source, filtered)["x"].to_pylist() == [151, 152, 153, 154, 155]


# ------------------------------------------------------------------- filters


MISSING = [("z", "is", None), ("x", "<=", 101)]
FILTERS = [
    [("x", ">", 450)],
    [("x", ">=", 450), ("s", "==", "text 3")],
    [[("x", "<", 10)], [("x", ">", 990)]],
    [("x", "in", [5, 995])],
    [("x", "not in", range(5, 1_000))],
    [("z", "!=", 3), ("x", "<", 100)],
    MISSING,
    [("y", "=", 450)],
    [("s", ">", "text 5")],
    pc.field("x") == 450,
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("target", TARGETS)
def test_filters_are_exact(numbers, filters, target):
    folder, table = numbers
    if filters is MISSING:
        expected = table.filter(pc.field("z").is_null() & (pc.field("x") <= 101))
    else:
        expected = pq.read_table(folder / "part.2.parquet", filters=filters)
        expected = pa.concat_tables(
            [expected, pq.read_table(folder / "part.10.parquet", filters=filters)]
        ).combine_chunks()
    assert expected.num_rows
    assert table_of(parquet_source(folder, filters=filters), target=target).equals(expected)


def test_filters_prune_row_groups_and_keep_row_numbers(numbers):
    folder, _ = numbers
    source = parquet_source(folder, filters=[("x", ">=", 330), ("x", "<", 640)])
    splits = source.split(ALL, 1 << 30)
    assert [split.location.row_offset for split in splits] == [300]
    assert splits[0].location.rows == 400
    assert splits[0].rows is None  # not known before the rows are filtered
    table = table_of(source, Pushdown(("x", ROW_NUMBER)))
    assert table["x"].to_pylist() == table[ROW_NUMBER].to_pylist() == list(range(330, 640))
    apart = source.split(Pushdown(filter=pc.field("x").isin([350, 630])), 1 << 30)
    assert [split.location.row_offset for split in apart] == [300, 600]


def test_source_and_pushed_filters_are_joined_and_need_no_column_of_the_result(numbers):
    source = parquet_source(numbers[0], filters=[("x", ">", 100)], columns=["y"])
    table = table_of(source, Pushdown(("y",), filter=pc.field("s") == "text 6"))
    assert table.column_names == ["y"]
    assert table["y"].to_pylist() == [i * 0.5 for i in range(101, 1_000) if i % 7 == 6]


def test_bad_filters_are_refused_early(numbers):
    folder, _ = numbers
    with pytest.raises(ColumnNotFoundError, match="'xx'"):
        parquet_source(folder, filters=[("xx", ">", 1)])
    with pytest.raises(ColumnNotFoundError, match="'xx'"):
        parquet_source(folder, filters=pc.field("xx") > 1)
    with pytest.raises(SchemaError, match="does not fit"):
        parquet_source(folder, filters=[("s", ">", 1)])
    with pytest.raises(ValueError, match="a filter must be"):
        parquet_source(folder, filters=[("x", "~", 1)])


NAN_EXPRESSIONS = [
    pc.field("f") != 5.0,
    ~(pc.field("f") == 5.0),
    ~(pc.field("f") < 6.0),
    pc.is_null(pc.field("f"), nan_is_null=True),
    pc.is_nan(pc.field("f")),
    pc.field("f").isin([float("nan")]),
]


@pytest.mark.parametrize("expression", NAN_EXPRESSIONS, ids=str)
def test_statistics_that_know_no_nan_do_not_drop_its_rows(tmp_path, expression):
    table = pa.table({"f": [5.0, float("nan"), 5.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    expected = table.filter(expression)
    assert expected.num_rows == 1
    found = table_of(parquet_source(tmp_path), Pushdown(filter=expression))
    assert str(found["f"].to_pylist()) == "[nan]"


@hypothesis.given(
    values=st.lists(
        st.one_of(
            st.none(), st.floats(-3, 3), st.just(float("nan")), st.integers(-3, 3).map(float)
        ),
        min_size=1,
        max_size=30,
    ),
    operation=st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]),
    operand=st.integers(-3, 3),
    negated=st.booleans(),
)
def test_pruning_never_changes_the_answer(tmp_path_factory, values, operation, operand, negated):
    folder = tmp_path_factory.mktemp("pruning")
    table = pa.table({"f": pa.array(values, pa.float64()), "i": list(range(len(values)))})
    pq.write_table(table, folder / "a.parquet", row_group_size=4)
    from penstock.io.parquet.pruning import filter_expression

    value = [float(operand)] if "in" in operation else float(operand)
    expression = filter_expression([("f", operation, value)], table.schema)
    expression = ~expression if negated else expression
    found = table_of(parquet_source(folder), Pushdown(filter=expression), target=50)
    assert found["i"].to_pylist() == table.filter(expression)["i"].to_pylist()


# ---------------------------------------------------------------- partitions


def write_hive(folder, parts):
    for path, table in parts.items():
        (folder / path).mkdir(parents=True)
        pq.write_table(table, folder / path / "part-0.parquet")


def test_hive_folders_become_columns_and_prune(tmp_path):
    write_hive(
        tmp_path,
        {
            f"year={year}/month={month}": pa.table({"x": [year * 100 + month]})
            for year in (2013, 2014)
            for month in (1, 2, 10)
        },
    )
    source = parquet_source(tmp_path)
    assert source.schema == pa.schema(
        [("x", pa.int64()), ("year", pa.int64()), ("month", pa.int64())]
    )
    table = table_of(source)
    assert table["month"].to_pylist() == [1, 2, 10, 1, 2, 10]
    filtered = parquet_source(tmp_path, filters=[("year", "==", 2014), ("month", ">", 1)])
    assert len(filtered.split(ALL, 1)) == 2
    assert table_of(filtered)["x"].to_pylist() == [201402, 201410]
    one = parquet_source(tmp_path / "year=2014" / "month=2" / "part-0.parquet", columns=["year"])
    assert table_of(one).to_pylist() == [{"year": 2014}]
    assert parquet_source(tmp_path, partitioning=None).schema.names == ["x"]
    assert source.describe()["partitions"] == ["year", "month"]


def test_partition_values_keep_leading_zeros_and_may_be_overridden(tmp_path):
    table = pa.table({"x": [1]})
    write_hive(tmp_path, {"k=01": table, "k=__HIVE_DEFAULT_PARTITION__": table, "k=a%2Fb": table})
    (tmp_path / "k=a%2Fb" / "part-0.parquet").unlink()
    source = parquet_source(tmp_path)
    assert source.schema.field("k").type == pa.string()
    assert sorted(table_of(source)["k"].to_pylist(), key=str) == ["01", None]
    source = parquet_source(tmp_path, partition_types={"k": "int32"})
    assert source.schema.field("k").type == pa.int32()
    assert set(table_of(source)["k"].to_pylist()) == {1, None}
    pq.write_table(table, tmp_path / "k=a%2Fb" / "part-0.parquet")
    assert "a/b" in table_of(parquet_source(tmp_path))["k"].to_pylist()
    with pytest.raises(SchemaError, match=r"partition k=a/b is not int32"):
        parquet_source(tmp_path, partition_types={"k": "int32"})


# --------------------------------------------------------------------- drift


def test_drift_is_united_by_name_and_reported(tmp_path):
    pq.write_table(pa.table({"a": pa.array([1], pa.int32()), "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(
        pa.table({"c": [True], "b": pa.array(["y"], pa.large_string()), "a": [2.5]}),
        tmp_path / "2.parquet",
    )
    source = parquet_source(tmp_path)
    assert source.schema == pa.schema(
        [("a", pa.float64()), ("b", pa.large_string()), ("c", pa.bool_())]
    )
    assert table_of(source).to_pylist() == [
        {"a": 1.0, "b": "x", "c": None},
        {"a": 2.5, "b": "y", "c": True},
    ]
    found = {(item.column, item.what) for item in source.drift}
    assert ("a", "int32 and double, read as double") in found
    assert ("c", "absent, read as null") in found
    assert source.drift[-1].files == (str(tmp_path / "1.parquet"),)
    assert source.describe()["drift"] == source.drift
    with pytest.raises(SchemaError, match="'a': int32 and double"):
        parquet_source(tmp_path, schema_drift="strict")


def test_filters_work_across_drift(tmp_path):
    pq.write_table(pa.table({"a": pa.array([1, 9], pa.int32())}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [2.5, 8.5], "c": [1, 2]}), tmp_path / "2.parquet")
    source = parquet_source(tmp_path, filters=[("a", ">", 8)])
    assert table_of(source)["a"].to_pylist() == [9.0, 8.5]
    absent = parquet_source(tmp_path, filters=[("c", "is", None)])
    assert table_of(absent)["a"].to_pylist() == [1.0, 9.0]


def test_types_that_do_not_go_together_name_the_files(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "2.parquet")
    with pytest.raises(SchemaError, match=r"column 'a'.*int64 in .*1.parquet; string in .*2.parq"):
        parquet_source(tmp_path)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (pa.int8(), pa.int32(), pa.int32()),
        (pa.uint8(), pa.int8(), pa.int16()),
        (pa.int64(), pa.float32(), pa.float64()),
        (pa.int64(), pa.uint64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ns")),
        (pa.timestamp("us", "UTC"), pa.timestamp("ns", "Asia/Tokyo"), pa.timestamp("ns", "UTC")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us"), None),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
        (pa.string(), pa.int64(), None),
    ],
)
def test_promotion(left, right, expected):
    assert promote(left, right) == promote(right, left) == expected


def test_real_files_with_drift(shared_data):
    source = parquet_source(shared_data / "taxi" / "green")
    assert source.schema.field("VendorID").type == pa.int64()
    assert source.schema.field("ehail_fee").type == pa.float64()
    assert "cbd_congestion_fee" in source.schema.names
    assert {item.column for item in source.drift} >= {"VendorID", "ehail_fee", "cbd_congestion_fee"}
    columns = ("VendorID", "cbd_congestion_fee", "total_amount")
    table = table_of(source, Pushdown(columns), target=1 << 20)
    whole = pd.concat(
        pd.read_parquet(path) for path in sorted((shared_data / "taxi" / "green").iterdir())
    )
    assert table.num_rows == len(whole)
    assert pc.sum(table["VendorID"]).as_py() == whole["VendorID"].sum()
    assert pc.sum(table["cbd_congestion_fee"]).as_py() == pytest.approx(
        whole["cbd_congestion_fee"].sum()
    )


def test_real_hive_folder(shared_data):
    folder = shared_data / "taxi" / "yellow_hive"
    source = parquet_source(folder, filters=[("year", "==", 2014), ("month", "<", 3)])
    splits = source.split(ALL, 1 << 20)
    assert {split.uri.split("/")[-3] for split in splits} == {"year=2014"}
    found = table_of(source, Pushdown(("total_amount",)), target=1 << 20)
    import duckdb

    (expected,) = (
        duckdb.connect()
        .execute(
            f"select count(*) from read_parquet('{folder}/*/*/*.parquet', union_by_name=true) "
            "where year = 2014 and month < 3"
        )
        .fetchone()
    )
    assert found.num_rows == expected > 0


# --------------------------------------------------------------------- types


def test_every_type_comes_back(tmp_path):
    table = pa.table(
        {
            "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
            "decimal": pa.array([decimal.Decimal("1.20"), None, decimal.Decimal("-3.45")]),
            "zoned": pa.array([0, None, 10**9], pa.timestamp("us", "Europe/Berlin")),
            "nano": pa.array([1, None, 3], pa.timestamp("ns")),
            "date": pa.array([datetime.date(2020, 1, 1), None, datetime.date(1, 1, 1)]),
            "time": pa.array([1, None, 3], pa.time64("us")),
            "list": pa.array([[1, 2], None, []]),
            "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "binary": pa.array([b"\x00\xff", None, b""]),
            "half": pa.array([1, None, 3], pa.float16()),
            "dotted.name": [1, 2, 3],
            "dotted": [4, 5, 6],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    source = parquet_source(tmp_path)
    for target in TARGETS:
        found = table_of(source, target=target)
        for name in table.column_names:
            assert found[name].to_pylist() == table[name].to_pylist(), name
    assert source.schema.field("dictionary").type == pa.dictionary(pa.int32(), pa.string())
    for name in ("dotted", "struct", "map", "dotted.name"):
        assert table_of(source, Pushdown((name,))).column_names == [name]


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ([("c", "in", ["a"])], [1]),
        ([("c", "!=", "a")], [2]),
        ([("v", "==", "x")], [1]),
        ([("v", "not in", ["x"])], [2, 3]),
        ([("y", "==", "2")], [2]),
        ([("y", ">", 1.5)], [2, 3]),
        ([("y", "in", [1.0, 2.5])], [1]),
        ([("t", ">", "1970-01-01T00:00:01")], [3]),
        ([("t", "<=", pd.Timestamp(1970, 1, 1))], [1]),
    ],
    ids=str,
)
def test_filters_on_categories_views_and_times(tmp_path, filters, rows):
    table = pa.table(
        {
            "c": pa.array(["a", "b", None]).dictionary_encode(),
            "v": pa.array(["x", "y", "z"], pa.string_view()),
            "y": [1, 2, 3],
            "t": pa.array([0, 10**6, 2 * 10**6], pa.timestamp("us")),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    source = parquet_source(tmp_path, filters=filters)
    assert source.schema.field("v").type == pa.string()
    assert table_of(source)["y"].to_pylist() == rows


def test_int96_timestamps_are_read(tmp_path):
    when = pd.Timestamp(2020, 5, 1, 12, 30)
    table = pa.table({"t": pa.array([when], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    assert table_of(parquet_source(tmp_path)).equals(table)


def test_pandas_metadata_tells_index_and_dtypes(tmp_path):
    frame = pd.DataFrame(
        {"a": pd.Categorical(["x", "y"]), "b": pd.array([1, None], dtype="Int64")},
        index=pd.Index([7, 8], name="key"),
    )
    frame.to_parquet(tmp_path / "a.parquet")
    source = parquet_source(tmp_path / "a.parquet", columns=["b"])
    assert source.pandas_index == ["key"]
    assert source.schema.names == ["b", "key"]
    assert source.pandas_dtypes == {"a": "category", "b": "Int64", "key": "int64"}
    (split,) = source.split(ALL, 1 << 20)
    assert split.statistics == {"key": (7, 8)}
    assert parquet_source(tmp_path / "a.parquet", index=False).pandas_index == []
    assert parquet_source(tmp_path / "a.parquet", index="b").pandas_index == ["b"]
    frame.reset_index(drop=True).to_parquet(tmp_path / "b.parquet")
    (ranged,) = parquet_source(tmp_path / "b.parquet").pandas_index
    assert ranged["kind"] == "range"


def test_estimates_are_near_the_memory_really_taken(tmp_path):
    rows = 20_000
    table = pa.table(
        {
            "few": [f"a rather long text number {i % 5}" for i in range(rows)],
            "constant": np.zeros(rows),
            "nulls": pa.array([None] * rows, pa.int64()),
            "list": [[i, i] for i in range(rows)],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    for name in table.column_names:
        pushdown = Pushdown((name,))
        (split,) = parquet_source(tmp_path).split(pushdown, 1 << 30)
        assert 0.7 < split.nbytes / table.select([name]).nbytes < 1.5, name


# -------------------------------------------------------------------- errors


def test_what_is_not_parquet_says_what_it_is(tmp_path, numbers):
    whole = (numbers[0] / "part.2.parquet").read_bytes()
    bad = {
        "html": (b"<!DOCTYPE html><html></html>", "an HTML page"),
        "cut": (whole[: len(whole) // 2], "cut off"),
        "empty": (b"", "it is empty"),
        "magic": (b"PAR1" + bytes(9) + b"\xff\xff\xff\x7fPAR1", "damaged Parquet file"),
        "footer": (whole[:-60] + bytes(52) + whole[-8:], "damaged Parquet footer"),
        "text": (b"hello, this is no data", "it begins with b'hello, t'"),
    }
    for name, (data, message) in bad.items():
        path = tmp_path / f"{name}.bad"
        path.write_bytes(data)
        with pytest.raises(FormatError, match=message) as caught:
            parquet_source(path)
        assert f"{name}.bad" in str(caught.value)


def test_damaged_pages_name_file_and_row_group(tmp_path, numbers):
    source = numbers[0] / "part.2.parquet"
    data = bytearray(source.read_bytes())
    data[4:300] = os.urandom(296)
    (tmp_path / "bad.parquet").write_bytes(data)
    with pytest.raises(FormatError, match=r"bad.parquet, row group 0: damaged"):
        table_of(parquet_source(tmp_path / "bad.parquet"), target=3_000)


def test_real_corrupt_files(shared_data):
    for path in (shared_data / "taxi" / "corrupt").glob("*.parquet"):
        with pytest.raises(FormatError, match=r"is not a Parquet file: it (is an HTML|begins as)"):
            parquet_source(path)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_encrypted_files_are_refused_before_their_statistics_are_touched(
    tmp_path, plaintext_footer
):
    import base64

    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):
        def __init__(self, config):
            super().__init__()

        def wrap_key(self, key, _):
            return base64.b64encode(key)

        def unwrap_key(self, wrapped, _):
            return base64.b64decode(wrapped)

    properties = encryption.CryptoFactory(Keys).file_encryption_properties(
        encryption.KmsConnectionConfig(),
        encryption.EncryptionConfiguration(
            footer_key="f", column_keys={"c": ["x"]}, plaintext_footer=plaintext_footer
        ),
    )
    table = pa.table({"x": [1], "y": [2]})
    with pq.ParquetWriter(
        tmp_path / "a.parquet", table.schema, encryption_properties=properties
    ) as writer:
        writer.write_table(table)
    with pytest.raises(FormatError, match="is encrypted"):
        parquet_source(tmp_path)


def test_a_file_replaced_after_planning_is_refused(numbers):
    folder, table = numbers
    source = parquet_source(folder)
    splits = source.split(ALL, 3_000)
    path = folder / "part.2.parquet"
    pq.write_table(table, path)
    os.utime(path, ns=(0, 1))
    with pytest.raises(SourceError, match=r"part.2.parquet changed after the plan"):
        source.read(splits[0], ALL)


# ------------------------------------------------------------------------ S3


@pytest.mark.s3
def test_s3_reads_ranges_of_the_wanted_columns_through_faults(moto_s3, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "_FIRST_WAIT", 0.01)
    rng = np.random.default_rng(0)
    table = pa.table({name: rng.random(100_000) for name in "abcdef"})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=50_000, use_dictionary=False)
    bucket = moto_s3.new_bucket()
    moto_s3.filesystem().put(str(tmp_path / "a.parquet"), f"{bucket}/d/k=1/a.parquet")
    with FaultProxy(moto_s3.endpoint_url) as proxy:
        options = proxy.storage_options(moto_s3.storage_options)
        source = parquet_source(f"s3://{bucket}/d", storage_options=options)
        proxy.reset()
        assert table_of(source, Pushdown(("a", "f"))).equals(table.select(["a", "f"]))
        size = (tmp_path / "a.parquet").stat().st_size
        assert proxy.totals("GET").bytes_sent < 0.45 * size
        proxy.plan = FaultPlan(unavailable=0.2, reset=0.2, truncate=0.2, at_most=3)
        assert table_of(source, target=300_000).equals(
            table.append_column("k", pa.array(np.ones(100_000, dtype=np.int64)))
        )
        assert sum(proxy.totals().faults.values()) > 3


@pytest.mark.s3
def test_s3_footers_take_one_request_each(moto_s3, tmp_path):
    bucket = moto_s3.new_bucket()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    moto_s3.filesystem().pipe({f"{bucket}/d/{number}.parquet": data for number in range(20)})
    with FaultProxy(moto_s3.endpoint_url) as proxy:
        options = proxy.storage_options(moto_s3.storage_options)
        source = parquet_source(f"s3://{bucket}/d", storage_options=options)
        assert source.num_rows == 20
        ranged = [each for each in proxy.exchanges("GET") if each.byte_range]
        assert len(ranged) == 20
        assert len(source.split(ALL, 1 << 20)) == 1

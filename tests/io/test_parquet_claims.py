"""Footers that claim what is not there, and small files that really hold very many rows."""

from __future__ import annotations

import copy
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import penstock.dataframe as dd
from penstock.blocks import concat_tables, rows_only
from penstock.cli import main
from penstock.errors import FormatError, UnsupportedError
from penstock.io.parquet import parquet_source
from penstock.io.source import Pushdown
from tests.support import parquet_footer as thrift
from tests.support.parquet_footer import chunk, patched, put, row_group

CLAIMS = (2**62, 2**63 - 1, 2**40)


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.parquet"
    table = {"x": range(1000), "s": [f"text {i % 7}" for i in range(1000)]}
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def lists(tmp_path):
    path = tmp_path / "lists.parquet"
    pq.write_table(pa.table({"l": [[1, 2], [3]] * 500}), path)
    return path


def claim(rows, *, group=True, values=True):
    def change(footer):
        put(footer, thrift.FILE_ROWS, rows)
        if group:
            put(row_group(footer), thrift.ROWS, rows)
        for number in range(len(row_group(footer)[thrift.COLUMNS][1][1])):
            if values:
                put(chunk(footer, number), thrift.VALUES, rows)

    return change


def of_chunks(field, value):
    return lambda footer: put(chunk(footer), field, value)


def ways_in(path):
    """Return every way in which rows of a file are asked for."""
    return [
        lambda: len(dd.read_parquet(path)),
        lambda: dd.read_parquet(path).compute(),
        lambda: dd.read_parquet(path).head(3),
        lambda: dd.read_parquet(path, filters=[("x", "==", 5)]).compute(),
    ]


@pytest.mark.parametrize("rows", [*CLAIMS, -1, -(2**63)])
@pytest.mark.parametrize("values", [True, False])
def test_rows_that_the_file_cannot_hold_are_refused_at_once(plain, tmp_path, rows, values):
    path = patched(plain, tmp_path / "bad.parquet", claim(rows, values=values))
    for read in ways_in(path):
        with pytest.raises(FormatError, match=rf"bad.parquet, row group 0: .*{rows:,}|1,000 val"):
            read()


@pytest.mark.parametrize("rows", CLAIMS)
def test_the_command_line_refuses_them_and_leaves_no_target(lists, tmp_path, rows):
    path = patched(lists, tmp_path / "bad.parquet", claim(rows))
    target = tmp_path / "out" / "target.parquet"
    for arguments in (["info", path], ["head", path], ["convert", path, target]):
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == 1
        assert "bad.parquet, row group 0" in result.output
        assert f"{rows:,}" in result.output
    assert not target.parent.exists() or not any(target.parent.iterdir())


def test_the_rows_that_only_the_file_as_a_whole_claims_are_not_used(plain, tmp_path):
    path = patched(plain, tmp_path / "odd.parquet", claim(2**62, group=False, values=False))
    assert len(dd.read_parquet(path)) == 1000
    assert dd.read_parquet(path).to_arrow().equals(pq.read_table(plain))


@pytest.mark.parametrize("rows", [1001, 2**33])
@pytest.mark.parametrize("fixture", ["plain", "lists"])
def test_fewer_rows_than_claimed_are_noticed_when_they_are_read(request, tmp_path, fixture, rows):
    path = patched(request.getfixturevalue(fixture), tmp_path / "bad.parquet", claim(rows))
    source = parquet_source(path)
    for limit in (None, 1001):
        pushdown = Pushdown(limit=limit)
        for split in source.split(pushdown, 1 << 30)[:1]:
            with pytest.raises(FormatError, match=r"bad.parquet, row group 0: .*hold 1,000"):
                source.read(split, pushdown)
    with pytest.raises(FormatError, match=r"bad.parquet, row group 0: .*hold 1,000"):
        source.read(source.split(Pushdown(), 1 << 15 if rows == 1001 else 1 << 25)[-1], Pushdown())


@pytest.mark.parametrize("rows", [1, 7, 1000, 1001, 1009])
def test_any_piece_of_a_row_group_can_be_read_alone(tmp_path, rows):
    table = pa.table({"x": range(rows), "l": [[i] for i in range(rows)]})
    pq.write_table(table, tmp_path / "a.parquet")
    source = parquet_source(tmp_path)
    splits = source.split(Pushdown(), 2000)
    assert pa.concat_tables(source.read(split, Pushdown()) for split in splits).equals(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_chunks(thrift.VALUES, 1001), "1,001 values, but its row group 1,000 rows"),
        (of_chunks(thrift.VALUES, -5), "-5 values"),
        (of_chunks(thrift.VALUES, 2**62), f"{2**62:,} values in 1,000 rows"),
        (of_chunks(thrift.COMPRESSED, 2**62), "but the file has"),
        (of_chunks(thrift.COMPRESSED, 20_000), "20,000 bytes at 4, but the file has"),
        (of_chunks(thrift.COMPRESSED, 0), "0 bytes at 4"),
        (of_chunks(thrift.COMPRESSED, -5), "-5 bytes at 4"),
        (of_chunks(thrift.DATA_OFFSET, -5), "bytes at -5"),
        (of_chunks(thrift.UNCOMPRESSED, 2**62), f"{2**62:,} bytes once uncompressed"),
        (of_chunks(thrift.UNCOMPRESSED, -1), "-1 bytes once uncompressed"),
        (of_chunks(1, 1), "column 'x' claims to be INT32, but the schema says INT64"),
        (
            lambda footer: row_group(footer)[thrift.COLUMNS][1][1].pop(),
            "schema has 2 stored columns, but the row group has 1",
        ),
        (
            lambda footer: row_group(footer)[thrift.COLUMNS][1][1].clear(),
            "schema has 2 stored columns, but the row group has 0",
        ),
        (
            lambda footer: put(footer[thrift.SCHEMA][1][1][0], thrift.CHILDREN, 2**31 - 1),
            "not enough elements",
        ),
    ],
)
def test_footers_at_odds_with_themselves_or_the_file_are_refused(plain, tmp_path, change, message):
    path = patched(plain, tmp_path / "bad.parquet", change)
    for read in ways_in(path):
        with pytest.raises(FormatError, match=f"bad.parquet.*{message}"):
            read()


def test_all_columns_are_looked_at_before_they_are_read(plain, tmp_path):
    def change(footer):
        put(chunk(footer, 1), thrift.COMPRESSED, 2**40)

    path = patched(plain, tmp_path / "bad.parquet", change)
    assert dd.read_parquet(path, columns=["x"]).compute().x.sum() == 499_500
    with pytest.raises(FormatError, match="column 's' claims"):
        dd.read_parquet(path).head()


def test_chunks_of_another_file_say_where_they_are(plain, tmp_path):
    def change(footer):
        row_group(footer)[thrift.COLUMNS][1][1][0][1] = (thrift.BINARY, b"part.0.parquet")
        put(chunk(footer), thrift.COMPRESSED, 10**6)

    with pytest.raises(FormatError, match=r"its rows are in part.0.parquet"):
        parquet_source(patched(plain, tmp_path / "_metadata", change))


@pytest.mark.parametrize("nulls", [2**62, -(2**62)])
def test_counts_of_missing_values_drive_nothing(plain, tmp_path, nulls):
    def change(footer):
        for number in range(2):
            put(chunk(footer, number)[thrift.STATISTICS][1], thrift.NULL_COUNT, nulls)

    path = patched(plain, tmp_path / "odd.parquet", change)
    assert dd.read_parquet(path).npartitions == 1
    assert dd.read_parquet(path).to_arrow().equals(pq.read_table(plain))


def test_rows_of_several_row_groups_and_files_that_cannot_be_numbered(plain, tmp_path):
    def no_column(footer):
        footer[thrift.SCHEMA] = (
            thrift.LIST,
            (thrift.STRUCT, [{4: (thrift.BINARY, b"schema"), 5: (thrift.I32, 0)}]),
        )
        row_group(footer)[thrift.COLUMNS] = (thrift.LIST, (thrift.STRUCT, []))
        footer.pop(7, None)  # the order of each column
        footer.pop(5, None)  # Arrow's schema
        put(row_group(footer), thrift.ROWS, 2**62)

    def twice(footer):
        no_column(footer)
        groups = footer[thrift.ROW_GROUPS][1][1]
        groups.append(copy.deepcopy(groups[0]))

    single = patched(plain, tmp_path / "a.parquet", no_column)
    assert len(dd.read_parquet(single)) == 2**62
    assert dd.read_parquet(single).compute().shape == (2**62, 0)
    with pytest.raises(FormatError, match=r"b.parquet: .*2 row groups claim"):
        parquet_source(patched(plain, tmp_path / "b.parquet", twice))
    other = patched(plain, tmp_path / "c.parquet", no_column)
    with pytest.raises(FormatError, match=r"a.parquet and 1 more files: .*more than can be"):
        parquet_source([single, other])


def test_rows_without_columns_take_no_memory():
    before = pa.total_allocated_bytes()
    table = concat_tables([rows_only(10**12), rows_only(5)])
    assert (table.num_rows, table.num_columns) == (10**12 + 5, 0)
    assert pa.total_allocated_bytes() - before < 1000
    assert rows_only(0).num_rows == 0


# ------------------------------------------------------------- that really hold very many


def _number(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def nulls_file(path, kind, pages, values, groups=1):
    """Write a file of missing values: a page of them takes some thirty bytes."""
    pq.write_table(
        pa.table({"x": pa.nulls(10, kind)}),
        path,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    run = _number(values << 1) + b"\0"
    levels = len(run).to_bytes(4, "little") + run
    kinds = {1: values, 2: 0, 3: 3, 4: 3}
    header = {1: 0, 2: len(levels), 3: len(levels)}
    page = {field: (thrift.I32, value) for field, value in header.items()}
    page[5] = (thrift.STRUCT, {field: (thrift.I32, value) for field, value in kinds.items()})
    body = (thrift.encoded(page) + levels) * pages

    def change(footer):
        put(row_group(footer), thrift.ROWS, pages * values)
        put(chunk(footer), thrift.VALUES, pages * values)
        put(chunk(footer), thrift.DATA_OFFSET, 4)
        for field in (thrift.COMPRESSED, thrift.UNCOMPRESSED):
            put(chunk(footer), field, len(body))
        chunk(footer).pop(16, None)  # histograms of the levels
        for field in (4, 5, 6, 7):  # the page index
            row_group(footer)[thrift.COLUMNS][1][1][0].pop(field, None)
        one = row_group(footer)
        footer[thrift.ROW_GROUPS][1][1][:] = [copy.deepcopy(one) for _ in range(groups)]

    data = patched(path, path, change).read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    path.write_bytes(b"PAR1" + body + data[-8 - length :])
    return path


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_a_billion_rows_in_a_few_bytes_are_planned_and_begun_quickly(tmp_path, kind):
    path = nulls_file(tmp_path / "nulls.parquet", kind, 1, 10**9)
    assert path.stat().st_size < 1000
    frame = dd.read_parquet(path)
    assert len(frame) == 10**9
    assert frame.head(3).x.isna().tolist() == [True] * 3
    found = CliRunner().invoke(main, ["info", str(path), "--json"])
    assert json.loads(found.output)["rows"] == 10**9


def test_many_rows_in_a_few_bytes_are_read(tmp_path):
    path = nulls_file(tmp_path / "nulls.parquet", pa.int64(), 3, 10**6, groups=2)
    frame = dd.read_parquet(path, blocksize="1MB")
    assert frame.npartitions > 10
    assert frame.x.isna().sum().compute() == 6 * 10**6


def test_more_blocks_than_a_small_file_may_become_are_refused(tmp_path):
    path = nulls_file(tmp_path / "nulls.parquet", pa.int64(), 100, 2**31 - 1)
    with pytest.raises(UnsupportedError, match=r"nulls.parquet, row group 0: .* larger blocksize"):
        len(dd.read_parquet(path, blocksize="1MB"))
    assert len(dd.read_parquet(path, blocksize="1GB")) == 100 * (2**31 - 1)
    path = nulls_file(tmp_path / "groups.parquet", pa.int64(), 1, 2**31 - 1, groups=100)
    with pytest.raises(UnsupportedError, match=r"groups.parquet, row group \d+: .* claims"):
        len(dd.read_parquet(path, blocksize="1MB"))

"""Compressed files, files that are not CSV, files that change, real files."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from penstock.errors import FormatError, ParseError, SourceError
from penstock.io.csv import csv_sink, csv_source
from penstock.io.sniff import describe_content
from penstock.io.source import Pushdown
from tests.io.carry import as_frame, read_blocks, read_table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ROWS = "a,b\n" + "".join(f'{i},"line {i}\nof ""two"""\n' for i in range(5000))


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def in_members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


COMPRESSORS = [
    (".gz", gzip.compress),
    (".gz", in_members),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
    (".zst", zstd),
]


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSORS)
@pytest.mark.parametrize("blocksize", [500, 5000, 1 << 20])
def test_compressed_files_are_streamed(tmp_path, suffix, compress, blocksize):
    plain = tmp_path / "x.csv"
    plain.write_text(ROWS)
    packed = tmp_path / f"x.csv{suffix}"
    packed.write_bytes(compress(ROWS.encode()))
    source = csv_source(packed, blocksize=blocksize)
    splits = source.split(Pushdown(), 1 << 20)
    assert [split.after for split in splits] == [False] + [True] * (len(splits) - 1)
    blocks = read_blocks(source)
    assert max(block.num_rows for block in blocks) < max(blocksize / 5, 100)
    got = as_frame(pa.concat_tables(blocks), source.column_labels)
    pd.testing.assert_frame_equal(got, pd.read_csv(plain))


def test_a_highly_compressible_file_does_not_end_in_one_huge_block(tmp_path):
    noise = "".join(f"{i * 7919 % 100003},x\n" for i in range(200_000))
    path = tmp_path / "x.csv.bz2"
    path.write_bytes(bz2.compress(("a,b\n" + noise + "1,y\n" * 2_000_000).encode()))
    blocks = read_blocks(csv_source(path, blocksize=1 << 18))
    sizes = [block.num_rows for block in blocks]
    assert sum(sizes) == 2_200_000
    assert max(sizes) < 1_200_000


def test_zip_of_one_member(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", ROWS)
    assert read_table(csv_source(path, blocksize=5000)).num_rows == 5000
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y.csv", ROWS)
    with pytest.raises(FormatError, match=r"x\.zip.*holds 2"):
        csv_source(path)


def test_compression_may_be_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    assert read_table(csv_source(path, compression="gzip")).to_pydict() == {"a": [1]}
    with pytest.raises(FormatError, match=r"x\.csv.*gzip"):
        csv_source(path)
    path.write_bytes(b"a\n1\n")
    with pytest.raises(FormatError, match=r"x\.csv is not gzip-compressed"):
        csv_source(path, compression="gzip")


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSORS[::2])
def test_truncated_streams_name_the_file(tmp_path, suffix, compress):
    rows = "a,b\n" + "".join(f"{i * 7919 % 100003},{i}\n" for i in range(100_000))
    packed = compress(rows.encode())
    path = tmp_path / f"cut.csv{suffix}"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    with pytest.raises(FormatError, match=rf"cut\.csv{suffix} is (truncated|corrupt)"):
        read_table(csv_source(path, blocksize=50_000))


def test_open_streams_are_not_pickled(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode()))
    source = csv_source(path, blocksize=5000)
    split = source.split(Pushdown(), 1 << 20)[0]
    payload, summary, cursor = source.fetch(split, None)
    pickle.dumps((source, split, payload, summary))
    with pytest.raises(TypeError, match="another process"):
        pickle.dumps(cursor)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', r"\(AccessDenied\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08", "gzip"),
    ],
)
def test_other_formats_under_a_csv_name(tmp_path, content, what):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"x\.csv is not CSV: it holds .*{what}"):
        csv_source(path)


def test_texts_are_not_mistaken():
    for text in (b"a,b\n1,2\n", b"ORC,orc\n", b"BZ,1\n", b"", b"<5,>6\n"):
        assert describe_content(text) is None


def test_empty_files(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"")
    with pytest.raises(FormatError, match=r"x\.csv: no columns"):
        csv_source(path)
    assert read_table(csv_source(path, names=["a"])).num_rows == 0


def test_a_quote_left_open(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,2\n3,"x\n4,5\n' + "6,7\n" * 100)
    with pytest.raises(ParseError, match=r"x\.csv.*bytes? .*8.*quote"):
        read_table(csv_source(path, blocksize=50))


def test_rows_that_are_too_long_name_the_line(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3,4,5\n")
    for blocksize in (1, 1 << 20):
        with pytest.raises(ParseError, match=r"x\.csv, line 3: expected 2 fields, found 3.*skip"):
            read_table(csv_source(path, blocksize=blocksize))


def test_bytes_that_cannot_be_decoded(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,x\n2,\xe9t\xe9\n")
    with pytest.raises(ParseError, match=r"x\.csv.*(encoding|decode)"):
        read_table(csv_source(path))
    assert read_table(csv_source(path, encoding="latin-1")).column("b").to_pylist() == ["x", "été"]
    replaced = read_table(csv_source(path, encoding_errors="replace")).column("b").to_pylist()
    assert replaced == ["x", "\ufffdt\ufffd"]


def test_files_with_other_columns_are_refused_with_their_names(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("a,c\n3,4\n")
    with pytest.raises(FormatError, match=r"2\.csv.*lacks 'b' and also has 'c'"):
        csv_source(str(tmp_path / "*.csv"))
    table = read_table(csv_source(str(tmp_path / "*.csv"), usecols=["a"]))
    assert table.to_pydict() == {"a": [1, 3]}


def test_files_with_columns_in_another_order(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b,a\ny,2\nz,3\n")
    source = csv_source(str(tmp_path / "*.csv"), blocksize=2)
    assert read_table(source).to_pydict() == {"a": [1, 2, 3], "b": ["x", "y", "z"]}


def test_a_file_that_changes_under_way(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n2\n")
    source = csv_source(path)
    path.write_text("a\n1\n2\n3\n")
    with pytest.raises(SourceError, match=r"x\.csv.*changed"):
        read_table(source)


@pytest.mark.s3
def test_files_on_s3(moto_s3, tmp_path):
    options = moto_s3.storage_options
    bucket = moto_s3.new_bucket()
    table = pa.table({"a": range(300), "b": [f"line {i}\nof two" for i in range(300)]})
    for name, single in ((f"s3://{bucket}/one.csv.gz", True), (f"s3://{bucket}/many", False)):
        sink = csv_sink(name, single_file=single, storage_options=options)
        sink.begin(table.schema, 2)
        sink.commit([sink.write(i, table.slice(150 * i, 150)) for i in range(2)])
        source = csv_source(name, storage_options=options, blocksize=1000)
        assert read_table(source).combine_chunks().equals(table)


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of shared data is not there")
class TestRealFiles:
    @pytest.mark.parametrize("name", sorted(p.name for p in DATA.glob("taxi/yellow_csv/*.csv")))
    def test_taxi(self, name):
        path = DATA / "taxi" / "yellow_csv" / name
        source = csv_source(path, blocksize=100_000)
        got = as_frame(read_table(source), source.column_labels)
        pd.testing.assert_frame_equal(got, pd.read_csv(path))

    def test_zone_names_that_look_missing(self):
        path = DATA / "taxi" / "taxi_zone_lookup.csv"
        for options in ({}, {"keep_default_na": False}):
            source = csv_source(path, blocksize=1000, **options)
            got = as_frame(read_table(source), source.column_labels)
            pd.testing.assert_frame_equal(got, pd.read_csv(path, **options))

    def test_files_that_are_not_csv(self):
        with pytest.raises(FormatError, match="XML"):
            csv_source(DATA / "taxi" / "corrupt" / "xml_error_named_yellow.csv")
        with pytest.raises(FormatError, match="LFS"):
            csv_source(DATA / "taxi" / "corrupt" / "lfs_pointer_named_zones.csv")

    def test_csv_spectrum(self):
        files = sorted(DATA.glob("csv/**/csvs/*.csv"))
        assert files
        for path in files:
            if path.stem == "location_coordinates":
                continue  # its JSON has another telephone number than its CSV
            text = (path.parents[1] / "json" / f"{path.stem}.json").read_text()
            expected = json.loads(text.replace(r"\r\n", r"\n"))  # which the CSV files lost
            expected = expected if isinstance(expected, list) else [expected]
            for blocksize in (1, 20, 1 << 20):
                source = csv_source(path, blocksize=blocksize, dtype=str, keep_default_na=False)
                assert read_table(source).to_pylist() == expected, path.name


@pytest.mark.parametrize("text", ['a,b\n1,"x\n2,3\n', 'a,b\n\n"1', 'a,"b\n1,2\n'])
def test_a_quote_left_open_in_the_first_record(tmp_path, text):
    path = tmp_path / "open.csv"
    path.write_text(text)
    with pytest.raises(ParseError, match="a quote is opened and never closed"):
        read_table(csv_source(path))


def test_a_header_in_another_encoding(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(ParseError, match="pass encoding='utf-16'"):
        csv_source(path)
    path.write_bytes("é,b\n1,2\n".encode("latin-1"))
    with pytest.raises(ParseError, match=r"pass encoding= \(for instance"):
        csv_source(path)

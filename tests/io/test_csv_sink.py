"""What `CsvSink` writes is what `DataFrame.to_csv` writes, all or nothing."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import (
    ColumnNotFoundError,
    SchemaError,
    SinkError,
    TargetExistsError,
    UnsupportedError,
)
from penstock.io.csv import csv_sink, csv_source
from penstock.io.csv.sink import CsvFormat, float_texts, format_block
from tests.io.carry import as_frame, read_table


def write(sink, *tables):
    sink.begin(tables[0].schema, len(tables))
    order = range(len(tables)) if sink.ordered else reversed(range(len(tables)))
    return sink.commit([sink.write(i, tables[i]) for i in order])


FRAMES = {
    "plain": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1.5, 2.0]}),
    "missing": pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]}),
    "quotes": pd.DataFrame({"a": ["x,y", 'z"w', "two\nlines", "\r"], "b": [1, 2, 3, 4]}),
    "spaces": pd.DataFrame({"a": [" x", "", "y "], "b": [1, 2, 3]}),
    "single": pd.DataFrame({"a": ["x", "", None]}),
    "single float": pd.DataFrame({"a": [1.5, np.nan]}),
    "bools": pd.DataFrame({"a": [True, False], "b": [1, 2]}),
    "days": pd.DataFrame({"a": pd.to_datetime(["2020-01-01", None]), "b": [1, 2]}),
    "seconds": pd.DataFrame({"a": pd.to_datetime(["2020-01-01 00:00:00", "2021-02-03 04:05:06"])}),
    "micros": pd.DataFrame(
        {"a": pd.to_datetime(["2020-01-01 00:00:00.0", "2021-02-03 04:05:06.789"])}
    ),
    "before 1970": pd.DataFrame(
        {"a": pd.to_datetime(["1950-01-01 00:00:01", "1960-02-03 00:00:00"])}
    ),
    "zone": pd.DataFrame({"a": pd.to_datetime(["2020-01-01 10:00"]).tz_localize("UTC")}),
    "dates": pd.DataFrame({"a": [datetime.date(2020, 1, 2), None], "b": [1, 2]}),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y,z", None]), "b": [1, 2, 3]}),
    "durations": pd.DataFrame({"a": pd.to_timedelta([1, 86400], unit="s")}),
    "float32": pd.DataFrame({"a": np.array([0.1, 1e10], "float32"), "b": [1, 2]}),
    "extremes": pd.DataFrame({"a": [0.0, -0.0, 1e-5, 1e16, 1e15, 123456789.125, -np.inf, 1e300]}),
}
FORMATS = [
    {},
    {"sep": ";"},
    {"sep": "\t", "na_rep": "NA"},
    {"na_rep": "a,b"},
    {"header": False},
    {"quoting": csv.QUOTE_ALL},
    {"quoting": csv.QUOTE_NONNUMERIC},
    {"quotechar": "'"},
    {"float_format": "%.2f"},
    {"decimal": ",", "sep": ";"},
    {"lineterminator": "\r\n"},
    {"date_format": "%d.%m.%Y"},
    {"escapechar": "\\", "doublequote": False},
    {"encoding": "utf-16"},
]


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("options", FORMATS, ids=str)
def test_the_text_is_pandas(tmp_path, name, options):
    frame = FRAMES[name]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    path = tmp_path / "x.csv"
    write(csv_sink(str(path), single_file=True, **options), table)
    expected = tmp_path / "expected.csv"
    frame.to_csv(expected, index=False, **options)
    encoding = options.get("encoding", "utf-8")
    assert path.read_bytes().decode(encoding) == expected.read_bytes().decode(encoding)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_floats_are_spelled_as_python_does(values):
    assert float_texts(pa.array(values, pa.float64())).to_pylist() == [repr(v) for v in values]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.text(alphabet='ab ,;"\n\ré', max_size=4), st.integers(-5, 5)),
        min_size=1,
        max_size=8,
    )
)
def test_texts_are_quoted_as_pandas_does(rows):
    frame = pd.DataFrame(rows, columns=["t", "i"])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    expected = io.StringIO()
    frame.to_csv(expected, index=False, header=False, lineterminator="\n")
    assert format_block(table, CsvFormat()).decode() == expected.getvalue()


def test_integers_with_missing_values_keep_their_digits():
    table = pa.table({"a": pa.array([1, None]), "b": ["x", "y"], "c": [True, None]})
    assert format_block(table, CsvFormat()) == b"1,x,True\n,y,\n"
    assert format_block(table, CsvFormat(float_format="%.3f")) == b"1,x,True\n,y,\n"


def blocks(count=12):
    return [pa.table({"a": [i, i + 100], "b": [f"x{i}", 'q"']}) for i in range(count)]


def test_parts_sort_and_each_has_a_header(tmp_path):
    paths = write(csv_sink(str(tmp_path / "out")), *blocks())
    assert [p.rpartition("/")[2] for p in paths[:2]] == ["part-00.csv", "part-01.csv"]
    table = read_table(csv_source(str(tmp_path / "out")))
    assert table.equals(pa.concat_tables(blocks()).combine_chunks())


def test_header_in_the_first_part_only(tmp_path):
    sink = csv_sink(str(tmp_path / "out"), header_first_partition_only=True)
    paths = write(sink, *blocks(3))
    starts = [Path(path).read_text().splitlines(keepends=True)[0] for path in paths]
    assert starts == ["a,b\n", "1,x1\n", "2,x2\n"]


def test_one_file_has_one_header_and_the_order_of_blocks(tmp_path):
    path = tmp_path / "one.csv"
    sink = csv_sink(str(path), single_file=True)
    assert sink.ordered
    assert write(sink, *blocks()) == [str(path)]
    frame = pa.concat_tables(blocks()).to_pandas()
    pd.testing.assert_frame_equal(pd.read_csv(path), frame)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("single", [True, False])
def test_compressed_output_is_read_back(tmp_path, suffix, single):
    name = f"x.csv.{suffix}" if single else f"out/x-*.csv.{suffix}"
    write(csv_sink(str(tmp_path / name), single_file=single), *blocks(3))
    source = csv_source(str(tmp_path / name))
    expected = pa.concat_tables(blocks(3)).to_pandas()
    pd.testing.assert_frame_equal(as_frame(read_table(source), source.column_labels), expected)
    if suffix == "gz" and single:
        assert gzip.decompress((tmp_path / name).read_bytes()).count(b"a,b") == 1


def test_patterns_stand_beside_other_files(tmp_path):
    (tmp_path / "notes.txt").write_text("keep")
    target = str(tmp_path / "x-*.csv")
    write(csv_sink(target), *blocks(2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "x-0.csv", "x-1.csv"]
    with pytest.raises(TargetExistsError, match=r"x-0\.csv"):
        write(csv_sink(target), *blocks(2))
    with pytest.raises(SinkError, match="other files"):
        write(csv_sink(target, mode="overwrite"), *blocks(1))
    write(csv_sink(target, mode="append"), *blocks(1))
    assert len(list(tmp_path.glob("x-*.csv"))) == 3
    (tmp_path / "notes.txt").unlink()
    write(csv_sink(target, mode="overwrite"), *blocks(1))
    assert [p.name for p in tmp_path.iterdir()] == ["x-0.csv"]


def test_names_by_function(tmp_path):
    sink = csv_sink(str(tmp_path / "out" / "*.csv"), name_function=lambda i: f"day{i + 1}")
    write(sink, *blocks(2))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["day1.csv", "day2.csv"]
    same = csv_sink(str(tmp_path / "same" / "*.csv"), name_function=lambda i: "s")
    with pytest.raises(SinkError, match="name_function"):
        write(same, *blocks(2))
    same.abort()


@pytest.mark.parametrize("single", [True, False])
def test_nothing_is_visible_before_commit_or_after_abort(tmp_path, single):
    target = tmp_path / "out"
    sink = csv_sink(str(target), single_file=single)
    sink.begin(blocks()[0].schema, 1)
    sink.write(0, blocks()[0])
    assert not target.exists()
    sink.abort()
    assert list(tmp_path.iterdir()) == []
    sink.abort()


def test_columns_and_names(tmp_path):
    path = tmp_path / "x.csv"
    sink = csv_sink(str(path), single_file=True, columns=["b"], header=["Name, of b"])
    write(sink, blocks()[0])
    assert path.read_text() == '"Name, of b"\nx0\n"q"""\n'
    with pytest.raises(ColumnNotFoundError, match="'zz'"):
        write(csv_sink(str(tmp_path / "y"), columns=["zz"]), blocks()[0])
    with pytest.raises(ValueError, match="header names 1 columns"):
        write(csv_sink(str(tmp_path / "y"), header=["only"]), blocks()[0])


def test_frames_without_rows_have_a_header(tmp_path):
    path = tmp_path / "x.csv"
    write(csv_sink(str(path), single_file=True), blocks()[0].slice(0, 0))
    assert path.read_text() == "a,b\n"


def test_wrong_options(tmp_path):
    with pytest.raises(TypeError, match="'seperator'"):
        csv_sink(str(tmp_path / "x"), seperator=";")
    with pytest.raises(UnsupportedError, match="ZIP"):
        csv_sink(str(tmp_path / "x.zip"))


def test_nested_values_are_whole_and_keep_their_numbers():
    block = pa.table(
        {
            "l": [[1, None], None, list(range(3000))],
            "s": [{"a": 2**53 + 1}, {"a": None}, None],
            "m": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        }
    )
    found = pd.read_csv(io.BytesIO(format_block(block, CsvFormat())), header=None)
    assert found[0].tolist()[::2] == ["[1, None]", str(list(range(3000)))]
    assert found[1].tolist()[:2] == ["{'a': 9007199254740993}", "{'a': None}"]
    assert found[2].tolist()[::2] == ["[('k', 1)]", "[]"]


def test_what_is_appended_comes_after_what_is_there(tmp_path):
    for start in (0, 30):
        tables = [pa.table({"a": [start + number]}) for number in range(15)]
        write(csv_sink(tmp_path / "out", mode="append"), *tables)
    assert read_table(csv_source(tmp_path / "out"))["a"].to_pylist() == [*range(15), *range(30, 45)]


@pytest.mark.parametrize("options", [{}, {"sep": ";"}, {"compression": "gzip"}, {"header": False}])
def test_other_columns_are_not_appended(tmp_path, options):
    target = tmp_path / "out [1]"
    write(csv_sink(target, **options), pa.table({"a": [1], "b": [2]}))
    write(csv_sink(target, mode="append", **options), pa.table({"a": [3], "b": [4]}))
    with pytest.raises(SchemaError, match=r"part-0\.csv.*has the columns"):
        write(csv_sink(target, mode="append", **options), pa.table({"a": [5], "b": [6], "c": [7]}))
    if options.get("header", True):
        with pytest.raises(SchemaError, match=r"\['a', 'b'\].*\['b', 'a'\]"):
            write(csv_sink(target, mode="append", **options), pa.table({"b": [6], "a": [5]}))
    assert len(list(target.iterdir())) == 2

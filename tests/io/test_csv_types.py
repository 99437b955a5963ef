"""Types sampled, contradicted, widened; projection; what a source tells of itself."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from penstock.errors import ColumnNotFoundError, ParseError, TypeConflictError, UnsupportedError
from penstock.io.csv import TypeWidenedWarning, csv_source
from penstock.io.source import Pushdown
from tests.io.carry import as_frame, read_blocks, read_table


def write(path, text):
    path.write_text(text)
    return path


def read_widening(source):
    """Read as the engine does: widen and begin again at each contradiction."""
    for _ in range(10):
        try:
            return source, read_table(source)
        except TypeConflictError as error:
            with pytest.warns(TypeWidenedWarning, match=repr(error.column)):
                source = source.widened(error.column, error.value)
    raise AssertionError("the types never settled")


def late(tmp_path, before, after, rows=3000):
    """Write a file whose value `after` stands beyond every sample."""
    lines = ["k,v"] + [f"{i},{before}" for i in range(rows)]
    lines[rows // 2] = f"{rows // 2 - 1},{after}"
    return write(tmp_path / "late.csv", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("1", "1.5", pa.float64()),
        ("1", "x", pa.string()),
        ("1.5", "x", pa.string()),
        ("1", str(2**63), pa.uint64()),
        ("True", "maybe", pa.string()),
        ("1", "0x1F", pa.string()),
        ("2.5", "Nan", pa.string()),
        ("", "text", pa.string()),
        ("", "7", pa.float64()),
    ],
)
def test_late_contradictions_widen_to_what_pandas_gives(tmp_path, before, after, kind):
    path = late(tmp_path, before, after)
    source, table = read_widening(csv_source(path, sample=1000, blocksize=5000))
    assert source.schema.field("v").type == kind
    expected = pd.read_csv(path, low_memory=False)
    pd.testing.assert_frame_equal(as_frame(table, source.column_labels), expected)


@pytest.fixture(autouse=True)
def _small_heads(monkeypatch):
    """The head that a sample always reads is larger than these test files."""
    monkeypatch.setattr("penstock.io.csv.inference.HEAD_BYTES", 1000)
    monkeypatch.setattr("penstock.io.csv.inference._SAMPLED_PLACES", 2)


def test_a_conflict_names_file_line_column_and_value(tmp_path):
    path = late(tmp_path, "1", "x")
    source = csv_source(path, sample=1000, blocksize=5000)
    with pytest.raises(TypeConflictError) as caught:
        read_table(source)
    assert re.search(r"late\.csv, line 1501, column 'v': 'x' is not an integer", str(caught.value))
    assert (caught.value.column, caught.value.value) == ("v", "x")


def test_the_line_counts_newlines_inside_quotes(tmp_path):
    text = 'k,v\n1,"a\nb"\n2,"c\n\nd"\nx,e\n'
    source = csv_source(write(tmp_path / "q.csv", text), dtype={"k": "int64"}, blocksize=3)
    with pytest.raises(TypeConflictError, match=r"q\.csv, line 7, column 'k': 'x'"):
        read_table(source)


def test_declared_types_do_not_widen(tmp_path):
    path = write(tmp_path / "a.csv", "k,v\n1,x\n")
    source = csv_source(path, dtype={"v": "float64"})
    assert (source.widens("k"), source.widens("v")) == (True, False)
    with pytest.raises(TypeConflictError, match=r"a\.csv, line 2, column 'v': 'x'"):
        read_table(source)
    with pytest.raises(TypeConflictError, match="'v'"):
        source.widened("v", "x")
    assert not csv_source(path, on_type_conflict="raise").widens("k")


def test_dates_widen_to_finer_units_then_to_text(tmp_path):
    path = late(tmp_path, "2020-01-01 00:00:00", "2020-01-01 00:00:00.123456789")
    source = csv_source(path, sample=1000, parse_dates=["v"], date_format="ISO8601")
    source, table = read_widening(source)
    assert source.schema.field("v").type == pa.timestamp("ns")
    assert table.column("v")[1499].value % 10**9 == 123456789
    path = late(tmp_path, "2020-01-01", "soon")
    source, table = read_widening(csv_source(path, sample=1000, parse_dates=["v"]))
    assert table.column("v").to_pylist()[1498:1501] == ["2020-01-01", "soon", "2020-01-01"]


def test_types_are_sampled_in_the_middle_and_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("penstock.io.csv.inference._SAMPLED_PLACES", 4)
    rows = ["k,m,t"] + [
        f"{i},{1.5 if 800 < i < 1400 else 1},{'x' if i > 2980 else 2}" for i in range(3000)
    ]
    path = write(tmp_path / "m.csv", "\n".join(rows) + "\n")
    kinds = csv_source(path, sample=600).schema.types
    assert kinds == [pa.int64(), pa.float64(), pa.string()]


def test_files_of_a_list_unify(tmp_path):
    write(tmp_path / "1.csv", "a,b,c\n1,1,\n")
    write(tmp_path / "2.csv", "a,b,c\n2.5,x,True\n")
    source = csv_source(str(tmp_path / "*.csv"))
    assert source.schema.types == [pa.float64(), pa.string(), pa.bool_()]
    assert read_table(source).to_pydict() == {"a": [1, 2.5], "b": ["1", "x"], "c": [None, True]}


def test_integers_with_missing_values_stay_integers(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n9007199254740993,1\n,2\n")
    table = read_table(csv_source(path))
    assert table.column("a").to_pylist() == [9007199254740993, None]
    assert csv_source(path, assume_missing=True).schema.types == [pa.float64(), pa.float64()]


def test_assume_missing_leaves_declared_columns(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,1\n")
    source = csv_source(path, assume_missing=True, dtype={"a": "int64"})
    assert source.schema.types == [pa.int64(), pa.float64()]


def test_declared_integers_refuse_missing_values_as_pandas_does(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,1\n,2\n")
    with pytest.raises(ParseError, match=r"'a' has missing values.*Int64"):
        read_table(csv_source(path, dtype={"a": "int64"}))


def test_projection_keeps_order_and_may_be_empty(tmp_path):
    path = write(tmp_path / "a.csv", "a,b,c\n1,x,2.5\n3,y,4.5\n")
    source = csv_source(path, blocksize=8)
    assert read_table(source, Pushdown(("c", "a"))).to_pydict() == {"c": [2.5, 4.5], "a": [1, 3]}
    blocks = read_blocks(source, Pushdown(()))
    assert sum(block.num_rows for block in blocks) == 2
    assert all(block.num_columns == 0 for block in blocks)
    with pytest.raises(ColumnNotFoundError, match="'zz'"):
        read_blocks(source, Pushdown(("zz",)))


def test_limit_bounds_every_block(tmp_path):
    path = write(tmp_path / "a.csv", "a\n" + "1\n" * 500)
    blocks = read_blocks(csv_source(path), Pushdown(limit=3))
    assert [block.num_rows for block in blocks] == [3]


def test_path_column(tmp_path):
    for name in "xy":
        write(tmp_path / f"{name}.csv", "a\n1\n2\n")
    source = csv_source(str(tmp_path / "*.csv"), include_path_column="from", blocksize=2)
    table = read_table(source)
    names = [value.rpartition("/")[2] for value in table.column("from").to_pylist()]
    assert names == ["x.csv", "x.csv", "y.csv", "y.csv"]
    only = read_table(source, Pushdown(("from",)))
    assert only.column_names == ["from"]
    with pytest.raises(ValueError, match="'a'"):
        csv_source(tmp_path / "x.csv", include_path_column="a")


def test_splits_grow_with_the_target_and_with_few_columns(tmp_path):
    rows = "\n".join(",".join(str(i + j) for j in range(20)) for i in range(20_000))
    path = write(tmp_path / "w.csv", ",".join("abcdefghijklmnopqrst") + "\n" + rows + "\n")
    source = csv_source(path)
    all_columns = source.split(Pushdown(), 400_000)
    few = source.split(Pushdown(("a",)), 400_000)
    assert len(few) < len(all_columns)
    for split in all_columns[:-1]:
        payload, _, _ = source.fetch(split, None)
        assert payload.nbytes < 600_000
    assert sum(split.stored_bytes for split in all_columns) == path.stat().st_size
    block = read_blocks(source, target_bytes=400_000)[0]
    assert 0.3 < block.nbytes / all_columns[0].nbytes < 3


def test_sources_pickle_and_tell_what_they_are(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,x\n")
    source = csv_source(path, storage_options={"secret": "do not show"})
    again = pickle.loads(pickle.dumps(source))
    assert again.fingerprint == source.fingerprint
    assert again.schema == source.schema
    assert "do not show" not in repr(source) + repr(source.inputs) + repr(source.fingerprint)
    facts = source.describe()
    assert facts["types"] == {"a": "int64", "b": "string"}
    assert facts["files"] == 1
    assert facts["parser"] == "arrow"
    assert csv_source(path, sep=";").fingerprint != source.fingerprint
    assert csv_source(path, dtype=str).fingerprint != source.fingerprint
    assert source.split(Pushdown(), 1 << 20)[0].origin == f"{path}, bytes 0-8"


def test_functions_have_an_identity_of_their_own(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,x\n")
    first, second = (csv_source(path, usecols=lambda name: name == "a") for _ in range(2))
    assert first.fingerprint != second.fingerprint


def test_labels_and_names(tmp_path):
    path = write(tmp_path / "a.csv", "1,x\n")
    source = csv_source(path, header=None, index_col=0, nrows=5)
    assert source.column_labels == (0, 1)
    assert source.schema.names == ["0", "1"]
    assert (source.index_col, source.nrows) == (0, 5)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"seperator": ";"}, TypeError, "'seperator'"),
        ({"converters": {"a": int}}, UnsupportedError, "after reading"),
        ({"chunksize": 10}, UnsupportedError, "blocksize"),
        ({"usecols": ["a", "zz"]}, ValueError, "'zz'"),
        ({"usecols": [5]}, ValueError, "5"),
        ({"parse_dates": ["zz"]}, ValueError, "'zz'"),
        ({"dtype": {"a": "datetime64[ns]"}}, TypeError, "parse_dates"),
        ({"quotechar": "ab"}, ValueError, "one character"),
        ({"on_bad_lines": "fix"}, ValueError, "on_bad_lines"),
        ({"on_type_conflict": "fix"}, ValueError, "on_type_conflict"),
        ({"sep": ",", "delimiter": ";"}, ValueError, "not both"),
        ({"names": ["x", "x"]}, ValueError, "duplicates"),
        ({"blocksize": 0}, ValueError, "positive"),
        ({"compression": "rar"}, ValueError, "rar"),
        ({"encoding": "utf-9"}, LookupError, "utf-9"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, error, text):
    path = write(tmp_path / "a.csv", "a,b\n1,x\n")
    with pytest.raises(error, match=text):
        csv_source(path, **options)


def test_engine_options_are_accepted(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,x\n")
    table = read_table(csv_source(path, engine="c", low_memory=False, memory_map=True))
    assert table.to_pydict() == {"a": [1], "b": ["x"]}


def test_floats_are_read_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).random(500) * 10.0 ** np.arange(-250, 250)
    path = write(tmp_path / "f.csv", "a\n" + "\n".join(map(repr, values.tolist())) + "\n")
    assert np.array_equal(read_table(csv_source(path)).column("a").to_numpy(), values)
    slow = csv_source(path, comment="#")
    assert np.array_equal(read_table(slow).column("a").to_numpy(), values)


def test_messages_cut_long_values(tmp_path):
    rows = "".join(f"{number}\n" for number in range(2000))
    path = write(tmp_path / "a.csv", "a\n" + rows * 10 + "x" * 100_000 + "\n" + rows)
    source = csv_source(path, dtype={"a": "int64"})
    with pytest.raises(TypeConflictError, match=r"'x{80}'... \(100,000 characters\)") as caught:
        read_table(source)
    assert len(str(caught.value)) < 1000
    assert caught.value.value == "x" * 100_000


def test_utf_16_without_an_encoding_says_which(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(ParseError, match=r"a.csv: cannot read the header: .*encoding='utf-16'"):
        csv_source(path)
    assert read_table(csv_source(path, encoding="utf-16")).num_rows == 1

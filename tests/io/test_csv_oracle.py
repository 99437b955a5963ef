"""Every dialect at every block size gives the frame that `pandas.read_csv` gives."""

from __future__ import annotations

import csv
import io
import random
import warnings
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.io.csv import BadLinesWarning, csv_source
from tests.io.carry import as_frame, read_table

BLOCKSIZES = (1, 2, 3, 7, 64, 1 << 10, 1 << 20)


def check(path: Any, sizes: Any = BLOCKSIZES, **options: Any) -> None:
    expected = pd.read_csv(path, **options)
    for blocksize in sizes:
        source = csv_source(path, blocksize=blocksize, **options)
        got = as_frame(read_table(source), source.column_labels)
        if expected.empty:
            assert list(got.columns) == list(expected.columns)
            assert got.empty
            continue
        pd.testing.assert_frame_equal(got, expected, check_column_type=False)


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("plain", "a,b\n1,2\n3,4\n", {}),
    ("semicolon", "a;b\n1;2\n3;4\n", {"sep": ";"}),
    ("delimiter", "a|b\n1|2\n3|4\n", {"delimiter": "|"}),
    ("decimal comma", "a;b\n1,5;2\n3,25;4\n", {"sep": ";", "decimal": ","}),
    ("thousands", "a;b\n1,500;2\n3,250,000;4\n,5\n", {"sep": ";", "thousands": ","}),
    ("no header", "1,2\n3,4\n", {"header": None}),
    ("names", "1,2\n3,4\n", {"names": ["x", "y"]}),
    ("names replace header", "a,b\n1,2\n3,4\n", {"names": ["x", "y"], "header": 0}),
    ("header further down", "junk,1\na,b\n1,2\n3,4\n", {"header": 1}),
    ("two header rows", "a,a\nx,y\n1,2\n3,4\n", {"header": [0, 1]}),
    ("header over two lines", '"a\nb",c\n1,2\n', {}),
    ("skiprows", 'junk\n\nmore "junk\na",b\na,b\n1,2\n3,4\n', {"skiprows": 3}),
    ("skiprows listed", "a,b\n1,2\n3,4\n5,6\n7,8\n", {"skiprows": [2, 4]}),
    ("skiprows with header", "junk\na,b\n1,2\n3,4\n5,6\n", {"skiprows": [0, 3]}),
    ("skiprows function", "a,b\n1,2\n3,4\n5,6\n", {"skiprows": lambda i: i > 0 and i % 2 == 0}),
    ("skipfooter", "a,b\n1,2\n3,4\ntotal,5\n\n", {"skipfooter": 2, "engine": "python"}),
    ("skipfooter crlf", "a,b\r\n1,2\r\n3,4\r\ntotal", {"skipfooter": 1, "engine": "python"}),
    ("duplicate names", "a,a,b,a\n1,2,3,4\n", {}),
    ("unnamed", ",a,\n1,2,3\n", {}),
    ("blank lines", "\n\na,b\n\n1,2\n   \n3,4\n\n", {}),
    ("blank lines kept", "a,b\n\n1,2\n\n3,4\n", {"skip_blank_lines": False}),
    ("single column", "a\n1\n\n3\n", {}),
    ("single column of spaces", "a\nx\n  \ny\n", {}),
    ("single column quoted empty", 'a\n1\n""\n3\n', {}),
    ("short rows", "a,b,c\n1,2,3\n4,5\n6\n7,8,9\n", {}),
    ("short rows and quotes", 'a,b,c\n1,"2\nx",3\n4,5\n6\n7,8,9\n', {}),
    ("comment", '#hello\na,b\n1,2#x\n# "all\n3,4\n', {"comment": "#"}),
    ("escape", 'a,b\n1,x\\,y\n2,"q\\"r"\n3,z\\\nw\n', {"escapechar": "\\"}),
    ("no doubling", 'a,b\n1,"x\\"y"\n2,"q"\n', {"escapechar": "\\", "doublequote": False}),
    ("no quoting", 'a,b\n1,"x\n2,y"z\n', {"quoting": csv.QUOTE_NONE}),
    ("single quotes", "a,b\n1,'x,\ny'\n2,'''z'\n", {"quotechar": "'"}),
    ("skip initial space", 'a, b\n1, "x, y"\n2,  z\n', {"skipinitialspace": True}),
    ("line terminator", "a,b~1,x\ny~2,z~", {"lineterminator": "~"}),
    ("carriage returns", 'a,b\r1,x\r2,"y\rz"\r', {}),
    ("crlf", 'a,b\r\n1,x\r\n2,"y\r\nz"\r\n', {}),
    ("mixed line ends", 'a,b\r\n1,x\n2,"y\r\nz"\r3,k\n\r\n4,m', {}),
    ("whitespace", "a b   c\n1  2 3\n 4 5\t6\n", {"sep": r"\s+"}),
    ("two characters", "a::b\n1::2\n3::x\n", {"sep": "::", "engine": "python"}),
    ("pattern", "a;b|c\n1;2|3\n4|5;6\n", {"sep": "[;|]", "engine": "python"}),
    ("tabs", "a\tb\n1\tx y\n2\t\n", {"sep": "\t"}),
    ("na_values", "a,b,c\n1,NA,x\nmiss,2,-\n", {"na_values": ["miss", "-"]}),
    ("na_values by column", "a,b\nmiss,miss\n1,2\n", {"na_values": {"a": "miss"}}),
    ("na_values number", "a,b\n-999,1\n5,-999.0\n", {"na_values": [-999]}),
    ("no default na", "a,b\nNA,\n1,x\n", {"keep_default_na": False}),
    ("only given na", "a,b\nNA,1\nz,x\n", {"keep_default_na": False, "na_values": ["z"]}),
    ("na_filter off", "a,b\nNA,1\n,x\n", {"na_filter": False}),
    ("booleans", "a,b,c\nTrue,TRUE,true\nFalse,FALSE,\n", {}),
    ("own booleans", "a\nyes\nno\n", {"true_values": ["yes"], "false_values": ["no"]}),
    ("dtype", "a,b\n007,1\n08,2\n", {"dtype": {"a": str, "b": "float64"}}),
    ("dtype for all", "a,b\n007,1\n08,\n", {"dtype": str}),
    ("small dtypes", "a,b\n1,1\n2,2\n", {"dtype": {"a": "int16", "b": "float32"}}),
    ("dates", "a,b\n2020-01-01,1\n2020-01-02,2\n", {"parse_dates": ["a"]}),
    ("american dates", "a,b\n01/02/2020 10:11,1\n,2\n", {"parse_dates": [0]}),
    ("german dates", "a,b\n01.02.2020,1\n15.03.2020,2\n", {"parse_dates": ["a"], "dayfirst": True}),
    ("format", "a\n20200102\n20200103\n", {"parse_dates": ["a"], "date_format": "%Y%m%d"}),
    ("zone", "a\n2020-01-01T10:00:00Z\n2020-01-02T10:00:00Z\n", {"parse_dates": ["a"]}),
    ("no dates after all", "a,b\n2020-01-01,1\nfoo,2\n", {"parse_dates": ["a"]}),
    ("usecols", "a,b,c\n1,2,3\n", {"usecols": ["c", "a"]}),
    ("usecols positions", "a,b,c\n1,2,3\n", {"usecols": [2, 0]}),
    ("usecols function", "a,b,c\n1,2,3\n", {"usecols": lambda name: name != "b"}),
    ("names of usecols", "1,2,3\n4,5,6\n", {"usecols": [0, 2], "names": ["x", "y"]}),
    ("usecols of names", "1,2,3\n4,5,6\n", {"usecols": ["y"], "names": ["x", "y", "z"]}),
    ("unsigned", "a,b\n18446744073709551615,1\n3,4\n", {}),
    ("floats", "a,b,c\n1e5,inf,+1\n.5,-Infinity,2\n5.,nan,3\n", {}),
    ("hexadecimal is text", "a,b\n0x1F,1\n0x2F,2\n", {}),
    ("odd NaN is text", "a,b\nNan,1\n2.5,2\n", {}),
    ("spaces", "a,b\n 1 , x\n2,y \n", {}),
    ("literal quotes", 'a,b\n5" disk,x\n6" disk,"y"\n7,z""w\n', {}),
    ("text after a quote", 'a,b\n"x"y,1\n"z, "" ",2\n', {}),
    ("unicode", "a,é\nñ,1\n漢字,2\n", {}),
    ("bom", "\ufeffa,b\n1,2\n", {}),
    ("bom and quote", '\ufeff"a",b\n1,2\n', {}),
    ("no newline at the end", "a,b\n1,2\n3,4", {}),
    ("header only", "a,b\n", {}),
    ("header without newline", "a,b", {}),
    ("all missing", "a,b\n,\n,\n", {}),
    ("trailing delimiters", "a,b,c\n1,2,\n3,4,\n", {}),
    ("empty and missing in quotes", 'a,b\n"",""\n"NA",x\n', {}),
    ("doubled quotes", 'a,b\n"x""y","z"\n"""","w"\n', {}),
    ("nul byte", "a,b\nx\0y,1\nz,2\n", {}),
]


@pytest.mark.parametrize(
    ("text", "options"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_dialects(tmp_path, text, options):
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    check(path, **options)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "a,b\nпривет,1\nмир,2\n"),
        ("latin-1", 'a,b\né,1\n"ü\nö",2\n'),
        ("utf-16", 'a,b\né,1\n"x\ny",2\n'),
        ("utf-16-le", 'a,b\né,1\n"x\ny",2\n'),
        ("utf-32", "a,b\né,1\n"),
        ("utf-8-sig", "a,b\né,1\n"),
        ("shift-jis", "a,b\n表,1\n"),
        ("gb18030", "a,b\n汉字,1\n"),
    ],
)
def test_encodings(tmp_path, encoding, text):
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    check(path, encoding=encoding)


def test_encoding_is_passed_on(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("a§b\né§1\nü§2\n".encode("latin-1"))
    expected = pd.read_csv(path, sep="§", encoding="latin-1", engine="python")
    source = csv_source(path, sep="§", encoding="latin-1", blocksize=2)
    pd.testing.assert_frame_equal(as_frame(read_table(source), source.column_labels), expected)


def test_index_col_false_drops_the_field_that_has_no_name(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2,\n3,4,\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        expected = pd.read_csv(path, index_col=False)
    source = csv_source(path, index_col=False, blocksize=3)
    pd.testing.assert_frame_equal(as_frame(read_table(source), source.column_labels), expected)


def test_a_field_more_than_names_is_the_index(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2,3\n4,5,6\n")
    source = csv_source(path, blocksize=3)
    assert source.implicit_index == 1
    assert source.column_labels == (None, "a", "b")
    got = read_table(source).to_pandas().set_index("__index_level_0__").rename_axis(None)
    pd.testing.assert_frame_equal(got, pd.read_csv(path))


def test_nullable_and_category_dtypes(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n1,x,True\n,y,\n3,x,False\n")
    source = csv_source(path, dtype={"a": "Int64", "b": "category", "c": "boolean"}, blocksize=4)
    kept = [source.schema.field(i).metadata[b"penstock.dtype"] for i in range(3)]
    assert kept == [b"Int64", b"category", b"boolean"]
    table = read_table(source)
    assert table.to_pydict() == {
        "a": [1, None, 3],
        "b": ["x", "y", "x"],
        "c": [True, None, False],
    }


# A lone "\r" stands after text only: after a blank line pandas loses the next delimiter.
PIECES = ["a", "1", ".", ",", '"', "\n", " ", "\r\n", "é", "x\ry", ","]
FIELD_TEXT = st.text(alphabet='ab1 ,"\né漢;', max_size=8)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.lists(FIELD_TEXT, min_size=3, max_size=3), min_size=1, max_size=12),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    escape=st.booleans(),
)
def test_written_texts_come_back(tmp_path, rows, quoting, end, escape):
    out = io.StringIO()
    options: dict[str, Any] = {}
    if escape:
        options = {"escapechar": "\\", "doublequote": False}
    writer = csv.writer(out, quoting=quoting, lineterminator=end, **options)
    writer.writerow(["k", "x", "y"])
    for row in rows:
        writer.writerow(row)
    path = tmp_path / "h.csv"
    path.write_bytes(out.getvalue().encode())
    check(path, sizes=(1, 5, 64, 1 << 20), dtype=str, keep_default_na=False, **options)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), blank=st.booleans())
def test_any_text_reads_as_in_pandas(tmp_path, pieces, blank):
    """Rows that pandas refuses are refused here; all others are equal."""
    path = tmp_path / "any.csv"
    path.write_bytes(b"p,q,r\n1,2,3\n" + "".join(pieces).encode())
    options: dict[str, Any] = {"dtype": str, "skip_blank_lines": blank}
    try:
        expected = pd.read_csv(path, **options)
    except (pd.errors.ParserError, ValueError):
        expected = None
    for blocksize in (1, 5, 1 << 20):
        source = csv_source(path, blocksize=blocksize, **options)
        if expected is None:
            with pytest.raises(ValueError, match=r"any\.csv"):
                read_table(source)
            continue
        got = as_frame(read_table(source), source.column_labels)
        pd.testing.assert_frame_equal(got, expected)


def test_larger_files_at_every_block_size(tmp_path):
    numbers = random.Random(4)
    texts = ["", "x", "two\nlines", 'a "quote"', "comma, comma", "é", "\r\n", '""']
    frame = pd.DataFrame(
        {
            "i": [numbers.randrange(10**6) for _ in range(4000)],
            "f": [numbers.random() for _ in range(4000)],
            "t": [numbers.choice(texts) for _ in range(4000)],
            "b": [numbers.random() < 0.5 for _ in range(4000)],
        }
    )
    path = tmp_path / "large.csv"
    frame.to_csv(path, index=False)
    check(path, sizes=(100, 1000, 4096, 65536, 1 << 20))


def test_a_record_longer_than_many_splits(tmp_path):
    long = "x,\n" * 100_000
    path = tmp_path / "long.csv"
    pd.DataFrame({"a": [1, 2, 3], "t": ["s", long, "e"]}).to_csv(path, index=False)
    check(path, sizes=(5000, 70_000, 1 << 20))


def test_literal_quotes_that_parity_would_misread(tmp_path):
    rows = [f'{i},5" disk number {i}' if i % 3 else f'{i},"a, ""b""\nc"' for i in range(3000)]
    path = tmp_path / "inches.csv"
    path.write_text("n,t\n" + "\n".join(rows) + "\n")
    check(path, sizes=(50, 1000, 20_000))


@pytest.mark.parametrize("how", ["skip", "warn"])
def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path, how):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3,4,5\n6,7\n8,9,10,11\n12\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        expected = pd.read_csv(path, on_bad_lines=how)
    for blocksize in (1, 64):
        source = csv_source(path, on_bad_lines=how, blocksize=blocksize)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = read_table(source)
        texts = [str(item.message) for item in caught if item.category is BadLinesWarning]
        assert sum(int(text.split()[0]) for text in texts) == 2
        assert any("x.csv, line 3: expected 2 fields, found 3" in text for text in texts)
        pd.testing.assert_frame_equal(as_frame(table, source.column_labels), expected)

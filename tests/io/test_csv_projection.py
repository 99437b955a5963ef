"""Records reduced to the wanted fields give what the whole records give, errors included."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.errors import ParseError, TypeConflictError
from penstock.io.csv import csv_source, inference, plain_numbers, projection, reading
from penstock.io.csv.dialect import Dialect
from penstock.io.csv.projection import narrowed, pays, supports
from penstock.io.csv.reading import Column, Marks, Where, parse_block
from penstock.io.source import Pushdown
from tests.io.carry import read_table

native = pytest.mark.skipif(
    not projection.HAS_EXTENSION, reason="penstock.io.csv._fields was not built"
)
BLOCKSIZES = (64, 1 << 10, 1 << 20)

# ------------------------------------------------------------------ strategies

TOKENS = ["1", "-2.5", "x", "", "NA", "0x1F", "é", " ", "a b", "\0", "\ufeff", "long" * 30]
QUOTED = ["", "q", "a,b", "l\nm", "l\r\nm", '""', 'd""d', "\r", "\n", "," * 70]
ODD = ['"', 'a"b', '"a"b', '"a" ', "\r", "a\rb", "a,b", "\n", "\r\n", '"open', '""x', "'"]
FILLER = "12345"


@st.composite
def texts(draw: st.DrawFn, width: int) -> bytes:
    """Return records, mostly of `width` fields and well quoted, anywhere in the words of 64."""
    plain = st.sampled_from(TOKENS) | st.sampled_from(QUOTED).map('"{}"'.format)
    fields = st.lists(plain, min_size=width, max_size=width)
    odd = st.lists(plain | st.sampled_from(ODD), min_size=1, max_size=width + 1)
    rows = draw(st.lists(fields | fields | fields | odd, max_size=6))
    ends = st.sampled_from(["\n", "\n", "\r\n"])
    text = "".join(",".join(row) + draw(ends) for row in rows)
    filler = ",".join([FILLER] * width) + "\n"
    shift = ",".join(["7" * draw(st.integers(1, 64))] * width) + "\n"
    text = draw(st.sampled_from(["", shift, shift + filler * 40])) + text
    text += draw(st.sampled_from(["", filler, "1", ",".join("1" * width), "\r"]))
    return text.encode()


@st.composite
def selections(draw: st.DrawFn) -> tuple[int, list[int]]:
    width = draw(st.integers(2, 6))
    numbers = st.lists(st.integers(0, width - 1), min_size=1, max_size=width, unique=True)
    return width, sorted(draw(numbers))


# ------------------------------------------------------------------ oracles


def plain_fields(data: bytes, width: int, quote: bool) -> list[list[bytes]] | None:
    """Return the fields of records, byte by byte; None where a record is out of the ordinary."""
    text = data if data.endswith(b"\n") else data + b"\n"
    quoted = rb'"(?:[^"]|"")*"|[^",\r\n]*' if quote else rb"[^,\r\n]*"
    records, position = [], 0
    while position < len(text):
        record = []
        while True:
            found = re.compile(rb"(%b)(,|\r?\n)" % quoted).match(text, position)
            if found is None:
                return None
            record.append(found[1])
            position = found.end()
            if found[2] != b",":
                break
        if len(record) != width:
            return None
        records.append(record)
    return records


def outcome(*arguments: Any) -> Any:
    """Return the table that `parse_block` gives, or the error it raises."""
    try:
        return parse_block(*arguments)
    except (ParseError, TypeConflictError, UnicodeDecodeError) as error:
        return type(error), str(error)


def same(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> Any:
    """Check that `parse_block` gives the same with and without the extension; return it."""
    got = outcome(*arguments)
    with monkeypatch.context() as patch:
        patch.setattr(projection, "HAS_EXTENSION", False)
        expected = outcome(*arguments)
    if isinstance(expected, pa.Table):
        assert isinstance(got, pa.Table), got
        assert got.equals(expected)  # NaN does not occur: it is null
        assert got.schema.equals(expected.schema)
    else:
        assert got == expected
    return got


KINDS = (pa.string(), pa.int64(), pa.float64(), pa.bool_())


def columns_of(wanted: list[int], kinds: Any = KINDS[:1]) -> list[Column]:
    return [
        Column(position, pa.field(f"c{position}", kinds[i % len(kinds)]))
        for i, position in enumerate(wanted)
    ]


# ------------------------------------------------------------------ the bytes copied


@native
@settings(max_examples=200, deadline=None)
@given(selections().flatmap(lambda s: st.tuples(st.just(s), texts(s[0]))), st.booleans())
@example(((2, [1]), b"a,b"), True)
@example(((2, [0]), b'a,"b"'), True)
@example(((3, [0, 1]), b'"",,\r\n"a""b",\n",c\n'), True)
@example(((2, [0]), b"a,b\r"), False)
def test_bytes_are_those_of_the_fields(case: Any, quoted: bool) -> None:
    (width, wanted), data = case
    got = narrowed(pa.py_buffer(data), wanted, width, Dialect(), quoted)
    records = plain_fields(data, width, quoted)
    if not data or not pays(wanted, width) or data.endswith(b"\r") or records is None:
        assert got is None
        return
    expected = b"".join(b",".join(r[i] for i in wanted) + b"\n" for r in records)
    if len(expected) > len(data) // 2 or expected.startswith(b"\xef\xbb\xbf"):
        if got is None:  # there may have been too little room, or a mark that Arrow would skip
            return
    assert got is not None
    assert (got.data.to_pybytes(), got.records) == (expected, len(records))


@native
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(list(b'a,"\n\r\0')), max_size=200).map(bytes) | st.binary(),
    st.integers(2, 5),
    st.booleans(),
    st.integers(0, 300),
)
def test_bytes_of_any_kind_stay_within_bounds(
    data: bytes, width: int, quoted: bool, room: int
) -> None:
    from penstock.io.csv import _fields

    guard = 64
    out = np.full(room + guard, 0xA5, np.uint8)
    quote = 34 if quoted else -1
    done = _fields.narrow(data, out[:room], width, (width - 1,), 44, quote)
    assert (out[room:] == 0xA5).all()
    records = plain_fields(data, width, quoted)
    if done is not None:
        assert records is not None
        assert out[: done[0]].tobytes() == b"".join(r[-1] + b"\n" for r in records)
        assert done[1] == len(records)


@native
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fields_of_any_length(end: str) -> None:
    for size in (*range(1, 200), 4095, 4096, 4097, 70_000):
        rows = [["x" * size, "y", "z" * (size % 67)], ["", "é", ""], ["a", "b" * size, "c"]]
        data = "".join(",".join(row) + end for row in rows).encode()
        for wanted in ([0], [1], [2], [0, 2]):
            got = narrowed(pa.py_buffer(data), wanted, 3, Dialect(), quoted=True)
            expected = "".join(",".join(row[i] for i in wanted) + "\n" for row in rows).encode()
            if got is None:
                assert len(expected) + 16 > len(data) // 2 + 64
            else:
                assert got.data.to_pybytes() == expected


@native
def test_many_fields() -> None:
    width = 10_000
    record = ",".join(map(str, range(width))) + "\n"
    got = narrowed(pa.py_buffer(record.encode() * 3), [0, 4321, 9999], width, Dialect(), True)
    assert got is not None
    assert got.data.to_pybytes() == b"0,4321,9999\n" * 3


DECLINED = {
    "too few fields": b"1,2,3\n1,2\n",
    "too many fields": b"1,2,3\n1,2,3,4\n",
    "as many in two records": b"1,2,3\n1,2\n1,2,3,4\n",
    "blank line": b"1,2,3\n\n1,2,3\n",
    "blank line at the end": b"1,2,3\n\n",
    "blank line with return": b"1,2,3\r\n\r\n1,2,3\r\n",
    "spaces": b"1,2,3\n   \n",
    "lone return": b"1,2,3\r1,2,3\n",
    "return at the end": b"1,2,3\n1,2,3\r",
    "return in a field": b"1,a\rb,3\n",
    "quote in text": b'1,a"b,3\n',
    "quote at the end of text": b'1,a",3\n',
    "text after a quote": b'1,"a"b,3\n',
    "space after a quote": b'1,"a" ,3\n',
    "space before a quote": b'1, "a",3\n',
    "open quote": b'1,2,3\n1,"2,3\n',
    "quote and return": b'1,2,"3"\r4,5,6\n',
    "nothing": b"",
    "only a line end": b"\n",
}


@native
@pytest.mark.parametrize("data", DECLINED.values(), ids=DECLINED)
def test_declined(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    where = Where("a.csv", 0, lambda: 0)
    for before in (0, 1, 9, 10, 11, 500, 5000) if data else (0,):
        block = pa.py_buffer(b"1,2,3\n" * before + data)
        assert narrowed(block, [1], 3, Dialect(), quoted=True) is None
        same(monkeypatch, block, columns_of([1]), 3, Dialect(), where)


@native
def test_declined_without_room() -> None:
    data = b"1," + b"x" * 1000 + b"\n"
    assert narrowed(pa.py_buffer(data), [1], 2, Dialect(), quoted=True) is None
    assert narrowed(pa.py_buffer(data), [0], 2, Dialect(), quoted=True) is not None


@native
def test_the_head_of_a_large_block_tells_whether_it_pays(monkeypatch) -> None:
    from penstock.io.csv import _fields

    seen = []

    class Spy:
        @staticmethod
        def narrow(data: Any, *rest: Any) -> Any:
            seen.append(len(data))
            return _fields.narrow(data, *rest)

    monkeypatch.setattr(projection, "_fields", Spy)
    data = pa.py_buffer(b'1,"long, \n text",2\n' * 30_000)
    assert narrowed(data, [1], 3, Dialect(), quoted=True) is None
    assert len(seen) == 1
    assert seen[0] <= 1 << 16
    for wanted in ([0], [2], [0, 2]):
        got = narrowed(data, wanted, 3, Dialect(), quoted=True)
        assert got is not None
        assert got.records == 30_000


@native
def test_declined_where_arrow_would_skip_an_encoding_mark(monkeypatch) -> None:
    data = pa.py_buffer("1,\ufeffx\n2,y\n".encode())
    assert narrowed(data, [1], 2, Dialect(), quoted=True) is None
    table = same(monkeypatch, data, columns_of([1]), 2, Dialect(), Where("a.csv", 0))
    assert table.column(0).to_pylist() == ["\ufeffx", "y"]


@native
def test_wrong_arguments_are_refused() -> None:
    from penstock.io.csv import _fields

    out = bytearray(100)
    for arguments in (
        (1, (0,), 44, 34),
        (2, (), 44, 34),
        (2, (2,), 44, 34),
        (2, (-1,), 44, 34),
        (3, (1, 1), 44, 34),
        (3, (1, 0), 44, 34),
        (2, (0,), 10, 34),
        (2, (0,), 44, 44),
        (2, (0,), 0, 34),
        (2, (0,), 200, 34),
        (2, (0,), 44, 13),
        (1 << 30, (0,), 44, 34),
        (2, (1 << 70,), 44, 34),
    ):
        with pytest.raises((ValueError, OverflowError)):
            _fields.narrow(b"a,b\n", out, *arguments)
    for wrong in (([0], 44, 34), (("a",), 44, 34), ((0,), "a", 34)):
        with pytest.raises(TypeError):
            _fields.narrow(b"a,b\n", out, 2, *wrong)
    with pytest.raises((TypeError, BufferError)):
        _fields.narrow(b"a,b\n", b"read-only", 2, (0,), 44, 34)


def test_dialects_that_are_supported() -> None:
    assert supports(Dialect())
    assert supports(Dialect(sep="\t", quotechar="'", encoding="latin-1"))
    assert supports(Dialect(quoting=csv.QUOTE_NONE))
    for dialect in (
        Dialect(encoding="cp1252"),  # whose undecodable bytes are errors in any column
        Dialect(encoding="utf-16"),
        Dialect(escapechar="\\"),
        Dialect(doublequote=False),
        Dialect(comment="#"),
        Dialect(sep=r"\s+"),
        Dialect(sep="\r"),
        Dialect(lineterminator="~"),
        Dialect(skipinitialspace=True),
        Dialect(thousands="."),
        Dialect(skip_blank_lines=False),
        Dialect(encoding_errors="replace"),
    ):
        assert not supports(dialect)
        assert narrowed(pa.py_buffer(b"1,2\n"), [0], 2, dialect, quoted=True) is None


def test_where_most_fields_are_wanted_nothing_is_reduced() -> None:
    assert pays([0, 2], 3)
    assert pays(range(12), 16)
    assert not pays(range(13), 16)
    assert not pays([0, 1, 2], 3)
    assert not pays([0], 1)
    assert not pays([0], 1 << 30)


def test_without_the_extension_nothing_is_reduced(monkeypatch) -> None:
    monkeypatch.setattr(projection, "HAS_EXTENSION", False)
    data = pa.py_buffer(b"1,2\n")
    assert narrowed(data, [1], 2, Dialect(), quoted=False) is None
    table = parse_block(data, columns_of([1]), 2, Dialect(), Where("a.csv", 0))
    assert table.column(0).to_pylist() == ["2"]


# ------------------------------------------------------------------ the block parsed


@native
@settings(max_examples=100, deadline=None)
@given(
    selections().flatmap(lambda s: st.tuples(st.just(s), texts(s[0]))),
    st.permutations(KINDS),
    st.sampled_from(["error", "skip"]),
    st.booleans(),
)
@pytest.mark.filterwarnings("ignore::penstock.io.csv.BadLinesWarning")
def test_blocks_are_those_of_the_whole_records(
    case: Any, kinds: Any, on_bad_lines: str, na_filter: bool
) -> None:
    (width, wanted), data = case
    with pytest.MonkeyPatch.context() as patch:
        same(
            patch,
            pa.py_buffer(data),
            columns_of(wanted, kinds)[::-1],
            width,
            Dialect(on_bad_lines=on_bad_lines, na_filter=na_filter),
            Where("a.csv", 17, lambda: 5),
            Marks(b'"' in data, b"x" in data),
        )


@native
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252"])
@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_undecodable_bytes(monkeypatch, encoding: str, kind: pa.DataType) -> None:
    for data in (b"1,\xff\x81\n2,b\n", b"\xff\x81,1\nb,2\n", b"\xff\x81,\xe9\nb,2\n"):
        for position in (0, 1):
            columns = [Column(position, pa.field("a", kind))]
            dialect = Dialect(encoding=encoding)
            same(monkeypatch, pa.py_buffer(data), columns, 2, dialect, Where("a.csv", 0))


@native
def test_fields_that_are_all_empty(monkeypatch) -> None:
    data = pa.py_buffer(b"1,,3\n,,\n1,,\n,,3")
    for wanted in ([0], [1], [2], [0, 1], [1, 2]):
        table = same(monkeypatch, data, columns_of(wanted), 3, Dialect(), Where("a.csv", 0))
        assert table.num_rows == 4


@native
def test_no_columns_give_the_number_of_rows(monkeypatch) -> None:
    data = pa.py_buffer(b",2\n3,4\n,\n")
    table = same(monkeypatch, data, [], 2, Dialect(), Where("a.csv", 0))
    assert (table.num_rows, table.num_columns) == (3, 0)


@native
def test_hexadecimal_numbers_matter_in_wanted_columns_only(monkeypatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("pandas was asked")

    data = pa.py_buffer(b"1,0x1F\n2,0x2F\n")
    columns = [Column(0, pa.field("a", pa.int64()))]
    expected = same(monkeypatch, data, columns, 2, Dialect(), Where("a.csv", 0))
    monkeypatch.setattr(reading, "_parse_pandas", never)
    assert parse_block(data, columns, 2, Dialect(), Where("a.csv", 0)).equals(expected)


# ------------------------------------------------------------------ the file read


def table_text(rows: int, late: str = "7") -> str:
    lines = ["k,t,v,w"]
    for i in range(rows):
        text = ['"a,b"', '"x\ny"', "plain", "", '"d""d"'][i % 5]
        value = late if i == rows * 4 // 5 else f"{i % 9}"
        lines.append(f"{i},{text},{value},{i / 8}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("blocksize", BLOCKSIZES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("wanted", [("v",), ("w", "k"), ("t",), ("t", "v", "w")])
def test_files_give_what_pandas_gives(tmp_path, blocksize, end, wanted) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table_text(700).replace("\n", end), newline="")
    expected = pd.read_csv(io.BytesIO(path.read_bytes()))[list(wanted)]
    table = read_table(csv_source(path, blocksize=blocksize), Pushdown(columns=wanted))
    pd.testing.assert_frame_equal(table.to_pandas(), expected, check_dtype=False)


LATE = {
    "oops": "TypeConflictError",
    '"oo\nps"': "TypeConflictError",
    "1.5": "TypeConflictError",
    "0x1F": "TypeConflictError",
    "7,1": "ParseError",
    '"7': "TypeConflictError",  # and all up to the next quote
}


@pytest.mark.parametrize("blocksize", BLOCKSIZES)
@pytest.mark.parametrize(("late", "kind"), LATE.items(), ids=range(len(LATE)))
def test_errors_tell_the_same_place(tmp_path, monkeypatch, blocksize, late, kind) -> None:
    monkeypatch.setattr(inference, "HEAD_BYTES", 300)  # so that no sample holds the value
    path = tmp_path / "a.csv"
    path.write_text(table_text(500, late))
    source = csv_source(path, blocksize=blocksize, sample=300)
    errors = []
    for built in (projection.HAS_EXTENSION, False):
        monkeypatch.setattr(projection, "HAS_EXTENSION", built)
        with pytest.raises((TypeConflictError, ParseError)) as caught:
            read_table(source, Pushdown(columns=("v",)))
        errors.append((caught.type.__name__, str(caught.value)))
    assert errors[0] == errors[1]
    assert errors[0][0] == kind
    line = path.read_text().split(f",{late},")[0].count("\n") + 1
    assert kind == "ParseError" or f"a.csv, line {line}, column 'v'" in errors[0][1]


@native
def test_the_extension_is_used(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table_text(700))
    read: list[list[str]] = []
    original = reading._read_arrow
    monkeypatch.setattr(plain_numbers, "HAS_EXTENSION", False)

    def spy(data: Any, columns: Any, fields: Any, *rest: Any, **named: Any) -> Any:
        read.append(list(fields))
        return original(data, columns, fields, *rest, **named)

    source = csv_source(path, blocksize=2000)
    monkeypatch.setattr(reading, "_read_arrow", spy)
    read_table(source, Pushdown(columns=("v", "k")))
    assert len(read) > 5
    assert all(fields == [0, 2] for fields in read)
    read.clear()
    read_table(source)
    assert all(fields == [0, 1, 2, 3] for fields in read)

"""What is decided without pandas must be what pandas decides."""

from __future__ import annotations

import io
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.io.csv import types
from penstock.io.csv.certain import MISSING, certain_labels, certain_types
from penstock.io.csv.dialect import Dialect

NUMBERS = [
    "0", "1", "-1", "+7", "007", "123456789012345678", "1234567890123456789",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809",
    "1.5", "-.5", "5.", ".", "-", "+", "1e5", "1E-3", "1e", "e5", "1e400", "+.5e+2", "--1", "1 2",
    "12345678901234567890.5", "1e5.5", "0.1.2", "1_000", "1,5",
]  # fmt: skip
WORDS = [
    "True", "true", "TRUE", "False", "false", "tRue", "T", "x", "N", "0x1F", "0X1f", "1x", "inf",
    "-Inf", "INFINITY", "infinit", "nan", "Nan", "NAN", "-NAN", "n", "in", "1d", "1f", "1L", "i",
    "2024-01-01", "06:35", "2024-01-01 06:35:41", "1/2/2024", "\u0663", "\u00a01", "é", "$1", "1%",
]  # fmt: skip
SPACED = [" 1", "1 ", " ", " 1.5 ", " x", "\t2", " True", "- 1", " NA", "NA "]
TOKENS = [*NUMBERS, *WORDS, *SPACED, *MISSING]


def _pandas(data: bytes, width: int, dialect: Dialect) -> list[pa.DataType]:
    frame = types._sample(data, width, dialect, dialect.missing({}), dtype_backend="numpy_nullable")
    return [types._inferred(frame.iloc[:, i]) for i in range(width)]


def _csv(rows: list[list[str]], sep: str = ",") -> bytes:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if set(text) & set(sep + '"\r\n') else text

    return "".join(sep.join(map(quoted, row)) + "\n" for row in rows).encode()


def test_missing_texts_are_those_of_pandas() -> None:
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(MISSING) == set(STR_NA_VALUES)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("other", ["1", "1.5", "x", "True", "", "-", "9223372036854775808"])
def test_types_of_pairs(token: str, other: str) -> None:
    data = _csv([[token, "a"], [other, "b"]])
    found = certain_types(data, 2, Dialect())
    if found is not None:
        assert found == _pandas(data, 2, Dialect())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(TOKENS)
            | st.integers().map(str)
            | st.floats().map(repr)
            | st.text(st.sampled_from('0123456789+-.eE xXinfa"\n\r,;'), max_size=6),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
    st.booleans(),
)
def test_types_of_tables(
    rows: list[list[str]], sep: str, keep_default_na: bool, na_filter: bool
) -> None:
    dialect = Dialect(sep=sep, keep_default_na=keep_default_na, na_filter=na_filter)
    data = _csv(rows, sep)
    found = certain_types(data, 3, dialect)
    if found is not None:
        assert found == _pandas(data, 3, dialect)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["1", "", "-3"], pa.int64()),
        (["1.50", "2", "NA"], pa.float64()),
        (["1e5", "2.0"], pa.float64()),
        (["True", "false"], pa.bool_()),
        (["2024-01-01 06:35:41"], pa.string()),
        (["N", "Y", ""], pa.string()),
        (["", "NaN"], pa.null()),
    ],
)
def test_ordinary_columns_are_certain(column: list[str], kind: pa.DataType) -> None:
    data = _csv([[text, "x"] for text in column])
    assert certain_types(data, 2, Dialect()) == [kind, pa.string()]
    assert _pandas(data, 2, Dialect()) == [kind, pa.string()]


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(na_values=["x"]),
        Dialect(true_values=["yes"]),
        Dialect(decimal=","),
        Dialect(thousands="."),
        Dialect(quoting=3),
        Dialect(comment="#"),
    ],
)
def test_pandas_is_asked_about_other_dialects(dialect: Dialect) -> None:
    assert certain_types(b"1;2\n", 2, dialect) is None


LABELS = ["a", "b", " c ", "1", "", "Unnamed: 0", "a.1", "é", "x y", "#", "NA", "'q'", 'q"', "d\ne"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_labels(labels: list[str], quote_all: bool, end: str) -> None:
    header = _csv([labels])[:-1] if not quote_all else ",".join(f'"{x}"' for x in labels).encode()
    header += end.encode()
    found = certain_labels(header, Dialect())
    if found is not None:
        assert found == list(pd.read_csv(io.BytesIO(header)).columns)


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        (b"a,b,c\n", ["a", "b", "c"]),
        (b'"a","b c"\r\n', ["a", "b c"]),
        (b" a,b ", [" a", "b "]),
        (b"a,a\n", None),
        (b"a,\n", None),
        (b'"a""b",c\n', None),
        (b'"a,b",c\n', None),
        (b"\xff,b\n", None),
    ],
)
def test_certain_labels(header: bytes, labels: list[str] | None) -> None:
    assert certain_labels(header, Dialect()) == labels


def test_reading_plain_csv_does_not_import_pandas(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n" + "1,x,2.5\n" * 100)
    code = (
        "import sys\n"
        "from penstock.io.csv import csv_source\n"
        f"source = csv_source({str(path)!r})\n"
        "from penstock.io.source import Pushdown\n"
        "split, = source.split(Pushdown(), 1 << 20)\n"
        "payload, summary, _ = source.fetch(split, None)\n"
        "table = source.parse(payload, None, split, Pushdown())\n"
        "print(table.num_rows, 'pandas' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100", "False"]

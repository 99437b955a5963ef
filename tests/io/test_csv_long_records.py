"""Records too long for memory are errors that tell where they begin; other long ones are read."""

from __future__ import annotations

import csv
import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from penstock import config
from penstock.errors import FormatError, MemoryLimitError, ParseError, TypeConflictError
from penstock.io.csv import TypeWidenedWarning, csv_source
from tests.io.carry import read_blocks, read_table
from tests.support.cgroup import run_measured

MB = 1 << 20
BLOCKSIZES = [64, 1000, MB]
ROW = b"1,2.5,some text\n"


@pytest.fixture(autouse=True)
def small_limit():
    """Under which the least number of bytes is held of a record, 1 MiB."""
    with config.set(memory_limit="32MB"):
        yield


def write(tmp_path, data: bytes, compressed: bool) -> str:
    path = tmp_path / ("a.csv.gz" if compressed else "a.csv")
    path.write_bytes(gzip.compress(data, 1) if compressed else data)
    return str(path)


def stray_quote(before: int, after: int) -> tuple[bytes, int]:
    """Return rows with a quote that is opened and never closed, and where its record starts."""
    head = b"a,b,c\n" + ROW * (before // len(ROW))
    return head + b'1,2.5,"some text\n' + ROW * (after // len(ROW)), len(head)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("blocksize", BLOCKSIZES)
@pytest.mark.parametrize("on_bad_lines", ["error", "skip"])
def test_a_stray_quote_is_found_before_the_rest_is_held(
    tmp_path, blocksize, compressed, on_bad_lines
):
    data, start = stray_quote(60_000, 4 * blocksize + 1_100_000)
    path = write(tmp_path, data, compressed)
    source = csv_source(path, blocksize=blocksize, on_bad_lines=on_bad_lines)
    where = f"byte {start} once" if compressed else rf"byte {start} \(line {60_000 // 16 + 2}\)"
    with pytest.raises(ParseError, match=where) as caught:
        read_blocks(source, target_bytes=1000)
    message = str(caught.value)
    assert path in message
    assert "a quote is opened in the record that starts here and not closed within" in message
    assert "quoting=csv.QUOTE_NONE" in message
    assert "larger blocksize= or memory_limit" in message


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("blocksize", BLOCKSIZES)
def test_a_stray_quote_near_the_end(tmp_path, blocksize, compressed):
    data, start = stray_quote(20_000, 5_000)
    source = csv_source(write(tmp_path, data, compressed), blocksize=blocksize)
    with pytest.raises(ParseError, match=f"byte {start} .*a quote is opened and never closed"):
        read_blocks(source)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_remedies_work(tmp_path, compressed):
    data, _ = stray_quote(300_000, 6 * MB)
    path = write(tmp_path, data, compressed)
    source = csv_source(path, blocksize=MB, quoting=csv.QUOTE_NONE)
    assert read_table(source).num_rows == data.count(b"\n") - 1
    long = b"x,y\n" * (5 * MB // 4)
    path = write(tmp_path, b'a,b\n1,2\n3,"' + long + b'"\n', compressed)
    options = {"dtype": {"a": int, "b": str}}
    with pytest.raises(ParseError, match="not closed within"):
        read_blocks(csv_source(path, blocksize=MB, **options))
    with config.set(memory_limit="4GB"):
        table = read_table(csv_source(path, blocksize=MB, **options))
    assert table["b"].to_pylist() == ["2", long.decode()]
    assert read_table(csv_source(path, blocksize=4 * MB, **options)).equals(table)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("blocksize", BLOCKSIZES)
@pytest.mark.parametrize("options", [{}, {"escapechar": "\\"}])
def test_long_records_are_read(tmp_path, blocksize, compressed, options):
    texts = ["a\nb," * 60_000, "x" * 300_000, "", "z", "x\r\n" * 20_000]
    frame = pd.DataFrame({"a": range(5), "b": texts})
    path = write(tmp_path, frame.to_csv(index=False).encode(), compressed)
    table = read_table(csv_source(path, blocksize=blocksize, keep_default_na=False, **options))
    assert table["b"].to_pylist() == texts
    assert table["a"].to_pylist() == [0, 1, 2, 3, 4]


def test_a_long_value_is_not_shown_whole(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n" + b"1\n" * MB + b"x" * 300_000 + b"\n" + b"1\n" * MB)
    with pytest.raises(TypeConflictError, match="'xxx") as caught:
        read_table(csv_source(path, blocksize=MB, sample=1000))
    assert len(str(caught.value)) < 1000
    with pytest.warns(TypeWidenedWarning) as warned:
        csv_source(path, sample=1000).widened("a", caught.value.value)
    assert len(str(warned[0].message)) < 1000


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("data", "start", "message"),
    [
        (b"a," * 2 * MB, 0, "has no end within 1.05 MB"),
        (b"a,b\n" + b"x" * 2 * MB, 4, "has no end within"),
        (b'"a,b\n' + ROW * MB, 0, "not closed within 1.05 MB; pass quoting=csv.QUOTE_NONE"),
        (b'a,b,c\n1,2,"x\n' + ROW * MB, 6, "not closed within"),
        (b'"' * 3 * MB, 0, "has no end|not closed"),
    ],
)
def test_a_head_without_an_end(tmp_path, data, start, message, compressed):
    path = write(tmp_path, data, compressed)
    with pytest.raises(ParseError, match=rf"a\.csv.*byte {start}\b.*({message})"):
        csv_source(path)


def test_blank_lines_without_end(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n" * 3 * MB)
    with pytest.raises(FormatError, match="lines are blank as far as"):
        csv_source(path)
    path.write_bytes(b"\n" * 1000 + b"\r\n" * 400_000 + b"a,b\n" + b"\n" * 5000 + b"1,2\n")
    assert read_table(csv_source(path)).to_pylist() == [{"a": 1, "b": 2}]


@pytest.mark.parametrize("data", [b"," * 1_000_000 + b"\n", b"1" + b",1" * 500_000 + b"\n1\n"])
def test_more_columns_than_memory_has_room_for(tmp_path, data):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(MemoryLimitError, match=r"has [0-9]+ columns, whose names"):
        csv_source(path)
    with pytest.raises(MemoryLimitError, match=r"has [0-9]+ columns, whose names"):
        csv_source(path, header=None)
    path.write_bytes(b'a,b\n1,"' + b"," * 500_000 + b'"\n')
    assert read_table(csv_source(path)).num_rows == 1


PROGRAM = """
import sys
import penstock.dataframe as dd
from penstock import config
config.set(memory_limit="300MB", num_workers=2)
try:
    print(dd.read_csv(sys.argv[1])[sys.argv[2]].str.len().sum().compute())
except ValueError as error:
    print(error)
"""


@pytest.mark.memory
@pytest.mark.parametrize("compressed", [False, True])
def test_the_limit_holds_with_a_stray_quote(tmp_path, compressed):
    data, start = stray_quote(30 * MB, 400 * MB)
    path = write(tmp_path, data, compressed)
    done = run_measured([sys.executable, "-c", PROGRAM, path, "c"]).check()
    assert f"byte {start} " in done.stdout, done.stdout
    assert "quoting=csv.QUOTE_NONE" in done.stdout
    assert done.peak_rss < 300_000_000


@pytest.mark.memory
@pytest.mark.parametrize("compressed", [False, True])
def test_the_limit_holds_with_long_records(tmp_path, compressed):
    some = np.random.default_rng(0).choice(list(b"some, text\n"), 7_000_000)
    text = some.astype(np.uint8).tobytes()
    path = write(tmp_path, b"a,b\n" + (b'1,"' + text + b'"\n') * 8, compressed)
    done = run_measured([sys.executable, "-c", PROGRAM, path, "b"]).check()
    assert done.stdout.strip() == str(8 * len(text))
    assert done.peak_rss < 300_000_000

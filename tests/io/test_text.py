"""Lines of text files at every block size; the cutting that CSV shares."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import FormatError, ParseError, SourceError
from penstock.io import text_records
from penstock.io.source import Pushdown
from penstock.io.text import text_source
from penstock.io.text_records import FIELD, QUOTED, TEXT, Separators, scan_from, scan_split
from tests.io.carry import read_blocks

SIZES = (1, 3, 64, 1 << 10, 1 << 20)


def lines_of(source):
    return [line for block in read_blocks(source) for line in block]


def walk(data: bytes, mode: int) -> tuple[int, int]:
    """Return the end state and last record end of `data`, byte by byte."""
    cut = -1
    i = 0
    while i < len(data):
        byte = data[i : i + 1]
        if mode == QUOTED:
            mode = FIELD if byte == b'"' else QUOTED
        elif byte == b'"' and mode == FIELD:
            mode = QUOTED
        elif byte == b"\r" and data[i + 1 : i + 2] == b"\n":
            i += 1
            mode, cut = FIELD, i + 1
        elif byte in (b"\r", b"\n"):
            mode, cut = FIELD, i + 1 if byte == b"\n" or i + 1 < len(data) else cut
        else:
            mode = FIELD if byte == b"," else TEXT
        i += 1
    return mode, cut


def check_scan(data: bytes) -> None:
    array = np.frombuffer(data, np.uint8)
    outcomes = scan_split(array, Separators())
    assert any(outcome is not None for outcome in outcomes)
    for mode in (FIELD, TEXT, QUOTED):
        outcome = outcomes[mode] or scan_from(array, mode, Separators())
        assert (outcome.end, outcome.cut) == walk(data, mode), (data, mode)
        assert outcome.tail == data[max(outcome.cut, 0) :]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text(alphabet='a,"\n\r', min_size=1, max_size=16))
def test_every_start_state_of_short_pieces(text):
    check_scan(text.encode())


@pytest.mark.parametrize("tile", [64, 128, 1024])
def test_pieces_of_files_across_tiles(monkeypatch, tile):
    monkeypatch.setattr(text_records, "_TILE", tile)
    numbers = random.Random(tile)
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        out = io.StringIO()
        writer = csv.writer(out, quoting=quoting)
        for _ in range(200):
            texts = ["".join(numbers.choices('ab,\n"', k=numbers.randrange(7))) for _ in range(3)]
            writer.writerow(texts)
        data = out.getvalue().encode()
        for _ in range(150):
            start = numbers.randrange(len(data) - 1)
            check_scan(data[start : start + numbers.randint(1, 700)])
    for _ in range(150):
        check_scan(bytes(numbers.choices(b'aaaa,"\n\r', k=numbers.randint(1, 700))))


@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo\n",
        "one\ntwo",
        "one\r\ntwo\rthree\n",
        "\n\n\n",
        "",
        '"quotes\nare',
        "é漢\u2028x\n\x0cy\n",
        "\ufeffbom\n",
        "\r",
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2"])
def test_lines_are_those_of_open(tmp_path, text, suffix):
    path = tmp_path / f"x.txt{suffix}"
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[suffix]
    path.write_bytes(pack(text.encode()))
    expected = list(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8-sig"))
    for size in SIZES:
        assert lines_of(text_source(path, blocksize=size)) == expected


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-be", "cp1251", "shift-jis", "utf-8-sig"]
)
def test_encodings(tmp_path, encoding):
    text = {"cp1251": "привет\nмир\r\n", "shift-jis": "表\n能\n"}.get(encoding, "é\n漢\r\nx")
    path = tmp_path / "x.txt"
    path.write_bytes(text.encode(encoding))
    expected = text.replace("\r\n", "\n").splitlines(keepends=True)
    for size in SIZES:
        assert lines_of(text_source(path, encoding=encoding, blocksize=size)) == expected


@pytest.mark.parametrize("delimiter", ["\n", ";", "<br>", "é", "aa"])
def test_delimiters_stay_at_the_end(tmp_path, delimiter):
    text = f"1{delimiter}2\r\n{delimiter}{delimiter}3aaa4"
    path = tmp_path / "x.txt"
    path.write_bytes(text.encode())
    pieces = text.split(delimiter)
    expected = [piece + delimiter for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
    for size in SIZES:
        assert lines_of(text_source(path, linedelimiter=delimiter, blocksize=size)) == expected


def test_paths_limits_and_many_files(tmp_path):
    for name in ("b10.txt", "b9.txt"):
        (tmp_path / name).write_text(f"{name}\nx\n")
    source = text_source(str(tmp_path / "*.txt"), include_path=True)
    pairs = lines_of(source)
    assert [line for line, _ in pairs] == ["b9.txt\n", "x\n", "b10.txt\n", "x\n"]
    assert pairs[0][1] == str(tmp_path / "b9.txt")
    assert read_blocks(source, Pushdown(limit=1)) == [pairs[:1], pairs[2:3]]


def test_a_line_longer_than_many_splits(tmp_path):
    lines = ["a\n", "x" * 300_000 + "\n", "b\n"]
    path = tmp_path / "x.txt"
    path.write_text("".join(lines))
    for size in (10_000, 100_000, 1 << 20):
        assert lines_of(text_source(path, blocksize=size)) == lines


def test_errors(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"ok\n\xff\n")
    with pytest.raises(ParseError, match=r"x\.txt, byte 3: byte 0xff is not utf-8"):
        lines_of(text_source(path))
    assert lines_of(text_source(path, errors="replace")) == ["ok\n", "\ufffd\n"]
    with pytest.raises(SourceError, match="nothing"):
        text_source(tmp_path / "nothing*.txt")
    with pytest.raises(ValueError, match="linedelimiter"):
        text_source(path, linedelimiter="")
    packed = tmp_path / "y.txt.gz"
    packed.write_bytes(gzip.compress(random.Random(0).randbytes(100_000))[:50_000])
    with pytest.raises(FormatError, match=r"y\.txt\.gz is truncated"):
        lines_of(text_source(packed, encoding="latin-1"))

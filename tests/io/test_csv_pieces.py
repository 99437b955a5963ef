"""Blocks parsed in pieces: long records, quotes in the tail, numbers written in hexadecimal."""

from __future__ import annotations

import pandas as pd
import pytest

from penstock.io.csv import csv_source, reading
from penstock.io.text_records import first_of
from tests.io.carry import as_frame, read_table


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(reading, "_PIECE", 64)


def lines(count, middle):
    rows = [f"{i},{i % 7}.5,t{i},u" for i in range(count)]
    return "a,b,c,d\n" + "\n".join([*rows, *middle, *rows]) + "\n"


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("blocksize", [100, 1000, 1 << 20])
@pytest.mark.parametrize(
    "middle",
    [
        [],
        ["7,1.5," + "z" * 300 + ",v"],  # a record longer than a piece
        ['8,1.5,"q\nr, s",w', "9,2.5,t,x"],
        ['8,1.5,"q""\n\n\ns",w'],
        ["", "8,1.5,,", "   ", "8,,,"],
        ["8,1.5,xX0x1F,0X"],
    ],
    ids=["plain", "long", "quoted", "doubled", "blank", "crosses"],
)
def test_pieces_give_what_pandas_gives(tmp_path, blocksize, middle):
    path = tmp_path / "a.csv"
    path.write_text(lines(80, middle))
    expected = pd.read_csv(path)
    for names in (["a", "b"], ["c"], ["a", "b", "c", "d"]):
        source = csv_source(path, blocksize=blocksize, usecols=names)
        pd.testing.assert_frame_equal(
            as_frame(read_table(source), names), expected[names], check_dtype=False
        )


@pytest.mark.usefixtures("small_pieces")
def test_pieces_are_parsed_by_arrow(tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("pandas was asked")

    monkeypatch.setattr(reading, "_parse_pandas", never)
    path = tmp_path / "a.csv"
    path.write_text(lines(80, ["7,1.5," + "z" * 300 + ",v"]))
    source = csv_source(path, usecols=["a", "c"])
    assert read_table(source).num_rows == 161


def test_first_of():
    import numpy as np

    data = np.zeros(600_000, np.uint8)
    data[[300_000, 500_000]] = 34, 120
    assert first_of(data, (34, 120, 88, None)) == [300_000, 500_000, -1, -1]

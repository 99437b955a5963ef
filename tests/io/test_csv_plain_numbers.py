"""Plain numbers are read as Arrow and pandas read them; everything else is declined."""

from __future__ import annotations

import random
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.errors import TypeConflictError
from penstock.io.csv import plain_numbers
from penstock.io.csv.dialect import Dialect
from penstock.io.csv.plain_numbers import plain_numbers as read
from penstock.io.csv.projection import Narrow
from penstock.io.csv.reading import Column, Where, parse_block

if not plain_numbers.HAS_EXTENSION:
    pytest.skip("penstock.io.csv._numbers was not built", allow_module_level=True)

INTEGER, REAL = pa.int64(), pa.float64()


def narrow(text: str, records: int | None = None) -> Narrow:
    count = text.count("\n") + (not text.endswith("\n")) if records is None else records
    return Narrow(pa.py_buffer(text.encode()), count)


def column(text: str, kind: pa.DataType, **options: object) -> pa.Array | None:
    found = read(narrow(text), [kind], Dialect(**options))
    return None if found is None else found[0]


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.integers(), st.integers(0, 17)
)
@example(0.1, 1)
@example(9007199254740993, 0)
def test_a_double_is_the_one_nearest_to_its_text(number: object, places: int):
    text = f"{number:.{places}f}"
    found = column(text + "\n", REAL)
    digits = text.lstrip("-").replace(".", "")
    if found is None:
        assert len(digits) > 15
    else:
        assert len(digits) <= 15
        assert struct.pack("d", found[0].as_py()) == struct.pack("d", float(text))


def test_many_doubles_are_the_nearest_to_their_texts():
    rng = random.Random(0)
    texts = [
        f"{rng.choice(['', '-'])}{rng.randrange(10 ** rng.randrange(1, 9))}"
        f".{rng.randrange(10**7):0{rng.randrange(7, 8)}d}"
        for _ in range(100_000)
    ]
    found = column("\n".join(texts) + "\n", REAL)
    assert found is not None
    np.testing.assert_array_equal(found.to_numpy(), [float(text) for text in texts])


@given(st.integers(-(10**20), 10**20))
@example(10**18 - 1)
@example(10**18)
@example(-(10**18) + 1)
@example(0)
def test_an_integer_is_exact_or_declined(number: int):
    found = column(f"{number}\n", INTEGER)
    if abs(number) < 10**18:
        assert found.to_pylist() == [number]
    else:
        assert found is None


def test_minus_zero_keeps_its_sign_as_a_double():
    (value,) = column("-0\n", REAL).to_pylist()
    assert str(value) == "-0.0"
    assert column("-0\n", INTEGER).to_pylist() == [0]


@pytest.mark.parametrize("kind", [INTEGER, REAL])
@pytest.mark.parametrize(
    "text", ["+1", "1e5", "1E5", "0x1F", "007", "-", "--1", "1-", " 1", "1 ", "1_000", "NA", "nan",
             "NaN", "inf", "-inf", '"1"', "1.", ".5", "1..2", "1.2.3", "١", "\0", "1\r2", "\r1",
             "9" * 19, "1,2"]
)  # fmt: skip
def test_what_is_not_plain_is_declined(text, kind):
    assert column(f"4\n{text}\n5\n", kind) is None
    assert column(text, kind) is None


def test_a_fraction_is_no_integer():
    assert column("1.0\n", INTEGER) is None


def test_empty_fields_are_missing():
    found = read(narrow("1,,\n,2.5,-3\n,,\n"), [INTEGER, REAL, INTEGER], Dialect())
    assert [array.to_pylist() for array in found] == [
        [1, None, None],
        [None, 2.5, None],
        [None, -3, None],
    ]
    assert [array.null_count for array in found] == [2, 2, 2]
    assert column("1\n\n2\n", INTEGER).to_pylist() == [1, None, 2]


def test_line_ends():
    found = read(narrow("1,2\r\n3,4\n"), [INTEGER, INTEGER], Dialect())
    assert [array.to_pylist() for array in found] == [[1, 3], [2, 4]]
    assert column("1\n2", INTEGER) is None


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 1000])
def test_any_number_of_records(count):
    values = [None if i % 3 == 0 else i for i in range(count)]
    text = "".join("\n" if value is None else f"{value}\n" for value in values)
    found = read(narrow(text, count), [INTEGER], Dialect())[0]
    found.validate(full=True)
    assert found.to_pylist() == values


@pytest.mark.parametrize(
    ("text", "records"), [("1\n", 2), ("1\n2\n", 1), ("1,2\n", 1), ("", 1), ("1", 2), ("1\n2", 3)]
)
def test_another_number_of_records_or_fields_is_declined(text, records):
    assert read(narrow(text, records), [INTEGER], Dialect()) is None


@pytest.mark.parametrize(
    "options",
    [
        {"keep_default_na": False},
        {"na_values": ["-999"]},
        {"na_values": 1.5},
        {"decimal": ",", "sep": ";"},
        {"na_filter": False},
    ],
)
def test_dialects_that_mean_something_else_are_declined(options):
    assert column("1\n", INTEGER, **options) is None


@pytest.mark.parametrize("kind", [pa.int32(), pa.float32(), pa.string(), pa.bool_(), pa.uint64()])
def test_other_types_are_declined(kind):
    assert column("1\n", kind) is None


@given(
    st.binary(max_size=60),
    st.integers(0, 6),
    st.lists(st.sampled_from([INTEGER, REAL]), min_size=1, max_size=3),
)
def test_any_bytes_are_read_as_arrow_reads_them_or_declined(data, records, kinds):
    found = read(Narrow(pa.py_buffer(data), records), kinds, Dialect())
    if found is not None:
        for array in found:
            array.validate(full=True)
            assert len(array) == records


FIELDS = ["", "0", "7", "-12", "3.25", "-0.5", "100000", "1e3", "NA", "nan", "123456789012345678", "0.1234567890123456", "007", "abc", "+5"]  # fmt: skip


@given(st.lists(st.tuples(*[st.sampled_from(FIELDS)] * 5), min_size=1, max_size=12))
def test_blocks_give_the_same_with_and_without(rows):
    data = "".join(",".join(row) + "\n" for row in rows).encode()
    columns = [Column(1, pa.field("b", REAL)), Column(0, pa.field("a", INTEGER))]

    def outcome() -> object:
        try:
            return parse_block(pa.py_buffer(data), columns, 5, Dialect(), Where("data.csv", 0))
        except TypeConflictError as error:
            return str(error)

    found = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_numbers, "HAS_EXTENSION", False)
        assert found == outcome()

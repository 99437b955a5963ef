"""Groups of integer keys of small ranges: with the extension, with NumPy, and by brute force."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.engine.kernels import slots
from penstock.engine.kernels.aggregate.grouping import KeyedGroups
from penstock.engine.kernels.groupby_codes import GroupCodes
from penstock.engine.kernels.slots import number_by_slot

TYPES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32()]
TYPES += [pa.int64(), pa.uint64(), pa.bool_()]


def expected(arrays):
    groups: dict = {}
    codes, first = [], []
    for row, key in enumerate(zip(*(array.to_pylist() for array in arrays), strict=True)):
        if key not in groups:
            groups[key] = len(groups)
            first.append(row)
        codes.append(groups[key])
    return first, codes


@pytest.fixture(params=[True, False], ids=["extension", "numpy"])
def each_way(request, monkeypatch):
    if request.param and not slots.HAS_EXTENSION:
        pytest.skip("the extension module was not built")
    monkeypatch.setattr(slots, "HAS_EXTENSION", request.param)


def check(arrays):
    first, number = number_by_slot(arrays)
    wanted_first, wanted_codes = expected(arrays)
    assert first.tolist() == wanted_first
    assert number().tolist() == wanted_codes
    assert first.dtype == number().dtype == np.int64


@st.composite
def keys(draw):
    rows = draw(st.integers(1, 60))
    offset = draw(st.integers(0, 20))
    arrays = []
    for kind in draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=3)):
        if pa.types.is_boolean(kind):
            values = st.booleans()
        else:
            info = np.iinfo(kind.to_pandas_dtype())
            least = draw(st.sampled_from([info.min, 0, info.max - 6]))
            values = st.integers(least, least + 6)
        if draw(st.booleans()):
            values = st.none() | values
        drawn = draw(st.lists(values, min_size=rows + offset, max_size=rows + offset))
        arrays.append(pa.array(drawn, kind).slice(offset))
    return arrays


@settings(deadline=None, max_examples=150)
@given(arrays=keys())
def test_rows_are_numbered_in_order_of_first_appearance(arrays):
    ways = [True, False] if slots.HAS_EXTENSION else [False]
    for way in ways:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slots, "HAS_EXTENSION", way)
            check(arrays)


@pytest.mark.parametrize("groups", [3, 40_000])
@pytest.mark.parametrize("offset", [0, 3])
def test_many_rows(each_way, groups, offset):
    rng = np.random.default_rng(groups)
    rows = 200_000
    a = pa.array(rng.integers(-50, groups - 50, rows), mask=rng.random(rows) < 0.1)
    b = pa.array(rng.random(rows) < 0.5)
    check([a.slice(offset), b.slice(offset)] if groups == 3 else [a.slice(offset)])


def test_what_lies_under_missing_values_does_not_count(each_way):
    values = np.array([5, -(1 << 62), 7, 1 << 62], np.int64)
    valid = pa.py_buffer(np.packbits([1, 0, 1, 0], bitorder="little"))
    check([pa.Array.from_buffers(pa.int64(), 4, [valid, pa.py_buffer(values)])])


def test_only_missing_values(each_way):
    check([pa.nulls(5, pa.int16()), pa.array([1, 2, 1, 2, 1])])


@pytest.mark.parametrize(
    "arrays",
    [
        [pa.array([], pa.int64())],
        [pa.array([1.0, 2.0])],
        [pa.array(["a"])],
        [pa.array([0, 1 << 40])],
        [pa.array([0, 1 << 63], pa.uint64())],
        [pa.array([-(1 << 63), (1 << 63) - 1])],
        [pa.array([0, 100]), pa.array([0, 100])],
    ],
)
def test_other_keys_are_declined(each_way, arrays):
    assert number_by_slot(arrays) is None


@pytest.mark.skipif(not slots.HAS_EXTENSION, reason="the extension module was not built")
class TestExtension:
    def call(self, columns, rows=4, groups=4):
        from penstock.engine.kernels import _slots

        codes, first = np.empty(rows, np.int64), np.empty(groups, np.int64)
        return _slots.number_rows(columns, codes.data, first.data)

    def column(self, values, least=0, span=4, kind="l", valid=None, offset=0):
        return (kind, np.array(values, np.int64).data, valid, offset, least, span)

    @pytest.mark.parametrize("wrong", [-1, 4, 1 << 62, -(1 << 63)])
    @pytest.mark.parametrize("valid", [None, b"\x0f"])
    def test_a_key_outside_its_range_is_refused(self, wrong, valid):
        assert self.call((self.column([0, 3, 1, 0], valid=valid),)) == 3
        with pytest.raises(ValueError, match="outside"):
            self.call((self.column([0, wrong, 1, 0], valid=valid),))

    @pytest.mark.parametrize(
        "change",
        [
            {"values": [1, 2, 3]},
            {"valid": b""},
            {"valid": b"\xff", "offset": 5},
            {"offset": -1},
            {"kind": "d"},
            {"kind": "\u1234"},
            {"span": 0},
            {"span": 1 << 21},
            {"span": 1 << 32},
        ],
    )
    def test_what_does_not_fit_is_refused(self, change):
        with pytest.raises(ValueError, match=r"short|range|keys"):
            self.call((self.column(**{"values": [0, 1, 2, 3], **change}),))

    def test_too_little_room_for_groups_is_refused(self):
        with pytest.raises(ValueError, match="short"):
            self.call((self.column([0, 1, 2, 3]),), groups=3)

    def test_too_many_possible_keys_are_refused(self):
        column = self.column([0, 1, 2, 3], span=1 << 11)
        with pytest.raises(ValueError, match="keys"):
            self.call((column, column))

    @pytest.mark.parametrize("columns", [(), (None,), ((1, 2),), (("l", 5, None, 0, 0, 1),)])
    def test_what_is_no_column_is_refused(self, columns):
        with pytest.raises((TypeError, ValueError)):
            self.call(columns)

    @pytest.mark.parametrize(
        ("codes", "values", "kind", "groups", "error"),
        [
            ([0, 3], [1.0, 2.0], "d", 3, "no group"),
            ([0, -1], [1.0, 2.0], "d", 3, "no group"),
            ([0, -1], None, "l", 3, "no group"),
            ([0], None, "l", 0, "no group"),
            ([0, 1], [1.0], "d", 3, "too few values"),
            ([0, 1], [1.0, 2.0], "f", 3, "another kind"),
        ],
    )
    def test_wrong_sums_are_refused(self, codes, values, kind, groups, error):
        codes, sums = np.array(codes, np.int64), np.zeros(groups)
        values = None if values is None else np.array(values).data
        with pytest.raises(ValueError, match=error):
            slots._slots.add_to_groups(codes.data, values, kind, sums.data)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(width=32), st.integers(-(2**63), 2**63 - 1))),
    st.sampled_from([1, 2, -1]),
)
def test_sums_and_counts_are_numpys(rows, step):
    check_sums_and_counts(rows, step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "HAS_EXTENSION", False)
        check_sums_and_counts(rows, step)


def check_sums_and_counts(rows, step):
    codes = np.array([code for code, _, _ in rows], np.int64)[::step]
    doubles = np.array([number for _, number, _ in rows], np.float64)[::step]
    whole = np.array([number for _, _, number in rows], np.int64)[::step]
    groups = KeyedGroups(GroupCodes(np.zeros(5, np.int64), lambda: codes))
    with np.errstate(all="ignore"):
        for values in (doubles, whole, whole.astype(np.int32), doubles.astype(np.float32)):
            sums = np.zeros(5, values.dtype)
            np.add.at(sums, codes, values)
            found = groups.add(values)
            assert found.dtype == sums.dtype
            np.testing.assert_array_equal(found, sums)
    np.testing.assert_array_equal(groups.count(), np.bincount(codes, minlength=5))
    np.testing.assert_array_equal(
        groups.count(whole > 0), np.bincount(codes[whole > 0], minlength=5)
    )

"""Integers kept in fewer bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.scheduler import PartitionStore, narrowing
from penstock.scheduler.narrowing import Narrowing, widen

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(),
            pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]  # fmt: skip
EDGES = sorted({s * (1 << b) + d for b in (0, 7, 8, 15, 16, 31, 32, 62) for s in (1, -1) for d in (-1, 0, 1)})  # fmt: skip


@pytest.fixture(autouse=True)
def _small_tables_too(monkeypatch):
    monkeypatch.setattr(narrowing, "_LEAST", 0)


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    info = np.iinfo(kind.to_pandas_dtype())
    return int(info.min), int(info.max)


@st.composite
def tables(draw: st.DrawFn) -> list[pa.Table]:
    """Give tables of one schema whose values need different widths."""
    kinds = draw(st.lists(st.sampled_from(INTEGERS), min_size=1, max_size=3))
    made = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(0, 5))
        columns = []
        for kind in kinds:
            least, greatest = _bounds(kind)
            edges = [edge for edge in (*EDGES, least, greatest) if least <= edge <= greatest]
            value = st.one_of(st.none(), st.sampled_from(edges), st.integers(least, greatest))
            values = draw(st.lists(value, min_size=rows, max_size=rows))
            columns.append(pa.array(values, kind))
        names = [f"c{place}" for place in range(len(kinds))]
        made.append(pa.table(columns, names=names).append_column("x", pa.array([0.5] * rows)))
    return made


@given(tables())
def test_what_was_narrowed_comes_back_as_it_was(many: list[pa.Table]):
    narrowing_ = Narrowing()
    for table in many:
        narrow = narrowing_.narrow(table)
        assert narrow.nbytes <= table.nbytes
        assert widen(narrow, table.schema).equals(table)


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([0, 127], pa.int64(), pa.int8()),
        ([-128, None], pa.int64(), pa.int8()),
        ([128], pa.int64(), pa.int16()),
        ([-129], pa.int32(), pa.int16()),
        ([2**31 - 1], pa.int64(), pa.int32()),
        ([2**31], pa.int64(), pa.int64()),
        ([255], pa.uint64(), pa.uint8()),
        ([2**64 - 1], pa.uint64(), pa.uint64()),
        ([None], pa.int64(), pa.int8()),
        ([5], pa.int8(), pa.int8()),
    ],
)
def test_the_narrowest_type_is_taken(values, kind, wanted):
    assert Narrowing().narrow(pa.table({"a": pa.array(values, kind)})).schema.types == [wanted]


def test_other_columns_and_metadata_stay():
    table = pa.table({"x": [1.5], "t": ["a"], "b": [True], "n": [7]}).replace_schema_metadata(
        {"k": "v"}
    )
    narrow = Narrowing().narrow(table)
    assert narrow.schema.types == [pa.float64(), pa.string(), pa.bool_(), pa.int8()]
    assert narrow.schema.metadata == {b"k": b"v"}


def test_a_type_only_becomes_wider():
    kept = Narrowing()
    kinds = [
        kept.narrow(pa.table({"a": pa.array([value])})).schema.types[0]
        for value in (1, 1000, 1, 10**6, 1, 10**12, 1)
    ]
    assert kinds == [pa.int8(), pa.int16(), pa.int16(), pa.int32(), pa.int32(), pa.int64(), pa.int64()]  # fmt: skip


def test_partitions_of_several_widths_are_given_back_in_order():
    store = PartitionStore(2)
    values = [[1, 2], [300, 4], [5, -(10**6)], [7, 8], [10**15, 9]]
    for index, pair in enumerate(values):
        store.append(index, pa.table({"a": pair}), np.array([0, 1, 2]))
        if index in (1, 3):
            assert store.spill(1) > 0
    for partition in (0, 1):
        pieces = store.read(partition)
        assert {piece.schema.types[0] for piece in pieces} == {pa.int64()}
        found = [value for piece in pieces for value in piece["a"].to_pylist()]
        assert found == [pair[partition] for pair in values]
    store.close()


def test_partitions_take_the_bytes_of_their_values():
    numbers = np.arange(100_000)
    store = PartitionStore(1)
    store.append(0, pa.table({"a": numbers % 100}), np.array([0, len(numbers)]))
    assert store.held_bytes < 2 * len(numbers)
    assert store.nbytes.sum() == 8 * len(numbers)  # what its readers must expect
    store.close()

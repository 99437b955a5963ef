"""Hash partitions: equal keys meet, whatever their types; nothing is lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.kernels.partition import hash_keys, hash_partition
from penstock.errors import ColumnNotFoundError, SchemaError, UnsupportedError
from tests.engine.kernel_frames import assert_same, frames, to_table

KEYS = ["text", "float", "big", "int", "tiny", "bool", "time", "delta", "cat"]


@given(
    frame=frames,
    n=st.integers(1, 300),
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    salt=st.integers(0, 2**40),
)
def test_equal_keys_share_a_partition(
    frame: pd.DataFrame, n: int, keys: list[str], salt: int
) -> None:
    frame["row"] = np.arange(len(frame))
    rows, offsets = hash_partition(to_table(frame), keys, n, salt=salt)
    assert len(offsets) == n + 1
    assert offsets[0] == 0
    assert offsets[-1] == len(frame)
    order = rows["row"].to_numpy()
    assert sorted(order) == list(range(len(frame)))
    assert_same(rows, frame.iloc[order])
    number = np.repeat(np.arange(n), np.diff(offsets))
    for part in np.unique(number):
        inside = order[number == part]
        assert (np.diff(inside) > 0).all()
    of_row = pd.Series(number, index=order)
    groups = frame.groupby(keys, dropna=False, observed=True)["row"]
    assert all(of_row[group.to_numpy()].nunique() == 1 for _, group in groups)


@given(st.lists(st.one_of(st.none(), st.integers(-100, 100)), min_size=1))
def test_numbers_hash_alike(values: list[int | None]) -> None:
    kinds = [pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(5, 1)]
    hashes = [hash_keys([pa.array(values, kind)]) for kind in kinds]
    hashes.append(hash_keys([pa.array(values, pa.int64()).dictionary_encode()]))
    assert all(np.array_equal(hashes[0], other) for other in hashes[1:])


def test_wide_integers_hash_like_the_double_they_equal() -> None:
    values = [2**53, 2**62, -(2**62), 2**63 - 1024]
    assert np.array_equal(
        hash_keys([pa.array(values, pa.int64())]),
        hash_keys([pa.array([float(v) for v in values])]),
    )
    big = [2**63, 2**64 - 2048]
    assert np.array_equal(
        hash_keys([pa.array(big, pa.uint64())]), hash_keys([pa.array([float(v) for v in big])])
    )


@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), min_size=1))
def test_texts_hash_alike(values: list[str | None]) -> None:
    array = pa.array(["offset", *values], pa.string())[1:]
    hashes = hash_keys([array])
    assert np.array_equal(hashes, hash_keys([array.cast(pa.large_string())]))
    assert np.array_equal(hashes, hash_keys([array.dictionary_encode()]))
    assert len(np.unique(hashes)) == len(set(values))


def test_times_of_other_units_hash_alike() -> None:
    times = pa.array([0, 1, -(10**9), None], pa.timestamp("s"))
    hashes = [hash_keys([times.cast(pa.timestamp(unit))]) for unit in ("s", "ms", "us", "ns")]
    assert all(np.array_equal(hashes[0], other) for other in hashes[1:])


def test_partitions_are_even_and_salt_splits_them_again() -> None:
    table = pa.table({"k": np.arange(100_000), "s": [f"user{i}" for i in range(100_000)]})
    for keys in (["k"], ["s"], ["k", "s"]):
        rows, offsets = hash_partition(table, keys, 16)
        assert np.diff(offsets).max() < 1.1 * 100_000 / 16
        part = rows.slice(0, offsets[1])
        again = np.diff(hash_partition(part, keys, 16, salt=1)[1])
        assert again.max() < 1.5 * part.num_rows / 16


def test_errors() -> None:
    table = pa.table({"x": [1], "l": [[1]]})
    with pytest.raises(ColumnNotFoundError):
        hash_partition(table, ["y"], 2)
    with pytest.raises(SchemaError, match="list"):
        hash_partition(table, ["l"], 2)
    with pytest.raises(SchemaError, match="at least one key"):
        hash_partition(table, [], 2)
    with pytest.raises(UnsupportedError, match="65,536"):
        hash_partition(table, ["x"], 1 << 17)

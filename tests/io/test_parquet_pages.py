"""Column chunks that are decoded here, beside what Arrow reads."""

from __future__ import annotations

import os
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import penstock.dataframe as dd
from penstock.io.parquet import pages

pytestmark = pytest.mark.skipif(not pages.HAS_EXTENSION, reason="the extension was not built")

SEEDS = st.integers(0, 2**32 - 1)
TYPES = ("int32", "int64", "float", "double", "timestamp[us]", "timestamp[ms, tz=UTC]")


@contextmanager
def opened(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(path, groups=None):
    """Return what is decoded here of each column, by name."""
    footer = pq.read_metadata(path)
    groups = range(footer.num_row_groups) if groups is None else groups
    leaves = list(range(len(footer.schema)))
    with opened(path) as file:
        found = pages.read_columns(file, os.path.getsize(path), footer, groups, leaves)
    return dict(found.values())


def check(path, names):
    found = read(path)
    assert set(found) == set(names)
    table = pq.read_table(path)
    for name, array in found.items():
        array.validate(full=True)
        known = pa.chunked_array([array])
        assert known.equals(table[name]) or known.type in (pa.float32(), pa.float64())
        assert array.null_count == table[name].null_count
        np.testing.assert_array_equal(
            np.asarray(array.fill_null(0)), np.asarray(table[name].fill_null(0))
        )


def column(kind, rows, distinct, missing, runs, rng):
    values = rng.integers(-(2**31), 2**31, distinct)[rng.integers(0, distinct, rows)]
    if runs:
        values = np.sort(values)
    array = pa.array(values, pa.int64())
    if kind in ("float", "double"):
        array = pa.array(values / 8)
    elif kind.startswith("timestamp"):
        unit, _, zone = kind[len("timestamp[") : -1].partition(", tz=")
        return _masked(array.cast(pa.timestamp(unit, zone or None)), missing, rng)
    return _masked(array.cast(kind), missing, rng)


def _masked(array, missing, rng):
    mask = pa.array(rng.random(len(array)) < missing)
    return pa.compute.if_else(mask, None, array)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=SEEDS,
    rows=st.sampled_from([0, 1, 7, 8, 9, 1023, 1024, 1025, 5000]),
    distinct=st.sampled_from([1, 2, 3, 200, 3000]),
    missing=st.sampled_from([0, 0.01, 0.5, 1]),
    runs=st.booleans(),
    nullable=st.booleans(),
    options=st.fixed_dictionaries(
        {
            "compression": st.sampled_from(["none", "snappy"]),
            "use_dictionary": st.booleans(),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
            "data_page_size": st.sampled_from([64, 1000, 1 << 20]),
            "dictionary_pagesize_limit": st.sampled_from([100, 1 << 20]),
            "row_group_size": st.sampled_from([100, 1024, 1 << 20]),
            "version": st.sampled_from(["1.0", "2.6"]),
            "write_page_index": st.booleans(),
        }
    ),
)
def test_every_layout_gives_what_arrow_gives(
    tmp_path_factory, seed, rows, distinct, missing, runs, nullable, options
):
    rng = np.random.default_rng(seed)
    missing = missing if nullable else 0
    columns = {kind: column(kind, rows, distinct, missing, runs, rng) for kind in TYPES}
    schema = pa.schema(
        [pa.field(name, array.type, nullable=nullable) for name, array in columns.items()]
    )
    path = tmp_path_factory.mktemp("pages") / "file.parquet"
    pq.write_table(pa.table(columns, schema=schema), path, write_batch_size=50, **options)
    check(path, TYPES)


def test_what_is_not_known_is_left_to_arrow(tmp_path):
    path = tmp_path / "file.parquet"
    number = pa.array([1, 2, None])
    table = pa.table(
        {
            "plain": number,
            "zstd": number,
            "delta": number,
            "text": pa.array(["a", None, "b"]),
            "small": number.cast(pa.int8()),
            "unsigned": number.cast(pa.uint32()),
            "day": number.cast(pa.int32()).cast(pa.date32()),
            "decimal": number.cast(pa.decimal128(19)),
            "time": number.cast(pa.time64("us")),
            "duration": number.cast(pa.duration("us")),
            "list": pa.array([[1], None, [2, 3]]),
            "struct": pa.array([{"a": 1}, None, {"a": 2}]),
            "a.b": number,
        }
    )
    pq.write_table(
        table,
        path,
        compression={name: "zstd" if name == "zstd" else "snappy" for name in _leaf_names(table)},
        use_dictionary=["plain"],
        column_encoding={"delta": "DELTA_BINARY_PACKED"},
    )
    check(path, ["plain"])
    assert dd.read_parquet(path).to_arrow().equals(table)


def _leaf_names(table):
    return [name for name in table.column_names if name not in ("list", "struct")]


def test_columns_keep_their_order_and_some_row_groups_are_read(tmp_path):
    path = tmp_path / "file.parquet"
    table = pa.table({"b": ["x", "y"] * 50, "a": range(100), "c": [1.5] * 100})
    pq.write_table(table, path, row_group_size=10)
    assert dd.read_parquet(path, blocksize=1).to_arrow().equals(table)
    assert dd.read_parquet(path, columns=["c", "b"]).to_arrow().equals(table.select(["c", "b"]))
    assert read(path, [3, 7])["a"].to_pylist() == [*range(30, 40), *range(70, 80)]
    picked = dd.read_parquet(path, filters=[("a", ">=", 35), ("a", "<", 72)]).a.compute()
    assert picked.tolist() == list(range(35, 72))


def chunk_of(path, rng):
    """Return a file's bytes and its only column's place, width and values."""
    footer = pq.read_metadata(path)
    chunk = footer.row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    return path.read_bytes(), start, chunk.total_compressed_size, chunk.num_values


@settings(deadline=None, max_examples=150)
@given(
    seed=SEEDS,
    snappy=st.booleans(),
    missing=st.sampled_from([0, 0.3]),
    dictionary=st.booleans(),
    version=st.sampled_from(["1.0", "2.0"]),
    flips=st.integers(0, 12),
    cut=st.booleans(),
)
def test_damaged_chunks_do_no_harm(
    tmp_path_factory, seed, snappy, missing, dictionary, version, flips, cut
):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("pages") / "file.parquet"
    table = pa.table({"x": column("int64", 3000, 50, missing, False, rng)})
    pq.write_table(
        table,
        path,
        compression="snappy" if snappy else "none",
        use_dictionary=dictionary,
        data_page_version=version,
        data_page_size=2000,
    )
    data, start, length, rows = chunk_of(path, rng)
    damaged = bytearray(data)
    for _ in range(flips):
        damaged[
            start + int(rng.integers(0, min(length, 400 if rng.random() < 0.7 else length)))
        ] ^= 1 << int(rng.integers(0, 8))
    path.write_bytes(damaged)
    length = int(rng.integers(0, length)) if cut else length
    guard = np.full(64, 0xA5, np.uint8)
    values = np.concatenate([guard, np.zeros(8 * rows, np.uint8), guard])
    valid = np.concatenate([guard, np.full((rows + 7) // 8, 255, np.uint8), guard])
    with opened(path) as file:
        chunk = (start, length, rows, 8, snappy, values[64:-64], valid[64:-64], 0)
        (nulls,) = pages._pages.read_chunks(file, (chunk,))
    for array in (values, valid):
        assert (array[:64] == 0xA5).all()
        assert (array[-64:] == 0xA5).all()
    assert -1 <= nulls <= rows
    if nulls >= 0:
        bits = np.unpackbits(valid[64:-64], bitorder="little")[:rows]
        assert rows - bits.sum() == nulls
    if not flips and not cut:
        assert nulls == table["x"].null_count


def test_a_file_that_was_cut_off_is_arrows_to_explain(tmp_path):
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"x": range(1000)}), path)
    footer = pq.read_metadata(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    with opened(path) as file:
        assert pages.read_columns(file, 500, footer, [0], [0]) == {}
        assert pages.read_columns(file, len(whole), footer, [0], [0]) == {}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({0: -1}, ValueError),
        ({1: -1}, ValueError),
        ({2: 11}, ValueError),
        ({2: -1}, ValueError),
        ({3: 2}, ValueError),
        ({3: 0}, ValueError),
        ({5: b"12345678"}, (TypeError, BufferError)),
        ({6: bytearray(1)}, ValueError),
        ({6: b"12"}, (TypeError, BufferError)),
        ({7: 1}, ValueError),
        ({7: -1}, ValueError),
        ({0: "0"}, TypeError),
    ],
)
def test_wrong_arguments_are_refused(change, error):
    chunk = [0, 100, 10, 8, True, bytearray(80), bytearray(2), 0]
    for place, value in change.items():
        chunk[place] = value
    with pytest.raises(error):
        pages._pages.read_chunks(0, (tuple(chunk),))
    for wrong in (None, [chunk], (chunk,), ((1, 2),)):
        with pytest.raises(TypeError):
            pages._pages.read_chunks(0, wrong)


def test_a_descriptor_that_cannot_be_read_declines(tmp_path):
    chunk = (0, 100, 10, 8, True, bytearray(80), None, 0)
    assert pages._pages.read_chunks(1 << 20, (chunk, chunk)) == [-1, -1]


def _write_with_duckdb(written, path, version):
    duckdb = pytest.importorskip("duckdb")

    duckdb.sql(
        f"COPY (SELECT * FROM written) TO '{path}' (FORMAT parquet, PARQUET_VERSION {version})"
    )


def _write_with_polars(table, path, _):
    polars = pytest.importorskip("polars")

    polars.from_arrow(table).write_parquet(path, compression="snappy", row_group_size=7001)


def _write_with_fastparquet(table, path, has_nulls):
    fastparquet = pytest.importorskip("fastparquet")

    kinds = {pa.int64(): pd.Int64Dtype()} if has_nulls else {}
    frame = table.to_pandas(types_mapper=kinds.get)
    fastparquet.write(str(path), frame, compression="SNAPPY", has_nulls=has_nulls)


@pytest.mark.parametrize(
    ("write", "how"),
    [
        (_write_with_duckdb, "V1"),
        (_write_with_duckdb, "V2"),
        (_write_with_polars, None),
        (_write_with_fastparquet, True),
        (_write_with_fastparquet, False),
    ],
)
def test_what_other_engines_write(tmp_path, write, how):
    path = tmp_path / "file.parquet"
    rng = np.random.default_rng(7)
    missing = 0 if how is False else 0.1
    table = pa.table(
        {
            "few": column("int64", 30_000, 5, 0, False, rng),
            "runs": column("int64", 30_000, 50, missing, True, rng),
            "many": column("int64", 30_000, 30_000, missing, False, rng),
            "double": column("double", 30_000, 300, missing, False, rng),
            "one": column("int32", 30_000, 1, 0, False, rng),
            "time": column("timestamp[us]", 30_000, 300, 0, False, rng),
        }
    )
    write(table, path, how)
    found = read(path)
    assert {"few", "one"} <= set(found)
    check(path, set(found))


def test_a_footer_that_counts_below_zero_is_arrows_to_explain(tmp_path):
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"x": range(1000)}), path)
    footer = pq.read_metadata(path)

    class Footer:
        schema = footer.schema
        created_by = ""

        def row_group(self, number):
            return Group()

    class Group:
        num_rows = -5

        def column(self, number):
            return Chunk()

    class Chunk:
        num_values = -5

        def __getattr__(self, name):
            return getattr(footer.row_group(0).column(0), name)

    with opened(path) as file:
        assert pages.read_columns(file, os.path.getsize(path), Footer(), [0], [0]) == {}

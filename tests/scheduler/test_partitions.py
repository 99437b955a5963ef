"""The spillable partitions of an exchange."""

from __future__ import annotations

import random
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import config
from penstock.errors import SpillError
from penstock.scheduler import PartitionStore, current_pool
from tests.support.disk import small_disk


def scattered(index: int, npartitions: int, rows: int) -> tuple[pa.Table, np.ndarray]:
    """Return a table ordered by partition, with columns of all kinds, and its offsets."""
    rng = np.random.default_rng(index)
    partition = np.sort(rng.integers(0, npartitions, rows))
    table = pa.table(
        {
            "row": index * 1_000_000 + np.arange(rows),
            "real": pa.array(rng.random(rows), mask=rng.random(rows) < 0.2),
            "text": [f"text {index} {row}" for row in range(rows)],
            "code": pa.array([f"c{row % (3 + index)}" for row in range(rows)]).dictionary_encode(),
            "list": [[row] * (row % 4) for row in range(rows)],
            "flag": pa.array(rng.random(rows) < 0.5, mask=rng.random(rows) < 0.1),
        }
    )
    return table, np.searchsorted(partition, np.arange(npartitions + 1))


def expected(blocks: dict[int, tuple[pa.Table, np.ndarray]], partition: int) -> list[dict]:
    rows: list[dict] = []
    for index in sorted(blocks):
        table, offsets = blocks[index]
        start, stop = offsets[partition], offsets[partition + 1]
        rows += table.slice(start, stop - start).to_pylist()
    return rows


def rows_of(tables: list[pa.Table]) -> list[dict]:
    return [row for table in tables for row in table.to_pylist()]


@given(
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.lists(st.integers(0, 40), min_size=1, max_size=10),
    st.sets(st.integers(0, 9)),
)
def test_any_order_and_any_flushes_give_the_rows_in_block_order(
    seed: int, npartitions: int, sizes: list[int], flushed: set[int]
):
    blocks = {i: scattered(i, npartitions, rows) for i, rows in enumerate(sizes)}
    order = list(blocks)
    random.Random(seed).shuffle(order)
    store = PartitionStore(npartitions)
    try:
        for place, index in enumerate(order):
            store.append(index, *blocks[index])
            if place in flushed:
                store.spill(1)
        for partition in range(npartitions):
            assert rows_of(store.read(partition)) == expected(blocks, partition)
            assert rows_of(list(store.iter(partition))) == expected(blocks, partition)
            assert store.rows[partition] == len(expected(blocks, partition))
    finally:
        store.close()


def test_pieces_own_their_memory_and_have_one_chunk():
    store = PartitionStore(10)
    for index in (3, 0, 4, 1, 5, 2):
        store.append(index, *scattered(index, 10, 5000))
        if index in (4, 5):
            store.spill(1)
    for partition in range(10):
        for table in store.read(partition):
            assert table.get_total_buffer_size() < 1.5 * table.nbytes + 4096
            assert all(column.num_chunks == 1 for column in table.columns)
    store.close()


def test_flushing_frees_memory_and_closing_removes_the_files(spill_directory):
    store = PartitionStore(50, name="shuffle")
    before = current_pool().held
    for index in range(4):
        store.append(index, *scattered(index, 50, 2000))
    held = store.held_bytes
    assert held > 0
    assert current_pool().held == before + held
    assert ("shuffle", held) in current_pool().top()
    assert store.spill(1) == held
    assert store.held_bytes == 0
    assert store.spilled_bytes > 0
    files = list(spill_directory.rglob("*.partition"))
    assert len(files) == 50
    store.free(0)
    assert len(list(spill_directory.rglob("*.partition"))) == 49
    with pytest.raises(ValueError, match="freed"):
        store.read(0)
    store.close()
    store.close()
    assert not list(spill_directory.rglob("*.partition"))
    with pytest.raises(ValueError, match="closed"):
        store.append(9, *scattered(9, 50, 10))


def test_a_thousand_partitions_need_few_file_descriptors():
    store = PartitionStore(1000)
    for index in range(3):
        store.append(index, *scattered(index, 1000, 5000))
        store.spill(1)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        store.append(3, *scattered(3, 1000, 5000))
        store.spill(1)
        assert sum(table.num_rows for table in store.iter(999)) == store.rows[999]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        store.close()


def test_an_empty_partition_has_the_schema():
    store = PartitionStore(3)
    assert store.read(0) == []
    table = pa.table({"a": pa.array([1, 2], pa.int64())})
    store.append(0, table, np.array([0, 2, 2, 2]))
    assert [piece.schema for piece in store.read(1)] == [table.schema]
    assert store.read(1)[0].num_rows == 0
    store.close()


def test_blocks_of_different_schemas_are_kept_apart():
    store = PartitionStore(1)
    first, second = pa.table({"a": [1]}), pa.table({"a": ["x"]})
    for index, table in enumerate([first, second, first]):
        store.append(index, table, np.array([0, 1]))
    store.spill(1)
    assert store.read(0) == [first, second, first]
    store.close()


def test_many_threads_may_append_while_others_flush():
    blocks = {i: scattered(i, 8, 300) for i in range(40)}
    store = PartitionStore(8)

    def append(start: int) -> None:
        for index in range(start, 40, 4):
            store.append(index, *blocks[index])
            if index % 3 == 0:
                store.spill(1)

    threads = [threading.Thread(target=append, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for partition in range(8):
        assert rows_of(store.read(partition)) == expected(blocks, partition)
    store.close()


def test_a_full_disk_leaves_the_rows_in_memory():
    blocks = {i: scattered(i, 4, 3000) for i in range(4)}
    with small_disk(600_000) as disk, config.set(spill_directory=str(disk)):
        store = PartitionStore(4)
        store.append(0, *blocks[0])
        assert store.spill(1) > 0
        used = sum(path.stat().st_size for path in disk.rglob("*.partition"))
        for index in (1, 2, 3):
            store.append(index, *blocks[index])
        held = store.held_bytes
        with pytest.raises(SpillError, match=r"cannot spill .*No space left on device.*used"):
            store.spill(1)
        assert store.held_bytes == held
        assert sum(path.stat().st_size for path in disk.rglob("*.partition")) == used
        for partition in range(4):
            assert rows_of(store.read(partition)) == expected(blocks, partition)
        store.close()
        assert not list(disk.rglob("*.partition"))
        from penstock.scheduler import spill

        spill.directory().close()


def test_offsets_must_fit():
    store = PartitionStore(3)
    with pytest.raises(ValueError, match="4 offsets expected, not 3"):
        store.append(0, pa.table({"a": [1]}), np.array([0, 1, 1]))
    store.close()

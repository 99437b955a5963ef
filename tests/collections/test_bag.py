"""Bags against plain Python, over partitionings, executors and a small memory limit."""

from __future__ import annotations

import gzip
import itertools
from collections import Counter
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import penstock
import penstock.bag as db
from penstock.errors import ParseError, SchemaError, SourceError
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS = [(7 * n) % 23 - 5 for n in range(40)]
SCHEDULERS = ("threads", "sync")


@pytest.fixture(autouse=True)
def _verified() -> Iterator[None]:
    with penstock.config.set({"verify-plans": True}):
        yield


@pytest.fixture
def bag(npartitions: int) -> db.Bag:
    return db.from_sequence(ITEMS, npartitions=npartitions)


# -- sources --------------------------------------------------------------------------------------


def test_partitions_of_a_sequence() -> None:
    assert [list(b) for b in db.from_sequence("abcde", partition_size=2).iter_blocks()] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert db.from_sequence(ITEMS, npartitions=3).npartitions == 3
    assert db.from_sequence(ITEMS).npartitions == 40
    assert db.from_sequence(range(1000)).npartitions == 100
    empty = db.from_sequence([])
    assert (empty.npartitions, empty.compute(), empty.count().compute()) == (1, [], 0)
    assert "npartitions=2" in repr(db.from_sequence("ab"))
    with pytest.raises(ValueError, match="positive"):
        db.from_sequence("ab", partition_size=0)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_all_items_come_back_in_order(bag: db.Bag, scheduler: str) -> None:
    assert bag.compute(scheduler=scheduler) == ITEMS
    assert list(bag) == ITEMS
    kept = bag.map(str).persist(scheduler=scheduler)
    assert kept.plan.name == "persisted"
    assert kept.compute() == list(map(str, ITEMS))
    assert kept.map(int).sum().compute() == sum(ITEMS)


def test_results_are_the_users_own() -> None:
    items = [1, 2, 3]
    result = db.from_sequence(items, npartitions=1).compute()
    result.append(4)
    assert items == [1, 2, 3]


LINES = ["first\n", "\n", "a,'b\n", "ünï 日本\n", "x" * 300 + "\n", "last"]


def _written(folder: Path) -> list[str]:
    for number in range(3):
        (folder / f"{number}.txt").write_text("".join(LINES), "utf-8", newline="")
    return LINES * 3


@pytest.mark.parametrize("blocksize", [None, 1, 7, 64, "1kB"])
def test_lines_of_files(tmp_path: Path, blocksize: Any) -> None:
    expected = _written(tmp_path)
    for scheduler in SCHEDULERS:
        lines = db.read_text(str(tmp_path / "*.txt"), blocksize=blocksize)
        assert lines.compute(scheduler=scheduler) == expected
    assert lines.map(len).sum().compute() == sum(map(len, expected))
    with_path = db.read_text([tmp_path / "0.txt"], blocksize=blocksize, include_path=True)
    assert [line for line, _ in with_path] == LINES
    assert {path.rpartition("/")[2] for _, path in with_path.compute()} == {"0.txt"}


def test_files_per_partition(tmp_path: Path) -> None:
    expected = _written(tmp_path)
    lines = db.read_text(tmp_path / "*.txt", files_per_partition=2)
    assert lines.npartitions == 2
    assert [len(block) for block in lines.iter_blocks()] == [12, 6]
    assert lines.compute() == expected
    with pytest.raises(ValueError, match="without blocksize"):
        db.read_text(tmp_path / "*.txt", files_per_partition=2, blocksize=3)


@pytest.mark.parametrize("blocksize", [None, 50])
def test_compressed_encoded_and_delimited_lines(tmp_path: Path, blocksize: Any) -> None:
    text = "".join(LINES)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    assert db.read_text(tmp_path / "a.txt.gz", blocksize=blocksize).compute() == LINES
    (tmp_path / "b.txt").write_bytes(text.encode("utf-16"))
    read = db.read_text(tmp_path / "b.txt", encoding="utf-16", blocksize=blocksize)
    assert read.compute() == LINES
    (tmp_path / "c.txt").write_text("one||two||three", "utf-8")
    read = db.read_text(tmp_path / "c.txt", linedelimiter="||", blocksize=blocksize and 4)
    assert read.compute() == ["one||", "two||", "three"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        db.read_text(tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"good\n\xff\n")
    with pytest.raises(ParseError, match="byte 5"):
        db.read_text(tmp_path / "bad.txt").compute()
    (tmp_path / "empty.txt").write_bytes(b"")
    assert db.read_text(tmp_path / "empty.txt").compute() == []


# -- item by item ---------------------------------------------------------------------------------


def test_steps(bag: db.Bag) -> None:
    assert bag.map(lambda x: x * 2).compute() == [x * 2 for x in ITEMS]
    assert bag.filter(lambda x: x > 3).map(str).compute() == [str(x) for x in ITEMS if x > 3]
    assert bag.map_partitions(sorted).compute() == [
        x for block in bag.iter_blocks() for x in sorted(block)
    ]
    assert bag.map_partitions(lambda items: (x for x in items if x)).compute() == [
        x for x in ITEMS if x
    ]
    records = bag.map(lambda x: {"x": x, "y": [x, -x]})
    assert records.pluck("x").compute() == ITEMS
    assert records.pluck("y").pluck(1).compute() == [-x for x in ITEMS]
    assert records.pluck(["x", "z"], 0).compute() == [(x, 0) for x in ITEMS]
    assert records.pluck("y").flatten().compute() == [v for x in ITEMS for v in (x, -x)]


def test_functions_of_more_than_the_item(bag: db.Bag) -> None:
    other = bag.map(lambda x: x * 10)
    assert bag.map(add, other).compute() == [11 * x for x in ITEMS]
    assert bag.map(add, 5).compute() == [x + 5 for x in ITEMS]
    assert bag.map(lambda x, y, z=0: x + y * z, other, z=2).compute() == [21 * x for x in ITEMS]
    least = bag.min()
    assert bag.map(lambda x, low: x - low, low=least).compute() == [x - min(ITEMS) for x in ITEMS]
    counted = bag.map_partitions(lambda items, total: [len(items) / total], bag.count())
    assert sum(counted.compute()) == pytest.approx(1)


def test_bags_that_do_not_fit_together_are_refused() -> None:
    long, short = db.from_sequence("abcd", npartitions=2), db.from_sequence("abc", npartitions=2)
    with pytest.raises(SchemaError, match="2 and 1 items"):
        long.map(add, short).compute()
    with pytest.raises(SchemaError, match="partitions"):
        long.map(add, db.from_sequence("abcd", npartitions=4)).compute()
    with pytest.raises(SchemaError, match="iterate"):
        long.map_partitions(len).compute()


def test_an_error_names_the_operation_and_the_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        db.from_sequence([1, 0], npartitions=2).map(lambda x: 1 / x).compute()
    notes = "\n".join(caught.value.__notes__)
    assert "map" in notes
    assert "test_bag.py" in notes


# -- reductions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_reductions(bag: db.Bag, scheduler: str) -> None:
    lazy = (bag.sum(), bag.count(), bag.min(), bag.max(), bag.mean(), bag.sum(split_every=2))
    known = (sum(ITEMS), len(ITEMS), min(ITEMS), max(ITEMS), np.mean(ITEMS), sum(ITEMS))
    assert_eq(penstock.compute(*lazy, scheduler=scheduler), known)
    with pytest.raises(ValueError, match="split_every"):
        bag.sum(split_every=1)


def test_folds_and_reductions_of_the_users(bag: db.Bag) -> None:
    texts = bag.map(str)
    assert texts.fold(add).compute() == "".join(map(str, ITEMS))
    counted = texts.fold(lambda n, text: n + len(text), add, initial=0)
    assert counted.compute() == sum(len(str(x)) for x in ITEMS)
    assert bag.reduction(max, max).compute() == max(ITEMS)
    firsts = bag.reduction(lambda items: items[:1], lambda parts: parts[0], out_type=db.Bag)
    assert firsts.compute() == ITEMS[:1]
    assert (bag.max() - bag.min()).compute() == max(ITEMS) - min(ITEMS)


def test_reductions_of_partitions_without_items(npartitions: int) -> None:
    few = db.from_sequence(ITEMS, npartitions=npartitions).filter(lambda x: x == max(ITEMS))
    assert penstock.compute(few.min(), few.max(), few.mean(), few.fold(max)) == (
        max(ITEMS),
        max(ITEMS),
        max(ITEMS),
        max(ITEMS),
    )
    none = few.filter(lambda x: False)
    assert (none.sum().compute(), none.count().compute(), none.compute()) == (0, 0, [])
    for reduced in (none.min(), none.mean(), none.fold(add)):
        with pytest.raises(ValueError, match="without items"):
            reduced.compute()


def test_frequencies_and_distinct(bag: db.Bag) -> None:
    counts = Counter(ITEMS)
    assert bag.frequencies().compute() == list(counts.items())
    by_count = bag.frequencies(sort=True).compute()
    assert dict(by_count) == counts
    assert [n for _, n in by_count] == sorted(counts.values(), reverse=True)
    assert bag.distinct().compute() == list(dict.fromkeys(ITEMS))
    assert bag.distinct(key=lambda x: x % 4).compute() == [
        next(x for x in ITEMS if x % 4 == rest) for rest in dict.fromkeys(x % 4 for x in ITEMS)
    ]
    pairs = bag.map(lambda x: {"k": x % 3, "v": x})
    assert [p["k"] for p in pairs.distinct("k").compute()] == list(
        dict.fromkeys(x % 3 for x in ITEMS)
    )


# -- taking out -----------------------------------------------------------------------------------


def test_take(bag: db.Bag) -> None:
    assert bag.take(2) == tuple(ITEMS[:2])
    assert bag.take(30, npartitions=-1) == tuple(ITEMS[:30])
    assert bag.take(2, compute=False).compute() == ITEMS[:2]
    first = next(iter(bag.iter_blocks()))
    with pytest.warns(UserWarning, match="only"):
        assert bag.take(1000) == tuple(first)
    with pytest.raises(ValueError, match="partitions"):
        bag.take(1, npartitions=1000)


def test_take_works_only_as_far_as_needed() -> None:
    seen: list[int] = []
    bag = db.from_sequence(range(100), npartitions=50).map(lambda x: seen.append(x) or x)
    assert bag.take(3, npartitions=2) == (0, 1, 2)
    assert sorted(seen) == [0, 1, 2, 3]
    seen.clear()
    stream = iter(bag)
    assert list(itertools.islice(stream, 5)) == [0, 1, 2, 3, 4]
    stream.close()  # type: ignore[attr-defined]
    assert len(seen) < 100


@pytest.mark.parametrize("meta", [None, {"a": "int64", "b": "str"}, [("a", "int64"), ("b", "str")]])
def test_to_dataframe(bag: db.Bag, meta: Any) -> None:
    records = [{"a": x, "b": f"t{x}"} for x in ITEMS]
    frame = bag.map(lambda x: {"a": x, "b": f"t{x}"}).to_dataframe(meta=meta)
    expected = pd.DataFrame(records)
    assert_eq(frame.compute(), expected)
    assert_eq(frame.groupby("b").a.sum().compute().sort_index(), expected.groupby("b").a.sum())
    assert_eq(frame[frame.a > 3].a.sum().compute(), expected[expected.a > 3].a.sum())


def test_to_dataframe_of_tuples_and_partitions_without_items(bag: db.Bag) -> None:
    pairs = bag.filter(lambda x: x == 3).map(lambda x: (x, x / 2))
    expected = pd.DataFrame([(x, x / 2) for x in ITEMS if x == 3], columns=["x", "half"])
    assert_eq(pairs.to_dataframe(columns=["x", "half"]).compute(), expected)
    assert bag.to_dataframe(columns=["x"]).x.sum().compute() == sum(ITEMS)
    with pytest.raises(ValueError, match="meta="):
        bag.filter(lambda x: False).to_dataframe()


@pytest.mark.memory
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_more_than_the_limit_spills(scheduler: str) -> None:
    limit = limit_leaving(30 << 20)
    bag = db.from_sequence(range(48), npartitions=48).map(lambda n: bytes([n]) * (1 << 20))
    kept = bag.persist(scheduler=scheduler, memory_limit=limit)
    options: dict[str, Any] = {"scheduler": scheduler, "memory_limit": limit}
    assert kept.map(len).sum().compute(**options) == 48 << 20
    assert kept.map(lambda data: data[0]).compute(**options) == list(range(48))


def test_explain_names_the_operations() -> None:
    text = db.from_sequence(ITEMS, npartitions=3).map(str).filter(len).count().explain()
    assert "from-sequence → map → filter → count: 3 tasks" in text


def test_real_text(shared_data: Path) -> None:
    files = sorted(shared_data.rglob("*.csv"), key=lambda path: path.stat().st_size)
    small = [path for path in files if 0 < path.stat().st_size < 4_000_000]
    if not small:
        pytest.skip("no small text among the recorded data")
    path = small[-1]
    with path.open(encoding="utf-8", errors="replace") as file:
        expected = Counter(len(line.split(",")) for line in file)
    bag = db.read_text(path, blocksize="100kB", errors="replace")
    assert dict(bag.map(lambda line: len(line.split(","))).frequencies().compute()) == expected

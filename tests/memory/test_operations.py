"""Operations on three times more data than memory: within the limit, and right.

Each runs in a process of its own. Its answer is compared with DuckDB's on the same files, or with
what follows from how the data were made.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.memory.checks_groups import GroupChecks
from tests.memory.checks_shape import ALL, ShapeChecks
from tests.memory.checks_windows import WindowChecks
from tests.memory.conftest import LIMIT, ROWS, Outcome
from tests.memory.data import GROUPS, Data

pytestmark = [pytest.mark.memory, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


class Checks(WindowChecks, GroupChecks, ShapeChecks):
    """What each operation must have given; a method for each."""

    def filter(self) -> None:
        self._ids_in_order()
        self._same(
            "select count(*), sum(id), sum(real), sum(hash(text)) from {out}",
            "select count(*), sum(id), sum(real), sum(hash(text)) from {facts} where real < 0.25",
        )

    def groupby_low(self) -> None:
        assert len(self._written("real")) == GROUPS
        self._same(
            'select sum("group" * id), sum("group" * real) from {out}',
            'select sum("group" * id), sum("group" * real) from {facts}',
        )

    def groupby_high(self) -> None:
        groups = "select key, sum(id) as id, sum(real) as real from {facts} group by key"
        self._same(
            "select count(*), sum(key), sum(key * id), sum(key * real) from {out}",
            f"select count(*), sum(key), sum(key * id), sum(key * real) from ({groups})",
        )
        assert (np.diff(self._written("key")) > 0).all()

    def groupby_text(self) -> None:
        groups = "select text, count(*) as n from {facts} group by text"
        self._same(
            "select count(*), sum(id), sum(id * (hash(text) % 1000)) from {out}",
            f"select count(*), sum(n), sum(n * (hash(text) % 1000)) from ({groups})",
        )
        assert self._sql("select min(text), max(text) from {out}") == self._sql(
            "select min(text), max(text) from {facts}"
        )

    def sort_random(self) -> None:
        assert (np.diff(self._written("real")) >= 0).all()
        self._is_all()

    def sort_sorted(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        self._is_all()

    def sort_heavy(self) -> None:
        assert (np.diff(self._written("heavy")) >= 0).all()
        self._is_all()

    def set_index(self) -> None:
        assert (np.diff(self._written("real")) >= 0).all()
        self._is_all("id, real, text")

    def merge_broadcast(self) -> None:
        self._is_all()
        self._same(
            'select sum(weight), min(weight - "group"), max(weight - "group") from {out}',
            'select sum("group" + 1), 1, 1 from {facts}',
        )

    def merge_grouped(self) -> None:
        wanted = (
            'select "group" + 1 as weight, key, sum(real + id) as sum, stddev(real + id) as std, '
            "max(real + id) as max from {facts} group by all"
        )
        query = "select count(*), sum(weight), sum(key), sum(sum), sum(std), sum(max) from "
        self._same(query + "{out}", f"{query}({wanted})")

    def merge_exchange(self) -> None:
        self._is_all("id, real, text")
        assert self._sql("select sum(twice), count(*) from {out} where twice = 2 * id") == (
            2 * ALL,
            ROWS,
        )

    def drop_duplicates(self) -> None:
        self._ids_in_order()
        firsts = "select min(id) as id, key, min(text) as text from {facts} group by key"
        self._same(
            "select count(*), sum(id), sum(key), sum(hash(id, key, text)) from {out}",
            f"select count(*), sum(id), sum(key), sum(hash(id, key, text)) from ({firsts})",
        )

    def nunique(self) -> None:
        (count,) = self._sql("select count(distinct key) from {facts}")
        assert self._answer == [count, count]

    def median(self) -> None:
        (median,) = self._sql("select median(real) from {facts}")
        assert self._answer == pytest.approx(median, rel=1e-12)

    def repartition(self) -> None:
        assert len(list((self._folder / "out").glob("*.parquet"))) == 37
        assert (self._written("id") == np.arange(ROWS)).all()
        self._is_all()

    def cumsum(self) -> None:
        numbers = np.arange(ROWS)
        assert (self._written("id") == numbers * (numbers + 1) // 2).all()
        heavy = self._written("heavy")
        assert (np.diff(heavy) >= 0).all()
        assert (heavy[-1],) == self._sql("select sum(heavy)::bigint from {facts}")

    def csv(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        self._data.path("facts")
        self._is_all('id, "group", heavy, text')

    csv_gz = csv

    def huge_row_group(self) -> None:
        self._ids_in_order()
        query = "select count(*), sum(hash(id, key, real, text)) from "
        self._same(query + "{out}", query + "{huge} where key % 2 = 0")

    def repeated_text(self) -> None:
        assert (self._written("id") == np.arange(0, ROWS, 4)).all()
        query = "select sum(hash(id, text)) from "
        self._same(query + "{out}", query + "{repeated} where id % 4 = 0")

    def single_parquet(self) -> None:
        file = pq.ParquetFile(self._folder / "out.parquet")
        assert file.metadata.num_rows == ROWS
        assert (file.read(["id"])["id"].to_numpy() == np.arange(ROWS)).all()

    def single_csv(self) -> None:
        table = pyarrow.csv.read_csv(self._folder / "out.csv")
        assert table.column_names == ["id", "group", "text"]
        assert (table["id"].to_numpy() == np.arange(ROWS)).all()
        (total,) = self._sql('select sum("group") from {facts}')
        assert table["group"].to_numpy().sum() == total

    def partition_on(self) -> None:
        assert len(list((self._folder / "out").iterdir())) == GROUPS
        self._is_all()

    def persist(self) -> None:
        groups = "select count(*) as n from {facts} group by key"
        (most,) = self._sql(f"select max(n) from ({groups})")
        assert self._answer == [ROWS, ALL, most]

    def iter_blocks(self) -> None:
        (total,) = self._sql("select sum(key) from {facts}")
        assert self._answer == [ROWS, total]

    def too_large(self) -> None:
        message, rows = self._answer
        assert rows == str(ROWS)
        for advice in ("to_parquet", "iterate over its blocks", "persist", "memory_limit"):
            assert advice in message

    def turns_out_too_large(self) -> None:
        self.too_large()
        assert "the result takes about" in self._answer[0]

    def group_too_large(self) -> None:
        message, rows, calls = self._answer
        assert (rows, calls) == (str(ROWS), "0")
        for advice in ("groupby apply", "those of one key", "memory_limit", "'sum'"):
            assert advice in message

    def compute_most(self) -> None:
        query = 'select count(*), sum(id), sum(key) from {facts} where "group" < 45'
        assert tuple(self._answer) == self._sql(query)

    def compute_text(self) -> None:
        query = 'select count(*), sum(id), sum(len(text)) from {facts} where "group" < 35'
        assert tuple(self._answer) == self._sql(query)


OPERATIONS = [
    name
    for topic in (Checks, WindowChecks, GroupChecks, ShapeChecks)
    for name in vars(topic)
    if not name.startswith("_")
]
# Quick ones that go different ways: a stream, an exchange that combines, and the refusal.
TELLING = {"filter", "groupby_high", "too_large"}


@pytest.mark.parametrize(
    "name",
    [
        name if name in TELLING else pytest.param(name, marks=pytest.mark.slow)
        for name in OPERATIONS
    ],
)
def test_an_operation_stays_under_the_limit_and_is_right(
    run: Callable[..., Outcome], data: Data, name: str
):
    outcome = run(name)
    measured = outcome.measured
    getattr(Checks(data, outcome), name)()
    assert not measured.oom_killed
    assert measured.peak_rss <= LIMIT
    left = list((outcome.folder / "spill").glob("*"))
    assert left == []


# What a consumer does with the blocks it is given is no stage's; what is refused has none.
NO_STAGE = ("iter_blocks", "too_large")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in NO_STAGE])
def test_no_stage_takes_more_than_was_reserved_and_the_headroom(
    run: Callable[..., Outcome], name: str
):
    report = run(name, watched=True).report
    beyond = {
        stage: (f"reserved {reserved / 1e6:.0f} MB", f"{beyond / 1e6:.0f} MB beyond")
        for stage, (reserved, beyond) in report["stages"].items()
        if beyond > report["headroom"]
    }
    assert report["stages"]
    assert beyond == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["filter", "sort_random", "groupby_low"])
def test_the_libraries_may_be_imported_before(run: Callable[..., Outcome], data: Data, name: str):
    # pyarrow then allocates part of what it works on elsewhere than in the C library's heaps.
    outcome = run(name, "import pandas, pyarrow.parquet")
    getattr(Checks(data, outcome), name)()
    assert outcome.measured.peak_rss <= LIMIT

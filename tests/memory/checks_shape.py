"""What joins, other shapes, other blocks and other files must have given."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow.compute
import pyarrow.csv

from tests.memory.checks import BaseChecks
from tests.memory.conftest import ROWS
from tests.memory.data import GROUPS

ALL = ROWS * (ROWS - 1) // 2  # the sum of all ids
HALF = ROWS // 2


class ShapeChecks(BaseChecks):
    """A method for each operation of `operations_shape`."""

    # Partners have the ids 0, 2, 4, ..., 2 * ROWS - 2, and `twice` is the id.

    def _matched(self) -> None:
        """Assert that every fact of an even id has its partner, and no other."""
        even = ROWS - HALF
        found = self._sql("select count(*), sum(id), sum(twice - id) from {out} "
                          "where real is not null and twice < 1e18")  # fmt: skip
        assert found == (even, even * (even - 1), 0)

    def _facts_of(self, condition: str) -> None:
        query = "select count(*), sum(id), sum(real), sum(hash(text)) from "
        self._same(query + "{out} where real is not null", query + "{facts} where " + condition)

    def _rows(self, count: int) -> None:
        assert sum(file.metadata.num_rows for file in self._files()) == count

    def join_outer(self) -> None:
        assert (np.diff(self._written("id")) > 0).all()
        self._rows(ROWS + HALF)
        self._matched()
        self._facts_of("true")

    def join_left(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        self._matched()
        self._facts_of("true")

    def join_right(self) -> None:
        self._rows(ROWS)
        self._matched()
        self._facts_of("id % 2 = 0")

    def join_semi(self) -> None:
        assert (self._written("id") == np.arange(0, ROWS, 2)).all()
        self._facts_of("id % 2 = 0")

    def join_anti(self) -> None:
        assert (self._written("id") == np.arange(1, ROWS, 2)).all()
        self._facts_of("id % 2 = 1")

    def join_skewed(self) -> None:
        query = "select count(*), sum(id), sum(hash(text)), sum(tag % 1000) from "
        joined = "{facts} as facts join {tags} as tags on facts.heavy = tags.heavy"
        self._same(query + "{out}", query + joined)

    def concat_rows(self) -> None:
        ids = self._written("id")
        assert (ids == np.tile(np.arange(ROWS), 2)).all()
        query = "select count(*), sum(hash(id, real, text)) from "
        self._same(query + "{out}", query + "(from {facts} union all from {facts})")

    def concat_columns(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        query = "select sum(hash(text)), sum(double) from "
        self._same(query + "{out}", query + "(select text, 2 * real as double from {facts})")

    def pivot_table(self) -> None:
        bands = [f"sum(id) filter (id % 7 = {band}) as b{band}" for band in range(7)]
        wanted = f"select key, {', '.join(bands)} from {{facts}} group by key"
        known = [f'sum("{band}") filter ("{band}" < 1e18)' for band in range(7)]
        self._same(
            f"select count(*), sum(key), {', '.join(known)} from {{out}}",
            f"select count(*), sum(key), {', '.join(f'sum(b{band})' for band in range(7))} "
            f"from ({wanted})",
        )

    def get_dummies(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        names = [f"group_{group}" for group in range(GROUPS)]
        assert self._files()[0].schema_arrow.names == ["id", *names]
        found = self._sql(
            f"select {', '.join(f'count(*) filter ({n})' for n in names)} from {{out}}"
        )
        wanted = self._sql("select list(n order by g) from "
                           '(select "group" as g, count(*) as n from {facts} group by g)')  # fmt: skip
        assert list(found) == wanted[0]

    def melt(self) -> None:
        assert (self._written("id") == np.tile(np.arange(ROWS), 2)).all()
        self._same(
            "select count(*) filter (variable = 'key'), sum(value) filter (variable = 'key'), "
            "sum(value) filter (variable = 'group') from {out}",
            'select count(*), sum(key), sum("group") from {facts}',
        )

    def explode(self) -> None:
        ids = self._written("id")
        assert (ids == np.repeat(np.arange(ROWS), np.maximum(np.arange(ROWS) % 4, 1))).all()
        unnested = "select id, unnest(items) as items from {lists}"
        self._same(
            "select count(*), sum(items // 4 - id) from {out} where items < 1e18",
            f"select count(*), sum(items // 4 - id) from ({unnested})",
        )

    def qcut(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        counts = np.bincount(self._written("bin").astype(int), minlength=10)
        assert np.abs(counts - ROWS / 10).max() <= 1
        bins = "select max(real) as top, min(real) as low from {out} group by bin order by bin"
        assert self._sql(f"select bool_and(low > before or before is null) from "
                         f"(select low, lag(top) over (order by low) as before from ({bins}))") == (
            True,
        )  # fmt: skip

    def set_index_loc(self) -> None:
        real = self._written("real")
        assert (np.diff(real) >= 0).all()
        query = "select count(*), sum(id), sum(hash(text)) from "
        self._same(query + "{out}", query + "{facts} where real between 0.25 and 0.5")

    def repartition_size(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        self._is_all()
        counts = [file.metadata.num_rows for file in self._files()]
        assert max(counts) * 64 < 4_000_000  # a row takes about 60 bytes
        assert ROWS / len(counts) * 64 > 1_000_000

    def partition_many(self) -> None:
        folders = list((self._folder / "out").iterdir())
        assert len(folders) == 3000
        files = sum(len(list(folder.iterdir())) for folder in folders)
        assert files < 2 * len(folders)
        self._is_all("id, key, real, text")
        assert self._sql("select count(*) from {out} where folder != key % 3000") == (0,)

    def compact(self) -> None:
        assert (self._written("id") == np.arange(ROWS)).all()
        self._is_all()
        assert 8 <= len(self._files()) <= 30

    def sort_text(self) -> None:
        texts = [file.read(["text"])["text"] for file in self._files()]
        for column in texts:
            for chunk in column.chunks:
                later, earlier = chunk.slice(1), chunk.slice(0, max(0, len(chunk) - 1))
                assert not pyarrow.compute.any(pyarrow.compute.less(later, earlier)).as_py()
        ends = [(column[0].as_py(), column[-1].as_py()) for column in texts if len(column)]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))
        self._is_all("id, text, real")

    def many_csv(self) -> None:
        files = sorted((self._folder / "out").iterdir())
        total = rows = 0
        for file in files:
            table = pyarrow.csv.read_csv(file)
            rows += table.num_rows
            total += int(pyarrow.compute.sum(table["id"]).as_py())
        assert (rows, total) == (ROWS, ALL)
        assert len(files) > 1

    def cross(self) -> None:
        assert (self._written("id") == np.repeat(np.arange(ROWS), 3)).all()
        assert self._sql("select sum(weight) from {out}") == (6 * ROWS,)

"""What operations on groups must have given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.memory.checks import BaseChecks
from tests.memory.conftest import ROWS


class GroupChecks(BaseChecks):
    """A method for each operation of `operations_groups`."""

    def _of_groups(self, key: str, wanted: str, found: str) -> None:
        """Assert that the value of each group is what an SQL aggregate gives."""
        groups = f"select {key} as k, {wanted} as v from {{facts}} group by {key}"
        written = f"select {key} as k, {found} as v from {{out}}"
        totals = "select count(*), sum(k), sum(v), sum(v * (k % 1000)) from "
        self._same(totals + f"({written})", totals + f"({groups})")

    def group_median(self) -> None:
        self._of_groups('"group"', "median(id)", "id")
        self._of_groups('"group"', "median(real)", "real")

    def group_median_high(self) -> None:
        self._of_groups("key", "median(real)", "real")

    def group_nunique(self) -> None:
        self._of_groups('"group"', "count(distinct key)", "key")

    def group_transform(self) -> None:
        self._ids_in_order()
        self._is_all("id, key, real")
        most = "select count(*) * max(id) as most from {facts} group by key"
        self._same("select sum(most) from {out}", f"select sum(most) from ({most})")

    def group_cumcount(self) -> None:
        self._ids_in_order()
        ordered = "row_number() over (partition by key order by id) - 1"
        self._same(
            "select count(*), sum(place), sum(place * (id % 1000)) from {out}",
            "select count(*), sum(place), sum(place * (id % 1000)) from "
            f"(select id, {ordered} as place from {{facts}})",
        )

    def group_rank(self) -> None:
        self._ids_in_order()
        ordered = "row_number() over (partition by key order by real)"
        self._same(
            "select count(*), sum(rank), sum(rank * (id % 1000)) from {out}",
            "select count(*), sum(rank), sum(rank * (id % 1000)) from "
            f"(select id, {ordered} as rank from {{facts}})",
        )

    def group_shift(self) -> None:
        self._ids_in_order()
        query = (
            "select count(*), count(*) filter (before < 1e18), "
            "sum(before) filter (before < 1e18), max(before) filter (before < 1e18) from "
        )
        wanted = "select lag(id) over (partition by key order by id) as before from {facts}"
        self._same(query + "{out}", query + f"({wanted})")

    def group_head(self) -> None:
        self._ids_in_order()
        firsts = "select min(id) as id, key, min(text) as text from {facts} group by key"
        query = "select count(*), sum(id), sum(hash(id, key, text)) from "
        self._same(query + "{out}", query + f"({firsts})")

    def group_apply(self) -> None:
        self._of_groups('"group"', "max(id) - min(id)", "spread")

    def value_counts(self) -> None:
        counts = self._written("count")
        assert (np.diff(counts) <= 0).all()
        self._of_groups("key", "count(*)", '"count"')

    def _distinct(self, column: str) -> int:
        (count,) = self._sql(f"select count(distinct {column}) from {{facts}}")
        return int(count)

    def duplicated(self) -> None:
        assert self._answer == ROWS - self._distinct("key")

    def nunique_approx(self) -> None:
        assert self._answer == pytest.approx(self._distinct("text"), rel=0.02)

    def tdigest(self) -> None:
        assert self._answer == pytest.approx(0.5, abs=0.005)

    def frame_nunique(self) -> None:
        keys = self._distinct("key")
        assert self._answer == [keys, self._distinct('"group"'), keys]

    def describe(self) -> None:
        (median,) = self._sql("select median(real) from {facts}")
        assert self._answer == pytest.approx([(ROWS - 1) / 2, median], rel=1e-9)

"""Groups whose rows are needed together, and results for each row."""

from __future__ import annotations

from typing import Any

from tests.memory.operations_base import Base


def spread(group: Any) -> float:
    """Return a number of a whole group."""
    return float(group["id"].max() - group["id"].min())


class GroupOperations(Base):
    """Operations on groups that partial aggregates do not serve."""

    def group_median(self) -> None:
        self._write(self._read().groupby("group")[["id", "real"]].median())

    def group_median_high(self) -> None:
        self._write(self._read().groupby("key")["real"].median())

    def group_nunique(self) -> None:
        self._write(self._read().groupby("group")["key"].nunique())

    def group_transform(self) -> None:
        facts = self._read()[["id", "key", "real"]]
        facts["most"] = facts.groupby("key")["id"].transform("max")
        self._write(facts)

    def group_cumcount(self) -> None:
        facts = self._read()[["id", "key"]]
        facts["place"] = facts.groupby("key").cumcount()
        self._write(facts)

    def group_rank(self) -> None:
        facts = self._read()[["id", "key", "real"]]
        facts["rank"] = facts.groupby("key")["real"].rank()
        self._write(facts)

    def group_shift(self) -> None:
        facts = self._read()[["id", "key"]]
        facts["before"] = facts.groupby("key")["id"].shift(1)
        self._write(facts)

    def group_head(self) -> None:
        self._write(self._read()[["id", "key", "text"]].groupby("key").head(1))

    def group_apply(self) -> None:
        facts = self._read()[["id", "group", "real"]]
        self._write(facts.groupby("group").apply(spread).rename("spread"))

    def value_counts(self) -> None:
        self._write(self._read()["key"].value_counts())

    def duplicated(self) -> int:
        return int(self._read().duplicated(subset="key").sum().compute())

    def nunique_approx(self) -> float:
        return float(self._read()["text"].nunique_approx().compute())

    def tdigest(self) -> float:
        return float(self._read()["real"].quantile(0.5, method="tdigest").compute())

    def frame_nunique(self) -> list[int]:
        return [int(one) for one in self._read()[["key", "group", "text"]].nunique().compute()]

    def describe(self) -> list[float]:
        table = self._read()[["id", "real"]].describe().compute()
        return [float(table.loc["50%", name]) for name in ("id", "real")]

"""Joins through the exchange, other shapes, other blocks, other files."""

from __future__ import annotations

import penstock.dataframe as dd
from tests.memory.operations_base import Base


class ShapeOperations(Base):
    """Operations that give other rows, columns, blocks or files."""

    def _join(self, how: str) -> None:
        """Join with partners of which half have another id than any fact."""
        partners = self._read("partners")
        partners["id"] = partners["id"] * 2
        facts = self._read()[["id", "real", "text"]]
        self._write(facts.merge(partners, on="id", how=how))

    def join_outer(self) -> None:
        self._join("outer")

    def join_left(self) -> None:
        self._join("left")

    def join_right(self) -> None:
        self._join("right")

    def join_semi(self) -> None:
        self._join("semi")

    def join_anti(self) -> None:
        self._join("anti")

    def join_skewed(self) -> None:
        """Join by a key that half of the rows have."""
        self._write(self._read()[["id", "heavy", "text"]].merge(self._read("tags"), on="heavy"))

    def concat_rows(self) -> None:
        facts = self._read()[["id", "real", "text"]]
        self._write(dd.concat([facts, facts]))

    def concat_columns(self) -> None:
        facts = self._read()
        double = (facts["real"] * 2).rename("double")
        self._write(dd.concat([facts[["id", "text"]], double], axis=1))

    def pivot_table(self) -> None:
        facts = self._read()
        facts["band"] = facts["id"] % 7
        table = facts.pivot_table(index="key", columns="band", values="id", aggfunc="sum")
        self._write(table.rename(columns=str))

    def get_dummies(self) -> None:
        facts = self._read()[["id", "group"]]
        self._write(dd.get_dummies(facts, columns=["group"]))

    def melt(self) -> None:
        self._write(self._read()[["id", "key", "group"]].melt(id_vars="id"))

    def explode(self) -> None:
        self._write(self._read("lists").explode("items"))

    def qcut(self) -> None:
        facts = self._read()[["id", "real"]]
        facts["bin"] = dd.qcut(facts["real"], 10, labels=False)
        self._write(facts)

    def set_index_loc(self) -> None:
        facts = self._read()[["id", "real", "text"]].set_index("real")
        self._write(facts.loc[0.25:0.5])

    def repartition_size(self) -> None:
        self._write(self._read().repartition(partition_size="2MB"))

    def partition_many(self) -> None:
        facts = self._read()[["id", "key", "real", "text"]]
        facts["folder"] = facts["key"] % 3000
        facts.to_parquet(self.out, partition_on="folder")

    def compact(self) -> None:
        dd.compact(str(self._data / "small"), self.out, file_size="20MB")

    def sort_text(self) -> None:
        self._write(self._read()[["id", "text", "real"]].sort_values("text"))

    def many_csv(self) -> None:
        self._read()[["id", "group", "text"]].to_csv(self.out, index=False)

    def cross(self) -> None:
        self._write(self._read()[["id"]].merge(self._read("groups").head(3), how="cross"))

"""Windows over rows and times, fills, shifts and as-of joins."""

from __future__ import annotations

from typing import Any

import penstock.dataframe as dd
from tests.memory.operations_base import Base


class WindowOperations(Base):
    """Operations whose rows need others nearby, or all before them."""

    def _series(self) -> Any:
        return self._read("series").set_index("at", sorted=True)

    def rolling_rows(self) -> None:
        self._write(self._read()[["id", "real"]].rolling(1000).mean())

    def rolling_wide(self) -> None:
        """Take windows that are larger than a block."""
        self._write(self._read()[["id"]].rolling(700_000).mean())

    def rolling_median(self) -> None:
        self._write(self._read()["id"].rolling(101, center=True).median())

    def rolling_time(self) -> None:
        self._write(self._series()[["id", "real"]].rolling("1h").mean())

    def expanding(self) -> None:
        self._write(self._read()[["id", "real"]].expanding().mean())

    def ewm(self) -> None:
        self._write(self._read()[["id", "real"]].ewm(alpha=0.5, adjust=False).mean())

    def resample_mean(self) -> None:
        self._write(self._series()[["id", "real"]].resample("1h").mean())

    def resample_median(self) -> None:
        self._write(self._series()[["id", "real"]].resample("1D").median())

    def ffill(self) -> None:
        self._write(self._read("series")[["id", "holes"]].ffill())

    def bfill(self) -> None:
        self._write(self._read("series")[["id", "holes"]].bfill())

    def shift(self) -> None:
        facts = self._read()[["id", "text"]]
        facts["before"] = facts["id"].shift(100_000)
        self._write(facts)

    def asof_small(self) -> None:
        facts = self._read()[["id", "real", "text"]]
        rare = self._read("series")[["id"]]
        rare = rare[rare["id"] % 100_000 == 0]
        rare["near"] = rare["id"]
        self._write(dd.merge_asof(facts, rare, on="id"))

    def asof_large(self) -> None:
        facts = self._read()[["id", "real", "text"]]
        others = self._read("series")[["id", "real"]].rename(columns={"real": "other"})
        others = others[others["id"] % 3 == 0]
        others["near"] = others["id"]
        self._write(dd.merge_asof(facts, others, on="id"))

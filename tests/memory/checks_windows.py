"""What windows, fills, shifts and as-of joins must have given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.memory.checks import BaseChecks
from tests.memory.conftest import ROWS

IDS = np.arange(ROWS)


def mean_before(window: int) -> np.ndarray:
    """Return the mean of the last `window` ids of each row, fewer at the beginning."""
    return IDS - (np.minimum(window, IDS + 1) - 1) / 2


class WindowChecks(BaseChecks):
    """A method for each operation of `operations_windows`."""

    def _is_mean(self, window: int, *, complete: bool) -> None:
        found, wanted = self._written("id"), mean_before(window)
        first = window - 1 if complete else 0
        assert np.isnan(found[:first]).all()
        np.testing.assert_allclose(found[first:], wanted[first:], rtol=1e-9)

    def rolling_rows(self) -> None:
        self._is_mean(1000, complete=True)
        (total,) = self._sql("select sum(real) from {series} where id < 1000")
        assert self._written("real")[999] == pytest.approx(total / 1000)

    def rolling_wide(self) -> None:
        self._is_mean(700_000, complete=True)

    def rolling_median(self) -> None:
        found = self._written("id")
        assert np.isnan(found[[*range(50), *range(-50, 0)]]).all()
        assert (found[50:-50] == IDS[50:-50]).all()

    def rolling_time(self) -> None:
        self._is_mean(3600, complete=False)
        assert (np.diff(self._written("at").astype("int64")) == 1_000_000).all()

    def expanding(self) -> None:
        np.testing.assert_allclose(self._written("id"), IDS / 2, rtol=1e-9)
        (mean,) = self._sql("select avg(real) from {facts}")
        assert self._written("real")[-1] == pytest.approx(mean, rel=1e-9)

    def ewm(self) -> None:
        wanted = IDS - 1 + 0.5 ** np.minimum(IDS, 1000)
        np.testing.assert_allclose(self._written("id"), wanted, rtol=1e-9, atol=1e-9)

    def _is_of_bins(self, seconds: int) -> None:
        starts = np.arange(0, ROWS, seconds)
        middles = (starts + np.minimum(starts + seconds, ROWS) - 1) / 2
        assert (self._written("id") == middles).all()

    def resample_mean(self) -> None:
        self._is_of_bins(3600)
        hours = "select avg(real) as real from {series} group by id // 3600"
        self._same("select sum(real) from {out}", f"select sum(real) from ({hours})")

    def resample_median(self) -> None:
        self._is_of_bins(86_400)
        days = "select median(real) as real from {series} group by id // 86400"
        self._same("select sum(real) from {out}", f"select sum(real) from ({days})")

    def ffill(self) -> None:
        assert (self._written("id") == IDS).all()
        assert (self._written("holes") == IDS // 1000 * 1000).all()

    def bfill(self) -> None:
        found, wanted = self._written("holes"), -(-IDS // 1000) * 1000
        known = wanted < ROWS
        assert (found[known] == wanted[known]).all()
        assert np.isnan(found[~known]).all()

    def shift(self) -> None:
        before = self._written("before")
        assert np.isnan(before[:100_000]).all()
        assert (before[100_000:] == IDS[:-100_000]).all()
        self._is_all("id, text")

    def _is_nearest(self, step: int) -> None:
        assert (self._written("id") == IDS).all()
        assert (self._written("near") == IDS // step * step).all()
        self._is_all("id, real, text")

    def asof_small(self) -> None:
        self._is_nearest(100_000)

    def asof_large(self) -> None:
        self._is_nearest(3)
        query = "select sum(real) * 3 from {series} where id % 3 = 0"
        self._same("select sum(other) from {out}", query)

"""Arrays too large to keep are made a second time, with the values of the first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.engine.lower import lower
from penstock.engine.nodes.arrays import again
from tests.support.frames import assert_eq

SHAPE, CHUNKS = (40, 6), (5, 3)
VALUES = np.random.default_rng(0).normal(size=SHAPE)


def _drawn() -> Any:
    return da.random.default_rng(0).normal(size=SHAPE, chunks=CHUNKS)


def _read() -> Any:
    return da.from_array(VALUES, CHUNKS)


def _months(x: Any) -> Any:
    picks = [np.arange(k, SHAPE[0], 8) for k in range(8)]  # a few rows of each block
    means = da.stack([x[rows].mean(axis=0) for rows in picks])
    return x - means[np.arange(SHAPE[0]) % 8]


def _runs(x: Any) -> Any:
    means = [x[first + np.array([3, 0, 1])].mean(axis=0) for first in (0, 10, 20, 30)]
    return da.stack(means).sum(axis=0)


SOURCES = {"drawn": _drawn, "read": _read, "program": lambda: _read() * 2 + _drawn()}
CALLS = {
    "less-mean": lambda x: x - x.mean(),
    "standard": lambda x: ((x - x.mean(axis=0)) / x.std(axis=0)).max(axis=1),
    "months": lambda x: _months(x).std(axis=0),
    "parts": _runs,
    "first-row": lambda x: x - x[0],
    "both": lambda x: (x - x.max()) * (x + x.min()),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("source", SOURCES)
def test_values_are_those_of_the_first_time(
    source: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with penstock.config.set({"scheduler": "sync"}):
        known = CALLS[call](da.from_array(SOURCES[source]().compute(), CHUNKS)).compute()
        monkeypatch.setattr(again, "_KEPT_SHARE", 1 << 60)
        np.testing.assert_allclose(CALLS[call](SOURCES[source]()).compute(), known, rtol=1e-12)


def _stages(x: Any, budget: int) -> list[str]:
    lowered = lower([x.plan], budget=budget)
    lowered.lowering.close()
    return [stage.name for stage in lowered.lowering.graph.stages]


def test_only_what_is_large_is_made_again() -> None:
    x = _drawn()
    result = x - x.mean()
    assert "random → subtract" in _stages(result, x.nbytes)
    assert "random → subtract" not in _stages(result, 10 * x.nbytes)
    # nothing waits for all of x here, so that blocks are used while they are there
    assert "random → add" not in _stages(x + da.roll(x, 1, 0), x.nbytes)


def test_picked_elements_follow_the_chunks_of_others() -> None:
    x = _read()
    few = da.from_array(VALUES[:4], (1, 3))
    codes = np.arange(SHAPE[0]) % 4
    result = x * few[codes]
    assert result.chunks == x.chunks
    assert_eq(result, VALUES * VALUES[:4][codes])
    assert len(few[codes].chunks[0]) < SHAPE[0]  # not a chunk for each row
    assert_eq(few[codes].rechunk((7, 2)), VALUES[:4][codes])


def test_what_is_made_in_place_may_be_wider_than_the_blocks() -> None:
    row = da.from_array(np.arange(6), 4)
    assert_eq(da.full(SHAPE, 1, chunks=CHUNKS) + row, np.ones(SHAPE, int) + np.arange(6))
    total = (da.full(SHAPE, 1, chunks=CHUNKS) * row).sum(axis=0)
    assert_eq(total, SHAPE[0] * np.arange(6))
    assert_eq(da.full((3,), 2) + da.asarray(1), np.full(3, 3))
    assert_eq((da.zeros(0) == da.asarray(1.0)).all(), np.True_)

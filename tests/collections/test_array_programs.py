"""Programs of array operations: what is fused, run in tiles, and built without touching chunks."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.engine.kernels.arrays import TILE_BYTES, ElementwiseProgram, constant, reduction
from penstock.errors import UnsupportedError
from penstock.scheduler import spill
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

F8, C16 = np.dtype("f8"), np.dtype("c16")


def test_a_million_chunks_are_built_at_once() -> None:
    began = time.process_time()
    x = da.ones((10_000, 10_000_000), chunks=(10, 10_000))
    y = ((x + 1) * 2)[::2, 5:].T.sum(axis=0)
    z = da.concatenate([x, x]).reshape(-1, 500).mean()
    assert time.process_time() - began < 1
    assert (x.npartitions, y.shape, z.shape) == (1_000_000, (5000,), ())


def test_a_hundred_thousand_chunks_run() -> None:
    total = ((da.ones((1000, 100_000), chunks=(10, 100)) + 1) * 2).sum()
    assert total.compute(scheduler="sync") == 4e8


@pytest.mark.parametrize("name", ["random", "standard_normal", "normal", "uniform", "exponential"])
def test_random_values_are_the_same_in_tiles(name: str) -> None:
    x = getattr(da.random.default_rng(4), name)(size=(3, 90, 401), chunks=(3, 90, 400))
    assert 2 * TILE_BYTES < 3 * 90 * 400 * 8
    drawn = x.compute(scheduler="sync")
    lazy = (x + 0, x.sum(), x.mean(axis=2), (x * 2).max(axis=0), (x - 1).astype("f4"))
    known = (drawn, drawn.sum(), drawn.mean(axis=2), (drawn * 2).max(axis=0),
             (drawn - 1).astype("f4"))  # fmt: skip
    for workers in (1, 3):
        made = penstock.compute(*lazy, scheduler="threads", num_workers=workers)
        assert_eq(made[:4], known[:4])
        np.testing.assert_array_equal(made[4], known[4])


def test_from_creation_to_reduction_is_one_task_for_each_chunk() -> None:
    x = da.random.random((40, 40), chunks=10)
    text = (da.exp(x - da.ones((40, 40), chunks=10)).sum(axis=0) + 1).explain()
    assert "random → full → subtract, exp → sum: 16 tasks" in text
    assert "arange → sum: 4 tasks" in da.arange(8, chunks=2).sum().explain()


@pytest.mark.memory
def test_temporaries_never_have_the_size_of_a_chunk() -> None:
    x = da.random.default_rng(0).random((2000, 2000), chunks=(1000, 1000))
    y = (da.exp(x) * 2 + da.sin(x)).var()
    # neither two chunks nor one and its temporaries would fit
    assert abs(y.compute(memory_limit=limit_leaving(7_000_000)) - 1.0) < 1


@pytest.mark.memory
@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_rechunking_more_than_the_limit(scheduler: str) -> None:
    limit = limit_leaving(40_000_000)
    x = da.random.default_rng(0).random((3000, 4000), chunks=(100, 4000))  # 96 MB
    moved = x.rechunk((3000, 100))
    columns, total = penstock.compute(
        moved.sum(axis=0), x.sum(axis=0), scheduler=scheduler, memory_limit=limit
    )
    assert_eq(columns, total)


@pytest.mark.memory
def test_several_reductions_take_a_block_while_it_is_there() -> None:
    x = da.random.default_rng(0).random((3000, 4000), chunks=(250, 1000))  # 96 MB
    written = spill.directory().written
    mean, deviation, most = penstock.compute(
        x.mean(), x.std(), (x + 1).max(axis=0), memory_limit=limit_leaving(30_000_000)
    )
    assert spill.directory().written == written
    assert abs(mean - 0.5) < 0.01
    assert abs(deviation - 12**-0.5) < 0.01
    assert most.shape == (4000,)


def _shown(block: Any) -> Any:
    return block.real


def test_a_view_of_a_buffer_keeps_it() -> None:
    program = ElementwiseProgram(
        (
            (np.multiply, (("in", 0), constant(1 + 2j)), (), C16),
            (_shown, (("step", 0),), (), F8),
            (np.exp, (("in", 0),), (), C16),
            (np.multiply, (("step", 2), constant(2.0)), (), C16),
            (np.abs, (("step", 3),), (), F8),
            (np.add, (("step", 1), ("step", 4)), (), F8),
        )
    )
    a = np.random.default_rng(0).normal(size=(300, 200)) * (1 + 1j)
    np.testing.assert_allclose(program(a), (a * (1 + 2j)).real + abs(np.exp(a) * 2))


@pytest.mark.parametrize("name", ["sum", "min", "mean", "var", "nanmean", "any", "ptp", "nanmax"])
def test_reductions_add_up_tiles(name: str) -> None:
    a = np.random.default_rng(1).normal(size=(3, 70, 501))
    if name.startswith("nan"):
        a[a > 1] = np.nan
    for axes in [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2), ()]:
        made = reduction(name, axes, F8)
        program = ElementwiseProgram(((np.add, (("in", 0), constant(1.0)), (), F8),))
        state = program.reduced(made)(a)
        count = float(np.prod([a.shape[axis] for axis in axes]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # runs of NaN only
            expected = getattr(np, name)(a + 1, axis=axes)
        np.testing.assert_allclose(made.result(False, count, state), expected, rtol=1e-9)


def test_equal_elements_are_computed_once() -> None:
    calls = []

    def counted(block: Any) -> Any:
        calls.append(np.shape(block))
        return block

    x = da.full((1000, 1000), 3.0, chunks=100)
    assert_eq((da.sqrt(x) + 1).sum(), (np.sqrt(np.full((1000, 1000), 3.0)) + 1).sum())
    block = next((da.sqrt(x) + 1).iter_blocks(scheduler="sync"))
    assert block.flags.writeable
    assert (block == np.sqrt(3.0) + 1).all()
    x.map_blocks(counted, dtype="f8").sum().compute(scheduler="sync")
    assert len([shape for shape in calls if shape == (100, 100)]) == 100


def test_numpy_functions_answer_lazily() -> None:
    a = np.arange(24.0).reshape(4, 6)
    x = da.from_array(a, chunks=(2, 4))
    for function in (
        lambda v: np.concatenate([v, v]), lambda v: np.where(v > 3, v, 0), np.transpose,
        lambda v: np.sum(v, axis=1), np.median, lambda v: np.reshape(v, (8, 3)),
        lambda v: np.stack([v, v]), lambda v: np.clip(v, 2, 5), np.ravel, np.shape, np.ndim,
        lambda v: np.percentile(v, 30), lambda v: np.argmax(v, axis=0), np.nonzero,
        lambda v: np.add.outer(v[0], v[1]), lambda v: v @ v.T, np.real, np.zeros_like,
    ):  # fmt: skip
        made = function(x)
        expected = function(a)
        if isinstance(expected, tuple):
            made = tuple(each.compute() if isinstance(each, da.Array) else each for each in made)
        elif hasattr(made, "compute"):
            assert isinstance(made, da.Array)
            made = made.compute()
        assert_eq(made, expected)
    with pytest.raises(UnsupportedError, match="lazy array"):
        np.busday_count(x, x)


def test_properties_and_methods() -> None:
    a = np.arange(24).reshape(4, 6) + 1j
    x = da.from_array(a, chunks=(2, 4))
    assert_eq((x.real, x.imag, x.T, x.flatten(), x.conj()),
              (a.real, a.imag, a.T, a.flatten(), a.conj()))  # fmt: skip
    y = x.real.astype("i8")
    b = a.real.astype("i8")
    assert_eq([row.sum() for row in y], [row.sum() for row in b])
    assert_eq(y.dot(y.T), b.dot(b.T))
    assert_eq(y.topk(2, axis=1), np.sort(b, axis=1)[:, :-3:-1])
    assert_eq(y.topk(-2, axis=0), np.sort(b, axis=0)[:2])
    assert_eq(y.argtopk(1, axis=1), b.argmax(axis=1)[:, None])
    assert_eq(y.moment(3, axis=0), ((b - b.mean(axis=0)) ** 3).mean(axis=0))
    assert_eq(y.repeat(2, axis=0), b.repeat(2, axis=0))
    assert_eq(y.round(-1), b.round(-1))
    with pytest.raises(TypeError, match="cannot cast"):
        x.astype("f8", casting="safe")
    record = np.zeros(5, dtype=[("a", "i4"), ("b", "f8")])
    record["a"] = np.arange(5)
    z = da.from_array(record, chunks=2)
    assert_eq(z["a"] + 1, record["a"] + 1)
    np.testing.assert_array_equal(z[["b"]].compute(), record[["b"]])


def test_creation_like_numpy() -> None:
    for made, expected in (
        (da.eye(5, 2, M=4, k=1), np.eye(5, 4, 1)),
        (da.linspace(0, 3, 7, chunks=3), np.linspace(0, 3, 7)),
        (da.linspace(0, 3, 7, endpoint=False, chunks=3), np.linspace(0, 3, 7, endpoint=False)),
        (da.tri(4, 6, 1, chunks=3), np.tri(4, 6, 1)),
        (da.indices((3, 4), chunks=2), np.indices((3, 4))),
        (da.full_like(da.ones((2, 3), chunks=1), 7, dtype="i2"), np.full((2, 3), 7, "i2")),
        (da.identity(3), np.identity(3)),
        (
            da.fromfunction(lambda i, j: i * 10 + j, chunks=2, shape=(3, 5)),
            np.fromfunction(lambda i, j: i * 10 + j, (3, 5)),
        ),
        (da.coarsen(np.sum, da.ones((5, 6), chunks=(2, 3)), {0: 2, 1: 3}, trim_excess=True),
         np.full((2, 2), 6.0)),
        (da.tril_indices(3, chunks=2), np.tril_indices(3)),
    ):  # fmt: skip
        if isinstance(expected, tuple):
            made = tuple(each.compute() for each in made)
        assert_eq(made, expected)

"""Rechunking, and whatever else moves elements, with and without forced spilling."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penstock
import penstock.array as da
from penstock.errors import SchemaError, UnsupportedError
from penstock.scheduler import spill
from tests.oracle.arrays import SHAPE, SPILL, check, kept, values
from tests.oracle.test_array_functions import ASSIGNMENTS, INDICES, SHAPES
from tests.support.frames import assert_eq

if TYPE_CHECKING:
    from tests.oracle.arrays import Case

GRIDS: tuple[Any, ...] = (
    -1, (1, 12), (7, 1), (1, 1), ((2, 1, 4), (7, 5)), (3, 5), {0: 2}, {1: (4, 8)}, (None, 3),
    "auto", "80B",
)  # fmt: skip


@pytest.fixture(params=[False, True], ids=["in memory", "spilled"])
def settings_of_run(request: pytest.FixtureRequest) -> Any:
    with penstock.config.set(SPILL if request.param else {}):
        yield request.param


def test_every_grid_to_every_other(settings_of_run: bool) -> None:
    known = values()
    lazy, wanted = [], []
    for before in GRIDS[:6]:
        x = kept(known, chunks=before)
        for after in GRIDS:
            made = x.rechunk(after)
            assert made.shape == SHAPE
            lazy += [made, made.T[::2].rechunk(2)]
            wanted += [known, known.T[::2]]
    for actual, expected in zip(penstock.compute(*lazy), wanted, strict=True):
        assert_eq(actual, expected)


@pytest.mark.parametrize("dtype", ["?", "i1", "f4", "c16", "M8[s]", "S3", "O", "i4,f8"])
def test_every_type_moves(settings_of_run: bool, dtype: str) -> None:
    known = abs(values()).astype("i4").astype(dtype)
    x = kept(known, chunks=(2, 5))
    np.testing.assert_array_equal(x.rechunk((3, 4)).compute(), known)
    np.testing.assert_array_equal(x[[5, 0, 3]].compute(), known[[5, 0, 3]])


def test_spilled_exchanges_move_elements_too() -> None:
    cases: dict[str, Case] = {n: (lambda m, x, i=i: x[i]) for n, i in INDICES.items()}
    cases |= {name: SHAPES[name] for name in SHAPES if name.startswith(("resh", "pad", "insert"))}
    with penstock.config.set(SPILL):
        check(cases, values(), (3, 5))


def test_assignment_leaves_other_arrays_alone() -> None:
    known = values()
    x = kept(known, chunks=3)
    y, z = x, x.copy()
    z[ASSIGNMENTS["slice"][0]] = 0
    assert_eq(x, known)
    y[0] = 1  # one array with two names, as in NumPy
    assert_eq(x[0], np.ones(12))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_sizes_to_any_sizes(data: st.DataObject) -> None:
    def cut(extent: int) -> tuple[int, ...]:
        borders = data.draw(st.sets(st.integers(1, max(1, extent - 1)), max_size=extent))
        edges = [0, *sorted(b for b in borders if b < extent), extent]
        return tuple(b - a for a, b in pairwise(edges))

    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    known = np.arange(np.prod(shape)).reshape(shape)
    x = kept(known, chunks=tuple(map(cut, shape)))
    order = data.draw(st.permutations(range(len(shape))))
    index = tuple(
        data.draw(st.slices(extent) | st.lists(st.integers(-extent, extent - 1), max_size=6))
        if k == 0
        else data.draw(st.slices(extent))
        for k, extent in enumerate(shape)
    )
    after = tuple(map(cut, shape))
    with penstock.config.set(SPILL if data.draw(st.booleans()) else {}):
        made = penstock.compute(
            x.rechunk(after), x.rechunk(after).transpose(order).ravel(), x[index], scheduler="sync"
        )
    np.testing.assert_array_equal(made[0], known)
    np.testing.assert_array_equal(made[1], known.transpose(order).ravel())
    expected = known[tuple(np.array(i, int) if isinstance(i, list) else i for i in index)]
    np.testing.assert_array_equal(made[2], expected)


def test_empty_arrays() -> None:
    known = np.ones((0, 4))
    x = kept(known, chunks=2)
    assert_eq(x.rechunk((1, 4)), known)
    assert_eq(x.reshape(2, 0), known.reshape(2, 0))
    assert_eq(x[:, [1, 2]], known[:, [1, 2]])
    assert_eq(da.concatenate([x, da.ones((2, 4), chunks=1)]), np.ones((2, 4)))


def test_rechunking_to_what_there_is_changes_nothing() -> None:
    x = da.ones((6, 4), chunks=(2, 2))
    assert x.rechunk((2, 2)) is x
    assert x.rechunk({0: None}) is x
    assert x.rechunk((5, 3), balance=True).chunks == ((3, 3), (2, 2))
    assert max(x.rechunk("auto", block_size_limit=64).chunksize) <= 4
    with pytest.raises((SchemaError, ValueError)):
        x.rechunk(((3, 4), 4))


def test_unknown_sizes() -> None:
    known = values()
    x = kept(known, chunks=(3, 5))
    some = x[x > 0]
    assert all(np.isnan(size) for size in some.shape)
    with pytest.raises(UnsupportedError, match="compute_chunk_sizes"):
        some.rechunk(2)
    with pytest.raises(UnsupportedError, match="compute_chunk_sizes"):
        some[3]
    assert_eq((some * 2 + some).sum(), (known[known > 0] * 3).sum())
    assert some.compute_chunk_sizes() is some
    assert some.shape == known[known > 0].shape
    assert_eq(some[3:9:2], known[known > 0][3:9:2])
    assert_eq(some.rechunk(4), known[known > 0])


def test_blocks_and_points() -> None:
    known = values()
    x = kept(known, chunks=(3, 5))
    assert x.blocks.shape == (3, 3)
    assert_eq(x.blocks[1], known[3:6])
    assert_eq(x.blocks[0, 1:], known[:3, 5:])
    assert_eq(x.partitions[:, [2, 0]], known[:, [10, 11, 0, 1, 2, 3, 4]])
    assert_eq(x.blocks.ravel()[4], known[3:6, 5:10])
    rows, columns = [6, 0, 3], [[1], [11]]
    assert_eq(x.vindex[rows, columns], known[np.array(rows), np.array(columns)])
    assert_eq(x.vindex[:, rows], known[:, rows].T)


def test_bad_indices_are_refused() -> None:
    x = da.ones((7, 12), chunks=3)
    for index in ([7], (0, [12]), np.ones(3, bool), "a", 1.5):
        with pytest.raises((IndexError, ValueError, KeyError)):
            x[index]
    with pytest.raises(ValueError, match="cannot assign"):
        x[1:3] = np.ones((3, 12))


@pytest.mark.memory
def test_spilled_pieces_are_read_back_and_removed() -> None:
    known = np.arange(10_000.0).reshape(100, 100)
    x = kept(known, chunks=(10, 100)).rechunk((100, 10))
    with penstock.config.set(SPILL):
        directory = spill.directory()
        used, written = directory.used, directory.written
        assert_eq(x.compute(scheduler="sync"), known)
        assert directory.written - written >= known.nbytes
        assert directory.used == used

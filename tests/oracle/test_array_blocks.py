"""Functions on blocks of arrays: map_blocks, blockwise, overlap, gufuncs, reductions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import penstock.array as da
from penstock.collections.arrays.gufunc import parse_signature
from penstock.errors import SchemaError, UnsupportedError
from tests.support.frames import assert_eq

VALUES = np.random.default_rng(0).normal(size=(11, 7))
CHUNKS: list[Any] = [-1, (3, 2), (1, 7), ((2, 9), (1, 6))]


@pytest.fixture(params=CHUNKS, ids=str)
def chunks(request: pytest.FixtureRequest) -> Any:
    return request.param


# -- map_blocks and blockwise ---------------------------------------------------------------------


def test_map_blocks(chunks: Any) -> None:
    x = da.from_array(VALUES, chunks)
    assert_eq(x.map_blocks(np.negative), -VALUES)
    row = da.from_array(VALUES[0], 3)
    assert_eq(da.map_blocks(np.add, x, row, dtype="f8"), VALUES + VALUES[0])
    assert_eq(da.map_blocks(np.multiply, 3, x), 3 * VALUES)
    assert_eq(x.map_blocks(np.sum, axis=1, drop_axis=1), VALUES.sum(axis=1))
    assert_eq(x.map_blocks(lambda b: b[:, None], new_axis=1), VALUES[:, None])
    twice = tuple(2 * n for n in x.chunks[0])
    repeated = x.map_blocks(np.repeat, 2, axis=0, chunks=(twice, x.chunks[1]), dtype="f8")
    assert_eq(repeated, np.repeat(VALUES, 2, axis=0))
    assert_eq(
        x.map_blocks(lambda b: b.astype("f4"), meta=np.empty((0, 0), "f4")), VALUES.astype("f4")
    )


def test_blocks_are_told_where_they_are(chunks: Any) -> None:
    x = da.from_array(VALUES, chunks)
    seen = []

    def placed(block: Any, other: Any, block_info: Any = None, block_id: Any = None) -> Any:
        info = block_info[0]
        region = tuple(slice(*bounds) for bounds in info["array-location"])
        np.testing.assert_array_equal(block, VALUES[region])
        assert block_id == info["chunk-location"] == block_info[None]["chunk-location"]
        assert info["shape"] == VALUES.shape
        assert info["num-chunks"] == x.numblocks
        assert block_info[None]["chunk-shape"] == block.shape
        assert block_info[None]["dtype"] == np.dtype("f8")
        assert block_info[1]["array-location"] == info["array-location"][1:]
        seen.append(block_id)
        return block

    da.map_blocks(placed, x, da.from_array(VALUES[0], 7), dtype="f8").compute(scheduler="sync")
    assert sorted(seen) == list(np.ndindex(*x.numblocks))


def test_blocks_made_of_nothing() -> None:
    made = da.map_blocks(
        lambda block_id: np.full((2, 3), 10 * block_id[0] + block_id[1]),
        chunks=((2, 2), (3,)), dtype=int,
    )  # fmt: skip
    assert_eq(made, np.repeat([[0], [10]], 2, axis=0) * np.ones((1, 3), int))
    with pytest.raises(ValueError, match="needs chunks"):
        da.map_blocks(np.ones, dtype=int)


def test_functions_that_give_something_else_are_named() -> None:
    x = da.from_array(VALUES, (3, 2))
    with pytest.raises(SchemaError, match=r"halved gave a block of shape \(1, 2\).*\(3, 2\)"):
        x.map_blocks(halved, dtype="f8").compute()
    with pytest.raises(ZeroDivisionError) as caught:
        x.map_blocks(fails)
    assert "run to learn the dtype" in caught.value.__notes__[-1]
    with pytest.raises(ValueError, match="gave a block of 1 axes, not 2"):
        x.map_blocks(np.ravel, dtype="f8", enforce_ndim=True).compute()


def halved(block: np.ndarray) -> np.ndarray:
    return block[: len(block) // 2]


def fails(block: np.ndarray) -> float:
    return 1 / 0


def test_blockwise(chunks: Any) -> None:
    x = da.from_array(VALUES, chunks)
    y = da.from_array(np.ascontiguousarray(VALUES.T), (2, 4))

    def products(rows: list[Any], columns: list[Any], scale: float) -> Any:
        return scale * sum(row @ column for row, column in zip(rows, columns, strict=True))

    lists = da.blockwise(products, "ik", x, "ij", y, "jk", 2.0, None, dtype="f8")
    assert_eq(lists, 2 * VALUES @ VALUES.T)
    joined = da.blockwise(np.dot, "ik", x, "ij", y, "jk", concatenate=True)
    assert_eq(joined, VALUES @ VALUES.T)
    turned = da.blockwise(np.transpose, "ji", x, "ij", dtype="f8")
    assert_eq(turned, VALUES.T)
    stacked = da.blockwise(
        lambda b: np.stack([b, -b], axis=-1), "ijz", x, "ij", new_axes={"z": 2}, dtype="f8"
    )
    assert_eq(stacked, np.stack([VALUES, -VALUES], axis=-1))
    shorter = da.blockwise(
        lambda b: b[:1], "ij", x, "ij", adjust_chunks={"i": lambda n: 1}, dtype="f8"
    )
    starts = np.cumsum([0, *x.chunks[0][:-1]])
    assert_eq(shorter, VALUES[starts])
    with pytest.raises(SchemaError, match="lengths"):
        da.blockwise(np.add, "i", x, "ii", da.ones(3, chunks=1), "i")


# -- overlap --------------------------------------------------------------------------------------

PAD = {"reflect": "symmetric", "periodic": "wrap", "nearest": "edge"}
DEPTHS: list[Any] = [1, (2, 0), {0: (3, 1), 1: (0, 2)}, {0: 4}, {1: 5}]


def _pairs(depth: Any) -> list[tuple[int, int]]:
    if not isinstance(depth, dict):
        depth = dict(enumerate(depth if isinstance(depth, tuple) else (depth, depth)))
    found = [depth.get(axis, 0) for axis in range(2)]
    return [each if isinstance(each, tuple) else (each, each) for each in found]


def _window_sum(block: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Sum over a window; wrong near the edges, where the margins are."""
    total = np.zeros_like(block)
    for rows in range(-pairs[0][0], pairs[0][1] + 1):
        for columns in range(-pairs[1][0], pairs[1][1] + 1):
            total += np.roll(block, (-rows, -columns), (0, 1))
    return total


@pytest.mark.parametrize("depth", DEPTHS, ids=str)
def test_map_overlap(chunks: Any, depth: Any) -> None:
    x = da.from_array(VALUES, chunks)
    pairs = _pairs(depth)
    inside = tuple(
        slice(before, before + n) for (before, _), n in zip(pairs, VALUES.shape, strict=True)
    )
    lazy, expected = [], []
    for boundary in ("reflect", "periodic", "nearest", 5.0):
        how: dict[str, Any] = {"constant_values": boundary}
        if boundary in PAD:
            how = {"mode": PAD[boundary]}
        expected.append(_window_sum(np.pad(VALUES, pairs, **how), pairs)[inside])
        lazy.append(x.map_overlap(_window_sum, pairs, depth=depth, boundary=boundary, dtype="f8"))
        assert lazy[-1].chunks == x.chunks
    assert_eq(da.compute(*lazy), tuple(expected))


def test_overlap_without_a_boundary(chunks: Any) -> None:
    x = da.from_array(VALUES, chunks)
    wide = da.overlap.overlap(x, {0: 2}, "none")
    starts = np.cumsum([0, *x.chunks[0]])
    for number, (start, stop) in enumerate(itertools.pairwise(starts)):
        assert_eq(wide.blocks[number], VALUES[max(0, start - 2) : stop + 2])
    assert_eq(x.map_overlap(np.negative, depth=2, dtype="f8"), -VALUES)
    if chunks != ((2, 9), (1, 6)) and min(x.chunks[0]) > 1:
        assert_eq(da.overlap.trim_internal(wide, {0: 2}, "none"), VALUES)
    reflected = da.overlap.overlap(x, 1, "reflect")
    assert_eq(da.trim_overlap(reflected, 1, "reflect"), VALUES)


def test_several_arrays_overlap(chunks: Any) -> None:
    x, row = da.from_array(VALUES, chunks), da.from_array(VALUES[0], 4)
    made = da.map_overlap(np.add, x, row, depth={1: 1}, boundary="periodic", dtype="f8")
    assert_eq(made, VALUES + VALUES[0])
    summed = da.map_overlap(
        lambda b: b[:, 1:-1].sum(axis=1), x.rechunk({1: -1}), depth={1: 1}, boundary=0,
        drop_axis=1, dtype="f8",
    )  # fmt: skip
    assert_eq(summed, VALUES.sum(axis=1))
    untrimmed = x.map_overlap(np.negative, depth=1, boundary=0, trim=False, dtype="f8")
    assert untrimmed.shape == tuple(
        n + 2 * len(sizes) for n, sizes in zip(VALUES.shape, x.chunks, strict=True)
    )


def test_depths_that_cannot_be() -> None:
    x = da.from_array(VALUES, 3)
    with pytest.raises(ValueError, match="depth of 12 along axis 0 of 11"):
        da.overlap.overlap(x, {0: 12}, "reflect")
    with pytest.raises(ValueError, match="boundary"):
        da.overlap.overlap(x, 1, "mirror")


# -- gufuncs --------------------------------------------------------------------------------------


def test_signatures() -> None:
    assert parse_signature("(i, j),(j_2)->(i),()") == ([("i", "j"), ("j_2",)], [("i",), ()])
    assert parse_signature("->(i)") == ([], [("i",)])
    for text in ("(i)", "i->()", "(i->()", "(i),->()"):
        with pytest.raises(ValueError, match="signature"):
            parse_signature(text)


def test_gufuncs() -> None:
    a = np.random.default_rng(1).normal(size=(4, 5, 6))
    b = a[0]
    x, y = da.from_array(a, (2, 2, 6)), da.from_array(b, (2, 6))
    assert_eq(_mean(x), a.mean(-1))
    mean, spread = da.apply_gufunc(lambda v: (v.mean(-1), v.std(-1)), "(i)->(),()", x)
    assert_eq((mean + spread), a.mean(-1) + a.std(-1))
    outer = da.apply_gufunc(
        lambda p, q: p[..., :, None] * q[..., None, :], "(i),(j)->(i,j)", x, y, output_dtypes=float
    )
    assert_eq(outer, a[..., :, None] * b[..., None, :])
    z = da.from_array(a, (4, 2, 3))
    assert_eq(_mean(z, axis=0), a.mean(0))
    assert_eq(_mean(z, axis=0, keepdims=True), a.mean(0, keepdims=True))
    running = da.apply_gufunc(lambda v: v.cumsum(-1), "(i)->(i)", z, axis=0)
    assert running.chunks == z.chunks
    assert_eq(running, a.cumsum(0))
    moved = da.apply_gufunc(
        np.matmul, "(n,k),(k,m)->(n,m)", da.from_array(a, (1, 5, 6)), da.from_array(b.T.copy(), -1),
        axes=[(1, 2), (0, 1), (0, 1)],
    )  # fmt: skip
    assert_eq(moved, np.moveaxis(a @ b.T, 0, 2))
    assert_eq(_mean(x, vectorize=True, output_dtypes=float), a.mean(-1))
    total = da.gufunc(lambda v: v.sum(-1), signature="(i)->()", output_dtypes=float)
    assert_eq(total(x), a.sum(-1))
    made = da.apply_gufunc(
        lambda v: np.stack([v, v], -1), "()->(k)", y, output_sizes={"k": 2}, output_dtypes=float
    )
    assert_eq(made, np.stack([b, b], -1))


def _mean(x: Any, **options: Any) -> Any:
    return da.apply_gufunc(lambda v: v.mean(axis=-1), "(i)->()", x, **options)


def test_gufuncs_check_their_core_dimensions() -> None:
    x = da.from_array(VALUES, (3, 2))
    with pytest.raises(ValueError, match=r"'i' of input 0 is in 4 chunks.*allow_rechunk"):
        _mean(x)
    assert_eq(_mean(x, allow_rechunk=True), VALUES.mean(axis=-1))
    with pytest.raises(ValueError, match="lengths 11 and 7"):
        da.apply_gufunc(np.add, "(i),(i)->(i)", x[:, 0], x[0], allow_rechunk=True)
    with pytest.raises(ValueError, match="output_sizes"):
        da.apply_gufunc(np.add, "()->(k)", x)
    with pytest.raises(ValueError, match="only one of"):
        _mean(x, axis=0, axes=[(0,), ()])


# -- reductions made of functions -----------------------------------------------------------------


@pytest.mark.parametrize("split_every", [None, 2])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_reduction(chunks: Any, axis: Any, split_every: Any) -> None:
    x = da.from_array(VALUES, chunks)
    for keepdims in (False, True):
        options = {"axis": axis, "keepdims": keepdims, "dtype": "f8", "split_every": split_every}
        assert_eq(
            da.reduction(x, np.sum, np.sum, **options), VALUES.sum(axis=axis, keepdims=keepdims)
        )
        listed = da.reduction(x, np.max, _end, combine=_most, concatenate=False, **options)
        assert_eq(listed, VALUES.max(axis=axis, keepdims=keepdims))
    weighted = da.reduction(
        x, lambda b, weights, **how: np.sum(b * weights, **how), np.sum, axis=axis, dtype="f8",
        weights=da.from_array(VALUES[0], 3),
    )  # fmt: skip
    assert_eq(weighted, (VALUES * VALUES[0]).sum(axis=axis))


def _most(parts: Any, axis: Any, keepdims: bool) -> Any:
    return np.max(np.stack(parts) if isinstance(parts, list) else parts[None], axis=0)


def _end(parts: Any, axis: Any, keepdims: bool) -> Any:
    return _most(parts, axis, keepdims).max(axis=axis, keepdims=keepdims)


def test_reduction_needs_a_dtype() -> None:
    with pytest.raises(ValueError, match="dtype"):
        da.reduction(da.ones(3), np.sum, np.sum)
    with pytest.raises(UnsupportedError, match="out="):
        da.reduction(da.ones(3), np.sum, np.sum, dtype="f8", out=da.ones(()))  # type: ignore[arg-type]


# -- chunks ---------------------------------------------------------------------------------------


def test_functions_of_chunks() -> None:
    assert da.normalize_chunks(((2, 3), (4,))) == ((2, 3), (4,))
    assert da.normalize_chunks("auto", (100,), limit=80, dtype="f8") == ((10,) * 10,)
    assert da.core.normalize_chunks({0: 40}, (100, 3)) == ((40, 40, 20), (3,))
    stored = da.normalize_chunks("auto", (100,), limit=400, dtype="f8", previous_chunks=((30, 70),))
    assert stored == ((70, 30),)
    with pytest.raises(SchemaError, match="shape"):
        da.normalize_chunks(3)
    x, y = da.from_array(VALUES, (4, 7)), da.from_array(VALUES[:, 0], 3)
    chunks, arrays = da.unify_chunks(x, "ij", y, "i")
    assert chunks == {"i": (3, 1, 2, 2, 1, 2), "j": (7,)}
    assert_eq(arrays[1], VALUES[:, 0])
    order = [[4, 0], [1, 2, 3], [10, 9, 8, 7], [5, 6]]
    mixed = da.shuffle(x, order, axis=0)
    assert mixed.chunks[0] == (2, 3, 4, 2)
    assert_eq(mixed, VALUES[np.concatenate(order)])

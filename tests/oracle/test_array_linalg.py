"""Products, factorisations and systems of equations against NumPy, over chunkings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.engine.nodes.arrays import contract
from penstock.errors import SchemaError, UnsupportedError
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(12, 8)), RNG.normal(size=(8, 10))
PAIRS: list[Any] = [((3, 2), (2, 5)), ((12, 2), (4, 10)), (-1, -1), ((1, 8), ((3, 5), (1, 9)))]
CLOSE = {"rtol": 1e-8, "atol": 1e-9}


@pytest.fixture(params=PAIRS, ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    first, second = request.param
    return da.from_array(A, first), da.from_array(B, second)


# -- products -------------------------------------------------------------------------------------


def test_products(pair: tuple[Any, Any]) -> None:
    x, y = pair
    assert_eq(x @ y, A @ B)
    assert_eq(x @ B, A @ B)
    assert_eq(np.dot(x, y), A @ B)
    assert_eq(x.dot(y[:, 0]), A @ B[:, 0])
    assert_eq(da.tensordot(x, y, axes=((1,), (0,))), A @ B)
    assert_eq(da.tensordot(x, x, axes=2), np.tensordot(A, A, axes=2)[()])
    assert_eq(da.tensordot(x, x, axes=((0,), (0,))), A.T @ A)
    assert_eq(x.T @ x, A.T @ A)
    assert_eq(da.vdot(x, x), np.vdot(A, A))
    assert_eq(da.inner(x, y.T), np.inner(A, B.T))
    assert_eq(da.outer(x[0], y[0]), np.outer(A[0], B[0]))


@pytest.mark.parametrize("chunks", [12, 5, (5, 8), (1, 3), ((7, 2, 3), (6, 2))], ids=str)
@pytest.mark.parametrize("dtype", ["f8", "c16", "i4"])
def test_a_matrix_times_its_own_transpose(chunks: Any, dtype: str) -> None:
    a = (A * 5).astype(dtype)
    x = da.from_array(a, chunks)
    assert_eq(x @ x.T, a @ a.T)
    assert_eq(x.T @ x, a.T @ a)
    assert_eq((x + 1) @ (x + 1).T, (a + 1) @ (a + 1).T)
    product = (x @ x.T).compute()
    np.testing.assert_array_equal(product, product.T)


def test_half_of_a_symmetric_product_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    original = contract._add_product

    def add_product(function: Any, width: int, *values: Any) -> Any:
        shapes.append(values[0].shape)
        return original(function, width, *values)

    monkeypatch.setattr(contract, "_add_product", add_product)
    x = da.from_array(A, (2, 4))
    assert_eq(x @ x.T, A @ A.T)
    assert len(shapes) == 2 * (6 * 7 // 2)
    shapes.clear()
    assert_eq(x @ (2 * x).T, A @ (2 * A).T)
    assert len(shapes) == 2 * 6 * 6


def test_stacks_of_matrices() -> None:
    a, b = RNG.normal(size=(3, 4, 5)), RNG.normal(size=(3, 5, 6))
    x, y = da.from_array(a, (1, 2, 5)), da.from_array(b, (2, 5, 3))
    assert_eq(x @ y, a @ b)
    assert_eq(x @ b[0], a @ b[0])
    assert_eq(x[0] @ y, a[0] @ b)
    assert_eq(da.matmul(x, b[0, :, 0]), a @ b[0, :, 0])
    assert_eq(da.dot(x, y[0]), np.dot(a, b[0]))
    assert_eq(da.tensordot(x, y, axes=((0, 2), (0, 1))), np.tensordot(a, b, axes=((0, 2), (0, 1))))


@pytest.mark.parametrize("dtype", ["?", "i4", "u1", "f4", "c16"])
def test_types_of_products(dtype: str) -> None:
    a, b = (A > 0).astype(dtype) * 3, (B > 0).astype(dtype) * 2
    a, b = a.astype(dtype), b.astype(dtype)
    if dtype == "c16":
        a, b = a * 1j, b + 1j
    assert_eq(da.from_array(a, (3, 3)) @ da.from_array(b, (2, 5)), a @ b)
    assert_eq(da.vdot(da.from_array(a, (3, 3)), a), np.vdot(a, a))


def test_products_that_do_not_fit() -> None:
    x = da.from_array(A, 3)
    with pytest.raises(ValueError, match=r"\(12, 8\) and \(12, 8\)"):
        x @ x
    with pytest.raises(ValueError, match="tensordot"):
        da.tensordot(x, x, axes=1)
    with pytest.raises(SchemaError, match="lengths"):
        da.einsum("ij,ij", x, x.T)


def test_products_of_arrays_of_unknown_length() -> None:
    x = da.from_array(A, (5, 8))
    some, known = x[x[:, 0] > 0], A[A[:, 0] > 0]
    assert_eq(some @ B, known @ B)
    assert_eq(some.T @ some, known.T @ known)
    with pytest.raises(UnsupportedError, match="compute_chunk_sizes"):
        da.linalg.qr(some)


SUBSCRIPTS = [
    "ij,jk->ik",
    "ij,jk->ki",
    "ij,jk",
    "ij,jk->",
    "ij,jk->j",
    "...j,j...->...",
    "ij, jk -> ijk",
]


@pytest.mark.parametrize("subscripts", SUBSCRIPTS)
def test_einsum(pair: tuple[Any, Any], subscripts: str) -> None:
    x, y = pair
    other, given = (y[:, 0], B[:, 0]) if "j..." in subscripts else (y, B)
    assert_eq(da.einsum(subscripts, x, other), np.einsum(subscripts, A, given))


def test_einsum_of_one_and_of_many(pair: tuple[Any, Any]) -> None:
    x, y = pair
    square = x[:8]
    assert_eq(da.einsum("ii", square), np.einsum("ii", A[:8]))
    assert_eq(da.einsum("ii->i", square), np.einsum("ii->i", A[:8]))
    assert_eq(da.einsum("ji", x), A.T)
    assert_eq(da.einsum(x, [0, 1], y, [1, 2], [0, 2]), A @ B)
    for optimize in (None, False, "greedy"):
        chain = da.einsum("ij,jk,lk,l->i", x, y, y.T.T, y[:, 3], optimize=optimize)
        assert_eq(chain, A @ B @ B.T @ B[:, 3])
    assert_eq(np.einsum("ij,jk->ik", x, y), A @ B)
    for wrong in ("ij,jk->iz", "ij->ij", "ij,j"):
        with pytest.raises(ValueError, match="einsum"):
            da.einsum(wrong, x, y)


@pytest.mark.memory
def test_products_larger_than_memory() -> None:
    n = 1600  # 20 MB each
    x = da.random.default_rng(0).random((n, n), chunks=(200, 200))
    total = (x @ x.T).sum()
    expected = x.compute()
    result = total.compute(memory_limit=limit_leaving(15_000_000))
    assert_eq(result, (expected @ expected.T).sum())


# -- factorisations -------------------------------------------------------------------------------

SHAPES: list[Any] = [
    ((20, 5), (4, 5)), ((20, 5), (3, 2)), ((5, 20), (5, 4)), ((5, 20), (2, 6)), ((7, 7), (3, 3)),
    ((100, 3), (1, 3)), ((4, 4), -1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["f8", "c16", "f4", "i8"])
@pytest.mark.parametrize(("shape", "chunks"), SHAPES, ids=str)
def test_qr_and_svd(shape: tuple[int, int], chunks: Any, dtype: str) -> None:
    a = (RNG.normal(size=shape) * 5).astype(dtype)
    if dtype == "c16":
        a = a + 1j * RNG.normal(size=shape)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == "f4" else CLOSE
    x = da.from_array(a, chunks)
    k = min(shape)
    q, r = da.linalg.qr(x)
    assert (q.shape, r.shape) == ((shape[0], k), (k, shape[1]))
    q_made, r_made = da.compute(q, r)
    assert q_made.dtype == r_made.dtype == q.dtype == np.linalg.qr(a)[0].dtype
    np.testing.assert_allclose(q_made @ r_made, a, **close)
    np.testing.assert_allclose(q_made.conj().T @ q_made, np.eye(k), **close)
    np.testing.assert_array_equal(r_made, np.triu(r_made))
    u, s, vh = da.linalg.svd(x)
    assert (u.shape, s.shape, vh.shape) == ((shape[0], k), (k,), (k, shape[1]))
    u_made, s_made, v_made = da.compute(u, s, vh)
    np.testing.assert_allclose((u_made * s_made) @ v_made, a, **close)
    np.testing.assert_allclose(s_made, np.linalg.svd(a)[1], **close)
    assert s_made.dtype == s.dtype == np.linalg.svd(a)[1].dtype


def test_compressed_svd() -> None:
    a = RNG.normal(size=(40, 3)) @ RNG.normal(size=(3, 30))
    x = da.from_array(a, (10, 7))
    for options in (
        {},
        {"iterator": "QR", "n_power_iter": 2},
        {"compute": True, "n_power_iter": 1},
    ):
        u, s, vh = da.compute(*da.linalg.svd_compressed(x, 3, seed=1, **options))
        np.testing.assert_allclose((u * s) @ vh, a, atol=1e-9)
        np.testing.assert_allclose(s, np.linalg.svd(a)[1][:3])


SQUARES: list[Any] = [(12, (5, 4)), (12, -1), (9, (2, 3)), (40, (7, 7))]


@pytest.mark.parametrize(("n", "chunks"), SQUARES, ids=str)
def test_square_matrices(n: int, chunks: Any) -> None:
    a = RNG.normal(size=(n, n))
    positive = a @ a.T + np.eye(n)
    x, p = da.from_array(a, chunks), da.from_array(positive, chunks)
    assert_eq(da.linalg.cholesky(p, lower=True), np.linalg.cholesky(positive), **CLOSE)
    assert_eq(da.linalg.cholesky(p), np.linalg.cholesky(positive).T, **CLOSE)
    permutation, lower, upper = da.compute(*da.linalg.lu(x))
    np.testing.assert_allclose(permutation @ lower @ upper, a, **CLOSE)
    np.testing.assert_array_equal(lower, np.tril(lower))
    np.testing.assert_array_equal(upper, np.triu(upper))
    np.testing.assert_array_equal(np.diagonal(lower), np.ones(n))
    assert np.abs(lower).max() <= 1  # as pivots of whole columns make it
    assert_eq(da.linalg.inv(x), np.linalg.inv(a), rtol=1e-6, atol=1e-8)
    for b in (RNG.normal(size=n), RNG.normal(size=(n, 6))):
        y = da.from_array(b, 4)
        assert_eq(da.linalg.solve(x, y), np.linalg.solve(a, b), rtol=1e-6, atol=1e-8)
        solved = da.linalg.solve(p, y, assume_a="pos")
        assert_eq(solved, np.linalg.solve(positive, b), rtol=1e-6, atol=1e-8)
        for triangle, below in ((np.tril(positive), True), (np.triu(positive), False)):
            found = da.linalg.solve_triangular(p, y, lower=below)
            assert_eq(found, np.linalg.solve(triangle, b), rtol=1e-6, atol=1e-8)
        tall = RNG.normal(size=(n, 5))
        made = da.compute(*da.linalg.lstsq(da.from_array(tall, (4, 2)), y))
        x_known, residuals, rank, s = np.linalg.lstsq(tall, b, rcond=None)
        np.testing.assert_allclose(made[0], x_known, **CLOSE)
        np.testing.assert_allclose(made[1], residuals, **CLOSE)
        assert made[2] == rank
        np.testing.assert_allclose(made[3], s, **CLOSE)


def test_rechunking_may_spill() -> None:
    a, b = RNG.normal(size=(12, 12)), RNG.normal(size=(12, 3))
    x, y = (da.from_array(each, (5, 2)).map_blocks(np.copy, dtype="f8") for each in (a, b))
    with penstock.config.set({"exchange-memory": "100B"}):
        assert_eq(da.linalg.solve(x, y), np.linalg.solve(a, b), **CLOSE)
        assert_eq(x.rechunk((3, 7)) @ y, a @ b)
        q, r = da.compute(*da.linalg.qr(x))
        np.testing.assert_allclose(q @ r, a, **CLOSE)


def test_a_zero_on_the_diagonal_is_no_obstacle() -> None:
    a = np.kron(np.eye(3), [[0.0, 1.0], [2.0, 0.0]])
    assert_eq(da.linalg.inv(da.from_array(a, 1)), np.linalg.inv(a))


def test_matrices_without_an_answer() -> None:
    ones = da.ones((4, 4), chunks=2)
    for call in (da.linalg.inv, da.linalg.cholesky, lambda x: da.linalg.solve(x, da.ones(4))):
        with pytest.raises(np.linalg.LinAlgError):
            call(ones).compute()
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        da.linalg.inv(da.ones((3, 4)))
    with pytest.raises(np.linalg.LinAlgError, match="right side"):
        da.linalg.solve(ones, da.ones(3))
    with pytest.raises(np.linalg.LinAlgError, match="too few"):
        da.linalg.lstsq(da.ones((3, 4)), da.ones(3))


@pytest.mark.parametrize("keepdims", [False, True])
def test_norms(keepdims: bool) -> None:
    x = da.from_array(A, (5, 3))
    for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        assert_eq(
            da.linalg.norm(x, order, keepdims=keepdims), np.linalg.norm(A, order, keepdims=keepdims)
        )
    for order in (None, 0, 1, -1, 2, 3, np.inf, -np.inf, 0.5):
        made = da.linalg.norm(x, order, axis=1, keepdims=keepdims)
        assert_eq(made, np.linalg.norm(A, order, axis=1, keepdims=keepdims))
    assert_eq(np.linalg.norm(x), np.linalg.norm(A))
    with pytest.raises(ValueError, match="norm"):
        da.linalg.norm(x, "fro", axis=0)


@pytest.mark.parametrize("chunks", [(3, 2), -1], ids=str)
def test_what_follows_from_factors(chunks: Any) -> None:
    a = RNG.normal(size=(7, 7))
    x, tall = da.from_array(a, chunks), da.from_array(A, chunks)
    assert_eq(da.linalg.det(x), np.linalg.det(a), **CLOSE)
    assert_eq(da.compute(*da.linalg.slogdet(-x)), tuple(np.linalg.slogdet(-a)), **CLOSE)
    assert da.linalg.det(da.ones((4, 4), chunks=2)).compute() == 0
    turned = a[[1, 0, 2, 3, 4, 6, 5]] * 1j
    assert_eq(da.linalg.det(da.from_array(turned, 3)), np.linalg.det(turned), **CLOSE)
    assert_eq(da.linalg.pinv(tall), np.linalg.pinv(A), **CLOSE)
    assert_eq(da.linalg.matrix_rank(tall), np.linalg.matrix_rank(A))
    low = A[:, :2] @ B[:2]
    assert_eq(da.linalg.matrix_rank(da.from_array(low, 4)), np.int64(2))
    assert_eq(da.linalg.pinv(da.from_array(low, 4)), np.linalg.pinv(low), **CLOSE)
    assert_eq(da.linalg.svdvals(tall), np.linalg.svdvals(A), **CLOSE)
    for power in (-1, 0, 1, 5):
        made = da.linalg.matrix_power(x, power)
        assert_eq(made, np.linalg.matrix_power(a, power), rtol=1e-7, atol=1e-8)
    y = da.from_array(B, 3)
    assert_eq(da.linalg.multi_dot([tall, y, y.T, y]), np.linalg.multi_dot([A, B, B.T, B]), **CLOSE)
    assert_eq(da.linalg.multi_dot([tall[0], y, B.T]), np.linalg.multi_dot([A[0], B, B.T]), **CLOSE)
    for order in (2, 1, np.inf):
        assert_eq(da.linalg.vector_norm(tall, ord=order), np.linalg.vector_norm(A, ord=order))
        assert_eq(
            da.linalg.vector_norm(tall, axis=0, ord=order),
            np.linalg.vector_norm(A, axis=0, ord=order),
        )
        assert_eq(da.linalg.matrix_norm(tall, ord=order), np.linalg.matrix_norm(A, ord=order))
    assert_eq(np.linalg.det(x), np.linalg.det(a), **CLOSE)


def test_blas_threads_do_not_multiply() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads() -> list[int]:
        info = threadpoolctl.threadpool_info()
        return [each["num_threads"] for each in info if each["user_api"] == "blas"]

    before = threads()
    x = da.ones(4, chunks=1).map_blocks(lambda b: b * max(threads()), dtype="f8")
    assert x.compute(scheduler="threads", num_workers=2).max() == 1
    assert threads() == before
    assert x.compute(scheduler="sync").max() == max(before)

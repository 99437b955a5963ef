"""QR factors and singular values of matrices in blocks of rows or columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from penstock.collections.arrays.align import single_chunk
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.products import matmul, tensordot
from penstock.collections.arrays.program import FIRST, SECOND, THIRD, Program, factor_dtype, matrix
from penstock.collections.arrays.stacks import is_stack, qrs, svds
from penstock.collections.arrays.storage import asarray
from penstock.engine.kernels.arrays import linalg as kernels
from penstock.engine.nodes.arrays.program import Ref

_STACKED = 8  # triangular factors that are joined by one call


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Any
    S: Any
    Vh: Any


def qr(a: Any, mode: str = "reduced") -> QRResult:
    """Return the QR factors of a matrix.

    A tall matrix is factored by blocks of rows whose triangles are joined in a
    tree, a wide one by its first columns. One in blocks both ways is rechunked.

    Parameters
    ----------
    a : Array
        Each matrix of a stack is taken in one piece.
    mode : {"reduced", "complete"}
        A complete Q has as many columns as rows; the matrix is then taken in one piece.

    Returns
    -------
    QRResult

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> x = da.random.default_rng(0).random((6, 2), chunks=(2, 2))
    >>> q, r = da.linalg.qr(x)
    >>> bool(np.allclose(q.compute() @ r.compute(), x.compute()))
    True
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"mode must be 'reduced' or 'complete', not {mode!r}")
    given = asarray(a)
    if is_stack(given) or mode == "complete":
        return QRResult(*qrs(given, mode))
    array = matrix(given, "qr")
    if array.shape[0] < array.shape[1] and len(array.chunks[1]) > 1:
        return QRResult(*sfqr(array))
    return QRResult(*tsqr(array))


def tsqr(data: Any, compute_svd: bool = False, **kwargs: Any) -> tuple[Array, ...]:
    """Return the QR factors of a matrix of many rows, or its singular value decomposition.

    Parameters
    ----------
    data : Array
    compute_svd : bool
        Give ``u, s, vh`` in place of ``q, r``.
    **kwargs
        Dask's ``name`` is accepted and not needed.

    Returns
    -------
    tuple of Array
    """
    if compute_svd:
        return svd(data, coerce_signs=False)
    array = by_rows(matrix(data, "qr"))
    program = Program("qr", array)
    rows, n = array.chunks[0], array.shape[1]
    q, r, size = tall_qr(program, list(program.blocks()[:, 0]), rows, n)
    dtype = factor_dtype(array.dtype)
    program.result(q, (rows, (size,)), dtype)
    program.result([r], ((size,), (n,)), dtype)
    return tuple(program.arrays(_STACKED * n * n * dtype.itemsize))


def by_rows(array: Array) -> Array:
    """Return a matrix in blocks of whole rows, not larger than they were."""
    if len(array.chunks[1]) == 1:
        return array
    n = max(1, array.shape[1])
    rows = max(n, array.plan.schema.block_nbytes // (array.itemsize * n))
    return array.rechunk({0: min(max(1, array.shape[0]), rows), 1: -1})


def tall_qr(
    program: Program, blocks: Sequence[Ref], rows: Sequence[int], n: int
) -> tuple[list[Ref], Ref, int]:
    """Return the blocks of Q, the one of R, and how many rows that has."""
    factors = [program.pair(kernels.qr, block) for block in blocks]
    sizes = [min(size, n) for size in rows]
    small, r, size = _join_factors(program, [r for _, r in factors], sizes, n)
    q = [
        left if right is None else program.add(partial(kernels.product, None, None), left, right)
        for (left, _), right in zip(factors, small, strict=True)
    ]
    return q, r, size


def _join_factors(
    program: Program, factors: list[Ref], sizes: list[int], n: int
) -> tuple[list[Ref | None], Ref, int]:
    """Return what each block of Q is to be multiplied with, the triangle, and its rows."""
    if len(factors) == 1:
        return [None], factors[0], sizes[0]
    joined, triangles, heights = [], [], []
    for start in range(0, len(factors), _STACKED):
        q, r = program.pair(kernels.stacked_qr, *factors[start : start + _STACKED])
        joined.append(q)
        triangles.append(r)
        heights.append(min(n, sum(sizes[start : start + _STACKED])))
    above, r, size = _join_factors(program, triangles, heights, n)
    result: list[Ref | None] = []
    for number, (q, right) in enumerate(zip(joined, above, strict=True)):
        stop = 0
        for height in sizes[number * _STACKED : (number + 1) * _STACKED]:
            start, stop = stop, stop + height
            part = program.add(partial(kernels.rows_of, start, stop), q)
            if right is not None:
                part = program.add(partial(kernels.product, None, None), part, right)
            result.append(part)
    return result, r, size


def sfqr(data: Any, name: Any = None) -> tuple[Array, Array]:
    """Return the QR factors of a matrix of many columns, whose rows are in one chunk.

    Parameters
    ----------
    data : Array
    name : object
        Accepted for compatibility.

    Returns
    -------
    q, r : Array
    """
    array = single_chunk(matrix(data, "qr"), [0])
    m, n = array.shape
    first = min(m, n)
    if array.chunks[1][0] < first:  # as many columns as there are rows make up Q
        rest = [cut for cut in accumulate(array.chunks[1]) if cut > first]
        cuts = [first, *rest]
        array = array.rechunk({1: tuple(b - a for a, b in zip([0, *cuts], cuts, strict=False))})
    program = Program("qr", array)
    blocks = list(program.blocks()[0])
    q, r = program.pair(kernels.qr, blocks[0])
    parts = [r, *(program.add(kernels.adjoint_product, q, block) for block in blocks[1:])]
    dtype = factor_dtype(array.dtype)
    program.result([q], ((m,), (first,)), dtype)
    program.result(parts, ((first,), array.chunks[1]), dtype)
    made = program.arrays()
    return made[0], made[1]


# -- singular values ----------------------------------------------------------------------------


def svd(a: Any, coerce_signs: bool = True, full_matrices: bool = False) -> SVDResult:
    """Return the reduced singular value decomposition of a matrix.

    Parameters
    ----------
    a : Array
        Exact for any shape; the smaller of its two lengths must fit in memory,
        squared. Each matrix of a stack is taken in one piece.
    coerce_signs : bool
        Choose the signs of the vectors, so that they do not depend on chunks.
    full_matrices : bool
        Give square ones, of which the larger has as many elements as the
        larger length squared; the matrix is then taken in one piece.

    Returns
    -------
    SVDResult

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> u, s, vh = da.linalg.svd(da.ones((4, 2), chunks=(2, 2)))
    >>> np.round(s.compute(), 6) + 0.0
    array([2.828427, 0.      ])
    """
    given = asarray(a)
    if is_stack(given) or full_matrices:
        return SVDResult(*svds(given, full_matrices))
    array = matrix(given, "svd")
    m, n = array.shape
    dtype = factor_dtype(array.dtype)
    real = np.dtype(dtype.char.lower())
    wide = m < n
    array = single_chunk(array, [0]) if wide else by_rows(array)
    program = Program("svd", array)
    blocks = list(program.blocks().ravel())
    cuts = array.chunks[1] if wide else array.chunks[0]
    if wide:
        blocks = [program.add(kernels.adjoint, block) for block in blocks]
    q, r, size = tall_qr(program, blocks, cuts, min(m, n))
    small = program.add(partial(kernels.svd, not wide, coerce_signs), r)
    u, s, vh = (program.add(pick, small) for pick in (FIRST, SECOND, THIRD))
    if wide and coerce_signs:  # the small matrix is the left one then
        small = program.add(partial(kernels.svd, True, True), r)
        u, s, vh = (program.add(pick, small) for pick in (FIRST, SECOND, THIRD))
    long = [program.add(partial(kernels.product, None, None), block, u) for block in q]
    if wide:
        program.result([program.add(kernels.adjoint, vh)], ((m,), (size,)), dtype)
        program.result([s], ((size,),), real)
        parts = [program.add(kernels.adjoint, block) for block in long]
        program.result(parts, ((size,), cuts), dtype)
    else:
        program.result(long, (cuts, (size,)), dtype)
        program.result([s], ((size,),), real)
        program.result([vh], ((size,), (n,)), dtype)
    made = program.arrays(_STACKED * size * size * dtype.itemsize)
    return SVDResult(made[0], made[1], made[2])


def svd_compressed(
    a: Any, k: int, iterator: str = "power", n_power_iter: int = 0, n_oversamples: int = 10,
    seed: Any = None, compute: bool = False, coerce_signs: bool = True,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return the `k` largest singular values and their vectors, by random projection.

    Parameters
    ----------
    a : Array
        In chunks both ways, if need be.
    k : int
    iterator : {"power", "QR", "none"}
        How accuracy is improved; "QR" keeps more digits.
    n_power_iter : int
        How often the matrix is gone through again.
    n_oversamples : int
        Further vectors that are computed and left out.
    seed : int or generator of `da.random`, optional
    compute : bool
        Keep intermediate products with `persist`, to compute them once.
    coerce_signs : bool
        Choose the signs of the vectors.

    Returns
    -------
    u, s, vh : Array
    """
    from penstock.collections.arrays.random import RandomState, default_rng

    array = matrix(a, "svd_compressed")
    if iterator not in ("power", "QR", "none"):
        raise ValueError(f"iterator must be 'power', 'QR' or 'none', not {iterator!r}")
    m, n = array.shape
    width = min(m, n, k + n_oversamples)
    rng = seed if isinstance(seed, RandomState) else default_rng(seed)
    omega = rng.standard_normal(size=(n, width), chunks=(array.chunks[1], (width,)))
    kept = _kept if compute else _as_it_is
    product = kept(matmul(array, omega.astype(factor_dtype(array.dtype))))
    for _ in range(0 if iterator == "none" else n_power_iter):
        if iterator == "QR":
            product = tsqr(product)[0]
        back = kept(_adjoint_times(array, product))
        if iterator == "QR":
            back = tsqr(back)[0]
        product = kept(matmul(array, back))
    q, _ = tsqr(product)
    u, s, vh = svd(kept(_adjoint_times(q, array)), coerce_signs=coerce_signs)
    return matmul(q, u)[:, :k], s[:k], vh[:k]


def _adjoint_times(left: Array, right: Array) -> Array:
    conjugate = np.conj(left) if left.dtype.kind == "c" else left
    return tensordot(conjugate, right, axes=((0,), (0,)))


def _kept(array: Array) -> Array:
    return array.persist()


def _as_it_is(array: Array) -> Array:
    return array

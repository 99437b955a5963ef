"""Linear algebra of stacks of matrices: each matrix in one piece, by NumPy's function.

The matrices are those of the last two axes. They share a block with their neighbours along the
other axes, and a block's working set is declared, so that a matrix which is too large for memory
is refused; a single large matrix goes to the functions in blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.gufunc import apply_gufunc
from penstock.collections.arrays.program import factor_dtype
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.engine.nodes.arrays.blockwise import PickArray

_COPIES = 6.0
"""What LAPACK takes beside the matrix, for singular vectors the most, in matrices."""


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Any
    eigenvectors: Any


def is_stack(array: Array) -> bool:
    """Return whether an array is not a single matrix with elements."""
    return array.ndim > 2 or 0 in array.shape


def each_matrix(
    function: Callable[..., Any],
    signature: str,
    *arrays: Array,
    dtypes: Any,
    sizes: dict[str, int] | None = None,
) -> Any:
    """Return what `function` gives for the matrices of `arrays`; see `apply_gufunc`.

    Raises
    ------
    numpy.linalg.LinAlgError
        When an array has less than two axes.
    """
    for array in arrays:
        if array.ndim < 2:
            raise np.linalg.LinAlgError(f"a matrix is needed, not an array of {array.ndim} axes")
    made = apply_gufunc(
        function, signature, *arrays, output_dtypes=dtypes, output_sizes=sizes, allow_rechunk=True
    )
    if not isinstance(made, tuple):
        return Array(noted(replace(made.plan, copies=_COPIES)))
    shared = replace(made[0].plan.input, copies=_COPIES)
    return tuple(
        Array(noted(PickArray(shared, place, each.plan.layout))) for place, each in enumerate(made)
    )


def _square(a: Any, operation: str) -> Array:
    array = asarray(a)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise np.linalg.LinAlgError(f"{operation} takes square matrices, not {array.shape}")
    return array


def _real(dtype: np.dtype) -> np.dtype:
    return np.dtype(dtype.char.lower())


def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Return the eigenvalues, in order, and eigenvectors of Hermitian matrices.

    Parameters
    ----------
    a : Array
        The matrices of its last two axes are each taken in one piece.
    UPLO : {"L", "U"}
        Which triangle is looked at.

    Returns
    -------
    EighResult

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> values, vectors = da.linalg.eigh(da.from_array(np.diag([2.0, 1.0]), chunks=1))
    >>> values.compute()
    array([1., 2.])
    """
    array = _square(a, "eigh")
    kind = factor_dtype(array.dtype)
    call = partial(_eigh, UPLO)
    made = each_matrix(call, "(i,j)->(i),(i,j)", array, dtypes=[_real(kind), kind])
    return EighResult(*made)


def _eigh(side: Any, block: np.ndarray) -> Any:
    return tuple(np.linalg.eigh(block, UPLO=side))


def eigvalsh(a: Any, UPLO: str = "L") -> Array:
    """Return the eigenvalues, in order, of Hermitian matrices; see `eigh`."""
    array = _square(a, "eigvalsh")
    call = partial(_eigvalsh, UPLO)
    return each_matrix(call, "(i,j)->(i)", array, dtypes=_real(factor_dtype(array.dtype)))


def _eigvalsh(side: Any, block: np.ndarray) -> Any:
    return np.linalg.eigvalsh(block, UPLO=side)


def slogdets(array: Array) -> tuple[Array, Array]:
    """Return the signs and the logarithms of the sizes of determinants."""
    array = _square(array, "slogdet")
    kind = factor_dtype(array.dtype)
    call: Any = each_matrix(_slogdet, "(i,j)->(),()", array, dtypes=[kind, _real(kind)])
    return call[0], call[1]


def _slogdet(block: np.ndarray) -> Any:
    return tuple(np.linalg.slogdet(block))


def determinants(array: Array) -> Array:
    """Return determinants."""
    array = _square(array, "det")
    return each_matrix(np.linalg.det, "(i,j)->()", array, dtypes=factor_dtype(array.dtype))


def inverses(array: Array) -> Array:
    """Return the inverses of square matrices."""
    array = _square(array, "inv")
    return each_matrix(np.linalg.inv, "(i,j)->(i,j)", array, dtypes=factor_dtype(array.dtype))


def choleskys(array: Array, lower: bool) -> Array:
    """Return Cholesky factors."""
    array = _square(array, "cholesky")
    call = partial(_cholesky, lower)
    return each_matrix(call, "(i,j)->(i,j)", array, dtypes=factor_dtype(array.dtype))


def _cholesky(lower: bool, block: np.ndarray) -> Any:
    return np.linalg.cholesky(block, upper=not lower)


def solutions(left: Array, right: Array) -> Array:
    """Return the solutions of systems of equations; a `right` of one axis is a vector for all."""
    left = _square(left, "solve")
    kind = factor_dtype(left.dtype, right.dtype)
    if right.ndim == 1:
        return solutions(left, right[:, None])[..., 0]
    if right.shape[-2] != left.shape[-1]:
        raise np.linalg.LinAlgError(f"solve: {left.shape} and {right.shape} do not fit together")
    return each_matrix(np.linalg.solve, "(i,j),(j,k)->(i,k)", left, right, dtypes=kind)


def qrs(array: Array, mode: str) -> tuple[Array, Array]:
    """Return the QR factors of matrices, reduced or complete."""
    kind = factor_dtype(array.dtype)
    m, n = array.shape[-2:]
    size = m if mode == "complete" else min(m, n)
    made = each_matrix(
        partial(_qr, mode), "(i,j)->(i,k),(k,j)", array, dtypes=[kind, kind], sizes={"k": size}
    )
    return made[0], made[1]


def _qr(mode: Any, block: np.ndarray) -> Any:
    return tuple(np.linalg.qr(block, mode=mode))


def svds(array: Array, full_matrices: bool) -> tuple[Array, Array, Array]:
    """Return the singular value decompositions of matrices."""
    kind = factor_dtype(array.dtype)
    m, n = array.shape[-2:]
    sizes = {"k": min(m, n), "u": m if full_matrices else min(m, n)}
    sizes["v"] = n if full_matrices else min(m, n)
    made = each_matrix(
        partial(_svd, full_matrices),
        "(i,j)->(i,u),(k),(v,j)",
        array,
        dtypes=[kind, _real(kind), kind],
        sizes=sizes,
    )
    return made[0], made[1], made[2]


def _svd(full_matrices: bool, block: np.ndarray) -> Any:
    return tuple(np.linalg.svd(block, full_matrices=full_matrices))


def singular_values(array: Array) -> Array:
    """Return the singular values of matrices, largest first."""
    kind = _real(factor_dtype(array.dtype))
    size = min(array.shape[-2:])
    return each_matrix(_svdvals, "(i,j)->(k)", array, dtypes=kind, sizes={"k": size})


def _svdvals(block: np.ndarray) -> Any:
    return np.linalg.svd(block, compute_uv=False)


def pseudo_inverses(array: Array, share: Any) -> Array:
    """Return pseudo-inverses; smaller singular values, in parts of the largest, count as zero."""
    kind = factor_dtype(array.dtype)
    if per_matrix(share):
        each = asarray(share)[..., None, None]
        return each_matrix(_pinv, "(i,j),(p,q)->(j,i)", array, each, dtypes=kind)
    call = partial(_pinv, share=share)
    return each_matrix(call, "(i,j)->(j,i)", array, dtypes=kind)


def per_matrix(value: Any) -> bool:
    """Return whether a tolerance is an array, of one for each matrix."""
    return getattr(value, "ndim", 0) > 0


def _pinv(block: np.ndarray, share: Any = None) -> Any:
    rtol = share[..., 0, 0] if per_matrix(share) else share
    return np.linalg.pinv(block, rtol=rtol)


def ranks(array: Array, tol: Any, share: Any) -> Array:
    """Return the ranks of matrices."""
    values = singular_values(array)
    if tol is None:
        if share is None:
            share = max(array.shape[-2:]) * np.finfo(values.dtype).eps
        elif per_matrix(share):
            share = asarray(share)[..., None]
        if not values.shape[-1]:
            return values.astype(bool).sum(axis=-1)
        tol = values.max(axis=-1, keepdims=True) * share
    elif per_matrix(tol):
        tol = asarray(tol)[..., None]
    return (values > tol).sum(axis=-1)


def powers(array: Array, n: int) -> Array:
    """Return square matrices multiplied with themselves."""
    array = _square(array, "matrix_power")
    kind = np.linalg.matrix_power(np.ones((1, 1), array.dtype), n).dtype
    call = partial(_power, n)
    return each_matrix(call, "(i,j)->(i,j)", array, dtypes=kind)


def _power(n: int, block: np.ndarray) -> Any:
    return np.linalg.matrix_power(block, n)


__all__: Sequence[str] = ["EighResult", "eigh", "eigvalsh"]

"""Functions of matrices that follow from products and factors, as those of `numpy.linalg`."""

from __future__ import annotations

import math
from functools import partial, reduce
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.factor import factored_panels, panels
from penstock.collections.arrays.products import matmul
from penstock.collections.arrays.program import Program, factor_dtype, matrix, square
from penstock.collections.arrays.qr import svd
from penstock.collections.arrays.stacks import (
    determinants,
    is_stack,
    per_matrix,
    powers,
    pseudo_inverses,
    ranks,
    singular_values,
    slogdets,
)
from penstock.collections.arrays.storage import asarray
from penstock.engine.kernels.arrays import linalg as kernels


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Any
    logabsdet: Any


def svdvals(x: Any, /) -> Array:
    """Return the singular values of a matrix, largest first."""
    array = asarray(x)
    if is_stack(array):
        return singular_values(array)
    return svd(array, coerce_signs=False)[1]


def matrix_rank(A: Any, tol: Any = None, *, rtol: Any = None) -> Array:
    """Return the rank of a matrix: how many singular values are not negligible.

    Parameters
    ----------
    A : Array
    tol : number, optional
        Smaller singular values count as zero.
    rtol : number, optional
        The same in parts of the largest.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> int(da.linalg.matrix_rank(da.ones((4, 3), chunks=2)).compute())
    1
    """
    given = asarray(A)
    if is_stack(given) or per_matrix(tol) or per_matrix(rtol):
        return ranks(given, tol, rtol)
    array = matrix(given, "matrix_rank")
    values = svdvals(array)
    if tol is None:
        share = max(array.shape) * np.finfo(values.dtype).eps if rtol is None else rtol
        tol = values.max() * share
    return (values > tol).sum()


def pinv(a: Any, rcond: Any = None, *, rtol: Any = None) -> Array:
    """Return the pseudo-inverse of a matrix, through its singular values.

    Parameters
    ----------
    a : Array
    rcond, rtol : number, optional
        Singular values smaller than this part of the largest count as zero.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> da.linalg.pinv(da.from_array(np.diag([2.0, 4.0]), chunks=1)).compute()
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    given = asarray(a)
    share = rcond if rcond is not None else rtol
    if is_stack(given) or per_matrix(share):
        return pseudo_inverses(given, share)
    array = matrix(given, "pinv")
    u, s, vh = svd(array, coerce_signs=False)
    if share is None:
        share = max(array.shape) * np.finfo(s.dtype).eps
    small = s <= s.max() * share
    from penstock.collections.arrays.elementwise import where

    inverse = where(small, 0.0, 1.0 / where(small, 1.0, s)).astype(s.dtype)
    return matmul(np.conj(vh).T * inverse, np.conj(u).T)


def slogdet(a: Any) -> SlogdetResult:
    """Return the sign and the logarithm of the size of a determinant.

    Parameters
    ----------
    a : Array

    Returns
    -------
    SlogdetResult

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> float(slogdet(da.from_array(np.diag([-2.0, 1.0]), chunks=1)).sign.compute())
    -1.0
    """
    given = asarray(a)
    if is_stack(given):
        return SlogdetResult(*slogdets(given))
    array = panels(square(given, "slogdet"))
    program = Program("slogdet", array)
    done = factored_panels(program, array)
    starts = [0, *accumulate(array.chunks[1])][:-1]
    dtype = factor_dtype(array.dtype)
    both = program.add(partial(kernels.log_determinant, starts), *done)
    program.result([program.add(partial(kernels.part_of, 0), both)], (), dtype)
    program.result(
        [program.add(partial(kernels.part_of, 1), both)], (), np.dtype(dtype.char.lower())
    )
    sign, logarithm = program.arrays()
    return SlogdetResult(sign, logarithm)


def det(a: Any) -> Array:
    """Return the determinant of a square matrix."""
    given = asarray(a)
    if is_stack(given):
        return determinants(given)
    found = slogdet(given)
    return found.sign * np.exp(found.logabsdet)


def matrix_power(a: Any, n: int) -> Array:
    """Return a square matrix multiplied with itself `n` times in all."""
    from penstock.collections.arrays.building import eye
    from penstock.collections.arrays.linalg import inv

    given = asarray(a)
    if is_stack(given):
        return powers(given, n)
    array = square(given, "matrix_power")
    if n == 0:
        return eye(array.shape[0], dtype=array.dtype, chunks=max(array.chunks[0]))
    if n < 0:
        array, n = inv(array), -n
    result: Array | None = None
    while n:
        if n % 2:
            result = array if result is None else matmul(result, array)
        n //= 2
        if n:
            array = matmul(array, array)
    assert result is not None
    return result


def multi_dot(arrays: Any, *, out: None = None) -> Array:
    """Return the product of several matrices, in the order that takes the fewest operations."""
    values = [asarray(each) for each in arrays]
    if len(values) < 2:
        raise ValueError(f"multi_dot takes at least two arrays, not {len(values)}")
    if any(each.ndim != 2 for each in values):
        return reduce(matmul, values)
    sizes = [values[0].shape[0], *(each.shape[1] for each in values)]
    count = len(values)
    cost = [[0.0] * count for _ in range(count)]
    cut = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            cost[first][last] = math.inf
            for middle in range(first, last):
                total = cost[first][middle] + cost[middle + 1][last]
                total += sizes[first] * sizes[middle + 1] * sizes[last + 1]
                if total < cost[first][last]:
                    cost[first][last], cut[first][last] = total, middle

    def multiplied(first: int, last: int) -> Array:
        if first == last:
            return values[first]
        middle = cut[first][last]
        return matmul(multiplied(first, middle), multiplied(middle + 1, last))

    return multiplied(0, count - 1)

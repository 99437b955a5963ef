"""Linear algebra: factorisations, systems of equations, norms (`penstock.array.linalg`)."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from itertools import accumulate
from typing import Any

import numpy as np

from penstock.collections.arrays import arrange
from penstock.collections.arrays.align import single_chunk
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.factor import (
    cholesky,
    factored_panels,
    lu,
    panels,
    square_blocks,
)
from penstock.collections.arrays.products import matmul, outer, tensordot
from penstock.collections.arrays.program import Program, factor_dtype, matrix, square
from penstock.collections.arrays.qr import (
    by_rows,
    qr,
    sfqr,
    svd,
    svd_compressed,
    tall_qr,
    tsqr,
)
from penstock.collections.arrays.shape import expand_dims, moveaxis
from penstock.collections.arrays.stacks import eigh, eigvalsh, inverses, is_stack, solutions
from penstock.collections.arrays.storage import asarray
from penstock.engine.kernels.arrays import linalg as kernels

__all__ = [
    "cholesky",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "lu",
    "matmul",
    "matrix_norm",
    "norm",
    "outer",
    "qr",
    "sfqr",
    "solve",
    "solve_triangular",
    "svd",
    "svd_compressed",
    "tensordot",
    "trace",
    "tsqr",
    "vector_norm",
]

_ELSEWHERE = {
    **dict.fromkeys(
        ("det", "matrix_power", "matrix_rank", "multi_dot", "pinv", "slogdet", "svdvals"),
        "matrices",
    ),
    **dict.fromkeys(("matrix_transpose", "vecdot"), "standard"),
    "cross": "numpy",
}


def __getattr__(name: str) -> Any:
    """Return a function that itself builds on those of this module."""
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"penstock.collections.arrays.{_ELSEWHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ELSEWHERE])


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """Return a diagonal of the matrices of the last two axes, as `numpy.linalg.diagonal`."""
    return arrange.diagonal(asarray(x), offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Return the sums of a diagonal of the matrices of the last two axes."""
    return arrange.trace(asarray(x), offset, -2, -1, dtype)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Array:
    """Return the solution of ``a @ x = b`` for a triangular matrix.

    Parameters
    ----------
    a : Array
        The other triangle is not looked at.
    b : Array
        A vector, or columns.
    lower : bool
        Whether `a` is lower triangular.

    Returns
    -------
    Array

    Raises
    ------
    numpy.linalg.LinAlgError
        While computing, when a diagonal element is zero.

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> a = da.from_array(np.array([[2.0, 1.0], [0.0, 4.0]]), chunks=1)
    >>> solve_triangular(a, da.from_array(np.array([4.0, 8.0]), chunks=1)).compute()
    array([1., 2.])
    """
    left = square_blocks(square(a, "solve_triangular"))
    right = _right_side(left, b, "solve_triangular")
    return _triangular(left, right, lower=lower)


def _right_side(left: Array, b: Any, operation: str) -> Array:
    right = asarray(b)
    if right.ndim not in (1, 2) or right.shape[0] != left.shape[0]:
        raise np.linalg.LinAlgError(
            f"{operation}: a matrix of {left.shape} and a right side of {right.shape}"
        )
    return right


def _triangular(left: Array, right: Array, *, lower: bool, transposed: bool = False) -> Array:
    """Solve with a triangular matrix in square blocks, or with its adjoint."""
    sizes = left.chunks[0]
    right = right if right.chunks[0] == sizes else right.rechunk({0: sizes})
    program = Program("solve_triangular", left, right)
    grid = program.blocks(0)
    values = program.blocks(1).reshape(len(sizes), -1)
    forward = lower != transposed
    order = range(len(sizes)) if forward else range(len(sizes) - 1, -1, -1)
    solved = np.empty(values.shape, dtype=np.int64)
    on_diagonal = partial(kernels.triangular_solve, lower, False, transposed)
    for column in range(values.shape[1]):
        done: list[int] = []
        for row in order:
            total = int(values[row, column])
            for before in done:
                block = int(grid[before, row] if transposed else grid[row, before])
                known = int(solved[before, column])
                step = _less_adjoint_of_left if transposed else kernels.less
                total = program.add(step, total, block, known)
            solved[row, column] = program.add(on_diagonal, int(grid[row, row]), total)
            done.append(row)
    program.result(solved, right.chunks, factor_dtype(left.dtype, right.dtype))
    return program.arrays()[0]


def _less_adjoint_of_left(total: Any, left: Any, right: Any) -> np.ndarray:
    return kernels.less(total, np.asarray(left).conj().T, right)


def solve(a: Any, b: Any, sym_pos: bool | None = None, assume_a: str = "gen") -> Array:
    """Return the solution of ``a @ x = b``.

    Parameters
    ----------
    a : Array
        Square.
    b : Array
        A vector, or columns.
    sym_pos : bool, optional
        The old name of ``assume_a="pos"``.
    assume_a : {"gen", "pos"}
        ``"pos"`` for a positive definite matrix, in half the time.

    Returns
    -------
    Array

    Raises
    ------
    numpy.linalg.LinAlgError
        While computing, when the matrix is singular, or not positive definite.

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> a = da.from_array(np.array([[0.0, 1.0], [2.0, 0.0]]), chunks=1)
    >>> solve(a, da.from_array(np.array([3.0, 4.0]), chunks=1)).compute()
    array([2., 3.])
    """
    if assume_a not in ("gen", "pos"):
        raise ValueError(f"assume_a must be 'gen' or 'pos', not {assume_a!r}")
    given = asarray(a)
    other = asarray(b)
    if is_stack(given) or is_stack(other):
        return solutions(given, other)
    array = square(given, "solve")
    right = _right_side(array, b, "solve")
    if sym_pos or assume_a == "pos":
        factor = cholesky(array, lower=True)
        middle = _triangular(factor, right, lower=True)
        return _triangular(factor, middle, lower=True, transposed=True)
    left = panels(array)
    given = single_chunk(right, [0])
    program = Program("solve", left, given)
    return _solved(program, left, list(program.blocks(1).ravel()), given.chunks, given.dtype)


def _solved(program: Program, left: Array, columns: list[int], chunks: Any, dtype: Any) -> Array:
    """Return the solutions for panels of right sides."""
    done = factored_panels(program, left)
    starts = [0, *accumulate(left.chunks[1])]
    results = []
    for column in columns:
        value = int(column)
        for number, factored in enumerate(done):
            value = program.add(partial(kernels.apply_panel, starts[number]), factored, value)
        for number in range(len(done) - 1, -1, -1):
            step = partial(kernels.back_substitute, starts[number])
            value = program.add(step, done[number], value)
        results.append(value)
    program.result(results, chunks, factor_dtype(left.dtype, dtype))
    return program.arrays()[0]


def inv(a: Any) -> Array:
    """Return the inverse of a square matrix.

    Parameters
    ----------
    a : Array

    Returns
    -------
    Array

    Raises
    ------
    numpy.linalg.LinAlgError
        While computing, when the matrix is singular.

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> inv(da.from_array(np.diag([2.0, 4.0]), chunks=1)).compute()
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    given = asarray(a)
    if is_stack(given):
        return inverses(given)
    left = panels(square(given, "inv"))
    program = Program("inv", left)
    n, widths = left.shape[0], left.chunks[1]
    dtype = factor_dtype(left.dtype)
    starts = [0, *accumulate(widths)]
    columns = [
        program.add(partial(kernels.identity, n, start, start + width, dtype))
        for start, width in zip(starts, widths, strict=False)
    ]
    return _solved(program, left, columns, ((n,), widths), dtype)


def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Array, Array, Array, Array]:
    """Return the least-squares solution of ``a @ x = b``.

    Parameters
    ----------
    a : Array
        A matrix with at least as many rows as columns.
    b : Array
        A vector, or columns.
    rcond : float, optional
        Smaller singular values, in parts of the largest, count as zero.

    Returns
    -------
    x, residuals, rank, s : Array
        The solution, sums of squared residuals, the rank and the singular
        values of `a`. Residuals are given whatever the rank, as by Dask.

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> a = da.from_array(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), chunks=(2, 2))
    >>> x = lstsq(a, da.from_array(np.array([1.0, 3.0, 5.0]), chunks=2))[0]
    >>> np.round(x.compute(), 6)
    array([1., 2.])
    """
    left = matrix(a, "lstsq")
    right = _right_side(left, b, "lstsq")
    m, n = left.shape
    if m < n:
        raise np.linalg.LinAlgError(f"lstsq: {m} equations for {n} unknowns are too few")
    left = by_rows(left)
    rows = left.chunks[0]
    right = single_chunk(right, [1]) if right.ndim == 2 else right
    right = right if right.chunks[0] == rows else right.rechunk({0: rows})
    program = Program("lstsq", left, right)
    blocks = [int(ref) for ref in program.blocks(0)[:, 0]]
    sides = [int(ref) for ref in program.blocks(1).reshape(len(rows), -1)[:, 0]]
    q, r, _ = tall_qr(program, blocks, rows, n)
    total = None
    for block, side in zip(q, sides, strict=True):
        part = program.add(kernels.adjoint_product, block, side)
        total = part if total is None else program.add(np.add, total, part)
    assert total is not None
    x = program.add(partial(kernels.least_squares, rcond), r, total)
    squares = None
    for block, side in zip(blocks, sides, strict=True):
        part = program.add(_squares, block, x, side)
        squares = part if squares is None else program.add(np.add, squares, part)
    dtype = factor_dtype(left.dtype, right.dtype)
    real = np.dtype(dtype.char.lower())
    width = right.shape[1:]
    program.result([x], ((n,), *((size,) for size in width)), dtype)
    columns = width or (1,)
    program.result([squares], tuple((size,) for size in columns), real)
    program.result([program.add(partial(kernels.rank, m, rcond), r)], (), np.dtype("i8"))
    program.result([program.add(kernels.singular_values, r)], ((n,),), real)
    made = program.arrays()
    return made[0], made[1], made[2], made[3]


def _squares(block: Any, x: Any, side: Any) -> np.ndarray:
    apart = np.abs(side - block @ x)
    return np.atleast_1d((apart * apart).sum(axis=0))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the norm of vectors or matrices, as `numpy.linalg.norm`.

    Parameters
    ----------
    x : Array
    ord : number or str, optional
        ``2``, ``-2`` and ``"nuc"`` of matrices need the axes of a single matrix.
    axis : int or pair of int, optional
    keepdims : bool

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> float(norm(da.ones((4, 4), chunks=2)).compute())
    4.0
    """
    array = asarray(x)
    if array.dtype.kind not in "fc":
        array = array.astype("f8")
    if axis is None:
        axes = tuple(range(array.ndim))
        if ord is None:
            return _root(_squared(array), axes, keepdims)
    else:
        given = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
        axes = tuple(range(array.ndim)[int(each)] for each in given)
    if len(axes) == 1:
        return _vector_norm(array, ord, axes[0], keepdims)
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError("norm takes one axis or two different ones")
    return _matrix_norm(array, ord, axes, keepdims)


def _squared(array: Array) -> Array:
    size = abs(array)
    return size * size


def _root(squares: Array, axes: Any, keepdims: bool) -> Array:
    return np.sqrt(squares.sum(axis=axes, keepdims=keepdims))


def _vector_norm(array: Array, ord: Any, axis: Any, keepdims: bool) -> Array:
    if isinstance(ord, str):
        raise ValueError(f"norm {ord!r} is not one of vectors")
    size = abs(array)
    if ord is None or ord == 2:
        return _root(size * size, axis, keepdims)
    if ord in (np.inf, -np.inf):
        return getattr(size, "max" if ord > 0 else "min")(axis=axis, keepdims=keepdims)
    if ord == 0:
        return (array != 0).astype(size.dtype).sum(axis=axis, keepdims=keepdims)
    if ord == 1:
        return size.sum(axis=axis, keepdims=keepdims)
    total = (size**ord).sum(axis=axis, keepdims=keepdims)
    return total ** (1.0 / ord)


def _matrix_norm(array: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    row, column = axes
    if ord in (None, "fro"):
        return _root(_squared(array), axes, keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        first, second = (row, column) if abs(ord) == 1 else (column, row)
        sums = abs(array).sum(axis=first, keepdims=True)
        made = getattr(sums, "max" if ord > 0 else "min")(axis=second, keepdims=True)
        if keepdims:
            return made
        return made[tuple(0 if axis in axes else slice(None) for axis in range(array.ndim))]
    if ord in ("nuc", 2, -2):
        if axes != (array.ndim - 2, array.ndim - 1):
            array = moveaxis(array, axes, (-2, -1))
        s = import_module("penstock.collections.arrays.matrices").svdvals(array)
        made = getattr(s, {"nuc": "sum", 2: "max", -2: "min"}[ord])(axis=-1)
        return expand_dims(made, axes) if keepdims else made
    raise ValueError(f"norm {ord!r} is not one of matrices")


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Return the norm of vectors; over several axes, or all, they are taken as one vector."""
    array = asarray(x)
    array = array if array.dtype.kind in "fc" else array.astype("f8")
    axes = range(array.ndim) if axis is None else np.atleast_1d(axis)
    places = tuple(range(array.ndim)[int(each)] for each in axes)
    return _vector_norm(array, ord, places, keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Return the norm of the matrices of the last two axes."""
    return norm(x, ord, axis=(-2, -1), keepdims=keepdims)

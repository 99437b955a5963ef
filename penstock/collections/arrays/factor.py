"""Factors of square matrices: Cholesky, and LU with pivots of whole columns."""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.program import Program, factor_dtype, square
from penstock.collections.arrays.stacks import choleskys, is_stack
from penstock.collections.arrays.storage import asarray
from penstock.engine.kernels.arrays import linalg as kernels
from penstock.engine.nodes.arrays.program import Ref

_PANEL_BLOCKS = 4  # a panel of columns may be as large as so many blocks
_LEAST_COLUMNS = 32


# -- Cholesky -----------------------------------------------------------------------------------


def square_blocks(array: Array) -> Array:
    """Return a square matrix whose blocks on the diagonal are square."""
    return array if array.chunks[0] == array.chunks[1] else array.rechunk((array.chunks[0],) * 2)


def cholesky(a: Any, lower: bool = False, *, upper: bool | None = None) -> Array:
    """Return the Cholesky factor of a Hermitian, positive definite matrix.

    Parameters
    ----------
    a : Array
        Of which the lower triangle is looked at.
    lower : bool
        Give the lower factor instead of the upper one.
    upper : bool, optional
        The opposite, by which NumPy and the array API name it.

    Returns
    -------
    Array

    Raises
    ------
    numpy.linalg.LinAlgError
        While computing, when the matrix is not positive definite.

    Examples
    --------
    >>> import penstock.array as da
    >>> da.linalg.cholesky(da.eye(2, chunks=1) * 4).compute()
    array([[2., 0.],
           [0., 2.]])
    """
    if upper is not None:
        lower = not upper
    given = asarray(a)
    if is_stack(given):
        return choleskys(given, lower)
    array = square_blocks(square(given, "cholesky"))
    program = Program("cholesky", array)
    grid = program.blocks()
    sizes = array.chunks[0]
    count = len(sizes)
    dtype = factor_dtype(array.dtype)
    factor = np.empty((count, count), dtype=object)
    for column in range(count):
        for row in range(column, count):
            total = grid[row, column]
            for before in range(column):
                total = program.add(
                    kernels.less_adjoint, total, factor[row, before], factor[column, before]
                )
            if row == column:
                factor[row, column] = program.add(kernels.cholesky, total)
            else:
                factor[row, column] = program.add(
                    kernels.below_cholesky, factor[column, column], total
                )
    places = np.empty((count, count), dtype=np.int64)
    for row in range(count):
        for column in range(count):
            if row >= column:
                place = factor[row, column]
                if lower:
                    places[row, column] = place
                else:
                    places[column, row] = program.add(kernels.adjoint, place)
            else:
                shape = (sizes[row], sizes[column]) if lower else (sizes[column], sizes[row])
                empty = program.add(partial(kernels.zeros, shape, dtype))
                places[(row, column) if lower else (column, row)] = empty
    program.result(places, (sizes, sizes), dtype)
    return program.arrays()[0]


# -- LU -----------------------------------------------------------------------------------------


def panels(array: Array) -> Array:
    """Return a matrix in panels of whole columns, not many times larger than its blocks."""
    rows = max(1, array.shape[0])
    room = _PANEL_BLOCKS * array.plan.schema.block_nbytes // max(1, array.itemsize * rows)
    width = max(1, min(max(array.chunks[1]), max(_LEAST_COLUMNS, room)))
    return array.rechunk({0: -1, 1: width}) if array.shape[1] else array


def factored_panels(program: Program, array: Array) -> list[Ref]:
    """Return the factored panels of a square matrix in panels of columns."""
    blocks = program.blocks()[0]
    starts = [0, *accumulate(array.chunks[1])]
    done: list[Ref] = []
    for number, block in enumerate(blocks):
        panel = int(block)
        for before, factored in enumerate(done):
            panel = program.add(partial(kernels.apply_panel, starts[before]), factored, panel)
        done.append(program.add(partial(kernels.factor_panel, starts[number]), panel))
    return done


def lu(a: Any) -> tuple[Array, Array, Array]:
    """Return the factors ``p, l, u`` of a square matrix, with partial pivoting: ``a = p @ l @ u``.

    The matrix is gone through in panels of whole columns, so pivots are the
    same as those of LAPACK whatever the chunks.

    Parameters
    ----------
    a : Array

    Returns
    -------
    p, l, u : Array

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> x = da.from_array(np.array([[1.0, 2.0], [4.0, 5.0]]), chunks=1)
    >>> p, l, u = da.linalg.lu(x)
    >>> l.compute()
    array([[1.  , 0.  ],
           [0.25, 1.  ]])
    """
    array = panels(square(a, "lu"))
    program = Program("lu", array)
    done = factored_panels(program, array)
    n, widths = array.shape[0], array.chunks[1]
    starts = [0, *accumulate(widths)]
    dtype = factor_dtype(array.dtype)
    order = program.add(kernels.final_order, *done)
    p = [
        program.add(partial(kernels.permutation, start, start + width, dtype), order)
        for start, width in zip(starts, widths, strict=False)
    ]
    lower = [
        program.add(partial(kernels.lower_panel, starts[k]), *done[k:]) for k in range(len(done))
    ]
    upper = [
        program.add(partial(kernels.upper_panel, starts[k], n), done[k]) for k in range(len(done))
    ]
    for places in (p, lower, upper):
        program.result(places, ((n,), widths), dtype)
    made = program.arrays()
    return made[0], made[1], made[2]

"""Kernels of linear algebra on blocks and panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_NARROW = 16  # columns that are eliminated one by one


def real_or_complex(block: Any) -> np.ndarray:
    """Return `block` in a type that LAPACK computes in."""
    array = np.asarray(block)
    return array if array.dtype.kind in "fc" and array.dtype.itemsize >= 4 else array.astype("f8")


def qr(block: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the reduced QR factors of a block."""
    q, r = np.linalg.qr(real_or_complex(block))
    return q, r


def stacked_qr(*rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the QR factors of blocks below each other."""
    return qr(np.concatenate(rows))


def product(start: int | None, stop: int | None, left: Any, right: Any) -> np.ndarray:
    """Return ``left @ right[start:stop]``."""
    return np.asarray(left @ right[start:stop])


def adjoint(block: Any) -> np.ndarray:
    """Return the conjugate transpose."""
    return np.ascontiguousarray(np.asarray(block).conj().T)


def adjoint_product(left: Any, right: Any) -> np.ndarray:
    """Return the adjoint of `left` times `right`."""
    return np.asarray(np.asarray(left).conj().T @ right)


def svd(by_rows: bool, coerce: bool, block: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the reduced singular value decomposition of a small matrix.

    Parameters
    ----------
    by_rows : bool
        Make the sums of the right vectors positive; otherwise those of the left ones.
    coerce : bool
        Whether to choose signs at all.
    """
    u, s, vh = np.linalg.svd(real_or_complex(block), full_matrices=False)
    if coerce and s.size:
        sums = vh.sum(axis=1).real if by_rows else u.sum(axis=0).real
        signs = np.where(sums >= 0, 1, -1).astype(s.dtype)
        u, vh = u * signs, vh * signs[:, None]
    return u, s, vh


# -- triangular systems -------------------------------------------------------------------------


def triangular_solve(
    lower: bool, unit: bool, transposed: bool, matrix: Any, right: Any
) -> np.ndarray:
    """Return the solution of a triangular system; the other triangle is not looked at.

    Raises
    ------
    numpy.linalg.LinAlgError
        When the diagonal has a zero.
    """
    triangle = np.tril(real_or_complex(matrix)) if lower else np.triu(real_or_complex(matrix))
    if unit:
        np.fill_diagonal(triangle, 1)
    elif not np.diagonal(triangle).all():
        raise np.linalg.LinAlgError("singular matrix: a zero on the diagonal of a triangle")
    if transposed:
        triangle = triangle.conj().T
    return np.asarray(np.linalg.solve(triangle, right))


def less(total: Any, left: Any, right: Any) -> np.ndarray:
    """Return ``total - left @ right``."""
    return np.asarray(total - left @ right)


def less_adjoint(total: Any, left: Any, right: Any) -> np.ndarray:
    """Return `total` less `left` times the adjoint of `right`."""
    return np.asarray(total - left @ np.asarray(right).conj().T)


def cholesky(block: Any) -> np.ndarray:
    """Return the lower factor of a positive definite block."""
    return np.linalg.cholesky(real_or_complex(block))


def below_cholesky(factor: Any, block: Any) -> np.ndarray:
    """Return the block of a factor below the diagonal, where `factor` is on it."""
    return adjoint(triangular_solve(True, False, False, factor, np.asarray(block).conj().T))


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros."""
    return np.zeros(shape, dtype)


def identity(rows: int, start: int, stop: int, dtype: np.dtype) -> np.ndarray:
    """Return the columns ``start:stop`` of the identity."""
    return np.eye(rows, stop - start, -start, dtype)


# -- LU by panels of columns --------------------------------------------------------------------

Panel = tuple[np.ndarray, np.ndarray]
"""A panel of columns, factored from row `start` on, and the order that its rows were brought in."""


def factor_panel(start: int, panel: Any) -> Panel:
    """Factor the rows of a panel from `start` on, with partial pivoting.

    Returns
    -------
    Panel
        Above `start` the panel as it was; from there on both factors in one.
    """
    work = np.array(real_or_complex(panel))
    order = np.arange(len(work))
    _factor(work[start:], order[start:])
    return work, order


def _factor(part: np.ndarray, order: np.ndarray) -> None:
    rows, columns = part.shape
    if columns <= _NARROW or rows <= 1:
        for column in range(min(rows, columns)):
            best = column + int(np.argmax(np.abs(part[column:, column])))
            if best != column:
                part[[column, best]] = part[[best, column]]
                order[[column, best]] = order[[best, column]]
            pivot = part[column, column]
            if pivot != 0:
                part[column + 1 :, column] /= pivot
                part[column + 1 :, column + 1 :] -= np.outer(
                    part[column + 1 :, column], part[column, column + 1 :]
                )
        return
    half = min(columns // 2, rows)
    left, right = part[:, :half], part[:, half:]
    moved = np.arange(rows)
    _factor(left, moved)
    right[...] = right[moved]
    order[...] = order[moved]
    right[:half] = triangular_solve(True, True, False, left[:half], right[:half])
    right[half:] -= left[half:] @ right[:half]
    if rows > half:
        again = np.arange(rows - half)
        _factor(right[half:], again)
        left[half:] = left[half:][again]
        order[half:] = order[half:][again]


def apply_panel(start: int, factored: Panel, other: Any) -> np.ndarray:
    """Return other columns after the elimination that a panel stands for."""
    panel, order = factored
    width = min(panel.shape[1], len(panel) - start)
    work = real_or_complex(other)[order]
    stop = start + width
    work = work.astype(np.result_type(work.dtype, panel.dtype), copy=False)
    work[start:stop] = triangular_solve(
        True, True, False, panel[start:stop, :width], work[start:stop]
    )
    work[stop:] -= panel[stop:, :width] @ work[start:stop]
    return work


def back_substitute(start: int, factored: Panel, other: Any) -> np.ndarray:
    """Return the right-hand side after the unknowns of a panel have been found.

    Raises
    ------
    numpy.linalg.LinAlgError
        When the matrix is singular.
    """
    panel, _ = factored
    work = np.array(other)
    stop = start + panel.shape[1]
    if not np.diagonal(panel[start:stop]).all():
        raise np.linalg.LinAlgError("singular matrix")
    work[start:stop] = triangular_solve(False, False, False, panel[start:stop], work[start:stop])
    work[:start] -= panel[:start] @ work[start:stop]
    return work


def lower_panel(start: int, factored: Panel, *later: Panel) -> np.ndarray:
    """Return the columns of the lower factor, their rows in the final order."""
    panel, _ = factored
    work = np.tril(panel[start:])
    width = min(work.shape)
    diagonal = np.arange(width)
    work[diagonal, diagonal] = 1
    whole = np.concatenate([np.zeros((start, panel.shape[1]), work.dtype), work])
    for _, order in later:
        whole = whole[order]
    return whole[:, :width]


def upper_panel(start: int, rows: int, factored: Panel) -> np.ndarray:
    """Return the columns of the upper factor, of so many rows."""
    panel, _ = factored
    return np.ascontiguousarray(np.triu(panel, -start)[:rows])


def final_order(*panels: Panel) -> np.ndarray:
    """Return which row of the matrix comes to each place."""
    order = panels[0][1]
    for _, later in panels[1:]:
        order = order[later]
    return order


def permutation(start: int, stop: int, dtype: np.dtype, order: np.ndarray) -> np.ndarray:
    """Return the columns ``start:stop`` of the matrix that brings the rows back."""
    matrix = np.zeros((len(order), stop - start), dtype)
    matrix[order[start:stop], np.arange(stop - start)] = 1
    return matrix


def rows_of(start: int, stop: int, block: Any) -> np.ndarray:
    """Return a copy of some rows."""
    return np.array(block[start:stop])


# -- least squares ------------------------------------------------------------------------------


def least_squares(rcond: float | None, factor: Any, right: Any) -> np.ndarray:
    """Return the solution of least length for a triangular factor that may be singular."""
    return np.linalg.lstsq(real_or_complex(factor), right, rcond=rcond)[0]


def rank(rows: int, rcond: float | None, factor: Any) -> np.ndarray:
    """Return the rank of a matrix of so many rows whose triangular factor is given."""
    matrix = real_or_complex(factor)
    values = np.linalg.svd(matrix, compute_uv=False)
    small = np.finfo(matrix.dtype).eps * max(rows, matrix.shape[1]) if rcond is None else rcond
    return np.asarray(int((values > values.max(initial=0) * small).sum()))


def singular_values(block: Any) -> np.ndarray:
    """Return the singular values of a matrix."""
    return np.linalg.svd(real_or_complex(block), compute_uv=False)


# -- determinants -------------------------------------------------------------------------------


def log_determinant(starts: Sequence[int], *factored: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Return the sign and the logarithm of the size of a determinant, from factored panels."""
    kind = factored[0][0].dtype
    sign, logarithm = kind.type(_parity(final_order(*factored))), 0.0
    for start, (panel, _) in zip(starts, factored, strict=True):
        pivots = np.diagonal(panel[start : start + panel.shape[1]])
        sizes = np.abs(pivots)
        if not sizes.all():
            return np.asarray(kind.type(0)), np.asarray(-np.inf, sizes.dtype)
        sign *= np.prod(pivots / sizes)
        logarithm += float(np.log(sizes).sum())
    return np.asarray(sign), np.asarray(logarithm, np.abs(np.zeros(1, kind)).dtype)


def _parity(order: np.ndarray) -> int:
    """Return 1 for an even permutation and -1 for an odd one."""
    seen = np.zeros(len(order), bool)
    sign = 1
    for start in range(len(order)):
        at, length = start, 0
        while not seen[at]:
            seen[at] = True
            at = int(order[at])
            length += 1
        if length and length % 2 == 0:
            sign = -sign
    return sign


def part_of(place: int, values: Any) -> Any:
    """Return one of several values."""
    return values[place]

"""Elementwise functions of blocks that are no ufuncs, with a ufunc's manners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def real(block: Any) -> Any:
    """Return the real part."""
    return np.array(np.real(block))


def imag(block: Any) -> Any:
    """Return the imaginary part."""
    return np.array(np.imag(block))


def rounded(block: Any, decimals: int = 0) -> Any:
    """Return elements rounded to `decimals`."""
    return np.round(block, decimals)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*blocks: Any, **kwargs: Any) -> Any:
        return np.asarray(function(*blocks, **kwargs))

    call.__name__ = function.__name__
    return call


angle = _plain(np.angle)
i0 = _plain(np.i0)
sinc = _plain(np.sinc)
isreal = _plain(np.isreal)
iscomplex = _plain(np.iscomplex)
nan_to_num = _plain(np.nan_to_num)
isclose = _plain(np.isclose)
isneginf = _plain(np.isneginf)
isposinf = _plain(np.isposinf)


def isnull(block: Any) -> Any:
    """Return whether elements are missing: NaN, NaT or None."""
    block = np.asarray(block)
    if block.dtype.kind in "fc":
        return np.isnan(block)
    if block.dtype.kind in "mM":
        return np.isnat(block)
    if block.dtype.hasobject:
        return np.array([v is None or v != v for v in block.ravel()], bool).reshape(block.shape)
    return np.zeros(block.shape, bool)


class LastValid:
    """The last element that is not NaN, as an associative operation that can be accumulated."""

    __name__ = "last valid"
    identity = None

    def __call__(self, state: np.ndarray, block: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(block), state, block)

    def accumulate(self, block: np.ndarray, axis: int, dtype: np.dtype) -> np.ndarray:
        """Return the last valid element up to each place along `axis`."""
        shape = [1] * block.ndim
        shape[axis] = -1
        at = np.where(np.isnan(block), 0, np.arange(block.shape[axis]).reshape(shape))
        last = np.maximum.accumulate(at, axis=axis)
        return np.take_along_axis(block, last, axis).astype(dtype, copy=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LastValid)

    def __hash__(self) -> int:
        return hash(LastValid)

"""Positions of elements, and functions of runs of elements."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays.base import ArrayBase, as_array, axis_of, need_known
from penstock.collections.arrays.creation import arange
from penstock.collections.arrays.elementwise import astype, elementwise
from penstock.collections.arrays.indexing import sliced
from penstock.collections.arrays.join import concatenate
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.order import whole_axes
from penstock.collections.arrays.reductions import reduced
from penstock.collections.arrays.shape import expand_dims, ravel
from penstock.engine.kernels.chunks import ArraySchema
from penstock.errors import UnsupportedError


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where elements of `v` would have to be inserted to keep `a` in order."""
    if sorter is not None:
        raise UnsupportedError("searchsorted: sorter is not supported; take the order first")
    a, v = as_array(a), as_array(v)
    if a.ndim != 1:
        raise ValueError("searchsorted takes a sorted array of one axis")
    lifted = expand_dims(v, v.ndim)
    layout = ArraySchema((*v.chunks, (1,) * a.numblocks[0]), np.dtype(np.intp))
    labels = [(v.ndim,), (*range(v.ndim), v.ndim + 1)]
    parts = map_chunks(partial(_insertions, side), "searchsorted", layout, a, lifted,
                       labels=labels)  # fmt: skip
    return reduced("sum", parts, v.ndim)


def _insertions(side: str, block: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.searchsorted(block, values, side=side)  # type: ignore[call-overload]


def digitize(a: Any, bins: Any, right: bool = False) -> Any:
    """Return in which bin each element lies."""
    return elementwise(_Digitize(np.asarray(bins), right), as_array(a))


class _Digitize:
    def __init__(self, bins: np.ndarray, right: bool) -> None:
        self.bins = bins
        self.right = right
        self.__name__ = "digitize"

    def __call__(self, block: Any) -> np.ndarray:
        return np.asarray(np.digitize(block, self.bins, right=self.right))


def isin(element: Any, test_elements: Any, assume_unique: bool = False,
         invert: bool = False) -> Any:  # fmt: skip
    """Return for each element whether it is among `test_elements`."""
    element = as_array(element)
    if not isinstance(test_elements, ArrayBase):
        return elementwise(_IsIn(np.asarray(test_elements), invert), element)
    tests = ravel(test_elements)
    layout = ArraySchema((*element.chunks, (1,) * tests.numblocks[0]), np.dtype(bool))
    labels = [(*range(element.ndim), element.ndim + 1), (element.ndim,)]
    parts = map_chunks(_is_in, "isin", layout, expand_dims(element, element.ndim), tests,
                       labels=labels)  # fmt: skip
    found = reduced("any", parts, element.ndim)
    return ~found if invert else found


def _is_in(block: np.ndarray, tests: np.ndarray) -> np.ndarray:
    return np.isin(block, tests)


class _IsIn:
    def __init__(self, tests: np.ndarray, invert: bool) -> None:
        self.tests = tests
        self.invert = invert
        self.__name__ = "isin"

    def __call__(self, block: Any) -> np.ndarray:
        return np.asarray(np.isin(block, self.tests, invert=self.invert))


def nonzero(a: Any) -> tuple[Any, ...]:
    """Return the positions of elements that are not zero; how many is not known."""
    a = as_array(a)
    if not a.ndim:
        raise ValueError("nonzero takes an array with axes; use atleast_1d")
    need_known("nonzero", a)
    mask = astype(a, bool)
    flat = ravel(mask)
    at = sliced(arange(flat.shape[0], chunks=flat.chunks), flat)
    return tuple(_unraveled(at, a.shape))


def _unraveled(at: Any, shape: tuple[int, ...]) -> list[Any]:
    if len(shape) == 1:
        return [at]
    parts = []
    inner = 1
    for extent in reversed(shape):
        parts.append(at // inner % extent if inner > 1 else at % extent)
        inner *= extent
    return parts[::-1]


def flatnonzero(a: Any) -> Any:
    """Return the positions in the flattened array of elements that are not zero."""
    return nonzero(ravel(as_array(a)))[0]


def argwhere(a: Any) -> Any:
    """Return the positions of elements that are not zero, one in each row."""
    a = as_array(a)
    return concatenate([expand_dims(each, 1) for each in nonzero(a)], 1)


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """Return positions in the flattened array as positions along axes."""
    if order != "C":
        raise UnsupportedError("unravel_index works in C order")
    return tuple(_unraveled(as_array(indices), tuple(shape)))


def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    """Return positions along axes as positions in the flattened array."""
    if order != "C":
        raise UnsupportedError("ravel_multi_index works in C order")
    parts = list(multi_index) if not isinstance(multi_index, ArrayBase) else [
        sliced(multi_index, k) for k in np.arange(multi_index.shape[0])]  # fmt: skip
    call = _RavelIndex(tuple(dims), mode)
    return elementwise(call, *(as_array(part) for part in parts))


class _RavelIndex:
    def __init__(self, dims: tuple[int, ...], mode: str) -> None:
        self.dims = dims
        self.mode = mode
        self.__name__ = "ravel_multi_index"

    def __call__(self, *parts: Any) -> np.ndarray:
        parts = tuple(np.broadcast_arrays(*parts))
        return np.asarray(np.ravel_multi_index(parts, self.dims, mode=self.mode))  # type: ignore[call-overload]


def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, dtype: Any = None,
                     shape: Any = None, **kwargs: Any) -> Any:  # fmt: skip
    """Return `func1d` of every run of elements along `axis`.

    Parameters
    ----------
    func1d : callable
        Takes an array of one axis.
    axis : int
    arr : Array
    dtype, shape : optional
        Of what `func1d` gives; found out by a call on ones otherwise.

    Returns
    -------
    Array
    """
    arr = as_array(arr)
    axis = axis_of(axis, arr.ndim)
    if dtype is None or shape is None:
        sample = np.asarray(func1d(np.ones(arr.shape[axis], arr.dtype), *args, **kwargs))
        dtype, shape = dtype or sample.dtype, sample.shape if shape is None else shape
    arr = whole_axes(arr, (axis,))
    given = tuple(shape)
    chunks = (*arr.chunks[:axis], *((n,) for n in given), *arr.chunks[axis + 1 :])
    labels = tuple(
        k if k < axis else len(chunks) if k == axis else k - 1 + len(given) for k in range(arr.ndim)
    )
    call = partial(_runs_along, func1d, axis, args, kwargs)
    layout = ArraySchema(chunks, np.dtype(dtype))
    return map_chunks(call, "apply_along_axis", layout, arr, labels=[labels], copies=2.0)


def _runs_along(
    func1d: Any, axis: int, args: tuple[Any, ...], kwargs: dict[str, Any], block: np.ndarray
) -> np.ndarray:
    return np.apply_along_axis(func1d, axis, block, *args, **kwargs)

"""Names of the array API standard (2024.12) that NumPy or Dask call otherwise, or do not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from penstock.collections.arrays.align import unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.fft import _in_one_piece
from penstock.collections.arrays.join import concatenate
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.reductions import cumprod, cumsum
from penstock.collections.arrays.shape import ravel, swapaxes, transpose
from penstock.collections.arrays.statistics import unique
from penstock.collections.arrays.storage import asarray, from_array
from penstock.engine.kernels.chunks import ArraySchema

permute_dims = transpose


def _dtype(value: Any) -> Any:
    return value.dtype if isinstance(value, Array) else value


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """Return the dtype of the result of an operation, as `numpy.result_type`."""
    return np.result_type(*map(_dtype, arrays_and_dtypes))


def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Return whether a cast is allowed, as `numpy.can_cast`."""
    return np.can_cast(_dtype(from_), _dtype(to), casting)


def finfo(type: Any) -> Any:
    """Return the limits of a floating-point dtype, as `numpy.finfo`."""
    return np.finfo(_dtype(type))


def iinfo(type: Any) -> Any:
    """Return the limits of an integer dtype, as `numpy.iinfo`."""
    return np.iinfo(_dtype(type))


def isdtype(dtype: Any, kind: Any) -> bool:
    """Return whether a dtype is of a kind, as `numpy.isdtype`."""
    return np.isdtype(np.dtype(dtype), kind)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Return an Array over what another library exports."""
    return from_array(np.from_dlpack(x, device=device, copy=copy))


def concat(arrays: Any, /, *, axis: int | None = 0) -> Array:
    """Return arrays one after the other along an axis; see `concatenate`.

    Examples
    --------
    >>> import penstock.array as da
    >>> da.concat([da.ones(2), da.zeros(1)]).compute()
    array([1., 1., 0.])
    """
    if axis is None:
        return concatenate([ravel(asarray(each)) for each in arrays], axis=0)
    return concatenate([asarray(each) for each in arrays], axis=axis)


def matrix_transpose(x: Any, /) -> Array:
    """Return the matrices of the last two axes, transposed."""
    array = asarray(x)
    if array.ndim < 2:
        raise ValueError(f"matrix_transpose needs two axes, not {array.ndim}")
    return swapaxes(array, -1, -2)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """Return the dot products of vectors along an axis, the first conjugated."""
    left, right = asarray(x1), asarray(x2)
    conjugate = np.conj(left) if left.dtype.kind == "c" else left
    return (conjugate * right).sum(axis=axis, dtype=np.result_type(left.dtype, right.dtype))


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Return the parts of an array along an axis, which they do not have any more."""
    array = asarray(x)
    axis = range(array.ndim)[axis]
    before = (slice(None),) * axis
    return tuple(array[(*before, place)] for place in range(array.shape[axis]))


# -- along an axis ------------------------------------------------------------------------------


def _whole_axis(function: Callable[..., Any], x: Any, axis: int, dtype: Any) -> Array:
    array = asarray(x)
    axis = range(array.ndim)[axis]
    array = _in_one_piece(array, [axis])
    layout = ArraySchema(array.chunks, np.dtype(dtype or array.dtype))
    return map_chunks(_Along(function, axis), function.__name__, layout, array, copies=2.0)


class _Along:
    def __init__(self, function: Callable[..., Any], axis: int) -> None:
        self.function = function
        self.axis = axis

    def __call__(self, *blocks: Any) -> Any:
        return self.function(*blocks, axis=self.axis)


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Return the elements in order along an axis, which is taken in one piece.

    Parameters
    ----------
    x : Array
    axis : int
    descending : bool
    stable : bool
        Accepted: the order is always stable.

    Returns
    -------
    Array
    """
    return _whole_axis(_sorted_down if descending else _sorted, x, axis, None)


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Return the positions of the elements in order along an axis; see `sort`."""
    return _whole_axis(_order_down if descending else _order, x, axis, np.intp)


def _sorted(block: Any, axis: int) -> Any:
    return np.sort(block, axis=axis, stable=True)


def _sorted_down(block: Any, axis: int) -> Any:
    return np.ascontiguousarray(np.flip(_sorted(block, axis), axis))


def _order(block: Any, axis: int) -> Any:
    return np.argsort(block, axis=axis, stable=True)


def _order_down(block: Any, axis: int) -> Any:
    # the order of equals is kept: that of the array turned round, turned round
    turned = np.flip(_order(np.flip(block, axis), axis), axis)
    return np.asarray(block.shape[axis] - 1 - turned)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Array:
    """Return the elements at positions along an axis, as `numpy.take_along_axis`.

    Parameters
    ----------
    x, indices : Array
        Other axes broadcast.
    axis : int

    Returns
    -------
    Array
    """
    array, places = asarray(x), asarray(indices)
    if array.ndim != places.ndim:
        raise ValueError(f"take_along_axis: {array.ndim} and {places.ndim} axes")
    axis = range(array.ndim)[axis]
    array = _in_one_piece(array, [axis])
    names: list[Any] = list(range(array.ndim))
    own, theirs = list(names), list(names)
    own[axis] = array.ndim
    chunks, ready = unified([array, places], [own, theirs], "take_along_axis")
    layout = ArraySchema(tuple(chunks[name] for name in names), array.dtype)
    return map_chunks(
        _Along(np.take_along_axis, axis), "take_along_axis", layout, *ready,
        labels=[tuple(own), tuple(theirs)],
    )  # fmt: skip


def _cumulative(function: Any, x: Any, axis: int | None, dtype: Any, initial: Any) -> Array:
    array = asarray(x)
    if axis is None:
        if array.ndim != 1:
            raise ValueError("an axis must be given for an array of several axes")
        axis = 0
    axis = range(array.ndim)[axis]
    made = function(array, axis=axis, dtype=dtype)
    if initial is None:
        return made
    shape = [1 if place == axis else extent for place, extent in enumerate(array.shape)]
    from penstock.collections.arrays.creation import full

    first = full(tuple(shape), initial, dtype=made.dtype,
                 chunks=tuple((1,) if place == axis else sizes
                              for place, sizes in enumerate(array.chunks)))  # fmt: skip
    return concatenate([first, made], axis=axis)


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Return running sums, with a 0 in front when `include_initial`."""
    return _cumulative(cumsum, x, axis, dtype, 0 if include_initial else None)


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Return running products, with a 1 in front when `include_initial`."""
    return _cumulative(cumprod, x, axis, dtype, 1 if include_initial else None)


# -- distinct values ----------------------------------------------------------------------------


class UniqueAllResult(NamedTuple):
    """What `unique_all` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` gives."""

    values: Any
    counts: Any


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` gives."""

    values: Any
    inverse_indices: Any


def unique_values(x: Any, /) -> Array:
    """Return the distinct elements in order."""
    return unique(asarray(x), equal_nan=False)


def unique_counts(x: Any, /) -> UniqueCountsResult:
    """Return the distinct elements, and how often each is there."""
    return UniqueCountsResult(*unique(asarray(x), return_counts=True, equal_nan=False))


def unique_inverse(x: Any, /) -> UniqueInverseResult:
    """Return the distinct elements, and which of them each element is."""
    values, inverse = unique(asarray(x), return_inverse=True, equal_nan=False)
    return UniqueInverseResult(values, inverse.reshape(asarray(x).shape))


def unique_all(x: Any, /) -> UniqueAllResult:
    """Return the distinct elements, where each is first, which each element is, and how often."""
    found = unique(asarray(x), True, True, True, equal_nan=False)
    values, indices, inverse, counts = found
    return UniqueAllResult(values, indices, inverse.reshape(asarray(x).shape), counts)


# -- what there is ------------------------------------------------------------------------------


class _Info:
    """What `__array_namespace_info__` gives: facts of this namespace."""

    def capabilities(self) -> dict[str, Any]:
        """Return what of the optional behaviour there is."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64,
        }

    def default_device(self) -> str:
        """Return the device of new arrays."""
        return "cpu"

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """Return the dtypes of new arrays."""
        return {
            "real floating": np.dtype("f8"),
            "complex floating": np.dtype("c16"),
            "integral": np.dtype(np.intp),
            "indexing": np.dtype(np.intp),
        }

    def devices(self) -> list[str]:
        """Return all devices."""
        return ["cpu"]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype]:
        """Return the dtypes of a kind, by name."""
        names = ["bool", "float32", "float64", "complex64", "complex128"]
        names += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
        kinds = {name: np.dtype(name) for name in names}
        if kind is None:
            return kinds
        return {name: dtype for name, dtype in kinds.items() if np.isdtype(dtype, kind)}


def __array_namespace_info__() -> _Info:  # noqa: N807 - the standard's name
    return _Info()

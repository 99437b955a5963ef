"""Masked arrays, as `numpy.ma`: arrays some of whose elements do not count.

An element and its mask are one element of an Array of pairs, so that whatever moves elements
moves both. Elementwise operations are NumPy's own on masked blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from penstock.collections.arrays import elementwise as elements
from penstock.collections.arrays.base import ArrayBase, Axes, as_array, axes_of, wrap
from penstock.collections.arrays.elementwise import astype, elementwise
from penstock.collections.arrays.reductions import reduced
from penstock.collections.base import Collection
from penstock.engine.kernels.arrays.masked import OnMasked, data_of, mask_of, pair, pair_dtype
from penstock.engine.nodes.arrays.sources import PersistedArray
from penstock.engine.plan import Node
from penstock.errors import UnsupportedError


class MaskedArray(Collection, NDArrayOperatorsMixin):
    """A lazy masked array; computes to `numpy.ma.MaskedArray`.

    Made by the functions of `penstock.array.ma`, not by hand.

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.ma.masked_greater(da.arange(4, chunks=2), 2)
    >>> x.sum().compute()
    np.int64(3)
    """

    def __init__(self, pairs: Any, fill_value: Any = None) -> None:
        self._pairs = pairs
        self._fill = fill_value

    @property
    def plan(self) -> Node:
        """The plan node whose blocks hold pairs of elements and masks."""
        return self._pairs.plan

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self._pairs.dtype["data"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis."""
        return self._pairs.shape

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the chunks along each axis."""
        return self._pairs.chunks

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._pairs.ndim

    @property
    def size(self) -> int:
        """Number of elements, masked or not."""
        return self._pairs.size

    @property
    def data(self) -> Any:
        """The elements, whether masked or not, as an Array."""
        return elementwise(data_of, self._pairs)

    @property
    def mask(self) -> Any:
        """Whether elements are masked, as an Array."""
        return elementwise(mask_of, self._pairs)

    @property
    def fill_value(self) -> Any:
        """What `filled` puts in the place of masked elements."""
        return np.ma.default_fill_value(self.dtype) if self._fill is None else self._fill

    def __repr__(self) -> str:
        return f"penstock.array.ma<shape={self.shape}, dtype={self.dtype}>"

    def __len__(self) -> int:
        return len(self._pairs)

    # -- running ----------------------------------------------------------------

    def _finalize(self, blocks: list[Any], **_: Any) -> Any:
        return self._masked(self._pairs._finalize(blocks))

    def _masked(self, pairs: Any) -> Any:
        if pairs.ndim == 0:
            return np.ma.masked if pairs["mask"] else pairs["data"]
        made = np.ma.MaskedArray(pairs["data"].copy(), pairs["mask"].copy())
        made.fill_value = self.fill_value
        return made

    def _prepare(self) -> tuple[Node, Callable[[list[Any]], Any]]:
        node, finish = self._pairs._prepare()
        return node, lambda blocks, **_: self._masked(finish(blocks))

    def _from_handles(self, handles: list[Any]) -> MaskedArray:
        kept = wrap(PersistedArray(tuple(handles), self._pairs.plan.schema))
        return MaskedArray(kept, self._fill)

    # -- elements ---------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.signature is not None or ufunc.nout != 1:
            raise UnsupportedError(f"{ufunc.__name__} of masked arrays is not supported")
        if kwargs.pop("out", None) is not None:
            raise UnsupportedError(f"{ufunc.__name__} of a lazy array cannot write to out=")
        return _apply(ufunc, *inputs, **kwargs)

    # these operators, unlike the ufuncs, mask whatever is not finite
    def __truediv__(self, other: Any) -> Any:
        return _apply(np.ma.true_divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _apply(np.ma.true_divide, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _apply(np.ma.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _apply(np.ma.floor_divide, other, self)

    def __pow__(self, other: Any) -> Any:
        return _apply(np.ma.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return _apply(np.ma.power, other, self)

    def astype(self, dtype: Any, **_: Any) -> MaskedArray:
        """Return the array with elements of another type."""
        return _of(astype(self.data, dtype), self.mask)

    def filled(self, fill_value: Any = None) -> Any:
        """Return an Array with masked elements replaced."""
        value = self.fill_value if fill_value is None else fill_value
        return elements.where(self.mask, np.asarray(value).astype(self.dtype)[()], self.data)

    def __getitem__(self, index: Any) -> MaskedArray:
        if isinstance(index, MaskedArray):
            index = index.filled(False)
        return MaskedArray(self._pairs[index], self._fill)

    def reshape(self, *shape: Any) -> MaskedArray:
        """Return the elements, in C order, in another shape."""
        return MaskedArray(self._pairs.reshape(*shape), self._fill)

    def ravel(self) -> MaskedArray:
        """Return the elements as one axis."""
        return MaskedArray(self._pairs.ravel(), self._fill)

    def transpose(self, *axes: Any) -> MaskedArray:
        """Return the array with its axes in another order."""
        return MaskedArray(self._pairs.transpose(*axes), self._fill)

    @property
    def T(self) -> MaskedArray:  # noqa: N802
        """The array with its axes reversed."""
        return MaskedArray(self._pairs.T, self._fill)

    def rechunk(self, *args: Any, **kwargs: Any) -> MaskedArray:
        """Return the array in other chunks."""
        return MaskedArray(self._pairs.rechunk(*args, **kwargs), self._fill)

    # -- reductions -------------------------------------------------------------

    def count(self, axis: Axes = None, keepdims: bool = False) -> Any:
        """Return how many elements are not masked, as an Array."""
        return reduced("sum", ~self.mask, axis, None, keepdims)

    def _reduced(self, name: str, neutral: Any, axis: Axes, keepdims: bool) -> MaskedArray:
        there = self.count(axis, keepdims)
        return _of(reduced(name, self.filled(neutral), axis, None, keepdims), there == 0)

    def sum(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return the sum of what is not masked."""
        return self._reduced("sum", 0, axis, keepdims)

    def prod(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return the product of what is not masked."""
        return self._reduced("prod", 1, axis, keepdims)

    def any(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return whether any element that is not masked is true."""
        return self._reduced("any", 0, axis, keepdims)

    def all(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return whether all elements that are not masked are true."""
        return self._reduced("all", 1, axis, keepdims)

    def min(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return the least of what is not masked."""
        return self._reduced("min", np.ma.minimum_fill_value(self.dtype), axis, keepdims)

    def max(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return the largest of what is not masked."""
        return self._reduced("max", np.ma.maximum_fill_value(self.dtype), axis, keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> MaskedArray:
        """Return the mean of what is not masked."""
        total, count = self.sum(axis, keepdims), self.count(axis, keepdims)
        if axis is None and not keepdims:  # a scalar, whose division masks no NaN in NumPy
            return masked_where(count == 0, total.data / count_or_one(count, 0))
        return total / count

    def var(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> MaskedArray:
        """Return the variance of what is not masked."""
        distance = self - self.mean(axis, keepdims=True)
        squares = (distance * distance).sum(axis, keepdims)
        count = self.count(axis, keepdims)
        return masked_where(count <= ddof, squares.data / count_or_one(count, ddof))

    def std(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> MaskedArray:
        """Return the standard deviation of what is not masked."""
        return np.sqrt(self.var(axis, ddof, keepdims))


def count_or_one(count: Any, ddof: float) -> Any:
    """Return the degrees of freedom, 1 where there are none."""
    return np.maximum(count - ddof, 1)


def _apply(function: Any, *inputs: Any, **kwargs: Any) -> Any:
    """Return what a function of `numpy.ma` gives for each block."""
    operands = [
        value._pairs
        if isinstance(value, MaskedArray)
        else _of(as_array(np.ma.getdata(value)), as_array(np.ma.getmaskarray(value)))._pairs
        if isinstance(value, np.ma.MaskedArray) and value.ndim
        else value
        for value in inputs
    ]
    if not any(isinstance(value, ArrayBase) for value in operands):
        operands[0] = as_array(operands[0])
    return MaskedArray(elementwise(OnMasked(function), *operands, **kwargs))


def _of(data: Any, mask: Any, fill_value: Any = None) -> MaskedArray:
    data = as_array(data)
    return MaskedArray(elementwise(pair, data, mask, dtype=pair_dtype(data.dtype)), fill_value)


def masked_array(data: Any, mask: Any = False, fill_value: Any = None, **kwargs: Any) -> Any:
    """Return `data` with the elements masked where `mask` holds.

    Parameters
    ----------
    data : Array or array-like
    mask : Array or array-like of bool
    fill_value : scalar, optional
    **kwargs
        ``dtype``.

    Returns
    -------
    MaskedArray
    """
    dtype = kwargs.pop("dtype", None)
    if kwargs:
        raise UnsupportedError(f"masked_array: {next(iter(kwargs))} is not supported")
    if isinstance(data, MaskedArray | np.ma.MaskedArray):
        mask = np.logical_or(getmaskarray(data), mask)
        data = getdata(data)
    data = as_array(data)
    return _of(data if dtype is None else astype(data, dtype), mask, fill_value)


def _by_value(name: str) -> Callable[..., Any]:
    function = getattr(np.ma, name)

    def call(x: Any, *values: Any, **kwargs: Any) -> Any:
        kwargs.pop("copy", None)
        return _apply(function, x, *values, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return a masked array, as `numpy.ma.{name}`, lazily."
    return call


masked_equal = _by_value("masked_equal")
masked_not_equal = _by_value("masked_not_equal")
masked_greater = _by_value("masked_greater")
masked_greater_equal = _by_value("masked_greater_equal")
masked_less = _by_value("masked_less")
masked_less_equal = _by_value("masked_less_equal")
masked_inside = _by_value("masked_inside")
masked_outside = _by_value("masked_outside")
masked_values = _by_value("masked_values")
masked_invalid = _by_value("masked_invalid")
fix_invalid = _by_value("fix_invalid")
masked_where = _by_value("masked_where")
where = _by_value("where")


def getdata(a: Any) -> Any:
    """Return the elements, whether masked or not, as an Array."""
    return a.data if isinstance(a, MaskedArray) else as_array(np.ma.getdata(a) if isinstance(
        a, np.ndarray) else a)  # fmt: skip


def getmaskarray(a: Any) -> Any:
    """Return whether elements are masked, as an Array."""
    if isinstance(a, MaskedArray):
        return a.mask
    if isinstance(a, np.ma.MaskedArray):
        return as_array(np.ma.getmaskarray(a))
    return astype(as_array(a) != as_array(a), bool) & False


def filled(a: Any, fill_value: Any = None) -> Any:
    """Return an Array with masked elements replaced."""
    return a.filled(fill_value) if isinstance(a, MaskedArray) else as_array(a)


def set_fill_value(a: MaskedArray, fill_value: Any) -> None:
    """Set what `filled` puts in the place of masked elements of `a`."""
    a._fill = fill_value


def count(a: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Return how many elements are not masked."""
    if isinstance(a, MaskedArray):
        return a.count(axis, keepdims)
    a = as_array(a)
    number = math.prod(a.shape[k] for k in axes_of(axis, a.ndim))
    return reduced("sum", a == a, axis, None, keepdims) * 0 + number


def average(a: Any, axis: Axes = None, weights: Any = None, returned: bool = False,
            keepdims: bool = False) -> Any:  # fmt: skip
    """Return the weighted mean of what is not masked."""
    a = masked_array(a)
    if weights is None:
        result, scale = a.mean(axis, keepdims), a.count(axis, keepdims)
    else:
        heavy = masked_array(as_array(weights) + a.data * 0, a.mask)
        scale = heavy.sum(axis, keepdims).data
        result = (a * heavy).sum(axis, keepdims) / scale
    return (result, scale) if returned else result


def nonzero(a: Any) -> Any:
    """Return the positions of elements that are neither zero nor masked."""
    return filled(a, 0).nonzero()

"""Reductions and cumulative functions of arrays."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from penstock.collections.arrays.base import Axes, as_array, axes_of, axis_of, need_known, wrap
from penstock.collections.arrays.shape import broadcast_to, expand_dims, ravel
from penstock.engine.kernels.arrays import reduction
from penstock.engine.kernels.arrays.functions import LastValid
from penstock.engine.kernels.arrays.positions import Largest
from penstock.engine.nodes.arrays.cumulative import CumulativeArray
from penstock.engine.nodes.arrays.reduce import ReduceArray
from penstock.errors import UnsupportedError

_NEEDS_ELEMENTS = ("min", "max", "nanmin", "nanmax", "ptp", "argmin", "argmax", "nanargmin",
                   "nanargmax")  # fmt: skip


def reduced(name: str, a: Any, axis: Axes = None, dtype: Any = None, keepdims: bool = False,
            ddof: float = 0, out: None = None, **options: Any) -> Any:  # fmt: skip
    """Return the reduction that NumPy calls `name`.

    Parameters
    ----------
    a : Array
    axis : int, tuple of int or None
    dtype : dtype, optional
        In which to accumulate.
    keepdims : bool
        Keep reduced axes with length 1.
    ddof : float
        Taken from the count in variances.

    Returns
    -------
    Array
    """
    if out is not None:
        raise UnsupportedError(f"{name} of a lazy array cannot write to out=")
    a = as_array(a)
    axes = axes_of(axis, a.ndim)
    if name in _NEEDS_ELEMENTS and builtins.any(a.shape[place] == 0 for place in axes):
        raise ValueError(
            f"{name} of an array of shape {a.shape} over axes {axes}: there is no element to take"
        )
    wanted = None if dtype is None else np.dtype(dtype)
    counted = not builtins.all(math.isfinite(a.shape[place]) for place in axes)
    made = reduction(name, axes, a.dtype, wanted, float(ddof), counted=counted, **options)
    return wrap(ReduceArray(a.plan, made, bool(keepdims)))


def _reducer(name: str, *, typed: bool = False, spread: bool = False) -> Any:
    if spread:

        def call(a: Any, axis: Axes = None, dtype: Any = None, keepdims: bool = False,
                 ddof: float = 0, out: None = None, split_every: Any = None,
                 correction: Any = None) -> Any:  # fmt: skip
            freedom = ddof if correction is None else correction
            return reduced(name, a, axis, dtype, keepdims, freedom, out)
    elif typed:

        def call(a: Any, axis: Axes = None, dtype: Any = None, keepdims: bool = False,  # type: ignore[misc]
                 split_every: Any = None, out: None = None) -> Any:  # fmt: skip
            return reduced(name, a, axis, dtype, keepdims, 0, out)
    else:

        def call(a: Any, axis: Axes = None, keepdims: bool = False, split_every: Any = None,  # type: ignore[misc]
                 out: None = None) -> Any:  # fmt: skip
            return reduced(name, a, axis, None, keepdims, 0, out)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (
        f"Return `numpy.{name}` over `axis`, lazily.\n\nParameters are those of NumPy; "
        "``split_every`` of Dask is accepted and not needed."
    )
    return call


sum = _reducer("sum", typed=True)
prod = _reducer("prod", typed=True)
mean = _reducer("mean", typed=True)
min = _reducer("min")
max = _reducer("max")
any = _reducer("any")
all = _reducer("all")
ptp = _reducer("ptp")
count_nonzero = _reducer("count_nonzero")
var = _reducer("var", spread=True)
std = _reducer("std", spread=True)
nansum = _reducer("nansum", typed=True)
nanprod = _reducer("nanprod", typed=True)
nanmean = _reducer("nanmean", typed=True)
nanmin = _reducer("nanmin")
nanmax = _reducer("nanmax")
nanvar = _reducer("nanvar", spread=True)
nanstd = _reducer("nanstd", spread=True)
amin, amax = min, max


def _place_of(name: str) -> Any:
    def call(a: Any, axis: int | None = None, keepdims: bool = False, split_every: Any = None,
             out: None = None) -> Any:  # fmt: skip
        a = as_array(a)
        need_known(name, a)
        if axis is not None:
            axis = axis_of(axis, a.ndim)
        if a.dtype.kind == "c":
            raise UnsupportedError(f"{name} of complex arrays is not supported; use abs() first")
        return reduced(name, a, axis, None, keepdims, 0, out, shape=a.shape)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return `numpy.{name}` along `axis`, of the flattened array without one."
    return call


argmin = _place_of("argmin")
argmax = _place_of("argmax")
nanargmin = _place_of("nanargmin")
nanargmax = _place_of("nanargmax")


def moment(a: Any, order: int, axis: Axes = None, dtype: Any = None, keepdims: bool = False,
           ddof: float = 0, split_every: Any = None, out: None = None) -> Any:  # fmt: skip
    """Return the central moment of `order` over `axis`.

    Parameters
    ----------
    a : Array
    order : int
        Not negative.
    axis : int, tuple of int or None
    dtype : dtype, optional
    keepdims : bool
    ddof : float
        Taken from the count.

    Returns
    -------
    Array
    """
    if not isinstance(order, int | np.integer) or order < 0:
        raise ValueError(f"order must be an integer that is not negative, not {order}")
    a = as_array(a)
    count = math.prod(a.shape[place] for place in axes_of(axis, a.ndim))
    center = reduced("mean", a, axis, dtype, True)
    total = reduced("sum", (a - center) ** order, axis, dtype, keepdims, 0, out)
    return total / (count - ddof)


def _accumulated(name: str, ufunc: np.ufunc, skips_nan: bool) -> Any:
    def call(x: Any, axis: int | None = None, dtype: Any = None, out: None = None,
             method: Any = None) -> Any:  # fmt: skip
        if out is not None:
            raise UnsupportedError(f"{name} of a lazy array cannot write to out=")
        x = as_array(x)
        if axis is None:
            x, axis = ravel(x), 0
        axis = axis_of(axis, x.ndim)
        sample = np.ones(1, x.dtype)
        kind = getattr(np, name)(sample, dtype=dtype).dtype
        return wrap(CumulativeArray(x.plan, ufunc, axis, kind, skips_nan))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return `numpy.{name}` along `axis`, of the flattened array without one."
    return call


cumsum = _accumulated("cumsum", np.add, skips_nan=False)
cumprod = _accumulated("cumprod", np.multiply, skips_nan=False)
nancumsum = _accumulated("nancumsum", np.add, skips_nan=True)
nancumprod = _accumulated("nancumprod", np.multiply, skips_nan=True)


def _largest(name: str, a: Any, k: int, axis: int) -> Any:
    a = as_array(a)
    need_known(name, a)
    axis = axis_of(axis, a.ndim)
    if k == 0:
        raise ValueError("k must not be 0")
    made = Largest(name, (axis,), a.dtype, k=int(k))
    return wrap(ReduceArray(a.plan, made, keepdims=True))


def topk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Any:
    """Return the `k` largest elements along `axis`, largest first; smallest when negative.

    Parameters
    ----------
    a : Array
    k : int
    axis : int

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> topk(da.from_array(np.array([5, 1, 3, 6]), chunks=2), 2).compute()
    array([6, 5])
    """
    return _largest("topk", a, k, axis)


def argtopk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Any:
    """Return the positions of what `topk` gives."""
    return _largest("argtopk", a, k, axis)


def average(a: Any, axis: Axes = None, weights: Any = None, returned: bool = False,
            keepdims: bool = False) -> Any:  # fmt: skip
    """Return the weighted mean over `axis`, as `numpy.average`."""
    a = as_array(a)
    axes = axes_of(axis, a.ndim)
    if weights is None:
        result = reduced("mean", a, axes, None, keepdims)
        scale: Any = broadcast_to(
            as_array(np.asarray(math.prod(a.shape[k] for k in axes), result.dtype)), result.shape
        ) if returned else None  # fmt: skip
    else:
        weights = as_array(weights)
        if weights.shape != a.shape:
            if weights.ndim != 1 or len(axes) != 1 or weights.shape[0] != a.shape[axes[0]]:
                raise TypeError("weights must have the shape of a, or that of its one axis")
            weights = expand_dims(weights, tuple(k for k in range(a.ndim) if k != axes[0]))
        weights = broadcast_to(weights, a.shape, a.chunks)
        kind = np.result_type(a.dtype, weights.dtype)
        if a.dtype.kind in "iub":
            kind = np.result_type(kind, "f8")
        scale = reduced("sum", weights, axes, kind, keepdims)
        result = reduced("sum", a * weights, axes, kind, keepdims) / scale
    return (result, scale) if returned else result


def allclose(arr1: Any, arr2: Any, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> Any:  # fmt: skip
    """Return whether all elements are equal within tolerances, lazily."""
    from penstock.collections.arrays.elementwise import isclose

    return reduced("all", isclose(arr1, arr2, rtol=rtol, atol=atol, equal_nan=equal_nan))


def array_equal(a1: Any, a2: Any) -> Any:
    """Return whether two arrays have one shape and equal elements, lazily."""
    one, other = as_array(a1), as_array(a2)
    if one.shape != other.shape:
        return as_array(np.asarray(False))
    return reduced("all", one == other)


def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """Return `func`, a reduction, applied over `axes` one after the other."""
    result = as_array(a)
    for axis in np.atleast_1d(axes).tolist():
        axis = axis_of(axis, result.ndim)
        made = func(result, axis=axis)
        result = made if made.ndim == result.ndim else expand_dims(made, axis)
    return result


def push(array: Any, n: int | None, axis: int = -1) -> Any:
    """Return `array` with NaN replaced by the last element before them along `axis`.

    Parameters
    ----------
    array : Array
    n : None
        A limit to how far elements are carried is not supported.
    axis : int

    Returns
    -------
    Array
    """
    if n is not None:
        raise UnsupportedError("push with a limit n is not supported; use n=None")
    array = as_array(array)
    if array.dtype.kind not in "fc":
        return array
    node = CumulativeArray(array.plan, LastValid(), axis_of(axis, array.ndim), array.dtype)
    return wrap(node)

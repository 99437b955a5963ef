"""Array: NumPy's interface to an array of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from penstock.collections.arrays import reductions
from penstock.collections.arrays import shape as shapes
from penstock.collections.arrays.assign import assigned
from penstock.collections.arrays.base import ArrayBase, Axes, as_array
from penstock.collections.arrays.elementwise import (
    around,
    astype,
    clip,
    elementwise,
    imag,
    is_operand,
    real,
)
from penstock.collections.arrays.indexing import BlockView, PointView, sliced, take
from penstock.collections.arrays.interop import Interoperable
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.kinds import register
from penstock.engine.kernels.arrays import Output
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.grid import SizedArray
from penstock.errors import UnsupportedError


def _function(home: str, name: str) -> Callable[..., Any]:
    """Return a function of a module that itself builds on this class."""
    return getattr(import_module(f"penstock.collections.arrays.{home}"), name)


class _Reductions:
    """Methods that reduce or accumulate; each as NumPy's function of its name."""

    sum = reductions.sum
    prod = reductions.prod
    min = reductions.min
    max = reductions.max
    any = reductions.any
    all = reductions.all
    mean = reductions.mean
    var = reductions.var
    std = reductions.std
    argmin = reductions.argmin
    argmax = reductions.argmax
    cumsum = reductions.cumsum
    cumprod = reductions.cumprod
    moment = reductions.moment
    topk = reductions.topk
    argtopk = reductions.argtopk
    ptp = reductions.ptp


class _Shapes:
    """Methods that give the elements in another shape."""

    swapaxes = shapes.swapaxes
    squeeze = shapes.squeeze

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """Return the elements, in C order, in another shape; see `reshape`."""
        wanted = shape[0] if len(shape) == 1 else shape
        return shapes.reshape(self, kwargs.pop("shape", wanted), **kwargs)

    def ravel(self, order: str = "C") -> Any:
        """Return the elements as one axis, in C order."""
        return shapes.ravel(self, order)

    flatten = ravel

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes in another order, reversed by default."""
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return shapes.transpose(self, given)

    @property
    def T(self) -> Any:  # noqa: N802
        """The array with its axes reversed."""
        return shapes.transpose(self)

    @property
    def flat(self) -> Any:
        """The elements as one axis."""
        return shapes.ravel(self)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """Return the array with each element along `axis` repeated."""
        return _function("arrange", "repeat")(self, repeats, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Return a diagonal of two axes, as a new last axis."""
        return _function("arrange", "diagonal")(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
        """Return the sum of a diagonal."""
        return _function("arrange", "trace")(self, offset, axis1, axis2, dtype)


@register
class Array(ArrayBase, _Reductions, _Shapes, Interoperable, NDArrayOperatorsMixin):
    """A lazy array in chunks; operators, ufuncs and functions as in NumPy.

    Made by the functions of `penstock.array`, not by hand.

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.ones((4, 6), chunks=(2, 3))
    >>> (x + 1).sum(axis=0).compute()
    array([8., 8., 8., 8., 8., 8.])
    """

    __array_priority__ = 11

    # -- NumPy's protocols ------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if not all(is_operand(value) for value in inputs):
            return NotImplemented
        if ufunc.signature is not None:
            name = ufunc.__name__
            if method == "__call__" and name in ("matmul", "vecdot", "matvec", "vecmat"):
                return self.__array_function__(getattr(np, name), (), inputs, kwargs)
            return NotImplemented
        out = [value for value in kwargs.pop("out", None) or () if value is not None]
        if len(out) == 1 and isinstance(out[0], Array) and ufunc.nout == 1:
            return out[0]._become(getattr(ufunc, method)(*inputs, **kwargs), ufunc.__name__)
        if out:
            raise UnsupportedError(f"{ufunc.__name__} of a lazy array cannot write to out=")
        if method == "outer":
            first, second = (as_array(value) for value in inputs)
            first = shapes.expand_dims(first, tuple(range(first.ndim, first.ndim + second.ndim)))
            inputs, method = (first, second), "__call__"
        if method == "reduce":
            return _ufunc_reduced(ufunc, inputs[0], **kwargs)
        if method != "__call__":
            raise UnsupportedError(f"{ufunc.__name__}.{method} of a lazy array is not supported")
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if kwargs.get("where") is True:
            del kwargs["where"]
        if any(isinstance(value, ArrayBase | np.ndarray) for value in kwargs.values()):
            raise UnsupportedError(f"{ufunc.__name__} of lazy arrays takes no arrays by keyword")
        if ufunc.nout == 1:
            return elementwise(ufunc, *inputs, **kwargs)
        return tuple(
            elementwise(Output(ufunc, place), *inputs, **kwargs) for place in range(ufunc.nout)
        )

    def _become(self, result: Any, operation: str) -> Array:
        """Take over a result, as operators such as ``+=`` do."""
        if result.shape != self.shape:
            raise ValueError(f"{operation}: {result.shape} does not fit into {self.shape}")
        self._plan = result.astype(self.dtype, casting="same_kind").plan
        return self

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        home: Any = import_module("penstock.array")
        for part in str(func.__module__ or "").split(".")[1:]:
            if part in ("linalg", "fft", "random"):
                home = getattr(home, part, None)
        found = getattr(home, func.__name__, None)
        if func in (np.shape, np.ndim, np.size):
            return getattr(args[0], func.__name__)
        if found is None or found is func:
            raise UnsupportedError(
                f"{func.__module__}.{func.__name__} of a lazy array is not supported; compute() "
                "it first, or use map_blocks with NumPy's function"
            )
        if func is np.linalg.cholesky:  # which gives the lower factor, unlike Dask's
            kwargs = {"upper": False, **kwargs}
        if kwargs.get("out", 0) is None:
            kwargs = {key: value for key, value in kwargs.items() if key != "out"}
        return found(*args, **kwargs)

    # -- elements ---------------------------------------------------------------

    def astype(self, dtype: Any, **kwargs: Any) -> Array:
        """Return the array with elements of another type.

        Parameters
        ----------
        dtype : dtype
        **kwargs
            NumPy's ``copy``, ``order``, ``casting`` and ``subok``; casts that
            ``casting`` forbids raise.

        Returns
        -------
        Array
        """
        casting = kwargs.get("casting", "unsafe")
        if not np.can_cast(self.dtype, np.dtype(dtype), casting):
            raise TypeError(f"cannot cast {self.dtype} to {dtype} by the rule {casting!r}")
        return astype(self, dtype, copy=kwargs.get("copy", True))

    def view(self, dtype: Any = None, order: str = "C") -> Array:
        """Return the bytes of the elements as another type of the same size."""
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if wanted.itemsize != self.itemsize:
            raise UnsupportedError("view needs a dtype of the same size; use astype for others")
        return elementwise(_viewed, self, dtype=wanted)

    def clip(self, min: Any = None, max: Any = None) -> Array:
        """Return the array with what lies outside of `min` and `max` replaced by them."""
        return clip(self, min, max)

    def round(self, decimals: int = 0) -> Array:
        """Return the elements rounded to `decimals`."""
        return around(self, decimals=decimals)

    def conj(self) -> Array:
        """Return the complex conjugates."""
        return elementwise(np.conjugate, self)

    conjugate = conj

    @property
    def real(self) -> Array:
        """The real parts."""
        return self if self.dtype.kind != "c" else real(self)

    @property
    def imag(self) -> Array:
        """The imaginary parts."""
        return imag(self)

    def copy(self) -> Array:
        """Return an array of its own: assignment to one leaves the other alone."""
        return type(self)(self._plan)

    def item(self, *args: Any) -> Any:
        """Compute one element and return it as a Python scalar."""
        return self[args].compute().item() if args else self._scalar(lambda value: value)

    def tolist(self) -> Any:
        """Compute the elements and return them as nested lists."""
        return np.asarray(self.compute()).tolist()

    def fill(self, value: Any) -> None:
        """Assign `value` to all elements."""
        self[...] = value

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """Return where elements of `v` would have to be inserted to keep this one in order."""
        return _function("search", "searchsorted")(self, v, side, sorter)

    def argsort(self, axis: int = -1, **kwargs: Any) -> Any:
        """Return the positions of the elements in order along `axis`; see `argsort`."""
        return _function("standard", "argsort")(self, axis=axis, **kwargs)

    def map_blocks(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Return `func` of every block; see `penstock.array.map_blocks`."""
        return import_module("penstock.array").map_blocks(func, self, *args, **kwargs)

    def map_overlap(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Return `func` of every block with edges of its neighbours; see `map_overlap`."""
        return import_module("penstock.array").map_overlap(func, self, *args, **kwargs)

    def dot(self, other: Any) -> Any:
        """Return the dot product with `other`."""
        return import_module("penstock.array").dot(self, other)

    def __matmul__(self, other: Any) -> Any:
        return self._product(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._product(other, self)

    def _product(self, first: Any, second: Any) -> Any:
        if not (is_operand(first) and is_operand(second)):
            return NotImplemented
        return import_module("penstock.array").matmul(first, second)

    def store(self, target: Any, **kwargs: Any) -> Any:
        """Write the elements to `target`; see `penstock.array.store`."""
        return import_module("penstock.array").store([self], [target], **kwargs)

    def to_zarr(self, *args: Any, **kwargs: Any) -> Any:
        """Write the elements as a Zarr array; see `penstock.array.to_zarr`."""
        return import_module("penstock.array").to_zarr(self, *args, **kwargs)

    def to_hdf5(self, filename: Any, datapath: str, **kwargs: Any) -> Any:
        """Write the elements as a dataset of HDF5; see `penstock.array.to_hdf5`."""
        return import_module("penstock.array").to_hdf5(filename, datapath, self, **kwargs)

    # -- indexing ---------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str) or (
            isinstance(index, list) and index and all(isinstance(name, str) for name in index)
        ):
            return self._field(index)
        return sliced(self, index)

    def _field(self, names: Any) -> Any:
        dtype = self.dtype[names]
        if dtype.shape:
            raise UnsupportedError("fields that are arrays themselves are not supported")
        layout = ArraySchema(self.chunks, dtype, self._plan.schema.bound)
        return map_chunks(_Field(names), "field", layout, self)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._plan = assigned(self, index, value).plan

    def __iter__(self) -> Iterator[Any]:
        for place in range(len(self)):
            yield self[place]

    @property
    def blocks(self) -> BlockView:
        """Blocks by their numbers: ``x.blocks[0, 1:3]``."""
        return BlockView(self)

    partitions = blocks

    @property
    def vindex(self) -> PointView:
        """Elements at points, whose axis comes first: ``x.vindex[[0, 1], [2, 3]]``."""
        return PointView(self)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """Return the elements at `indices` along `axis`."""
        return take(self, indices, axis)

    def choose(self, choices: Any) -> Any:
        """Return for each element an element of the array that it numbers."""
        return _function("elementwise", "choose")(self, choices)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the elements along `axis` where `condition` holds."""
        return _function("arrange", "compress")(condition, self, axis)

    def nonzero(self) -> tuple[Any, ...]:
        """Return the positions of elements that are not zero."""
        return _function("search", "nonzero")(self)

    # -- chunks -----------------------------------------------------------------

    def rechunk(self, chunks: Any = "auto", threshold: Any = None,
                block_size_limit: int | None = None, balance: bool = False,
                method: Any = None) -> Array:  # fmt: skip
        """Return the array in other chunks; see `penstock.array.rechunk`."""
        return rechunk(self, chunks, threshold, block_size_limit, balance, method)

    def compute_chunk_sizes(self) -> Array:
        """Find out the sizes of chunks that are not known, and keep them.

        Returns
        -------
        Array
            This one, whose shape is known from here on.
        """
        if self._known:
            return self
        grid = (*((1,) * count for count in self.numblocks), (self.ndim,))
        layout = ArraySchema(tuple(grid), np.dtype(np.int64))
        labels = [tuple(range(self.ndim))]
        sizes = map_chunks(_block_shape, "shape", layout, self, labels=labels).compute()
        chunks = []
        for axis in range(self.ndim):
            first = tuple(slice(None) if k == axis else 0 for k in range(self.ndim))
            chunks.append(tuple(sizes[(*first, axis)].tolist()))
        self._plan = SizedArray(self._plan, ArraySchema(tuple(chunks), self.dtype))
        return self

    def to_delayed(self, optimize_graph: bool = True) -> np.ndarray:
        """Return the blocks as delayed values, in an object array of their grid."""
        return import_module("penstock.array").to_delayed(self)


def _ufunc_reduced(ufunc: np.ufunc, array: Any, axis: Axes = 0, **kwargs: Any) -> Any:
    names = {
        np.add: "sum", np.multiply: "prod", np.minimum: "min", np.maximum: "max",
        np.logical_or: "any", np.logical_and: "all", np.fmin: "nanmin", np.fmax: "nanmax",
    }  # fmt: skip
    if ufunc not in names:
        raise UnsupportedError(f"{ufunc.__name__}.reduce of a lazy array is not supported")
    known = {key: kwargs[key] for key in ("dtype", "keepdims") if kwargs.get(key) is not None}
    return reductions.reduced(names[ufunc], array, axis, **known)


def _viewed(block: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(block).view(dtype)


def _block_shape(block: np.ndarray) -> np.ndarray:
    return np.array(block.shape, np.int64).reshape((1,) * block.ndim + (-1,))


class _Field:
    def __init__(self, names: Any) -> None:
        self.names = names

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return block[self.names]


__all__ = ["Array", "elementwise", "sliced"]

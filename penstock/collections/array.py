"""Array: NumPy's interface to an array of blocks."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.mixins import NDArrayOperatorsMixin

from penstock.collections.base import Collection, noted
from penstock.engine.kernels.arrays import Output, cast, constant, result_dtype
from penstock.engine.kernels.chunks import ArraySchema, Chunks
from penstock.engine.nodes.array_elementwise import Elementwise
from penstock.engine.nodes.array_reduce import ReduceArray
from penstock.engine.nodes.array_result import WholeArray
from penstock.engine.nodes.array_slice import SliceArray
from penstock.engine.nodes.array_sources import FromArray, PersistedArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode, Node
from penstock.errors import UnsupportedError

Axes = int | tuple[int, ...] | None


class Array(Collection, NDArrayOperatorsMixin):
    """A lazy array in chunks; operators, ufuncs and reductions as in NumPy.

    Made by the functions of `penstock.array`, not by hand.

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.ones((4, 6), chunks=(2, 3))
    >>> (x + 1).sum(axis=0).compute()
    array([8., 8., 8., 8., 8., 8.])
    """

    def __init__(self, plan: ArrayNode) -> None:
        self._plan = plan

    @property
    def plan(self) -> ArrayNode:
        """The plan node whose blocks hold the elements."""
        return self._plan

    # -- facts ------------------------------------------------------------------

    @property
    def chunks(self) -> Chunks:
        """Sizes of the chunks along each axis."""
        return self._plan.schema.chunks

    @property
    def chunksize(self) -> tuple[int, ...]:
        """Largest chunk size along each axis."""
        return tuple(map(max, self.chunks))

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis."""
        return self._plan.schema.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self._plan.schema.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.chunks)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.nbytes // self.itemsize if self.itemsize else 0

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._plan.schema.nbytes

    @property
    def numblocks(self) -> tuple[int, ...]:
        """Chunks along each axis."""
        return self._plan.schema.numblocks

    @property
    def npartitions(self) -> int:
        """Number of chunks."""
        return self._plan.schema.nblocks

    def __len__(self) -> int:
        if not self.chunks:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self) -> str:
        return (
            f"penstock.array<{self._plan.name}, shape={self.shape}, dtype={self.dtype}, "
            f"chunksize={self.chunksize}>"
        )

    # -- running ----------------------------------------------------------------

    def _finalize(self, blocks: list[Any], **_: Any) -> Any:
        (block,) = blocks
        if not isinstance(block, np.ndarray):
            block = np.asarray(block)
        if block.ndim == 0:
            return block[()]
        # a block may be a view, or one element that stands for all
        return block if block.base is None and block.flags.writeable else block.copy()

    def _prepare(self) -> tuple[Node, Callable[[list[Any]], Any]]:
        if self.npartitions == 1:
            return self._plan, self._finalize
        return WholeArray(self._plan), lambda blocks, **_: blocks[0].values

    def _from_handles(self, handles: list[Any]) -> Array:
        return Array(PersistedArray(tuple(handles), self._plan.schema))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a lazy array is computed into new memory; copy=False cannot be")
        return np.asarray(self.compute(), dtype=dtype)

    def _scalar(self, convert: Callable[[Any], Any]) -> Any:
        if self.size != 1:
            raise TypeError(f"only arrays of one element can be converted, not shape {self.shape}")
        return convert(np.asarray(self.compute()).item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of an array of shape {self.shape} is ambiguous; use any() or all()"
            )
        return self._scalar(bool)

    def __int__(self) -> int:
        return self._scalar(int)

    def __float__(self) -> float:
        return self._scalar(float)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __index__(self) -> int:
        return self._scalar(operator.index)

    # -- elementwise ------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.signature is not None:
            return NotImplemented
        if any(kwargs.pop(name, None) is not None for name in ("out",)):
            raise UnsupportedError(f"{ufunc.__name__} of a lazy array cannot write to out=")
        if not all(_is_operand(value) for value in inputs):
            return NotImplemented
        if any(isinstance(value, Collection | np.ndarray) for value in kwargs.values()):
            raise UnsupportedError(f"{ufunc.__name__} of lazy arrays takes no arrays by keyword")
        if ufunc.nout == 1:
            return elementwise(ufunc, *inputs, **kwargs)
        return tuple(
            elementwise(Output(ufunc, place), *inputs, **kwargs) for place in range(ufunc.nout)
        )

    def astype(self, dtype: Any, copy: bool = True) -> Array:
        """Return the array with elements of another type.

        Parameters
        ----------
        dtype : dtype
        copy : bool
            Accepted for compatibility: a lazy array is never written to.

        Returns
        -------
        Array
        """
        wanted = np.dtype(dtype)
        return self if wanted == self.dtype else elementwise(cast, self, dtype=wanted)

    def __getitem__(self, index: Any) -> Array:
        return sliced(self, index)

    # -- reductions -------------------------------------------------------------

    def sum(self, axis: Axes = None, dtype: Any = None, out: None = None,
            keepdims: bool = False) -> Array:  # fmt: skip
        """Return the sum over `axis`, as `numpy.sum`."""
        return self._reduce("sum", axis, keepdims, out, dtype=dtype)

    def prod(self, axis: Axes = None, dtype: Any = None, out: None = None,
             keepdims: bool = False) -> Array:  # fmt: skip
        """Return the product over `axis`, as `numpy.prod`."""
        return self._reduce("prod", axis, keepdims, out, dtype=dtype)

    def min(self, axis: Axes = None, out: None = None, keepdims: bool = False) -> Array:
        """Return the minimum over `axis`, as `numpy.min`."""
        return self._reduce("min", axis, keepdims, out)

    def max(self, axis: Axes = None, out: None = None, keepdims: bool = False) -> Array:
        """Return the maximum over `axis`, as `numpy.max`."""
        return self._reduce("max", axis, keepdims, out)

    def any(self, axis: Axes = None, out: None = None, keepdims: bool = False) -> Array:
        """Return whether any element over `axis` is true, as `numpy.any`."""
        return self._reduce("any", axis, keepdims, out)

    def all(self, axis: Axes = None, out: None = None, keepdims: bool = False) -> Array:
        """Return whether all elements over `axis` are true, as `numpy.all`."""
        return self._reduce("all", axis, keepdims, out)

    def mean(self, axis: Axes = None, dtype: Any = None, out: None = None,
             keepdims: bool = False) -> Array:  # fmt: skip
        """Return the mean over `axis`, as `numpy.mean`."""
        return self._reduce("mean", axis, keepdims, out, dtype=dtype)

    def var(self, axis: Axes = None, dtype: Any = None, out: None = None, ddof: float = 0,
            keepdims: bool = False) -> Array:  # fmt: skip
        """Return the variance over `axis`, as `numpy.var`."""
        return self._reduce("var", axis, keepdims, out, dtype=dtype, ddof=ddof)

    def std(self, axis: Axes = None, dtype: Any = None, out: None = None, ddof: float = 0,
            keepdims: bool = False) -> Array:  # fmt: skip
        """Return the standard deviation over `axis`, as `numpy.std`."""
        return self._reduce("std", axis, keepdims, out, dtype=dtype, ddof=ddof)

    def _reduce(self, function: str, axis: Axes, keepdims: bool, out: None, dtype: Any = None,
                ddof: float = 0) -> Array:  # fmt: skip
        if out is not None:
            raise UnsupportedError(f"{function} of a lazy array cannot write to out=")
        axes = range(self.ndim) if axis is None else normalize_axis_tuple(axis, self.ndim)
        reduced = tuple(sorted(axes))
        if function in ("min", "max") and any(self.shape[place] == 0 for place in reduced):
            raise ValueError(
                f"{function} of an array of shape {self.shape} over axes {reduced}: "
                "there is no element to take"
            )
        wanted = None if dtype is None else np.dtype(dtype)
        node = ReduceArray(self._plan, function, reduced, bool(keepdims), wanted, float(ddof))
        _ = node.schema  # an impossible dtype is told now
        return Array(noted(node))


def _is_operand(value: Any) -> bool:
    if isinstance(value, Collection):
        return isinstance(value, Array)
    return isinstance(value, np.ndarray | np.generic | int | float | complex | bool | list)


def elementwise(function: Any, *inputs: Any, **kwargs: Any) -> Array:
    """Return what `function` gives for each element of `inputs`, which broadcast.

    Parameters
    ----------
    function : callable
        A ufunc, or a function of blocks and scalars that gives a block.
    *inputs : Array, ndarray or scalar
        At least one Array.
    **kwargs
        Hashable options of `function`.

    Returns
    -------
    Array
    """
    operands: list[ArrayNode] = []
    places: list[tuple] = []
    samples: list[Any] = []
    for value in _alike(inputs):
        if isinstance(value, Array):
            if value._plan not in operands:
                operands.append(value._plan)
            places.append(("in", operands.index(value._plan)))
            samples.append(value.dtype)
        else:
            places.append(constant(value))
            samples.append(value)
    dtype = result_dtype(function, samples, kwargs)
    step = (function, tuple(places), tuple(sorted(kwargs.items())), dtype)
    node = Elementwise((step,), tuple(operands))
    _ = node.schema  # shapes that do not fit are told now
    return Array(noted(node))


def _alike(inputs: tuple[Any, ...]) -> list[Any]:
    """Turn NumPy arrays among `inputs` into Arrays with the chunks of the Arrays there."""
    ready: list[Any] = []
    for value in inputs:
        if isinstance(value, list):
            value = np.asarray(value)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if isinstance(value, np.ndarray):
            layout = ArraySchema(_chunks_like(value.shape, inputs), value.dtype)
            value = Array(FromArray(layout, Opaque(value), Opaque(None)))
        ready.append(value)
    return ready


def _chunks_like(shape: tuple[int, ...], inputs: tuple[Any, ...]) -> Chunks:
    chunks: list[tuple[int, ...]] = []
    for axis in range(-len(shape), 0):
        known = (
            value.chunks[axis]
            for value in inputs
            if isinstance(value, Array) and value.ndim >= -axis and value.shape[axis] == shape[axis]
        )
        chunks.append(next(known, (shape[axis],)))
    return tuple(chunks)


def sliced(array: Array, index: Any) -> Array:
    """Return a basic slice of `array`: ints, slices, an ellipsis.

    Raises
    ------
    IndexError
        When an index is out of bounds or there are too many.
    UnsupportedError
        For other ways of indexing.
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError("an index can have only one ellipsis")
    given = sum(part is not Ellipsis for part in parts)
    if given > array.ndim:
        raise IndexError(f"{given} indices for an array of {array.ndim} axes")
    place = next((k for k, part in enumerate(parts) if part is Ellipsis), len(parts))
    whole = [slice(None)] * (array.ndim - given)
    parts = [*parts[:place], *whole, *parts[place + 1 :]]
    wanted: list[Any] = []
    for axis, (part, extent) in enumerate(zip(parts, array.shape, strict=True)):
        if isinstance(part, slice):
            bounds = (part.start, part.stop, part.step)
            wanted.append(tuple(None if b is None else operator.index(b) for b in bounds))
        elif isinstance(part, int | np.integer) and not isinstance(part, bool):
            if not -extent <= part < extent:
                raise IndexError(f"index {part} is out of bounds for axis {axis} of size {extent}")
            wanted.append(int(part) % extent)
        else:
            raise UnsupportedError(
                f"indexing with {type(part).__name__} is not supported; use ints and slices"
            )
    if all(part == (None, None, None) for part in wanted):
        return array
    return Array(noted(SliceArray(array._plan, tuple(wanted))))

"""What every array has: facts, ways to run it, and conversion of other values to arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from penstock.collections import kinds
from penstock.collections.base import Collection, noted
from penstock.engine.kernels.chunks import ArraySchema, Chunks
from penstock.engine.nodes.arrays.result import WholeArray
from penstock.engine.nodes.arrays.sources import PersistedArray
from penstock.engine.nodes.arrays.storage import FromArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode, Node
from penstock.errors import UnsupportedError

Axes = int | Sequence[int] | None


def wrap(node: ArrayNode) -> Any:
    """Return the Array of `node`, which the user asks for now."""
    if not kinds.is_known("Array"):
        import_module("penstock.collections.arrays.array")
    return kinds.new_array(noted(node))


class ArrayBase(Collection):
    """An array in chunks, without NumPy's interface.

    Parameters
    ----------
    plan : ArrayNode
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
        """Sizes of the chunks along each axis; NaN where they are not known."""
        return self._plan.schema.chunks

    @property
    def chunksize(self) -> tuple[int, ...]:
        """Largest chunk size along each axis."""
        return tuple(map(max, self.chunks))

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis; NaN where they are not known."""
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
        return int(np.prod(self.shape)) if self._known else np.nan  # type: ignore[return-value]

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def numblocks(self) -> tuple[int, ...]:
        """Chunks along each axis."""
        return self._plan.schema.numblocks

    @property
    def npartitions(self) -> int:
        """Number of chunks."""
        return self._plan.schema.nblocks

    @property
    def name(self) -> str:
        """A name of this array, which no other has."""
        return f"{self._plan.name}-{id(self._plan):x}"

    @property
    def _known(self) -> bool:
        return self._plan.schema.known

    @property
    def _meta(self) -> np.ndarray:
        return np.empty((0,) * self.ndim, self.dtype)

    def __len__(self) -> int:
        if not self.chunks:
            raise TypeError("len() of unsized object")
        need_known("len()", self)
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
        if self._known:
            return WholeArray(self._plan), lambda blocks, **_: blocks[0].values
        return WholeArray(self._plan), lambda blocks, **_: blocks[0]

    def _from_handles(self, handles: list[Any]) -> Any:
        return wrap(PersistedArray(tuple(handles), self._plan.schema))

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


def need_known(operation: str, *arrays: ArrayBase) -> None:
    """Raise unless the sizes of all chunks are known.

    Raises
    ------
    UnsupportedError
        Telling how they become known.
    """
    for array in arrays:
        if not array._known:
            raise UnsupportedError(
                f"{operation} needs to know the sizes of chunks, but the shape is {array.shape}; "
                "call compute_chunk_sizes() on the array first"
            )


def as_array(value: Any, chunks: Chunks | None = None) -> Any:
    """Return `value` as an Array; what is in memory becomes one chunk, unless `chunks` are given.

    Raises
    ------
    UnsupportedError
        When it is no array.
    """
    if isinstance(value, ArrayBase):
        return value
    if isinstance(value, Collection):
        values = getattr(value, "values", None)
        if isinstance(values, ArrayBase):
            return values
        raise UnsupportedError(f"a {type(value).__name__} is not an array; use to_dask_array()")
    if isinstance(value, list | tuple) and any(isinstance(item, ArrayBase) for item in value):
        return import_module("penstock.collections.arrays.join").stack(value)
    values = np.asarray(value)
    if chunks is None:
        chunks = tuple((extent,) for extent in values.shape)
    layout = ArraySchema(chunks, values.dtype)
    return wrap(FromArray(layout, Opaque(values), Opaque(None)))


def need_cpu(device: Any) -> None:
    """Raise unless `device` of the array API is the only one, or None."""
    if device not in (None, "cpu"):
        raise ValueError(f"arrays are on the device 'cpu', not on {device!r}")


def axis_of(axis: Any, ndim: int) -> int:
    """Return `axis` counted from the front."""
    return normalize_axis_index(operator.index(axis), ndim)


def axes_of(axes: Axes, ndim: int) -> tuple[int, ...]:
    """Return `axes` counted from the front, in order; None is all of them."""
    if axes is None:
        return tuple(range(ndim))
    return tuple(sorted(normalize_axis_tuple(axes, ndim)))


def even_chunks(extent: int, size: int) -> tuple[int, ...]:
    """Return chunks of `size`, the last one as long as is left."""
    size = max(1, int(size))
    full, rest = divmod(int(extent), size)
    return (size,) * full + ((rest,) if rest else ()) or (0,)

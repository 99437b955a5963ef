"""Penstock as a chunked array of xarray: ``chunked_array_type="penstock"``.

xarray finds this through the entry point ``xarray.chunkmanagers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from xarray.namedarray.parallelcompat import ChunkManagerEntrypoint

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.blockwise import blockwise, map_blocks
from penstock.collections.arrays.core import normalize_chunks, shuffle, unify_chunks
from penstock.collections.arrays.creation import layout
from penstock.collections.arrays.gufunc import apply_gufunc
from penstock.collections.arrays.reduction import cumreduction, reduction
from penstock.collections.arrays.storage import from_array
from penstock.collections.arrays.writing import store
from penstock.collections.base import compute as compute_all
from penstock.collections.base import persist as persist_all

# What xarray passes on for Dask's scheduler.
_FOR_DASK = ("optimize_graph", "traverse", "flush", "chunkmanager_store_kwargs")


class PenstockManager(ChunkManagerEntrypoint[Any]):
    """What xarray asks of a library of chunked arrays."""

    available = True

    def __init__(self) -> None:
        self.array_cls = Array

    @property
    def array_api(self) -> ModuleType:
        """The functions of arrays."""
        import importlib

        return importlib.import_module("penstock.array")

    def is_chunked_array(self, data: Any) -> bool:
        """Return whether `data` is an Array."""
        return isinstance(data, Array)

    def chunks(self, data: Any) -> Any:
        """Return the sizes of the chunks along each axis."""
        return data.chunks

    def normalize_chunks(
        self,
        chunks: Any,
        shape: tuple[int, ...] | None = None,
        limit: int | None = None,
        dtype: Any = None,
        previous_chunks: Any = None,
    ) -> Any:
        """Return the sizes of chunks along each axis."""
        return normalize_chunks(chunks, shape, limit, dtype, previous_chunks)

    def from_array(self, data: Any, chunks: Any, **kwargs: Any) -> Array:
        """Return a lazy array over what xarray reads."""
        if isinstance(data, Array):
            return data.rechunk(chunks)
        kwargs.pop("meta", None)
        return from_array(data, chunks, **kwargs)

    def rechunk(self, data: Any, chunks: Any, **kwargs: Any) -> Any:
        """Return an array in other chunks."""
        return data.rechunk(chunks, **kwargs)

    def compute(self, *data: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return the values of arrays, computed together."""
        values = compute_all(*data, **_ours(kwargs))
        return tuple(np.asarray(value) for value in values)

    def persist(self, *data: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return arrays whose blocks are kept."""
        return persist_all(*data, **_ours(kwargs))

    def reduction(
        self,
        arr: Any,
        func: Callable[..., Any],
        combine_func: Callable[..., Any] | None = None,
        aggregate_func: Callable[..., Any] | None = None,
        axis: int | Sequence[int] | None = None,
        dtype: Any = None,
        keepdims: bool = False,
    ) -> Array:
        """Return a reduction made of functions."""
        end = aggregate_func or combine_func or func
        return reduction(
            arr, chunk=func, combine=combine_func, aggregate=end, axis=axis,
            dtype=arr.dtype if dtype is None else dtype, keepdims=keepdims,
        )  # fmt: skip

    def scan(
        self,
        func: Callable[..., Any],
        binop: Callable[..., Any],
        ident: float,
        arr: Any,
        axis: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> Array:
        """Return an accumulation made of functions."""
        return cumreduction(func, binop, ident, arr, axis=axis, dtype=dtype, **kwargs)

    def apply_gufunc(
        self, func: Callable[..., Any], signature: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Apply a function along core dimensions."""
        return apply_gufunc(func, signature, *args, **kwargs)

    def map_blocks(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Array:
        """Apply a function to each block."""
        return map_blocks(func, *args, **kwargs)

    def blockwise(
        self, func: Callable[..., Any], out_ind: Iterable[Any], *args: Any, **kwargs: Any
    ) -> Array:
        """Apply a function to blocks by index notation."""
        return blockwise(func, tuple(out_ind), *args, **kwargs)

    def unify_chunks(self, *args: Any, **kwargs: Any) -> tuple[dict[Any, Any], list[Any]]:
        """Return arrays cut along the same lines; arguments are arrays and labels in turn."""
        kwargs.pop("warn", None)
        return unify_chunks(*args)

    def store(self, sources: Any, targets: Any, **kwargs: Any) -> Any:
        """Write arrays into others; what is to be computed later is handed to xarray's Dask."""
        made = store(sources, targets, **_ours(kwargs))
        if kwargs.get("compute", True):
            return made
        # with compute=False xarray returns a Delayed of Dask's, which runs no one else's
        from dask.delayed import delayed

        return delayed(made.compute, pure=False)()

    def shuffle(self, x: Any, indexer: list[list[int]], axis: int, chunks: Any) -> Array:
        """Return elements along an axis in another order, those of each list together."""
        return shuffle(x, indexer, axis, chunks)

    def get_auto_chunk_size(self) -> int:
        """Return the bytes that an automatic chunk aims at."""
        sizes = layout((1 << 30,), "u1", "auto").chunks
        return max(sizes[0])


def _ours(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in _FOR_DASK}

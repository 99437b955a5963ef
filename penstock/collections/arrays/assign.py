"""Assignment to elements of arrays: a new array in which some are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.base import ArrayBase, as_array, need_known, wrap
from penstock.collections.arrays.elementwise import elementwise
from penstock.collections.arrays.indexing import concrete, expanded, is_lazy_mask, without_masks
from penstock.collections.arrays.shape import broadcast_to, expand_dims, reshape
from penstock.engine.kernels.chunks import Grid
from penstock.engine.nodes.arrays.take import TakeArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError


def assigned(array: Any, index: Any, value: Any) -> Any:
    """Return `array` with `value` where `index` points, as NumPy's assignment.

    Raises
    ------
    UnsupportedError
        For several arrays of positions, or a lazy mask with more than one value.
    """
    value = value if isinstance(value, ArrayBase) else np.asarray(value)
    if isinstance(index, ArrayBase | np.ndarray) and index.dtype == bool:
        return _assigned_where(array, index, value)
    given = [part for part in expanded(array, index) if part is not None]
    parts = [part.compute() if is_lazy_mask(part) else concrete(part) for part in given]
    parts = without_masks(array, parts)
    if sum(isinstance(part, np.ndarray) for part in parts) > 1:
        raise UnsupportedError(
            "assignment to points given by several arrays is not supported; use where or a mask"
        )
    need_known("assignment", array)
    listed = [place for place, part in enumerate(parts) if isinstance(part, np.ndarray | int)]
    if (
        any(isinstance(part, np.ndarray) for part in parts)
        and listed != list(range(listed[0], listed[-1] + 1))
        and value.ndim
    ):
        raise UnsupportedError(
            "assignment of an array where a slice lies between an int and an array of positions "
            "is not supported; assign to a slice of one element in place of the int"
        )
    wanted: list[np.ndarray] = []
    shape: list[int] = []
    whole: list[int] = []  # the same before lists of positions are flattened
    for part, extent in zip(parts, array.shape, strict=True):
        if isinstance(part, slice):
            taken = np.arange(extent)[part]
        else:
            taken = np.atleast_1d(part).ravel()
        wanted.append(taken)
        if not isinstance(part, int):
            shape.append(len(taken))
            whole.extend(part.shape if isinstance(part, np.ndarray) else (len(taken),))
    if whole != shape and value.ndim:
        value = reshape(broadcast_to(as_array(value), tuple(whole)), tuple(shape))
    if 0 in shape or 0 in array.shape:
        np.broadcast_to(np.empty(value.shape, bool), tuple(shape))  # or an error
        return array
    mask: Any = True
    for axis, (taken, extent) in enumerate(zip(wanted, array.shape, strict=True)):
        if len(taken) == extent and len(np.unique(taken)) == extent:
            continue
        chosen = np.zeros(extent, bool)
        chosen[taken] = True
        ones = [1] * array.ndim
        ones[axis] = extent
        mask = elementwise(np.logical_and, _laid(chosen.reshape(ones), array), mask)
    spread = _spread(array, value, parts, wanted, tuple(shape))
    return elementwise(_put, array, spread, mask, dtype=array.dtype)


def _laid(values: np.ndarray, array: Any) -> Any:
    chunks = tuple(
        sizes if extent == sum(sizes) else (extent,)
        for sizes, extent in zip(array.chunks, values.shape, strict=True)
    )
    return as_array(values, chunks)


def _put(block: Any, value: Any, mask: Any, dtype: np.dtype) -> Any:
    return np.where(mask, np.asarray(value).astype(dtype), block)


def _spread(
    array: Any,
    value: Any,
    parts: Sequence[Any],
    wanted: Sequence[np.ndarray],
    shape: tuple[int, ...],
) -> Any:
    """Return `value` laid over the whole array: what it assigns is where it belongs."""
    if value.ndim == 0:
        return value[()] if isinstance(value, np.ndarray) else value
    if value.ndim > len(shape):
        lead = value.shape[: value.ndim - len(shape)]
        if any(extent != 1 for extent in lead):
            raise ValueError(f"cannot assign shape {value.shape} to a selection of {shape}")
        value = reshape(as_array(value), value.shape[len(lead) :])
    try:
        np.broadcast_shapes(value.shape, shape)
        fits = all(
            size in (1, extent)
            for size, extent in zip(reversed(value.shape), reversed(shape), strict=False)
        )
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"cannot assign shape {value.shape} to a selection of {shape}")
    lazy = as_array(value)
    if lazy.ndim < len(shape):
        lazy = reshape(lazy, (1,) * (len(shape) - lazy.ndim) + lazy.shape)
    ints = tuple(axis for axis, part in enumerate(parts) if isinstance(part, int))
    if ints:
        lazy = expand_dims(lazy, ints)
    selectors: list[Any] = []
    chunks: list[tuple[int, ...]] = []
    for axis, (taken, extent) in enumerate(zip(wanted, array.shape, strict=True)):
        if lazy.shape[axis] == 1:
            selectors.append((0, 1))
            chunks.append((1,))
            continue
        # elsewhere what is assigned nearby, so that chunks need few others
        order = np.argsort(taken, kind="stable")
        near = np.searchsorted(taken[order], np.arange(extent), "right") - 1
        inverse = order[np.maximum(near, 0)]
        selectors.append(Opaque(inverse))
        chunks.append(array.chunks[axis])
    if not lazy.size:
        return np.zeros((), lazy.dtype)[()]
    return wrap(TakeArray(lazy.plan, tuple(selectors), Grid(tuple(chunks)), "spread"))


def _assigned_where(array: Any, mask: Any, value: Any) -> Any:
    lifted = as_array(mask)
    if lifted.ndim < array.ndim:
        lifted = reshape(lifted, lifted.shape + (1,) * (array.ndim - lifted.ndim))
    if value.ndim == 0 or (value.size == 1):
        single = value[()] if value.ndim == 0 and isinstance(value, np.ndarray) else value
        if value.ndim:
            single = reshape(as_array(value), ())
        return elementwise(_put, array, single, lifted, dtype=array.dtype)
    if isinstance(mask, np.ndarray):
        if mask.ndim == 1:
            return assigned(array, mask.nonzero()[0], value)
        if isinstance(value, np.ndarray) and mask.ndim == array.ndim:
            full = np.zeros(mask.shape, value.dtype)
            full[mask] = value
            return elementwise(_put, array, full, lifted, dtype=array.dtype)
    if isinstance(value, ArrayBase) and value.shape == array.shape:
        return elementwise(_put, array, value, lifted, dtype=array.dtype)
    raise UnsupportedError(
        f"a lazy mask assigns one value, not shape {value.shape}; use where(mask, values, array)"
    )

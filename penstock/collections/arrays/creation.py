"""Arrays from values, ranges and other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock import config
from penstock.collections.arrays.base import need_cpu, wrap
from penstock.engine.kernels.chunks import ArraySchema, normalize_chunks
from penstock.engine.nodes.arrays.sources import Arange, Full
from penstock.errors import UnsupportedError


def layout(
    shape: Any, dtype: Any, chunks: Any, stored: tuple[int, ...] | None = None
) -> ArraySchema:
    """Return the grid of an array of `shape` cut into `chunks`; see `from_array`."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    extents = tuple(int(extent) for extent in shape)
    if any(extent < 0 for extent in extents):
        raise ValueError(f"an array cannot have the shape {extents}")
    kind = np.dtype(dtype)
    limit, chunks = _limit(chunks)
    return ArraySchema(normalize_chunks(chunks, extents, kind, limit, stored), kind)


def _limit(chunks: Any) -> tuple[int, Any]:
    """Return the bytes that an automatic chunk aims at, and `chunks` without sizes in bytes."""
    if isinstance(chunks, str) and chunks != "auto":
        return config.parse_bytes(chunks), "auto"
    if isinstance(chunks, tuple | list):
        sizes = [part for part in chunks if isinstance(part, str) and part != "auto"]
        if sizes:
            plain = tuple("auto" if isinstance(part, str) else part for part in chunks)
            return min(map(config.parse_bytes, sizes)), plain
    return chunk_bytes(), chunks


def chunk_bytes() -> int:
    """Return the bytes that a chunk should have, by the settings and the memory limit."""
    from penstock.engine.primitives import Lowering
    from penstock.scheduler import current_pool

    wanted = config.parse_bytes(config.get("block-size", "64MiB"))
    pool = current_pool()
    return min(wanted, Lowering(pool.budget, pool.usual_budget).block_bytes)


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    chunks: Any = "auto",
    *,
    device: Any = None,
    **kwargs: Any,
) -> Any:
    """Return an array of one value.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : scalar
    dtype : dtype, optional
        By default that of `fill_value`.
    chunks : int, tuple, dict or str
        See `from_array`.
    device : {"cpu"}, optional
    **kwargs
        Dask's ``name``, ``meta`` and ``order`` are accepted and not needed.

    Returns
    -------
    Array

    Examples
    --------
    >>> full((2, 2), 7, chunks=1).compute()
    array([[7, 7],
           [7, 7]])
    """
    need_cpu(device)
    for name in ("name", "meta", "order", "like"):
        kwargs.pop(name, None)
    if kwargs:
        raise TypeError(f"full takes no argument {next(iter(kwargs))!r}")
    value = np.asarray(fill_value)
    if value.ndim:
        raise UnsupportedError(f"full takes one value, not an array of shape {value.shape}")
    grid = layout(shape, value.dtype if dtype is None else dtype, chunks)
    element = value.item() if value.dtype.kind not in "Mm" else value[()]
    return wrap(Full(grid, element, repr(fill_value)))


def ones(
    shape: Any, dtype: Any = float, chunks: Any = "auto", *, device: Any = None, **kwargs: Any
) -> Any:
    """Return an array of ones; see `full`."""
    return full(shape, 1, float if dtype is None else dtype, chunks, device=device, **kwargs)


def zeros(
    shape: Any, dtype: Any = float, chunks: Any = "auto", *, device: Any = None, **kwargs: Any
) -> Any:
    """Return an array of zeros; see `full`."""
    return full(shape, 0, float if dtype is None else dtype, chunks, device=device, **kwargs)


def arange(
    start: Any,
    stop: Any = None,
    step: Any = 1,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    device: Any = None,
    **kwargs: Any,
) -> Any:
    """Return evenly spaced values, as `numpy.arange`.

    Parameters
    ----------
    start, stop, step : number
        With one argument, it is `stop`.
    chunks : int, tuple or str
        See `from_array`.
    dtype : dtype, optional
    device : {"cpu"}, optional

    Returns
    -------
    Array

    Examples
    --------
    >>> arange(5, chunks=2).compute()
    array([0, 1, 2, 3, 4])
    """
    need_cpu(device)
    for name in ("name", "meta", "like"):
        kwargs.pop(name, None)
    if kwargs:
        raise TypeError(f"arange takes no argument {next(iter(kwargs))!r}")
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ValueError("arange needs a step other than 0")
    count = max(0, int(np.ceil((stop - start) / step)))
    kind = (
        np.arange(start, start, step, dtype=dtype).dtype
        if dtype
        else np.result_type(*(np.asarray(value).dtype for value in (start, stop, step)))
    )
    return wrap(Arange(layout((count,), kind, chunks), start, step))

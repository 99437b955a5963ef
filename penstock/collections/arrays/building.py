"""Arrays made from functions of position, and like other arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays.arrange import diagonal
from penstock.collections.arrays.base import as_array, need_cpu
from penstock.collections.arrays.creation import arange, full, layout
from penstock.collections.arrays.elementwise import astype, elementwise, where
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.rechunk import rechunk
from penstock.collections.arrays.shape import broadcast_to, expand_dims
from penstock.engine.kernels.chunks import ArraySchema


def empty(
    shape: Any, dtype: Any = float, chunks: Any = "auto", *, device: Any = None, **kwargs: Any
) -> Any:
    """Return an array whose elements are not promised; here they are zeros. See `full`."""
    return full(shape, 0, float if dtype is None else dtype, chunks, device=device, **kwargs)


def _like(value: Any) -> Any:
    def make(a: Any, dtype: Any = None, order: Any = "C", chunks: Any = None, name: Any = None,
             shape: Any = None, *, device: Any = None, **kwargs: Any) -> Any:  # fmt: skip
        a = as_array(a)
        grid = chunks if chunks is not None else (a.chunks if shape is None else "auto")
        extents = a.shape if shape is None else shape
        return full(extents, value, dtype or a.dtype, grid, device=device)

    return make


zeros_like = _like(0)
zeros_like.__name__ = "zeros_like"
zeros_like.__doc__ = "Return zeros in the shape and type of an array."
ones_like = _like(1)
ones_like.__name__ = "ones_like"
ones_like.__doc__ = "Return ones in the shape and type of an array."
empty_like = _like(0)
empty_like.__name__ = "empty_like"
empty_like.__doc__ = "Return an array of the shape and type of another; its elements are zeros."


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: Any = "C", chunks: Any = None,
              name: Any = None, shape: Any = None, *, device: Any = None) -> Any:  # fmt: skip
    """Return an array of one value in the shape and type of another."""
    return _like(fill_value)(a, dtype, order, chunks, name, shape, device=device)


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
             chunks: Any = "auto", dtype: Any = None, *, device: Any = None) -> Any:  # fmt: skip
    """Return `num` evenly spaced values.

    Parameters
    ----------
    start, stop : number
    num : int
    endpoint : bool
        Whether `stop` is among them.
    retstep : bool
        Return the step too.
    chunks : int, tuple or str
    dtype : dtype, optional
    device : {"cpu"}, optional

    Returns
    -------
    Array, or tuple of Array and float

    Examples
    --------
    >>> linspace(0, 1, 5, chunks=2).compute()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    need_cpu(device)
    num = int(num)
    step = (stop - start) / max(1, num - 1 if endpoint else num)
    kind = np.linspace(start, stop, 1, dtype=dtype).dtype
    places = arange(num, chunks=layout((num,), kind, chunks).chunks, dtype="i8")
    values = places * step + start
    if endpoint and num > 1:
        values = where(places == num - 1, stop, values)
    if kind.kind in "iu":
        values = np.floor(values)
    values = astype(values, kind)
    return (values, step) if retstep else values


def eye(N: int, chunks: Any = "auto", M: int | None = None, k: int = 0, dtype: Any = float,
        *, device: Any = None) -> Any:  # fmt: skip
    """Return ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    N : int
        Rows.
    chunks : int, tuple or str
    M : int, optional
        Columns; as many as rows by default.
    k : int
        Which diagonal.
    dtype : dtype
    device : {"cpu"}, optional

    Returns
    -------
    Array
    """
    need_cpu(device)
    rows, columns = positions((int(N), int(N if M is None else M)), chunks)
    return astype(columns - rows == k, dtype)


def identity(n: int, dtype: Any = float, chunks: Any = "auto") -> Any:
    """Return the identity matrix."""
    return eye(n, chunks, dtype=dtype)


def positions(shape: tuple[int, ...], chunks: Any = "auto", dtype: Any = "i8") -> list[Any]:
    """Return along each axis the positions, as an array that broadcasts to `shape`."""
    grid = layout(shape, np.dtype("f8"), chunks).chunks
    made = []
    for axis, (extent, sizes) in enumerate(zip(shape, grid, strict=True)):
        along = arange(extent, chunks=(sizes,), dtype=dtype)
        others = tuple(k for k in range(len(shape)) if k != axis)
        made.append(expand_dims(along, others))
    return made


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float, chunks: Any = "auto",
        **_: Any) -> Any:  # fmt: skip
    """Return ones on and below a diagonal and zeros above."""
    rows, columns = positions((int(N), int(N if M is None else M)), chunks)
    return astype(columns - rows <= k, dtype)


def tril(m: Any, k: int = 0) -> Any:
    """Return `m` with zeros above a diagonal of its last two axes."""
    m = as_array(m)
    rows, columns = positions(m.shape[-2:], m.chunks[-2:])
    return where(columns - rows <= k, m, np.zeros((), m.dtype)[()])


def triu(m: Any, k: int = 0) -> Any:
    """Return `m` with zeros below a diagonal of its last two axes."""
    m = as_array(m)
    rows, columns = positions(m.shape[-2:], m.chunks[-2:])
    return where(columns - rows >= k, m, np.zeros((), m.dtype)[()])


def _of_triangle(below: bool, n: int, k: int, m: int | None, chunks: Any) -> tuple[Any, ...]:
    from penstock.collections.arrays.search import nonzero

    rows, columns = positions((n, n if m is None else m), chunks)
    return nonzero(columns - rows <= k if below else columns - rows >= k)


def tril_indices(n: int, k: int = 0, m: int | None = None, chunks: Any = "auto") -> Any:
    """Return the positions on and below a diagonal."""
    return _of_triangle(True, n, k, m, chunks)


def triu_indices(n: int, k: int = 0, m: int | None = None, chunks: Any = "auto") -> Any:
    """Return the positions on and above a diagonal."""
    return _of_triangle(False, n, k, m, chunks)


def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Return the positions on and below a diagonal of `arr`."""
    return tril_indices(arr.shape[-2], k, arr.shape[-1], arr.chunks[-2:])


def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Return the positions on and above a diagonal of `arr`."""
    return triu_indices(arr.shape[-2], k, arr.shape[-1], arr.chunks[-2:])


def diag(v: Any, k: int = 0) -> Any:
    """Return a diagonal of a matrix, or a matrix with `v` on a diagonal."""
    v = as_array(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("diag takes an array of one or two axes")
    extent = v.shape[0] + abs(k)
    size = max(1, *v.chunks[0])
    rows, columns = positions((extent, extent), (size, size))
    from penstock.collections.arrays.arrange import pad

    lifted = rechunk(pad(v, (max(k, 0), max(-k, 0))), (columns.chunks[1],))
    if k < 0:
        lifted = rechunk(pad(v, (0, -k)), (columns.chunks[1],))
    return where(columns - rows == k, expand_dims(lifted, 0), np.zeros((), v.dtype)[()])


def indices(dimensions: Any, dtype: Any = int, chunks: Any = "auto") -> Any:
    """Return for each axis the positions along it, stacked along a new first axis."""
    from penstock.collections.arrays.join import stack

    shape = tuple(int(extent) for extent in dimensions)
    grid = layout(shape, dtype, chunks).chunks
    made = positions(shape, grid, dtype)
    return stack([broadcast_to(each, shape, grid) for each in made])


def meshgrid(*xi: Any, sparse: bool = False, indexing: str = "xy", **kwargs: Any) -> list[Any]:
    """Return coordinate arrays from coordinates along axes, as `numpy.meshgrid`."""
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing must be 'xy' or 'ij'")
    axes = [as_array(x).ravel() for x in xi]
    order = list(range(len(axes)))
    if indexing == "xy" and len(axes) > 1:
        order[:2] = [1, 0]
    lifted = [
        expand_dims(x, tuple(k for k in range(len(axes)) if k != order[place]))
        for place, x in enumerate(axes)
    ]
    if sparse:
        return lifted
    shape = np.broadcast_shapes(*(each.shape for each in lifted))
    chunks = tuple(
        next(each.chunks[axis] for place, each in enumerate(lifted) if order[place] == axis)
        for axis in range(len(axes))
    )
    return [broadcast_to(each, shape, chunks) for each in lifted]


def fromfunction(func: Any, chunks: Any = "auto", shape: Any = None, dtype: Any = float,
                 **kwargs: Any) -> Any:  # fmt: skip
    """Return what `func` gives for the positions of elements.

    Parameters
    ----------
    func : callable
        Takes one array of positions for each axis.
    chunks : int, tuple or str
    shape : tuple of int
    dtype : dtype
        Of the positions.
    **kwargs
        Passed to `func`.

    Returns
    -------
    Array
    """
    if shape is None:
        raise TypeError("fromfunction needs shape=")
    extents = (shape,) if isinstance(shape, int) else tuple(shape)
    sample = np.asarray(
        func(*(np.zeros((1,) * len(extents), dtype) for _ in extents), **kwargs)
    ).dtype
    grid = layout(extents, sample, chunks)
    call = partial(_from_positions, func, grid, np.dtype(dtype), kwargs)
    return map_chunks(call, "fromfunction", grid, numbered=True, fixed=grid.block_nbytes * 2)


def _from_positions(
    func: Any, grid: ArraySchema, dtype: np.dtype, kwargs: dict[str, Any], number: int
) -> np.ndarray:
    region = grid.region(number)
    at = np.meshgrid(
        *(np.arange(part.start, part.stop, dtype=dtype) for part in region), indexing="ij"
    )
    shape = grid.block_shape(number)
    return np.array(np.broadcast_to(func(*at, **kwargs), shape), dtype=grid.dtype)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the powers of `x` in columns."""
    x = as_array(x)
    count = x.shape[0] if N is None else int(N)
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return elementwise(np.power, expand_dims(x, 1), powers[None, :])


def copy(a: Any, **_: Any) -> Any:
    """Return an array of its own: assignment to one leaves the other alone."""
    return as_array(a).copy()

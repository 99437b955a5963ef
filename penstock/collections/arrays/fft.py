"""Fourier transforms along axes of any chunks (`penstock.array.fft`).

An axis is transformed in one piece; where it is in several chunks, it is joined
and the others are cut in its place. Transforms over several axes go axis by
axis then, so that no more than a chunk is needed in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays.arrange import roll
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.creation import arange
from penstock.collections.arrays.map import map_chunks
from penstock.collections.arrays.storage import asarray
from penstock.engine.kernels.chunks import ArraySchema
from penstock.errors import UnsupportedError

# A transform holds its input, its output and a copy in the order that it works in.
_COPIES = 3.0


def _in_one_piece(array: Array, axes: Sequence[int]) -> Array:
    """Return `array` with one chunk along each of `axes`, and about as large ones as before."""
    split = [axis for axis in axes if len(array.chunks[axis]) > 1]
    if not split:
        return array
    items = max(1, array.plan.schema.block_items)
    sizes = list(array.chunksize)
    for axis in axes:
        sizes[axis] = array.shape[axis]
    for axis in sorted(range(array.ndim), key=lambda a: -sizes[a]):
        if axis not in axes:
            room = items // max(1, int(np.prod([n for a, n in enumerate(sizes) if a != axis])))
            sizes[axis] = max(1, min(sizes[axis], room))
    return array.rechunk(tuple(max(1, size) for size in sizes))


def _transformed(
    function: Callable[..., Any],
    a: Any,
    axes: Sequence[int],
    lengths: dict[int, int],
    **kwargs: Any,
) -> Array:
    array = _in_one_piece(asarray(a), axes)
    chunks = list(array.chunks)
    for axis, length in lengths.items():
        chunks[axis] = (length,)
    dtype = function(np.ones((2,) * array.ndim, array.dtype), **_small(kwargs)).dtype
    call = partial(function, **kwargs)
    layout = ArraySchema(tuple(chunks), np.dtype(dtype))
    return map_chunks(call, function.__name__, layout, array, copies=_COPIES)


def _small(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments for a sample that shows the dtype."""
    return {name: value for name, value in kwargs.items() if name in ("axis", "axes")}


def _length(n: int | None, extent: int) -> int:
    found = extent if n is None else int(n)
    if found < 1:
        raise ValueError(f"invalid number of FFT data points ({found}) specified")
    return found


def _one_axis(name: str, length: Callable[[int], int], before: Callable[[int], int]) -> Any:
    """Return the transform `name` along one axis.

    Parameters
    ----------
    length : callable
        Of the result, from the number of points.
    before : callable
        The number of points by default, from the length of the axis.
    """
    function = getattr(np.fft, name)

    def transform(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
        array = asarray(a)
        if not array.ndim:
            raise ValueError(f"{name} needs an array of one axis at least")
        place = range(array.ndim)[axis]
        points = _length(n, before(array.shape[place]))
        return _transformed(
            function, array, [place], {place: length(points)}, n=points, axis=place, norm=norm
        )

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"""Return the transform of `numpy.fft.{name}` along an axis.

    Parameters
    ----------
    a : Array
    n : int, optional
        Points: `a` is cut or padded with zeros.
    axis : int
    norm : str, optional

    Returns
    -------
    Array
    """
    return transform


def _same(n: int) -> int:
    return n


fft = _one_axis("fft", _same, _same)
ifft = _one_axis("ifft", _same, _same)
rfft = _one_axis("rfft", lambda n: n // 2 + 1, _same)
irfft = _one_axis("irfft", _same, lambda n: 2 * (n - 1))
hfft = _one_axis("hfft", _same, lambda n: 2 * (n - 1))
ihfft = _one_axis("ihfft", lambda n: n // 2 + 1, _same)


def _several_axes(name: str, one: Any, first: Any = None, last: Any = None, *, two: bool) -> Any:
    """Return the transform `name` over several axes, made of `one` and that of the last axis.

    Parameters
    ----------
    first, last : callable, optional
        The transform that begins, and the one that ends, along the last axis.
    """

    def transform(
        a: Any, s: Sequence[int] | None = None, axes: Any = (-2, -1) if two else None,
        norm: str | None = None,
    ) -> Array:  # fmt: skip
        array = asarray(a)
        if axes is None:
            axes = range(array.ndim) if s is None else range(array.ndim - len(s), array.ndim)
        places = [range(array.ndim)[axis] for axis in axes]
        if len(set(places)) < len(places):
            raise UnsupportedError(f"{name} along one axis twice; transform it twice")
        points = [None] * len(places) if s is None else list(s)
        if len(points) != len(places):
            raise ValueError(f"{name}: {len(points)} lengths for {len(places)} axes")
        steps = list(zip(places, points, strict=True))
        order: list[tuple[Any, int, Any]] = [(one, *step) for step in steps]
        if first is not None and order:
            order = [(first, *steps[-1]), *order[:-1][::-1]]
        elif last is not None and order:
            order = [*order[:-1], (last, *steps[-1])]
        else:
            order = order[::-1]
        for function, axis, n in order:
            array = function(array, n, axis, norm)
        return array

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"""Return the transform of `numpy.fft.{name}` over several axes.

    Parameters
    ----------
    a : Array
    s : sequence of int, optional
        Points along each axis.
    axes : sequence of int, optional
    norm : str, optional

    Returns
    -------
    Array
    """
    return transform


fft2 = _several_axes("fft2", fft, two=True)
ifft2 = _several_axes("ifft2", ifft, two=True)
fftn = _several_axes("fftn", fft, two=False)
ifftn = _several_axes("ifftn", ifft, two=False)
rfft2 = _several_axes("rfft2", fft, first=rfft, two=True)
rfftn = _several_axes("rfftn", fft, first=rfft, two=False)
irfft2 = _several_axes("irfft2", ifft, last=irfft, two=True)
irfftn = _several_axes("irfftn", ifft, last=irfft, two=False)

_PUBLIC = {
    name: globals()[name]
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "fftn", "ifftn",
                 "rfft2", "rfftn", "irfft2", "irfftn")
}  # fmt: skip


def fft_wrap(fft_func: Any, kind: str | None = None, dtype: Any = None) -> Any:
    """Return the lazy transform that stands for one of NumPy's or SciPy's.

    Parameters
    ----------
    fft_func : callable
        Such as `numpy.fft.fft`.
    kind : str, optional
        Its name, where the function has another.
    dtype : dtype, optional
        Accepted for compatibility.

    Returns
    -------
    callable
    """
    name = kind or getattr(fft_func, "__name__", "")
    if name not in _PUBLIC:
        raise ValueError(f"{name!r} is none of the transforms {', '.join(_PUBLIC)}")
    return _PUBLIC[name]


def fftfreq(
    n: int, d: float = 1.0, chunks: Any = "auto", *, dtype: Any = None, device: Any = None
) -> Array:
    """Return the frequencies of the points of a transform, as `numpy.fft.fftfreq`.

    Examples
    --------
    >>> fftfreq(4, chunks=2).compute()
    array([ 0.  ,  0.25, -0.5 , -0.25])
    """
    return _frequency_array("fftfreq", arange(n, chunks=chunks, device=device), n, d, dtype)


def rfftfreq(
    n: int, d: float = 1.0, chunks: Any = "auto", *, dtype: Any = None, device: Any = None
) -> Array:
    """Return the frequencies of the points of a real transform, as `numpy.fft.rfftfreq`."""
    positions = arange(n // 2 + 1, chunks=chunks, device=device)
    return _frequency_array("rfftfreq", positions, n, d, dtype)


def _frequency_array(name: str, positions: Array, n: int, d: float, dtype: Any) -> Array:
    layout = ArraySchema(positions.chunks, np.dtype("f8" if dtype is None else dtype))
    call = partial(_frequencies, n, d, name == "rfftfreq", layout.dtype)
    return map_chunks(call, name, layout, positions)


def _frequencies(
    n: int, d: float, real: bool, dtype: np.dtype, positions: np.ndarray
) -> np.ndarray:
    if not real:
        positions = np.where(positions < (n + 1) // 2, positions, positions - n)
    return (positions * (1.0 / (n * d))).astype(dtype, copy=False)


def _shifted(x: Any, axes: Any, half: Callable[[int], int]) -> Array:
    array = asarray(x)
    if axes is None:
        axes = range(array.ndim)
    elif isinstance(axes, int | np.integer):
        axes = (int(axes),)
    places = [range(array.ndim)[axis] for axis in axes]
    if not places:
        return array
    return roll(array, tuple(half(array.shape[axis]) for axis in places), tuple(places))


def fftshift(x: Any, axes: Any = None) -> Array:
    """Return `x` with the zero frequency in the middle, as `numpy.fft.fftshift`.

    Examples
    --------
    >>> fftshift(fftfreq(4, chunks=2)).compute()
    array([-0.5 , -0.25,  0.  ,  0.25])
    """
    return _shifted(x, axes, lambda n: n // 2)


def ifftshift(x: Any, axes: Any = None) -> Array:
    """Return what `fftshift` did undone, as `numpy.fft.ifftshift`."""
    return _shifted(x, axes, lambda n: -(n // 2))

"""Elementwise functions on arrays, and chunks made alike for them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from penstock.collections.arrays.base import ArrayBase, as_array, need_cpu, wrap
from penstock.collections.arrays.rechunk import may_be_cut, rechunk
from penstock.collections.base import Collection
from penstock.engine.kernels.arrays import cast, constant, result_dtype
from penstock.engine.kernels.arrays import functions as kernels
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.elementwise import Elementwise
from penstock.engine.nodes.arrays.storage import FromArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode
from penstock.errors import SchemaError, UnsupportedError


def is_operand(value: Any) -> bool:
    """Return whether `value` may stand in an elementwise operation."""
    if isinstance(value, Collection):
        return isinstance(value, ArrayBase)
    return isinstance(value, np.ndarray | np.generic | int | float | complex | bool | list | tuple)


def elementwise(function: Any, *inputs: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """Return what `function` gives for each element of `inputs`, which broadcast.

    Parameters
    ----------
    function : callable
        A ufunc, or a function of blocks and scalars that gives a block.
    *inputs : Array, ndarray or scalar
        At least one Array.
    dtype : dtype, optional
        Of the result, passed to `function`.
    **kwargs
        Hashable options of `function`.

    Returns
    -------
    Array
    """
    if dtype is not None:
        kwargs["dtype"] = np.dtype(dtype)
    operands: list[ArrayNode] = []
    places: list[tuple] = []
    samples: list[Any] = []
    for value in _alike(inputs):
        if isinstance(value, ArrayBase):
            plan = value.plan
            if plan not in operands:
                operands.append(plan)
            places.append(("in", operands.index(plan)))
            samples.append(value.dtype)
        else:
            places.append(constant(value))
            samples.append(value)
    result = result_dtype(function, samples, kwargs)
    step = (function, tuple(places), tuple(sorted(kwargs.items())), result)
    node = Elementwise((step,), tuple(operands))
    _ = node.schema  # shapes that do not fit are told now
    return wrap(node)


def _alike(inputs: Sequence[Any]) -> list[Any]:
    """Return `inputs` with NumPy arrays turned into Arrays, all in chunks that fit each other."""
    ready: list[Any] = []
    for value in inputs:
        if isinstance(value, list | tuple):
            value = as_array(value) if _holds_array(value) else np.asarray(value)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        ready.append(value)
    lazy = [value for value in ready if isinstance(value, ArrayBase)]
    for place, value in enumerate(ready):
        if isinstance(value, np.ndarray):
            ready[place] = _cut_like(value, lazy)
    arrays = [value for value in ready if isinstance(value, ArrayBase)]
    if len(arrays) < 2:
        return ready
    fitted = iter(unify_chunks_of(arrays))
    return [next(fitted) if isinstance(value, ArrayBase) else value for value in ready]


def _holds_array(values: Any) -> bool:
    return any(
        isinstance(value, ArrayBase) or (isinstance(value, list | tuple) and _holds_array(value))
        for value in values
    )


def _cut_like(value: np.ndarray, arrays: Sequence[Any]) -> Any:
    chunks: list[tuple[int, ...]] = []
    for axis in range(-value.ndim, 0):
        known = (
            array.chunks[axis]
            for array in arrays
            if array.ndim >= -axis and array.shape[axis] == value.shape[axis]
        )
        chunks.append(next(known, (value.shape[axis],)))
    return wrap(FromArray(ArraySchema(tuple(chunks), value.dtype), Opaque(value), Opaque(None)))


def unify_chunks_of(arrays: Sequence[Any]) -> list[Any]:
    """Return `arrays` in chunks of which none reaches over a border of another array's.

    Raises
    ------
    SchemaError
        When the shapes do not broadcast.
    UnsupportedError
        When the sizes of chunks that differ are not known.
    """
    ndim = max(array.ndim for array in arrays)
    agreed = {
        axis: _common(_grids([a for a in arrays if a.ndim >= -axis], axis), arrays)
        for axis in range(-ndim, 0)
    }
    fitted = []
    for array in arrays:
        chunks = tuple(
            sizes if sum(sizes) == 1 else agreed[axis]
            for axis, sizes in zip(range(-array.ndim, 0), array.chunks, strict=True)
        )
        fitted.append(rechunk(array, chunks) if array._known else array)
    return fitted


def _grids(arrays: Sequence[Any], axis: int) -> set[tuple[int, ...]]:
    """Return the chunks along `axis`, without those of arrays that follow the others."""
    firm = [a for a in arrays if not may_be_cut(a, axis)]
    extents = {sum(a.chunks[axis]) for a in arrays}
    found = {a.chunks[axis] for a in firm}
    if any(sum(grid) != 1 for grid in found) and len(extents - {1}) < 2:
        return found
    return {a.chunks[axis] for a in arrays}


def _common(grids: set[tuple[int, ...]], arrays: Sequence[Any]) -> tuple[int, ...]:
    """Return the chunks along an axis that are cut wherever one of `grids` is."""
    wide = {grid for grid in grids if sum(grid) != 1}
    if len(wide) < 2:
        return wide.pop() if wide else (1,)
    extents = {sum(grid) for grid in wide}
    if any(extent != extent for extent in extents):  # NaN
        raise UnsupportedError(
            "chunks whose sizes are not known differ; call compute_chunk_sizes() first"
        )
    if len(extents) > 1:
        raise SchemaError(f"shapes {[array.shape for array in arrays]} do not broadcast")
    borders = sorted({0}.union(*(accumulate(grid) for grid in wide)))
    return tuple(high - low for low, high in pairwise(borders))


def astype(x: Any, dtype: Any, *, copy: bool = True, device: Any = None, **_: Any) -> Any:
    """Return `x` with elements of another type; only without `copy` the array itself is given."""
    need_cpu(device)
    wanted, x = np.dtype(dtype), as_array(x)
    if wanted != x.dtype:
        return elementwise(cast, x, dtype=wanted)
    return x.copy() if copy else x


def _lazily(name: str, function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs.pop("out", None) is not None:
            raise UnsupportedError(f"{name} of a lazy array cannot write to out=")
        inputs = [as_array(v) if isinstance(v, list | tuple) else v for v in args]
        if not any(isinstance(value, ArrayBase) for value in inputs):
            inputs[0] = as_array(inputs[0])
        return elementwise(function, *inputs, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return `numpy.{name}` of each element.\n\nParameters are those of NumPy."
    return call


real = _lazily("real", kernels.real)
imag = _lazily("imag", kernels.imag)
angle = _lazily("angle", kernels.angle)
around = _lazily("round", kernels.rounded)
round = around
fix = _lazily("fix", np.trunc)
i0 = _lazily("i0", kernels.i0)
sinc = _lazily("sinc", kernels.sinc)
isreal = _lazily("isreal", kernels.isreal)
iscomplex = _lazily("iscomplex", kernels.iscomplex)
nan_to_num = _lazily("nan_to_num", kernels.nan_to_num)
isclose = _lazily("isclose", kernels.isclose)
isneginf = _lazily("isneginf", kernels.isneginf)
isposinf = _lazily("isposinf", kernels.isposinf)


def clip(a: Any, min: Any = None, max: Any = None, **kwargs: Any) -> Any:
    """Return `a` with what lies outside of `min` and `max` replaced by them."""
    low, high = kwargs.pop("a_min", min), kwargs.pop("a_max", max)
    a = as_array(a)
    if low is None and high is None:
        return a
    if low is None:
        return elementwise(np.minimum, a, high)
    if high is None:
        return elementwise(np.maximum, a, low)
    return elementwise(np.clip, a, low, high)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return elements of `x` where `condition` holds and of `y` elsewhere, as `numpy.where`.

    Parameters
    ----------
    condition : Array or array-like
    x, y : Array or array-like, optional
        Without them, the positions where `condition` holds are returned.

    Returns
    -------
    Array, or tuple of Array

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.arange(5, chunks=2)
    >>> where(x > 2, x, -1).compute()
    array([-1, -1, -1,  3,  4])
    """
    if (x is None) != (y is None):
        raise ValueError("where takes both x and y, or neither")
    if x is None:
        return as_array(condition).nonzero()
    if not any(isinstance(value, ArrayBase) for value in (condition, x, y)):
        condition = as_array(condition)
    return elementwise(np.where, condition, x, y)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Return for each element the choice of the first condition that holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("select needs as many choices as conditions")
    result: Any = default
    dtype = np.result_type(*(_kind(value) for value in (*choicelist, default)))
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice, result)
    return astype(result, dtype)


def _kind(value: Any) -> Any:
    return value.dtype if hasattr(value, "dtype") else value


def choose(a: Any, choices: Any) -> Any:
    """Return for each element of `a` an element of the array that it numbers."""
    arrays = [choices[place] for place in range(len(choices))]
    result = arrays[0]
    for number, choice in enumerate(arrays[1:], 1):
        result = where(as_array(a) == number, choice, result)
    return result


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Return for each element what the function of the last condition that holds gives."""
    x = as_array(x)
    conditions = list(condlist) if isinstance(condlist, list | tuple) else [condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        otherwise = conditions[0]
        for condition in conditions[1:]:
            otherwise = otherwise | condition
        conditions.append(~otherwise)
    if len(functions) != len(conditions):
        raise ValueError("piecewise needs a function for each condition, or one more")
    result: Any = astype(x * 0, x.dtype)
    for condition, function in zip(conditions, functions, strict=True):
        value = function(x, *args, **kw) if callable(function) else function
        result = astype(where(condition, value, result), x.dtype)
    return result


def frompyfunc(func: Any, nin: int, nout: int) -> Any:
    """Return a function of `nin` elements that gives `nout`, applied elementwise and lazily."""
    made = np.frompyfunc(func, nin, nout)

    def call(*args: Any) -> Any:
        return made(*(as_array(arg) if isinstance(arg, list) else arg for arg in args))

    return call


def isnull(values: Any) -> Any:
    """Return for each element whether it is missing: NaN, NaT or None."""
    return elementwise(kernels.isnull, as_array(values))


def notnull(values: Any) -> Any:
    """Return for each element whether it is not missing."""
    return ~isnull(values)


def unify_chunks(*args: Any, **kwargs: Any) -> tuple[dict[Any, Any], list[Any]]:
    """Return the chunks of every label and the arrays cut alike.

    Parameters
    ----------
    *args
        Arrays, each followed by a label for each of its axes.

    Returns
    -------
    dict, list of Array
    """
    arrays, labels = [as_array(value) for value in args[::2]], [tuple(each) for each in args[1::2]]
    names = sorted({label for each in labels for label in each}, key=str)
    lifted = []
    for array, each in zip(arrays, labels, strict=True):
        order = [each.index(name) for name in names if name in each]
        chunks = [array.chunks[each.index(name)] if name in each else (1,) for name in names]
        lifted.append((array, order, chunks))
    agreed: dict[Any, Any] = {}
    for place, name in enumerate(names):
        grids = {tuple(chunks[place]) for (_, _, chunks), each in zip(lifted, labels, strict=True)
                 if name in each}  # fmt: skip
        agreed[name] = _common(grids, arrays)
    fitted = [
        rechunk(array, tuple(sizes if sum(sizes) == 1 else agreed[name]
                             for name, sizes in zip(each, array.chunks, strict=True)))
        for array, each in zip(arrays, labels, strict=True)
    ]  # fmt: skip
    return agreed, fitted

"""Generalised ufuncs: functions over core dimensions, applied along all the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.align import single_chunk, unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.blockwise import UNKNOWN, sampled
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.blockwise import BlockwiseArray, PickArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import SchemaError

_NAME = r"\w+"
_DIMS = rf"\(\s*(?:{_NAME}(?:\s*,\s*{_NAME})*\s*,?)?\s*\)"
_SIDE = rf"{_DIMS}(?:\s*,\s*{_DIMS})*"
_SIGNATURE = re.compile(rf"^\s*({_SIDE})?\s*->\s*({_SIDE})\s*,?\s*$")

Dims = tuple[str, ...]


def parse_signature(signature: str) -> tuple[list[Dims], list[Dims]]:
    """Return the core dimensions of the inputs and outputs of a signature.

    Parameters
    ----------
    signature : str
        As in NumPy: ``"(i,j),(j)->(i),()"``.

    Returns
    -------
    tuple of (list of tuple of str, list of tuple of str)

    Raises
    ------
    ValueError
        When it is no signature.

    Examples
    --------
    >>> parse_signature("(i,j),(j)->(i)")
    ([('i', 'j'), ('j',)], [('i',)])
    """
    match = _SIGNATURE.match(signature)
    if match is None:
        raise ValueError(f"{signature!r} is not a signature such as '(i,j),(j)->(i)'")
    sides = [
        [tuple(re.findall(_NAME, dims)) for dims in re.findall(_DIMS, side or "")]
        for side in match.groups()
    ]
    return sides[0], sides[1]


def apply_gufunc(
    func: Callable[..., Any],
    signature: str,
    *args: Any,
    axes: Any = None,
    axis: int | None = None,
    keepdims: bool = False,
    output_dtypes: Any = None,
    output_sizes: Mapping[str, int] | None = None,
    vectorize: bool | None = None,
    allow_rechunk: bool = False,
    meta: Any = None,
    **kwargs: Any,
) -> Any:
    """Apply a function that works on core dimensions along all other dimensions.

    Parameters
    ----------
    func : callable
        Takes arrays whose last axes are the core dimensions, and gives such.
    signature : str
        The core dimensions: ``"(i),(i)->()"``.
    *args
        Arrays; dimensions that are not core broadcast.
    axes : list of tuple, optional
        Where the core dimensions are in each input and output; by default they are the last.
    axis : int, optional
        The one core dimension of all inputs and outputs.
    keepdims : bool
        Keep core dimensions with length 1, where no output has any.
    output_dtypes : dtype or list of dtype, optional
        Without them, or `meta`, the first block is computed to find out.
    output_sizes : dict, optional
        Lengths of core dimensions that only outputs have.
    vectorize : bool, optional
        `func` takes single vectors or matrices, not whole blocks.
    allow_rechunk : bool
        Join chunks along core dimensions; otherwise they are refused.
    meta : ndarray or tuple of ndarray, optional
        Empty arrays of the dtypes of the outputs.
    **kwargs
        Passed to `func`.

    Returns
    -------
    Array or tuple of Array

    Raises
    ------
    ValueError
        When a core dimension is in several chunks, or its lengths differ.

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> x = da.ones((4, 3), chunks=(2, 3))
    >>> da.apply_gufunc(lambda a: a.sum(axis=-1), "(i)->()", x, output_dtypes=float).compute()
    array([3., 3., 3., 3.])
    """
    operation = getattr(func, "__name__", type(func).__name__)
    inputs, outputs = parse_signature(signature)
    several = signature.split("->")[1].rstrip().endswith(",") or len(outputs) > 1
    if len(inputs) != len(args):
        raise ValueError(f"{operation}: the signature has {len(inputs)} inputs, not {len(args)}")
    dtypes = _dtypes(output_dtypes, meta, len(outputs))
    if vectorize:
        types = None if dtypes is None else [dtype.char for dtype in dtypes]
        func = np.vectorize(func, signature=signature, otypes=types)
    arrays = [asarray(value) for value in args]
    moves_in, moves_out = _axes(axes, axis, keepdims, inputs, outputs)
    arrays, labels, orders, sizes = _labelled(arrays, inputs, moves_in, allow_rechunk, operation)
    for name, size in (output_sizes or {}).items():
        if sizes.setdefault(name, size) != size:
            raise ValueError(
                f"{operation}: dimension {name!r} has the length {sizes[name]}, not {size}"
            )
    unknown = {name for dims in outputs for name in dims} - set(sizes)
    if unknown:
        raise ValueError(f"{operation}: output_sizes must tell the length of {sorted(unknown)}")
    chunks, arrays = unified(arrays, labels, operation)
    ndim = max(
        (len(names) - len(dims) for names, dims in zip(labels, inputs, strict=True)), default=0
    )
    loops = [chunks[place] for place in range(ndim)]
    grids, places = [], []
    for dims, move in zip(outputs, moves_out, strict=True):
        core = [(sizes[name],) for name in dims] if not keepdims else [(1,)] * len(inputs[0])
        total = ndim + len(core)
        at = [range(total)[each] for each in move] if move else list(range(ndim, total))
        free = iter(place for place in range(total) if place not in at)
        loop_places = [next(free) for _ in range(ndim)]
        grid: list[Any] = [None] * total
        for place, sizes_of in zip([*loop_places, *at], [*loops, *core], strict=True):
            grid[place] = sizes_of
        grids.append(tuple(grid))
        places.append((tuple(loop_places), tuple(at)))
    call = _GeneralCall(func, kwargs, orders, [at for _, at in places], several, keepdims)
    numbers: dict[Any, int] = {name: -1 for names in labels for name in names}
    width = ndim if several else len(grids[0])
    for name in numbers:
        if not isinstance(name, int):
            numbers[name] = width + len([n for n in numbers.values() if n >= width])
        else:
            numbers[name] = name if several else places[0][0][name]
    node = BlockwiseArray(
        ArraySchema(tuple(loops) if several else grids[0], UNKNOWN),
        tuple(array.plan for array in arrays),
        tuple(tuple(numbers[name] for name in names) for names in labels),
        Opaque(call),
        operation.strip("<>_") or "gufunc",
        checked=not several,
    )
    if dtypes is None:
        found = sampled(node, operation)
        made = found if several else (found,)
        dtypes = [np.asarray(each).dtype for each in made]
    layouts = [ArraySchema(grid, dtype) for grid, dtype in zip(grids, dtypes, strict=True)]
    if not several:
        return Array(noted(_with_layout(node, layouts[0])))
    whole = sum(layout.block_nbytes for layout in layouts)
    shared = _with_layout(node, ArraySchema(tuple(loops), UNKNOWN), fixed=whole)
    return tuple(Array(noted(PickArray(shared, k, each))) for k, each in enumerate(layouts))


def _with_layout(node: BlockwiseArray, layout: ArraySchema, fixed: int = 0) -> BlockwiseArray:
    from dataclasses import replace

    return replace(node, layout=layout, fixed=fixed)


def _dtypes(given: Any, meta: Any, count: int) -> list[np.dtype] | None:
    if given is None and meta is not None:
        given = [each.dtype for each in (meta if isinstance(meta, tuple | list) else (meta,))]
    if given is None:
        return None
    found = [np.dtype(each) for each in (given if isinstance(given, tuple | list) else [given])]
    if len(found) == 1:
        found *= count
    if len(found) != count:
        raise ValueError(f"{len(found)} output_dtypes for {count} outputs")
    return found


def _axes(
    axes: Any, axis: int | None, keepdims: bool, inputs: list[Dims], outputs: list[Dims]
) -> tuple[list[tuple[int, ...] | None], list[tuple[int, ...] | None]]:
    """Return where the core dimensions are in each input and output; None for the end."""
    if axes is not None and axis is not None:
        raise ValueError("only one of axes= and axis= can be given")
    core = {dims for dims in (*inputs, *outputs) if dims}
    if keepdims and (any(outputs) or len({len(dims) for dims in inputs}) > 1):
        raise ValueError("keepdims=True is for outputs without and inputs with the same dimensions")
    if axis is not None:
        if len(core) != 1 or len(next(iter(core))) != 1:
            raise ValueError("axis= is for signatures with a single core dimension; use axes=")
        place: tuple[int, ...] = (int(axis),)
        ends = [place if dims or keepdims else () for dims in outputs]
        return [place if dims else () for dims in inputs], [end or None for end in ends]
    if axes is None:
        return [None] * len(inputs), [None] * len(outputs)
    given = [
        (int(each),) if isinstance(each, int | np.integer) else tuple(int(a) for a in each)
        for each in ([axes] if isinstance(axes, tuple | int) else axes)
    ]
    if len(given) == len(inputs) and not any(outputs):
        given += [given[0] if keepdims else ()] * len(outputs)
    if len(given) != len(inputs) + len(outputs):
        raise ValueError(
            f"axes= has {len(given)} entries for {len(inputs) + len(outputs)} operands"
        )
    for each, dims in zip(given, (*inputs, *outputs), strict=True):
        if len(each) != len(dims) and not keepdims:
            raise ValueError(f"axes= gives {each} for the core dimensions {dims}")
    moves: list[tuple[int, ...] | None] = [each or None for each in given]
    return moves[: len(inputs)], moves[len(inputs) :]


def _labelled(
    arrays: list[Array],
    inputs: list[Dims],
    moves: Sequence[tuple[int, ...] | None],
    allow_rechunk: bool,
    operation: str,
) -> tuple[list[Array], list[tuple[Any, ...]], list[tuple[int, ...]], dict[str, int]]:
    """Return arrays in one chunk along core dimensions, labels of axes, and their order for a call."""
    ready, orders = [], []
    sizes: dict[str, int] = {}
    ndim = 0
    for number, (array, dims, move) in enumerate(zip(arrays, inputs, moves, strict=True)):
        if array.ndim < len(dims):
            raise ValueError(
                f"{operation}: input {number} has {array.ndim} axes, but the core dimensions {dims}"
            )
        core = (
            [range(array.ndim)[axis] for axis in move]
            if move
            else list(range(array.ndim - len(dims), array.ndim))
        )
        split = [axis for axis in core if len(array.chunks[axis]) > 1]
        if split and not allow_rechunk:
            raise ValueError(
                f"{operation}: core dimension {dims[core.index(split[0])]!r} of input {number} is in "
                f"{len(array.chunks[split[0]])} chunks; rechunk it to one, or pass allow_rechunk=True"
            )
        array = single_chunk(array, core)
        for name, axis in zip(dims, core, strict=True):
            if sizes.setdefault(name, array.shape[axis]) != array.shape[axis]:
                raise ValueError(
                    f"{operation}: core dimension {name!r} has the lengths {sizes[name]} and "
                    f"{array.shape[axis]}"
                )
        loop = [axis for axis in range(array.ndim) if axis not in core]
        ndim = max(ndim, len(loop))
        ready.append(array)
        orders.append((tuple(loop), tuple(core)))
    labels = []
    for array, dims, (loop_axes, core_axes) in zip(ready, inputs, orders, strict=True):
        names: list[Any] = [None] * array.ndim
        for place, axis in enumerate(loop_axes):
            names[axis] = ndim - len(loop_axes) + place
        for name, axis in zip(dims, core_axes, strict=True):
            if name in names:
                raise SchemaError(f"{operation}: dimension {name!r} twice in one input")
            names[axis] = name
        labels.append(tuple(names))
    return ready, labels, [(*loop, *core) for loop, core in orders], sizes


class _GeneralCall:
    """A function on blocks whose core axes are anywhere."""

    def __init__(
        self,
        function: Callable[..., Any],
        kwargs: dict[str, Any],
        orders: list[tuple[int, ...]],
        places: list[tuple[int, ...]],
        several: bool,
        keepdims: bool,
    ) -> None:
        self.function = function
        self.kwargs = kwargs
        self.orders = orders
        self.places = places
        self.several = several
        self.keepdims = keepdims

    def __call__(self, *blocks: Any) -> Any:
        moved = [
            block if order == tuple(range(len(order))) else np.transpose(block, order)
            for block, order in zip(blocks, self.orders, strict=True)
        ]
        made = self.function(*moved, **self.kwargs)
        results = made if self.several else (made,)
        if len(results) != len(self.places):
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise ValueError(
                f"{name} gave {len(results)} arrays, the signature has {len(self.places)}"
            )
        placed = tuple(
            self._placed(np.asarray(each), at)
            for each, at in zip(results, self.places, strict=True)
        )
        return placed if self.several else placed[0]

    def _placed(self, made: np.ndarray, at: tuple[int, ...]) -> np.ndarray:
        if self.keepdims:
            return np.expand_dims(made, at)
        if not at:
            return made
        return np.moveaxis(made, range(made.ndim - len(at), made.ndim), at)


class gufunc:  # noqa: N801 - Dask's name
    """A function with a signature, to be called with arrays.

    Parameters
    ----------
    pyfunc : callable
    signature : str, optional
        By default that of `pyfunc`.
    **options
        See `apply_gufunc`.

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> total = gufunc(lambda a: a.sum(axis=-1), signature="(i)->()", output_dtypes=float)
    >>> total(da.ones((2, 3), chunks=(1, 3))).compute()
    array([3., 3.])
    """

    def __init__(
        self, pyfunc: Callable[..., Any], *, signature: str | None = None, **options: Any
    ) -> None:
        if isinstance(pyfunc, np.ufunc) and signature is None:
            signature = pyfunc.signature or f"{','.join(['()'] * pyfunc.nin)}->()"
        if signature is None:
            raise ValueError("gufunc needs a signature such as '(i)->()'")
        parse_signature(signature)
        self.pyfunc = pyfunc
        self.signature = signature
        self.options = options
        self.__name__ = getattr(pyfunc, "__name__", type(pyfunc).__name__)
        self.__doc__ = getattr(pyfunc, "__doc__", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function gives for the arrays."""
        return apply_gufunc(self.pyfunc, self.signature, *args, **{**self.options, **kwargs})


def as_gufunc(
    signature: str | None = None, **options: Any
) -> Callable[[Callable[..., Any]], gufunc]:
    """Return a decorator that makes a `gufunc` of a function.

    Parameters
    ----------
    signature : str
    **options
        See `apply_gufunc`.

    Returns
    -------
    callable

    Examples
    --------
    >>> import penstock.array as da
    >>> @as_gufunc("(i)->()", output_dtypes=float)
    ... def total(a):
    ...     return a.sum(axis=-1)
    >>> total(da.ones((2, 3), chunks=(1, 3))).compute()
    array([3., 3.])
    """

    def wrap(pyfunc: Callable[..., Any]) -> gufunc:
        return gufunc(pyfunc, signature=signature, **options)

    return wrap

"""Functions of the user's on blocks of arrays: blockwise and map_blocks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.align import unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted, user_line
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.blockwise import BlockwiseArray
from penstock.engine.nodes.arrays.storage import BlockOf
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import SchemaError

UNKNOWN = np.dtype("f8")  # stands for a dtype until the first block tells


def blockwise(
    func: Callable[..., Any],
    out_ind: Sequence[Hashable],
    *args: Any,
    name: Any = None,
    token: Any = None,
    dtype: Any = None,
    adjust_chunks: Mapping[Hashable, Any] | None = None,
    new_axes: Mapping[Hashable, Any] | None = None,
    align_arrays: bool = True,
    concatenate: bool | None = None,
    meta: Any = None,
    **kwargs: Any,
) -> Array:
    """Apply a function to blocks by index notation.

    Parameters
    ----------
    func : callable
        Takes one block per array, and gives a block.
    out_ind : sequence
        Labels of the axes of the result, e.g. ``"ij"``.
    *args : Array, labels, Array, labels, ...
        None as labels passes the object itself to every call.
    name, token : object
        Accepted for compatibility.
    dtype : dtype, optional
        Of the result. Without it, or `meta`, the first block is computed to find out.
    adjust_chunks : dict, optional
        Per label the sizes of the chunks that `func` gives: a number, a tuple,
        or a function of the size.
    new_axes : dict, optional
        Labels that no array has, with their length, or the sizes of their chunks.
    align_arrays : bool
        Cut the arrays along the same lines. Otherwise their chunks must agree in number.
    concatenate : bool, optional
        Join the blocks along labels that the result does not have; otherwise
        `func` gets (nested) lists of them.
    meta : ndarray, optional
        An empty array of the dtype of the result.
    **kwargs
        Passed to `func`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np, penstock.array as da
    >>> x = da.arange(3, chunks=2)
    >>> da.blockwise(np.outer, "ij", x, "i", x, "j", dtype=int).compute()
    array([[0, 0, 0],
           [0, 1, 2],
           [0, 2, 4]])
    """
    if len(args) % 2:
        raise ValueError("blockwise takes pairs of an array and its labels")
    literals: dict[int, Any] = {}
    arrays: list[Array] = []
    labels: list[tuple[Hashable, ...]] = []
    for place, (value, names) in enumerate(zip(args[::2], args[1::2], strict=True)):
        if names is None:
            literals[place] = value
        else:
            arrays.append(asarray(value))
            labels.append(tuple(names))
    operation = getattr(func, "__name__", type(func).__name__)
    if align_arrays:
        chunks, arrays = unified(arrays, labels, operation)
    else:
        chunks = {}
        for array, names in zip(arrays, labels, strict=True):
            for label, sizes in zip(names, array.chunks, strict=True):
                if label not in chunks or len(sizes) > len(chunks[label]):
                    chunks[label] = sizes
    for label, sizes in (new_axes or {}).items():
        if label in chunks:
            raise ValueError(f"blockwise: new axis {label!r} is an axis of an operand")
        chunks[label] = tuple(sizes) if isinstance(sizes, tuple | list) else (int(sizes),)
    out = tuple(out_ind)
    unknown = [label for label in out if label not in chunks]
    if unknown or len(set(out)) < len(out):
        raise ValueError(f"blockwise: the labels {out} of the result need an axis each")
    grid = tuple(_adjusted(chunks[label], (adjust_chunks or {}).get(label)) for label in out)
    numbers = {label: number for number, label in enumerate(out)}
    for label in chunks:
        numbers.setdefault(label, len(numbers))
    call = _Call(func, literals, kwargs)
    return _lazy(
        ArraySchema(grid, UNKNOWN),
        arrays,
        [tuple(numbers[label] for label in names) for names in labels],
        call,
        operation,
        dtype=dtype,
        meta=meta,
        concatenate=bool(concatenate),
    )


def _adjusted(sizes: tuple[int, ...], how: Any) -> tuple[int, ...]:
    if how is None:
        return sizes
    if callable(how):
        return tuple(how(size) for size in sizes)
    if isinstance(how, int | np.integer | float):
        return (how,) * len(sizes)  # type: ignore[return-value]  # NaN where it is not known
    if len(how) != len(sizes):
        raise SchemaError(f"adjust_chunks gives {len(how)} sizes for {len(sizes)} chunks")
    return tuple(how)


class _Call:
    """A function with some arguments given."""

    def __init__(
        self, function: Callable[..., Any], literals: dict[int, Any], kwargs: dict[str, Any]
    ) -> None:
        self.function = function
        self.literals = sorted(literals.items())
        self.kwargs = kwargs

    def __call__(self, *blocks: Any) -> Any:
        args = list(blocks)
        for place, value in self.literals:
            args.insert(place, value)
        return self.function(*args, **self.kwargs)


def _lazy(
    grid: ArraySchema,
    arrays: Sequence[Array],
    labels: Sequence[tuple[int, ...]],
    call: Callable[..., Any],
    operation: str,
    *,
    dtype: Any,
    meta: Any,
    concatenate: bool,
    numbered: bool = False,
) -> Array:
    def node(kind: np.dtype) -> BlockwiseArray:
        return BlockwiseArray(
            ArraySchema(grid.chunks, kind),
            tuple(array.plan for array in arrays),
            tuple(labels),
            Opaque(call),
            operation.strip("<>_") or "function",
            concatenate=concatenate,
            numbered=numbered,
        )

    if dtype is None and meta is not None:
        dtype = getattr(meta, "dtype", meta)
    if dtype is None:
        dtype = np.asarray(sampled(node(UNKNOWN), operation)).dtype
    return Array(noted(node(np.dtype(dtype))))


def sampled(node: BlockwiseArray, operation: str) -> Any:
    """Return the first block of `node`, computed to learn what its function gives.

    Raises
    ------
    Exception
        Whatever the function raises, with a note that says when it ran.
    """
    from penstock.engine.run import run

    try:
        ((block,),) = run([BlockOf(node, 0)], None, user_line())
    except Exception as error:
        error.add_note(
            f"{operation} failed on the first block, where it was run to learn the dtype of its "
            "result; give dtype= if it needs more"
        )
        raise
    return block


def map_blocks(
    func: Callable[..., Any],
    *args: Any,
    name: Any = None,
    token: Any = None,
    dtype: Any = None,
    chunks: Any = None,
    drop_axis: Any = None,
    new_axis: Any = None,
    enforce_ndim: bool = False,
    meta: Any = None,
    **kwargs: Any,
) -> Array:
    """Apply a function to each block of one or several arrays.

    Parameters
    ----------
    func : callable
        Takes a block of each array. With a parameter ``block_id`` it is told
        the place of its block, with ``block_info`` also shapes and positions.
    *args
        Arrays, which broadcast; anything else is passed to every call as it is.
    name, token : object
        Accepted for compatibility.
    dtype : dtype, optional
        Of the result. Without it, or `meta`, the first block is computed to find out.
    chunks : tuple, optional
        Sizes of the blocks that `func` gives: per axis a number or a tuple.
    drop_axis, new_axis : int or sequence of int, optional
        Axes that the result does not have, and those that only it has. Blocks
        along dropped axes are joined.
    enforce_ndim : bool
        Check the axes of every block that `func` gives.
    meta : ndarray, optional
        An empty array of the dtype of the result.
    **kwargs
        Passed to `func`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.arange(4, chunks=2)
    >>> da.map_blocks(lambda b, block_id: b * 10 + block_id[0], x, dtype=int).compute()
    array([ 0, 10, 21, 31])
    """
    if not callable(func):
        raise TypeError(f"map_blocks: the first argument must be a function, not {func!r}")
    operation = getattr(func, "__name__", type(func).__name__)
    arrays = [value for value in args if isinstance(value, Array)]
    places = [place for place, value in enumerate(args) if isinstance(value, Array)]
    literals = {place: v for place, v in enumerate(args) if not isinstance(v, Array)}
    ndim = max((array.ndim for array in arrays), default=0)
    inner = [tuple(range(ndim - array.ndim, ndim)) for array in arrays]
    known, arrays = unified(arrays, inner, operation)
    if not arrays and chunks is None:
        raise ValueError("map_blocks without arrays needs chunks=")
    dropped = {axis % ndim for axis in _axes(drop_axis)} if ndim else set()
    kept = [axis for axis in range(ndim) if axis not in dropped]
    out: list[int | None] = list(kept)  # per axis of the result the axis of the operands
    if new_axis is None and chunks is not None and not arrays:
        new_axis = range(len(chunks))
    added = _axes(new_axis)
    for axis in sorted(range(len(out) + len(added))[axis] for axis in added):
        out.insert(axis, None)
    grid = _given_grid(chunks, [(1,) if axis is None else known[axis] for axis in out])
    numbers = {axis: place for place, axis in enumerate(out) if axis is not None}
    for axis in sorted(dropped):
        numbers[axis] = len(out) + len(numbers)
    labels = [tuple(numbers[axis] for axis in axes) for axes in inner]
    options = _parameters(func)
    asks = tuple(name for name in ("block_id", "block_info") if name in options | set(kwargs))
    asks = tuple(name for name in asks if kwargs.get(name) is None)
    for asked in asks:
        kwargs.pop(asked, None)
    call = _MapBlock(func, literals, kwargs, asks, places, arrays, labels, grid)
    if enforce_ndim:
        call.ndim = len(grid)
    made = _lazy(
        ArraySchema(grid, UNKNOWN),
        arrays,
        labels,
        call,
        operation,
        dtype=dtype,
        meta=meta,
        concatenate=True,
        numbered=bool(asks),
    )
    call.dtype = made.dtype
    return made


def _axes(axes: Any) -> list[int]:
    if axes is None:
        return []
    return [int(axes)] if isinstance(axes, int | np.integer) else [int(axis) for axis in axes]


def _parameters(func: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(func).parameters)
    except (TypeError, ValueError):
        return set()


def _given_grid(chunks: Any, before: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the sizes that `chunks` gives, on the grid of `before`."""
    if chunks is None:
        return tuple(before)
    if isinstance(chunks, int | np.integer):
        chunks = (chunks,) * len(before)
    if len(chunks) != len(before):
        raise SchemaError(
            f"map_blocks: chunks={chunks!r} has {len(chunks)} entries, the result {len(before)} "
            "axes; give drop_axis= or new_axis="
        )
    grid = []
    for sizes, old in zip(chunks, before, strict=True):
        if not isinstance(sizes, tuple | list):
            grid.append((sizes,) * len(old))
        elif len(sizes) == len(old) or len(old) == 1:
            grid.append(tuple(sizes))
        else:
            raise SchemaError(
                f"map_blocks: chunks={chunks!r} has {len(sizes)} sizes for {len(old)} blocks"
            )
    return tuple(grid)


class _MapBlock(_Call):
    """A function that may want to know where its block is."""

    ndim: int | None = None
    dtype: np.dtype | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        literals: dict[int, Any],
        kwargs: dict[str, Any],
        asks: tuple[str, ...],
        places: list[int],
        arrays: list[Array],
        labels: list[tuple[int, ...]],
        grid: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__(function, literals, kwargs)
        self.asks = asks
        self.result = ArraySchema(grid, UNKNOWN)
        self.operands = [
            (place, array.plan.schema, names)
            for place, array, names in zip(places, arrays, labels, strict=True)
        ]

    def __call__(self, *values: Any) -> Any:
        blocks = list(values)
        function = self.function
        if self.asks:
            position = self.result.position(blocks.pop(0))
            told: dict[str, Any] = {}
            if "block_id" in self.asks:
                told["block_id"] = position
            if "block_info" in self.asks:
                told["block_info"] = self._info(position)
            self_kwargs = {**self.kwargs, **told}
        else:
            self_kwargs = self.kwargs
        for place, value in self.literals:
            blocks.insert(place, value)
        made = function(*blocks, **self_kwargs)
        if self.ndim is not None and np.ndim(made) != self.ndim:
            name = getattr(function, "__name__", type(function).__name__)
            raise ValueError(f"{name} gave a block of {np.ndim(made)} axes, not {self.ndim}")
        return made

    def _info(self, position: tuple[int, ...]) -> dict[Any, Any]:
        info: dict[Any, Any] = {}
        for place, schema, labels in self.operands:
            at = tuple(
                (position[label] if count > 1 else 0) if label < len(position) else None
                for label, count in zip(labels, schema.numblocks, strict=True)
            )
            info[place] = _located(schema, at)
        own = _located(self.result, position)
        own["chunk-shape"] = tuple(
            sizes[at] for sizes, at in zip(self.result.chunks, position, strict=True)
        )
        own["dtype"] = self.dtype
        info[None] = own
        return info


def _located(schema: ArraySchema, at: Sequence[int | None]) -> dict[str, Any]:
    bounds = [
        (0, sum(sizes)) if place is None else (starts[place], starts[place] + sizes[place])
        for starts, sizes, place in zip(schema.starts, schema.chunks, at, strict=True)
    ]
    return {
        "shape": schema.shape,
        "num-chunks": schema.numblocks,
        "array-location": bounds,
        "chunk-location": tuple(0 if place is None else place for place in at),
    }

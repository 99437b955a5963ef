"""Programs of elementwise steps, run over tiles that stay in a core's cache.

A program takes blocks, makes some of its inputs itself tile by tile (`TileSource`: constants,
ranges, random numbers), and may end in a reduction: so a chain from creation to reduction never
has a temporary of a chunk's size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

TILE_BYTES = 256 << 10
"""Elementwise programs run over pieces of about this size, which stay in a core's cache."""

Step = tuple[Any, tuple[tuple, ...], tuple[tuple[str, Any], ...], np.dtype]
"""Function, operands, keyword arguments and dtype of the result. An operand is ``("in", i)``
(block `i`), ``("step", j)`` (result of step `j`) or ``("const", value, repr)``."""
Program = tuple[Step, ...]
Tile = tuple[slice, ...]


class TileSource(Protocol):
    """Makes the blocks of one input of a program, tile by tile in C order."""

    dtype: np.dtype

    def tiles(self, number: int) -> Callable[[Tile, tuple[int, ...], np.ndarray | None], Any]:
        """Return what gives the next tile of block `number`: ``draw(tile, shape, out)``.

        `out` is memory that it may fill, contiguous, of its dtype and of `shape`.
        """


class TileReduction(Protocol):
    """A reduction of blocks that can take them tile by tile."""

    def partial(self, block: Any) -> Any:
        """Return what a block, or a tile of it, contributes; reduced axes have length 1."""

    def start(self, shape: tuple[int, ...]) -> Any:
        """Return room for what a block of `shape` contributes."""

    def add(self, state: Any, tile: Tile, part: Any) -> None:
        """Add what `tile` contributes to `state`, in place."""


class Output:
    """One of the several results of a ufunc, as a function of its own."""

    def __init__(self, ufunc: np.ufunc, position: int) -> None:
        self.ufunc = ufunc
        self.position = position
        self.__name__ = f"{ufunc.__name__}[{position}]"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.ufunc(*args, **kwargs)[self.position]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Output)
            and other.ufunc is self.ufunc
            and other.position == self.position
        )

    def __hash__(self) -> int:
        return hash((self.ufunc, self.position))


def cast(block: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return `block` as `dtype`."""
    return np.asarray(block).astype(dtype)


def constant(value: Any) -> tuple:
    """Return `value` as an operand of a step."""
    return ("const", value, repr(value))  # 0.0 and -0.0 are equal but not the same operand


def result_dtype(function: Any, operands: Sequence[Any], kwargs: dict[str, Any]) -> np.dtype:
    """Return the dtype that `function` gives for operands that are dtypes or scalars."""
    empty = [np.empty(0, op) if isinstance(op, np.dtype) else op for op in operands]
    with np.errstate(all="ignore"):
        result: np.ndarray = function(*empty, **kwargs)
    return np.dtype(result.dtype)


_SHAPES = 64  # blocks of equal elements are kept by their shapes, up to so many
_FRESH = (cast, np.where)
"""Functions beside ufuncs whose result is memory of its own."""


class ElementwiseProgram:
    """Steps run one after the other over tiles of the blocks, in buffers used again.

    Called as ``program(*blocks)``, or, with a source that is not a constant,
    ``program(number, *blocks)``.

    Parameters
    ----------
    program : tuple of Step
        The last step gives the result; all have the result's shape. Without
        steps, the first input is the result.
    inputs : sequence, optional
        What input `i` is: the position of a block among those that are given,
        a `TileSource`, or a 0-d array that stands for equal elements. By
        default input `i` is block `i`.
    shape_of : callable, optional
        Gives the shape of result `number`; needed with sources.
    reduction : TileReduction, optional
        What becomes of the result.
    """

    def __init__(
        self,
        program: Program,
        inputs: Sequence[int | np.ndarray | TileSource] | None = None,
        shape_of: Callable[[int], tuple[int, ...]] | None = None,
        reduction: TileReduction | None = None,
    ) -> None:
        count = 1 + max((o[1] for s in program for o in s[1] if o[0] == "in"), default=0)
        given: Sequence[int | np.ndarray | TileSource] = range(count) if inputs is None else inputs
        self.inputs = list(given)
        self.shape_of = shape_of
        self.reduction = reduction
        self.program = program
        self._layout()

    def reduced(self, reduction: TileReduction) -> ElementwiseProgram:
        """Return this program with its result reduced."""
        return ElementwiseProgram(self.program, self.inputs, self.shape_of, reduction)

    @property
    def numbered(self) -> bool:
        """Whether it is called with a block's number."""
        return self.shape_of is not None

    def _layout(self) -> None:
        """Give every input and step a slot, and find out when its value is last used.

        A slot whose value is known from the beginning (a constant, or a step on
        constants only) is filled here and not run.
        """
        base = len(self.inputs)
        count = base + len(self.program)
        fixed: list[Any] = [
            given if isinstance(given, np.ndarray) else None for given in self.inputs
        ] + [None] * len(self.program)
        constants: list[Any] = []
        run: list[_Slot] = [
            _Slot(slot, given.dtype, source=given)
            for slot, given in enumerate(self.inputs)
            if not isinstance(given, int | np.ndarray)
        ]
        made = {entry.slot for entry in run}
        last_use: dict[int, int] = {}
        for slot, (function, operands, kwargs, dtype) in enumerate(self.program, base):
            places = []
            for operand in operands:
                if operand[0] == "const":
                    places.append(count + len(constants))
                    constants.append(operand[1])
                else:
                    places.append(operand[1] + (base if operand[0] == "step" else 0))
            known = [constants[at - count] if at >= count else fixed[at] for at in places]
            native = isinstance(function, np.ufunc) and not dtype.hasobject
            if (native or function is cast) and all(value is not None for value in known):
                with np.errstate(all="ignore"):
                    fixed[slot] = np.asarray(function(*known, **dict(kwargs))).astype(dtype)
                continue
            run.append(_Slot(slot, dtype, function, places, dict(kwargs), native=native))
            if native or function in _FRESH:
                made.add(slot)
            else:
                made.difference_update(places)  # the result may be a view of these
            for at in places:
                last_use[at] = slot
        self._result = count - 1 if self.program else 0
        for entry in run:
            entry.dying = tuple(
                at for at, slot in last_use.items() if slot == entry.slot and at in made
            )
        self._slots = run
        self._fixed = fixed[self._result]
        self._constants: dict[tuple[int, ...], Any] = {}
        self._template = [*fixed, *constants]
        self._blocks = [
            (slot, given) for slot, given in enumerate(self.inputs) if isinstance(given, int)
        ]
        self._owns_result = self._result in made
        if self.program:
            self.dtype = self.program[-1][3]
        else:
            self.dtype = np.dtype(getattr(self.inputs[0], "dtype", "f8"))
        self.width = max(1, self.dtype.itemsize, *(entry.dtype.itemsize for entry in run), 1)

    def temporary_bytes(self, block_bytes: int) -> int:
        """Return the bytes of buffers that a block of so many bytes needs beside its result."""
        buffers = self._most_alive() - (self.reduction is None)
        return max(0, buffers) * min(TILE_BYTES, block_bytes)

    def _most_alive(self) -> int:
        """Return how many results of steps exist at the same time at most."""
        alive = most = 0
        dtypes = {entry.slot: entry.dtype for entry in self._slots}
        for entry in self._slots:
            again = entry.native and any(dtypes[step] == entry.dtype for step in entry.dying)
            most = max(most, alive + (not again))
            alive += 1 - len(entry.dying)
        return most

    def __call__(self, *blocks: Any) -> Any:
        number = -1
        if self.shape_of is not None:
            number, blocks = blocks[0], blocks[1:]
            shape = self.shape_of(number)
        else:
            shape = blocks[0].shape
            if any(block.shape != shape for block in blocks):
                shape = np.broadcast_shapes(*(block.shape for block in blocks))
        reduction = self.reduction
        if self._fixed is not None:
            return self._constant(shape)
        values = self._template.copy()
        drawers = [
            entry.source.tiles(number) if entry.source is not None else None
            for entry in self._slots
        ]
        # an operation alone needs no tiles, but a reduction after it does
        alone = len(self._slots) <= 1 and reduction is None
        if alone or math.prod(shape) * self.width <= TILE_BYTES:
            for slot, place in self._blocks:
                values[slot] = blocks[place]
            tile = tuple([slice(0, extent) for extent in shape])
            whole = np.asarray(self._run(values, drawers, tile, shape, None, None))
            if whole.shape != shape:
                whole = np.broadcast_to(whole, shape)
            return whole if reduction is None else reduction.partial(whole)
        result: Any = np.empty(shape, self.dtype) if reduction is None else reduction.start(shape)
        spare: list[np.ndarray] = []
        for tile in tiles(shape, max(1, TILE_BYTES // self.width)):
            for slot, place in self._blocks:
                values[slot] = _part(blocks[place], tile)
            extent = tuple([part.stop - part.start for part in tile])
            if reduction is None:
                self._run(values, drawers, tile, extent, result[tile], spare)
                continue
            value = self._run(values, drawers, tile, extent, None, spare)
            reduction.add(result, tile, reduction.partial(value))
            if self._owns_result:
                _keep(spare, value, extent)
                values[self._result] = None
        return result

    def _constant(self, shape: tuple[int, ...]) -> Any:
        """Return the result where all elements of a block are the same."""
        made = self._constants.get(shape)
        if made is None:
            made = np.ndarray(shape, self.dtype, self._fixed, 0, (0,) * len(shape))
            made.flags.writeable = False
            if self.reduction is not None:
                made = self.reduction.partial(made)
                for part in made if isinstance(made, tuple) else (made,):
                    part.flags.writeable = False
            if len(self._constants) < _SHAPES:
                self._constants[shape] = made
        return made

    def _run(
        self,
        values: list[Any],
        drawers: list[Any],
        tile: Tile,
        shape: tuple[int, ...],
        target: np.ndarray | None,
        spare: list[np.ndarray] | None,
    ) -> Any:
        """Run every step on one tile; the result is in `target` when it is given."""
        last = self._result
        for drawer, entry in zip(drawers, self._slots, strict=True):
            out = target if entry.slot == last else None
            if drawer is not None:
                if out is None and spare:
                    out = _spare(spare, shape, entry.dtype)
                value = drawer(tile, shape, out)
            else:
                args = [values[place] for place in entry.places]
                if entry.native:
                    if out is None:
                        out = _reused(values, entry.dying, shape, entry.dtype)
                        if out is None and spare:
                            out = _spare(spare, shape, entry.dtype)
                    if out is not None:
                        value = entry.function(*args, out=out, **entry.kwargs)
                    else:
                        value = entry.function(*args, **entry.kwargs)
                else:
                    value = entry.function(*args, **entry.kwargs)
            if entry.slot == last and target is not None and value is not target:
                target[...] = value
            values[entry.slot] = value
            for step in entry.dying:
                if spare is not None and values[step] is not value:
                    _keep(spare, values[step], shape)
                values[step] = None
        return values[last]


class _Slot:
    """A source or a step of a program, and where its value and operands are."""

    __slots__ = ("dtype", "dying", "function", "kwargs", "native", "places", "slot", "source")

    def __init__(
        self,
        slot: int,
        dtype: np.dtype,
        function: Any = None,
        places: Sequence[int] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        source: TileSource | None = None,
        native: bool = False,
    ) -> None:
        self.slot = slot
        self.dtype = np.dtype(dtype)
        self.function = function
        self.places = places
        self.kwargs = kwargs or {}
        self.source = source
        self.native = native
        self.dying: tuple[int, ...] = ()


def _keep(spare: list[np.ndarray], value: Any, shape: tuple[int, ...]) -> None:
    if isinstance(value, np.ndarray) and value.shape == shape and _owned(value):
        spare.append(value)


def _reused(
    values: list[Any], dying: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray | None:
    """Return the memory of an operand that is used for the last time, if it fits."""
    for step in dying:
        found = values[step]
        if _fits(found, shape, dtype):
            return found
    return None


def _spare(spare: list[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    for place, found in enumerate(spare):
        if _fits(found, shape, dtype):
            return spare.pop(place)
    return None


def _fits(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype == dtype
        and value.shape == shape
        and _owned(value)
    )


def _owned(value: np.ndarray) -> bool:
    # a function may have given a view of a block
    return value.base is None and value.flags.writeable


def tiles(shape: tuple[int, ...], elements: int) -> Iterator[Tile]:
    """Yield the slices that cut `shape` into neighbouring tiles of at most `elements`.

    Tiles follow each other in C order, each a run of the elements in C order.
    """
    sizes = []
    room = elements
    for extent in reversed(shape):
        size = max(1, min(extent, room))
        sizes.append(size)
        room //= size
    starts = [range(0, extent, size) for extent, size in zip(shape, reversed(sizes), strict=True)]
    for first in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + size, extent))
            for start, size, extent in zip(first, reversed(sizes), shape, strict=True)
        )


def _part(block: np.ndarray, tile: Tile) -> np.ndarray:
    missing = len(tile) - block.ndim
    return block[
        tuple(
            slice(None) if extent == 1 else part
            for extent, part in zip(block.shape, tile[missing:], strict=True)
        )
    ]

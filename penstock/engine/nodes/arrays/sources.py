"""Leaves of an array plan: constants, ranges, random numbers, arrays elsewhere, stored blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.sources import stored_blocks
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.records import record
from penstock.scheduler.graph import TaskMemory


class _Leaf(ArrayNode):
    """An array whose blocks are made from nothing but their number."""

    layout: ArraySchema
    made_cheaply = True

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @property
    def _block_nbytes(self) -> int:
        """Bytes that the largest block takes in memory."""
        return self.layout.block_nbytes

    def _made(self, lowering: Lowering, function: Any, fixed: int = 0, **options: Any) -> Blocks:
        nbytes = self._block_nbytes
        return blockwise(
            lowering,
            self.name,
            function,
            [],
            ntasks=self.layout.nblocks,
            arguments=range(self.layout.nblocks),
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, fixed=fixed, output=nbytes),
            **options,
        )

    def describe(self) -> str:
        return f"{self.layout.shape} {self.layout.dtype}"


@record(eq=False)
class Full(_Leaf):
    """One value everywhere; its blocks take the memory of one element.

    Attributes
    ----------
    value : object
        A scalar.
    text : str
        Its repr, which tells 0.0 from -0.0.
    """

    layout: ArraySchema
    value: Any
    text: str

    name = "full"

    def tile_source(self, *, alone: bool, same: bool) -> np.ndarray:
        """Return the element that stands for all."""
        return _Fill(self.layout, self.value).element

    @property
    def _block_nbytes(self) -> int:
        return max(1, self.layout.dtype.itemsize)

    def lower(self, lowering: Lowering) -> Blocks:
        return self._made(lowering, _Fill(self.layout, self.value))


class _Fill:
    def __init__(self, layout: ArraySchema, value: Any) -> None:
        self.layout = layout
        self.element = np.asarray(value).astype(layout.dtype)
        self.element.flags.writeable = False
        self.strides = (0,) * len(layout.shape)

    def __call__(self, number: int) -> np.ndarray:
        shape = self.layout.block_shape(number)
        return np.ndarray(shape, self.layout.dtype, self.element, 0, self.strides)


@record(eq=False)
class Arange(_Leaf):
    """Evenly spaced values, computed as NumPy does: ``start + i * (next - start)``."""

    layout: ArraySchema
    start: Any
    step: Any

    name = "arange"

    def tile_source(self, *, alone: bool, same: bool) -> _Count | None:
        """Return what counts tile by tile; that costs no more than reading."""
        return _Count(self.layout, self.start, self.step) if same else None

    def lower(self, lowering: Lowering) -> Blocks:
        return self._made(lowering, _Count(self.layout, self.start, self.step))


class _Count:
    def __init__(self, layout: ArraySchema, start: Any, step: Any) -> None:
        self.layout = layout
        first = np.asarray(start).astype(layout.dtype)
        self.first = first[()]
        self.delta = (np.asarray(start + step).astype(layout.dtype) - first)[()]

        self.dtype = layout.dtype

    def __call__(self, number: int) -> np.ndarray:
        (part,) = self.layout.region(number)
        return self._between(part.start, part.stop)

    def _between(self, start: int, stop: int) -> np.ndarray:
        positions = np.arange(start, stop, dtype=np.int64)
        return np.asarray(self.first + positions * self.delta).astype(self.dtype, copy=False)

    def tiles(self, number: int) -> Callable[..., np.ndarray]:
        """Return what gives the tiles of block `number`."""
        (part,) = self.layout.region(number)

        def draw(tile: Any, shape: Any, out: Any) -> np.ndarray:
            return self._between(part.start + tile[0].start, part.start + tile[0].stop)

        return draw


@record(eq=False)
class Random(_Leaf):
    """Random numbers: each block from a child seed of its own, so that nothing else matters.

    Attributes
    ----------
    entropy : int
        Of the root `numpy.random.SeedSequence`.
    spawn_key : tuple of int
        Which of the root's arrays this is.
    method : str
        Name of a method of `numpy.random.Generator`.
    parameters : Opaque
        ``(args, kwargs)`` of the method.
    """

    layout: ArraySchema
    entropy: int
    spawn_key: tuple[int, ...]
    method: str
    parameters: Opaque

    name = "random"

    def _draw(self) -> _Draw:
        args, kwargs = self.parameters.value
        return _Draw(self.layout, self.entropy, self.spawn_key, self.method, args, kwargs)

    def tile_source(self, *, alone: bool, same: bool) -> _Draw | None:
        """Return what draws tile by tile, where the values are the same as at once."""
        return self._draw() if alone and self.method in _IN_ORDER else None

    def lower(self, lowering: Lowering) -> Blocks:
        return self._made(lowering, self._draw())

    def describe(self) -> str:
        return f"{self.method}, {self.layout.shape}"


_IN_ORDER = frozenset((
    "exponential", "gamma", "gumbel", "laplace", "logistic", "lognormal", "normal", "pareto",
    "power", "random", "rayleigh", "standard_exponential", "standard_normal", "triangular",
    "uniform", "weibull",
))  # fmt: skip
"""Methods that draw element after element, so that tiles in order give what a block gives."""
_INTO = frozenset(("random", "standard_exponential", "standard_normal"))
"""Methods that can fill given memory."""


class _Draw:
    def __init__(
        self,
        layout: ArraySchema,
        entropy: int,
        spawn_key: tuple[int, ...],
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.layout = layout
        self.entropy = entropy
        self.spawn_key = spawn_key
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.dtype = layout.dtype

    def _generator(self, number: int) -> np.random.Generator:
        seed = np.random.SeedSequence(self.entropy, spawn_key=(*self.spawn_key, number))
        return np.random.Generator(np.random.PCG64(seed))

    def __call__(self, number: int) -> np.ndarray:
        size = self.layout.block_shape(number)
        method = getattr(self._generator(number), self.method)
        return np.asarray(method(*self.args, size=size, **self.kwargs))

    def tiles(self, number: int) -> Callable[..., np.ndarray]:
        """Return what draws the tiles of block `number`."""
        method = getattr(self._generator(number), self.method)
        args, kwargs, fills = self.args, self.kwargs, self.method in _INTO

        def draw(tile: Any, shape: tuple[int, ...], out: np.ndarray | None) -> np.ndarray:
            if out is not None and fills and out.flags.c_contiguous:
                return np.asarray(method(*args, out=out, **kwargs))
            return np.asarray(method(*args, size=shape, **kwargs))

        return draw


@record(eq=False)
class PersistedArray(ArrayNode):
    """Blocks of an array that an earlier run left in the store."""

    handles: tuple[Any, ...]
    layout: ArraySchema

    name = "persisted"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @cached_property
    def nbytes(self) -> int:
        return sum(handle.nbytes for handle in self.handles)

    def lower(self, lowering: Lowering) -> Blocks:
        return stored_blocks(lowering, self.handles, self.nbytes)

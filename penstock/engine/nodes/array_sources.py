"""Leaves of an array plan: constants, ranges, random numbers, arrays elsewhere, stored blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.sources import stored_blocks
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.scheduler.graph import TaskMemory


class _Leaf(ArrayNode):
    """An array whose blocks are made from nothing but their number."""

    layout: ArraySchema

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


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Arange(_Leaf):
    """Evenly spaced values, computed as NumPy does: ``start + i * (next - start)``."""

    layout: ArraySchema
    start: Any
    step: Any

    name = "arange"

    def lower(self, lowering: Lowering) -> Blocks:
        return self._made(lowering, _Count(self.layout, self.start, self.step))


class _Count:
    def __init__(self, layout: ArraySchema, start: Any, step: Any) -> None:
        self.layout = layout
        first = np.asarray(start).astype(layout.dtype)
        self.first = first[()]
        self.delta = (np.asarray(start + step).astype(layout.dtype) - first)[()]

    def __call__(self, number: int) -> np.ndarray:
        (part,) = self.layout.region(number)
        positions = np.arange(part.start, part.stop, dtype=np.int64)
        return np.asarray(self.first + positions * self.delta).astype(self.layout.dtype, copy=False)


@dataclass(frozen=True, eq=False)
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

    def lower(self, lowering: Lowering) -> Blocks:
        args, kwargs = self.parameters.value
        draw = _Draw(self.layout, self.entropy, self.spawn_key, self.method, args, kwargs)
        return self._made(lowering, draw)

    def describe(self) -> str:
        return f"{self.method}, {self.layout.shape}"


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

    def __call__(self, number: int) -> np.ndarray:
        seed = np.random.SeedSequence(self.entropy, spawn_key=(*self.spawn_key, number))
        generator = np.random.Generator(np.random.PCG64(seed))
        size = self.layout.block_shape(number)
        drawn = getattr(generator, self.method)(*self.args, size=size, **self.kwargs)
        return np.asarray(drawn)


@dataclass(frozen=True, eq=False)
class FromArray(_Leaf):
    """Anything with shape, dtype and slicing, read chunk by chunk when needed.

    Attributes
    ----------
    source : Opaque
        The array-like.
    lock : Opaque
        A lock held while reading, or None.
    """

    layout: ArraySchema
    source: Opaque
    lock: Opaque

    name = "from-array"

    def lower(self, lowering: Lowering) -> Blocks:
        source = self.source.value
        read = _ReadRegion(self.layout, source, self.lock.value)
        return self._made(
            lowering,
            read,
            # a library may hold a chunk decoded beside the block that it fills
            fixed=0 if isinstance(source, np.ndarray) else self.layout.block_nbytes,
            origin=_Regions(self.layout, type(source).__name__),
        )

    def describe(self) -> str:
        return f"{type(self.source.value).__name__} {self.layout.shape} {self.layout.dtype}"


class _ReadRegion:
    def __init__(self, layout: ArraySchema, source: Any, lock: Any) -> None:
        self.layout = layout
        self.source = source
        self.lock = lock

    def __call__(self, number: int) -> np.ndarray:
        region = self.layout.region(number)
        if self.lock is None:
            part = self.source[region]
        else:
            with self.lock:
                part = self.source[region]
        # a copy of what is only a view: a block owns its memory and nothing more
        if isinstance(part, np.ndarray) and part.base is None and type(part) is np.ndarray:
            return part.astype(self.layout.dtype, copy=False)
        return np.array(part, dtype=self.layout.dtype, subok=False)


class _Regions:
    def __init__(self, layout: ArraySchema, kind: str) -> None:
        self.layout = layout
        self.kind = kind

    def __call__(self, number: int) -> str:
        parts = ", ".join(f"{part.start}:{part.stop}" for part in self.layout.region(number))
        return f"{self.kind}[{parts}]"


@dataclass(frozen=True, eq=False)
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

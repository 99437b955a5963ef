"""FromArray and WriteArray: arrays read from and written to where they are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import accumulate
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema, Chunks
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode, Node, ValueNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.lowering import add_stage
from penstock.io.array_sink import ArraySink
from penstock.io.array_source import StoredArray, read_region, stored_array
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

# Compressed bytes of a chunk and its decoded ones, beside the block they are copied to.
_CHUNK_COPIES = 2

Window = tuple[int | tuple[int, int], ...]
"""Per axis of what is stored: an int that drops the axis, or the first element and the step."""


@record(eq=False)
class FromArray(ArrayNode):
    """Anything with shape, dtype and slicing, read chunk by chunk when needed.

    Attributes
    ----------
    source : Opaque
        The array-like.
    lock : Opaque
        A lock held while reading a chunk, or None.
    window : tuple, optional
        What of the source the array is; all of it by default.
    """

    layout: ArraySchema
    source: Opaque
    lock: Opaque
    window: Window | None = None

    name = "from-array"
    made_cheaply = True

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @cached_property
    def stored(self) -> StoredArray:
        """How the source is stored."""
        return stored_array(self.source.value)

    def lower(self, lowering: Lowering) -> Blocks:
        nbytes = self.layout.block_nbytes
        read = _ReadRegion(self)
        return blockwise(
            lowering,
            self.name,
            read,
            [],
            ntasks=self.layout.nblocks,
            arguments=range(self.layout.nblocks),
            nbytes=nbytes,
            memory=TaskMemory(input_factor=0.0, fixed=self._workspace(nbytes), output=nbytes),
            origin=read.where,
        )

    def _workspace(self, nbytes: int) -> int:
        if isinstance(self.source.value, np.ndarray):
            return 0
        chunk = math.prod(self.stored.chunks or ()) * self.layout.dtype.itemsize
        return nbytes + (_CHUNK_COPIES * chunk if self.stored.chunks else 0)

    def sliced(self, parts: Sequence[int | tuple[int, int]], layout: ArraySchema) -> FromArray:
        """Return the array that reads only a slice: per axis an int, or first element and step."""
        before = self.window or tuple((0, 1) for _ in self.layout.chunks)
        rest = list(parts)
        window: list[int | tuple[int, int]] = []
        for part in before:
            if isinstance(part, int):
                window.append(part)
                continue
            start, step = part
            wanted = rest.pop(0)
            if isinstance(wanted, int):
                window.append(start + step * wanted)
            else:
                window.append((start + step * wanted[0], step * wanted[1]))
        return FromArray(layout, self.source, self.lock, tuple(window))

    def reads_whole(self, starts: Sequence[int], chunks: Chunks) -> bool:
        """Whether an array in `chunks` from `starts` on would read no chunk of the store twice."""
        if isinstance(self.source.value, np.ndarray):
            return True
        units = self.stored.chunks
        if units is None:
            return self.stored.known  # what is stored in one piece is read in any
        window = self.window or tuple((0, 1) for _ in units)
        kept = [(part, unit) for part, unit in zip(window, units, strict=True)
                if not isinstance(part, int)]  # fmt: skip
        return all(
            (part[0] + start + cut) % unit == 0
            for (part, unit), start, sizes in zip(kept, starts, chunks, strict=True)
            for cut in accumulate(sizes[:-1])
            if part[1] == 1
        ) and all(part[1] == 1 for part, _ in kept)

    def describe(self) -> str:
        return f"{self.stored.shown} {self.layout.shape} {self.layout.dtype}"


class _ReadRegion:
    def __init__(self, node: FromArray) -> None:
        self.layout = node.layout
        self.source = node.source.value
        self.lock = node.lock.value
        self.stored = node.stored
        self.window = node.window

    def region(self, number: int) -> tuple[int | slice, ...]:
        """Return what block `number` takes of the source."""
        region = self.layout.region(number)
        if self.window is None:
            return region
        wanted = iter(region)
        return tuple(
            part if isinstance(part, int) else _within(part, next(wanted)) for part in self.window
        )

    def __call__(self, number: int) -> np.ndarray:
        part = read_region(self.source, self.stored, self.region(number), self.lock)
        return part.astype(self.layout.dtype, copy=False)

    def where(self, number: int) -> str:
        """Return the region of block `number` as text."""
        shown = ", ".join(
            f"{part.start}:{part.stop}" if isinstance(part, slice) else str(part)
            for part in self.region(number)
        )
        return f"{type(self.source).__name__}[{shown}]"


def _within(part: tuple[int, int], wanted: slice) -> slice:
    start, step = part
    first = start + step * wanted.start
    count = wanted.stop - wanted.start
    if not count:
        return slice(first, first)
    last = first + step * (count - 1) + 1
    return slice(first, last) if step == 1 else slice(first, last, step)


@record(eq=False)
class WriteArray(ValueNode):
    """Write the blocks of `input` to a sink, committed when the last is there.

    Attributes
    ----------
    sink : Opaque
        Holds the `ArraySink`.
    """

    input: ArrayNode
    sink: Opaque

    name = "write-array"

    def lower(self, lowering: Lowering) -> Blocks:
        sink: ArraySink = self.sink.value
        schema = self.input.schema
        blocks = lowering.blocks(self.input)
        transaction = _Transaction(sink)
        lowering.resources.append(transaction)
        sink.begin(schema.shape, schema.dtype, schema.chunks)
        transaction.begun = True
        written = blockwise(
            lowering,
            f"write-{sink.format}",
            _WriteBlock(sink, schema),
            [blocks],
            arguments=range(schema.nblocks),
            nbytes=0,
            memory=TaskMemory(input_factor=1.5),
        )
        return add_stage(
            lowering,
            "commit",
            partial(_commit, transaction),
            (np.array([0, len(written)]), written.ids),
            csr=True,
            gathers=True,
        )

    def describe(self) -> str:
        return str(self.sink.value.target)


class _WriteBlock:
    def __init__(self, sink: ArraySink, schema: ArraySchema) -> None:
        self.sink = sink
        self.schema = schema

    def __call__(self, number: int, block: Any) -> int:
        values = np.asarray(block)
        region = self.schema.region(number)
        if values.shape != tuple(part.stop - part.start for part in region):
            raise ValueError(
                f"block {self.schema.position(number)} has shape {values.shape}, not that of "
                f"its region; a function given to map_blocks needs chunks="
            )
        self.sink.write(number, region, values)
        return int(values.nbytes)


class _Transaction:
    """Aborts what a sink has begun at the end of a run that did not commit it."""

    def __init__(self, sink: ArraySink) -> None:
        self.sink = sink
        self.begun = False
        self.committed = False

    def close(self) -> None:
        if self.begun and not self.committed:
            self.sink.abort()


def _commit(transaction: _Transaction, receipts: Sequence[int]) -> int:
    transaction.sink.commit(receipts)
    transaction.committed = True
    return sum(receipts)


@record(eq=False)
class BlockOf(ArrayNode):
    """One block of an array, as an array of its own."""

    input: ArrayNode
    place: int

    name = "block"

    @cached_property
    def schema(self) -> ArraySchema:
        shape = self.input.schema.block_shape(self.place)
        return ArraySchema(tuple((size,) for size in shape), self.input.schema.dtype)

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        return Blocks(blocks.ids[self.place : self.place + 1], blocks.nbytes)


@record(eq=False)
class FromValue(ArrayNode):
    """An array of one block that another node, a call of the user's, gives."""

    layout: ArraySchema
    value: Node

    name = "from-delayed"

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @property
    def nbytes(self) -> int:
        return self.layout.nbytes

    def lower(self, lowering: Lowering) -> Blocks:
        nbytes = self.layout.block_nbytes
        return blockwise(
            lowering,
            self.name,
            partial(_checked, self.layout),
            [lowering.blocks(self.value)],
            ntasks=1,
            nbytes=nbytes,
            memory=TaskMemory(input_factor=1.0, output=nbytes),
        )


def _checked(layout: ArraySchema, value: Any) -> np.ndarray:
    block = np.asarray(value)
    wanted = layout.shape
    fits = len(wanted) == block.ndim and all(
        size == extent or size != size  # an unknown size is NaN
        for size, extent in zip(wanted, block.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"from_delayed: the value has shape {block.shape}, not {wanted}")
    return block.astype(layout.dtype, copy=False)

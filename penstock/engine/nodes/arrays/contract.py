"""Contract: products of blocks summed over axes that the result does not have.

The blocks of a sum are made and added one by one, so that a product of any size
holds one block of each operand and of the result for each worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.grid import TransposeArray
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, tree_reduce
from penstock.engine.primitives.lowering import add_stage
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

# With fewer blocks of the result than this, sums go through a tree to keep all workers busy.
# A constant, so that results do not depend on how many workers there are.
_FEW = 8
_SPLIT_EVERY = 4


@record(eq=False)
class Contract(ArrayNode):
    """Sum, over all places along the axes that the result lacks, what a function makes of blocks.

    Attributes
    ----------
    layout : ArraySchema
    operands : tuple of ArrayNode
    labels : tuple of tuple of int
        Per operand and axis the axis of the result, or a number from `ndim` on
        for an axis that is summed over. A label twice in one operand takes its diagonal.
    function : Opaque
        Gives, of one block per operand, what these add to a block of the result.
    label : str
        What the operation is called.
    """

    layout: ArraySchema
    operands: tuple[ArrayNode, ...]
    labels: tuple[tuple[int, ...], ...]
    function: Opaque
    label: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    @cached_property
    def _counts(self) -> dict[int, int]:
        """Blocks along every axis that is summed over."""
        ndim = len(self.layout.chunks)
        counts: dict[int, int] = {}
        for operand, labels in zip(self.operands, self.labels, strict=True):
            for label, count in zip(labels, operand.schema.numblocks, strict=True):
                if label >= ndim:
                    counts[label] = max(count, counts.get(label, 1))
        return dict(sorted(counts.items()))

    @cached_property
    def nbytes(self) -> int:
        return self.layout.nbytes

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = [lowering.blocks(operand) for operand in self.operands]
        columns = [
            self._taken(each.ids, operand, labels)
            for each, operand, labels in zip(blocks, self.operands, self.labels, strict=True)
        ]
        if not self._is_symmetric:
            return self._sums(lowering, blocks, columns)
        row, column = np.tril_indices(self.layout.numblocks[0])
        below = row * self.layout.numblocks[1] + column
        made = self._sums(lowering, blocks, [ids[below] for ids in columns])
        mirrored = row != column
        above = blockwise(
            lowering, f"{self.name} above", _mirrored, [Blocks(made.ids[mirrored], made.nbytes)]
        )
        ids = np.empty(self.layout.numblocks, np.int64)
        ids[row, column] = made.ids
        ids[column[mirrored], row[mirrored]] = above.ids
        return Blocks(ids.ravel(), made.nbytes)

    @cached_property
    def _is_symmetric(self) -> bool:
        """Whether a matrix is multiplied by its own transpose: half of the blocks tell the others."""
        if self.label != "matmul" or self.labels != ((0, 2), (2, 1)):
            return False
        left, right = self.operands
        return self.layout.nblocks > 1 and (
            _transposed(right) is left or _transposed(left) is right
        )

    def _sums(
        self, lowering: Lowering, blocks: Sequence[Blocks], columns: Sequence[np.ndarray]
    ) -> Blocks:
        """Return the sums of products of the blocks in the rows of `columns`."""
        nblocks, terms = columns[0].shape
        nbytes = self.layout.block_nbytes
        # a product may copy its operands to bring their axes in order
        memory = TaskMemory(input_factor=1.0, output=max(1, nbytes))
        if terms > 1 and nblocks >= _FEW:
            return self._chained(lowering, columns, memory)
        flat = [
            each if np.array_equal(ids.ravel(), each.ids) else Blocks(ids.ravel(), each.nbytes)
            for ids, each in zip(columns, blocks, strict=True)
        ]
        order = sorted(range(len(flat)), key=lambda place: flat[place].stage is None)
        products = blockwise(
            lowering,
            self.name,
            _Product(self.function.value, [order.index(place) for place in range(len(order))]),
            [flat[place] for place in order],
            ntasks=nblocks * terms,
            nbytes=nbytes,
            memory=memory,
        )
        if terms == 1:
            return products
        return tree_reduce(
            lowering,
            f"{self.name} sum",
            _sum,
            Blocks(products.ids, nbytes),
            split_every=_SPLIT_EVERY,
            groups=nblocks,
        )

    def _taken(self, ids: np.ndarray, operand: ArrayNode, labels: tuple[int, ...]) -> np.ndarray:
        """Return the block taken for each block of the result (rows) and term of its sum."""
        ndim = len(self.layout.chunks)
        grid = ids.reshape(operand.schema.numblocks)
        distinct = sorted(set(labels))
        if len(distinct) < len(labels):
            names = {label: place for place, label in enumerate(distinct)}
            grid = np.einsum(grid, [names[n] for n in labels], list(range(len(distinct))))
        else:
            grid = grid.transpose([labels.index(label) for label in distinct])
        full = [*range(ndim), *self._counts]
        have = dict(zip(distinct, grid.shape, strict=True))
        grid = grid.reshape([have.get(label, 1) for label in full])
        grid = np.broadcast_to(grid, (*self.layout.numblocks, *self._counts.values()))
        return np.ascontiguousarray(grid).reshape(self.layout.nblocks, -1)

    def _chained(
        self, lowering: Lowering, columns: Sequence[np.ndarray], memory: TaskMemory
    ) -> Blocks:
        """Add up the terms of each block one after the other."""
        (nblocks, terms), width = columns[0].shape, len(columns)
        base = lowering.graph.nvalues
        own = base + np.arange(nblocks * terms, dtype=np.int64).reshape(nblocks, terms)
        inputs = np.stack([*columns, own - 1], axis=2).reshape(nblocks * terms, width + 1)
        kept = np.ones(inputs.shape, bool)
        kept[::terms, -1] = False  # the first term has none before it
        lengths = kept.sum(axis=1)
        nbytes = self.layout.block_nbytes
        stage = add_stage(
            lowering,
            self.name,
            partial(_add_product, self.function.value, width),
            (np.concatenate([[0], np.cumsum(lengths)]), inputs[kept]),
            csr=True,
            nbytes=nbytes,
            # the sum so far is among the inputs and becomes the output
            memory=TaskMemory(memory.input_factor, fixed=nbytes, output=max(1, nbytes)),
        )
        return Blocks(stage.ids.reshape(nblocks, terms)[:, -1].copy(), nbytes)

    def describe(self) -> str:
        return f"{' and '.join(str(node.schema.shape) for node in self.operands)}"


def _transposed(node: ArrayNode) -> ArrayNode | None:
    """Return the matrix that `node` is the transpose of, if it is one."""
    if isinstance(node, TransposeArray) and node.axes == (1, 0):
        return node.input
    return None


def _mirrored(block: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(block.T)


class _Product:
    """A function of blocks that come in another order."""

    def __init__(self, function: Any, places: Sequence[int]) -> None:
        self.function = function
        self.places = tuple(places)

    def __call__(self, *blocks: Any) -> Any:
        return np.asarray(self.function(*[blocks[place] for place in self.places]))


def _add_product(function: Any, width: int, *values: Any) -> np.ndarray:
    product = np.asarray(function(*values[:width]))
    if len(values) == width:
        return product
    total = values[width]
    # nothing else reads the sum so far: its memory is used again
    if isinstance(total, np.ndarray) and total.flags.writeable and total.dtype == product.dtype:
        return np.add(total, product, out=total) if total.ndim else np.asarray(total + product)
    return np.asarray(total + product)


def _sum(parts: Sequence[Any]) -> np.ndarray:
    total = np.asarray(parts[0])
    for part in parts[1:]:
        total = np.asarray(total + part)
    return total

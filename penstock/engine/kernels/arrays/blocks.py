"""Kernels of functions on several blocks: what each axis of an operand stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.errors import SchemaError


class Assembled:
    """A function on blocks that come as one flat sequence of inputs of a task.

    Parameters
    ----------
    function : callable
        Called as ``function(*operands)``, or ``function(number, *operands)``.
    operands : sequence of (tuple of int, tuple of int)
        Per operand the counts of blocks along the axes that are summed over,
        and which axes of the operand these are; empty for a single block.
    concatenate : bool
        Join such blocks to one; otherwise they are passed as nested lists.
    numbered : bool
        Whether the number of the block comes first.
    order : sequence of int, optional
        The position among the inputs of each block, when they come in another order.
    layout : ArraySchema, optional
        Of the result, when its blocks are to be checked; the task's number comes first then.
    label : str
        What the operation is called.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        operands: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
        *,
        concatenate: bool,
        numbered: bool,
        order: Sequence[int] | None = None,
        layout: ArraySchema | None = None,
        label: str = "function",
    ) -> None:
        self.layout = layout
        self.label = label
        self.function = function
        self.operands = tuple(operands)
        self.concatenate = concatenate
        self.numbered = numbered
        self.order = None if order is None else tuple(order)

    def __call__(self, *values: Any) -> Any:
        inputs = list(values)
        number = inputs.pop(0) if self.numbered or self.layout is not None else 0
        given = [number] if self.numbered else []
        if self.order is not None:
            inputs = [inputs[place] for place in self.order]
        blocks: list[Any] = []
        position = 0
        for counts, axes in self.operands:
            width = int(np.prod(counts)) if counts else 1
            taken = inputs[position : position + width]
            inputs[position : position + width] = [None] * width
            position += width
            if not counts:
                blocks.append(taken[0])
            elif self.concatenate:
                blocks.append(joined(taken, counts, axes))
            else:
                blocks.append(nested(taken, counts))
        del inputs
        made = self.function(*given, *blocks)
        if self.layout is not None:
            self._check(number, made)
        return made

    def _check(self, number: int, made: Any) -> None:
        """Raise unless a block has the shape of its place: it would be repeated to fill that."""
        assert self.layout is not None
        wanted, shape = self.layout.block_shape(number), np.shape(made)
        if shape == wanted:
            return
        if len(shape) != len(wanted) or any(
            size != have for size, have in zip(wanted, shape, strict=True) if size == size
        ):
            raise SchemaError(
                f"{self.label} gave a block of shape {shape} where one of {wanted} belongs; tell "
                "what it gives: chunks=, drop_axis= and new_axis= of map_blocks, adjust_chunks= "
                "and new_axes= of blockwise"
            )


def nested(blocks: Sequence[Any], counts: tuple[int, ...]) -> list[Any]:
    """Return `blocks`, in C order, as lists of lists of so many each."""
    if len(counts) == 1:
        return list(blocks)
    width = len(blocks) // counts[0]
    return [
        nested(blocks[place * width : (place + 1) * width], counts[1:])
        for place in range(counts[0])
    ]


def joined(blocks: Sequence[Any], counts: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """Return `blocks`, a grid in C order of so many along each of `axes`, as one array."""
    if len(blocks) == 1:
        return blocks[0]
    parts = list(blocks)
    for count, axis in zip(reversed(counts), reversed(axes), strict=True):
        parts = [
            np.concatenate(parts[start : start + count], axis=axis) if count > 1 else parts[start]
            for start in range(0, len(parts), count)
        ]
    return parts[0]


def picked(place: int, block: Any) -> Any:
    """Return one of the several results that `block` holds."""
    return block[place]

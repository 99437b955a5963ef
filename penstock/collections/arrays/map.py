"""Functions of blocks that lie over each other, for the functions of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from penstock.collections.arrays.base import wrap
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.blockwise import BlockwiseArray
from penstock.engine.nodes.map_blocks import Opaque


def map_chunks(
    function: Callable[..., Any],
    name: str,
    layout: ArraySchema,
    *operands: Any,
    labels: Sequence[tuple[int, ...]] | None = None,
    copies: float = 1.0,
    fixed: int = 0,
    numbered: bool = False,
) -> Any:
    """Return the Array of what `function` gives for the blocks of `operands`.

    Parameters
    ----------
    layout : ArraySchema
        Of the result.
    labels : sequence of tuple of int, optional
        Per operand and axis the axis of the result that it follows, or a
        number from `ndim` on for one whose blocks all go to each call. By
        default operands have the axes of the result, counted from the last.
    copies, fixed : float, int
        Memory that the function takes: per byte of its inputs, and beside.
    numbered : bool
        Whether the number of the block comes first.
    """
    ndim = len(layout.chunks)
    if labels is None:
        labels = [tuple(range(ndim - each.ndim, ndim)) for each in operands]
    node = BlockwiseArray(
        layout,
        tuple(each.plan for each in operands),
        tuple(labels),
        Opaque(function),
        name,
        numbered=numbered,
        copies=copies,
        fixed=fixed,
    )
    return wrap(node)

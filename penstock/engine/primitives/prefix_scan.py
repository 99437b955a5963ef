"""Prefix scan: a small state handed along the blocks in order.

Row numbering, cumulative operations, the quote state of text splits. The
state before block `i` depends on summaries of all blocks before it; summaries
are small, so only they wait for each other and the blocks do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.engine.primitives.lowering import Blocks, Lowering, add_stage
from penstock.scheduler.graph import TaskMemory


def prefix_scan(
    lowering: Lowering,
    name: str,
    advance: Callable[[Any, Any], Any],
    summaries: np.ndarray,
    *,
    initial: Any = None,
    memory: TaskMemory | None = None,
    groups: int = 1,
) -> Blocks:
    """Return the state before each block.

    Parameters
    ----------
    advance : callable
        ``advance(state, summary)`` gives the state after a block.
    summaries : ndarray of int64
        Value ids of one summary per block.
    initial : Any
        The state before the first block.
    memory : TaskMemory, optional
        What `advance` takes beside its inputs; by default nothing, as summaries are small.
    groups : int
        Equal runs of blocks, in each of which the state starts anew.
    """
    count = len(summaries)
    base = lowering.graph.nvalues
    follows = np.arange(count) % max(1, count // groups) != 0
    indptr = np.concatenate([[0], np.cumsum(follows * 2)])
    before = np.flatnonzero(follows) - 1
    indices = np.stack([base + before, summaries[before]], axis=1).ravel()
    return add_stage(
        lowering,
        name,
        _Advance(advance, initial),
        (indptr, indices),
        csr=True,
        memory=memory or TaskMemory(input_factor=0.0),
    ).shared()


class _Advance:
    def __init__(self, advance: Callable[[Any, Any], Any], initial: Any) -> None:
        self.advance = advance
        self.initial = initial

    def __call__(self, *values: Any) -> Any:
        if not values:
            return self.initial
        return self.advance(*values)

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
    """
    count = len(summaries)
    base = lowering.graph.nvalues
    indptr = np.append([0, 0], np.arange(1, count) * 2) if count else np.zeros(1, np.int64)
    indices = np.stack(
        [base + np.arange(count - 1, dtype=np.int64), summaries[:-1]], axis=1
    ).ravel()
    return add_stage(
        lowering,
        name,
        _Advance(advance, initial),
        (indptr, indices),
        csr=True,
        memory=TaskMemory(input_factor=0.0),
    ).shared()


class _Advance:
    def __init__(self, advance: Callable[[Any, Any], Any], initial: Any) -> None:
        self.advance = advance
        self.initial = initial

    def __call__(self, *values: Any) -> Any:
        if not values:
            return self.initial
        return self.advance(*values)

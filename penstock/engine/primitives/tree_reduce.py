"""Tree reduction: many blocks to one, a few neighbours at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from penstock.engine.primitives.lowering import Blocks, Lowering, add_stage
from penstock.scheduler.graph import TaskMemory

SPLIT_EVERY = 8


def tree_reduce(
    lowering: Lowering,
    name: str,
    combine: Callable[[Sequence[Any]], Any],
    blocks: Blocks,
    *,
    split_every: int = SPLIT_EVERY,
    until: int = 1,
    groups: int = 1,
) -> Blocks:
    """Combine neighbouring blocks level by level.

    The tree depends on the number of blocks only, so floating-point results
    do not vary with timing or the number of workers.

    Parameters
    ----------
    combine : callable
        Takes a list of blocks in order and returns one of the same kind.
    split_every : int
        Blocks combined by one task.
    until : int
        Stop once at most this many blocks remain of each group.
    groups : int
        Equal runs of blocks that are reduced separately, each to blocks of its own.
    """
    if len(blocks) == groups:
        return reduce_once(lowering, name, combine, blocks, split_every, groups)
    while len(blocks) > until * groups:
        blocks = reduce_once(lowering, name, combine, blocks, split_every, groups)
    return blocks


def reduce_once(
    lowering: Lowering,
    name: str,
    combine: Callable[[Sequence[Any]], Any],
    blocks: Blocks,
    split_every: int = SPLIT_EVERY,
    groups: int = 1,
) -> Blocks:
    """Combine each run of `split_every` neighbouring blocks of a group into one."""
    count = len(blocks)
    size = max(1, count // groups)
    starts = np.arange(0, count, size)[:, None] + np.arange(0, size, split_every)
    indptr = np.append(starts.ravel(), count)
    return add_stage(
        lowering,
        name,
        combine,
        (indptr, blocks.ids),
        csr=True,
        nbytes=blocks.nbytes,
        gathers=True,
        memory=TaskMemory(input_factor=1.0, output=blocks.nbytes),
    )

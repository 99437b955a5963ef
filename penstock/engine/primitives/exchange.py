"""Exchange: every block of the inputs meets every partition of the result.

Scatter tasks cut their block by a partitioner and hand the pieces to spillable
buffers; a barrier plans; gather tasks take one partition each. When the input
turns out small it never leaves memory and a single gather does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.engine.primitives.blockwise import Pipeline, blockwise
from penstock.engine.primitives.exchange_plan import Partitioner, Sizes
from penstock.engine.primitives.exchange_state import Exchange
from penstock.engine.primitives.lowering import Blocks, Lowering, add_stage
from penstock.scheduler import current_pool
from penstock.scheduler.graph import Stage, TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Below this one gather task beats the cost of many.
_SMALL = 8 << 20
# A gather task holds a partition, and at its peak a joined and an ordered copy of it.
GATHER_COPIES = 3
# What the steps after it take per byte of its block, itself included; writing takes most.
_LATER = 2.5
# Slots without rows cost next to nothing, and text may take several times what was estimated.
_SPARE = 2
_MOST_PARTITIONS = 1024
_REMEDY = (
    "So much is needed for rows that must be together, those of one key: raise memory_limit, or "
    "drop columns and rows that are not needed beforehand; of groups, use an aggregation such as "
    "'sum' or 'mean', which needs no group as a whole"
)


def exchange(
    lowering: Lowering,
    name: str,
    inputs: Sequence[Blocks],
    partitioners: Sequence[Partitioner],
    gather: Callable[..., Any],
    *,
    nbytes: int,
    slots: int | None = None,
    divisible: Sequence[bool] | None = None,
    copies: float = GATHER_COPIES,
) -> Blocks:
    """Repartition `inputs` and apply `gather` to each partition.

    Parameters
    ----------
    inputs : sequence of Blocks
        Tables; several inputs meet in the same partitions (a join).
    partitioners : sequence of Partitioner
        One per input.
    gather : callable
        Called as ``gather(pieces, ...)`` with one list of tables per input, in
        the order of the input's blocks; returns one block.
    nbytes : int
        Expected bytes of all inputs together; decides the number of partitions.
    slots : int, optional
        Number of partitions, when it is prescribed.
    divisible : sequence of bool, optional
        For each input, whether its rows of one key may go to several gather tasks, in the order
        of the input; each of them gets all rows of the other inputs. None may by default.
    copies : float
        Bytes that a gather task takes at its peak beside its result, per byte of its partition.
    """
    partition = lowering.partition_bytes(copies + 1)  # and the result
    wanted = max(1, min(_MOST_PARTITIONS, -(-nbytes // partition))) if slots is None else slots
    # spare slots take the pieces of partitions that grow beyond what was expected
    spare = 0 if slots is not None or wanted == 1 else _SPARE * wanted
    sizes = Sizes(
        wanted,
        wanted + spare,
        prescribed=slots is not None and slots > 1,
        partition=partition,
        pending=_pending_bytes(lowering, partition),
        buffer=lowering.exchange_bytes,
    )
    divisible = divisible or [False] * len(inputs)
    state = Exchange(name, partitioners, sizes, divisible=divisible)
    lowering.resources.append(state)
    receipts = []
    offset = 0
    for side, blocks in enumerate(inputs):
        scatter = blockwise(
            lowering,
            f"{name} scatter",
            partial(_scatter, state, side),
            [blocks],
            arguments=range(offset, offset + len(blocks)),
            nbytes=0,
            memory=TaskMemory(input_factor=1.5),
        )
        offset += len(blocks)
        receipts.append(scatter.ids)
    done = np.concatenate(receipts)
    barrier = add_stage(
        lowering,
        f"{name} plan",
        _Plan(state, copies + 1),
        (np.array([0, len(done)]), done),
        csr=True,
        gathers=True,
    )
    each = max(1, nbytes // wanted)
    return add_stage(
        lowering,
        f"{name} gather",
        _Gather(state, gather, each, copies),
        [np.repeat(barrier.ids, sizes.slots)],
        arguments=range(sizes.slots),
        nbytes=each,
        memory=TaskMemory(fixed=int(each * copies), output=each),
    )


def exchanged_bytes(stage: Stage) -> int:
    """Return the bytes that are expected to go through the exchange that `stage` gathers from."""
    function = stage.function
    first = function.steps[0].function if isinstance(function, Pipeline) else function
    return first.expected * first.state.sizes.wanted if isinstance(first, _Gather) else 0


def _pending_bytes(lowering: Lowering, partition: int) -> int:
    if lowering.exchange_bytes is not None:
        return partition
    return max(partition, min(_SMALL, lowering.task_bytes // 4))


def _scatter(state: Exchange, side: int, index: int, table: pa.Table) -> int:
    return state.add(side, index, table)


class _Plan:
    def __init__(self, state: Exchange, copies: float) -> None:
        self.state = state
        self.copies = copies

    def __call__(self, receipts: Sequence[int]) -> int:
        planned = self.state.plan()
        # what no gather task could take is refused before the first of them works
        need = int(max(map(self.state.nbytes, range(planned)), default=0) * self.copies)
        pool = current_pool()
        if need > max(pool.budget, pool.limit - pool.headroom - pool.baseline):
            raise pool.refusal(self.state.name, need, _REMEDY)
        return planned


class _Gather:
    def __init__(
        self, state: Exchange, function: Callable[..., Any], expected: int, copies: float
    ) -> None:
        self.state = state
        self.function = function
        self.expected = expected
        self.copies = copies

    def __call__(self, slot: int, planned: int) -> Any:
        copies = self.copies + 1  # and the result
        real = self.state.nbytes(slot)
        later = int((real - self.expected) * min(copies, _LATER))
        with self.state.room_beyond(int(real * copies), int(self.expected * copies), later):
            return self.function(*self.state.take(slot))

"""What primitives write into: the graph under construction and the blocks made so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from penstock.engine.plan import Node, user_lines
from penstock.records import record
from penstock.scheduler.graph import Graph, Stage
from penstock.scheduler.limits import available_cpus

# All tasks that run at once are meant to take this share of the budget, the rest is for blocks.
_WORKING_SHARE = 0.4
# Of the usual budget, for sizes to be the usual ones.
_LEAST_SHARE = 0.6
# What a task takes, in blocks: several fused steps, each with its input and output.
_BLOCKS_OF_TASK = 4
_MIN_BLOCK = 1 << 20
_MAX_BLOCK = 64 << 20
# Larger partitions make neither spilling nor sorting faster, and keep workers idle.
_MAX_PARTITION = 128 << 20


@record
class Blocks:
    """The blocks of one node, as value ids of the graph under construction."""

    ids: np.ndarray
    nbytes: int
    """Expected bytes of one block in memory."""
    stage: Stage | None = None
    """The stage that makes exactly these values, when nothing else reads them."""
    origin: Callable[[int], str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def shared(self) -> Blocks:
        """Return these blocks as read by several consumers (they are not fused away)."""
        return replace(self, stage=None)


class Resource(Protocol):
    """Something a run holds (an exchange, a transaction) and closes at its end."""

    def close(self) -> None: ...


@record(frozen=False)
class Lowering:
    """The state of turning one optimised plan into a graph.

    Attributes
    ----------
    budget : int
        Bytes that all tasks and stored blocks may take together.
    usual_budget : int, optional
        What the budget would be in a process that has done nothing yet; the same by default.
    exchange_bytes : int or None
        Bytes that one exchange may hold in memory; None leaves it to the memory pool.
    """

    budget: int = 1 << 30
    usual_budget: int | None = None
    exchange_bytes: int | None = None
    uses: Counter[Node] = field(default_factory=Counter)
    graph: Graph = field(default_factory=Graph)
    resources: list[Resource] = field(default_factory=list)
    where: str | None = None
    _blocks: dict[Node, Blocks] = field(default_factory=dict)

    @cached_property
    def task_bytes(self) -> int:
        """Bytes that one task is meant to take at its peak.

        Sizes follow from the machine and the limit only, so that blocks, and with them sums of
        floats, are the same whatever the number of workers and whatever was done before; unless
        most of the limit is taken already.
        """
        budget = self.usual_budget
        if budget is None or self.budget < _LEAST_SHARE * budget:
            budget = _rounded_down(self.budget)
        return int(budget * _WORKING_SHARE) // max(2, available_cpus())

    @property
    def block_bytes(self) -> int:
        """Target bytes of a block."""
        return min(_MAX_BLOCK, max(_MIN_BLOCK, self.task_bytes // _BLOCKS_OF_TASK))

    def partition_bytes(self, copies: float) -> int:
        """Return the target bytes of a partition that a task gathers whole and copies so often."""
        target = min(_MAX_PARTITION, max(_MIN_BLOCK, int(self.task_bytes / copies)))
        return target if self.exchange_bytes is None else max(1, min(target, self.exchange_bytes))

    def blocks(self, node: Node) -> Blocks:
        """Return the blocks of `node`, adding its stages when it is new."""
        made = self._blocks.get(node)
        if made is None:
            asked, self.where = self.where, user_lines.get(node, self.where)
            made = node.lower(self)
            self.where = asked
            if self.uses[node] > 1:
                made = made.shared()
            self._blocks[node] = made
        return made

    def blocks_anew(self, node: Node, sources: Collection[Node]) -> Blocks:
        """Return blocks of `node` for one reader, for whom `sources` are made once more."""
        kept = {source: self._blocks.pop(source) for source in sources if source in self._blocks}
        uses = self.uses
        self.uses = uses - Counter({source: uses[source] - 1 for source in sources})
        try:
            return self.blocks(node)
        finally:
            self.uses = uses
            for source in sources:
                self._blocks.pop(source, None)
            self._blocks.update(kept)

    def close(self) -> None:
        """Close what the run holds, in reverse order."""
        while self.resources:
            self.resources.pop().close()


def _rounded_down(nbytes: int) -> int:
    """Return the next lower one of 1, 1.5, 2, 3, 4, 6, 8, 12, ... bytes."""
    power = 1 << max(0, nbytes.bit_length() - 1)
    return power * 3 // 2 if nbytes >= power * 3 // 2 else power


def add_stage(
    lowering: Lowering,
    name: str,
    function: Callable[..., Any],
    dependencies: Sequence[np.ndarray] | tuple[np.ndarray, np.ndarray],
    *,
    csr: bool = False,
    ntasks: int | None = None,
    nbytes: int = 0,
    **options: Any,
) -> Blocks:
    """Append a stage and return its blocks (first output of each task).

    Parameters
    ----------
    dependencies : sequence of ndarray, or (indptr, indices)
        One array of value ids per input, each of length `ntasks`; with `csr`,
        the pair itself.
    nbytes : int
        Expected bytes of one block.
    """
    if csr:
        indptr, indices = dependencies
        ntasks = len(indptr) - 1
    else:
        width = len(dependencies)
        if ntasks is None:
            ntasks = len(dependencies[0])
        indptr = np.arange(ntasks + 1, dtype=np.int64) * width
        columns = [np.asarray(column, dtype=np.int64) for column in dependencies]
        indices = np.stack(columns, axis=1).ravel() if width else np.empty(0, np.int64)
    stage = lowering.graph.add(
        Stage(
            name=name,
            function=function,
            ntasks=ntasks,
            indptr=np.asarray(indptr, dtype=np.int64),
            indices=np.asarray(indices, dtype=np.int64),
            where=lowering.where,
            **options,
        )
    )
    return Blocks(output(stage, 0), nbytes, stage, options.get("origin"))


def output(stage: Stage, position: int) -> np.ndarray:
    """Return the value ids of output `position` of every task of `stage`."""
    return stage.base + np.arange(stage.ntasks, dtype=np.int64) * stage.outputs + position

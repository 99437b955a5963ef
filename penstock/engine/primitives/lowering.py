"""What primitives write into: the graph under construction and the blocks made so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from penstock.engine.plan import Node, user_lines
from penstock.scheduler.graph import Graph, Stage

# A gather task holds a partition, its sorted or joined copy and the output.
_GATHER_COPIES = 5
_MIN_BLOCK = 1 << 20
_MAX_BLOCK = 64 << 20
# Larger partitions make neither spilling nor sorting faster, and keep workers idle.
_MAX_PARTITION = 128 << 20


@dataclass(frozen=True)
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


@dataclass
class Lowering:
    """The state of turning one optimised plan into a graph.

    Attributes
    ----------
    workers : int
        Tasks that may run at the same time.
    budget : int
        Bytes that all tasks and stored blocks may take together.
    exchange_bytes : int or None
        Bytes that one exchange may hold in memory; None leaves it to the memory pool.
    """

    workers: int = 2
    budget: int = 1 << 30
    exchange_bytes: int | None = None
    uses: Counter[Node] = field(default_factory=Counter)
    graph: Graph = field(default_factory=Graph)
    resources: list[Resource] = field(default_factory=list)
    where: str | None = None
    _blocks: dict[Node, Blocks] = field(default_factory=dict)

    @property
    def _sharing(self) -> int:
        """Tasks that sizes are reckoned for: not one alone, whose fused steps add up."""
        return max(2, self.workers)

    @property
    def block_bytes(self) -> int:
        """Target bytes of a block, so that all workers' working sets fit the budget."""
        share = self.budget // (self._sharing * 10)
        return int(min(_MAX_BLOCK, max(_MIN_BLOCK, share)))

    @property
    def partition_bytes(self) -> int:
        """Target bytes of a partition that one task gathers whole."""
        share = self.budget // (self._sharing * _GATHER_COPIES)
        target = int(min(_MAX_PARTITION, max(_MIN_BLOCK, share)))
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

    def partitions_for(self, nbytes: int) -> int:
        """Return how many partitions an exchange of `nbytes` needs."""
        return int(max(1, min(1024, -(-nbytes // self.partition_bytes))))

    def close(self) -> None:
        """Close what the run holds, in reverse order."""
        while self.resources:
            self.resources.pop().close()


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

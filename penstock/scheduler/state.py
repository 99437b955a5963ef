"""The state of a run: which tasks wait, which are ready, which values are still needed.

Pure: no threads, no blocks, no memory. Everything is an array over all tasks or
all values of the graph, built vectorised; the loop reads and writes single
elements through memoryviews, which are several times faster at that than NumPy.

**Order.** Every task gets an interval of positions among the results: the k-th
of n results takes ``[k, k + 1)``, the k-th of a task's n inputs the k-th n-th of
the task's interval, and a value used by several the smallest of theirs. Ready
tasks run by smallest position, nearest to the results first; those that give
little run as soon as they can. So one result's
whole cone is finished before the next one is begun, and a block is consumed
soon after it is made.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from penstock.scheduler.graph import Graph, Stage

FOREVER = 1 << 62
_LITTLE = 64 << 10
"""Bytes that a task may give to run before its turn: less than is ever spilled."""


class State:
    """Dependency counts, reference counts and the ready heap of one run.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    remaining : int
        Needed tasks that are not finished.
    """

    def __init__(self, graph: Graph) -> None:
        stages = graph.stages
        self.stages = stages
        bounds = np.cumsum([0] + [stage.ntasks for stage in stages])
        self.first_task: list[int] = bounds.tolist()
        self.ntasks = int(bounds[-1])
        self.nvalues = graph.nvalues
        wanted = np.asarray(graph.wanted, dtype=np.int64)

        counts = [np.diff(stage.indptr) for stage in stages]
        fan_in = np.concatenate([*counts, np.zeros(0, np.int64)]).astype(np.int64)
        indptr = np.concatenate([[0], np.cumsum(fan_in)])
        indices = np.concatenate(
            [*(_inputs(stage) for stage in stages), np.zeros(0, np.int64)]
        ).astype(np.int64)
        needed, position = _plan(stages, bounds, self.nvalues, wanted)

        # The order of all tasks as one number each: by position, later stages first.
        stage_of = np.repeat(np.arange(len(stages)), np.diff(bounds))
        order = np.lexsort((np.arange(self.ntasks), -stage_of, position))
        rank = np.empty(self.ntasks, np.int64)
        rank[order] = np.arange(self.ntasks)

        existing = np.zeros(self.ntasks, bool)
        exists = np.zeros(self.nvalues, bool)
        for stage, start in zip(stages, self.first_task, strict=False):
            if stage.handles is not None:
                existing[start : start + stage.ntasks] = True
                exists[stage.base : stage.base + stage.nvalues] = True
        runs = needed & ~existing

        # Consumers of each value, nearest use first, as the transposed CSR.
        consumer = np.repeat(np.arange(self.ntasks), fan_in)
        live = runs[consumer] if len(consumer) else np.zeros(0, bool)
        consumer, used = consumer[live], indices[live]
        by_value = np.lexsort((rank[consumer], used))
        uses = np.bincount(used, minlength=self.nvalues)
        references = uses + np.bincount(wanted, minlength=self.nvalues)
        waiting = fan_in.copy()
        if exists.any():
            done = np.concatenate([[0], np.cumsum(exists[indices])])
            waiting -= done[indptr[1:]] - done[indptr[:-1]]

        self.rank = _view(rank)
        self.indptr = _view(indptr)
        self.indices = _view(indices)
        self.stage_of = _view(stage_of)
        self.references = _view(references)
        self._order = _view(order)
        self._waiting = _view(waiting)
        self._consumers = _view(consumer[by_value])
        self._consumer_rank = _view(rank[consumer[by_value]])
        self._consumers_of = _view(np.concatenate([[0], np.cumsum(uses)]))
        self._next = _view(np.concatenate([[0], np.cumsum(uses)])[:-1])
        self._done = bytearray(self.ntasks)
        self.remaining = int(runs.sum())
        self.needed_per_stage: list[int] = [
            int(runs[start:stop].sum()) for start, stop in itertools.pairwise(bounds)
        ]
        ready = rank[runs & (waiting == 0)]
        ready.sort()  # a sorted list is a heap
        self._ready: list[int] = ready.tolist()

    @property
    def ready(self) -> int:
        """How many tasks are ready."""
        return len(self._ready)

    def peek(self) -> int:
        """Return the task to run next, leaving it ready."""
        return self._order[self._ready[0]]

    def pop(self) -> int:
        """Take the task to run next."""
        return self._order[heapq.heappop(self._ready)]

    def push(self, task: int) -> None:
        """Make `task`, taken by `pop` but not run, ready again."""
        heapq.heappush(self._ready, self.rank[task])

    def inputs(self, task: int) -> list[int]:
        """Return the value ids that `task` takes, in order."""
        return self.indices[self.indptr[task] : self.indptr[task + 1]].tolist()

    def outputs(self, task: int) -> range:
        """Return the value ids that `task` yields."""
        number = self.stage_of[task]
        stage = self.stages[number]
        first = stage.base + (task - self.first_task[number]) * stage.outputs
        return range(first, first + stage.outputs)

    def finish(self, task: int) -> list[int]:
        """Mark `task` as done; return the values that nothing needs any more.

        Those are inputs whose last consumer this was, and outputs without any.
        """
        waiting, consumers, bounds = self._waiting, self._consumers, self._consumers_of
        references, rank, ready = self.references, self.rank, self._ready
        self._done[task] = 1
        self.remaining -= 1
        free = []
        for value in self.outputs(task):
            if references[value] == 0:
                free.append(value)
            for consumer in consumers[bounds[value] : bounds[value + 1]]:
                left = waiting[consumer] - 1
                waiting[consumer] = left
                if left == 0:
                    heapq.heappush(ready, rank[consumer])
        for value in self.indices[self.indptr[task] : self.indptr[task + 1]]:
            left = references[value] - 1
            references[value] = left
            if left == 0:
                free.append(value)
        return free

    def release(self, value: int) -> bool:
        """Drop one reference of a result; return whether it was the last."""
        left = self.references[value] - 1
        self.references[value] = left
        return left == 0

    def next_use(self, value: int) -> int:
        """Return the rank of the next task that takes `value`, `FOREVER` if none will."""
        at, stop = self._next[value], self._consumers_of[value + 1]
        while at < stop and self._done[self._consumers[at]]:
            at += 1
        self._next[value] = at
        return self._consumer_rank[at] if at < stop else FOREVER


def _view(values: np.ndarray) -> memoryview:
    return memoryview(np.ascontiguousarray(values, dtype=np.int64).data)


def _inputs(stage: Stage) -> np.ndarray:
    return np.asarray(stage.indices)[stage.indptr[0] : stage.indptr[-1]]


def _plan(
    stages: list[Stage], bounds: np.ndarray, nvalues: int, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which tasks are needed and their positions, from the results backwards."""
    low = np.full(nvalues, np.inf)
    width = np.zeros(nvalues)
    low[wanted[::-1]] = np.arange(len(wanted))[::-1]  # the first of several places wins
    width[wanted] = 1.0
    needed = np.zeros(int(bounds[-1]), bool)
    position = np.full(int(bounds[-1]), np.inf)
    for number in range(len(stages) - 1, -1, -1):
        stage = stages[number]
        tasks = slice(int(bounds[number]), int(bounds[number + 1]))
        if stage.ntasks == 0:
            continue
        if len(stage.indices) and int(_inputs(stage).max(initial=-1)) >= stage.base:
            needed[tasks], position[tasks] = _plan_inside(stage, low, width)
            continue
        values = slice(stage.base, stage.base + stage.nvalues)
        low_out = low[values].reshape(stage.ntasks, stage.outputs)
        width_out = width[values].reshape(stage.ntasks, stage.outputs)
        first = low_out.argmin(axis=1)[:, None]
        start = np.take_along_axis(low_out, first, 1)[:, 0]
        share = np.take_along_axis(width_out, first, 1)[:, 0]
        needed[tasks] = np.isfinite(start)
        position[tasks] = start
        if stage.handles is not None or len(stage.indices) == 0:
            continue
        count = np.diff(stage.indptr)
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        part = np.repeat(share / np.maximum(count, 1), count)
        at = np.repeat(start, count) + place * part
        used = _inputs(stage)
        better = at < low[used]
        used, at, part = used[better], at[better], part[better]
        descending = np.argsort(-at, kind="stable")  # the last of equal indices is kept
        low[used[descending]] = at[descending]
        width[used[descending]] = part[descending]
    _hasten(stages, bounds, low, position)
    return needed, position


def _hasten(stages: list[Stage], bounds: np.ndarray, low: np.ndarray, position: np.ndarray) -> None:
    """Let tasks that give next to nothing run as soon as all their inputs are there.

    Several reductions of one block then take it while it is in memory, instead
    of one reduction of all blocks after the other.
    """
    for stage, first in zip(stages, bounds[:-1].tolist(), strict=True):
        used = _inputs(stage)
        counts = np.diff(stage.indptr)
        if (
            not 0 < stage.memory.output <= _LITTLE
            or stage.handles is not None
            or not len(used)
            or counts.min() == 0
            or int(used.max()) >= stage.base
        ):
            continue
        soonest = np.maximum.reduceat(low[used], np.asarray(stage.indptr[:-1]) - stage.indptr[0])
        tasks = position[first : first + stage.ntasks]
        np.minimum(tasks, soonest, out=tasks, where=np.isfinite(tasks))


def _plan_inside(stage: Stage, low: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plan a stage whose tasks take values of earlier tasks of the same stage."""
    needed = np.zeros(stage.ntasks, bool)
    position = np.full(stage.ntasks, np.inf)
    lows: Any = low.data
    widths: Any = width.data
    indptr, indices = _view(stage.indptr), _view(stage.indices)
    for task in range(stage.ntasks - 1, -1, -1):
        first = stage.base + task * stage.outputs
        value = min(range(first, first + stage.outputs), key=lows.__getitem__)
        start = lows[value]
        if start == np.inf:
            continue
        needed[task] = True
        position[task] = start
        begin, end = indptr[task], indptr[task + 1]
        part = widths[value] / max(1, end - begin)
        for k in range(begin, end):
            used = indices[k]
            if start < lows[used]:
                lows[used], widths[used] = start, part
            start += part
    return needed, position

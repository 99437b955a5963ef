"""Run plans: lower them, hand the graph to the scheduler, repair types that widened."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.engine.fits import refuse_results, refuse_stages
from penstock.engine.lower import Lowered, lower
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import Node, transform, walk
from penstock.errors import TypeConflictError
from penstock.records import record
from penstock.scheduler import current_pool, execute, persist, stream
from penstock.scheduler.closing import closed_safely
from penstock.scheduler.interrupts import Interrupts
from penstock.scheduler.memory import limit_bytes

if TYPE_CHECKING:
    from penstock.scheduler import Handle

# int → float → text is the longest chain of one column; many columns may each take it.
_MAX_REPAIRS = 200


@record
class Options:
    """How to run: what ``compute`` takes beside the collections."""

    scheduler: str | None = None
    num_workers: int | None = None
    memory_limit: str | int | float | None = None
    progress: bool | None = None
    observers: tuple = ()

    def for_scheduler(self) -> dict[str, Any]:
        """Return the keyword arguments of the scheduler's entry points."""
        return {
            "scheduler": self.scheduler,
            "num_workers": self.num_workers,
            "memory_limit": self.memory_limit,
            "progress": self.progress,
            "observers": self.observers,
        }


@contextmanager
def lowered(
    nodes: Sequence[Node],
    options: Options,
    where: str | None,
    *,
    refuse: bool = False,
    together: bool = False,
) -> Iterator[Lowered]:
    """Lower `nodes` for the machine and limits that `options` and config give.

    With `refuse`, a plan that could not run under them is refused; with `together`, so are
    results that could not be in memory at once.
    """
    pool = current_pool()
    limit = None if options.memory_limit is None else limit_bytes(options.memory_limit)
    with pool.override(limit):
        if not pool.runs:
            pool.rebase()  # sizes are chosen by what the process takes now
        if together:
            refuse_results(nodes)
        result = lower(nodes, budget=pool.budget, usual_budget=pool.usual_budget, where=where)
        try:
            if refuse:
                refuse_stages(result.lowering.graph)
        except BaseException:
            result.lowering.close()
            raise
    try:
        yield result
    finally:
        result.lowering.close()


def run(
    nodes: Sequence[Node], options: Options | None = None, where: str | None = None
) -> list[list[Any]]:
    """Return the blocks of each node, in order."""
    options = options or Options()

    def attempt(plan: Sequence[Node]) -> list[list[Any]]:
        with lowered(plan, options, where, refuse=True, together=True) as ready:
            blocks = execute(ready.lowering.graph, **options.for_scheduler())
            return _regroup(blocks, ready)

    return _repaired(nodes, attempt)


def run_persist(
    nodes: Sequence[Node], options: Options | None = None, where: str | None = None
) -> list[list[Handle]]:
    """Return handles of the blocks of each node, which stay in the store."""
    options = options or Options()

    def attempt(plan: Sequence[Node]) -> list[list[Handle]]:
        with lowered(plan, options, where, refuse=True) as ready:
            return _regroup(persist(ready.lowering.graph, **options.for_scheduler()), ready)

    return _repaired(nodes, attempt)


@closed_safely
def run_stream(
    node: Node, options: Options | None = None, where: str | None = None
) -> Generator[Any]:
    """Yield the blocks of `node` in order, computing while they are asked for.

    A type conflict after the first block was given cannot be repaired by
    running again and is raised.
    """
    options = options or Options()
    plan = node
    for _ in range(_MAX_REPAIRS):
        given = False
        try:
            with lowered([plan], options, where, refuse=True) as ready:
                for block in stream(ready.lowering.graph, **options.for_scheduler()):
                    given = True
                    yield block
            return
        except TypeConflictError as conflict:
            if given:
                raise
            (plan,) = _widened([plan], conflict)


def count_blocks(node: Node) -> int:
    """Return how many blocks `node` would be computed in, under the current limits."""
    with lowered([node], Options(), None) as ready:
        return ready.counts()[0]


def _regroup(blocks: list[Any], ready: Lowered) -> list[list[Any]]:
    groups, start = [], 0
    for count in ready.counts():
        groups.append(blocks[start : start + count])
        start += count
    return groups


def _repaired(nodes: Sequence[Node], attempt: Any) -> Any:
    """Run `attempt`, widening column types that the data contradict and starting again."""
    plan = list(nodes)
    with Interrupts():
        for _ in range(_MAX_REPAIRS):
            try:
                return attempt(plan)
            except TypeConflictError as conflict:
                plan = _widened(plan, conflict)
    raise AssertionError("column types kept widening")


def _widened(nodes: Sequence[Node], conflict: TypeConflictError) -> list[Node]:
    """Return the plan with the column of `conflict` widened in the source it came from."""
    source = getattr(conflict, "source", None)
    readers = [
        node
        for node in walk(*nodes)
        if isinstance(node, ReadFrame)
        and getattr(node.source, "widens", _never)(conflict.column)
        and (source is None or node.source.fingerprint == source)
    ]
    if not readers:
        raise conflict
    fixed = {node: node.source.widened(conflict.column, conflict.value) for node in readers}  # type: ignore[attr-defined]

    def widen(node: Node) -> Node:
        if isinstance(node, ReadFrame) and node in fixed:
            return replace(node, source=fixed[node])
        return node

    return transform(list(nodes), widen)


def _never(column: str) -> bool:
    return False

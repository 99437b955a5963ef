"""What certainly does not fit the memory limit is refused before anything runs.

A plan tells upper estimates of its sizes; nodes also tell lower bounds, of what is known for
certain: rows that file footers or objects in memory tell, and the bytes of values of fixed width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from penstock.config import format_bytes
from penstock.engine.plan import ArrayNode, Node, user_lines, walk
from penstock.errors import MemoryLimitError
from penstock.scheduler import current_pool

if TYPE_CHECKING:
    from penstock.scheduler.graph import Graph, Stage


def room() -> int:
    """Return the bytes that one run can have at the very most, under the limit that holds now."""
    pool = current_pool()
    return max(0, pool.limit - pool.baseline - pool.headroom)


def refuse_results(nodes: Sequence[Node]) -> None:
    """Refuse results of ``compute`` that are known not to fit in memory together.

    Raises
    ------
    MemoryLimitError
    """
    known = sum(node.least_bytes for node in dict.fromkeys(nodes))
    most = room()
    if known > most:
        rows = max(node.least_rows for node in nodes)
        size = f"{format_bytes(known)} or more" + (f" ({rows:,} rows)" if rows else "")
        writer = "to_zarr" if isinstance(nodes[0], ArrayNode) else "to_parquet"
        raise MemoryLimitError(
            f"the result takes {size}, but the budget is {format_bytes(most)} of memory_limit "
            f"{format_bytes(current_pool().limit)}; write it with {writer}, iterate over its "
            "blocks, keep it with persist(), or raise memory_limit"
        )


def refuse_needs(nodes: Sequence[Node]) -> None:
    """Refuse operations that need more at once than there is, as far as that is known.

    Raises
    ------
    MemoryLimitError
    """
    most = room()
    for node in walk(*nodes):
        if node.least_need > most:
            name = f"{node.name} ({node.describe()})"
            error = current_pool().refusal(name, node.least_need, node.remedy)
            if node in user_lines:
                error.add_note(f"asked for at {user_lines[node]}")
            raise error


def needed_stages(graph: Graph) -> list[Stage]:
    """Return the stages that the wanted values depend on."""
    stages = graph.stages
    bounds = np.array([stage.base for stage in stages])
    reached: set[int] = set()
    pending = set(np.searchsorted(bounds, np.asarray(graph.wanted), "right") - 1)
    while pending:
        number = pending.pop()
        if number in reached:
            continue
        reached.add(number)
        used = np.unique(np.searchsorted(bounds, stages[number].indices, "right") - 1)
        pending |= set(used.tolist()) - reached
    return [stages[number] for number in sorted(reached)]


def needed_bytes(stage: Stage) -> int:
    """Return what a task of `stage` is granted beside its inputs, before it may begin."""
    return stage.memory.fixed + stage.memory.output


def input_bytes(stage: Stage, graph: Graph) -> int:
    """Return the bytes of what the first task of `stage` is expected to get from other stages."""
    used = stage.indices[: stage.indptr[1]] if stage.ntasks else stage.indices
    bounds = np.array([one.base for one in graph.stages])
    makers = [graph.stages[number] for number in np.searchsorted(bounds, used, "right") - 1]
    return sum(_made_bytes(maker) for maker in makers if maker is not stage)


def _made_bytes(stage: Stage) -> int:
    if stage.handles is not None:
        return sum(handle.nbytes for handle in stage.handles) // max(1, len(stage.handles))
    return stage.memory.output // stage.outputs


def refuse_stages(graph: Graph) -> None:
    """Refuse a plan with a task that could not begin even with all memory to itself.

    Raises
    ------
    MemoryLimitError
    """
    most = room()
    large = {
        id(stage)
        for stage in graph.stages
        if stage.ntasks and stage.handles is None and needed_bytes(stage) > most
    }
    if not large:
        return
    for stage in needed_stages(graph):
        if id(stage) in large:
            error = current_pool().refusal(stage.name, needed_bytes(stage))
            error.add_note(f"in operation {stage.name}")
            if stage.where:
                error.add_note(f"asked for at {stage.where}")
            raise error

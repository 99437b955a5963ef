"""What certainly does not fit the memory limit is refused before anything runs.

A plan tells upper estimates of its sizes; here are lower bounds, of what is known for certain:
rows that file footers or objects in memory tell, and the bytes of values of fixed width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from penstock.config import format_bytes
from penstock.engine.nodes.concat import Concat
from penstock.engine.nodes.join import Join
from penstock.engine.nodes.repartition import Repartition, RepartitionDivisions
from penstock.engine.nodes.sort import Shuffle, Sort
from penstock.engine.nodes.sources import FromTable, Persisted, ReadFrame
from penstock.engine.plan import ArrayNode, FrameNode, Node, user_lines, walk
from penstock.errors import MemoryLimitError
from penstock.scheduler import current_pool

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.scheduler.graph import Graph, Stage

_SAME_ROWS = (Sort, Shuffle, Repartition, RepartitionDivisions)


def least_rows(node: Node) -> int:
    """Return a number of rows that `node` has at least, as far as that is known beforehand."""
    if isinstance(node, ReadFrame):
        return node.rows or 0
    if isinstance(node, FromTable):
        return int(node.ref.table.num_rows)
    if isinstance(node, Concat):
        return sum(least_rows(frame) for frame in node.frames)
    if isinstance(node, Join):
        return _joined_rows(node)
    if node.inputs and (node.keeps_rows or isinstance(node, _SAME_ROWS)):
        return least_rows(node.inputs[0])
    return 0


def _joined_rows(node: Join) -> int:
    left, right = least_rows(node.left), least_rows(node.right)
    most = {"cross": left * right, "left": left, "right": right, "outer": max(left, right)}
    return most.get(node.how, 0)


def least_bytes(node: Node) -> int:
    """Return the bytes that all blocks take at least; 0 where nothing is known."""
    if isinstance(node, Persisted) or (isinstance(node, ArrayNode) and node.schema.known):
        return node.nbytes
    if not isinstance(node, FrameNode):
        return 0
    rows = least_rows(node)
    return rows * sum(_least_bits(field.type) for field in node.schema.arrow) // 8 if rows else 0


def _least_bits(kind: pa.DataType) -> int:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.index_type
    try:
        return kind.bit_width
    except ValueError:  # text and lists have an offset each
        return 0 if pa.types.is_null(kind) else 32


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
    known = sum(least_bytes(node) for node in dict.fromkeys(nodes))
    most = room()
    if known > most:
        rows = max(least_rows(node) for node in nodes)
        size = f"{format_bytes(known)} or more" + (f" ({rows:,} rows)" if rows else "")
        writer = "to_zarr" if isinstance(nodes[0], ArrayNode) else "to_parquet"
        raise MemoryLimitError(
            f"the result takes {size}, but the budget is {format_bytes(most)} of memory_limit "
            f"{format_bytes(current_pool().limit)}; write it with {writer}, iterate over its "
            "blocks, keep it with persist(), or raise memory_limit"
        )


def refuse_joins(nodes: Sequence[Node]) -> None:
    """Refuse joins that need more at once than there is, as far as that is known.

    The side that is given to every block is in memory as a whole, and with it either its rows
    by key or, of a cross join, what a single row of the other side gives.

    Raises
    ------
    MemoryLimitError
    """
    for node in walk(*nodes):
        given = node.given() if isinstance(node, Join) else None
        if given is None or not isinstance(node, Join):
            continue
        need = 2 * least_bytes(given)
        if node.how == "cross":
            width = sum(_least_bits(field.type) for field in node.schema.arrow)
            need = least_bytes(given) + least_rows(given) * width // 8
        if need > room():
            remedy = (
                "Raise memory_limit, drop columns or rows before the join, or join on keys"
                if node.how == "cross"
                else "Raise memory_limit, or leave broadcast out: both sides then go through an "
                "exchange that spills"
            )
            error = current_pool().refusal(f"{node.name} ({node.describe()})", need, remedy)
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

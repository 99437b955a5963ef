"""The optimised plan in words: nodes, blocks, bytes, projected memory."""

from __future__ import annotations

from penstock.engine.lower import lower, optimise
from penstock.engine.plan import Node
from penstock.engine.primitives import Lowering
from penstock.scheduler import current_pool
from penstock.scheduler.graph import Stage


def explain(node: Node) -> str:
    """Return the optimised plan and the stages that run it.

    Parameters
    ----------
    node : Node

    Returns
    -------
    str
        The tree of operations, then each stage with its tasks and the memory
        that one task is projected to take, then bytes read and spill expected.
    """
    pool = current_pool()
    (plan,) = optimise([node], Lowering(pool.budget).block_bytes)
    lines = ["plan", *_tree(plan, "  ", set()), "stages"]
    ready = lower([node], budget=pool.budget)
    try:
        stages = _needed(ready.lowering.graph.stages, ready.lowering.graph.wanted)
        lines += [f"  {_stage_line(stage)}" for stage in stages]
    finally:
        ready.lowering.close()
    exchanged = sum(n.nbytes for n in _exchanges(plan))
    spill = max(0, exchanged - pool.budget // 2)
    lines.append(f"memory: limit {_size(pool.limit)}, budget for blocks {_size(pool.budget)}")
    lines.append(f"expected spill: {_size(spill)}")
    return "\n".join(lines)


def _tree(node: Node, indent: str, seen: set[Node]) -> list[str]:
    shared = node in seen
    seen.add(node)
    detail = node.describe()
    text = f"{indent}{node.name}" + (f": {detail}" if detail else "")
    text += f"  [{node.npartitions} blocks, about {_size(node.nbytes)}]"
    if shared:
        return [f"{text} (shared, see above)"]
    lines = [text]
    for source in node.inputs:
        lines += _tree(source, indent + "  ", seen)
    return lines


def _needed(stages: list[Stage], wanted: object) -> list[Stage]:
    """Return the stages that the wanted values depend on."""
    import numpy as np

    bounds = np.array([stage.base for stage in stages])
    reached: set[int] = set()
    pending = set(np.searchsorted(bounds, np.asarray(wanted), "right") - 1)
    while pending:
        number = pending.pop()
        if number in reached:
            continue
        reached.add(number)
        used = np.unique(np.searchsorted(bounds, stages[number].indices, "right") - 1)
        pending |= set(used.tolist()) - reached
    return [stages[number] for number in sorted(reached)]


def _stage_line(stage: Stage) -> str:
    memory = stage.memory
    projected = memory.fixed + memory.output
    return f"{stage.name}: {stage.ntasks} tasks, {_size(projected)} each beside their inputs"


def _exchanges(node: Node) -> list[Node]:
    from penstock.engine.nodes.dedupe import DropDuplicates
    from penstock.engine.nodes.group_map import GroupMap
    from penstock.engine.nodes.group_rows import GroupRows
    from penstock.engine.nodes.group_spread import GroupSpread
    from penstock.engine.nodes.join import Join
    from penstock.engine.nodes.sort import Shuffle, Sort
    from penstock.engine.plan import walk

    kinds = (Sort, Shuffle, Join, DropDuplicates, GroupMap, GroupRows, GroupSpread)
    return [found for found in walk(node) if isinstance(found, kinds)]


def _size(nbytes: float) -> str:
    value = float(nbytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"

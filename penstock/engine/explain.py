"""The optimised plan in words: nodes, blocks, bytes, projected memory."""

from __future__ import annotations

from penstock.engine.fits import input_bytes, needed_bytes, needed_stages, room
from penstock.engine.lower import lower, optimise
from penstock.engine.plan import Node
from penstock.engine.primitives import Lowering
from penstock.engine.primitives.exchange import exchanged_bytes
from penstock.scheduler import current_pool
from penstock.scheduler.graph import Graph, Stage


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
    (plan,) = optimise([node], Lowering(pool.budget, pool.usual_budget).block_bytes)
    lines = ["plan", *_tree(plan, "  ", set()), "stages"]
    ready = lower([node], budget=pool.budget, usual_budget=pool.usual_budget)
    try:
        graph = ready.lowering.graph
        stages = needed_stages(graph)
        lines += [f"  {_stage_line(stage, graph)}" for stage in stages]
        exchanged = sum(map(exchanged_bytes, stages))
    finally:
        ready.lowering.close()
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


def _stage_line(stage: Stage, graph: Graph) -> str:
    inputs, needed = input_bytes(stage, graph), needed_bytes(stage)
    whole = int(inputs * (1 + stage.memory.input_factor)) + needed
    count = f"{stage.ntasks} task{'' if stage.ntasks == 1 else 's'}"
    text = f"{stage.name}: {count}, {_size(whole)} each"
    text += f" ({_size(inputs)} of it inputs)" if inputs else ""
    return text + (": MORE THAN THERE IS" if needed > room() else "")


def _size(nbytes: float) -> str:
    value = float(nbytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"

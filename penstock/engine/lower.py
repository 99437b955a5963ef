"""From plan to task graph: optimise, choose sizes, add stages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock import config
from penstock.engine.fits import refuse_needs
from penstock.engine.plan import Node, Results, count_uses, walk
from penstock.engine.primitives import Blocks, Lowering
from penstock.engine.rules import rules
from penstock.engine.verify import verify
from penstock.records import record


@record(frozen=False)
class Lowered:
    """A graph ready to run.

    Attributes
    ----------
    lowering : Lowering
        Holds the graph and the resources of the run.
    results : list of Blocks
        The blocks of each result.
    """

    lowering: Lowering
    results: list[Blocks]

    def counts(self) -> list[int]:
        """Return the number of blocks of each result."""
        return [len(blocks) for blocks in self.results]


def optimise(nodes: Sequence[Node], block_bytes: int) -> list[Node]:
    """Return `nodes` rewritten by every rule in order."""
    plan: Node = Results(tuple(nodes))
    checked = config.get("verify-plans", False)
    for rule in rules(plan, block_bytes):
        rewritten = rule(plan)
        if checked and rewritten is not plan:
            verify(plan, rewritten, getattr(rule, "func", rule).__name__)
        plan = rewritten
    assert isinstance(plan, Results)
    return list(plan.results)


def lower(
    nodes: Sequence[Node],
    *,
    budget: int,
    usual_budget: int | None = None,
    where: str | None = None,
) -> Lowered:
    """Return the task graph of `nodes` under `budget` bytes; see `Lowering`."""
    most = config.get("exchange-memory", None)
    lowering = Lowering(
        budget=budget,
        usual_budget=usual_budget,
        exchange_bytes=None if most is None else config.parse_bytes(most),
        where=where,
    )
    try:
        optimised = optimise(nodes, lowering.block_bytes)
        refuse_needs(optimised)
        lowering.uses = count_uses(*optimised)
        for node in walk(*optimised):
            lowering.blocks(node)
        results = [lowering.blocks(node) for node in optimised]
    except BaseException:
        lowering.close()
        raise
    lowering.graph.wanted = np.concatenate([blocks.ids for blocks in results])
    return Lowered(lowering, results)

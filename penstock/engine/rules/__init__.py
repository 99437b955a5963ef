"""The optimizer: a tuple of rules, each a pure function from plan to plan.

Their order matters: many calls become one node before anything else walks the
plan, sorts are dropped after heads have replaced some of them, numbers are
dropped or pushed into readers before filters look for a reader to go into,
rows are grouped before a join once selections are merged, projections come
after all rewriting of columns, and blocks are sized last, by what is left to be
read. Common subexpressions need no rule: nodes are interned. Elementwise
operations on arrays become one program here; other blockwise fusion happens
while lowering, where it is known which blocks have a single reader.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from penstock.engine.plan import ArrayNode, FrameNode, Node, walk
from penstock.engine.rules.calls import group_calls
from penstock.engine.rules.sizes import size_blocks

Rule = Callable[[Node], Node]


def rules(plan: Node, block_bytes: int) -> tuple[Rule, ...]:
    """Return the rules that `plan` may need, in the order in which they run.

    Those of frames, and those of arrays, are imported with the first plan that holds one.
    """
    nodes = list(walk(plan))
    return (
        group_calls,
        *(_frame_rules(block_bytes) if any(isinstance(node, FrameNode) for node in nodes) else ()),
        *(_array_rules() if any(isinstance(node, ArrayNode) for node in nodes) else ()),
        partial(size_blocks, block_bytes=block_bytes),
    )


def _frame_rules(block_bytes: int) -> tuple[Rule, ...]:
    from penstock.engine.rules.eager_aggregation import aggregate_eagerly
    from penstock.engine.rules.filters import push_filters
    from penstock.engine.rules.heads import push_heads
    from penstock.engine.rules.numbering import push_numbering
    from penstock.engine.rules.orders import drop_sorts
    from penstock.engine.rules.projections import push_projections
    from penstock.engine.rules.selects import merge_selects

    return (
        merge_selects,
        push_heads,
        drop_sorts,
        push_projections,
        push_numbering,
        push_filters,
        merge_selects,
        partial(aggregate_eagerly, block_bytes=block_bytes),
        push_projections,
    )


def _array_rules() -> tuple[Rule, ...]:
    from penstock.engine.rules.elementwise import fuse_elementwise
    from penstock.engine.rules.slices import push_slices

    return push_slices, fuse_elementwise


__all__ = ["Rule", "rules"]

"""What is made a second time rather than kept: arrays too large to wait in memory.

In ``x - x.mean()`` every block of `x` is needed for the mean, and again when that is known. Where
`x` does not fit in memory it would be written to spill files and read back in between: to draw it,
or to read it from where it is stored, once more is less work. So it is for parts of `x` that are
reduced one after the other, such as the months of many years.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.engine.plan import ArrayNode, Node, walk
from penstock.engine.primitives import Lowering

_KEPT_SHARE = 2
"""What takes more than the budget divided by this may not be kept."""
_SMALLER = 8
"""What is so much smaller than an array is made of all of it, and stands when it has been read."""
_PARTS = 2
"""A reader of no more than one of so many blocks makes them for itself."""


def made_again(
    lowering: Lowering, operand: ArrayNode, operands: Sequence[ArrayNode]
) -> tuple[Node, ...]:
    """Return the nodes of `operand` to make anew, when others of `operands` are made of it all."""
    nodes = _cheap(lowering, operand)
    if not nodes:
        return ()
    for other in operands:
        made_of: set[Node] = {operand}
        for node in walk(other):
            if made_of.isdisjoint(node.inputs):
                continue
            if node.nbytes * _SMALLER <= operand.nbytes:
                return nodes
            made_of.add(node)
    return ()


def made_for_part(
    lowering: Lowering, operand: ArrayNode, nblocks: int, together: int
) -> tuple[Node, ...]:
    """Return the nodes of `operand` to make anew for a reader of so many of its blocks.

    Parameters
    ----------
    nblocks : int
        Blocks that are read in all.
    together : int
        Bytes of the blocks between which elements are picked. When they fit in memory, other
        readers find them there: results are finished one after the other.
    """
    if nblocks * _PARTS > operand.npartitions or together <= _kept_bytes(lowering):
        return ()
    return _cheap(lowering, operand)


def _kept_bytes(lowering: Lowering) -> int:
    # of the usual budget, for sums of floats to be the same in every run
    return (lowering.usual_budget or lowering.budget) // _KEPT_SHARE


def _cheap(lowering: Lowering, operand: ArrayNode) -> tuple[Node, ...]:
    """Return the nodes of `operand` when it is shared, large and cheap to make, or nothing."""
    if lowering.uses[operand] < 2 or operand.nbytes <= _kept_bytes(lowering):
        return ()
    nodes = tuple(walk(operand))
    return nodes if all(getattr(node, "made_cheaply", False) for node in nodes) else ()

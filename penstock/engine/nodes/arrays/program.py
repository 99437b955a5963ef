"""BlockProgram: functions called on blocks and on each other's values, as linear algebra needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode, Node
from penstock.engine.primitives import Blocks, Lowering
from penstock.engine.primitives.lowering import add_stage
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

Ref = int
"""The number of an earlier call, or ``~k`` for the `k`-th of the blocks of the operands."""


@record(frozen=False)
class Calls:
    """Calls under construction.

    Attributes
    ----------
    functions : list of callable
    taken : list of tuple of int
        What each takes.
    """

    functions: list[Callable[..., Any]] = field(default_factory=list)
    taken: list[tuple[Ref, ...]] = field(default_factory=list)

    def add(self, function: Callable[..., Any], *values: Ref) -> Ref:
        """Add a call and return the number of its value."""
        self.functions.append(function)
        self.taken.append(values)
        return len(self.functions) - 1


def block_refs(operands: Sequence[ArrayNode], which: int) -> np.ndarray:
    """Return, in the shape of its grid, what stands for the blocks of one of `operands`."""
    first = sum(operand.npartitions for operand in operands[:which])
    schema = operands[which].schema
    return ~np.arange(first, first + schema.nblocks).reshape(schema.numblocks)


@record(eq=False)
class BlockProgram(Node):
    """Calls, each one task of one stage; only those that are needed run.

    Attributes
    ----------
    operands : tuple of ArrayNode
    calls : Opaque
        Holds `Calls`, in an order in which they can run.
    largest : int
        Bytes of the largest value.
    label : str
        What the operation is called.
    """

    operands: tuple[ArrayNode, ...]
    calls: Opaque
    largest: int
    label: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def schema(self) -> None:
        """Nothing is known of the values as a whole."""
        return

    @property
    def npartitions(self) -> int:
        return len(self.calls.value.functions)

    @property
    def divisions(self) -> None:
        return None

    def lower(self, lowering: Lowering) -> Blocks:
        calls: Calls = self.calls.value
        ids = [lowering.blocks(operand).ids for operand in self.operands]
        outer = np.concatenate([*ids, np.zeros(0, np.int64)])
        counts = np.fromiter(map(len, calls.taken), np.int64, len(calls.taken))
        refs = np.fromiter(
            (ref for each in calls.taken for ref in each), np.int64, int(counts.sum())
        )
        indices = lowering.graph.nvalues + refs
        if len(outer):
            indices = np.where(refs < 0, outer[~np.minimum(refs, -1)], indices)
        return add_stage(
            lowering,
            self.label,
            _call,
            (np.concatenate([[0], np.cumsum(counts)]), indices),
            csr=True,
            nbytes=self.largest,
            arguments=calls.functions,
            # LAPACK works on copies
            memory=TaskMemory(input_factor=1.5, output=max(1, self.largest)),
        ).shared()

    def describe(self) -> str:
        return f"{self.npartitions} calls"


def _call(function: Callable[..., Any], *values: Any) -> Any:
    return function(*values)


@record(eq=False)
class ProgramArray(ArrayNode):
    """Values of a program as the blocks of an array.

    Attributes
    ----------
    program : BlockProgram
    places : tuple of int
        Which value each block is, in C order.
    layout : ArraySchema
    """

    program: BlockProgram
    places: tuple[int, ...]
    layout: ArraySchema

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.program.label

    @property
    def schema(self) -> ArraySchema:
        return self.layout

    def lower(self, lowering: Lowering) -> Blocks:
        ids = lowering.blocks(self.program).ids
        return Blocks(ids[np.array(self.places, np.int64)], self.layout.block_nbytes)

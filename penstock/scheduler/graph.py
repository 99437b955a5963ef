"""The columnar task graph: stages of homogeneous tasks.

A stage holds one function and, for all its tasks together, the inputs as one
compressed sparse row (CSR) pair of NumPy arrays. A million tasks are a few
arrays, not a million tuples.

Every task yields ``stage.outputs`` values. Values are numbered through the
whole graph: output `j` of task `i` of a stage has the id
``stage.base + i * stage.outputs + j``.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np


@record
class TaskMemory:
    """How much memory one task of a stage takes, as declared by its operation.

    The working set is ``inputs * input_factor + fixed + output``, where inputs
    are the bytes of the task's input blocks, all in bytes. The scheduler
    corrects it by what earlier tasks of the stage really took.
    """

    input_factor: float = 1.0
    """Peak temporary bytes per byte of input, beside the inputs themselves and the output."""
    fixed: int = 0
    """Bytes needed whatever the inputs (a reader's buffer, for example)."""
    output: int = 0
    """Expected bytes of all outputs together; 0 when the inputs' bytes tell enough."""


@record(frozen=False)
class Stage:
    """Homogeneous tasks over a block grid.

    Task `i` calls ``function(arguments[i], *inputs)`` when `arguments` is
    given and ``function(*inputs)`` otherwise; with ``outputs > 1`` it returns
    a tuple of that length.

    A task may depend on values of earlier stages and on values of
    lower-numbered tasks of its own stage (a chain: an open stream handed from
    split to split, a running state).
    """

    name: str
    function: Callable[..., Any]
    ntasks: int
    indptr: np.ndarray
    """int64, length ntasks + 1."""
    indices: np.ndarray
    """int64 value ids, in the order of the function's parameters."""
    arguments: Sequence[Any] | None = None
    outputs: int = 1
    memory: TaskMemory = field(default_factory=TaskMemory)
    origin: Callable[[int], str] | None = None
    """Tells where the data of task `i` comes from (file and range), for errors."""
    where: str | None = None
    """The user's file and line that asked for this operation."""
    gathers: bool = False
    """Inputs are passed as one list instead of as separate parameters."""
    handles: Sequence[Any] | None = None
    """Values that exist already (`Handle`); the stage's tasks count as finished."""
    base: int = 0
    """Id of the first value, set when the stage is added to a graph."""

    @property
    def nvalues(self) -> int:
        return self.ntasks * self.outputs


@record(frozen=False)
class Graph:
    """Stages in topological order and the values that are wanted of them."""

    stages: list[Stage] = field(default_factory=list)
    wanted: Sequence[int] | np.ndarray = ()
    """Value ids of the results, in the order in which they are wanted."""

    @property
    def nvalues(self) -> int:
        return sum(stage.nvalues for stage in self.stages)

    @property
    def ntasks(self) -> int:
        return sum(stage.ntasks for stage in self.stages)

    def add(self, stage: Stage) -> Stage:
        """Append `stage`, give its values their ids and return it."""
        stage.base = self.nvalues
        self.stages.append(stage)
        return stage

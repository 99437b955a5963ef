"""Blockwise: block `i` of the result from block `i` of each input.

A blockwise operation on blocks that nothing else reads joins the stage that
makes them: reading, filtering and aggregating a block are one task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from penstock.engine.primitives.lowering import Blocks, Lowering, add_stage
from penstock.errors import SchemaError
from penstock.records import record
from penstock.scheduler.graph import Stage, TaskMemory


@record
class Step:
    """One function of a fused task and what it takes beside the block so far."""

    function: Callable[..., Any]
    ninputs: int
    takes_argument: bool = False


@record
class Pipeline:
    """Functions run one after the other on a block, as one task."""

    steps: tuple[Step, ...]

    def __call__(self, *values: Any) -> Any:
        inputs = list(values)
        has_arguments = any(step.takes_argument for step in self.steps)
        arguments = list(inputs.pop(0)) if has_arguments else []
        block: Any = None
        position = 0
        for number, step in enumerate(self.steps):
            taken = inputs[position : position + step.ninputs]
            # the task's last reference to what a step consumed must go with the step
            inputs[position : position + step.ninputs] = [None] * step.ninputs
            position += step.ninputs
            if number:
                taken.insert(0, block)
                block = None
            if step.takes_argument:
                taken.insert(0, arguments.pop(0))
            block = step.function(*taken)
        return block


def blockwise(
    lowering: Lowering,
    name: str,
    function: Callable[..., Any],
    inputs: Sequence[Blocks],
    *,
    ntasks: int | None = None,
    arguments: Sequence[Any] | None = None,
    memory: TaskMemory | None = None,
    nbytes: int | None = None,
    outputs: int = 1,
    origin: Callable[[int], str] | None = None,
) -> Blocks:
    """Apply `function` to the blocks of `inputs` position by position.

    Parameters
    ----------
    function : callable
        Called as ``function(*blocks)``, or ``function(argument, *blocks)``.
    inputs : sequence of Blocks
        Of equal length, or of length 1 (given to every task).
    arguments : sequence, optional
        One plain value per task.
    memory : TaskMemory, optional
        What the function takes beside its inputs.
    nbytes : int, optional
        Expected bytes of one block of the result; by default those of the first input.
    outputs : int
        More than 1 when the function returns a tuple of that length; the
        returned blocks are then the first outputs, see `lowering.output`.
    """
    if ntasks is None:
        ntasks = _common_length(name, inputs)
    if nbytes is None:
        nbytes = inputs[0].nbytes if inputs else 0
    if memory is None:
        memory = TaskMemory(input_factor=1.0, output=nbytes)
    if inputs and _can_fuse(inputs, ntasks):
        return _fuse(lowering, name, function, inputs, arguments, memory, nbytes, outputs)
    if origin is None and inputs:
        origin = inputs[0].origin
    return add_stage(
        lowering,
        name,
        function,
        [_broadcast(blocks.ids, ntasks) for blocks in inputs],
        ntasks=ntasks,
        nbytes=nbytes,
        arguments=arguments,
        memory=memory,
        outputs=outputs,
        origin=origin,
    )


def last_function(blocks: Blocks) -> Any:
    """Return the function whose results are these blocks, when nothing else reads them."""
    stage = blocks.stage
    if stage is None or stage.outputs != 1 or stage.gathers:
        return None
    return stage.function.steps[-1].function if isinstance(stage.function, Pipeline) else (
        stage.function)  # fmt: skip


def with_last(
    lowering: Lowering,
    name: str,
    blocks: Blocks,
    function: Callable[..., Any],
    *,
    nbytes: int,
    memory: TaskMemory,
) -> Blocks:
    """Return the blocks that `function` gives in place of `last_function` of `blocks`.

    Parameters
    ----------
    memory : TaskMemory
        What the tasks take in all.
    """
    stage = blocks.stage
    assert stage is not None
    if isinstance(stage.function, Pipeline):
        last = replace(stage.function.steps[-1], function=function)
        function = Pipeline((*stage.function.steps[:-1], last))
    return add_stage(
        lowering,
        f"{stage.name} → {name}",
        function,
        (stage.indptr, stage.indices),
        csr=True,
        nbytes=nbytes,
        arguments=stage.arguments,
        memory=memory,
        origin=stage.origin,
    )


def _common_length(name: str, inputs: Sequence[Blocks]) -> int:
    lengths = {len(blocks) for blocks in inputs} - {1}
    if len(lengths) > 1:
        raise SchemaError(f"{name}: inputs have {sorted(lengths)} partitions; they must agree")
    return lengths.pop() if lengths else 1


def _broadcast(ids: np.ndarray, ntasks: int) -> np.ndarray:
    return np.repeat(ids, ntasks) if len(ids) == 1 and ntasks != 1 else ids


def _can_fuse(inputs: Sequence[Blocks], ntasks: int) -> bool:
    stage = inputs[0].stage
    return (
        stage is not None
        and stage.outputs == 1
        and not stage.gathers
        and stage.ntasks == ntasks
        and len(inputs[0]) == ntasks
    )


def _fuse(
    lowering: Lowering,
    name: str,
    function: Callable[..., Any],
    inputs: Sequence[Blocks],
    arguments: Sequence[Any] | None,
    memory: TaskMemory,
    nbytes: int,
    outputs: int,
) -> Blocks:
    stage = inputs[0].stage
    assert stage is not None
    extra = [_broadcast(blocks.ids, stage.ntasks) for blocks in inputs[1:]]
    pipeline = _extended(stage, Step(function, len(extra), arguments is not None))
    fused = {
        "arguments": _joined_arguments(stage, arguments),
        "memory": _fused_memory(stage.memory, memory, inputs[0].nbytes),
        "outputs": outputs,
        "origin": stage.origin,
    }
    width = len(stage.indices) // stage.ntasks if stage.ntasks else 0
    dependencies = [stage.indices[k::width] for k in range(width)] + extra
    # The old stage stays behind unread and is culled: its ids cannot be given back.
    return add_stage(
        lowering,
        f"{stage.name} → {name}",
        pipeline,
        dependencies,
        ntasks=stage.ntasks,
        nbytes=nbytes,
        **fused,
    )


def _extended(stage: Stage, step: Step) -> Pipeline:
    if isinstance(stage.function, Pipeline):
        return Pipeline((*stage.function.steps, step))
    width = len(stage.indices) // stage.ntasks if stage.ntasks else 0
    return Pipeline((Step(stage.function, width, stage.arguments is not None), step))


class _Zipped:
    """Arguments of fused steps, paired up on demand instead of as a list of tuples."""

    def __init__(self, parts: tuple[Sequence[Any], ...]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, i: int) -> tuple:
        return tuple(part[i] for part in self.parts)


def _joined_arguments(stage: Stage, arguments: Sequence[Any] | None) -> Any:
    before: tuple[Sequence[Any], ...] = ()
    if stage.arguments is not None:
        wrapped = isinstance(stage.function, Pipeline)
        before = stage.arguments.parts if wrapped else (stage.arguments,)  # type: ignore[attr-defined]
    parts = before if arguments is None else (*before, arguments)
    return _Zipped(parts) if parts else None


def _fused_memory(first: TaskMemory, then: TaskMemory, between: int) -> TaskMemory:
    """Return the need of a task that runs `first`, holds `between` bytes, and runs `then`."""
    peak = max(
        first.fixed + between,
        between + int(between * then.input_factor) + then.fixed + then.output,
    )
    return TaskMemory(first.input_factor, max(0, peak - then.output), then.output)

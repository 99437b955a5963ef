"""What the tasks of a stage take, as declared and as learned from its earlier tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.scheduler.graph import Stage

RUN_SECONDS = 1e-3
"""About how much work one hand-over to a worker shall be."""

MAX_RUN = 4096
_FLOOR = 0.5  # a stage's temporary memory is never taken for less of what it declared


class StageEstimate:
    """Time and memory of one stage's tasks.

    Attributes
    ----------
    factor : float
        Correction of the declared temporary memory, when less was really taken.
    extra : float
        Bytes that a task was seen to take beyond what was reserved for it.
    """

    __slots__ = ("_largest", "_ratio", "_stage", "extra", "factor", "finished", "seconds")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.finished = 0
        self.seconds = 0.0
        self.factor = 1.0
        self.extra = 0.0
        self._ratio = 1.0
        self._largest = 0.0

    def temporary(self, inputs: int, *, corrected: bool = True) -> int:
        """Return the bytes a task with `inputs` bytes takes beside inputs and output."""
        declared = inputs * self._stage.memory.input_factor + self._stage.memory.fixed
        return int(declared * self.factor + (self.extra if corrected else 0))

    def output(self, inputs: int) -> int:
        """Return the bytes a task with `inputs` bytes yields."""
        declared = self._stage.memory.output or inputs
        return int(declared * self._ratio) if declared else int(self._largest)

    def run_length(self, ready: int, num_workers: int) -> int:
        """Return how many tasks to hand over at once."""
        if not self.finished:
            return 1
        most = int(RUN_SECONDS / max(self.seconds, 1e-7))
        return max(1, min(most, MAX_RUN, ready // num_workers))

    def learn(self, ntasks: int, seconds: float, inputs: int, outputs: int) -> None:
        """Take what a batch of `ntasks` really took into account."""
        each = seconds / ntasks
        # Upwards at once, downwards slowly: one slow task makes the runs short again.
        self.seconds = each if each > self.seconds else 0.7 * self.seconds + 0.3 * each
        declared = self._stage.memory.output * ntasks or inputs
        if declared:
            ratio = outputs / declared
            if not self.finished:
                self._ratio = ratio
            self._ratio = max(ratio, 0.9 * self._ratio + 0.1 * ratio)
        size = outputs / ntasks
        self._largest = max(size, 0.9 * self._largest + 0.1 * size)
        self.finished += ntasks

    def took_more(self, nbytes: float) -> None:
        """Reserve `nbytes` more for each task: so much was taken beyond the reservation."""
        self.extra += nbytes
        self.factor = max(1.0, self.factor)

    def took_less(self) -> None:
        """Reserve a little less, never below the floor."""
        self.extra *= 0.9
        if self.extra < 1 << 20:
            self.extra = 0.0
            self.factor = max(_FLOOR, self.factor * 0.95)

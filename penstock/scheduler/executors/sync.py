"""The executor that runs everything in the caller's thread, for debugging."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.scheduler.worker import Batch


class SyncExecutor:
    """Runs each batch at once, where it is submitted."""

    def __init__(self, num_workers: int = 1) -> None:
        self.num_workers = 1

    def submit(self, batch: Batch) -> None:
        """Run `batch` now."""
        batch.run()

    def interrupt(self, batch: Batch) -> None:
        """Do nothing: no batch runs while the caller does."""

    def close(self) -> None:
        """Do nothing."""

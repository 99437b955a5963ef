"""The contract between an array format's writer and the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


class ArraySink(ABC):
    """Takes the blocks of an array, in any order and from several threads.

    Nothing is visible before `commit`, except of sinks that write into an
    array of the user's own.
    """

    format: ClassVar[str]
    target: str

    @abstractmethod
    def begin(
        self, shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[tuple[int, ...], ...]
    ) -> None:
        """Prepare for an array of `shape` that comes in `chunks`."""

    @abstractmethod
    def write(self, number: int, region: tuple[slice, ...], block: np.ndarray) -> None:
        """Write block `number`, which is `region` of the array."""

    @abstractmethod
    def commit(self, receipts: Sequence[Any]) -> None:
        """Make what was written visible."""

    @abstractmethod
    def abort(self) -> None:
        """Take back what was written."""

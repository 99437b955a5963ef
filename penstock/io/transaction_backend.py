"""What a transaction needs of a place to write to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO

from penstock.errors import TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Backend(ABC):
    """The methods of `Transaction` for one kind of storage."""

    existing: list[str]

    @abstractmethod
    def open(self, name: str) -> BinaryIO: ...

    @abstractmethod
    def commit(self, names: Sequence[str]) -> list[str]: ...

    @abstractmethod
    def abort(self) -> None: ...


def target_exists(target: str, mode: str) -> TargetExistsError:
    """Return the error for a target that `mode` does not let replace."""
    return TargetExistsError(
        f"{target} exists already; give another name or mode='overwrite'"
        + ("" if mode == "append" else " (or mode='append' for a directory)")
    )

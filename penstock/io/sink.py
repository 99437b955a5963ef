"""The contract between a format's writer and the engine.

``begin`` opens a transaction and returns it, ``write`` is called from worker
threads in any order, ``commit`` makes everything visible at once, ``abort``
leaves no trace. Until commit the target is as it was.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

Mode = Literal["error", "overwrite", "append"]


@record
class Receipt:
    """What one written block left behind, to be committed."""

    index: int
    rows: int
    nbytes: int
    parts: tuple[Any, ...] = ()
    """Plain values of the format's own: paths, multipart ids, footers."""


class Sink(ABC):
    """A target that blocks are written to, all or nothing."""

    format: str = ""
    ordered: bool = False
    """True when `write` must be called with i = 0, 1, 2, ... (one output file)."""

    @abstractmethod
    def begin(self, schema: pa.Schema, nblocks: int) -> None:
        """Check the target against the mode and open the transaction."""

    @abstractmethod
    def write(self, index: int, block: pa.Table) -> Receipt:
        """Write block `index` out of sight and return its receipt."""

    @abstractmethod
    def commit(self, receipts: Sequence[Receipt]) -> list[str]:
        """Make all blocks visible and return the paths of the files."""

    @abstractmethod
    def abort(self) -> None:
        """Remove whatever `write` left behind; never raises for what is already gone."""

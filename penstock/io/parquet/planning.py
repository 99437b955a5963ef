"""How row groups become splits: small ones together, large ones in chained batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.config import format_bytes
from penstock.errors import UnsupportedError
from penstock.io.source import Split
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from penstock.io.filesystem import FileInfo
    from penstock.io.parquet.sizes import Size

_TOO_BIG = 1.5
"""A row group this many times the target is read in batches, smaller ones whole."""

_MANY_SPLITS = 1 << 16
_LEAST_STORED = 1 << 10
"""Beyond that many splits, each must have this many bytes in the files on average."""


@record
class RowGroups:
    """Where a split's rows are.

    Attributes
    ----------
    row_offset : int
        Rows of the whole data set before its first one, pruned rows included.
    rows : int
        Its rows before filtering.
    pieces : tuple of (int, tuple of int)
        Number of the file and its row groups, in order.
    columns : tuple of str
        Columns to read, filter columns included.
    batch : (int, int) or None
        First row within the one row group and number of rows, when it is read in batches.
    """

    row_offset: int
    rows: int
    pieces: tuple[tuple[int, tuple[int, ...]], ...]
    columns: tuple[str, ...]
    batch: tuple[int, int] | None = None


@record
class File:
    """One file, with what planning needs of its footer."""

    info: FileInfo
    schema: pa.Schema
    rows: tuple[int, ...]
    """Of each row group."""
    partition: Mapping[str, pa.Scalar]


class Planner:
    """Puts row groups together into splits of about the target size."""

    def __init__(self, columns: tuple[str, ...], target: int, *, exact: bool) -> None:
        self._columns = columns
        self._target = max(1, target)
        self._exact = exact
        self._splits: list[Split] = []
        self._pieces: list[tuple[int, list[int]]] = []
        self._uri = ""
        self._start = self._rows = self._nbytes = self._stored = 0
        self._total_stored = 0

    def add(self, number: int, file: File, group: int, offset: int, size: Size) -> None:
        rows = file.rows[group]
        self._total_stored += size.stored
        follows = offset == self._start + self._rows  # row numbers in a split have no gaps
        if self._pieces and (not follows or self._nbytes + size.nbytes > self._target):
            self._flush()
        if size.nbytes > _TOO_BIG * self._target and rows > 1:
            self._chain(number, file, group, offset, size)
            return
        if not self._pieces:
            self._start, self._uri = offset, file.info.uri
        if self._pieces and self._pieces[-1][0] == number:
            self._pieces[-1][1].append(group)
        else:
            self._pieces.append((number, [group]))
        self._rows += rows
        self._nbytes += size.nbytes
        self._stored += size.stored

    def _flush(self) -> None:
        pieces = tuple((number, tuple(groups)) for number, groups in self._pieces)
        count = sum(len(groups) for _, groups in pieces)
        files = f" and {len(pieces) - 1} more files" if len(pieces) > 1 else ""
        first = pieces[0][1][0]
        where = f"row groups {first} and {count - 1} more" if count > 1 else f"row group {first}"
        self._splits.append(
            Split(
                uri=self._uri,
                index=len(self._splits),
                nbytes=self._nbytes,
                stored_bytes=self._stored,
                rows=self._rows if self._exact else None,
                location=RowGroups(self._start, self._rows, pieces, self._columns),
                origin=f"{self._uri}{files}, {where}",
            )
        )
        self._pieces = []
        self._rows = self._nbytes = self._stored = 0

    def _chain(self, number: int, file: File, group: int, offset: int, size: Size) -> None:
        rows = file.rows[group]
        count = min(rows, -(-size.nbytes // self._target))
        step = -(-rows // count)
        planned = len(self._splits) + count
        if planned > _MANY_SPLITS and planned * _LEAST_STORED > self._total_stored:
            raise UnsupportedError(
                f"{file.info.uri}, row group {group}: its footer claims {rows:,} rows, "
                f"{format_bytes(size.nbytes)} in memory, in {format_bytes(size.stored)} of the "
                f"file; with blocks of {format_bytes(self._target)} these and what lies before "
                f"become {planned:,} blocks, which are too many for so small a file. If the rows "
                "are really there, a larger blocksize or memory_limit makes fewer blocks"
            )
        for start in range(0, rows, step):
            length = min(step, rows - start)
            self._splits.append(
                Split(
                    uri=file.info.uri,
                    index=len(self._splits),
                    nbytes=size.nbytes * length // rows,
                    stored_bytes=size.stored * length // rows,
                    rows=length if self._exact else None,
                    first=start == 0,
                    last=start + length == rows,
                    after=start > 0,
                    location=RowGroups(
                        offset + start,
                        length,
                        ((number, (group,)),),
                        self._columns,
                        (start, length),
                    ),
                    origin=f"{file.info.uri}, row group {group}, rows {start}-{start + length}",
                )
            )

    def finish(self) -> list[Split]:
        """Return all splits."""
        if self._pieces:
            self._flush()
        return self._splits

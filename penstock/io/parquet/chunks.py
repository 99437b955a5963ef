"""Reading column chunks: only their bytes, from disk or in coalesced remote ranges."""

from __future__ import annotations

import bisect
import io
import os
from typing import TYPE_CHECKING, Any

from penstock.blocks import rows_only
from penstock.errors import SourceError
from penstock.io import s3
from penstock.io.filesystem import (
    FileInfo,
    coalesce,
    count_bytes,
    local_path,
    read_range,
    read_ranges,
    scheme_of,
)
from penstock.io.parquet.sizes import chunk_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

_LEAST_BUFFER, _MOST_BUFFER = 128 << 10, 2 << 20
BUFFERS_TOGETHER = 12 << 20
"""Bytes that the buffers of a row group take which is read in batches."""


def read_row_groups(
    info: FileInfo,
    footer: pq.FileMetaData,
    groups: Sequence[int],
    leaves: Sequence[int],
    storage_options: Mapping[str, Any] | None,
) -> pa.Table:
    """Return the stored columns `leaves` of whole row groups."""
    if not leaves:
        return rows_only(sum(footer.row_group(group).num_rows for group in groups))
    ranges = [chunk_range(footer, group, leaf) for group in groups for leaf in leaves]
    if scheme_of(info.uri) == "file":
        try:
            with _local(info) as file:
                table = _read_local(file, info.size, footer, groups, leaves)
        finally:
            _check_local(info)  # another file's bytes look like damage
        count_bytes("file", sum(length for _, length in ranges))
        return table
    merged = coalesce((offset, min(length, info.size - offset)) for offset, length in ranges)
    data = read_ranges(info, merged, storage_options)
    file = _Pieces(info, [offset for offset, _ in merged], data)
    return _reader(_arrow_file(file), footer).read_row_groups(list(groups), list(leaves), False)


def _read_local(
    file: pa.NativeFile,
    size: int,
    footer: pq.FileMetaData,
    groups: Sequence[int],
    leaves: Sequence[int],
) -> pa.Table:
    import pyarrow as pa

    from penstock.io.parquet.pages import read_columns

    found = read_columns(file.fileno(), size, footer, groups, leaves)
    others = [leaf for leaf in leaves if leaf not in found]
    if not others:
        return pa.table(dict(found.values()))
    table = _reader(file, footer).read_row_groups(list(groups), others, False)
    for name, array in found.values():
        table = table.append_column(name, array)
    return table


def iter_batches(
    info: FileInfo,
    footer: pq.FileMetaData,
    group: int,
    leaves: Sequence[int],
    rows: int,
    storage_options: Mapping[str, Any] | None,
) -> Iterator[pa.Table]:
    """Yield a row group in tables of `rows` rows, with a bounded buffer per column."""
    import pyarrow as pa

    total = footer.row_group(group).num_rows
    if not leaves:
        for start in range(0, total, rows):
            yield rows_only(min(rows, total - start))
        return
    buffer = max(_LEAST_BUFFER, min(_MOST_BUFFER, BUFFERS_TOGETHER // len(leaves)))
    local = scheme_of(info.uri) == "file"
    file = _local(info) if local else _arrow_file(_Ranges(info, storage_options))
    with file:
        reader = _reader(file, footer, buffer)
        for batch in reader.iter_batches(rows, [group], list(leaves), False):
            if local:
                _check_local(info)
                share = batch.num_rows / max(1, total)
                read = sum(chunk_range(footer, group, leaf)[1] for leaf in leaves)
                count_bytes("file", int(read * share))
            yield pa.Table.from_batches([batch])


def _reader(file: Any, footer: pq.FileMetaData, buffer: int = 0) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        file,
        metadata=footer,
        buffer_size=buffer,
        pre_buffer=False,
        arrow_extensions_enabled=False,
    ).reader


def _local(info: FileInfo) -> pa.NativeFile:
    import pyarrow as pa

    try:
        return pa.OSFile(local_path(info.uri), "rb")
    except OSError as error:
        raise SourceError(f"cannot read {info.uri}: {error.strerror or error}") from error


def _check_local(info: FileInfo) -> None:
    try:
        status = os.stat(local_path(info.uri))
    except FileNotFoundError as error:
        raise s3.changed(info.uri) from error
    if info.version and str(status.st_mtime_ns) != info.version:
        raise s3.changed(info.uri)


def _arrow_file(file: io.RawIOBase) -> pa.NativeFile:
    import pyarrow as pa

    return pa.PythonFile(file, mode="r")


class _Pieces(io.RawIOBase):
    """A file of which only some ranges are there."""

    def __init__(self, info: FileInfo, starts: Sequence[int], data: Sequence[bytes]) -> None:
        self._info = info
        self._starts = starts
        self._data = data
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._info.size}
        self._position = base[whence] + offset
        return self._position

    def read(self, size: int = -1) -> Any:  # Arrow takes a view without copying it
        end = self._info.size if size < 0 else min(self._info.size, self._position + size)
        found = self._span(self._position, end - self._position)
        self._position += len(found)
        return found

    def _span(self, offset: int, length: int) -> memoryview | bytes:
        number = bisect.bisect_right(self._starts, offset) - 1
        if number >= 0:
            inside = offset - self._starts[number]
            found = memoryview(self._data[number])[inside : inside + length]
            if len(found) == length:
                return found
        raise SourceError(
            f"{self._info.uri}: its footer does not tell all bytes of its columns "
            f"({length} more are needed at {offset})"
        )


class _Ranges(_Pieces):
    """A remote file of which every range is fetched when it is asked for."""

    def __init__(self, info: FileInfo, storage_options: Mapping[str, Any] | None) -> None:
        super().__init__(info, (), ())
        self._options = storage_options

    def _span(self, offset: int, length: int) -> bytes:
        return read_range(self._info, offset, length, self._options)

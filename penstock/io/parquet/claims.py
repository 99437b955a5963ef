"""What a footer claims is held against its file before anything is planned by it.

A footer of a few bytes can claim any number of rows. Few bytes may really hold very many: a page of
nulls or of one repeated value takes some twenty bytes for up to 2**31 - 1 of them. What is refused
is therefore what no file of this size could hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import FormatError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

    from penstock.io.filesystem import FileInfo

MOST_ROWS = 2**63 - 1
"""Row numbers are integers of 64 bits."""

_LEAST_PAGE = 16
"""Bytes that a page takes at least, its header included."""
_PAGE_VALUES = _PAGE_BYTES = 2**31 - 1
"""What the header of a page can tell at most."""


def rows_of(info: FileInfo, footer: pq.FileMetaData) -> tuple[int, ...]:
    """Return the rows of each row group.

    Raises
    ------
    FormatError
        If a row group claims rows that the file cannot hold, or lacks columns.
    """
    found = []
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        rows = row_group.num_rows
        where = f"{info.uri}, row group {group}"
        if rows < 0:
            raise FormatError(f"{where}: damaged Parquet footer: it claims {rows:,} rows")
        if row_group.num_columns != footer.num_columns:
            raise FormatError(
                f"{where}: damaged Parquet footer: the schema has {footer.num_columns} stored "
                f"columns, but the row group has {row_group.num_columns}"
            )
        if footer.num_columns and rows:
            check_chunk(info, footer, group, 0, row_group.column(0))
        found.append(rows)
    total = sum(found)
    if total > MOST_ROWS:
        raise FormatError(
            f"{info.uri}: damaged Parquet footer: its {len(found)} row groups claim {total:,} rows "
            "together, which are more than can be numbered"
        )
    return tuple(found)


def check_chunk(info: FileInfo, footer: pq.FileMetaData, group: int, leaf: int, chunk: Any) -> None:
    """Refuse a column chunk that cannot be where, or hold what, the footer says.

    Raises
    ------
    FormatError
    """
    length = chunk.total_compressed_size
    start = chunk.data_page_offset
    dictionary = chunk.dictionary_page_offset
    if dictionary is not None and 0 < dictionary < start:
        start = dictionary
    rows = footer.row_group(group).num_rows
    values = chunk.num_values
    plain = chunk.total_uncompressed_size
    pages = max(0, length) // _LEAST_PAGE
    column = footer.schema.column(leaf)
    claim = ""
    if chunk.physical_type != column.physical_type:  # pyarrow ends the process by its statistics
        claim = f"to be {chunk.physical_type}, but the schema says {column.physical_type}"
    elif rows and (start < 0 or length <= 0 or start + length > info.size):
        claim = f"{length:,} bytes at {start:,}, but the file has {info.size:,} bytes"
        if chunk.file_path:
            claim += f" and its rows are in {chunk.file_path}: read that"
    elif values > pages * _PAGE_VALUES:
        claim = f"{values:,} values in {rows:,} rows, but it has {length:,} bytes in the file"
    elif values < rows or (values > rows and not column.max_repetition_level):
        claim = f"{values:,} values, but its row group {rows:,} rows"
    elif plain < 0 or plain > pages * _PAGE_BYTES:
        claim = f"{plain:,} bytes once uncompressed, but it has {length:,} in the file"
    if claim:
        raise FormatError(
            f"{info.uri}, row group {group}: damaged Parquet footer: "
            f"column {column.path!r} claims {claim}"
        )

"""What a row group's columns weigh, stored and in memory, from the footer alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.io.parquet.claims import check_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

    from penstock.io.filesystem import FileInfo

_OLD_WRITER_PADDING = 100
_OFFSET_BYTES = 4
_SAMPLED_TEXT = 16


class Size(NamedTuple):
    """Bytes of some columns of a row group."""

    nbytes: int
    """Once in memory, estimated."""
    stored: int
    """In the file, compressed."""


def leaf_count(kind: pa.DataType) -> int:
    """Return how many stored columns a column of this type has."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_dictionary(kind):
        return leaf_count(kind.value_type)
    if kinds.is_struct(kind):
        return sum(leaf_count(kind.field(position).type) for position in range(kind.num_fields))
    if kinds.is_map(kind):
        return leaf_count(kind.key_type) + leaf_count(kind.item_type)
    if kinds.is_nested(kind) and hasattr(kind, "value_type"):
        return leaf_count(kind.value_type)
    return 1


def _leaf_ranges(schema: pa.Schema) -> dict[str, range]:
    ranges = {}
    start = 0
    for field in schema:
        end = start + leaf_count(field.type)
        ranges[field.name] = range(start, end)
        start = end
    return ranges


def leaves(schema: pa.Schema, columns: Sequence[str]) -> list[int]:
    """Return the numbers of the stored columns that hold `columns`."""
    ranges = _leaf_ranges(schema)
    return [leaf for name in columns for leaf in ranges[name]]


def chunk_range(footer: pq.FileMetaData, group: int, leaf: int) -> tuple[int, int]:
    """Return (offset, length) of a column chunk in the file."""
    chunk = footer.row_group(group).column(leaf)
    start = chunk.data_page_offset
    dictionary = chunk.dictionary_page_offset
    if dictionary is not None and 0 < dictionary < start:
        start = dictionary
    length = chunk.total_compressed_size
    if (footer.created_by or "").startswith("parquet-mr"):
        length += _OLD_WRITER_PADDING  # old ones forgot the dictionary page's header
    return start, length


def estimate(
    info: FileInfo,
    footer: pq.FileMetaData,
    schema: pa.Schema,
    group: int,
    columns: Sequence[str],
    common: pa.Schema,
) -> Size:
    """Return the size of `columns` of one row group, in memory as `common` types.

    Raises
    ------
    FormatError
        If the footer claims what the file cannot hold.
    """
    row_group = footer.row_group(group)
    rows = row_group.num_rows
    ranges = _leaf_ranges(schema)
    nbytes = stored = 0
    for name in columns:
        position = common.get_field_index(name)
        kind = common.field(position).type if position >= 0 else None
        width = 8.0 if kind is None else _fixed_width(kind)
        chunks = []
        for leaf in ranges.get(name, ()):
            chunk = row_group.column(leaf)
            check_chunk(info, footer, group, leaf, chunk)
            chunks.append(chunk)
        stored += sum(chunk.total_compressed_size for chunk in chunks)
        if width is not None:
            nbytes += int(rows * width) + rows // 8
        elif not chunks:
            nbytes += rows * (_OFFSET_BYTES + _SAMPLED_TEXT)
        else:
            nbytes += sum(_variable(chunk, rows) for chunk in chunks)
    return Size(nbytes, stored)


def _fixed_width(kind: pa.DataType) -> float | None:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return 4.0
    if pa.types.is_null(kind):
        return 0.0
    try:
        return kind.bit_width / 8
    except ValueError:
        return None


def _variable(chunk: Any, rows: int) -> int:
    """Text and lists: a dictionary makes the stored pages far smaller than the values."""
    plain = chunk.total_uncompressed_size
    values = max(chunk.num_values, rows)
    if not chunk.has_dictionary_page:
        return int(plain + _OFFSET_BYTES * rows)
    length = 8.0
    statistics = chunk.statistics if chunk.is_stats_set else None
    if statistics is not None and statistics.has_min_max and chunk.physical_type == "BYTE_ARRAY":
        length = (len(statistics.min_raw) + len(statistics.max_raw)) / 2
    present = values
    if statistics is not None and statistics.has_null_count:
        present = max(0, values - max(0, statistics.null_count))
    return int(max(plain, present * length) + _OFFSET_BYTES * values + values // 8)


def bounds(
    footer: pq.FileMetaData, schema: pa.Schema, group: int, name: str
) -> tuple[Any, Any] | None:
    """Return (min, max) of a column in a row group where the footer tells it."""
    found = _leaf_ranges(schema).get(name, range(0))
    if len(found) != 1:
        return None
    chunk = footer.row_group(group).column(found[0])
    statistics = chunk.statistics if chunk.is_stats_set else None
    if statistics is None or not statistics.has_min_max:
        return None
    return statistics.min, statistics.max

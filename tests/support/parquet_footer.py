"""Parquet files whose footers lie: take a footer apart, change it, put it back.

A footer is a Thrift struct in the compact protocol. `Struct` maps the numbers of fields to
``(type, value)``, which is all that can be known without the definition, and all that is needed
to write it again byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

# Fields of FileMetaData, SchemaElement, RowGroup, ColumnChunk, ColumnMetaData and Statistics.
SCHEMA, FILE_ROWS, ROW_GROUPS = 2, 3, 4
CHILDREN = 5
COLUMNS, TOTAL_BYTES, ROWS = 1, 2, 3
META_DATA = 3
VALUES, UNCOMPRESSED, COMPRESSED, DATA_OFFSET, DICTIONARY_OFFSET = 5, 6, 7, 9, 11
STATISTICS = 12
NULL_COUNT = 3

Struct = dict[int, tuple[int, Any]]


def patched(source: Path, target: Path, change: Callable[[Struct], None]) -> Path:
    """Write `source` to `target` with a footer to which `change` was applied.

    Examples
    --------
    >>> def many_rows(footer):
    ...     put(row_group(footer), ROWS, 2**62)
    >>> patched(source, target, many_rows)  # doctest: +SKIP
    """
    data = source.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    footer = decoded(data[-8 - length : -8])
    change(footer)
    written = encoded(footer)
    target.write_bytes(data[: -8 - length] + written + len(written).to_bytes(4, "little") + b"PAR1")
    return target


def put(struct: Struct, field: int, value: Any) -> None:
    """Set a field that is there, or add an integer of 64 bits."""
    struct[field] = (struct[field][0] if field in struct else I64, value)


def row_group(footer: Struct, number: int = 0) -> Struct:
    """Return a row group of a footer."""
    found: Struct = footer[ROW_GROUPS][1][1][number]
    return found


def chunk(footer: Struct, column: int = 0, group: int = 0) -> Struct:
    """Return the ColumnMetaData of a column chunk."""
    found: Struct = row_group(footer, group)[COLUMNS][1][1][column][META_DATA][1]
    return found


def decoded(data: bytes) -> Struct:
    """Return the struct that `data` is."""
    struct, end = _struct(data, 0)
    assert end == len(data)
    return struct


def encoded(struct: Struct) -> bytes:
    """Return the bytes of a struct."""
    return _put_value(STRUCT, struct)


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def _put_number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _struct(data: bytes, at: int) -> tuple[Struct, int]:
    found: Struct = {}
    field = 0
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        if not step:
            zigzag, at = _number(data, at)
            field = zigzag >> 1 ^ -(zigzag & 1)
        field += step
        if kind in (TRUE, FALSE):
            found[field] = (kind, None)
        else:
            value, at = _value(data, at, kind)
            found[field] = (kind, value)
    return found, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (I16, I32, I64):
        zigzag, at = _number(data, at)
        return zigzag >> 1 ^ -(zigzag & 1), at
    if kind == BINARY:
        length, at = _number(data, at)
        return data[at : at + length], at + length
    if kind == STRUCT:
        return _struct(data, at)
    if kind in (LIST, SET):
        count, inner = data[at] >> 4, data[at] & 15
        at += 1
        if count == 15:
            count, at = _number(data, at)
        items = []
        for _ in range(count):
            item, at = _value(data, at, inner)
            items.append(item)
        return (inner, items), at
    width = {TRUE: 1, FALSE: 1, BYTE: 1, DOUBLE: 8}[kind]
    return data[at : at + width], at + width


def _put_value(kind: int, value: Any) -> bytes:
    if kind in (I16, I32, I64):
        return _put_number((value << 1 ^ value >> 63) & 2**64 - 1)
    if kind == BINARY:
        return _put_number(len(value)) + value
    if kind == STRUCT:
        out = bytearray()
        before = 0
        for field, (inner, item) in sorted(value.items()):
            step = field - before
            before = field
            out += bytes([step << 4 | inner]) if step < 16 else bytes([inner]) + _field(field)
            out += b"" if inner in (TRUE, FALSE) else _put_value(inner, item)
        return bytes(out) + b"\0"
    if kind in (LIST, SET):
        inner, items = value
        head = [len(items) << 4 | inner] if len(items) < 15 else [0xF0 | inner]
        count = b"" if len(items) < 15 else _put_number(len(items))
        return bytes(head) + count + b"".join(_put_value(inner, item) for item in items)
    assert isinstance(value, bytes)
    return value


def _field(field: int) -> bytes:
    return _put_number(field << 1)

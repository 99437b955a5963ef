"""What operations take beside the bytes of their blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.engine.schema import FrameSchema

# Per row, to number distinct keys: a hash table that is half empty, the keys, the numbers.
_HASHED_ROW = 64

ROW_WORKSPACE = 48
"""Bytes that operations take for each row beside its values: positions, order, numbers."""

_TEXT = 24


def row_bytes(schema: FrameSchema) -> int:
    """Return about how many bytes a row of `schema` takes."""
    return max(1, sum(value_bytes(field.type) for field in schema.arrow))


def value_bytes(kind: pa.DataType) -> int:
    """Return about how many bytes a value takes; a guess for text and nested values."""
    try:
        return max(1, kind.bit_width // 8)
    except ValueError:
        return _TEXT


def hashing_factor(schema: FrameSchema) -> float:
    """Return the bytes that hashing rows takes, per byte of the rows."""
    return _HASHED_ROW / row_bytes(schema)

"""How long a record may be, and what is said of one that is longer.

A quote that is never closed makes one record of all that follows it. Splits carry an unfinished
record along, so without a bound the rest of the file would be held in memory.
"""

from __future__ import annotations

from penstock import config
from penstock.config import format_bytes
from penstock.errors import MemoryLimitError, ParseError

_LEAST = 1 << 20
_MOST_HEAD = 64 << 20
_USUAL_HEAD = 32 << 20
_BLOCKS = 2
# Bytes, text, Arrow's and pandas' forms of a record are in memory one beside the other.
_SHARE = 32
_COLUMN_BYTES = 16 << 10


def record_limit(target_bytes: int, text_bytes: int) -> int:
    """Return the bytes that the unfinished record of earlier splits may take.

    Parameters
    ----------
    target_bytes : int
        What the engine wants a block to take, a share of its memory.
    text_bytes : int
        Bytes of text per split.

    Examples
    --------
    >>> record_limit(128 << 20, 64)
    268435456
    """
    return max(head_limit(), _BLOCKS * max(target_bytes, text_bytes))


def head_limit() -> int:
    """Return the bytes up to which the first records of a file are looked for."""
    limit = _memory_limit()
    return _USUAL_HEAD if limit is None else min(_MOST_HEAD, max(_LEAST, limit // _SHARE))


def check_columns(uri: str, count: int) -> None:
    """Raise a MemoryLimitError if `count` columns alone would take all of the memory there is."""
    limit = _memory_limit()
    if limit is not None and count * _COLUMN_BYTES > limit:
        raise MemoryLimitError(
            f"{uri} has {count} columns, whose names, types and buffers take about "
            f"{format_bytes(count * _COLUMN_BYTES)} however few rows there are, but memory_limit is "
            f"{format_bytes(limit)}; check sep= and lineterminator=, or raise memory_limit"
        )


def _memory_limit() -> int | None:
    """Return the configured limit in bytes, None where it is a share of what there is."""
    configured = config.get("memory-limit")
    if isinstance(configured, str):
        try:
            configured = float(configured)
        except ValueError:
            configured = config.parse_bytes(configured)
    return None if configured is None or configured <= 1 else int(configured)


def too_long(place: str, size: int, *, quoted: bool) -> ParseError:
    """Return the error for a record of which `size` bytes were read and no end was found.

    Parameters
    ----------
    place : str
        The file and where in it the record starts.
    size : int
    quoted : bool
        Whether the bytes read end inside quotes.
    """
    if quoted:
        return ParseError(
            f"{place}: a quote is opened in the record that starts here and not closed within "
            f"{format_bytes(size)}; pass quoting=csv.QUOTE_NONE if quotes are ordinary characters "
            "here, or a larger blocksize= or memory_limit if records are that long"
        )
    return ParseError(
        f"{place}: the record that starts here has no end within {format_bytes(size)}; check sep=, "
        "quotechar= and lineterminator=, or pass a larger blocksize= or memory_limit if records "
        "are that long"
    )


def never_closed(place: str, size: int) -> ParseError:
    """Return the error for a file that ends inside quotes, `size` bytes after the record began."""
    return ParseError(
        f"{place}: a quote is opened and never closed in the record that starts here, the last "
        f"{format_bytes(size)} of the file; pass quoting=csv.QUOTE_NONE if quotes are ordinary "
        "characters here"
    )

"""The head of a file: encoding mark, skipped rows, header, and where its data starts."""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING, Any

from penstock.errors import FormatError, ParseError, UnsupportedError
from penstock.io.csv.certain import certain_labels
from penstock.io.csv.long_records import check_columns
from penstock.io.sniff import describe_content
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.io.csv.dialect import Dialect

BOM = b"\xef\xbb\xbf"
HEAD_BYTES = 64 << 10

_MANY = 1000
_LINE_ENDS = re.compile(rb"[\r\n]+")


@record
class Layout:
    """What the head of one file says.

    Attributes
    ----------
    data_start : int
        Offset of the first data record, in bytes of the (decompressed) file.
    labels : tuple
        Every column's label as pandas gives it, before `usecols`.
    width : int
        Fields per record.
    """

    data_start: int
    labels: tuple[Any, ...]
    width: int
    implicit_index: int = 0
    """Leading fields without a label, which pandas takes as the index."""
    first_record: int = 0
    """Number of the first data record, counting every record of the file."""


class NeedMoreError(Exception):
    """The head does not reach the end of the header.

    Attributes
    ----------
    start : int
        Where the first record that is not whole starts in the data.
    """

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


def read_layout(uri: str, data: bytes, complete: bool, dialect: Dialect, *, bom: int = 0) -> Layout:
    """Return the layout that the first bytes of a file describe.

    Parameters
    ----------
    uri : str
        For errors.
    data : bytes
        The file's first bytes as UTF-8 (or an ASCII superset), after any BOM.
    complete : bool
        Whether `data` is the whole file.
    dialect : Dialect
    bom : int
        Bytes of the file before `data`.

    Returns
    -------
    Layout

    Raises
    ------
    NeedMoreError
        If more of the file is needed.
    FormatError
        If the file is empty or is not CSV.
    """
    what = describe_content(data)
    if what is not None:
        raise FormatError(f"{uri} is not CSV: it holds {what}")
    text = data if complete else data[: last_complete(data, dialect)]
    if complete and text:  # a last "\r" is whole only when something follows
        text += (dialect.lineterminator or "\n").encode()
    header_rows = _header_rows(dialect)
    needed = max(header_rows) + 1 if header_rows else 0
    first_data, seen, previous, number = -1, 0, 0, 0
    header = b""
    runs = dialect.skip_blank_lines and dialect.skiprows is None and not dialect.lineterminator
    while previous < len(text):
        blank = _LINE_ENDS.match(text, previous) if runs else None
        if blank is not None:  # however many, at once
            lines = text.count(b"\n", previous, blank.end())
            returns = text.count(b"\r", previous, blank.end())
            number += lines + returns - text.count(b"\r\n", previous, blank.end())
            previous = blank.end()
            continue
        end = dialect.next_record(text, previous)
        if end < 0:
            break
        if not dialect.skips(number) and not is_blank(text[previous:end], dialect):
            if seen == needed:
                first_data = previous
                break
            seen += 1
            header = text[previous:end]
        previous = end
        number += 1
    if first_data < 0 and not complete:
        raise NeedMoreError(previous)
    if first_data < 0 and seen == needed and previous < len(text):
        first_data = previous  # a record without an end, for a quote is open: reading it says so
    if seen < needed and previous < len(text):
        raise ParseError(
            f"{uri}: cannot read the header: a quote is opened and never closed; pass "
            "quoting=csv.QUOTE_NONE if quotes are ordinary characters here"
        )
    if seen < needed or (not header_rows and first_data < 0 and dialect.names is None):
        raise FormatError(f"{uri}: no columns to read: the file has no header row and no data")
    start = first_data if first_data >= 0 else len(data)
    first_end = dialect.next_record(text, start) if first_data >= 0 else -1
    first = text[start:first_end] if first_end >= 0 else b""
    fields = dialect.count_fields(first) if first else 0
    head = text[: start + len(first)]
    named = dialect.count_fields(header) if header.count(dialect.sep.encode()) > _MANY else 0
    check_columns(uri, max(fields, named))
    certain = certain_labels(header, dialect) if needed == 1 else None
    if certain is not None and len(certain) >= fields:
        labels: Sequence[Any] = certain
    else:
        labels = _labels(uri, head, dialect)
    implicit = max(0, fields - len(labels)) if dialect.index_col is not False else 0
    width = max(fields, len(labels) + implicit)
    return Layout(bom + start, tuple(labels), width, implicit, number)


def last_complete(data: bytes, dialect: Dialect) -> int:
    """Return the offset after the last line end that can be trusted to be whole."""
    if dialect.lineterminator is not None:
        return data.rfind(dialect.lineterminator.encode()) + 1
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1


def _header_rows(dialect: Dialect) -> list[int]:
    header = dialect.header
    if isinstance(header, str):
        if header != "infer":
            raise ValueError(f"header must be 'infer', None or row numbers, not {header!r}")
        header = None if dialect.names is not None else 0
    if header is None or header is False:
        return []
    return [header] if isinstance(header, int) else [int(row) for row in header]


def is_blank(record: bytes, dialect: Dialect) -> bool:
    """Return whether a record is no row: empty, or all comment."""
    if not dialect.skip_blank_lines:
        return False
    if dialect.comment and record.startswith(dialect.comment.encode()):
        return True
    stripped = record.strip(b"\r\n")
    if dialect.lineterminator is not None:
        stripped = record.removesuffix(dialect.lineterminator.encode())
    sep = dialect.sep.encode()
    return not stripped.strip(b" \t" if sep not in (b" ", b"\t") else b"")


def _labels(uri: str, head: bytes, dialect: Dialect) -> Sequence[Any]:
    """Return the labels of all columns that have one."""
    import pandas as pd

    options: dict[str, Any] = {
        **dialect.tokenizing(),
        "header": dialect.header,
        "names": dialect.names,
        "skiprows": dialect.skiprows,
        "dtype": str,
        "encoding": dialect.codec,
        "encoding_errors": dialect.encoding_errors,
    }
    if dialect.names is not None:
        narrow = _names_of_usecols(head, dialect, options)
        if narrow is not None:
            return narrow
    try:
        frame = pd.read_csv(
            io.BytesIO(head), index_col=False if dialect.index_col is False else None, **options
        )
    except pd.errors.EmptyDataError as error:
        if dialect.names is not None:
            return list(dialect.names)
        raise FormatError(f"{uri}: no columns to read: the file has no header row") from error
    except UnicodeDecodeError as error:
        marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        remedy = "encoding='utf-16'" if marked else "encoding= (for instance 'cp1252')"
        raise ParseError(f"{uri}: cannot read the header: {error}; pass {remedy}") from error
    except pd.errors.ParserError as error:
        raise ParseError(f"{uri}: cannot read the header: {error}") from error
    return list(frame.columns)


def _names_of_usecols(head: bytes, dialect: Dialect, options: dict[str, Any]) -> list[Any] | None:
    """Return labels per file column when `names` names only the columns of `usecols`."""
    import pandas as pd

    usecols = dialect.usecols
    if usecols is None or callable(usecols) or len(usecols) != len(dialect.names):
        return None
    if not all(isinstance(column, int) for column in usecols):
        return None
    plain = {**options, "names": None, "header": None, "index_col": False}
    width = pd.read_csv(io.BytesIO(head), **plain).shape[1]
    if width == len(dialect.names):
        return None
    labels: list[Any] = [("unused", position) for position in range(width)]
    for position, name in zip(sorted(usecols), dialect.names, strict=True):
        if not 0 <= position < width:
            raise ValueError(f"usecols holds {position}, but the file has {width} columns")
        labels[position] = name
    return labels


def footer_start(uri: str, tail: bytes, dialect: Dialect) -> int:
    """Return where in the last bytes of a file the `skipfooter` lines begin; -1 if before.

    Raises
    ------
    UnsupportedError
        If the footer holds an open quote, so that its lines cannot be told.
    """
    position = len(tail)
    if tail.endswith(b"\r\n"):
        position -= 2
    elif tail.endswith((b"\n", b"\r")):
        position -= 1
    for _ in range(dialect.skipfooter):
        if position < 0:
            return -1
        line = max(tail.rfind(b"\n", 0, position), tail.rfind(b"\r", 0, position))
        start, position = line + 1, line
        if position > 0 and tail[position - 1 : position + 1] == b"\r\n":
            position -= 1
    if position < 0:
        return -1
    if dialect.quotes and tail.count((dialect.quotechar or "").encode(), start) % 2:
        raise UnsupportedError(f"{uri}: skipfooter= with a line break inside quotes in the footer")
    return start


def select_columns(uri: str, layout: Layout, dialect: Dialect) -> list[int]:
    """Return the positions in the file of the columns that `usecols` keeps.

    Raises
    ------
    ValueError
        If `usecols` names a column that is not there.
    """
    labels = layout.labels
    usecols = dialect.usecols
    shift = layout.implicit_index
    if usecols is None:
        return list(range(shift + len(labels)))
    if shift:
        raise UnsupportedError(
            f"{uri}: rows have {shift} more fields than the header, and usecols= is given; "
            "name all columns with names= and header=0"
        )
    if callable(usecols):
        return [i for i, label in enumerate(labels) if usecols(label)]
    wanted = list(usecols)
    if all(isinstance(item, int) and not isinstance(item, bool) for item in wanted):
        bad = [item for item in wanted if not 0 <= item < len(labels)]
        if bad and not set(wanted) <= set(labels):
            raise ValueError(f"{uri}: usecols holds {bad}, but the file has {len(labels)} columns")
        if not bad:
            return sorted(set(wanted))
    missing = [item for item in wanted if item not in labels]
    if missing:
        from penstock.errors import column_not_found

        raise ValueError(f"{uri}: usecols: {column_not_found(missing[0], labels)}")
    return [i for i, label in enumerate(labels) if label in set(wanted)]

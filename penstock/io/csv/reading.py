"""From the bytes of whole records to a block: Arrow's parser, or pandas' where it must be."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import ParseError, TypeConflictError
from penstock.io.csv import types
from penstock.io.csv.plain_numbers import plain_numbers
from penstock.io.csv.projection import Narrow, narrowed
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.io.csv.dialect import Dialect

_PIECE = 4 << 20
"""Bytes that Arrow parses at a time: few, as new memory for its buffers costs more than parsing."""

_MARK = "\x02missing\x03"
"""Field of the row that tells pandas' tokenizer how many fields a record has."""


class BadLinesWarning(UserWarning):
    """Rows of an input were left out because they have too many fields."""


@record
class Column:
    """One column to be read: its place in the file and the field it becomes."""

    position: int
    field: pa.Field
    label: Any = None
    date_format: str | None = None
    declared: bool = False
    """Its type is the user's own, by `dtype`: a value that contradicts it is an error."""
    forbids_missing: bool = False
    """Declared as a NumPy integer or bool by the user: pandas refuses missing values."""


@record
class Marks:
    """Which bytes that call for care may occur in a block."""

    quotes: bool = True
    crosses: bool = True
    """The letter x, as in a hexadecimal number."""


@record
class Where:
    """Names the place of a block in errors."""

    uri: str
    offset: int
    line: Any = None
    """Callable that returns the number of lines before the block, or None."""

    def row(self, data: bytes, until: int) -> str:
        """Return the words for the record that starts `until` bytes into `data`."""
        before = self.line() if self.line is not None else None
        if before is None:
            return f"{self.uri}, byte {self.offset + until}"
        lines = data.count(b"\n", 0, until) or data.count(b"\r", 0, until)
        return f"{self.uri}, line {before + lines + 1}"


ANY_MARKS = Marks()


def parse_block(
    data: pa.Buffer,
    columns: Sequence[Column],
    width: int,
    dialect: Dialect,
    where: Where,
    marks: Marks = ANY_MARKS,
) -> pa.Table:
    """Return the table of whole records.

    Parameters
    ----------
    data : pyarrow.Buffer
        Records in the dialect's encoding.
    columns : sequence of Column
        What to read, in the order wanted.
    width : int
        Fields per record.
    dialect : Dialect
    where : Where
    marks : Marks, optional
        What is known of the bytes.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ParseError
        For a record with too many fields, an open quote, or undecodable bytes.
    TypeConflictError
        For a value that is not of its column's type.
    """
    if dialect.arrow_can and data.size < 1 << 31:
        table = _parse_arrow(data, columns, width, dialect, marks)
        if table is not None:
            return _check_missing(table, columns, where)
    raw = data.to_pybytes()
    if dialect.codec != "utf-8" and dialect.cuts_raw_bytes:
        raw = raw.decode(dialect.codec, dialect.encoding_errors).encode()
    return _check_missing(_parse_pandas(raw, columns, width, dialect, where), columns, where)


def empty_table(columns: Sequence[Column]) -> pa.Table:
    """Return the table of no rows."""
    return pa.schema([column.field for column in columns]).empty_table()


# ------------------------------------------------------------------ Arrow


def _parse_arrow(
    data: pa.Buffer, columns: Sequence[Column], width: int, dialect: Dialect, marks: Marks
) -> pa.Table | None:
    """Return the table, or None where Arrow's parser cannot tell what pandas would."""
    for column in columns:
        kind = column.field.type
        if pa.types.is_timestamp(kind) and not types.arrow_reads_dates(column.date_format):
            return None
    wanted = sorted({column.position for column in columns}) or [0]
    narrow = narrowed(data, wanted, width, dialect, dialect.quotes and marks.quotes)
    if narrow is not None:
        table = _read_numbers(narrow, columns, wanted, dialect)
        if table is None:
            table = _read_arrow(narrow.data, columns, wanted, dialect, marks, blanks=False)
        if table is not None and table.num_rows == narrow.records:
            return table
        # What is wrong shows, with its place, in the whole records.
    if width == 1 and _has_blank_with_spaces(data):
        return None
    return _read_arrow(data, columns, range(width), dialect, marks)


def _read_numbers(
    narrow: Narrow, columns: Sequence[Column], fields: Sequence[int], dialect: Dialect
) -> pa.Table | None:
    """Return the table of records that hold `fields` of those in the file, if all are numbers."""
    kinds = {column.position: column.field.type for column in columns}
    if len(kinds) < len(columns):
        return None
    arrays = plain_numbers(narrow, [kinds.get(field, pa.null()) for field in fields], dialect)
    if arrays is None:
        return None
    found = dict(zip(fields, arrays, strict=True))
    chosen = [found[column.position] for column in columns]
    return pa.Table.from_arrays(chosen, schema=pa.schema([column.field for column in columns]))


def _read_arrow(
    data: pa.Buffer,
    columns: Sequence[Column],
    fields: Sequence[int],
    dialect: Dialect,
    marks: Marks,
    blanks: bool = True,
) -> pa.Table | None:
    """Return the table of records that hold `fields` of those in the file.

    A blank line is no record if `blanks`; otherwise it is one whose only field is empty.
    """
    import pyarrow.csv as pacsv

    chosen = columns or [Column(fields[0], pa.field("0", pa.string()))]
    column_types: dict[str, pa.DataType] = {}
    for column in chosen:
        kind = column.field.type
        if pa.types.is_dictionary(kind):
            kind = pa.string()
        column_types[str(column.position)] = kind
    integers = any(pa.types.is_integer(kind) for kind in column_types.values())
    if integers and marks.crosses and _has_hex(data):
        return None
    # one list for all columns: where some are not declared, numbers are left to `_parse_pandas`
    declared = all(one.declared for one in chosen if pa.types.is_boolean(one.field.type))
    true, false = types.bool_texts(dialect, declared)
    missing = bool(dialect.null_values)
    convert = pacsv.ConvertOptions(
        column_types=column_types,
        include_columns=list(column_types),
        null_values=list(dialect.null_values),
        strings_can_be_null=missing,
        quoted_strings_can_be_null=missing,
        true_values=true,
        false_values=false,
        decimal_point=dialect.decimal,
        timestamp_parsers=[pacsv.ISO8601],
        check_utf8=True,
    )
    quoted = dialect.quotes and marks.quotes
    read = pacsv.ReadOptions(
        use_threads=False,
        column_names=[str(i) for i in fields],
        encoding="utf8" if dialect.codec == "utf-8" else dialect.codec,
    )
    parse = pacsv.ParseOptions(
        delimiter=dialect.sep,
        quote_char=dialect.quotechar if quoted else False,
        double_quote=dialect.doublequote,
        newlines_in_values=quoted,
        ignore_empty_lines=blanks,
    )
    # In pieces the buffers of the parser stay small, but the columns must be joined. And with
    # quotes Arrow would look at every byte in an extra pass, to find where records end.
    pieces = not quoted and data.size > _PIECE and len(column_types) * 2 <= len(fields)
    sizes = [_PIECE, data.size + 1] if pieces else [data.size + 1]
    table = None
    for read.block_size in sizes:
        try:
            table = pacsv.read_csv(pa.BufferReader(data), read, parse, convert)
            break
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            if "straddling" not in str(error):  # a record longer than a piece
                return None  # ragged, blank or odd: pandas' rules decide
    if table is None:
        return None
    if not columns:
        return table.select([])
    arrays = []
    for column in columns:
        array = _one_chunk(table.column(str(column.position)))
        kind = column.field.type
        if pa.types.is_floating(kind) and _has_nan(array):
            return None  # a spelling such as "Nan", which pandas leaves as text
        if pa.types.is_dictionary(kind):
            array = array.dictionary_encode().cast(kind)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema([column.field for column in columns]))


def _one_chunk(array: pa.ChunkedArray) -> pa.Array:
    return array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks)


def _has_nan(array: pa.Array) -> bool:
    if not len(array) or array.null_count == len(array):
        return False
    values = np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())
    values = values[array.offset : array.offset + len(array)]
    # The minimum propagates NaN; null slots may hold anything.
    return bool(np.isnan(np.min(values))) and bool(pc.any(pc.is_nan(array)).as_py())


def _has_hex(data: pa.Buffer) -> bool:
    """Whether a number such as 0x1F, which Arrow would read and pandas not, may occur."""
    view = np.frombuffer(data, np.uint8)
    for start in range(0, len(view), 1 << 18):
        tile = view[start : start + (1 << 18) + 1]
        crosses = (tile[1:] | 32) == 120
        if crosses.any() and bool((tile[:-1][crosses] == 48).any()):
            return True
    return False


def _has_blank_with_spaces(data: pa.Buffer) -> bool:
    raw = data.to_pybytes()
    return raw[:1] in (b" ", b"\t") or b"\n " in raw or b"\n\t" in raw or b"\r" in raw


# ------------------------------------------------------------------ pandas


def _parse_pandas(
    raw: bytes, columns: Sequence[Column], width: int, dialect: Dialect, where: Where
) -> pa.Table:
    import pandas as pd

    try:
        texts = _texts(raw, columns, width, dialect)
    except pd.errors.EmptyDataError:
        return empty_table(columns)
    except UnicodeDecodeError as error:
        raise ParseError(_undecodable(raw, dialect, where, error)) from error
    except pd.errors.ParserError as error:
        raw = _without_long_records(raw, width, dialect, where, error)
        if not raw:
            return empty_table(columns)
        try:
            texts = _texts(raw, columns, width, dialect)
        except pd.errors.ParserError as again:
            raise ParseError(f"{where.row(raw, 0)} and after: {again}") from again
    if not columns:
        return texts.select([])
    arrays = []
    for i, column in enumerate(columns):
        array = _one_chunk(texts.column(i))
        try:
            arrays.append(
                types.convert_texts(
                    array,
                    column.field.type,
                    dialect,
                    column.date_format,
                    declared=column.declared,
                )
            )
        except types.BadValueError as error:
            raise _conflict(raw, error, column, dialect, where) from None
    return pa.Table.from_arrays(arrays, schema=pa.schema([column.field for column in columns]))


def _texts(raw: bytes, columns: Sequence[Column], width: int, dialect: Dialect) -> pa.Table:
    """Return the fields as text, null where pandas sees a missing value."""
    import pandas as pd

    positions = sorted({column.position for column in columns}) or [0]
    missing = dialect.missing({column.label: column.position for column in columns})
    options = dialect.tokenizing()
    if options["engine"] == "c":
        sep = " " if dialect.sep == r"\s+" else dialect.sep
        end = dialect.lineterminator or "\n"
        raw = sep.join([_MARK] * width).encode() + end.encode() + raw
        missing = _with_mark(missing)
    frame = pd.read_csv(
        io.BytesIO(raw),
        header=None,
        names=list(range(width)),
        index_col=False,
        dtype=str,
        **missing,
        **options,
    )
    if options["engine"] == "c":
        frame = frame.iloc[1:]
    arrays = [pa.array(frame[position], pa.string(), from_pandas=True) for position in positions]
    order = [positions.index(column.position) for column in columns] or [0]
    return pa.table([arrays[i] for i in order], names=[str(i) for i in range(len(order))])


def _with_mark(missing: dict[str, Any]) -> dict[str, Any]:
    values = missing["na_values"]
    if not missing["na_filter"]:
        return {"na_values": [_MARK], "keep_default_na": False, "na_filter": True}
    if isinstance(values, dict):
        return missing  # the row of marks is dropped anyway
    listed = [] if values is None else [values] if np.isscalar(values) else list(values)
    return {**missing, "na_values": [*listed, _MARK]}


def _undecodable(raw: bytes, dialect: Dialect, where: Where, error: UnicodeDecodeError) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as exact:
        error = exact
    place = where.row(raw, error.start)
    return (
        f"{place}: byte 0x{raw[error.start]:02x} is not {dialect.encoding}; "
        "pass encoding= (for instance 'latin-1' or 'cp1252') or encoding_errors='replace'"
    )


def _spans(raw: bytes, dialect: Dialect) -> list[tuple[int, int]]:
    ends = dialect.records(raw)
    starts = [0, *ends]
    if not ends or ends[-1] < len(raw):
        ends = [*ends, len(raw)]
    return list(zip(starts, ends, strict=False))


def _without_long_records(
    raw: bytes, width: int, dialect: Dialect, where: Where, error: Exception
) -> bytes:
    """Return the records that have no more than `width` fields, as `on_bad_lines` says."""
    kept = []
    dropped = 0
    example = ""
    for start, end in _spans(raw, dialect):
        record = raw[start:end]
        count = dialect.count_fields(record)
        if count <= width:
            kept.append(record)
            continue
        if not dropped:
            example = f"{where.row(raw, start)}: expected {width} fields, found {count}"
        if dialect.on_bad_lines == "error":
            raise ParseError(
                f"{example}; correct the row, or pass on_bad_lines='skip' or 'warn' to leave such "
                "rows out"
            ) from error
        dropped += 1
    if not dropped:
        raise ParseError(f"{where.row(raw, 0)} and after: {error}") from error
    rows = "1 row" if dropped == 1 else f"{dropped} rows"
    warnings.warn(f"{rows} left out, the first {example}", BadLinesWarning, stacklevel=2)
    return b"".join(kept)


def _conflict(
    raw: bytes, error: types.BadValueError, column: Column, dialect: Dialect, where: Where
) -> TypeConflictError:
    start = _start_of_row(raw, error.row, dialect)
    name = str(column.field.name)
    return TypeConflictError(
        f"{where.row(raw, start)}, column {name!r}: {types.shown(error.value)} is not "
        f"{_words(column.field.type)}; pass dtype={{{name!r}: ...}} to read the column as another "
        "type",
        column=name,
        value=error.value,
    )


def _start_of_row(raw: bytes, row: int, dialect: Dialect) -> int:
    from penstock.io.csv.layout import is_blank

    for start, end in _spans(raw, dialect):
        if is_blank(raw[start:end], dialect):
            continue
        if row == 0:
            return start
        row -= 1
    return len(raw)


def _words(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return f"an integer ({kind})"
    if pa.types.is_floating(kind):
        return "a number"
    if pa.types.is_boolean(kind):
        return "True or False"
    return "a date" if pa.types.is_timestamp(kind) else f"of type {kind}"


def _check_missing(table: pa.Table, columns: Sequence[Column], where: Where) -> pa.Table:
    for i, column in enumerate(columns):
        if column.forbids_missing and table.column(i).null_count:
            name = column.field.name
            raise ParseError(
                f"{where.uri}: column {name!r} has missing values, which dtype="
                f"{str(column.field.type)!r} cannot hold; use a nullable one such as 'Int64', "
                "or 'float64'"
            )
    return table

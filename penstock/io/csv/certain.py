"""Labels and types that are certain without asking pandas, whose import takes a while.

What is decided here is what pandas decides: where that is not plain from the
texts alone (numbers of 19 digits, ``inf``, a header with names twice, ...) the
functions return None, and pandas is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from penstock.io.csv.dialect import Dialect

MISSING = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)
"""The texts that pandas takes for missing values."""

_INTEGER = r"^[+-]?[0-9]{1,18}$"
_NUMBER = r"^[+-]?([0-9]{1,18}|[0-9]+\.[0-9]*|\.[0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+)$"
# All that a parser of numbers might take for one, and more.
_PERHAPS_NUMBER = r"^\s*[+-]?\s*([0-9]*\.?[0-9]*([eE][+-]?[0-9]*)?|(?i:inf|infinity|nan))\s*$"
_BOOL = r"^(True|TRUE|true|False|FALSE|false)$"


def certain_labels(header: bytes, dialect: Dialect) -> list[str] | None:
    """Return the labels in a header record, None where pandas must tell them.

    Parameters
    ----------
    header : bytes
        The record with its line end, in the dialect's encoding.
    dialect : Dialect

    Returns
    -------
    list of str or None

    Examples
    --------
    >>> from penstock.io.csv.dialect import Dialect
    >>> certain_labels(b'a,"b"', Dialect()), certain_labels(b"a,a", Dialect())
    (['a', 'b'], None)
    """
    if dialect.names is not None or dialect.header not in ("infer", 0) or dialect.quoting:
        return None
    if not dialect.arrow_can or dialect.header is False or b"\0" in header:
        return None
    try:
        text = header.decode(dialect.codec)
    except UnicodeDecodeError:
        return None
    labels = text.rstrip("\r\n").split(dialect.sep)
    quote = dialect.quotechar
    if quote is not None and quote in text:
        if not all(_is_quoted(label, quote) or quote not in label for label in labels):
            return None
        labels = [label.strip(quote) for label in labels]
    # pandas numbers repeated names, and names the unnamed.
    if "" in labels or len(set(labels)) < len(labels) or "\r" in text.rstrip("\r\n"):
        return None
    return labels


def _is_quoted(label: str, quote: str) -> bool:
    return len(label) > 2 and label[0] == label[-1] == quote and quote not in label[1:-1]


def certain_types(data: bytes, width: int, dialect: Dialect) -> list[pa.DataType] | None:
    """Return the type of each column of whole records, None where pandas must tell them.

    Parameters
    ----------
    data : bytes
        UTF-8 records without header.
    width : int
        Number of columns.
    dialect : Dialect

    Returns
    -------
    list of pyarrow.DataType or None
        Null where all values are missing.

    Examples
    --------
    >>> from penstock.io.csv.dialect import Dialect
    >>> data = bytes([49, 44, 120, 44, 10])  # 1,x,
    >>> certain_types(data, 3, Dialect())
    [DataType(int64), DataType(string), DataType(null)]
    """
    if (
        not dialect.arrow_can
        or dialect.quoting
        or dialect.decimal != "."
        or dialect.true_values
        or dialect.false_values
        or dialect.na_values is not None
        or width == 1  # whose blank lines may be values
        or b"\0" in data
    ):
        return None
    texts = _texts(data, width, dialect)
    if texts is None:
        return None
    kinds = []
    for column in texts.columns:
        kind = _certain_type(column)
        if kind is None:
            return None
        kinds.append(kind)
    return kinds


def _texts(data: bytes, width: int, dialect: Dialect) -> pa.Table | None:
    import pyarrow.csv as pacsv

    names = [str(i) for i in range(width)]
    missing = bool(dialect.null_values)
    try:
        return pacsv.read_csv(
            pa.BufferReader(data),
            pacsv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            pacsv.ParseOptions(
                delimiter=dialect.sep,
                quote_char=dialect.quotechar if dialect.quotes else False,
                double_quote=dialect.doublequote,
                newlines_in_values=dialect.quotes,
            ),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(dialect.null_values),
                strings_can_be_null=missing,
                quoted_strings_can_be_null=missing,
            ),
        )
    except pa.ArrowInvalid:  # ragged, empty, or not UTF-8
        return None


def _certain_type(texts: pa.ChunkedArray) -> pa.DataType | None:
    if texts.null_count == len(texts):
        return pa.null()
    if not _all(texts, _PERHAPS_NUMBER):
        if not _all(texts, "(?i)" + _BOOL):
            return pa.string()
        return pa.bool_() if _all(texts, _BOOL) else None
    if _all(texts, _INTEGER):
        return pa.int64()
    return pa.float64() if _all(texts, _NUMBER) else None


def _all(texts: pa.ChunkedArray, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())

"""`CsvSink`: blocks as CSV text, as pandas would write it."""

from __future__ import annotations

import csv
import fnmatch
import io
import os
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import (
    SchemaError,
    SinkError,
    TargetExistsError,
    UnsupportedError,
    column_not_found,
)
from penstock.io.compression import compress, compression_of
from penstock.io.filesystem import natural_key
from penstock.io.sink import Mode, Receipt, Sink
from penstock.io.transaction import Transaction
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

_UNNAMED_LEVEL = re.compile(r"__index_level_\d+__")
_SUFFIX = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst"}
# Where Arrow and Python write the same digits for a float, the ".0" aside.
_PLAIN_LEAST, _PLAIN_MOST = 1e-4, 1e9


@record
class CsvFormat:
    """How values become text (the parameters of `pandas.DataFrame.to_csv`)."""

    sep: str = ","
    na_rep: str = ""
    float_format: Any = None
    header: bool | Sequence[str] = True
    encoding: str = "utf-8"
    quoting: int = csv.QUOTE_MINIMAL
    quotechar: str = '"'
    lineterminator: str = "\n"
    date_format: str | None = None
    doublequote: bool = True
    escapechar: str | None = None
    decimal: str = "."
    errors: str = "strict"

    @property
    def arrow_can(self) -> bool:
        """Whether fields that need no quotes can be joined by Arrow."""
        return (
            len(self.sep.encode()) == 1
            and self.float_format is None
            and self.encoding.lower().replace("_", "-") in ("utf-8", "utf8")
            and self.quoting == csv.QUOTE_MINIMAL
            and self.lineterminator == "\n"
            and self.escapechar is None
            and self.decimal == "."
            and self.sep not in ".-+:"
            and len(self.quotechar.encode()) == 1
        )


def csv_sink(
    target: str | os.PathLike[str],
    *,
    mode: Mode = "error",
    single_file: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    index: Sequence[str] = (),
    compression: Any = "infer",
    header_first_partition_only: bool = False,
    name_function: Any = None,
    **pandas_kwargs: Any,
) -> CsvSink:
    """Return the sink that writes blocks as CSV.

    Parameters
    ----------
    target : str
        A directory (files ``part-*.csv``), a pattern such as ``"out/export-*.csv"``,
        or with ``single_file=True`` a file.
    mode : {"error", "overwrite", "append"}
    single_file : bool
    storage_options : mapping, optional
    columns : sequence of str, optional
        The columns to write, in this order.
    index : sequence of str
        Those that hold row labels; ``__index_level_0__`` and the like have an empty header.
    compression : str or None
        ``"infer"`` goes by the name's suffix.
    header_first_partition_only : bool
        Write the header into the first file only.
    name_function : callable, optional
        From the number of a block to what stands for the ``*``.
    **pandas_kwargs
        `sep`, `na_rep`, `float_format`, `header`, `encoding`, `quoting`, `quotechar`,
        `lineterminator`, `date_format`, `doublequote`, `escapechar`, `decimal`, `errors`.

    Returns
    -------
    CsvSink

    Raises
    ------
    TypeError
        For an unknown parameter.
    UnsupportedError
        For a compression that cannot be written.
    """
    known = set(CsvFormat.__dataclass_fields__)
    for name in pandas_kwargs:
        if name not in known:
            raise TypeError(f"to_csv() got an unexpected keyword argument {name!r}")
    given = {k: v for k, v in pandas_kwargs.items() if v is not None or k == "escapechar"}
    target = os.fspath(target)
    codec = compression_of(target, compression)
    if codec == "zip":
        raise UnsupportedError("to_csv cannot write ZIP archives; use 'gzip' or 'zstd'")
    return CsvSink(
        target,
        CsvFormat(**given),
        mode,
        single_file,
        dict(storage_options or {}),
        tuple(columns) if columns is not None else None,
        codec,
        header_first_partition_only,
        name_function,
        tuple(index),
    )


@record(frozen=False, eq=False)
class CsvSink(Sink):
    """One CSV file, or one for each block; built by `csv_sink`."""

    target: str
    text: CsvFormat
    mode: Mode
    single_file: bool
    storage_options: Mapping[str, Any] = field(repr=False)
    columns: tuple[str, ...] | None
    codec: str | None
    header_first_only: bool
    name_function: Any
    index: tuple[str, ...] = ()

    format = "csv"

    def __post_init__(self) -> None:
        self.ordered = self.single_file
        self._transaction: Transaction | None = None
        self._file: Any = None
        self._pattern = ""
        self._width = 1
        self._offset = 0

    def begin(self, schema: pa.Schema, nblocks: int) -> None:
        """Check the target and the columns, and open the transaction."""
        for name in self.columns or ():
            if name not in schema.names:
                raise column_not_found(name, schema.names)
        names = list(self.columns or schema.names)
        header = self.text.header
        if not isinstance(header, bool) and len(header) != len(names):
            raise ValueError(f"header names {len(header)} columns, but {len(names)} are written")
        unnamed = {name for name in self.index if _UNNAMED_LEVEL.fullmatch(name)}
        self._names = ["" if name in unnamed else name for name in names]
        self._width = len(str(max(nblocks - 1, 0)))
        if self.single_file:
            self._transaction = Transaction(
                self.target, self.storage_options, self.mode, single_file=True
            )
            self._file = self._transaction.open("")
            start = self._start(header is not False)
            if start:
                self._file.write(self._compressed(start))
            return
        folder, _, last = self.target.rpartition("/")
        if "*" in last:
            self._pattern = last
            self._transaction = self._for_pattern(folder or ".")
        else:
            self._pattern = "part-*.csv" + _SUFFIX.get(self.codec or "", "")
            self._transaction = Transaction(
                self.target, self.storage_options, self.mode, single_file=False
            )
        if self.mode == "append":
            ours = fnmatch.filter(self._transaction.existing, self._pattern)
            if ours:
                self._check_existing(folder if "*" in last else self.target, ours)
            self._offset = _next_number(ours, self._pattern)
            self._width = max(self._width, len(str(self._offset + nblocks - 1)))

    def _check_existing(self, folder: str, existing: Sequence[str]) -> None:
        """Refuse rows whose columns are not those of the files there; the first tells them."""
        from penstock.io.csv.source import csv_source

        text, mine = self.text, self._header()
        uri = f"{folder.rstrip('/') or '.'}/{min(existing, key=natural_key)}"
        titled = text.header is not False
        there = csv_source(
            [uri], header=0 if titled else None, sep=text.sep, quotechar=text.quotechar,
            escapechar=text.escapechar, encoding=text.encoding, compression=self.codec,
            storage_options=self.storage_options,
        ).schema.names  # fmt: skip
        named = titled and any(a != b for a, b in zip(there, mine, strict=False) if b)
        if named or len(there) != len(mine):
            raise SchemaError(
                f"{self.target} cannot be appended to: {uri} has the columns {there}, "
                f"the rows to append have {mine}; select those, or write to another place"
            )

    def _header(self) -> list[str]:
        header = self.text.header
        return self._names if isinstance(header, bool) else list(header)

    def _for_pattern(self, folder: str) -> Transaction:
        """Return the transaction for files beside which others may stand."""
        adding = Transaction(folder, self.storage_options, "append", single_file=False)
        ours = fnmatch.filter(adding.existing, self._pattern)
        if not ours or self.mode == "append":
            return adding
        adding.abort()
        if self.mode == "error":
            raise TargetExistsError(
                f"{self.target}: {len(ours)} such files exist already, e.g. {ours[0]!r}; pass "
                "mode='overwrite' or 'append', or another name"
            )
        if len(ours) < len(adding.existing):
            raise SinkError(
                f"{self.target}: mode='overwrite' replaces the whole directory {folder!r}, which "
                "also holds other files; write into a directory of its own"
            )
        return Transaction(folder, self.storage_options, "overwrite", single_file=False)

    def write(self, index: int, block: pa.Table) -> Receipt:
        """Write block `index` out of sight and return its receipt."""
        if self._transaction is None:
            raise SinkError(f"{self.target}: the sink was not begun")
        if self.columns is not None:
            block = block.select(list(self.columns))
        body = format_block(block, self.text)
        if self.single_file:
            data = self._compressed(body)
            self._file.write(data)
            return Receipt(index, block.num_rows, len(data))
        titled = self.text.header is not False and (index == 0 or not self.header_first_only)
        body = self._start(titled) + body
        data = self._compressed(body)
        number = index + self._offset
        stem = str(number).zfill(self._width)
        if self.name_function is not None:
            stem = str(self.name_function(number))
        name = self._pattern.replace("*", stem, 1)
        with self._transaction.open(name) as file:
            file.write(data)
        return Receipt(index, block.num_rows, len(data), (name,))

    def commit(self, receipts: Sequence[Receipt]) -> list[str]:
        """Make all files visible and return their paths."""
        if self._transaction is None:
            raise SinkError(f"{self.target}: the sink was not begun")
        if self.single_file:
            self._file.close()
            return self._transaction.commit([""])
        ordered = sorted(receipts, key=lambda receipt: receipt.index)
        names = [str(receipt.parts[0]) for receipt in ordered]
        if len(set(names)) < len(names):
            raise SinkError(f"{self.target}: name_function gave the same name twice")
        return self._transaction.commit(names)

    def abort(self) -> None:
        """Remove whatever was written."""
        if self._file is not None and not self._file.closed:
            self._file.close()
        if self._transaction is not None:
            self._transaction.abort()

    def _compressed(self, data: bytes) -> bytes:
        # Each block is a member of its own: readers take the members one after another.
        return data if self.codec is None else compress(data, self.codec)

    def _start(self, titled: bool) -> bytes:
        """Return how a file starts: the encoding's mark, and the header where `titled`."""
        mark = "".encode(self.text.encoding)
        if not titled:
            return mark
        return mark + _with_pandas(_empty(self._header()), self.text, header=True)


def _next_number(existing: Sequence[str], pattern: str) -> int:
    """Return the number after the highest that `existing` files of this pattern have."""
    start, _, end = pattern.partition("*")
    stems = (name[len(start) : len(name) - len(end)] for name in existing)
    return max((int(stem) + 1 for stem in stems if stem.isdecimal()), default=0)


def _empty(names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([], columns=pd.Index(names, dtype=object))


def format_block(block: pa.Table, text: CsvFormat) -> bytes:
    r"""Return the rows of `block` as CSV without header, in pandas' format.

    Integer columns with missing values keep their digits (pandas itself would
    have turned them into floats before).

    Parameters
    ----------
    block : pyarrow.Table
    text : CsvFormat

    Returns
    -------
    bytes

    Examples
    --------
    >>> format_block(pa.table({"a": [1.0, None], "b": ["x,y", "z"]}), CsvFormat())
    b'1.0,"x,y"\n,z\n'
    """
    if not block.num_rows or not block.num_columns:
        return b""
    if text.arrow_can:
        plain = _plain_texts(block, text)
        if plain is not None:
            import pyarrow.csv as pacsv

            sink = pa.BufferOutputStream()
            options = pacsv.WriteOptions(
                include_header=False, delimiter=text.sep, quoting_style="none"
            )
            pacsv.write_csv(plain, sink, options)
            return bytes(sink.getvalue())
    return _with_pandas(_to_pandas(block), text, header=False)


def _plain_texts(block: pa.Table, text: CsvFormat) -> pa.Table | None:
    """Return columns that Arrow writes as pandas would; None where one is not among them."""
    special = "[" + "".join("\\" + c for c in (text.sep, text.quotechar)) + "\r\n]"
    arrays = []
    for chunked in block.columns:
        column = chunked.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0)
        array = _column_text(column, text)
        if array is None:
            return None
        if array.null_count and text.na_rep:
            array = pc.fill_null(array.cast(pa.string()), text.na_rep)
        if not pa.types.is_integer(array.type) and (
            pc.any(pc.match_substring_regex(array, special)).as_py()
        ):
            return None
        arrays.append(array)
    if len(arrays) == 1:  # a lone empty field is written in quotes
        only = arrays[0]
        if only.null_count or (
            pa.types.is_string(only.type) and pc.any(pc.equal(only, "")).as_py()
        ):
            return None
    return pa.Table.from_arrays(arrays, names=[str(i) for i in range(len(arrays))])


def _column_text(array: pa.Array, text: CsvFormat) -> pa.Array | None:
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_string(kind):
        return array
    if pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return array.cast(pa.string())
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        return array.dictionary_decode()
    if pa.types.is_boolean(kind):
        return pc.if_else(array, "True", "False")
    if pa.types.is_float64(kind):
        return float_texts(array)
    if pa.types.is_timestamp(kind) and kind.tz is None and text.date_format is None:
        return _timestamp_texts(array)
    if pa.types.is_date32(kind) and text.date_format is None:
        return array.cast(pa.string())
    return None


def float_texts(array: pa.Array) -> pa.Array:
    """Return float64 values as Python's `repr` writes them, null where missing.

    Parameters
    ----------
    array : pyarrow.DoubleArray

    Returns
    -------
    pyarrow.StringArray

    Examples
    --------
    >>> float_texts(pa.array([1.0, 1e-5, 0.1])).to_pylist()
    ['1.0', '1e-05', '0.1']
    """
    size = pc.abs(array)
    plain = pc.or_(
        pc.and_(pc.greater_equal(size, _PLAIN_LEAST), pc.less(size, _PLAIN_MOST)),
        pc.equal(size, 0.0),
    )
    texts = array.cast(pa.string())
    whole = pc.invert(pc.match_substring(texts, "."))
    texts = pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)
    odd = pc.invert(pc.fill_null(plain, True))
    if pc.any(odd).as_py():
        values = array.filter(odd).to_pylist()
        spelled = pa.array([None if v != v else repr(v) for v in values], pa.string())
        texts = pc.replace_with_mask(texts, odd, spelled)
    return texts


def _timestamp_texts(array: pa.Array) -> pa.Array | None:
    """Return dates where all are midnights, times where all are whole seconds, else None."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[array.type.unit]
    ticks = array.cast(pa.int64()).drop_null().to_numpy(zero_copy_only=False)
    if not (ticks % (86400 * per_second)).any():
        return array.cast(pa.date32()).cast(pa.string())
    if not (ticks % per_second).any():
        return array.cast(pa.timestamp("s")).cast(pa.string())
    return None


def _to_pandas(block: pa.Table) -> pd.DataFrame:
    import pandas as pd

    nullable = {
        pa.type_for_alias(name.lower()): pd.api.types.pandas_dtype(name)
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    }
    nullable[pa.bool_()] = pd.BooleanDtype()
    frame = block.to_pandas(types_mapper=nullable.get)
    for position, column in enumerate(block.columns):
        if pa.types.is_nested(column.type) and not pa.types.is_dictionary(column.type):
            # pandas' arrays would be cut short as text, and whole numbers with nulls be floats
            frame.isetitem(position, pd.Series(column.to_pylist(), dtype=object))
    frame.columns = pd.RangeIndex(len(frame.columns))
    return frame


def _with_pandas(frame: pd.DataFrame, text: CsvFormat, header: bool) -> bytes:
    buffer = io.StringIO(newline="")
    frame.to_csv(
        buffer,
        index=False,
        header=header,
        sep=text.sep,
        na_rep=text.na_rep,
        float_format=text.float_format,
        quoting=text.quoting,
        quotechar=text.quotechar,
        lineterminator=text.lineterminator,
        date_format=text.date_format,
        doublequote=text.doublequote,
        escapechar=text.escapechar,
        decimal=text.decimal,
    )
    data = buffer.getvalue().encode(text.encoding, text.errors)
    return data.removeprefix("".encode(text.encoding))  # a mark stands at the file's start only


__all__ = ["CsvFormat", "CsvSink", "csv_sink", "float_texts", "format_block"]

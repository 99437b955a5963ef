"""The Parquet writer: one file per block, hive folders, or one file for everything.

Blocks are encoded on the worker threads that call `write`. With `partition_on`
each block writes one file per folder that it has rows for, and opens them one
after the other, so that never more files are open than there are threads. Where
there are many folders, blocks are grouped by folder before they come here.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import threading
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, unquote

from penstock.errors import SchemaError, SinkError, column_not_found
from penstock.io.filesystem import expand
from penstock.io.parquet.footers import footer_of
from penstock.io.parquet.schema import unify, without_metadata
from penstock.io.sink import Mode, Receipt, Sink
from penstock.io.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP_BYTES = 64 << 20
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_NUMBERED = re.compile(r"part\.(\d+)\.parquet")
_CODECS = ("snappy", "gzip", "brotli", "lz4", "zstd", "none")


class ParquetSink(Sink):
    """Writes blocks as Parquet; made by `parquet_sink`."""

    format = "parquet"

    def __init__(
        self,
        target: str,
        *,
        mode: Mode,
        single_file: bool,
        compression: str,
        compression_level: int | None,
        row_group_rows: int | None,
        row_group_bytes: int,
        partition_on: Sequence[str],
        name_function: Callable[[int], str] | None,
        index: Sequence[str],
        pandas_metadata: Mapping[str, Any] | None,
        write_metadata_file: bool,
        storage_options: Mapping[str, Any] | None,
    ) -> None:
        self.target = target
        self.ordered = single_file
        self._mode = mode
        self._codec = {"compression": compression, "compression_level": compression_level}
        self._row_group_rows = row_group_rows
        self._row_group_bytes = row_group_bytes
        self._partition_on = tuple(partition_on)
        self._name = name_function
        self._index = tuple(index)
        self._pandas = pandas_metadata
        self._write_metadata_file = write_metadata_file
        self._options = storage_options
        self._transaction: Transaction | None = None
        self._schema: pa.Schema | None = None
        self._file: BinaryIO | None = None
        self._writer: pq.ParquetWriter | None = None
        self._next = 0
        self._offset = 0
        self._lock = threading.Lock()
        self._footers: dict[str, pq.FileMetaData] = {}

    def begin(self, schema: pa.Schema, nblocks: int) -> None:
        import pyarrow as pa

        for name in (*self._partition_on, *self._index):
            if name not in schema.names:
                raise column_not_found(name, schema.names)
        rest = [field for field in schema if field.name not in self._partition_on]
        if self._partition_on and not rest:
            raise SchemaError(f"{self.target}: partition_on leaves no column for the files")
        for name in self._partition_on:
            if pa.types.is_nested(schema.field(name).type):
                raise SchemaError(
                    f"{self.target}: column {name!r} is {schema.field(name).type}, whose values "
                    "make no folder names; give partition_on columns of plain values"
                )
        if self._name is not None:
            names = [self._name(number) for number in range(nblocks)]
            if len(set(names)) != len(names):
                raise SinkError("name_function gives two blocks the same file name")
        self._schema = _stored_schema(rest, self._index, self._partition_on, self._pandas)
        self._transaction = Transaction(
            self.target, self._options, self._mode, single_file=self.ordered
        )
        self._offset = 0
        if self._mode == "append":
            self._offset = _next_number(self._transaction.existing)
            self._check_existing(self._transaction.existing)
        if self.ordered:
            self._open_single()

    def _check_existing(self, existing: Sequence[str]) -> None:
        """Refuse what could not be read together with the files that are there.

        The first and the last of them speak for all: there may be thousands.
        """
        names = [name for name in existing if name.endswith((".parquet", ".parq", ".pq"))]
        for name in dict.fromkeys(names[:1] + names[-1:]):
            folders = [unquote(one.partition("=")[0]) for one in name.split("/")[:-1] if "=" in one]
            if folders != list(self._partition_on):
                raise SinkError(
                    f"{self.target}: the files there are in folders of {folders or 'no column'}, "
                    f"which partition_on={list(self._partition_on)} does not go on with"
                )
            uri = f"{os.fspath(self.target).rstrip('/')}/{name}"
            (info,) = expand([uri], self._options)
            there = without_metadata(footer_of(info, self._options).schema.to_arrow_schema())
            assert self._schema is not None
            try:
                unify([there, without_metadata(self._schema)], [uri, "the rows to append"], False)
            except SchemaError as error:
                raise SchemaError(f"{self.target} cannot be appended to: {error}") from error

    def _open_single(self) -> None:
        self._next = 0  # a run may begin again, with wider types
        self._file = self._begun().open()
        self._writer = self._open_writer(self._file)

    def _begun(self) -> Transaction:
        if self._transaction is None:
            raise SinkError(f"{self.target}: write before begin")
        return self._transaction

    def _open_writer(self, file: BinaryIO) -> pq.ParquetWriter:
        import pyarrow.parquet as pq

        return pq.ParquetWriter(file, self._schema, **self._codec)

    # --------------------------------------------------------------- writing

    def write(self, index: int, block: pa.Table) -> Receipt:
        transaction = self._begun()
        if self.ordered:
            return self._append(index, block)
        names = []
        nbytes = 0
        for folder, part in self._parts(block):
            name = f"{folder}{self._file_name(index)}"
            with self._explained(), transaction.open(name) as file:
                with self._open_writer(file) as writer:
                    self._write_groups(writer, self._fit(part))
                nbytes += file.tell()
            self._keep_footer(name, writer)
            names.append(name)
        return Receipt(index, block.num_rows, nbytes, tuple(names))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, SinkError):
                raise
            reason = error.strerror or error
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                reason = f"{reason}; free some space or write elsewhere"
            raise SinkError(f"cannot write {self.target}: {reason}") from error

    def _append(self, index: int, block: pa.Table) -> Receipt:
        if index != self._next or self._writer is None or self._file is None:
            raise SinkError(f"{self.target}: block {index} came where {self._next} was due")
        before = self._file.tell()
        with self._explained():
            self._write_groups(self._writer, self._fit(block))
        self._next += 1
        return Receipt(index, block.num_rows, self._file.tell() - before, ("",))

    def _file_name(self, index: int) -> str:
        number = index + self._offset
        if self._name is None:
            return f"part.{number}.parquet"
        name = self._name(number)
        return name if name.endswith((".parquet", ".parq")) else f"{name}.parquet"

    def _write_groups(self, writer: pq.ParquetWriter, table: pa.Table) -> None:
        rows = self._row_group_rows
        if rows is None:
            groups = max(1, -(-table.nbytes // self._row_group_bytes))
            rows = max(1, -(-table.num_rows // groups))
        writer.write_table(table, row_group_size=rows)

    def _keep_footer(self, name: str, writer: pq.ParquetWriter) -> None:
        if self._write_metadata_file:
            footer = writer.writer.metadata
            footer.set_file_path(name)
            with self._lock:
                self._footers[name] = footer

    def _fit(self, block: pa.Table) -> pa.Table:
        """Return the block with exactly the planned columns and types."""
        import pyarrow as pa

        assert self._schema is not None
        columns = []
        for field in self._schema:
            position = block.schema.get_field_index(field.name)
            if position < 0:
                raise SchemaError(f"{self.target}: a block lacks the column {field.name!r}")
            column = block.column(position)
            if not column.type.equals(field.type):
                try:
                    column = column.cast(field.type)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    raise SchemaError(
                        f"{self.target}: column {field.name!r} is {field.type} in the plan, but "
                        f"{column.type} in a block and does not convert: {error}"
                    ) from error
            columns.append(column)
        return pa.Table.from_arrays(columns, schema=self._schema)

    # ------------------------------------------------------------ partitions

    def _parts(self, block: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """Yield (folder, rows) for each combination of the partition columns' values."""
        import numpy as np
        import pyarrow as pa

        if not self._partition_on:
            yield "", block
            return
        if not block.num_rows:
            return
        codes = np.zeros(block.num_rows, dtype=np.int64)
        folders = []
        for name in self._partition_on:
            names, numbers = _folder_names(block.column(name))
            folders.append((names, numbers))
            codes = codes * len(names) + numbers
            _, codes = np.unique(codes, return_inverse=True)  # keeps the product small
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        firsts = order[starts]
        stops = np.append(starts[1:], len(order))
        texts = [[names[number] for number in numbers[firsts]] for names, numbers in folders]
        rest = block.drop_columns(list(self._partition_on))
        grouped = bool((np.diff(order) > 0).all())  # rows came with those of each folder together
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            folder = "".join(
                f"{_escape(name)}={column[number]}/"
                for name, column in zip(self._partition_on, texts, strict=True)
            )
            if grouped:
                yield folder, rest.slice(start, stop - start)
            else:
                yield folder, rest.take(pa.array(order[start:stop]))

    # ---------------------------------------------------------------- ending

    def commit(self, receipts: Sequence[Receipt]) -> list[str]:
        transaction = self._begun()
        if self.ordered:
            if self._writer is not None and self._file is not None:
                with self._explained():
                    self._writer.close()
                    self._file.close()
            return transaction.commit()
        names = [name for receipt in receipts for name in receipt.parts]
        if not names:  # an empty result is a data set without rows, not nothing at all
            names = [self._write_empty(transaction)]
        if self._write_metadata_file and self._mode != "append":
            names += self._write_summary(transaction, names)
        return transaction.commit(names)

    def _write_empty(self, transaction: Transaction) -> str:
        assert self._schema is not None
        name = self._file_name(0)
        with transaction.open(name) as file, self._open_writer(file) as writer:
            writer.write_table(self._schema.empty_table())
        self._keep_footer(name, writer)
        return name

    def _write_summary(self, transaction: Transaction, names: Sequence[str]) -> list[str]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        stream = pa.BufferOutputStream()
        pq.write_metadata(self._schema, stream)
        whole = pq.read_metadata(pa.BufferReader(stream.getvalue()))
        with transaction.open("_common_metadata") as file:
            file.write(stream.getvalue())
        for name in names:
            whole.append_row_groups(self._footers[name])
        with transaction.open("_metadata") as file:
            whole.write_metadata_file(file)
        return ["_common_metadata", "_metadata"]

    def abort(self) -> None:
        if self._transaction is not None:
            if self._writer is not None and self._file is not None and not self._file.closed:
                with contextlib.suppress(OSError):  # a full disk has no room for the footer
                    self._writer.close()
                with contextlib.suppress(OSError):
                    self._file.close()
            self._transaction.abort()


def _single(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    found = column.combine_chunks()
    array = found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    return array


def _folder_names(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the folders that a column's values name, and each row's number among them.

    Numbers are those of folders and not of values: several values may name one folder.
    """
    import numpy as np

    encoded = _single(column).dictionary_encode(null_encoding="encode")
    names: dict[str, int] = {}
    numbers = [names.setdefault(_folder_text(one), len(names)) for one in encoded.dictionary]
    return list(names), np.array(numbers, np.int64)[encoded.indices.to_numpy()]


def _folder_text(value: pa.Scalar) -> str:
    found = value.as_py()
    if found is None or found != found:  # NaN is a missing value here as everywhere
        return _NULL_PARTITION
    text = str(found) if not isinstance(found, bool) else str(found).lower()
    if not text:
        return _NULL_PARTITION  # Hive has no other name for it
    return _escape(text)


def _escape(text: str) -> str:
    return quote(text, safe="")


def _next_number(existing: Sequence[str]) -> int:
    numbers = [_NUMBERED.fullmatch(os.path.basename(name)) for name in existing]
    return max((int(match.group(1)) + 1 for match in numbers if match), default=0)


def _stored_schema(
    fields: Sequence[pa.Field],
    index: Sequence[str],
    partition_on: Sequence[str],
    given: Mapping[str, Any] | None,
) -> pa.Schema:
    """Return the files' schema with what pandas needs to restore index and dtypes."""
    import pyarrow as pa

    schema = pa.schema([field.remove_metadata() for field in fields])
    if given is None:
        given = _pandas_metadata(schema, index)
    elif partition_on:
        kept = [
            column
            for column in given.get("columns", ())
            if column.get("field_name", column.get("name")) not in partition_on
        ]
        given = {**given, "columns": kept}
    return schema.with_metadata({"pandas": json.dumps(given)})


def _pandas_metadata(schema: pa.Schema, index: Sequence[str]) -> dict[str, Any]:
    """Describe index and dtypes as pandas does, as far as the schema alone tells them.

    Integers and bools are left out: with nulls pandas has another dtype for them
    than without, and fastparquet takes a promise of int64 at its word.
    """
    import pandas as pd
    import pyarrow as pa

    empty = schema.empty_table().to_pandas()
    if index:
        empty = empty.set_index(list(index))
    raw = pa.Schema.from_pandas(empty, preserve_index=bool(index)).metadata[b"pandas"]
    found: dict[str, Any] = json.loads(raw)
    columns = []
    for column in found["columns"]:
        kind = schema.field(column["field_name"]).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = {**column, "pandas_type": "unicode"}  # an empty column tells "object"
        numeric = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
        if not numeric or column["field_name"] in index:
            columns.append(column)
    return {
        **found,
        "columns": columns,
        "index_columns": list(index),
        "pandas_version": pd.__version__,
    }


def parquet_sink(
    target: str | os.PathLike[str],
    *,
    mode: Mode = "error",
    compression: str | None = "snappy",
    compression_level: int | None = None,
    row_group_rows: int | None = None,
    row_group_bytes: int = ROW_GROUP_BYTES,
    partition_on: str | Sequence[str] = (),
    name_function: Callable[[int], str] | None = None,
    index: Sequence[str] = (),
    pandas_metadata: Mapping[str, Any] | None = None,
    write_metadata_file: bool = False,
    single_file: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> ParquetSink:
    """Return a sink that writes a table as Parquet.

    Parameters
    ----------
    target : str or path
        A directory, or one file when it ends in ``.parquet`` or ``.parq``.
    mode : {"error", "overwrite", "append"}
        What to do with an existing target.
    compression : {"snappy", "zstd", "lz4", "gzip", "brotli", None}
    compression_level : int, optional
    row_group_rows : int, optional
        Rows of a row group; by default as many as `row_group_bytes` hold.
    row_group_bytes : int
        Bytes of a row group before encoding.
    partition_on : str or sequence of str
        Columns that become ``key=value`` folders.
    name_function : callable, optional
        File name of a block's number instead of ``part.N.parquet``.
    index : sequence of str
        Columns that are the index in pandas.
    pandas_metadata : mapping, optional
        The pandas metadata to write; made from the schema by default.
    write_metadata_file : bool
        Whether to write ``_metadata`` and ``_common_metadata`` too.
    single_file : bool, optional
        Decide it without looking at the name.
    storage_options : mapping, optional
        Passed to the filesystem.

    Returns
    -------
    ParquetSink

    Raises
    ------
    ValueError
        If options contradict each other or a codec is unknown.

    Examples
    --------
    >>> import os, tempfile, pyarrow as pa
    >>> sink = parquet_sink(os.path.join(tempfile.mkdtemp(), "out"))
    >>> block = pa.table({"x": [1, 2]})
    >>> sink.begin(block.schema, 1)
    >>> [os.path.basename(path) for path in sink.commit([sink.write(0, block)])]
    ['part.0.parquet']
    """
    text = os.fspath(target)
    columns = (partition_on,) if isinstance(partition_on, str) else tuple(partition_on)
    codec = (compression or "none").lower()
    if codec in ("uncompressed", "lz4_raw"):
        codec = {"uncompressed": "none", "lz4_raw": "lz4"}[codec]
    if codec not in _CODECS:
        raise ValueError(f"compression must be one of {', '.join(_CODECS)}, not {compression!r}")
    named = text.endswith((".parquet", ".parq")) and not columns and mode != "append"
    if single_file is None:
        single_file = named and name_function is None
    if single_file and (columns or name_function or write_metadata_file):
        raise ValueError(
            "partition_on, name_function and write_metadata_file need a directory, "
            f"but {text} is one file"
        )
    return ParquetSink(
        text,
        mode=mode,
        single_file=single_file,
        compression=codec,
        compression_level=compression_level,
        row_group_rows=row_group_rows,
        row_group_bytes=row_group_bytes,
        partition_on=columns,
        name_function=name_function,
        index=index,
        pandas_metadata=pandas_metadata,
        write_metadata_file=write_metadata_file,
        storage_options=storage_options,
    )

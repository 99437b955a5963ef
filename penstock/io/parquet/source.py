"""The Parquet reader: row groups are the unit of reading.

Small row groups and files are put together into one split; a row group larger
than the target becomes a chain of splits, read in batches through one open
cursor (`CarrySource`). Only the byte ranges of the wanted columns are read.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables, one_chunk, rows_only
from penstock.errors import ColumnNotFoundError, FormatError, PenstockError, column_not_found
from penstock.io.filesystem import FileInfo, expand
from penstock.io.parquet import chunks, sizes
from penstock.io.parquet.claims import MOST_ROWS, rows_of
from penstock.io.parquet.footers import footer_of, footers_of
from penstock.io.parquet.planning import File, Planner, RowGroups
from penstock.io.parquet.pruning import Pruner, fields_of, filter_expression
from penstock.io.parquet.schema import (
    Drift,
    conform,
    hive_values,
    pandas_metadata,
    partition_scalar,
    partition_schema,
    unify,
    without_metadata,
)
from penstock.io.source import Capabilities, CarrySource, Pushdown, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

ROW_NUMBER = "__row_number__"
"""A column that every Parquet source can give when asked for it by name: the row's
number in the whole data set (int64), counted before any filter."""


class ParquetSource(CarrySource):
    """Parquet files as one table; made by `parquet_source`.

    Attributes
    ----------
    drift : tuple of Drift
        Where the files' schemas disagree.
    pandas_index : list of str or dict
        The index columns that pandas wrote, or its RangeIndex as a dict; empty without.
    pandas_dtypes : dict of str to str
        The dtypes that pandas had, by column, e.g. ``"Int64"`` or ``"category"``.
    """

    format = "parquet"
    cursor_bytes = chunks.BUFFERS_TOGETHER

    def __init__(
        self,
        files: Sequence[File],
        schema: pa.Schema,
        *,
        expression: pc.Expression | None,
        full_schema: pa.Schema,
        drift: tuple[Drift, ...],
        metadata: Mapping[str, Any] | None,
        index: Sequence[str] | None,
        storage_options: Mapping[str, Any] | None,
    ) -> None:
        self._files = tuple(files)
        self._schema = schema
        self._full = full_schema
        self._filter = expression
        self._options = dict(storage_options or {})
        self.drift = drift
        self.pandas_index = _pandas_index(metadata, index, full_schema)
        self.pandas_dtypes = _pandas_dtypes(metadata)
        self._fingerprint = (
            "parquet",
            tuple(file.info for file in files),
            tuple((field.name, str(field.type)) for field in schema),
            None if expression is None else str(expression),
        )

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """Footers count the rows before a filter, so that a filtered source knows no counts."""
        return Capabilities(projection=True, filter="exact", row_counts=self._filter is None)

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        return self._fingerprint

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    @property
    def num_rows(self) -> int:
        """Rows of all files, before any filter."""
        return sum(sum(file.rows) for file in self._files)

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """The files, pinned."""
        return tuple(file.info for file in self._files)

    # -------------------------------------------------------------- planning

    def split(self, pushdown: Pushdown, target_bytes: int) -> Sequence[Split]:
        expression = self._expression(pushdown)
        wanted = self._wanted(pushdown)
        needed = fields_of(expression, self._full) if expression is not None else []
        columns = tuple(dict.fromkeys([*wanted, *needed]))
        pruner = Pruner(expression, self._full, needed) if expression is not None else None
        plan = Planner(columns, target_bytes, exact=expression is None)
        row_offset = 0
        for number, file in enumerate(self._files):
            footer = self._footer(file)
            kept = (
                range(len(file.rows))
                if pruner is None
                else set(pruner.surviving(footer, file.schema, file.partition))
            )
            for group, rows in enumerate(file.rows):
                if group in kept and rows:
                    size = sizes.estimate(
                        file.info, footer, file.schema, group, columns, self._full
                    )
                    plan.add(number, file, group, row_offset, size)
                row_offset += rows
        splits = plan.finish()
        index = [name for name in self.pandas_index if isinstance(name, str)]
        if index:
            splits = [self._with_statistics(split, index) for split in splits]
        return splits

    def _expression(self, pushdown: Pushdown) -> pc.Expression | None:
        given = [one for one in (self._filter, pushdown.filter) if one is not None]
        if len(given) == 2:
            return given[0] & given[1]
        return given[0] if given else None

    def _wanted(self, pushdown: Pushdown) -> tuple[str, ...]:
        if pushdown.columns is None:
            return tuple(self._schema.names)
        for name in pushdown.columns:
            if name != ROW_NUMBER and name not in self._full.names:
                raise column_not_found(name, self._schema.names)
        return pushdown.columns

    def _footer(self, file: File) -> pq.FileMetaData:
        return footer_of(file.info, self._options)

    def _with_statistics(self, split: Split, names: Sequence[str]) -> Split:
        found = {}
        for name in names:
            bounds = [
                sizes.bounds(self._footer(self._files[number]), self._files[number].schema, g, name)
                for number, groups in split.location.pieces
                for g in groups
            ]
            known = [bound for bound in bounds if bound is not None]
            if known and len(known) == len(bounds):
                found[name] = (min(low for low, _ in known), max(high for _, high in known))
        return replace(split, statistics=found)

    # --------------------------------------------------------------- reading

    def read(self, split: Split, pushdown: Pushdown) -> pa.Table:
        where: RowGroups = split.location
        if where.batch is not None:
            payload, _, _ = self.fetch(split, None)
            return self.parse(payload, None, split, pushdown)
        return self._finish(self._tables(where, pushdown), where, pushdown)

    def fetch(self, split: Split, cursor: Any) -> tuple[Any, None, Any]:
        where: RowGroups = split.location
        if where.batch is None:
            return None, None, None
        start, rows = where.batch
        if cursor is None:
            cursor = self._cursor(where, rows)
        table = cursor.take(start, rows)
        return table, None, None if split.last else cursor

    def _cursor(self, where: RowGroups, rows: int) -> _Cursor:
        number, (group,) = where.pieces[0]
        file = self._files[number]
        batches = self._batches(file, group, where.columns, rows)
        return _Cursor(batches, f"{file.info.uri}, row group {group}")

    def advance(self, state: Any, summary: Any) -> None:
        return None

    def parse(self, payload: Any, state: Any, split: Split, pushdown: Pushdown) -> pa.Table:
        if payload is None:
            return self.read(split, pushdown)
        return self._finish([payload], split.location, pushdown)

    def _tables(self, where: RowGroups, pushdown: Pushdown) -> list[pa.Table]:
        # Without a filter the rows beyond the limit need not even be decoded.
        limit = pushdown.limit if self._expression(pushdown) is None else None
        tables = []
        for number, groups in where.pieces:
            file = self._files[number]
            if limit is None:
                tables.append(self._row_groups(file, groups, where.columns))
                continue
            for group in groups:
                if limit > 0:
                    rows = min(limit, file.rows[group])
                    if rows < file.rows[group]:
                        piece = replace(where, pieces=((number, (group,)),))
                        one = self._cursor(piece, rows).take(0, rows)
                    else:
                        one = self._row_groups(file, (group,), where.columns)
                    tables.append(one)
                    limit -= rows
        return tables or [self._schema_of(where.columns).empty_table()]

    def _row_groups(self, file: File, groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
        footer = self._footer(file)
        leaves = sizes.leaves(file.schema, self._stored(file, columns))
        with _explained(file.info.uri, groups):
            table = chunks.read_row_groups(file.info, footer, groups, leaves, self._options)
        claimed = sum(file.rows[group] for group in groups)
        if table.num_rows != claimed:
            raise FormatError(
                f"{file.info.uri}, row group {', '.join(map(str, groups))}: damaged Parquet data: "
                f"the footer claims {claimed:,} rows, but its pages hold {table.num_rows:,}"
            )
        return self._complete(table, file, columns)

    def _batches(
        self, file: File, group: int, columns: Sequence[str], rows: int
    ) -> Iterator[pa.Table]:
        footer = self._footer(file)
        leaves = sizes.leaves(file.schema, self._stored(file, columns))
        with _explained(file.info.uri, (group,)):
            found = chunks.iter_batches(file.info, footer, group, leaves, rows, self._options)
            for table in found:
                yield self._complete(table, file, columns)

    def _stored(self, file: File, columns: Sequence[str]) -> list[str]:
        return [
            name for name in columns if name in file.schema.names and name not in file.partition
        ]

    def _schema_of(self, columns: Sequence[str]) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([self._full.field(name) for name in columns if name != ROW_NUMBER])

    def _complete(self, table: pa.Table, file: File, columns: Sequence[str]) -> pa.Table:
        """Give a file's table the common columns and types, partition columns included."""
        import pyarrow as pa

        schema = self._schema_of(columns)
        for name, value in file.partition.items():
            if name in columns:
                table = table.append_column(name, pa.repeat(value, table.num_rows))
        return conform(table, schema, file.info.uri)

    def _finish(self, tables: Sequence[pa.Table], where: RowGroups, pushdown: Pushdown) -> pa.Table:
        wanted = self._wanted(pushdown)
        if not where.columns:
            rows = sum(table.num_rows for table in tables)
            return rows_only(rows if pushdown.limit is None else min(rows, pushdown.limit))
        table = concat_tables(tables)
        if ROW_NUMBER in wanted:
            table = table.append_column(ROW_NUMBER, _row_numbers(where, table.num_rows))
        expression = self._expression(pushdown)
        if expression is not None:
            table = table.filter(expression)
        if pushdown.limit is not None and table.num_rows > pushdown.limit:
            table = table.slice(0, pushdown.limit)
        return one_chunk(table.select(list(wanted)))

    # ------------------------------------------------------------ describing

    def describe(self) -> dict[str, Any]:
        footers = [self._footer(file) for file in self._files]
        first = footers[0]
        codecs = {
            footer.row_group(0).column(leaf).compression.lower()
            for footer in footers
            if footer.num_row_groups
            for leaf in range(footer.num_columns)
        }
        return {
            "files": len(self._files),
            "bytes": sum(file.info.size for file in self._files),
            "rows": self.num_rows,
            "row_groups": sum(len(file.rows) for file in self._files),
            "columns": len(self._schema),
            "codecs": sorted(codecs),
            "written_by": first.created_by,
            "partitions": list(
                dict.fromkeys(name for file in self._files for name in file.partition)
            ),
            "drift": self.drift,
        }


class _Cursor:
    """An open row group that is read on, batch by batch."""

    def __init__(self, batches: Iterator[pa.Table], where: str) -> None:
        self._batches = batches
        self._where = where
        self._position = 0

    def take(self, start: int, rows: int) -> pa.Table:
        """Return `rows` rows from row `start` on, skipping what lies before."""
        found = []
        end = start + rows
        for table in self._batches:
            first, self._position = self._position, self._position + table.num_rows
            if self._position > start:
                found.append(table.slice(max(0, start - first), end - max(start, first)))
            if self._position >= end:
                return concat_tables(found)
        raise FormatError(
            f"{self._where}: damaged Parquet data: the footer claims that there are rows {start:,}-"
            f"{end:,}, but its pages hold {self._position:,}"
        )


class _explained:  # noqa: N801
    """Turns Arrow's errors about damaged pages into one that names file and row groups."""

    def __init__(self, uri: str, groups: Iterable[int]) -> None:
        self._where = f"{uri}, row group {', '.join(map(str, groups))}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, PenstockError | MemoryError):
            return
        import pyarrow as pa

        if isinstance(error, pa.ArrowException | OSError):
            raise FormatError(f"{self._where}: damaged Parquet data: {error}") from error


def _row_numbers(where: RowGroups, rows: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.arange(where.row_offset, where.row_offset + rows, dtype=np.int64))


def _pandas_index(
    metadata: Mapping[str, Any] | None, index: Sequence[str] | None, schema: pa.Schema
) -> list[Any]:
    if index is not None:
        return list(index)
    found = (metadata or {}).get("index_columns") or []
    return [one for one in found if isinstance(one, dict) or one in schema.names]


def _pandas_dtypes(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    return {
        str(column.get("field_name") or column.get("name")): str(column.get("numpy_type"))
        if column.get("pandas_type") != "categorical"
        else "category"
        for column in (metadata or {}).get("columns") or []
    }


def parquet_source(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    columns: Sequence[str] | None = None,
    filters: Any = None,
    index: str | Sequence[str] | bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    schema_drift: str = "union",
    partitioning: str | None = "hive",
    partition_types: Mapping[str, Any] | None = None,
) -> ParquetSource:
    """Return a source that reads Parquet files as one table.

    Parameters
    ----------
    paths : str, path or list of these
        Files, directories and globs, local or remote.
    columns : sequence of str, optional
        The columns of the table; all by default. Index columns are kept besides.
    filters : list of tuple, list of list of tuple or pyarrow.compute.Expression, optional
        Rows to keep, as in `pandas.read_parquet`; exact.
    index : str, sequence of str or False, optional
        Index columns; by default what pandas wrote, False for none.
    storage_options : mapping, optional
        Passed to the filesystem.
    schema_drift : {"union", "strict"}
        Read files of differing schemas by a common one, or raise.
    partitioning : {"hive", None}
        Whether ``key=value`` folders become columns.
    partition_types : mapping of str to type, optional
        Types of partition columns instead of the inferred ones.

    Returns
    -------
    ParquetSource

    Raises
    ------
    SourceError
        If there is no such file or it cannot be read.
    FormatError
        If a file is not Parquet, damaged or encrypted.
    SchemaError
        If the files' columns do not go together.
    ColumnNotFoundError
        If `columns`, `filters` or `index` name a column that is not there.

    Examples
    --------
    >>> import os, tempfile, pyarrow as pa, pyarrow.parquet as pq
    >>> path = os.path.join(tempfile.mkdtemp(), "a.parquet")
    >>> pq.write_table(pa.table({"x": [1, 2, 3], "y": ["a", "b", "c"]}), path)
    >>> source = parquet_source(path, filters=[("x", ">", 1)])
    >>> [source.read(s, Pushdown(("y",)))["y"].to_pylist() for s in source.split(Pushdown(), 1000)]
    [['b', 'c']]
    """
    import pyarrow as pa

    if schema_drift not in ("union", "strict"):
        raise ValueError(f"schema_drift must be 'union' or 'strict', not {schema_drift!r}")
    if partitioning not in ("hive", None):
        raise ValueError(f"partitioning must be 'hive' or None, not {partitioning!r}")
    infos = expand(paths, storage_options)
    footers = footers_of(infos, storage_options)
    stored = [footer.schema.to_arrow_schema() for footer in footers]
    metadata = pandas_metadata(stored[0])
    plain = _shared([without_metadata(schema) for schema in stored])
    values = [hive_values(info.uri) if partitioning else {} for info in infos]
    parts = partition_schema(values, partition_types)
    union, drift = unify(plain, [info.uri for info in infos], schema_drift == "strict")
    full = pa.schema([field for field in union if field.name not in parts.names] + list(parts))
    drift = tuple(one for one in drift if one.column not in parts.names)
    files = [
        File(
            info,
            schema,
            rows_of(info, footer),
            {
                field.name: partition_scalar(field.name, one.get(field.name), field.type, info.uri)
                for field in parts
                # a file beside the folders may hold the column itself
                if field.name in one or field.name not in schema.names
            },
        )
        for info, footer, schema, one in zip(infos, footers, plain, values, strict=True)
    ]
    total = sum(sum(file.rows) for file in files)
    if total > MOST_ROWS:
        raise FormatError(
            f"{infos[0].uri} and {len(infos) - 1} more files: their footers claim {total:,} rows "
            "together, which are more than can be numbered"
        )
    expression = filter_expression(filters, full)
    if expression is not None:
        fields_of(expression, full)
    names = _index_names(index)
    source = ParquetSource(
        files,
        full,
        expression=expression,
        full_schema=full,
        drift=drift,
        metadata=metadata,
        index=names,
        storage_options=storage_options,
    )
    kept = _selected(columns, source.pandas_index, full)
    if kept is full:
        return source
    return ParquetSource(
        files,
        kept,
        expression=expression,
        full_schema=full,
        drift=drift,
        metadata=metadata,
        index=names,
        storage_options=storage_options,
    )


def _shared(schemas: Sequence[pa.Schema]) -> list[pa.Schema]:
    """Return the schemas with equal ones as one object: thousands of files have few."""
    kinds: list[pa.Schema] = []
    found = []
    for schema in schemas:
        known = next((one for one in kinds if one.equals(schema)), None)
        if known is None:
            kinds.append(schema)
        found.append(schema if known is None else known)
    return found


def _index_names(index: str | Sequence[str] | bool | None) -> list[str] | None:
    if index is None or index is True:
        return None
    if index is False:
        return []
    return [index] if isinstance(index, str) else list(index)


def _selected(columns: Sequence[str] | None, index: Sequence[Any], full: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    named = [name for name in index if isinstance(name, str)]
    for name in [*(columns or ()), *named]:
        if name not in full.names:
            error: ColumnNotFoundError = column_not_found(name, full.names)
            raise error
    if columns is None:
        return full
    names = dict.fromkeys([*columns, *named])
    return pa.schema([full.field(name) for name in names])

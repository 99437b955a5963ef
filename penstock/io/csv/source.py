"""`CsvSource`: byte ranges of CSV files as blocks.

``fetch`` reads a range and says, for each state in which it may start, where its
last record ends; ``advance`` keeps what holds; ``parse`` joins the unfinished
record of the splits before with this one's and parses what is complete.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from penstock.errors import TypeConflictError, UnsupportedError, column_not_found
from penstock.io.compression import compression_of
from penstock.io.csv import types
from penstock.io.csv.dialect import Dialect
from penstock.io.csv.inference import SAMPLE_BYTES, infer_columns, measured_density
from penstock.io.csv.inputs import CsvInputs
from penstock.io.csv.layout import Layout
from penstock.io.csv.long_records import never_closed, record_limit, too_long
from penstock.io.csv.reading import ANY_MARKS, Column, Marks, Where, empty_table, parse_block
from penstock.io.filesystem import expand, read_range
from penstock.io.source import Capabilities, CarrySource, Pushdown, Split
from penstock.io.text_records import (
    FIELD,
    QUOTED,
    TAIL_LIMIT,
    Outcome,
    State,
    Summary,
    first_of,
    scan_from,
    scan_split,
)
from penstock.io.text_streams import (
    read_buffer,
    stream_splits,
)
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEAST_SPLIT = 64 << 10
_MOST_SPLIT = 64 << 20
_CROSSES = b"xX"
_identities = count()


class TypeWidenedWarning(UserWarning):
    """A column holds values that contradict its sampled type, which was widened."""


@record
class TextPayload:
    """The bytes of one split, with room before them for an unfinished record."""

    buffer: np.ndarray
    room: int
    offset: int
    outcomes: tuple[Outcome | None, ...]
    positions: tuple[int, ...] | None = None
    """Where the reference file's columns stand in this one; None: at the same places."""
    width: int = 0
    known: State | None = None
    """The state the split starts in, where fetching it in order told."""
    marks: Marks = ANY_MARKS

    @property
    def nbytes(self) -> int:
        return int(self.buffer.nbytes)

    @property
    def data(self) -> np.ndarray:
        return self.buffer[self.room :]


def csv_source(
    paths: Any,
    *,
    blocksize: int | None = None,
    sample: int = SAMPLE_BYTES,
    storage_options: Mapping[str, Any] | None = None,
    include_path_column: bool | str = False,
    assume_missing: bool = False,
    on_type_conflict: str = "widen",
    compression: str | None = "infer",
    **pandas_kwargs: Any,
) -> CsvSource:
    r"""Return the source of one or many CSV files.

    Parameters
    ----------
    paths : str, path or list of these
        Files, globs or directories; local or remote.
    blocksize : int, optional
        Bytes of text per split; by default what the engine's target asks for.
    sample : int
        Bytes read at each sampled place to infer types.
    storage_options : mapping, optional
        For remote files.
    include_path_column : bool or str
        Add a column of this name (``"path"``) with each row's file.
    assume_missing : bool
        Read integer columns that `dtype` does not name as float64.
    on_type_conflict : {"widen", "raise"}
        Whether the engine may call `CsvSource.widened`.
    compression : str, optional
        ``"infer"`` goes by the file's name.
    **pandas_kwargs
        Parameters of `pandas.read_csv`.

    Returns
    -------
    CsvSource

    Raises
    ------
    SourceError
        If no file matches.
    FormatError
        If a file is not CSV.
    TypeError
        For an unknown parameter.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("x,y\n1,a\n2,b\n")
    >>> csv_source(path).schema
    x: int64
    y: string
    """
    if on_type_conflict not in ("widen", "raise"):
        raise ValueError(f"on_type_conflict must be 'widen' or 'raise', not {on_type_conflict!r}")
    if blocksize is not None and blocksize < 1:
        raise ValueError(f"blocksize must be positive, not {blocksize}")
    dialect = Dialect.from_kwargs(pandas_kwargs)
    files = tuple(expand(paths, storage_options))
    compressions = tuple(compression_of(info.uri, compression) for info in files)
    if dialect.skipfooter and any(compressions):
        raise UnsupportedError("skipfooter= cannot be used with compressed files")
    inputs = CsvInputs(files, compressions, dialect, dict(storage_options or {}))
    columns = tuple(infer_columns(inputs, sample, assume_missing))
    path_column = "path" if include_path_column is True else include_path_column or None
    if path_column in [column.field.name for column in columns]:
        raise ValueError(f"include_path_column={path_column!r} is the name of a column already")
    return CsvSource(
        inputs=inputs,
        columns=columns,
        blocksize=blocksize,
        path_column=path_column,
        on_type_conflict=on_type_conflict,
        density=measured_density(inputs, columns),
        identity=next(_identities) if _holds_callable(pandas_kwargs) else -1,
    )


def _holds_callable(kwargs: Mapping[str, Any]) -> bool:
    return any(callable(value) and not isinstance(value, type) for value in kwargs.values())


@record(eq=False)
class CsvSource(CarrySource):
    """CSV files, listed, sampled and typed; built by `csv_source`."""

    inputs: CsvInputs
    columns: tuple[Column, ...]
    blocksize: int | None
    path_column: str | None
    on_type_conflict: str
    density: float
    """Bytes of a block in memory per byte of text."""
    identity: int = -1
    """Tells sources apart whose options hold functions."""

    format = "csv"
    capabilities = Capabilities(projection=True)

    def __repr__(self) -> str:
        return f"CsvSource({len(self.inputs.files)} files, {len(self.columns)} columns)"

    # ------------------------------------------------------------ description

    @property
    def fingerprint(self) -> tuple:
        kinds = tuple((c.field.name, str(c.field.type), c.position) for c in self.columns)
        return (
            "csv",
            self.inputs.files,
            kinds,
            repr(self.inputs.dialect),
            self.blocksize,
            self.identity,
        )

    @cached_property
    def schema(self) -> pa.Schema:
        fields = [column.field for column in self.columns]
        if self.path_column is not None:
            fields.append(self._path_field)
        return pa.schema(fields)

    @property
    def column_labels(self) -> tuple[Any, ...]:
        """The labels pandas would give the columns: ints without a header, tuples with many."""
        labels = tuple(column.label for column in self.columns)
        return labels if self.path_column is None else (*labels, self.path_column)

    @property
    def implicit_index(self) -> int:
        """How many leading columns pandas would take as the index without being asked."""
        return self.inputs.layout(0).implicit_index

    @property
    def index_col(self) -> Any:
        """The `index_col` given; setting the index is up to the caller."""
        return self.inputs.dialect.index_col

    @property
    def nrows(self) -> int | None:
        """The `nrows` given; taking so many is up to the caller."""
        return self.inputs.dialect.nrows

    @property
    def _path_field(self) -> pa.Field:
        from penstock.io.csv.types import DTYPE_KEY

        kind = pa.dictionary(pa.int32(), pa.string())
        return pa.field(str(self.path_column), kind, metadata={DTYPE_KEY: b"category"})

    def describe(self) -> dict[str, Any]:
        """Return files, bytes, dialect and types."""
        dialect = self.inputs.dialect
        return {
            "format": "csv",
            "files": len(self.inputs.files),
            "bytes": sum(info.size for info in self.inputs.files),
            "compression": ", ".join(sorted({c for c in self.inputs.compressions if c})) or None,
            "sep": dialect.sep,
            "encoding": dialect.encoding,
            "parser": "arrow" if dialect.arrow_can else "pandas",
            "types": {column.field.name: str(column.field.type) for column in self.columns},
        }

    # ------------------------------------------------------------ planning

    def split(self, pushdown: Pushdown, target_bytes: int) -> Sequence[Split]:
        """Cut every file into byte ranges (contract of `Source.split`)."""
        size = self.blocksize or self._text_bytes(pushdown, target_bytes)
        density = self.density * self._share(pushdown)
        limit = record_limit(target_bytes, size)
        splits: list[Split] = []
        for number, info in enumerate(self.inputs.files):
            if self.inputs.streamed(number):
                codec = self.inputs.compressions[number]
                parts = stream_splits(
                    info,
                    number,
                    codec,
                    size,
                    len(splits),
                    density,
                    self.inputs.storage_options,
                )
                splits += [replace(part, location=(*part.location, limit)) for part in parts]
                continue
            end = self.inputs.data_end(number)
            bounds = [*range(0, max(end, 1), size), end]
            for start, stop in pairwise(bounds):
                splits.append(
                    Split(
                        uri=info.uri,
                        index=len(splits),
                        nbytes=max(1, int((stop - start) * density)),
                        stored_bytes=stop - start,
                        first=start == 0,
                        last=stop == end,
                        location=(number, start, stop, limit),
                        origin=f"{info.uri}, bytes {start}-{stop}",
                    )
                )
        return splits

    def _share(self, pushdown: Pushdown) -> float:
        """Return the part of a block's bytes that the columns of `pushdown` take."""
        if pushdown.columns is None or not self.columns:
            return 1.0
        return max(len(pushdown.columns), 1) / len(self.columns)

    def _text_bytes(self, pushdown: Pushdown, target_bytes: int) -> int:
        """Return the bytes of text whose block takes about `target_bytes`."""
        # The text itself is in memory as well, whatever is kept of it.
        wanted = target_bytes / max(1.0, self.density * self._share(pushdown))
        return int(min(max(wanted, _LEAST_SPLIT), _MOST_SPLIT))

    # ------------------------------------------------------------ heads

    # ------------------------------------------------------------ inference

    # ------------------------------------------------------------ reading

    def fetch(self, split: Split, cursor: Any) -> tuple[TextPayload, Summary, Any]:
        """Read the bytes of a split and find its record ends (contract of `CarrySource`)."""
        number = split.location[0]
        layout = self.inputs.layout(number)
        reference = self.inputs.layout(0)
        positions = None if number == 0 else self.inputs.positions(number, reference, layout)
        if self.inputs.streamed(number):
            return self._fetch_stream(split, cursor, layout, positions)
        _, start, stop, limit = split.location
        offset = max(start, layout.data_start)
        length = max(0, stop - offset)
        info = self.inputs.files[number]
        buffer = read_buffer(info, offset, length, TAIL_LIMIT, self.inputs.storage_options)
        data = buffer[TAIL_LIMIT:]
        outcomes: tuple[Outcome | None, ...] = (None, None, None)
        marks = ANY_MARKS
        if length:
            separators = self.inputs.dialect.separators
            first_quote, *crosses = first_of(data, (separators.quote, *_CROSSES))
            outcomes = scan_split(data, separators, first_quote)
            marks = Marks(first_quote >= 0, max(crosses) >= 0)
        payload = TextPayload(
            buffer, TAIL_LIMIT, offset, outcomes, positions, layout.width, None, marks
        )
        summary = Summary(offset, length, split.first, outcomes, number, limit)
        return payload, summary, None

    def _fetch_stream(
        self, split: Split, cursor: Any, layout: Layout, positions: tuple[int, ...] | None
    ) -> tuple[TextPayload, Summary, Any]:
        number, goal, left, limit = split.location
        if split.first:
            cursor = self.inputs.cursor(number, limit)
        offset, buffer, (_, record) = cursor.take(goal, left)
        if split.last and cursor.state[0] == QUOTED:
            raise never_closed(self.inputs.place(number, cursor.offset), len(cursor.rest))
        if self.inputs.dialect.skips_rows_anywhere:
            buffer = self.inputs.without_skipped(buffer, record)
        payload = TextPayload(buffer, 0, offset, (), positions, layout.width, State())
        return payload, Summary(offset, 0, split.first, (), number), cursor

    def advance(self, state: State | None, summary: Summary) -> State:
        """Return the state in which the next split starts (contract of `CarrySource`)."""

        def again(offset: int, length: int, mode: int) -> Outcome:
            info = self.inputs.files[summary.file]
            raw = read_range(info, offset, length, self.inputs.storage_options)
            return scan_from(np.frombuffer(raw, np.uint8), mode, self.inputs.dialect.separators)

        after = summary.step(state, again)
        size = summary.offset + summary.length - after.start
        if summary.length and size > summary.limit:
            place = self.inputs.place(summary.file, after.start)
            raise too_long(place, size, quoted=after.mode == QUOTED)
        return after

    def parse(
        self, payload: TextPayload, state: State | None, split: Split, pushdown: Pushdown
    ) -> pa.Table:
        """Return the block of the records that end in a split (contract of `CarrySource`)."""
        columns = self._wanted(pushdown, payload.positions)
        if payload.known is not None:
            data, start = pa.py_buffer(payload.buffer), payload.offset
            marks = payload.marks
        else:
            data, start, marks = self._whole_records(payload, state, split)
        number = split.location[0]
        where = Where(split.uri, start, lambda: self.inputs.lines_before(number, start))
        if data.size == 0:
            table = empty_table(columns)
        else:
            dialect = (
                self.inputs.stream_dialect if payload.known is not None else self.inputs.dialect
            )
            table = parse_block(data, columns, payload.width, dialect, where, marks)
        if pushdown.limit is not None and table.num_rows > pushdown.limit:
            table = table.take(pa.array(np.arange(pushdown.limit)))
        return self._with_path(table, split, pushdown)

    def _whole_records(
        self, payload: TextPayload, state: State | None, split: Split
    ) -> tuple[pa.Buffer, int, Marks]:
        """Return the records that end in this split, their offset, and what occurs in them."""
        if split.first or state is None:
            state = State(FIELD, payload.offset)
        data = payload.data
        cut, end = 0, state.mode
        if len(data):
            outcome = payload.outcomes[state.mode]
            if outcome is None:
                outcome = scan_from(data, state.mode, self.inputs.dialect.separators)
            cut, end = outcome.cut, outcome.end
        if split.last:
            if end == QUOTED:
                start = state.start if cut <= 0 else payload.offset + cut
                place = self.inputs.place(split.location[0], start)
                raise never_closed(place, payload.offset + len(data) - start)
            cut = len(data)
        if cut < 0:
            return pa.py_buffer(b""), state.start, payload.marks
        info = self.inputs.files[split.location[0]]
        length = payload.offset - state.start
        if state.tail is None:
            options = self.inputs.storage_options
            whole = read_buffer(info, state.start, length, 0, options, after=cut)
            whole[length:] = data[:cut]
        else:
            begin = payload.room - length
            payload.buffer[begin : payload.room] = np.frombuffer(state.tail, np.uint8)
            whole = payload.buffer[begin : payload.room + cut]
        first_quote, *crosses = first_of(
            whole[:length], (self.inputs.dialect.separators.quote, *_CROSSES)
        )
        marks = Marks(
            payload.marks.quotes or first_quote >= 0,
            payload.marks.crosses or max(crosses) >= 0,
        )
        return pa.py_buffer(whole), state.start, marks

    def _wanted(self, pushdown: Pushdown, positions: tuple[int, ...] | None) -> tuple[Column, ...]:
        columns = self.columns
        if positions is not None:
            columns = tuple(
                replace(column, position=position)
                for column, position in zip(columns, positions, strict=True)
            )
        if pushdown.columns is None:
            return columns
        named = {column.field.name: column for column in columns}
        wanted = []
        for name in pushdown.columns:
            if name == self.path_column:
                continue
            if name not in named:
                raise column_not_found(name, self.schema.names)
            wanted.append(named[name])
        return tuple(wanted)

    def _with_path(self, table: pa.Table, split: Split, pushdown: Pushdown) -> pa.Table:
        name = self.path_column
        if name is None or (pushdown.columns is not None and name not in pushdown.columns):
            return table
        zeros = pa.array(np.zeros(table.num_rows, np.int32))
        paths = pa.DictionaryArray.from_arrays(zeros, pa.array([split.uri], pa.string()))
        table = table.append_column(self._path_field, paths)
        return table if pushdown.columns is None else table.select(list(pushdown.columns))

    # ------------------------------------------------------------ widening

    def widens(self, column: str) -> bool:
        """Return whether a contradiction in `column` may be met by `widened`.

        Not where the user declared its dtype, or said ``on_type_conflict="raise"``.
        """
        declared = any(item.declared for item in self.columns if item.field.name == column)
        return self.on_type_conflict == "widen" and not declared

    def widened(self, column: str, value: str) -> CsvSource:
        """Return this source with `column` read as a type that `value` fits.

        Parameters
        ----------
        column, value : str
            As in `TypeConflictError`.

        Returns
        -------
        CsvSource

        Raises
        ------
        TypeConflictError
            If the column does not widen (`widens`).

        Warns
        -----
        TypeWidenedWarning
        """
        columns = list(self.columns)
        names = [item.field.name for item in columns]
        if column not in names:
            raise column_not_found(column, names)
        if not self.widens(column):
            raise TypeConflictError(
                f"column {column!r}: {types.shown(value)} contradicts the dtype that it is to be read as",
                column=column,
                value=value,
            )
        i = names.index(column)
        found = columns[i]
        kind = types.widen(found.field.type, value)
        columns[i] = replace(found, field=pa.field(column, kind))
        warnings.warn(
            f"column {column!r} was sampled as {found.field.type} but holds {types.shown(value)}; it "
            f"is read again as {kind}. Pass dtype={{{column!r}: ...}} to avoid this",
            TypeWidenedWarning,
            stacklevel=2,
        )
        return replace(self, columns=tuple(columns))

"""Converting, describing and previewing files: what the command line does, as functions.

A conversion is a read, an optional filter and a write in one plan. The source
and the sink are wrapped so that rows are counted as they are parsed and as they
are written; the transaction is committed only when the two agree.
"""

from __future__ import annotations

import csv
import io
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from penstock import config
from penstock.collections.counting import CheckedSink, Tally, UnwrittenSink, counting
from penstock.collections.creation import from_source
from penstock.collections.filenames import (
    asks_for_other,
    csv_codec,
    exists,
    is_single_file,
    other_file,
    separator,
    shown,
)
from penstock.collections.queries import names_in
from penstock.collections.scalar import Scalar
from penstock.collections.writing import grouped_by_folder, write_plan
from penstock.config import ConfigError, parse_bytes
from penstock.engine.expr import Column
from penstock.engine.lower import optimise
from penstock.engine.nodes.select import SetIndex
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.nodes.write import Write
from penstock.engine.plan import FrameNode, walk
from penstock.engine.run import Options, lowered, run_stream
from penstock.errors import SinkError, UnsupportedError
from penstock.io.filesystem import scheme_of
from penstock.io.registry import (
    detect,
    detect_target,
    format_named,
    sink_for,
    source_for,
)
from penstock.io.sink import Sink
from penstock.io.source import Pushdown, Source
from penstock.records import record
from penstock.scheduler import Profile, current_pool
from penstock.scheduler.limits import available_cpus, peak_resident_bytes
from penstock.scheduler.spill import directory, sweep

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.collections.frame import DataFrame
    from penstock.io.sink import Mode
    from penstock.scheduler.graph import Stage

_HEAD_BLOCK = 4 << 20


@record
class Reading:
    """What to read, and how.

    Attributes
    ----------
    paths : tuple of str
        Files, globs, directories, local or remote.
    format : str, optional
        Name of the format; by default what names and content tell.
    columns : tuple of str, optional
        The columns that are wanted, in this order.
    where : str, optional
        Rows that are wanted, in the language of `DataFrame.query`.
    dtypes : mapping
        Types of CSV columns by name, instead of the inferred ones.
    sep, encoding : str, optional
        Of CSV; the separator otherwise goes by the file's name.
    blocksize : str or int, optional
        Bytes of a block; by default what fits the limit.
    storage_options : mapping
        For the filesystem.
    """

    paths: tuple[str, ...]
    format: str | None = None
    columns: tuple[str, ...] | None = None
    where: str | None = None
    dtypes: Mapping[str, str] = field(default_factory=dict)
    sep: str | None = None
    encoding: str | None = None
    blocksize: str | int | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@record
class Writing:
    """What to write, and how.

    Attributes
    ----------
    path : str
        One file when its name ends as a data file's, otherwise a directory.
    format : str, optional
        By default what the name tells; for other directories Parquet, or CSV
        where Parquet is read.
    mode : {"error", "overwrite", "append"}
        What to do with a target that is there.
    compression : str, optional
        The format's codec; by default its own choice.
    partition_on : tuple of str
        Columns that become ``key=value`` folders.
    sep : str, optional
        Separator of CSV.
    storage_options : mapping
        For the filesystem.
    """

    path: str
    format: str | None = None
    mode: Mode = "error"
    compression: str | None = None
    partition_on: tuple[str, ...] = ()
    sep: str | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@record
class Conversion:
    """What a conversion did.

    Attributes
    ----------
    bytes_read, bytes_written : int
        Sizes of the files.
    peak_memory, memory_limit : int
        Resident bytes of the process.
    spilled : int
        Bytes written to spill files.
    """

    source_format: str
    target_format: str
    rows_read: int
    rows_filtered: int
    rows_written: int
    files_read: int
    files_written: int
    bytes_read: int
    bytes_written: int
    seconds: float
    peak_memory: int
    memory_limit: int
    spilled: int


@record
class Preview:
    """What a conversion would do, found by looking at a sample only.

    Attributes
    ----------
    single_file : bool
        Whether one file is written, in order, instead of a directory.
    schema : pyarrow.Schema
        Of what is written.
    splits : int
        Blocks that are read one by one.
    files, stored_bytes : int
        Of the source.
    block_bytes, total_bytes : int
        Estimated bytes in memory of the largest block, and of all.
    base_memory, task_memory, workers, memory_limit : int
        Resident bytes now, of one more task, tasks at once, and the limit.
    """

    source_format: str
    target_format: str
    single_file: bool
    target_exists: bool
    schema: pa.Schema
    splits: int
    files: int
    stored_bytes: int
    block_bytes: int
    total_bytes: int
    base_memory: int
    task_memory: int
    workers: int
    memory_limit: int

    @property
    def projected_memory(self) -> int:
        """Resident bytes with all workers busy; admission keeps them under the limit."""
        return min(self.base_memory + self.workers * self.task_memory, self.memory_limit)


def convert(reading: Reading, writing: Writing) -> Conversion:
    r"""Read files, filter them, and write them in another format.

    Memory, workers and progress follow the settings (`penstock.config`). The
    target is as it was until every row is written and counted. The default
    index is not written.

    Parameters
    ----------
    reading : Reading
    writing : Writing

    Returns
    -------
    Conversion

    Raises
    ------
    ConfigError
        When the options contradict each other.
    SinkError
        When the rows written are not those that were read; nothing is
        committed then.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "trips.csv").write_text("zone,fare\n1,5.0\n2,-1.0\n")
    >>> done = convert(
    ...     Reading((str(folder / "trips.csv"),), where="fare > 0"),
    ...     Writing(str(folder / "trips.parquet")),
    ... )
    >>> done.rows_read, done.rows_filtered, done.rows_written
    (2, 1, 1)
    """
    started, before = time.monotonic(), peak_resident_bytes()
    sweep(directory().parent)
    source = _opened(reading)
    make_sink = _sink_maker(reading, writing, source)
    tally = Tally()
    sink = CheckedSink(make_sink, tally, shown(writing.path))
    plan = _writing_plan(reading, source, sink, writing.partition_on)
    with Profile() as profile:
        Scalar(counting(plan, tally), Column("rows")).compute()
    written = _written(sink, writing)
    facts, peak = source.describe(), peak_resident_bytes()
    return Conversion(
        source.format,
        sink.format,
        tally.parsed,
        tally.parsed - tally.kept,
        sink.rows,
        int(facts.get("files", 0)),
        len(sink.paths),
        int(facts.get("bytes", 0)),
        written,
        time.monotonic() - started,
        # The system's own mark, unless it is older than this conversion.
        peak if peak > before else profile.peak_memory,
        profile.memory_limit,
        profile.spilled_bytes,
    )


def preview(reading: Reading, writing: Writing) -> Preview:
    """Return what `convert` would do, reading no more than the sample.

    Parameters
    ----------
    reading : Reading
    writing : Writing

    Returns
    -------
    Preview
    """
    source = _opened(reading)
    sink = _sink_maker(reading, writing, source)()
    node = _writing_plan(reading, source, UnwrittenSink(sink), writing.partition_on)
    pool = current_pool()
    workers = int(config.get("num-workers") or available_cpus())
    with lowered([node], Options(), None) as ready:
        stages = ready.lowering.graph.stages
        task = max(_task_memory(stages, number) for number in range(len(stages)))
        optimised = optimise([node], ready.lowering.block_bytes)
    reader = next(one for one in walk(*optimised) if isinstance(one, ReadFrame))
    facts = source.describe()
    splits = reader.splits
    return Preview(
        source.format,
        sink.format,
        sink.ordered,
        exists(writing.path, writing.storage_options),
        node.output_schema(),
        len(splits),
        int(facts.get("files", 0)),
        int(facts.get("bytes", 0)),
        max((split.nbytes for split in splits), default=0),
        reader.nbytes,
        pool.rss,
        task,
        workers,
        pool.limit,
    )


def facts(reading: Reading, *, count: bool = False) -> dict[str, Any]:
    """Return what is known of files: format, schema, rows, blocks, sizes, drift.

    Parameters
    ----------
    reading : Reading
    count : bool
        Read the files to count the rows where they are not known beforehand.

    Returns
    -------
    dict
        Plain values, fit for JSON; ``rows`` is None when they are not known.
    """
    source = _opened(reading)
    frame = _frame(source, reading)
    known = dict(source.describe())
    rows = known.pop("rows", None)
    if reading.where is not None:
        rows = None
    if rows is None and count:
        rows = len(frame)
    schema = frame.plan.schema
    codec = known.pop("codecs", None) or known.pop("compression", None)
    known.pop("types", None)
    found = {
        "format": source.format,
        "paths": [shown(path) for path in reading.paths],
        "files": int(known.pop("files", 0)),
        "bytes": int(known.pop("bytes", 0)),
        "rows": None if rows is None else int(rows),
        "blocks": frame.npartitions,
        "codec": [codec] if isinstance(codec, str) else list(codec or ()),
        "schema": [
            {"name": str(label), "type": str(one.type)}
            for label, one in zip(schema.labels, schema.fields, strict=True)
        ],
        "drift": [
            {"column": drift.column, "what": drift.what, "files": list(drift.files)}
            for drift in known.pop("drift", ())
        ],
    }
    plain = {"format", "columns"}
    rest = {key: value for key, value in known.items() if key not in plain and value}
    return {**found, **rest}


def first_rows(reading: Reading, count: int) -> pa.Table:
    """Return the first `count` rows, reading no further than needed.

    Parameters
    ----------
    reading : Reading
    count : int

    Returns
    -------
    pyarrow.Table
    """
    from penstock.blocks import concat_tables

    small = reading.blocksize or _HEAD_BLOCK
    frame = _frame(_opened(reading, small), reading, small)
    schema = frame.plan.schema
    tables, missing = [schema.arrow.empty_table()], count
    if missing > 0:
        with closing(run_stream(frame.plan, Options())) as blocks:
            for block in blocks:
                tables.append(block.slice(0, missing).select(schema.names))
                missing -= tables[-1].num_rows
                if missing <= 0:
                    break
    table = concat_tables(tables).select(list(schema.columns))
    return table.rename_columns([str(label) for label in schema.labels])


def source_format(reading: Reading) -> str:
    """Return the name of the format that is read: the one given, or the one detected."""
    if reading.format is None:
        return detect(reading.paths[0], reading.storage_options)
    try:
        return format_named(reading.format).name
    except UnsupportedError as error:
        raise ConfigError(str(error)) from error


def as_csv(table: pa.Table) -> bytes:
    r"""Return a table as CSV with a header, as `convert` would write it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_csv(pa.table({"zone": [1, None], "name": ["a", "b,c"]}))
    b'zone,name\n1,a\n,"b,c"\n'
    """
    from penstock.io.csv.sink import CsvFormat, format_block

    header = io.StringIO(newline="")
    csv.writer(header, lineterminator="\n").writerow(table.column_names)
    return header.getvalue().encode() + format_block(table, CsvFormat())


# ---------------------------------------------------------------- formats and names


def _target_format(writing: Writing, source_format: str) -> str:
    if writing.format is not None:
        return writing.format
    try:
        return detect_target(writing.path)
    except ValueError:
        if asks_for_other(writing.path):
            raise ConfigError(
                f"{shown(writing.path)}: nothing of that kind is written; end the name in "
                ".parquet or .csv, or name the format of the files of a directory"
            ) from None
        if writing.partition_on:
            return "parquet"
    if writing.mode == "append":  # as what is there
        with suppress(ValueError, OSError):
            found = detect(writing.path, writing.storage_options)
            if format_named(found).sink:
                return found
    return "csv" if source_format == "parquet" else "parquet"


def _opened(reading: Reading, blocksize: str | int | None = None) -> Source:
    name = source_format(reading)
    given: dict[str, Any] = {}
    if name == "csv":
        size = blocksize or reading.blocksize
        given = {
            "sep": reading.sep or separator(reading.paths[0]),
            "encoding": reading.encoding,
            "dtype": dict(reading.dtypes) or None,
            "usecols": _needed(reading),
            "blocksize": None if size is None else parse_bytes(size),
        }
    else:
        named = {"dtype": reading.dtypes, "encoding": reading.encoding}
        for option in (option for option, value in named.items() if value):
            raise ConfigError(f"{option} is for reading CSV, not {name}")
    given = {option: value for option, value in given.items() if value is not None}
    paths = list(reading.paths) if len(reading.paths) > 1 else reading.paths[0]
    options = dict(reading.storage_options) or None
    source: Source = source_for(name)(paths, storage_options=options, **given)
    if name == "csv" and "sep" not in given and len(source.schema.names) == 1:
        (only,) = source.schema.names
        other = next((sep for sep in ";\t|" if sep in only), None)
        if other is not None:
            warnings.warn(
                f"all is one column, {only!r}: pass sep={other!r} if that separates columns",
                stacklevel=2,
            )
    return source


def _needed(reading: Reading) -> list[str] | None:
    """Return the columns to look for in CSV files, which may differ in the others."""
    if reading.columns is None:
        return None
    try:
        names = [] if reading.where is None else names_in(reading.where)
    except SyntaxError:
        return None  # the query itself says so
    return list(dict.fromkeys([*reading.columns, *names]))


def _frame(source: Source, reading: Reading, blocksize: str | int | None = None) -> DataFrame:
    """Return the frame of the columns and rows that are wanted."""
    size = blocksize or reading.blocksize
    frame = from_source(source, None if size is None else parse_bytes(size))
    if reading.columns is None:
        for name in reading.dtypes:
            frame.plan.schema.column(name)  # raises, naming the columns
    if reading.where is not None:
        try:
            frame = frame.query(reading.where, local_dict={})
        except (SyntaxError, ValueError, UnsupportedError) as error:
            raise ConfigError(str(error)) from error
    return frame if reading.columns is None else frame[list(reading.columns)]


def _stored_index(reading: Reading, source: Source, target_format: str) -> tuple[str, ...]:
    """Return the columns that the files themselves declare as the index, where they stay so."""
    if reading.columns is not None or target_format != "parquet":
        return ()
    return tuple(name for name in getattr(source, "pandas_index", ()) if isinstance(name, str))


def _writing_plan(
    reading: Reading, source: Source, sink: Sink, partition_on: Sequence[str] = ()
) -> Write:
    plan: FrameNode = _frame(source, reading).plan
    if partition_on:
        columns = tuple(plan.schema.column(name) for name in partition_on)
        plan = grouped_by_folder(plan, columns, shuffle=None, file_bytes=None)
    index = _stored_index(reading, source, sink.format)
    if index:
        names = tuple(None if name.startswith("__index_level_") else name for name in index)
        plan = SetIndex(plan, index, names)
    return write_plan(plan, sink, index=bool(index))


# ---------------------------------------------------------------- the target


def _sink_maker(reading: Reading, writing: Writing, source: Source) -> Callable[[], Sink]:
    """Return what makes the sink; it is made anew for each attempt at running the plan."""
    name = _target_format(writing, source.format)
    try:
        if not format_named(name).sink:
            sink_for(name)  # raises: it can only be read
    except UnsupportedError as error:
        raise ConfigError(str(error)) from error
    single = is_single_file(writing.path)
    if single and writing.mode == "append":
        raise ConfigError(f"{shown(writing.path)} is one file and cannot be appended to; write "
                          "to a directory")  # fmt: skip
    if single and writing.partition_on:
        raise ConfigError(
            f"partition_on makes folders, but {shown(writing.path)} is one file; give the name of "
            "a directory"
        )
    given: dict[str, Any] = {"single_file": single}
    index = _stored_index(reading, source, name)
    if index:
        given["index"] = index
    if not single and writing.mode == "overwrite":
        other = other_file(writing.path, {name, source.format}, writing.storage_options)
        if other is not None:
            raise SinkError(
                f"{shown(writing.path)} also holds {shown(other)}, which would be gone; write "
                "into a directory of its own, or take other files out of this one"
            )
    if writing.partition_on:
        if name != "parquet":
            raise ConfigError(f"partition_on is for writing Parquet, not {name}")
        given["partition_on"] = writing.partition_on
    if name == "csv":
        given["sep"] = writing.sep or separator(writing.path)
        if writing.compression is not None:
            given["compression"] = csv_codec(writing.path, writing.compression, single)
    elif writing.sep is not None:
        raise ConfigError(f"sep is for writing CSV, not {name}")
    elif writing.compression is not None:
        codec = writing.compression.lower()
        given["compression"] = None if codec == "none" else codec
    make = sink_for(name)

    def made() -> Sink:
        options = dict(writing.storage_options) or None
        try:
            return make(writing.path, mode=writing.mode, storage_options=options, **given)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    made()  # what contradicts the options is said before anything is read
    return made


def _written(sink: CheckedSink, writing: Writing) -> int:
    """Return the bytes of the files written, whose own row counts are looked at where known."""
    if scheme_of(writing.path) != "file":
        return sum(receipt.nbytes for receipt in sink.receipts)
    source = None
    if format_named(sink.format).source and sink.format == "parquet":
        # Each file once: two parts under one name would be counted twice otherwise.
        source = source_for(sink.format)(list(dict.fromkeys(sink.paths)))
        rows = sum(split.rows or 0 for split in source.split(Pushdown(()), 1 << 40))
        if rows != sink.rows:
            raise SinkError(
                f"{writing.path}: the files hold {rows} rows, but {sink.rows} were written; "
                "something else changed them, or the disk is damaged: do not use them"
            )
    return sum(os.stat(path).st_size for path in sink.paths)


def _task_memory(stages: Sequence[Stage], number: int) -> int:
    """Return the bytes that one task of a stage takes, its inputs included."""
    import numpy as np

    stage = stages[number]
    starts = np.array([one.base for one in stages])
    taken = stage.indices[: stage.indptr[1]] if stage.ntasks else stage.indices
    makers = set((np.searchsorted(starts, taken, "right") - 1).tolist()) - {number}
    inputs = sum(stages[maker].memory.output for maker in makers)
    memory = stage.memory
    return int(inputs * (1 + memory.input_factor) + memory.fixed + (memory.output or inputs))

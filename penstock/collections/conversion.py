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
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from penstock import config
from penstock.collections.conversion_files import (
    Reading,
    Writing,
    opened,
    sink_maker,
    stored_index,
    wanted_frame,
)
from penstock.collections.counting import CheckedSink, Tally, UnwrittenSink, counting
from penstock.collections.filenames import exists, shown
from penstock.collections.scalar import Scalar
from penstock.collections.writing import grouped_by_folder, write_plan
from penstock.engine.expr import Column
from penstock.engine.lower import optimise
from penstock.engine.nodes.select import SetIndex
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.nodes.write import Write
from penstock.engine.plan import FrameNode, walk
from penstock.engine.run import Options, lowered, run_stream
from penstock.errors import SinkError
from penstock.io.filesystem import scheme_of
from penstock.io.registry import format_named, source_for
from penstock.io.sink import Sink
from penstock.io.source import Pushdown, Source
from penstock.records import record
from penstock.scheduler import Profile, current_pool
from penstock.scheduler.limits import available_cpus, peak_resident_bytes
from penstock.scheduler.spill import directory, sweep

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.scheduler.graph import Stage

_HEAD_BLOCK = 4 << 20


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
    source = opened(reading)
    make_sink = sink_maker(reading, writing, source)
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
    source = opened(reading)
    sink = sink_maker(reading, writing, source)()
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
    source = opened(reading)
    frame = wanted_frame(source, reading)
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
    frame = wanted_frame(opened(reading, small), reading, small)
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


def _writing_plan(
    reading: Reading, source: Source, sink: Sink, partition_on: Sequence[str] = ()
) -> Write:
    plan: FrameNode = wanted_frame(source, reading).plan
    if partition_on:
        columns = tuple(plan.schema.column(name) for name in partition_on)
        plan = grouped_by_folder(plan, columns, shuffle=None, file_bytes=None)
    index = stored_index(reading, source, sink.format)
    if index:
        names = tuple(None if name.startswith("__index_level_") else name for name in index)
        plan = SetIndex(plan, index, names)
    return write_plan(plan, sink, index=bool(index))


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

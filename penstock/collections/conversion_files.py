"""What a conversion reads and writes: the files asked for, and the source and sink of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from penstock.collections.creation import from_source
from penstock.collections.filenames import (
    asks_for_other,
    csv_codec,
    is_single_file,
    other_file,
    separator,
    shown,
)
from penstock.collections.queries import names_in
from penstock.config import ConfigError, parse_bytes
from penstock.errors import SinkError, UnsupportedError
from penstock.io.registry import (
    detect,
    detect_target,
    format_named,
    sink_for,
    source_for,
)
from penstock.io.sink import Sink
from penstock.io.source import Source
from penstock.records import record

if TYPE_CHECKING:
    from penstock.collections.frame import DataFrame
    from penstock.io.sink import Mode


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
    on_bad_lines, encoding_errors : str, optional
        What to do with CSV rows of too many fields, and with bytes that the encoding has not.
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
    on_bad_lines: str | None = None
    encoding_errors: str | None = None
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


def source_format(reading: Reading) -> str:
    """Return the name of the format that is read: the one given, or the one detected."""
    if reading.format is None:
        return detect(reading.paths[0], reading.storage_options)
    try:
        return format_named(reading.format).name
    except UnsupportedError as error:
        raise ConfigError(str(error)) from error


def opened(reading: Reading, blocksize: str | int | None = None) -> Source:
    """Return the source of the files, with the options of their format."""
    name = source_format(reading)
    given: dict[str, Any] = {}
    of_csv = {
        "dtype": dict(reading.dtypes) or None,
        "encoding": reading.encoding,
        "on_bad_lines": reading.on_bad_lines,
        "encoding_errors": reading.encoding_errors,
    }
    if name == "csv":
        size = blocksize or reading.blocksize
        given = {
            **of_csv,
            "sep": reading.sep or separator(reading.paths[0]),
            "usecols": _needed(reading),
            "blocksize": None if size is None else parse_bytes(size),
        }
    else:
        for option in (option for option, value in of_csv.items() if value):
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


def wanted_frame(source: Source, reading: Reading, blocksize: str | int | None = None) -> DataFrame:
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


def stored_index(reading: Reading, source: Source, target_format: str) -> tuple[str, ...]:
    """Return the columns that the files themselves declare as the index, where they stay so."""
    if reading.columns is not None or target_format != "parquet":
        return ()
    return tuple(name for name in getattr(source, "pandas_index", ()) if isinstance(name, str))


def sink_maker(reading: Reading, writing: Writing, source: Source) -> Callable[[], Sink]:
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
    index = stored_index(reading, source, name)
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

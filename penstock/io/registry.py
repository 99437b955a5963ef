"""The formats, found lazily: names, suffixes and magic bytes lead to an import path.

Nothing of a format is imported before it is used. Third parties add formats by
an entry point in the group ``penstock.formats`` whose object is a `Format`::

    [project.entry-points."penstock.formats"]
    avro = "penstock_avro:FORMAT"
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import TYPE_CHECKING, Any

from penstock.errors import FormatError, UnsupportedError, missing_dependency
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.io.sink import Sink
    from penstock.io.source import Source

ENTRY_POINT_GROUP = "penstock.formats"
COMPRESSION_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_HEAD_BYTES = 512


@record
class Format:
    """One format and where its code is.

    Attributes
    ----------
    name : str
    suffixes : tuple of str
        File name endings in lower case, with the dot.
    source, sink : str
        ``"module:function"`` that makes the reader or writer; empty when there is none.
    magic : tuple of bytes
        First bytes that tell the format.
    requires : str
        The optional library it needs besides Penstock's own, by its import name.
    extra : str
        The extra of Penstock, or the package, that installs that library.
    """

    name: str
    suffixes: tuple[str, ...]
    source: str = ""
    sink: str = ""
    magic: tuple[bytes, ...] = ()
    requires: str = ""
    extra: str = ""


BUILTIN = (
    Format(
        "csv",
        (".csv", ".tsv", ".tab", ".psv"),
        "penstock.io.csv:csv_source",
        "penstock.io.csv.sink:csv_sink",
    ),
    Format(
        "parquet",
        (".parquet", ".parq", ".pq"),
        "penstock.io.parquet:parquet_source",
        "penstock.io.parquet:parquet_sink",
        magic=(b"PAR1", b"PARE"),
    ),
    Format("text", (".txt", ".log"), "penstock.io.text:text_source"),
)

_BUILTIN = {one.name: one for one in BUILTIN}


@functools.cache
def formats() -> Mapping[str, Format]:
    """Return all known formats by name; Penstock's own come first and win.

    Returns
    -------
    mapping of str to Format

    Examples
    --------
    >>> "parquet" in formats()
    True
    """
    from importlib.metadata import entry_points

    known = dict(_BUILTIN)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        known.setdefault(point.name, Format(point.name, (), source=f"entry point:{point.value}"))
    return known


def format_named(name: str) -> Format:
    """Return the format called `name`.

    Raises
    ------
    UnsupportedError
        If there is none of that name.
    """
    # looking for entry points reads the metadata of every package that is installed
    known = _BUILTIN if name in _BUILTIN else formats()
    if name not in known:
        raise UnsupportedError(
            f"unknown format {name!r}; known are {', '.join(sorted(known))}. Packages add "
            f"formats through the entry-point group {ENTRY_POINT_GROUP!r}"
        )
    return _loaded(known[name])


def _loaded(one: Format) -> Format:
    """Return a third party's own description, imported now that it is needed."""
    if not one.source.startswith("entry point:"):
        return one
    found = _third_party(one.name)
    if not isinstance(found, Format):
        raise UnsupportedError(
            f"the entry point {one.name!r} of {ENTRY_POINT_GROUP!r} is not a Format: {found!r}"
        )
    return found


@functools.cache
def _third_party(name: str) -> Any:
    from importlib.metadata import entry_points

    (point, *_) = entry_points(group=ENTRY_POINT_GROUP, name=name)
    return point.load()


def source_for(name: str) -> Callable[..., Source]:
    """Return the function that makes a source of the format `name`.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable

    Raises
    ------
    UnsupportedError
        If the format is unknown or cannot be read.
    MissingDependencyError
        If it needs a library that is not installed.

    Examples
    --------
    >>> source_for("parquet").__name__
    'parquet_source'
    """
    one = format_named(name)
    if not one.source:
        raise UnsupportedError(f"the format {name!r} can be written, not read")
    return _function(one, one.source, f"reading {name}")


def sink_for(name: str) -> Callable[..., Sink]:
    """Return the function that makes a sink of the format `name`.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable

    Raises
    ------
    UnsupportedError
        If the format is unknown or cannot be written.
    MissingDependencyError
        If it needs a library that is not installed.
    """
    one = format_named(name)
    if not one.sink:
        raise UnsupportedError(f"the format {name!r} can be read, not written")
    return _function(one, one.sink, f"writing {name}")


def _function(one: Format, path: str, purpose: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    try:
        if one.requires:
            importlib.import_module(one.requires)
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        wanted = one.requires or str(error.name)
        if error.name and not wanted.startswith(error.name) and not one.requires:
            raise
        raise missing_dependency(wanted, one.extra or one.name, purpose) from error
    return function


def detect(path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> str:
    """Return the name of the format of a file, directory or glob.

    The suffix decides; where it says nothing, the first bytes of the first file.

    Parameters
    ----------
    path : str or path
    storage_options : mapping, optional

    Returns
    -------
    str

    Raises
    ------
    FormatError
        If neither tells the format.
    SourceError
        If there is no such file.

    Examples
    --------
    >>> detect("trips/2024-*.csv.gz")
    'csv'
    """
    text = os.fspath(path)
    known = [_loaded(one) for one in formats().values()]
    by_name = _by_suffix(text, known)
    if by_name is not None:
        return by_name
    from penstock.io.filesystem import expand, read_range

    files = expand(text, storage_options)
    for info in files:
        by_name = _by_suffix(info.uri, known)
        if by_name is not None:
            return by_name
    first = next((info for info in files if info.size), None)
    if first is None:
        raise FormatError(f"{text}: the format cannot be told: no suffix is known, all is empty")
    head = read_range(first, 0, min(first.size, _HEAD_BYTES), storage_options)
    for one in known:
        if any(head.startswith(magic) for magic in one.magic):
            return one.name
    from penstock.io.sniff import describe_content

    content = describe_content(head)
    raise FormatError(
        f"{first.uri}: the format cannot be told by its name"
        + (f"; it is {content}" if content else "")
        + f"; name one of {', '.join(sorted(one.name for one in known))}"
    )


def detect_target(path: str | os.PathLike[str]) -> str:
    """Return the format that the name of an output asks for.

    Raises
    ------
    FormatError
        If its suffix is none of a known format.

    Examples
    --------
    >>> detect_target("s3://bucket/out.parquet/")
    'parquet'
    """
    text = os.fspath(path)
    found = _by_suffix(text, [_loaded(one) for one in formats().values()])
    if found is None:
        suffixes = sorted({suffix for one in formats().values() for suffix in one.suffixes})
        raise FormatError(
            f"{text}: the name does not tell the format to write; end it in one of "
            f"{', '.join(suffixes)} or name the format"
        )
    return found


def _by_suffix(text: str, known: Iterable[Format]) -> str | None:
    name = text.rstrip("/").lower()
    for suffix in COMPRESSION_SUFFIXES:
        name = name.removesuffix(suffix)
    return next((one.name for one in known if one.suffixes and name.endswith(one.suffixes)), None)

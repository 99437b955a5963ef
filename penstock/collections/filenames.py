"""What the names of files and directories tell: format, separator, one file or many."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from penstock.config import ConfigError
from penstock.io.filesystem import expand, get_filesystem, local_path, scheme_of
from penstock.io.registry import COMPRESSION_SUFFIXES, detect_target

if TYPE_CHECKING:
    from collections.abc import Mapping

_CSV_SUFFIXES = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst"}
_OTHER_SUFFIXES = (
    ".json", ".jsonl", ".ndjson", ".xlsx", ".xls", ".orc", ".feather", ".arrow", ".ipc", ".avro",
    ".h5", ".hdf5", ".hdf", ".zarr", ".db", ".sqlite", ".duckdb",
)  # fmt: skip
_SEPARATORS = {".tsv": "\t", ".tab": "\t", ".psv": "|"}


def shown(path: str) -> str:
    """Return an address without the credentials that it may hold.

    Examples
    --------
    >>> shown("https://me:secret@example.org/a.csv?signature=abc")
    'https://example.org/a.csv'
    """
    scheme, found, rest = path.partition("://")
    if not found or scheme == "file":
        return path
    if scheme in ("http", "https", "ftp", "sftp"):
        rest = rest.partition("?")[0]
    host, slash, tail = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{tail}"


def stem(path: str) -> str:
    """Return the name in lower case without the suffix of a compression."""
    name = path.lower()
    for suffix in COMPRESSION_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def is_single_file(path: str) -> bool:
    """Return whether a target of this name is one file instead of a directory.

    Examples
    --------
    >>> is_single_file("out.csv.gz"), is_single_file("out/part-*.csv"), is_single_file("out")
    (True, False, False)
    """
    if path.endswith("/") or "*" in path:
        return False
    return _format_or_none(path) is not None


def asks_for_other(path: str) -> bool:
    """Return whether a name asks for what no format writes: a directory would surprise.

    Examples
    --------
    >>> asks_for_other("out.json"), asks_for_other("-"), asks_for_other("out")
    (True, True, False)
    """
    return path == "-" or stem(path).endswith(_OTHER_SUFFIXES)


def other_file(path: str, formats: set[str], storage_options: Mapping[str, Any]) -> str | None:
    """Return a file in a directory that is of none of some formats, None where all are.

    Hidden files, and those that start with ``_``, count as the data set's own.
    """
    try:
        files = expand(path, storage_options)
    except FileNotFoundError:
        return None
    return next((info.uri for info in files if _format_or_none(info.uri) not in formats), None)


def _format_or_none(path: str) -> str | None:
    try:
        return detect_target(path)
    except ValueError:
        return None


def separator(path: str) -> str | None:
    """Return what separates columns in CSV of this name, where it is not a comma."""
    return next((sep for end, sep in _SEPARATORS.items() if stem(path).endswith(end)), None)


def exists(path: str, storage_options: Mapping[str, Any]) -> bool:
    """Return whether there is a file or directory of this name, local or remote."""
    if scheme_of(path) == "file":
        return os.path.lexists(local_path(path))
    filesystem, inner = get_filesystem(path, storage_options)
    return bool(filesystem.exists(inner))


def csv_codec(path: str, compression: str, single: bool) -> str | None:
    """Return the codec of a CSV target, which must go with the name of a single file.

    Examples
    --------
    >>> csv_codec("out.csv.gz", "GZ", True)
    'gzip'
    """
    codec = compression.lower()
    known = {**{codec: codec for codec in _CSV_SUFFIXES}, "none": None, "gz": "gzip"}
    if codec not in known:
        raise ConfigError(
            f"compression {codec!r} is none of CSV's: {', '.join(_CSV_SUFFIXES)}, none"
        )
    chosen = known[codec]
    end = _CSV_SUFFIXES.get(chosen, "") if chosen else ""
    suffixes = (end,) if end else tuple(_CSV_SUFFIXES.values())
    if single and path.lower().endswith(suffixes) != bool(end):
        raise ConfigError(
            f"{shown(path)}: compression {codec!r} does not go with this name; "
            + (f"end it in {end!r}" if end else "leave out the last suffix")
        )
    return chosen

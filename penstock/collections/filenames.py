"""What the names of files and directories tell: format, separator, one file or many."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from penstock.io.filesystem import get_filesystem, local_path, scheme_of
from penstock.io.registry import COMPRESSION_SUFFIXES, detect_target

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    try:
        detect_target(path)
    except ValueError:
        return False
    return True


def separator(path: str) -> str | None:
    """Return what separates columns in CSV of this name, where it is not a comma."""
    return next((sep for end, sep in _SEPARATORS.items() if stem(path).endswith(end)), None)


def exists(path: str, storage_options: Mapping[str, Any]) -> bool:
    """Return whether there is a file or directory of this name, local or remote."""
    if scheme_of(path) == "file":
        return os.path.lexists(local_path(path))
    filesystem, inner = get_filesystem(path, storage_options)
    return bool(filesystem.exists(inner))

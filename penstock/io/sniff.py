"""What a file really holds, whatever its name says."""

from __future__ import annotations

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "Parquet data"),
    (b"PARE", "encrypted Parquet data"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 data"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"BZh", "bzip2-compressed data"),
    (b"\xfd7zXZ\x00", "xz-compressed data"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"ARROW1", "an Arrow IPC file"),
    (b"FEA1", "a Feather file"),
    (b"ORC", "ORC data"),
    (b"Obj\x01", "Avro data"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a PNG picture"),
)


def describe_content(head: bytes) -> str | None:
    """Return what a file's first bytes show it to be, or None when they tell nothing.

    Meant for explaining why a file cannot be what its name says: binary formats,
    web pages, error documents of object stores, and Git LFS pointers are known.

    Parameters
    ----------
    head : bytes
        The first bytes of the file; 512 are enough.

    Returns
    -------
    str or None

    Examples
    --------
    >>> describe_content(b"<!DOCTYPE html><html>")
    'an HTML page'
    >>> describe_content(b"a,b,c") is None
    True
    """
    for magic, what in _MAGIC:
        if head.startswith(magic):
            if magic == b"ORC" and not head[3:4] < b" ":
                continue  # a text that starts with these letters
            return what
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer, not the file itself (run 'git lfs pull')"
    text = head[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if text.startswith((b"<?xml", b"<error>")):
        if b"<error>" in text:
            return "an XML error message" + _xml_code(head)
        return "an HTML page" if b"<html" in text else "an XML document"
    return None


def _xml_code(head: bytes) -> str:
    _, found, rest = head[:2048].partition(b"<Code>")
    code, closed, _ = rest.partition(b"</Code>")
    return f" ({code.decode(errors='replace')})" if found and closed else ""

"""Where bytes come from: listing, ranged reads and streams, local or remote.

A file is pinned when it is listed: `FileInfo.version` is the modification time
or the ETag, and reading it later fails if the file is another one by then.
Bytes read are counted per scheme, process-wide.
"""

from __future__ import annotations

import glob
import io
import os
import re
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from penstock.errors import MissingDependencyError, SourceError
from penstock.io import s3
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    StorageOptions = Mapping[str, Any] | None

_MAGIC = re.compile(r"[*?\[]")
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+)://")
_STREAM_BLOCK = 4 << 20
_COALESCE_GAP = 256 << 10
_COALESCE_MOST = 32 << 20

_counts: Counter[str] = Counter()
_counts_lock = threading.Lock()


class MissingFileError(SourceError, FileNotFoundError):
    """No file is where the user said."""


@record
class FileInfo:
    """One listed file.

    Attributes
    ----------
    uri : str
        Absolute path, or address with its scheme; never holds credentials.
    size : int
        Bytes.
    version : str
        Modification time in nanoseconds or ETag, as it was when listed.
    """

    uri: str
    size: int
    version: str = ""


def scheme_of(uri: str | os.PathLike[str]) -> str:
    """Return ``"file"``, ``"s3"``, ``"http"``, ... of a path or address."""
    match = _SCHEME.match(os.fspath(uri))
    if match is None:
        return "file"
    scheme = match.group(1).lower()
    return {"local": "file", "s3a": "s3"}.get(scheme, scheme)


def local_path(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a local path or ``file://`` address."""
    text = os.fspath(path)
    return os.path.abspath(os.path.expanduser(_SCHEME.sub("", text)))


def bytes_read() -> dict[str, int]:
    """Return the bytes that this process has read so far, per scheme.

    Returns
    -------
    dict of str to int

    Examples
    --------
    >>> isinstance(bytes_read(), dict)
    True
    """
    with _counts_lock:
        return dict(_counts)


def count_bytes(scheme: str, nbytes: int) -> None:
    """Add to what `bytes_read` reports (for readers that open files on their own)."""
    with _counts_lock:
        _counts[scheme] += nbytes


def get_filesystem(uri: str, storage_options: StorageOptions = None) -> tuple[Any, str]:
    """Return the fsspec filesystem of `uri` and the path inside it.

    Parameters
    ----------
    uri : str
        A path or an address such as ``s3://bucket/key``.
    storage_options : mapping, optional
        Passed to the filesystem. For S3, credentials are looked for where boto
        looks; when there are none at all, anonymous access is tried.

    Returns
    -------
    tuple of (fsspec.AbstractFileSystem, str)

    Raises
    ------
    SourceError
        If only one half of the S3 credentials is given, or the scheme is unknown.
    MissingDependencyError
        If the filesystem's library is not installed.
    """
    scheme = scheme_of(uri)
    if scheme == "s3":
        return s3.s3_filesystem(storage_options), uri.partition("://")[2]
    import fsspec

    if scheme == "file":
        return fsspec.filesystem("file"), local_path(uri)
    try:
        filesystem = fsspec.filesystem(scheme, **dict(storage_options or {}))
    except ImportError as error:
        raise MissingDependencyError(
            f"{scheme}:// needs a library that is not installed: {error}"
        ) from error
    except ValueError as error:
        raise SourceError(f"{uri}: no filesystem is known for {scheme}://") from error
    return filesystem, filesystem._strip_protocol(uri)


# ------------------------------------------------------------------ listing


def expand(paths: Paths, storage_options: StorageOptions = None) -> list[FileInfo]:
    """Return the files that `paths` names, each pinned to its present version.

    Parameters
    ----------
    paths : str, path or list of these
        Files, directories (listed recursively) and globs, local or remote. Globs
        and directories are sorted naturally (``part.2`` before ``part.10``),
        lists keep their order. Names that start with ``_`` or ``.`` are ignored
        unless named outright.
    storage_options : mapping, optional
        Passed to the filesystem.

    Returns
    -------
    list of FileInfo

    Raises
    ------
    SourceError
        If a path, pattern or directory holds no file (also a `FileNotFoundError`).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b10.csv", "b9.csv", "_SUCCESS"):
    ...     _ = (folder / name).write_text("x")
    >>> [pathlib.Path(file.uri).name for file in expand(folder)]
    ['b9.csv', 'b10.csv']
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    files: list[FileInfo] = []
    given = 0
    for path in paths:
        given += 1
        text = os.fspath(path)
        found = (
            _expand_local(text)
            if scheme_of(text) == "file"
            else _expand_remote(text, storage_options)
        )
        files.extend(found)
    if not given:
        raise MissingFileError("no input files were given: the list of paths is empty")
    return files


def natural_key(text: str) -> tuple[Any, ...]:
    """Return a sort key under which ``part.2`` comes before ``part.10``."""
    return tuple(
        (0, int(piece), piece) if piece.isdecimal() else (1, piece, "")
        for piece in re.split(r"(\d+)", text)
        if piece
    )


def _ignored(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _hidden_match(name: str, pattern: str) -> bool:
    """Whether a glob's match is a hidden file or below a hidden folder it did not ask for."""
    parts = pattern.split("/")
    fixed = next(position for position, part in enumerate(parts) if _MAGIC.search(part))
    if any(map(_ignored, parts[fixed:])):
        return False
    return any(map(_ignored, name.rstrip("/").split("/")[fixed:]))


def _expand_local(text: str) -> list[FileInfo]:
    path = local_path(text)
    if os.path.isfile(path):
        return [_local_info(path)]
    if os.path.isdir(path):
        return _some(map(_local_info, _walk(path)), text, "the directory holds no data file")
    if not os.path.lexists(path) and _MAGIC.search(path):
        names: list[str] = []
        for name in sorted(glob.glob(path, recursive=True), key=natural_key):
            if not _hidden_match(name, path):
                names.extend(_walk(name) if os.path.isdir(name) else [name])
        unique = dict.fromkeys(names)  # "**" matches a directory and its files
        return _some(map(_local_info, unique), text, "no file matches the pattern")
    if os.path.lexists(path) and os.path.exists(path):  # a pipe or device
        return [_local_info(path)]
    raise MissingFileError(f"{text}: there is no such file or directory")


def _walk(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise SourceError(f"cannot list {folder}: {error.strerror}") from error
    for entry in listed:
        if _ignored(entry.name):
            continue
        if entry.is_dir():
            yield from _walk(entry.path)
        elif entry.is_file():
            yield entry.path


def _local_info(path: str) -> FileInfo:
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: the file vanished while it was listed") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    return FileInfo(path, status.st_size, str(status.st_mtime_ns))


def _some(files: Iterable[FileInfo], text: str, otherwise: str) -> list[FileInfo]:
    listed = list(files)
    if not listed:
        raise MissingFileError(f"{text}: {otherwise}")
    return listed


def _expand_remote(uri: str, storage_options: StorageOptions) -> list[FileInfo]:
    filesystem, path = get_filesystem(uri, storage_options)
    scheme = scheme_of(uri)
    try:
        if scheme == "s3":
            return s3.retried(lambda: _list_remote(filesystem, scheme, uri, path))
        return _list_remote(filesystem, scheme, uri, path)
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise MissingFileError(f"{uri}: there is no such file or directory") from error
    except Exception as error:
        if scheme == "s3":
            raise s3.source_error(error, uri, filesystem) from error
        raise SourceError(f"cannot list {uri}: {type(error).__name__}: {error}") from error


def _list_remote(filesystem: Any, scheme: str, uri: str, path: str) -> list[FileInfo]:
    def pinned(name: str, facts: Mapping[str, Any]) -> FileInfo:
        name = name.removeprefix(f"{scheme}://") if scheme == "s3" else name
        address = f"s3://{name}" if scheme == "s3" else filesystem.unstrip_protocol(name)
        return FileInfo(address, int(facts.get("size") or 0), _version(facts))

    def below(folder: str) -> list[FileInfo]:
        found = filesystem.find(folder, detail=True)
        start = len(folder.rstrip("/")) + 1
        kept = {
            name: facts
            for name, facts in found.items()
            if not name.endswith("/") and not any(map(_ignored, name[start:].split("/")))
        }
        return [pinned(name, kept[name]) for name in sorted(kept, key=natural_key)]

    if _MAGIC.search(path) and scheme not in ("http", "https"):
        files: list[FileInfo] = []
        matches = filesystem.glob(path, detail=True)
        for name in sorted(matches, key=natural_key):
            if _hidden_match(name, path):
                continue
            if matches[name]["type"] == "directory":
                files.extend(below(name))
            elif not name.endswith("/"):
                files.append(pinned(name, matches[name]))
        if files or not filesystem.exists(path):
            return _some(dict.fromkeys(files), uri, "no file matches the pattern")
    facts = filesystem.info(path)  # of a name that looks like a pattern too
    if facts.get("type") == "directory":
        return _some(below(path), uri, "the directory holds no data file")
    return [pinned(facts.get("name") or path, facts)]


def _version(facts: Mapping[str, Any]) -> str:
    names = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
    return next((str(facts[name]) for name in names if facts.get(name)), "")


# ------------------------------------------------------------------ reading


def read_range(
    info: FileInfo, offset: int, length: int, storage_options: StorageOptions = None
) -> bytes:
    """Return `length` bytes of a file from `offset`; fewer only at its end.

    Parameters
    ----------
    info : FileInfo
    offset, length : int
    storage_options : mapping, optional

    Returns
    -------
    bytes

    Raises
    ------
    SourceError
        If the file changed since it was listed, vanished, or cannot be read after
        retries.
    """
    return read_ranges(info, [(offset, length)], storage_options)[0]


def read_ranges(
    info: FileInfo,
    ranges: Sequence[tuple[int, int]],
    storage_options: StorageOptions = None,
) -> list[bytes]:
    """Return the bytes of each (offset, length); remote ones are fetched side by side.

    Parameters
    ----------
    info : FileInfo
    ranges : sequence of (int, int)
    storage_options : mapping, optional

    Returns
    -------
    list of bytes
    """
    spans = [(offset, max(0, min(length, info.size - offset))) for offset, length in ranges]
    scheme = scheme_of(info.uri)
    if scheme == "file":
        return _read_local(info, spans)
    filesystem, path = get_filesystem(info.uri, storage_options)
    if scheme == "s3":
        etag = info.version or None
        return s3.read_ranges(
            filesystem, info.uri, spans, etag, lambda nbytes: count_bytes("s3", nbytes)
        )
    return [_read_remote(filesystem, path, info, *span) for span in spans]


def _read_local(info: FileInfo, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    path = local_path(info.uri)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise SourceError(f"cannot read {info.uri}: {error.strerror}") from error
    try:
        found = [_pread(descriptor, *span) for span in spans]
        _check_unchanged(descriptor, info)  # after reading, so that nothing torn passes
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot read {info.uri}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    for (offset, length), data in zip(spans, found, strict=True):
        if len(data) < length:
            raise SourceError(f"{info.uri}: ends {length - len(data)} bytes early at {offset}")
    count_bytes("file", sum(map(len, found)))
    return found


def _pread(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset)
    if len(data) >= length:
        return data
    pieces = [data]
    got = len(data)
    while data and got < length:  # one call returns at most 2 GB
        data = os.pread(descriptor, length - got, offset + got)
        pieces.append(data)
        got += len(data)
    return b"".join(pieces)


def _check_unchanged(descriptor: int, info: FileInfo) -> None:
    status = os.fstat(descriptor)
    if info.version and (str(status.st_mtime_ns) != info.version or status.st_size != info.size):
        raise s3.changed(info.uri)


def _read_remote(filesystem: Any, path: str, info: FileInfo, offset: int, length: int) -> bytes:
    if length <= 0:
        return b""
    for attempt in range(s3.ATTEMPTS):
        last = attempt == s3.ATTEMPTS - 1
        try:
            data = filesystem.cat_file(path, start=offset, end=offset + length)
        except Exception as error:
            if last or isinstance(error, FileNotFoundError | PermissionError):
                raise SourceError(f"cannot read {info.uri} at {offset}: {error}") from error
        else:
            if len(data) == length:
                count_bytes(scheme_of(info.uri), length)
                return cast("bytes", data)
            if last:
                raise SourceError(f"{info.uri}: {len(data)} bytes came instead of {length}")
        time.sleep(s3.back_off(attempt))
    raise AssertionError("unreachable")


def coalesce(
    ranges: Iterable[tuple[int, int]], gap: int = _COALESCE_GAP, most: int = _COALESCE_MOST
) -> list[tuple[int, int]]:
    """Return (offset, length) ranges merged where the bytes between cost less than a request.

    Parameters
    ----------
    ranges : iterable of (int, int)
    gap : int
        Bytes between two ranges up to which they are read as one.
    most : int
        Length beyond which a merged range does not grow.

    Returns
    -------
    list of (int, int)

    Examples
    --------
    >>> coalesce([(0, 10), (12, 8), (100, 5)], gap=4)
    [(0, 20), (100, 5)]
    """
    merged: list[tuple[int, int]] = []
    for offset, length in sorted(ranges):
        if merged:
            start, span = merged[-1]
            end = max(start + span, offset + length)
            if offset - (start + span) <= gap and end - start <= most:
                merged[-1] = (start, end - start)
                continue
        merged.append((offset, length))
    return merged


# ------------------------------------------------------------------ streams


def open_stream(info: FileInfo, storage_options: StorageOptions = None) -> BinaryIO:
    """Open a file for reading from front to back, with read-ahead and retries.

    Parameters
    ----------
    info : FileInfo
    storage_options : mapping, optional

    Returns
    -------
    binary file
        Seekable; close it, or use it in a ``with`` statement.

    Raises
    ------
    SourceError
        Here or while reading: the file changed, vanished or cannot be read.
    """
    raw: io.RawIOBase
    if scheme_of(info.uri) == "file":
        raw = _LocalStream(info)
        return io.BufferedReader(raw, 1 << 17)
    raw = _RangeStream(info, storage_options)
    return io.BufferedReader(raw, 1 << 17)


class _LocalStream(io.FileIO):
    """A local file that counts its bytes and refuses to go on once it was changed."""

    def __init__(self, info: FileInfo) -> None:
        self._info = info
        try:
            super().__init__(local_path(info.uri), "rb")
        except OSError as error:
            raise SourceError(f"cannot read {info.uri}: {error.strerror}") from error
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def readinto(self, buffer: Any) -> int:
        got = super().readinto(buffer) or 0
        self._account(got)
        return got

    def readall(self) -> bytes:
        data = super().readall()
        self._account(len(data))
        return data

    def _account(self, nbytes: int) -> None:
        _check_unchanged(self.fileno(), self._info)
        count_bytes("file", nbytes)


class _RangeStream(io.RawIOBase):
    """A remote file read in blocks, the next one fetched while this one is used."""

    def __init__(self, info: FileInfo, storage_options: StorageOptions) -> None:
        self._info = info
        self._options = storage_options
        self._position = 0
        self._block = (0, b"")
        self._ahead: tuple[int, Future[bytes]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="penstock-read-ahead")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._info.size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        start, data = self._block
        if not start <= self._position < start + len(data):
            if self._position >= self._info.size or not len(view):
                return 0
            start, data = self._block = (self._position, self._fetch(self._position))
        inside = self._position - start
        count = min(len(view), len(data) - inside)
        view[:count] = memoryview(data)[inside : inside + count]
        self._position += count
        return count

    def _fetch(self, offset: int) -> bytes:
        data: bytes | None = None
        if self._ahead is not None:
            planned, future = self._ahead
            self._ahead = None
            if planned == offset:
                data = future.result()
            else:
                future.cancel()
        if data is None:
            data = read_range(self._info, offset, _STREAM_BLOCK, self._options)
        after = offset + len(data)
        if data and after < self._info.size:
            future = self._pool.submit(read_range, self._info, after, _STREAM_BLOCK, self._options)
            self._ahead = (after, future)
        return data

    def close(self) -> None:
        if not self.closed:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._block = (0, b"")
            self._ahead = None
        super().close()

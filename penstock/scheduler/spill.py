"""Spill files: raw buffers in one private directory per process.

Tables are written as Arrow IPC streams, arrays like ``.npy`` files, other
values with pickle protocol 5. Files are only ever read back by the process that
wrote them, from a directory that only its user can enter (mode 0700), so the
unpickling is of our own bytes.

The directory ``penstock-<pid>-<start time>-<random>`` goes at exit; one whose
process was killed is removed by the next process that spills beside it. The
start time tells a process from a later one with the same id.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import itertools
import os
import pickle
import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import config
from penstock.config import format_bytes, parse_bytes
from penstock.errors import SpillError
from penstock.scheduler import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import FileIO

_PREFIX = "penstock-"
_MOST_BUFFERS = 1024  # IOV_MAX
_OWNED = re.compile(r"penstock-(\d+)-(\d+)-\w+")
_MEMORY_FILESYSTEMS = ("tmpfs", "ramfs")


class NotSpillable(Exception):
    """A value that cannot be written and read back, an open stream for example."""


class SpillFile:
    """One file of the spill directory, charged with its bytes until it is removed."""

    __slots__ = ("_directory", "kind", "nbytes", "path")

    def __init__(self, directory: SpillDirectory, path: str, kind: str) -> None:
        self._directory = directory
        self.path = path
        self.kind = kind
        self.nbytes = 0

    def truncate(self, nbytes: int) -> None:
        """Cut what was appended beyond `nbytes` off."""
        self._directory._undo(self, nbytes)
        self._directory._charge(nbytes - self.nbytes)
        self.nbytes = nbytes

    def remove(self) -> None:
        """Delete the file; doing so again does nothing."""
        if self._directory._pid != os.getpid():  # a forked child: it is the parent's
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._directory._charge(-self.nbytes)
        self.nbytes = 0


class SpillDirectory:
    """The spill files of this process.

    Parameters
    ----------
    parent : str or None
        Where the directory is made on first use; None is a temporary directory on disk.
    limit : int or None
        Bytes of all files together at most.
    """

    def __init__(self, parent: str | None = None, limit: int | None = None) -> None:
        self.parent = Path(parent).expanduser() if parent else default_parent()
        self.limit = limit
        self.used = 0
        self.written = 0
        self.path: Path | None = None
        self._pid = os.getpid()
        # Garbage collection may remove a file in the middle of anything: reentrant.
        self._lock = threading.RLock()
        self._names = itertools.count()

    def file(self, kind: str = "data") -> SpillFile:
        """Return a new empty file."""
        with self._lock:
            if self.path is None or self._pid != os.getpid():
                self.path = self._make()
        return SpillFile(self, str(self.path / f"{next(self._names)}.{kind}"), kind)

    def write(self, value: Any) -> SpillFile:
        """Write `value` to a new file.

        Raises
        ------
        NotSpillable
            When the value cannot be pickled.
        SpillError
            When the disk is full or the limit reached; no file is left behind.
        """
        kind = _kind(value)
        file = self.file(kind)
        self.append(file, lambda stream: _WRITERS[kind](stream, value), _estimate(value))
        return file

    def append(
        self,
        file: SpillFile,
        write: Callable[[FileIO], None],
        estimate: int = 0,
        *,
        opener: Callable[[str, int], int] | None = None,
    ) -> tuple[int, int]:
        """Let `write` append to `file`; return where the new bytes start and end.

        When it fails, the file is as it was before.
        """
        if self.limit is not None and self.used + estimate > self.limit:
            raise self._full(estimate, f"spill_limit is {format_bytes(self.limit)}")
        start = file.nbytes
        try:
            with open(file.path, "ab", buffering=0, opener=opener) as stream:
                write(stream)
                end = stream.seek(0, os.SEEK_END)
            if self.limit is not None and self.used + end - start > self.limit:
                raise self._full(end - start, f"spill_limit is {format_bytes(self.limit)}")
        except BaseException as error:
            self._undo(file, start)
            if isinstance(error, OSError) and not isinstance(error, SpillError):
                raise self._failed(error, estimate) from error
            raise
        file.nbytes = end
        self._charge(end - start)
        with self._lock:
            self.written += end - start
        return start, end

    def read(self, file: SpillFile) -> Any:
        """Return the value that `write` put in `file`."""
        try:
            return _READERS[file.kind](file.path)
        except OSError as error:
            raise SpillError(
                f"cannot read the spill file {file.path} back: {error.strerror or error}; "
                "something else removed or damaged it"
            ) from error

    def close(self) -> None:
        """Remove the directory and all its files."""
        if self.path is not None and self._pid == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)
        self.path = None
        self.used = 0

    def _charge(self, nbytes: int) -> None:
        with self._lock:
            self.used += nbytes

    def _undo(self, file: SpillFile, size: int) -> None:
        with contextlib.suppress(OSError):
            if size:
                os.truncate(file.path, size)
            else:
                os.unlink(file.path)

    def _make(self) -> Path:
        try:
            self.parent.mkdir(parents=True, exist_ok=True)
            sweep(self.parent)
            self._pid = os.getpid()
            mark = f"{self._pid}-{limits.start_time(self._pid) or 0}"
            return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{mark}-", dir=self.parent))
        except OSError as error:
            raise SpillError(
                f"cannot make a spill directory in {self.parent}: {error.strerror or error}; "
                "set spill_directory to a writable place"
            ) from error

    def _failed(self, error: OSError, needed: int) -> SpillError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return self._full(needed, error.strerror or "the disk is full")
        return SpillError(
            f"cannot write to {self.path}: {error.strerror or error}; "
            "set spill_directory to a writable place"
        )

    def _full(self, needed: int, why: str) -> SpillError:
        try:
            free = format_bytes(shutil.disk_usage(self.parent).free)
        except OSError:
            free = "unknown"
        return SpillError(
            f"cannot spill {format_bytes(needed)} more to {self.parent}: {why} "
            f"({format_bytes(self.used)} used, {free} free on the disk); free space there, set "
            "spill_directory to a larger disk, or raise spill_limit or memory_limit"
        )


def default_parent() -> Path:
    """Return the system's temporary directory, or /var/tmp when that one is memory."""
    parent = Path(tempfile.gettempdir())
    on_disk = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private directory in it
    if _filesystem(parent) in _MEMORY_FILESYSTEMS and os.access(on_disk, os.W_OK):
        return on_disk
    return parent


def _filesystem(path: Path) -> str:
    try:
        lines = Path("/proc/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    mounts = [line.split()[1:3] for line in lines]
    real = str(path.resolve())
    inside = [
        (len(point), kind)
        for point, kind in mounts
        if real == point or real.startswith(point.rstrip("/") + "/")
    ]
    return max(inside, default=(0, ""))[1]


def sweep(parent: Path) -> list[Path]:
    """Remove the spill directories in `parent` whose processes are dead; return them."""
    swept = []
    for path in parent.glob(f"{_PREFIX}*"):
        found = _OWNED.fullmatch(path.name)
        try:
            if not found or path.is_symlink() or not path.is_dir() or not _is_ours(path):
                continue
        except OSError:  # another process sweeps too
            continue
        if limits.start_time(int(found[1])) != found[2]:
            shutil.rmtree(path, ignore_errors=True)
            swept.append(path)
    return swept


def _is_ours(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _kind(value: Any) -> str:
    module = type(value).__module__.partition(".")[0]
    if module == "pyarrow" and type(value).__name__ == "Table":
        return "arrow"
    if module == "numpy" and type(value).__name__ == "ndarray" and not value.dtype.hasobject:
        return "npy"
    return "pickle"


def _estimate(value: Any) -> int:
    return int(getattr(value, "nbytes", 0) or 0)


def _write_table(stream: FileIO, table: Any) -> None:
    import pyarrow as pa

    with arrow_sink(stream) as sink, pa.ipc.new_stream(sink, table.schema) as to:
        to.write_table(table)


def arrow_sink(stream: FileIO) -> Any:
    """Return a file that pyarrow writes to and may close without closing `stream`."""
    import pyarrow as pa

    return pa.PythonFile(_Unclosed(stream), "w")


def _read_table(path: str) -> Any:
    import pyarrow as pa

    from penstock.blocks import one_chunk

    with pa.OSFile(path, "rb") as source, pa.ipc.open_stream(source) as reader:
        return one_chunk(reader.read_all())


def _write_array(stream: FileIO, array: Any) -> None:
    import numpy as np

    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_2_0(_Counted(stream), header)
    flat = array.T if header["fortran_order"] else array
    if not flat.flags.c_contiguous:
        flat = np.ascontiguousarray(flat)
    _write_all(stream, flat.reshape(-1).view(np.uint8))  # no copy, unlike `numpy.save`


def _read_array(path: str) -> Any:
    import numpy as np

    return np.load(path, allow_pickle=False)


def _write_pickle(stream: FileIO, value: Any) -> None:
    try:
        data = pickle.dumps(value, protocol=5)
    except Exception as error:  # whatever a type's own __reduce__ raises
        raise NotSpillable(str(error)) from error
    _write_all(stream, data)


def _read_pickle(path: str) -> Any:
    with open(path, "rb") as stream:
        return pickle.load(stream)  # noqa: S301 - our own file, see the module's docstring


def _write_all(stream: FileIO, data: Any) -> None:
    view = memoryview(data).cast("B")
    while len(view):
        written = stream.write(view)
        view = view[written:]


def write_buffers(stream: FileIO, buffers: Iterable[memoryview]) -> None:
    """Write bytes that lie in many places one after the other, without joining them."""
    left = iter(buffers)
    while some := list(itertools.islice(left, _MOST_BUFFERS)):
        written = os.writev(stream.fileno(), some)
        for buffer in some:
            if written < len(buffer):  # one call takes 2 GiB, or the disk is nearly full
                _write_all(stream, buffer[written:])
            written = max(0, written - len(buffer))


class _Counted:
    """A stream whose `write` writes everything, as an unbuffered file's may not."""

    def __init__(self, stream: FileIO) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        _write_all(self._stream, data)
        return len(data)


class _Unclosed(_Counted):
    """A stream for pyarrow, which closes what it is given."""

    closed = False

    def flush(self) -> None:
        pass

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


_WRITERS: dict[str, Callable[[Any, Any], None]] = {
    "arrow": _write_table,
    "npy": _write_array,
    "pickle": _write_pickle,
}
_READERS: dict[str, Callable[[str], Any]] = {
    "arrow": _read_table,
    "npy": _read_array,
    "pickle": _read_pickle,
}

_directories: dict[tuple[str | None, int], SpillDirectory] = {}
_directories_lock = threading.Lock()


def directory() -> SpillDirectory:
    """Return the spill directory that the settings name."""
    parent = config.get("spill-directory")
    limit = config.get("spill-limit")
    with _directories_lock:
        key = (parent, os.getpid())
        if key not in _directories:
            _directories[key] = SpillDirectory(parent)
        found = _directories[key]
    found.limit = None if limit is None else parse_bytes(limit)
    return found


@atexit.register
def close_all() -> None:
    """Remove every spill directory of this process."""
    for found in list(_directories.values()):
        found.close()

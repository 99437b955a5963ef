"""Outputs that appear all at once: temporary siblings renamed, uploads completed late.

Local, a transaction writes into a hidden directory beside the target::

    .out.penstock-<host>-<pid>-<start>-<n>/     private (0700)
        data/           what becomes the target (directory), or data/file (one file)
        old/            the target moved aside, only where directories cannot be exchanged
        append.json     files being added to a directory, while they are renamed

The name tells whether its process is alive; leftovers of dead ones are finished
or undone when the next transaction begins beside them. Replacing a directory
swaps old and new in one system call (``renameat2``), so that it is the old one
or the new one at every moment. Appending renames file by file: a kill in the
middle shows some of them until the next transaction takes them back.

On S3 every file is a multipart upload that is completed at commit, object by
object; then the old objects that were not replaced are deleted.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import socket
import threading
import uuid
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from penstock.errors import SinkError, TargetExistsError, UnsupportedError
from penstock.io import s3
from penstock.io.filesystem import local_path, natural_key, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.io.sink import Mode

_MODES = ("error", "overwrite", "append")
_EXCHANGE, _NO_REPLACE = 2, 1
_COMMIT_THREADS = 8
_STALE_UPLOAD_SECONDS = 24 * 3600
_numbers = itertools.count()
_live_uploads: set[str] = set()


class Transaction:
    """Files under one target that become visible together, or not at all.

    Parameters
    ----------
    target : str or path
        A file (``single_file=True``) or a directory; local or ``s3://``.
    storage_options : mapping, optional
        Passed to the filesystem.
    mode : {"error", "overwrite", "append"}
        What to do with an existing target. The old one stays whole until
        `commit`, so that it may be read while it is being replaced.
    single_file : bool
        Whether the target is one file.

    Raises
    ------
    TargetExistsError
        If the target exists and `mode` is ``"error"``.
    SinkError
        If the target cannot be written.
    UnsupportedError
        For ``"append"`` to a single file and for schemes other than local and S3.

    Examples
    --------
    >>> import os, tempfile
    >>> target = os.path.join(tempfile.mkdtemp(), "out")
    >>> transaction = Transaction(target)
    >>> with transaction.open("part.0.txt") as file:
    ...     _ = file.write(b"hello")
    >>> os.path.exists(target)
    False
    >>> [os.path.basename(path) for path in transaction.commit(["part.0.txt"])]
    ['part.0.txt']
    >>> os.path.exists(target)
    True
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        storage_options: Mapping[str, Any] | None = None,
        mode: Mode = "error",
        single_file: bool = False,
    ) -> None:
        text = os.fspath(target)
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")
        if single_file and mode == "append":
            raise UnsupportedError(f"{text}: one file cannot be appended to; write to a directory")
        scheme = scheme_of(text)
        self.target = text
        self._done = False
        self._backend: _Backend
        if scheme == "file":
            self._backend = _Local(text, mode, single_file)
        elif scheme == "s3":
            self._backend = _S3(text, storage_options, mode, single_file)
        else:
            raise UnsupportedError(
                f"{text}: writing to {scheme}:// is not supported; write locally or to s3://"
            )

    @property
    def existing(self) -> list[str]:
        """Names of the files that the target directory held when the transaction began."""
        return self._backend.existing

    def open(self, name: str = "") -> BinaryIO:
        """Return a new writable binary file `name`, relative to the target directory.

        The same name opened again replaces what was written before.
        """
        if self._done:
            raise SinkError(f"{self.target}: the transaction is over")
        return self._backend.open(_checked(name, self.target))

    def commit(self, names: Sequence[str] = ("",)) -> list[str]:
        """Make the files `names`, and no others, visible and return their paths."""
        if self._done:
            raise SinkError(f"{self.target}: the transaction is over")
        paths = self._backend.commit([_checked(name, self.target) for name in names])
        self._done = True
        return paths

    def abort(self) -> None:
        """Remove everything written; does nothing after a commit or a second time."""
        if not self._done:
            self._done = True
            self._backend.abort()


def _checked(name: str, target: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise SinkError(f"{target}: {name!r} is not a file name inside the target")
    return name


class _Backend(ABC):
    existing: list[str]

    @abstractmethod
    def open(self, name: str) -> BinaryIO: ...

    @abstractmethod
    def commit(self, names: Sequence[str]) -> list[str]: ...

    @abstractmethod
    def abort(self) -> None: ...


def _exists(target: str, mode: str) -> TargetExistsError:
    return TargetExistsError(
        f"{target} exists already; give another name or mode='overwrite'"
        + ("" if mode == "append" else " (or mode='append' for a directory)")
    )


# -------------------------------------------------------------------- local


class _SyncedFile(io.BufferedWriter):
    """A file whose bytes are on the disk once it is closed."""

    def close(self) -> None:
        if not self.closed:
            try:
                self.flush()
                os.fsync(self.fileno())
            finally:
                super().close()


class _Local(_Backend):
    def __init__(self, target: str, mode: str, single_file: bool) -> None:
        self._shown = target
        self._target = os.path.realpath(local_path(target))  # a link keeps pointing there
        self._mode = mode
        self._single = single_file
        self.existing = []
        parent, base = os.path.split(self._target)
        try:
            os.makedirs(parent, exist_ok=True)
            _sweep(parent, base, self._target)
            self._check_target()
            prefix = _stage_prefix(base)
            name = f"{prefix}{os.getpid()}-{_start_time(os.getpid())}-{next(_numbers)}"
            self._stage = os.path.join(parent, name)
            os.mkdir(self._stage, 0o700)
            self._data = os.path.join(self._stage, "data")
            os.mkdir(self._data)
        except TargetExistsError:
            raise
        except OSError as error:
            if isinstance(error, SinkError):
                raise
            raise SinkError(f"cannot write {target}: {error.strerror}") from error

    def _check_target(self) -> None:
        target = self._target
        if not os.path.lexists(target):
            return
        is_directory = os.path.isdir(target)
        if self._single:
            if is_directory:
                raise SinkError(f"{self._shown} is a directory; give the name of a file")
            if self._mode == "error":
                raise _exists(self._shown, self._mode)
            return
        if not is_directory:
            raise SinkError(f"{self._shown} is a file; give the name of a directory")
        self.existing = sorted(_files_below(target), key=natural_key)
        if self._mode == "error" and os.listdir(target):
            raise _exists(self._shown, self._mode)
        protected = (os.path.realpath(os.getcwd()), os.path.realpath(os.path.expanduser("~")))
        if self._mode == "overwrite" and any(
            os.path.commonpath((place, target)) == target for place in protected
        ):
            raise SinkError(
                f"{self._shown} holds the working or the home directory and is not replaced"
            )

    def open(self, name: str) -> BinaryIO:
        path = os.path.join(self._data, name or "file")
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return cast("BinaryIO", _SyncedFile(io.FileIO(path, "wb")))
        except OSError as error:
            raise SinkError(f"cannot write {self._shown}: {error.strerror}") from error

    def commit(self, names: Sequence[str]) -> list[str]:
        try:
            if self._single:
                self._commit_file()
                return [self._target]
            wanted = set(names)
            for name in _files_below(self._data):
                if name not in wanted:
                    os.unlink(os.path.join(self._data, name))
            _remove_empty(self._data)
            for folder, _, _ in os.walk(self._data):
                _sync_directory(folder)
            if self._mode == "append" and os.path.isdir(self._target):
                final = self._commit_append(names)
            else:
                self._commit_directory()
                final = list(names)
        except OSError as error:
            if isinstance(error, SinkError | TargetExistsError):
                raise
            raise SinkError(f"cannot commit {self._shown}: {error.strerror}") from error
        return [os.path.join(self._target, name) for name in final]

    def _commit_file(self) -> None:
        written = os.path.join(self._data, "file")
        if self._mode == "error":
            try:
                _rename_exclusive(written, self._target)
            except FileExistsError as error:
                raise _exists(self._shown, self._mode) from error
        else:
            with contextlib.suppress(OSError):
                os.chmod(written, os.stat(self._target).st_mode & 0o7777)
            os.replace(written, self._target)
        self._finish()

    def _commit_directory(self) -> None:
        with contextlib.suppress(OSError):
            os.chmod(self._data, os.stat(self._target).st_mode & 0o7777)
        if self._mode != "overwrite" or not os.path.isdir(self._target):
            try:
                os.rename(self._data, self._target)  # replaces an empty directory at most
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise _exists(self._shown, self._mode) from error
                raise
        elif not _rename_flags(self._data, self._target, _EXCHANGE):
            os.rename(self._target, os.path.join(self._stage, "old"))
            os.rename(self._data, self._target)
        self._finish()

    def _commit_append(self, names: Sequence[str]) -> list[str]:
        moves = []
        for name in names:
            final = name
            while os.path.lexists(os.path.join(self._target, final)):
                final = _unique(name)
            moves.append((name, final, os.stat(os.path.join(self._data, name)).st_ino))
        journal = os.path.join(self._stage, "append.json")
        with _SyncedFile(io.FileIO(journal, "wb")) as file:
            file.write(json.dumps([[final, inode] for _, final, inode in moves]).encode())
        _sync_directory(self._stage)
        finals = []
        for name, final, _ in moves:
            destination = os.path.join(self._target, final)
            os.makedirs(os.path.dirname(destination), exist_ok=True)
            try:
                _rename_exclusive(os.path.join(self._data, name), destination)
            except FileExistsError:  # another appender took the name just now
                final = _unique(name)
                destination = os.path.join(self._target, final)
                _rename_exclusive(os.path.join(self._data, name), destination)
            finals.append(final)
        for folder in {os.path.dirname(os.path.join(self._target, name)) for name in finals}:
            _sync_directory(folder)
        os.unlink(journal)
        self._finish()
        return finals

    def _finish(self) -> None:
        _sync_directory(os.path.dirname(self._target))
        shutil.rmtree(self._stage, ignore_errors=True)

    def abort(self) -> None:
        _recover(self._stage, self._target)


def _unique(name: str) -> str:
    folder, base = os.path.split(name)
    stem, dot, suffix = base.rpartition(".")
    token = uuid.uuid4().hex[:8]
    return os.path.join(folder, f"{stem}-{token}{dot}{suffix}" if dot else f"{base}-{token}")


def _files_below(folder: str) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(place, name), folder)


def _remove_empty(folder: str) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        if place != folder and not os.listdir(place):
            os.rmdir(place)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network filesystems know no fsync of directories
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _rename_exclusive(source: str, destination: str) -> None:
    """Rename, raising FileExistsError where the destination exists."""
    if not _rename_flags(source, destination, _NO_REPLACE):
        os.link(source, destination)
        os.unlink(source)


def _rename_flags(source: str, destination: str, flags: int) -> bool:
    """Call Linux's ``renameat2``; False where kernel or filesystem does not offer it."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    here = ctypes.c_int(-100)  # AT_FDCWD
    if function(here, os.fsencode(source), here, os.fsencode(destination), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), destination)


# ------------------------------------------------- leftovers of dead processes


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _stage_prefix(base: str) -> str:
    return f".{base}.penstock-{_host()}-"


def _start_time(pid: int) -> int | None:
    """Return the start time that tells a process from a later one of the same id."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return 0


def _sweep(parent: str, base: str, target: str) -> None:
    pattern = re.compile(re.escape(_stage_prefix(base)) + r"(\d+)-(\d+)-\d+")
    for name in os.listdir(parent):
        match = pattern.fullmatch(name)
        if match and _start_time(int(match.group(1))) != int(match.group(2)):
            _recover(os.path.join(parent, name), target)


def _recover(stage: str, target: str) -> None:
    """Undo or finish what was left in a stage, then remove it."""
    data, old = os.path.join(stage, "data"), os.path.join(stage, "old")
    if os.path.isdir(old) and not os.path.lexists(target):
        os.rename(data if os.path.isdir(data) else old, target)
    journal = os.path.join(stage, "append.json")
    # With nothing left to rename the append was complete.
    if os.path.isfile(journal) and any(_files_below(data)):
        try:
            moves = json.loads(Path(journal).read_bytes())
        except ValueError:  # killed while the journal was written: nothing was renamed
            moves = []
        for name, inode in moves:
            path = os.path.join(target, name)
            with contextlib.suppress(OSError):
                if os.stat(path).st_ino == inode:
                    os.unlink(path)
    shutil.rmtree(stage, ignore_errors=True)


# ----------------------------------------------------------------------- S3


class _S3(_Backend):
    def __init__(
        self,
        target: str,
        storage_options: Mapping[str, Any] | None,
        mode: str,
        single_file: bool,
    ) -> None:
        self._filesystem = s3.s3_filesystem(storage_options)
        self._target = "s3://" + target.partition("://")[2].rstrip("/")
        self._mode = mode
        self._single = single_file
        self._files: dict[str, s3.MultipartFile] = {}
        self._lock = threading.Lock()
        self.existing = self._list()
        if mode == "error" and self.existing:
            raise _exists(self._target, mode)
        if single_file and any(self.existing):
            raise SinkError(f"{self._target} is a directory; give the name of a file")
        self._drop_leftovers()

    def _list(self) -> list[str]:
        """Names below the target; the empty name stands for an object of its very name."""
        path = self._target.partition("://")[2]
        try:
            found = self._filesystem.find(path)
        except FileNotFoundError:
            return []
        except Exception as error:
            reason = s3.source_error(error, self._target, self._filesystem)
            raise SinkError(f"cannot write {self._target}: {reason}") from error
        names = (name.removeprefix(path).lstrip("/") for name in found)
        return sorted(names, key=natural_key)

    def _drop_leftovers(self) -> None:
        try:
            uploads = s3.unfinished_uploads(self._filesystem, self._target)
        except Exception as error:
            if s3.is_transient(error):
                raise SinkError(f"cannot write {self._target}: {error}") from error
            return  # not every server or account may list uploads
        # Who appends beside us may be alive; who replaces the same target may not.
        youngest = _STALE_UPLOAD_SECONDS if self._mode == "append" else 0
        for uri, upload_id, age in uploads:
            ours = uri == self._target or uri.startswith(self._target + "/")
            if ours and upload_id not in _live_uploads and age >= youngest:
                s3.abort_upload(self._filesystem, uri, upload_id)

    def open(self, name: str) -> BinaryIO:
        uri = f"{self._target}/{name}" if name else self._target
        file = s3.MultipartFile(self._filesystem, uri)
        _live_uploads.add(file.upload_id)
        with self._lock:
            before, self._files[name] = self._files.get(name), file
        if before is not None:
            self._drop(before)
        return cast("BinaryIO", file)

    def _drop(self, file: s3.MultipartFile) -> None:
        file.abort()
        _live_uploads.discard(file.upload_id)

    def commit(self, names: Sequence[str]) -> list[str]:
        finals = [self._files[name].uri for name in names]
        for name in set(self._files) - set(names):
            self._drop(self._files.pop(name))

        def complete(name: str) -> None:
            file = self._files[name]
            try:
                file.commit(replace=self._mode == "overwrite")
            except SinkError as error:
                if s3.status_of(error) in (409, 412) or isinstance(
                    error.__cause__, FileExistsError
                ):
                    raise _exists(file.uri, self._mode) from error
                raise
            _live_uploads.discard(file.upload_id)

        with ThreadPoolExecutor(_COMMIT_THREADS) as pool:
            list(pool.map(complete, names))
        if self._mode == "overwrite" and not self._single:
            self._delete([name for name in self._list() if name and name not in set(names)])
        return finals

    def _delete(self, names: Sequence[str]) -> None:
        path = self._target.partition("://")[2]
        try:
            if names:
                self._filesystem.rm([f"{path}/{name}" for name in names])
        except Exception as error:
            raise SinkError(
                f"{self._target}: the new files are complete, but old ones could not be "
                f"deleted: {error}"
            ) from error

    def abort(self) -> None:
        for file in list(self._files.values()):
            self._drop(file)
        self._files.clear()

"""Transactions on local disks: a hidden sibling of the target, renamed at commit.

The sibling of the target ``out`` is::

    .out.penstock-<host>-<pid>-<start>-<n>/     private (0700)
        lock            held as long as the process lives
        data/           what becomes the target (directory), or data/file (one file)
        old/            the target moved aside, only where directories cannot be exchanged
        append.json     files being added to a directory, while they are renamed

Name and lock tell whether its process is alive; leftovers of dead ones are
finished or undone when the next transaction begins beside them. Replacing a
directory swaps old and new in one system call (``renameat2``), so that it is the
old one or the new one at every moment. Appending renames file by file: a kill in
the middle shows some of them until the next transaction takes them back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from penstock.errors import SinkError, TargetExistsError
from penstock.io.filesystem import local_path, natural_key
from penstock.io.synced_file import SyncedFile, Syncing, files_below, write_error
from penstock.io.transaction_backend import Backend, target_exists

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXCHANGE, _NO_REPLACE = 2, 1
_HELD = -1
_numbers = itertools.count()


class LocalBackend(Backend):
    """A hidden directory beside a local target."""

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
            self._lock = _hold(self._stage)
            self._syncing = Syncing()
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
                raise target_exists(self._shown, self._mode)
            return
        if not is_directory:
            raise SinkError(f"{self._shown} is a file; give the name of a directory")
        self.existing = sorted(files_below(target), key=natural_key)
        if self._mode == "error" and os.listdir(target):
            raise target_exists(self._shown, self._mode)
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
            return cast("BinaryIO", SyncedFile(path, self._stage, self._shown, self._syncing))
        except OSError as error:
            raise SinkError(f"cannot write {self._shown}: {error.strerror}") from error

    def commit(self, names: Sequence[str]) -> list[str]:
        try:
            self._syncing.finish()
        except OSError as error:
            raise write_error(error, self._stage, self._shown) from error
        try:
            if self._single:
                self._commit_file()
                return [self._target]
            wanted = set(names)
            for name in files_below(self._data):
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
                raise target_exists(self._shown, self._mode) from error
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
                    raise target_exists(self._shown, self._mode) from error
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
        with SyncedFile(journal, self._stage, self._shown) as file:
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
        self._unlock()

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        _release(lock)

    def abort(self) -> None:
        with contextlib.suppress(OSError):
            self._syncing.finish()
        _recover(self._stage, self._target)
        self._unlock()


def _unique(name: str) -> str:
    folder, base = os.path.split(name)
    stem, dot, suffix = base.rpartition(".")
    token = uuid.uuid4().hex[:8]
    return os.path.join(folder, f"{stem}-{token}{dot}{suffix}" if dot else f"{base}-{token}")


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
            stage = os.path.join(parent, name)
            lock = _hold(stage)
            if lock != _HELD:
                _recover(stage, target)
                _release(lock)


def _hold(stage: str) -> int | None:
    """Lock a stage; `_HELD` when a process does, None where there are no locks.

    Containers may share a disk and not see each other's processes: the lock does.
    """
    try:
        import fcntl

        descriptor = os.open(os.path.join(stage, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        return _HELD if error.errno in (errno.EAGAIN, errno.EACCES) else None
    return descriptor


def _release(lock: int | None) -> None:
    if lock is not None and lock >= 0:
        os.close(lock)


def _recover(stage: str, target: str) -> None:
    """Undo or finish what was left in a stage, then remove it."""
    data, old = os.path.join(stage, "data"), os.path.join(stage, "old")
    if os.path.isdir(old) and not os.path.lexists(target):
        os.rename(data if os.path.isdir(data) else old, target)
    journal = os.path.join(stage, "append.json")
    # With nothing left to rename the append was complete.
    if os.path.isfile(journal) and any(files_below(data)):
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

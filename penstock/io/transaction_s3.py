"""Transactions on S3: multipart uploads that are completed at commit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from penstock.errors import SinkError
from penstock.io import s3
from penstock.io.filesystem import natural_key
from penstock.io.transaction_backend import Backend, target_exists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMMIT_THREADS = 8
_STALE_UPLOAD_SECONDS = 24 * 3600
_live_uploads: set[str] = set()


class S3Backend(Backend):
    """Multipart uploads under one key or prefix."""

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
            raise target_exists(self._target, mode)
        if single_file and any(self.existing):
            raise SinkError(f"{self._target} is a directory; give the name of a file")
        self._drop_leftovers()

    def _list(self) -> list[str]:
        """Names below the target; the empty name stands for an object of its very name."""
        path = self._target.partition("://")[2]
        try:
            found = s3.retried(lambda: self._filesystem.find(path, detail=True))
        except FileNotFoundError:
            return []
        except Exception as error:
            reason = s3.source_error(error, self._target, self._filesystem)
            raise SinkError(f"cannot write {self._target}: {reason}") from error
        names = (
            name.removeprefix(path).lstrip("/")
            for name, facts in found.items()
            if facts.get("type") == "file"  # some servers keep emptied folders
        )
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
                    raise target_exists(file.uri, self._mode) from error
                raise
            _live_uploads.discard(file.upload_id)

        try:
            with ThreadPoolExecutor(_COMMIT_THREADS) as pool:
                list(pool.map(complete, names))
        except BaseException:
            if self._mode != "overwrite":  # nothing was there before: take back our own
                self._delete([name for name in names if self._files[name].committed])
            raise
        if self._mode == "overwrite" and not self._single:
            self._delete([name for name in self._list() if name and name not in set(names)])
        return finals

    def _delete(self, names: Sequence[str]) -> None:
        path = self._target.partition("://")[2]
        try:
            if names:
                keys = [f"{path}/{name}" if name else path for name in names]
                s3.retried(lambda: self._filesystem.rm(keys))
        except Exception as error:
            raise SinkError(
                f"{self._target}: {len(names)} files that do not belong there any more could "
                f"not be deleted: {error}"
            ) from error

    def abort(self) -> None:
        for file in list(self._files.values()):
            self._drop(file)
        self._files.clear()

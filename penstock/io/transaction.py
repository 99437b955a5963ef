"""Outputs that appear all at once: temporary siblings renamed, uploads completed late.

Local targets are written beside and renamed (`transaction_local`). On S3 every
file is a multipart upload that is completed at commit, object by object; then
the old objects that were not replaced are deleted (`transaction_s3`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

from penstock.errors import SinkError, UnsupportedError
from penstock.io.filesystem import scheme_of
from penstock.io.transaction_local import LocalBackend
from penstock.io.transaction_s3 import S3Backend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.io.sink import Mode
    from penstock.io.transaction_backend import Backend

_MODES = ("error", "overwrite", "append")


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
        self._backend: Backend
        if scheme == "file":
            self._backend = LocalBackend(text, mode, single_file)
        elif scheme == "s3":
            self._backend = S3Backend(text, storage_options, mode, single_file)
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

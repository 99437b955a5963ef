"""HDF5 datasets through h5py: a file is written beside the target and takes its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.errors import (
    SchemaError,
    SinkError,
    SourceError,
    TargetExistsError,
    UnsupportedError,
    missing_dependency,
)
from penstock.io.array_sink import ArraySink
from penstock.io.filesystem import local_path, scheme_of
from penstock.io.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np


def require_h5py(purpose: str) -> Any:
    """Return the module h5py.

    Raises
    ------
    MissingDependencyError
        When it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise missing_dependency("h5py", "hdf5", purpose) from error
    return h5py


def check_filters(dataset: Any) -> None:
    """Make sure that the filters of a dataset are there, taking those of hdf5plugin if need be.

    Raises
    ------
    MissingDependencyError
        When there is no library for one of them.
    """
    h5py = require_h5py("reading HDF5")
    properties = dataset.id.get_create_plist()
    needed = [properties.get_filter(place) for place in range(properties.get_nfilters())]
    if all(h5py.h5z.filter_avail(each[0]) for each in needed):
        return
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  registers its filters
    for each in needed:
        if not h5py.h5z.filter_avail(each[0]):
            name = each[3].decode(errors="replace").partition(";")[0] or f"filter {each[0]}"
            purpose = f"{dataset.file.filename}: reading {dataset.name}, compressed by {name},"
            raise missing_dependency("hdf5plugin", "hdf5", purpose)


class Hdf5Target:
    """One HDF5 file under construction, into which several arrays may be written.

    Parameters
    ----------
    filename : str or path
        Local. What an existing file holds is kept.
    datapaths : sequence of str
        The arrays that are going to be written.
    """

    def __init__(self, filename: str | os.PathLike[str], datapaths: Sequence[str]) -> None:
        self._h5py = require_h5py("writing HDF5")
        self.filename = os.fspath(filename)
        if scheme_of(self.filename) != "file":
            raise UnsupportedError(
                f"{self.filename}: HDF5 is written to local files only; use to_zarr for object stores"
            )
        self.lock = threading.Lock()
        self._waiting = set(datapaths)
        self._transaction: Transaction | None = None
        self._file: Any = None

    def open(self) -> Any:
        """Return the open file, which nobody else sees yet."""
        with self.lock:
            if self._file is None:
                self._begin()
        return self._file

    def _begin(self) -> None:
        self._transaction = Transaction(self.filename, None, "overwrite", single_file=True)
        try:
            with self._transaction.open() as file:
                path = str(file.name)
            before = local_path(self.filename)
            if os.path.exists(before):
                shutil.copyfile(before, path)
            else:
                os.unlink(path)
            self._path = path
            self._file = self._h5py.File(path, "a")
        except OSError as error:
            self._transaction.abort()
            raise SourceError(f"{self.filename}: this is not an HDF5 file: {error}") from error

    def done(self, datapath: str) -> None:
        """Commit the file once the last array is complete."""
        with self.lock:
            self._waiting.discard(datapath)
            if self._waiting or self._file is None:
                return
            assert self._transaction is not None
            try:
                self._close()
                descriptor = os.open(self._path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise SinkError(f"cannot write {self.filename}: {error}") from error
            self._transaction.commit()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def abort(self) -> None:
        """Leave the target as it was."""
        with self.lock:
            try:
                self._close()
            finally:
                if self._transaction is not None:
                    self._transaction.abort()


class Hdf5Sink(ArraySink):
    """Writes one dataset of an `Hdf5Target`."""

    format: ClassVar[str] = "hdf5"

    def __init__(self, file: Hdf5Target, datapath: str, options: Mapping[str, Any]) -> None:
        self.target = f"{file.filename}:{datapath}"
        self._file = file
        self._datapath = datapath
        self._options = dict(options)
        self._dataset: Any = None

    def begin(
        self, shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[tuple[int, ...], ...]
    ) -> None:
        options = dict(self._options)
        if options.get("chunks") is True and shape and all(shape):
            options["chunks"] = tuple(max(sizes) for sizes in chunks)
        elif not shape or not all(shape):
            options.pop("chunks", None)
        file = self._file.open()
        try:
            self._dataset = file.require_dataset(
                self._datapath, shape=shape, dtype=dtype, exact=True, **options
            )
        except (TypeError, ValueError) as error:
            there = self._datapath in file
            self._file.abort()
            if not there:
                raise SchemaError(
                    f"{self.target}: HDF5 cannot hold an array of {dtype} with {options}: {error}"
                ) from error
            raise TargetExistsError(
                f"{self.target} exists with another shape or dtype; choose another name: {error}"
            ) from error

    def write(self, number: int, region: tuple[slice, ...], block: np.ndarray) -> None:
        with self._file.lock:
            try:
                self._dataset[region] = block
            except OSError as error:
                raise SinkError(f"cannot write {self.target}: {error}") from error

    def commit(self, receipts: Sequence[Any]) -> None:
        self._file.done(self._datapath)

    def abort(self) -> None:
        self._file.abort()

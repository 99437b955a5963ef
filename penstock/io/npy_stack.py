"""Stacks of ``.npy`` files: one file per chunk along an axis, and what the whole is.

The directory holds ``0.npy``, ``1.npy``, ... and ``info.json``. Stacks that Dask
wrote have a pickled ``info`` instead, which is not read: pickles can run any
code. The headers of the files tell as much, except for the axis when all
chunks have the same shape.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib import format as npy

from penstock.errors import FormatError, SourceError
from penstock.io.array_sink import ArraySink
from penstock.io.filesystem import MissingFileError, expand, get_filesystem, scheme_of
from penstock.io.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INFO = "info.json"


class NpyStackSink(ArraySink):
    """Writes a stack; the array must be cut along `axis` only."""

    format: ClassVar[str] = "npy-stack"

    def __init__(
        self,
        dirname: str | os.PathLike[str],
        axis: int,
        mode: Any = "error",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.target = os.fspath(dirname)
        self._axis = axis
        self._mode = mode
        self._storage_options = storage_options
        self._transaction: Transaction | None = None
        self._names: list[str] = []
        self._info = ""

    def begin(
        self, shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[tuple[int, ...], ...]
    ) -> None:
        self._transaction = Transaction(self.target, self._storage_options, self._mode)
        self._names = [f"{number}.npy" for number in range(math.prod(map(len, chunks)))]
        chunk_sizes = [list(map(int, sizes)) for sizes in chunks]
        described = npy.dtype_to_descr(dtype)
        self._info = json.dumps({"axis": self._axis, "chunks": chunk_sizes, "dtype": described})

    def write(self, number: int, region: tuple[slice, ...], block: np.ndarray) -> None:
        assert self._transaction is not None
        block = np.ascontiguousarray(block)
        with self._transaction.open(f"{number}.npy") as file:
            npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(block))
            file.write(block.reshape(-1).view(np.uint8).data if block.nbytes else b"")

    def commit(self, receipts: Sequence[Any]) -> None:
        assert self._transaction is not None
        with self._transaction.open(_INFO) as file:
            file.write(self._info.encode())
        self._transaction.commit([*self._names, _INFO])

    def abort(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()


class NpyStack:
    """A stack as an array-like: a shape, a dtype, chunks along an axis, slices.

    Parameters
    ----------
    dirname : str or path
        Local or an address.
    axis : int, optional
        Needed for a stack of Dask's whose chunks all have the same shape and that is not cut
        along the first axis.
    mmap_mode : str or None
        As `numpy.load`, for local files.
    """

    def __init__(
        self,
        dirname: str | os.PathLike[str],
        axis: int | None = None,
        mmap_mode: Any = "r",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._dirname = os.fspath(dirname).rstrip("/")
        self._storage_options = storage_options
        self._mmap_mode = mmap_mode
        self._local = scheme_of(self._dirname) == "file"
        self._filesystem, self._root = get_filesystem(self._dirname, storage_options)
        info = self._read_info()
        if info is None:
            info = self._inferred(axis)
        elif axis is not None and axis != info["axis"]:
            raise ValueError(f"{self._dirname} is cut along axis {info['axis']}, not {axis}")
        self.axis = int(info["axis"])
        self.chunks = tuple(tuple(int(size) for size in sizes) for sizes in info["chunks"])
        self.dtype = npy.descr_to_dtype(_tuples(info["dtype"]))
        self.shape = tuple(map(sum, self.chunks))
        self.starts = np.concatenate([[0], np.cumsum(self.chunks[self.axis])]).tolist()
        if self.dtype.hasobject:
            raise FormatError(f"{self._dirname} holds pickled objects, which are not read")

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _read_info(self) -> dict[str, Any] | None:
        try:
            with self._filesystem.open(self._path(_INFO), "rb") as file:
                info = json.loads(file.read())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise FormatError(f"{self._dirname}/{_INFO} is not JSON: {error}") from error
        if not isinstance(info, dict) or {"axis", "chunks", "dtype"} - set(info):
            raise FormatError(f"{self._dirname}/{_INFO} does not describe a stack of .npy files")
        return info

    def _inferred(self, axis: int | None) -> dict[str, Any]:
        names = [file.uri for file in expand(self._dirname, self._storage_options)]
        found = sum(name.endswith(".npy") for name in names)
        if not found:
            raise MissingFileError(f"{self._dirname}: the directory holds no .npy file")
        headers = [self._header(f"{number}.npy") for number in range(found)]
        shapes = [shape for shape, _ in headers]
        differing = {
            place
            for shape in shapes
            for place, (one, other) in enumerate(zip(shape, shapes[0], strict=False))
            if one != other
        }
        if axis is None:
            axis = differing.pop() if len(differing) == 1 else 0
        if differing - {axis} or len({len(shape) for shape in shapes}) > 1:
            raise FormatError(f"{self._dirname}: the files do not fit together along axis {axis}")
        chunks: list[Any] = [(size,) for size in shapes[0]]
        chunks[axis] = tuple(shape[axis] for shape in shapes)
        return {"axis": axis, "chunks": chunks, "dtype": npy.dtype_to_descr(headers[0][1])}

    def _header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        try:
            with self._filesystem.open(self._path(name), "rb") as file:
                version = npy.read_magic(file)
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(file)
        except FileNotFoundError as error:
            raise MissingFileError(f"{self._dirname}/{name} is missing from the stack") from error
        except ValueError as error:
            raise FormatError(f"{self._dirname}/{name} is not a .npy file: {error}") from error
        return shape, dtype

    def __getitem__(self, region: tuple[int | slice, ...]) -> np.ndarray:
        wanted = region[self.axis]
        first = wanted if isinstance(wanted, int) else wanted.start
        number = int(np.searchsorted(self.starts, first, side="right")) - 1
        number = max(0, min(number, len(self.chunks[self.axis]) - 1))
        start = self.starts[number]
        inside = list(region)
        if isinstance(wanted, int):
            inside[self.axis] = wanted - start
        else:
            inside[self.axis] = slice(wanted.start - start, wanted.stop - start, wanted.step)
        return np.array(self._load(number)[tuple(inside)])

    def _load(self, number: int) -> np.ndarray:
        name = f"{number}.npy"
        expected = list(self.shape)
        expected[self.axis] = self.chunks[self.axis][number]
        try:
            if self._local:
                array = np.load(self._path(name), mmap_mode=self._mmap_mode, allow_pickle=False)
            else:
                with self._filesystem.open(self._path(name), "rb") as file:
                    array = np.load(file, allow_pickle=False)
        except FileNotFoundError as error:
            raise MissingFileError(f"{self._dirname}/{name} is missing from the stack") from error
        except (ValueError, EOFError, OSError) as error:
            raise SourceError(
                f"{self._dirname}: chunk {number} of the stack, {name}, cannot be read: {error}"
            ) from error
        if array.shape != tuple(expected) or array.dtype != self.dtype:
            raise SourceError(
                f"{self._dirname}: chunk {number} of the stack, {name}, holds {array.dtype} "
                f"{array.shape}, not {self.dtype} {tuple(expected)}"
            )
        return array


def _tuples(described: Any) -> Any:
    """Return the description of a dtype as NumPy writes it: JSON has no tuples."""
    if not isinstance(described, list):
        return described
    if described and all(isinstance(part, list) for part in described):
        return [tuple(_tuples(part) for part in field) for field in described]
    return tuple(_tuples(part) for part in described)

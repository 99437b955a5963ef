"""One HDF5 file, myfile.hdf5, with the chunked dataset /big-data."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .array import DTYPES, random_piece
from .common import (
    MissingDependencyError,
    atomic_path,
    default_workers,
    in_order,
    ranges,
    row_count,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELP = "myfile.hdf5 with the dataset /big-data (needs h5py)"
CHUNK_BYTES = 1 << 20
PIECE_CHUNKS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this dataset's own options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The subcommand's parser.
    """
    parser.add_argument("--columns", type=int, default=1000, help="columns (default 1000)")
    parser.add_argument("--dtype", choices=DTYPES, default="float64")
    parser.add_argument("--compression", choices=("none", "gzip", "lzf"), default="none")


def generate(
    output: Path,
    *,
    rows: int | None = None,
    size: int | None = None,
    seed: int = 0,
    columns: int = 1000,
    dtype: str = "float64",
    compression: str = "none",
) -> Iterator[Path]:
    """Write ``myfile.hdf5`` with a random dataset ``/big-data`` in chunks of about 1 MiB.

    Parameters
    ----------
    output : Path
        The directory to write to.
    rows : int, optional
        Length of the first dimension.
    size : int, optional
        Bytes of the array before compression, when `rows` is not given.
    seed : int
        The same seed and size give the same bytes.
    columns : int
        Length of the second dimension.
    dtype : {"float64", "float32", "int64", "int32"}
        Floats are standard normal, integers uniform from 0 to 999.
    compression : {"none", "gzip", "lzf"}
        The chunks' filter; with one, bytes are shuffled first.

    Yields
    ------
    Path
        The file once it is complete.

    Raises
    ------
    MissingDependencyError
        h5py is not installed.
    ValueError
        There are no columns, or neither `rows` nor `size` is given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in generate(Path(folder), rows=10)]
    ['myfile.hdf5']
    """
    if columns < 1:
        raise ValueError(f"columns is {columns}; at least one column is needed")
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            "the hdf5 dataset needs h5py, which is not installed; run: pip install h5py"
        ) from error
    kind = np.dtype(dtype)
    shape = (row_count(rows, size, lambda _: columns * kind.itemsize), columns)
    chunks = chunk_shape(shape, kind.itemsize)
    filters: dict[str, Any] = {}
    if compression != "none":
        filters = {"compression": compression, "shuffle": True}
    path = output / "myfile.hdf5"
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        dataset = file.create_dataset(
            "big-data", shape, kind, chunks=chunks, track_times=False, **filters
        )
        pieces = ((seed, *piece, kind) for piece in _pieces(shape, chunks))
        for row, column, values in in_order(_piece, pieces, default_workers()):
            dataset[row : row + values.shape[0], column : column + values.shape[1]] = values
    yield path


def chunk_shape(shape: tuple[int, int], itemsize: int) -> tuple[int, int]:
    """Choose chunks of about 1 MiB, as wide as the array where that fits.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    itemsize : int
        Bytes of one number.

    Returns
    -------
    tuple of int
        The chunks' shape.

    Examples
    --------
    >>> chunk_shape((1_000_000, 1000), 8)
    (131, 1000)
    """
    numbers = CHUNK_BYTES // itemsize
    width = min(shape[1], numbers)
    chunks = -(-shape[0] // (numbers // width))
    return -(-shape[0] // chunks), width  # even chunks: the last one is stored whole


def _pieces(shape: tuple[int, int], chunks: tuple[int, int]) -> Iterator[tuple[int, ...]]:
    """Cut the array into regions of up to `PIECE_CHUNKS` whole chunks."""
    for start, stop in ranges(shape[0], chunks[0] * PIECE_CHUNKS):
        for left, right in ranges(shape[1], chunks[1]):
            yield start, stop, left, right


def _piece(
    seed: int, start: int, stop: int, left: int, right: int, dtype: np.dtype[Any]
) -> tuple[int, int, NDArray[Any]]:
    return start, left, random_piece(seed, (start, left), (stop - start, right - left), dtype)

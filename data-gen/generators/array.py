"""Random arrays as .npy files, written in pieces."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .common import atomic_path, default_workers, generator_for, in_order, ranges, row_count, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELP = "array.N.npy with random numbers"
DTYPES = ("float64", "float32", "int64", "int32")
PIECE_BYTES = 8 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this dataset's own options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The subcommand's parser.
    """
    parser.add_argument("--files", type=int, default=1, help="number of files (default 1)")
    parser.add_argument(
        "--columns", type=int, default=1000, help="columns (default 1000); 0: one dimension"
    )
    parser.add_argument("--dtype", choices=DTYPES, default="float64")


def generate(
    output: Path,
    *,
    rows: int | None = None,
    size: int | None = None,
    seed: int = 0,
    files: int = 1,
    columns: int = 1000,
    dtype: str = "float64",
) -> Iterator[Path]:
    """Write random arrays, cut along the rows into `files` files.

    Parameters
    ----------
    output : Path
        The directory to write to.
    rows : int, optional
        Rows of all files together.
    size : int, optional
        Bytes of all files together, when `rows` is not given.
    seed : int
        The same seed and size give the same bytes.
    files : int
        How many files.
    columns : int
        Length of the second dimension; 0 writes one-dimensional arrays.
    dtype : {"float64", "float32", "int64", "int32"}
        Floats are standard normal, integers uniform from 0 to 999.

    Yields
    ------
    Path
        Each file once it is complete.

    Raises
    ------
    ValueError
        There are no files, `columns` is negative, or neither `rows` nor `size`
        is given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [path] = generate(Path(folder), rows=3, columns=2)
    ...     np.load(path).shape
    (3, 2)
    """
    if files < 1 or columns < 0:
        raise ValueError(f"files is {files} and columns {columns}; at least 1 and 0 are needed")
    kind = np.dtype(dtype)
    width = max(columns, 1)
    rows = row_count(rows, size, lambda _: width * kind.itemsize)
    for number, file_rows in enumerate(spread(rows, [1] * files)):
        path = output / f"array.{number}.npy"
        shape = (file_rows, columns) if columns else (file_rows,)
        header = {"descr": kind.str, "fortran_order": False, "shape": shape}
        pieces = (
            (seed, (number, start), (stop - start,), kind)
            for start, stop in ranges(file_rows * width, PIECE_BYTES // kind.itemsize)
        )
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for piece in in_order(random_piece, pieces, default_workers()):
                file.write(piece.data)
        yield path


def random_piece(
    seed: int, key: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Draw one piece of a random array.

    Parameters
    ----------
    seed : int
        The user's seed.
    key : tuple of int
        The piece's place, which decides its random stream.
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        A float or an integer type.

    Returns
    -------
    numpy.ndarray
        Standard normal floats, or integers from 0 to 999.

    Examples
    --------
    >>> random_piece(0, (0,), (2, 3), np.dtype("int32")).shape
    (2, 3)
    """
    rng = generator_for(seed, *key)
    if dtype.kind == "f":
        return rng.standard_normal(shape, dtype=dtype)
    return rng.integers(0, 1000, shape, dtype=dtype)

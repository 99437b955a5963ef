"""What every generator shares: sizes, atomic files, seeds and ordered parallel work."""

from __future__ import annotations

import argparse
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

Result = TypeVar("Result")

UNITS: dict[str, int] = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base ** (power + 1)
    for power, prefix in enumerate("kmgt")
    for suffix, base in (("b", 1000), ("ib", 1024))
}


class MissingDependencyError(ImportError):
    """A package that one dataset needs is not installed."""


def parse_size(text: str) -> int:
    """Read a size such as ``2GB``, ``1.5 GiB`` or ``300000`` as a number of bytes.

    Parameters
    ----------
    text : str
        A number and an optional unit: kB, MB, GB, TB (powers of 1000) or
        KiB, MiB, GiB, TiB (powers of 1024).

    Returns
    -------
    int
        The number of bytes.

    Raises
    ------
    ValueError
        The text is not a positive size.

    Examples
    --------
    >>> parse_size("1.5GB")
    1500000000
    >>> parse_size("2 KiB")
    2048
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if match is None or match[2] not in UNITS:
        raise ValueError(f"{text!r} is not a size; write for example 300MB, 2GB or 1.5GiB")
    size = round(float(match[1]) * UNITS[match[2]])
    if size < 1:
        raise ValueError(f"{text!r} is not a positive size")
    return size


def argument(parse: Callable[[str], Result]) -> Callable[[str], Result]:
    """Let argparse show the message of a parser's ValueError instead of its name.

    Parameters
    ----------
    parse : callable
        Turns a text into a value, or raises ValueError.

    Returns
    -------
    callable
        The same, for ``type=`` of ``add_argument``.

    Examples
    --------
    >>> argument(parse_size)("1kB")
    1000
    """

    def parse_argument(text: str) -> Result:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse_argument


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to, renamed to `target` only if all went well.

    Parameters
    ----------
    target : Path
        The file to create or replace; its directory is made when missing.

    Yields
    ------
    Path
        The temporary path in the same directory.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder, "a.txt")
    ...     with atomic_path(target) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     target.read_text()
    'whole'
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def generator_for(seed: int, *key: int) -> np.random.Generator:
    """Make the random generator of one batch, independent of all other batches.

    Parameters
    ----------
    seed : int
        The user's seed.
    *key : int
        The batch's place in the dataset (month, file, batch number).

    Returns
    -------
    numpy.random.Generator
        The same stream whenever seed and key are the same.

    Examples
    --------
    >>> bool(generator_for(1, 2).random() == generator_for(1, 2).random())
    True
    """
    return np.random.default_rng([seed, *key])


def spread(total: int, weights: Iterable[int]) -> list[int]:
    """Divide `total` into whole parts in proportion to `weights`.

    Parameters
    ----------
    total : int
        What to divide.
    weights : iterable of int
        One positive weight for each part.

    Returns
    -------
    list of int
        The parts; their sum is `total`.

    Examples
    --------
    >>> spread(10, [1, 1, 1])
    [3, 3, 4]
    """
    weights = list(weights)
    parts, passed, given = [], 0, 0
    for weight in weights:
        passed += weight
        upto = total * passed // sum(weights)
        parts.append(upto - given)
        given = upto
    return parts


def ranges(total: int, step: int) -> Iterator[tuple[int, int]]:
    """Cut ``range(total)`` into consecutive (start, stop) pairs of at most `step`.

    Parameters
    ----------
    total : int
        The end of the range.
    step : int
        The longest piece.

    Yields
    ------
    tuple of int
        Start and stop of each piece.

    Examples
    --------
    >>> list(ranges(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, total, step):
        yield start, min(start + step, total)


def in_order(
    work: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], workers: int
) -> Iterator[Result]:
    """Run `work` on threads and yield the results in the order of `arguments`.

    At most ``workers + 1`` results exist at a time, so memory does not grow with
    the number of pieces. NumPy and Arrow release the GIL in the heavy parts.

    Parameters
    ----------
    work : callable
        Called with each tuple of arguments.
    arguments : iterable of tuple
        One tuple for each piece.
    workers : int
        The number of threads.

    Yields
    ------
    Any
        What `work` returned.

    Examples
    --------
    >>> list(in_order(pow, [(2, 1), (2, 2), (2, 3)], workers=2))
    [2, 4, 8]
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for piece in arguments:
            pending.append(pool.submit(work, *piece))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def default_workers() -> int:
    """Count the usable cores, at most four: each worker holds one batch.

    Returns
    -------
    int
        The number of threads.

    Examples
    --------
    >>> 1 <= default_workers() <= 4
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return min(4, len(os.sched_getaffinity(0)))
    return min(4, os.cpu_count() or 1)


def row_count(rows: int | None, size: int | None, bytes_per_row: Callable[[int], float]) -> int:
    """Give the rows asked for, or find how many make about `size` bytes.

    Parameters
    ----------
    rows : int or None
        Returned when given.
    size : int or None
        The bytes wanted otherwise.
    bytes_per_row : callable
        Given the row count of the whole output, the bytes each row takes, measured
        on a sample. How well columns compress depends on the row count, so it is
        asked again until the answer settles.

    Returns
    -------
    int
        The number of rows; at least one when a size is given.

    Raises
    ------
    ValueError
        Neither `rows` nor `size` is given.

    Examples
    --------
    >>> row_count(None, 1000, lambda rows: 10.0)
    100
    """
    if rows is not None:
        return rows
    if size is None:
        raise ValueError("neither rows nor size is given; one of them is needed")
    found = 1 << 16
    for _ in range(4):
        guess, found = found, max(1, round(size / bytes_per_row(found)))
        if abs(found - guess) < found / 200:
            break
    return found


def hundredths(values: NDArray[np.int64]) -> pa.Array:
    """View whole hundredths as decimals with two places.

    Arrow writes those to CSV with both places and twice as fast as floats.

    Parameters
    ----------
    values : numpy.ndarray
        Hundredths, as int64.

    Returns
    -------
    pyarrow.Array
        The decimals.

    Examples
    --------
    >>> hundredths(np.array([-5, 1230]))[1].as_py()
    Decimal('12.30')
    """
    words = np.empty((len(values), 2), dtype=np.int64)  # little-endian 128-bit numbers
    words[:, 0] = values
    words[:, 1] = values >> 63
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(values), [None, pa.py_buffer(words)])

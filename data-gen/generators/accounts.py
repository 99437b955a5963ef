"""Bank accounts: CSV files of transactions, and gzipped JSON lines with nested lists."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from .common import (
    atomic_path,
    default_workers,
    generator_for,
    in_order,
    ranges,
    row_count,
    spread,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELP = "accounts.N.csv (id,names,amount) and accounts.N.json.gz (nested transactions)"
BATCH_ROWS = 1 << 15
MEAN_TRANSACTIONS = 40  # in one JSON record
Lines = Callable[..., bytes | pa.Buffer]
CSV_STREAM, JSON_STREAM, PEOPLE_STREAM = 0, 1, 2
CSV_HEADER = b"id,names,amount\n"
CSV_OPTIONS = pacsv.WriteOptions(include_header=False, quoting_style="none")

NAMES = [
    *("Alice", "Bob", "Charlie", "Dan", "Edith", "Frank", "George", "Hannah", "Ingrid"),
    *("Jerry", "Kevin", "Laura", "Michael", "Norbert", "Oliver", "Patricia", "Quinn", "Ray"),
    *("Sarah", "Tim", "Ursula", "Victor", "Wendy", "Xavier", "Yvonne", "Zelda"),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this dataset's own options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The subcommand's parser.
    """
    parser.add_argument("--files", type=int, default=3, help="files of each format (default 3)")
    parser.add_argument("--accounts", type=int, default=500, help="number of accounts (500)")
    parser.add_argument(
        "--format", choices=("both", "csv", "json"), default="both", dest="file_format"
    )


def generate(
    output: Path,
    *,
    rows: int | None = None,
    size: int | None = None,
    seed: int = 0,
    files: int = 3,
    accounts: int = 500,
    file_format: str = "both",
) -> Iterator[Path]:
    """Write transactions of the same accounts as CSV, JSON lines or both.

    Parameters
    ----------
    output : Path
        The directory to write to.
    rows : int, optional
        Transactions in all files of each format.
    size : int, optional
        Bytes on disk of all files, when `rows` is not given; each of two formats
        gets half.
    seed : int
        The same seed and size give the same bytes.
    files : int
        How many files of each format.
    accounts : int
        How many accounts there are. Each has one owner, a usual amount and its own
        share of the transactions. A JSON record holds some of an account's
        transactions, about 40, so that records stay small at any size.
    file_format : {"both", "csv", "json"}
        What to write.

    Yields
    ------
    Path
        Each file once it is complete.

    Raises
    ------
    ValueError
        There are no files or accounts, or neither `rows` nor `size` is given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in generate(Path(folder), rows=10, files=1)]
    ['accounts.0.csv', 'accounts.0.json.gz']
    """
    if files < 1 or accounts < 1:
        raise ValueError(f"files is {files} and accounts {accounts}; both must be at least 1")
    people = People(seed, accounts)
    formats = ("csv", "json") if file_format == "both" else (file_format,)
    for name in formats:
        lines, suffix = {"csv": (csv_batch, "csv"), "json": (json_batch, "json.gz")}[name]
        measure = partial(_bytes_per_row, lines, people, seed, files)
        wanted = row_count(rows, None if size is None else size // len(formats), measure)
        for number, file_rows in enumerate(spread(wanted, [1] * files)):
            path = output / f"accounts.{number}.{suffix}"
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                if name == "csv":
                    file.write(CSV_HEADER)
                pieces = ((people, seed, number, *piece) for piece in ranges(file_rows, BATCH_ROWS))
                for piece in in_order(lines, pieces, default_workers()):
                    file.write(piece)
            yield path


def _bytes_per_row(lines: Lines, people: People, seed: int, files: int, total: int) -> float:
    """Measure in the middle of a file: transaction numbers grow longer."""
    rows = total // files
    start = rows // 2 // BATCH_ROWS * BATCH_ROWS
    sample = max(1, min(rows - start, BATCH_ROWS))
    return len(lines(people, seed, 0, start, start + sample)) / sample


class People:
    """Who owns each account, what they usually spend and how often."""

    def __init__(self, seed: int, accounts: int) -> None:
        rng = generator_for(seed, PEOPLE_STREAM)
        self.name = rng.integers(0, len(NAMES), accounts)
        self.mean = rng.gamma(1.5, 600.0, accounts)
        self.cumulative = np.cumsum(rng.gamma(2.0, 1.0, accounts))
        self.cumulative /= self.cumulative[-1]

    def draw(self, rng: np.random.Generator, rows: int) -> NDArray[Any]:
        """Choose an account for each of `rows` transactions, some far more often."""
        return np.searchsorted(self.cumulative, rng.random(rows), side="right")

    def amounts(self, rng: np.random.Generator, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Spend about each account's usual amount."""
        noise = rng.standard_normal(len(ids))
        return np.asarray(np.rint(self.mean[ids] * (1 + noise / 4)), dtype=np.int64)


def csv_batch(people: People, seed: int, number: int, start: int, stop: int) -> pa.Buffer:
    """Format transactions as CSV lines ``id,names,amount``.

    Parameters
    ----------
    people : People
        The accounts.
    seed : int
        The user's seed.
    number : int
        The file's number.
    start, stop : int
        The rows of that file.

    Returns
    -------
    pyarrow.Buffer
        The lines, without a header.
    """
    rng = generator_for(seed, CSV_STREAM, number, start)
    ids = people.draw(rng, stop - start)
    names = pa.array(NAMES).take(pa.array(people.name[ids]))
    batch = pa.RecordBatch.from_arrays(
        [pa.array(ids), names, pa.array(people.amounts(rng, ids))], ["id", "names", "amount"]
    )
    sink = pa.BufferOutputStream()
    pacsv.write_csv(batch, sink, CSV_OPTIONS)
    return sink.getvalue()


def json_batch(people: People, seed: int, number: int, start: int, stop: int) -> bytes:
    """Format transactions as gzipped JSON lines, one object for some of an account's.

    Parameters
    ----------
    people : People
        The accounts.
    seed : int
        The user's seed.
    number : int
        The file's number.
    start, stop : int
        The transactions of that file; their numbers become ``transaction-id``.

    Returns
    -------
    bytes
        One gzip member; members one after another are a valid gzip file.
    """
    rows = stop - start
    rng = generator_for(seed, JSON_STREAM, number, start)
    lengths = rng.geometric(1 / MEAN_TRANSACTIONS, rows)
    ends = np.cumsum(lengths)
    ends = np.append(ends[ends < rows], rows)
    owners = people.draw(rng, len(ends))
    amounts = people.amounts(rng, np.repeat(owners, np.diff(ends, prepend=0))).tolist()
    lines, first = [], 0
    for owner, end in zip(owners.tolist(), ends.tolist(), strict=True):
        transactions = [
            {"transaction-id": start + row, "amount": amounts[row]} for row in range(first, end)
        ]
        record = {"id": owner, "name": NAMES[people.name[owner]], "transactions": transactions}
        lines.append(json.dumps(record))
        first = end
    return gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=6, mtime=0)

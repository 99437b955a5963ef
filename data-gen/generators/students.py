"""A table of students with names and addresses from Faker."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from .common import (
    MissingDependencyError,
    atomic_path,
    default_workers,
    generator_for,
    hundredths,
    in_order,
    ranges,
    row_count,
)

HELP = "students.csv (needs Faker)"
BATCH_ROWS = 1 << 14
POOL = 4000  # Faker makes some 10,000 texts a second: rows combine texts from pools
CSV_OPTIONS = pacsv.WriteOptions(include_header=False, quoting_style="needed")
MAJORS = (
    *("Biology", "Chemistry", "Computer Science", "Economics", "Engineering", "History"),
    *("Law", "Mathematics", "Medicine", "Music", "Philosophy", "Physics"),
)
COLUMNS = ("id", "name", "email", "birth_date", "address", "city", "major", "year", "gpa")
CSV_HEADER = (",".join(COLUMNS) + "\n").encode()
BIRTH_DAYS = (np.datetime64("1996-01-01"), np.datetime64("2007-01-01"))

Pools = dict[str, pa.Array]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this dataset's own options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The subcommand's parser.
    """
    parser.add_argument(
        "--multiline",
        action="store_true",
        help="write addresses with a newline inside the quotes",
    )


def generate(
    output: Path,
    *,
    rows: int | None = None,
    size: int | None = None,
    seed: int = 0,
    multiline: bool = False,
) -> Iterator[Path]:
    """Write ``students.csv``.

    Parameters
    ----------
    output : Path
        The directory to write to.
    rows : int, optional
        The number of students.
    size : int, optional
        Bytes of the file, when `rows` is not given.
    seed : int
        The same seed, size and version of Faker give the same bytes.
    multiline : bool
        Keep the newline that Faker puts into an address, inside quotes.

    Yields
    ------
    Path
        The file once it is complete.

    Raises
    ------
    MissingDependencyError
        Faker is not installed.
    ValueError
        Neither `rows` nor `size` is given.
    """
    pools = _pools(seed, multiline)
    rows = row_count(rows, size, lambda total: _bytes_per_row(pools, seed, total))
    path = output / "students.csv"
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(CSV_HEADER)
        pieces = ((pools, seed, *piece) for piece in ranges(rows, BATCH_ROWS))
        for lines in in_order(csv_batch, pieces, default_workers()):
            file.write(lines)
    yield path


def _pools(seed: int, multiline: bool) -> Pools:
    try:
        from faker import Faker
    except ImportError as error:
        raise MissingDependencyError(
            "the students dataset needs Faker, which is not installed; run: pip install Faker"
        ) from error
    faker = Faker("en_US")
    faker.seed_instance(seed)
    addresses = [faker.address() for _ in range(POOL)]
    if not multiline:
        addresses = [address.replace("\n", ", ") for address in addresses]
    return {
        "first": pa.array([faker.first_name() for _ in range(POOL)]),
        "last": pa.array([faker.last_name() for _ in range(POOL)]),
        "city": pa.array([faker.city() for _ in range(POOL)]),
        "domain": pa.array([faker.free_email_domain() for _ in range(POOL)]),
        "address": pa.array(addresses),
        "major": pa.array(MAJORS),
    }


def csv_batch(pools: Pools, seed: int, start: int, stop: int) -> pa.Buffer:
    """Format the students `start` to `stop` as CSV.

    Parameters
    ----------
    pools : dict of str to pyarrow.Array
        Texts to choose from.
    seed : int
        The user's seed.
    start, stop : int
        The students' numbers.

    Returns
    -------
    pyarrow.Buffer
        The lines, without a header.
    """
    rows = stop - start
    rng = generator_for(seed, start)

    def pick(name: str) -> Any:
        return pools[name].take(pa.array(rng.integers(0, len(pools[name]), rows)))

    ids = pa.array(np.arange(start, stop))
    first, last, domain = pick("first"), pick("last"), pick("domain")
    user = pc.binary_join_element_wise(pc.utf8_lower(first), ids.cast(pa.string()), ".")
    grade = np.clip(np.rint(rng.normal(310, 45, rows)), 0, 400).astype(np.int64)
    columns = {
        "id": ids,
        "name": pc.binary_join_element_wise(first, last, " "),
        "email": pc.binary_join_element_wise(user, domain, "@"),
        "birth_date": pa.array(
            BIRTH_DAYS[0] + rng.integers(0, (BIRTH_DAYS[1] - BIRTH_DAYS[0]).astype(int), rows)
        ),
        "address": pick("address"),
        "city": pick("city"),
        "major": pick("major"),
        "year": pa.array(rng.integers(1, 5, rows, dtype=np.int8)),
        "gpa": hundredths(grade),
    }
    batch = pa.RecordBatch.from_arrays([columns[name] for name in COLUMNS], list(COLUMNS))
    sink = pa.BufferOutputStream()
    pacsv.write_csv(batch, sink, CSV_OPTIONS)
    return sink.getvalue()


def _bytes_per_row(pools: Pools, seed: int, total: int) -> float:
    """Measure in the middle of the file: ids grow longer."""
    sample = min(total, BATCH_ROWS)
    start = (total - sample) // 2
    return len(csv_batch(pools, seed, start, start + sample)) / sample

"""Rows with few and with very many keys, and a second table of unique keys to join them with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .common import atomic_path, default_workers, generator_for, in_order, ranges, row_count

HELP = "facts.parquet and keys.parquet, for groupby, sort and join"
BATCH = 1 << 20
FEW = 100
FACTS = pa.schema(
    [
        ("label", pa.string()),
        ("few", pa.int64()),
        ("other", pa.int64()),
        ("many", pa.int64()),
        ("small", pa.int64()),
        ("medium", pa.int64()),
        ("real", pa.float64()),
    ]
)
KEYS = pa.schema([("many", pa.int64()), ("weight", pa.float64())])
ROW_BYTES = 24.7  # both files, in Parquet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this dataset's own options: there are none."""


def generate(
    output: Path, *, rows: int | None = None, size: int | None = None, seed: int = 0
) -> Iterator[Path]:
    """Write ``facts.parquet`` of `rows` rows and ``keys.parquet`` of half as many.

    Parameters
    ----------
    output : Path
        The directory to write to.
    rows : int, optional
        Rows of the facts.
    size : int, optional
        Bytes of both files together, when `rows` is not given.
    seed : int
        The same seed and size give the same bytes.

    Yields
    ------
    Path
        Each file once it is complete.

    Raises
    ------
    ValueError
        Neither `rows` nor `size` is given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [facts, keys] = generate(Path(folder), rows=10)
    ...     pq.read_table(facts).num_rows, pq.read_table(keys).num_rows
    (10, 5)
    """
    rows = row_count(rows, size, lambda _: ROW_BYTES)
    distinct = max(1, rows // 2)
    for name, schema, count, draw in (
        ("facts", FACTS, rows, draw_facts),
        ("keys", KEYS, distinct, draw_keys),
    ):
        path = output / f"{name}.parquet"
        pieces = ((seed, start, stop, distinct) for start, stop in ranges(count, BATCH))
        with (
            atomic_path(path) as temporary,
            pq.ParquetWriter(temporary, schema) as writer,
        ):
            for piece in in_order(draw, pieces, default_workers()):
                writer.write_table(piece)
        yield path


def draw_facts(seed: int, start: int, stop: int, distinct: int) -> pa.Table:
    """Draw rows `start` to `stop` of the facts.

    Examples
    --------
    >>> draw_facts(0, 0, 3, 10).column_names
    ['label', 'few', 'other', 'many', 'small', 'medium', 'real']
    """
    rng, count = generator_for(seed, 0, start), stop - start
    labels = pa.array([f"id{number:03d}" for number in range(1, FEW + 1)])
    columns = [
        labels.take(pa.array(rng.integers(0, FEW, count))),
        rng.integers(1, FEW + 1, count),
        rng.integers(1, FEW + 1, count),
        rng.integers(1, distinct + 1, count),
        rng.integers(1, 6, count),
        rng.integers(1, 16, count),
        np.round(rng.random(count) * 100, 6),
    ]
    return pa.table(columns, schema=FACTS)


def draw_keys(seed: int, start: int, stop: int, distinct: int) -> pa.Table:
    """Return keys `start` to `stop` of all of them, in an order of their own.

    Examples
    --------
    >>> sorted(draw_keys(0, 0, 5, 5)["many"].to_pylist())
    [1, 2, 3, 4, 5]
    """
    # multiplying by a number without common divisor goes through all of them once
    step = int(distinct * 0.6180339887) | 1
    while np.gcd(step, distinct) != 1:
        step += 2
    numbers = np.arange(start, stop) * step % distinct + 1
    weights = generator_for(seed, 1, start).random(stop - start)
    return pa.table([numbers, weights], schema=KEYS)

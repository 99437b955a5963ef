"""Months of yellow-taxi trips in the columns of New York's taxi commission (TLC)."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .common import (
    argument,
    atomic_path,
    default_workers,
    hundredths,
    in_order,
    ranges,
    row_count,
    spread,
)
from .taxi_model import CHARGES, ZONES_FILE, Columns, Month, trips

HELP = "months of NYC yellow-taxi trips and the taxi zone table"
FIRST_MONTH = Month(2024, 1)
BATCH_ROWS = 1 << 14
ROW_GROUP_ROWS = 8 * BATCH_ROWS
HUNDREDTHS = ("trip_distance", *CHARGES, "total_amount")
NULLABLE = ("passenger_count", "RatecodeID", "store_and_fwd_flag")

SCHEMA = pa.schema(
    [
        ("VendorID", pa.int32()),
        ("tpep_pickup_datetime", pa.timestamp("us")),
        ("tpep_dropoff_datetime", pa.timestamp("us")),
        ("passenger_count", pa.int64()),
        ("trip_distance", pa.float64()),
        ("RatecodeID", pa.int64()),
        ("store_and_fwd_flag", pa.string()),
        ("PULocationID", pa.int32()),
        ("DOLocationID", pa.int32()),
        ("payment_type", pa.int64()),
        ("fare_amount", pa.float64()),
        ("extra", pa.float64()),
        ("mta_tax", pa.float64()),
        ("tip_amount", pa.float64()),
        ("tolls_amount", pa.float64()),
        ("improvement_surcharge", pa.float64()),
        ("total_amount", pa.float64()),
    ]
)
CSV_HEADER = (",".join(SCHEMA.names) + "\n").encode()
CSV_OPTIONS = pacsv.WriteOptions(include_header=False, quoting_style="none")


def parse_month(text: str) -> Month:
    """Read a month written ``YYYY-MM``.

    Parameters
    ----------
    text : str
        The month.

    Returns
    -------
    Month
        Year and month.

    Raises
    ------
    ValueError
        The text is not a month.

    Examples
    --------
    >>> parse_month("2024-02").days
    29
    """
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a month; write for example 2024-01")
    return Month(int(match[1]), int(match[2]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this dataset's own options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The subcommand's parser.
    """
    parser.add_argument("--months", type=int, default=1, help="number of months (default 1)")
    parser.add_argument(
        "--start",
        type=argument(parse_month),
        default=FIRST_MONTH,
        help="first month (default 2024-01)",
    )
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", dest="file_format")


def generate(
    output: Path,
    *,
    rows: int | None = None,
    size: int | None = None,
    seed: int = 0,
    months: int = 1,
    start: Month = FIRST_MONTH,
    file_format: str = "csv",
) -> Iterator[Path]:
    """Write the zone table and one file of trips for each month.

    Parameters
    ----------
    output : Path
        The directory to write to.
    rows : int, optional
        Trips in all months together.
    size : int, optional
        Bytes of all months together, when `rows` is not given.
    seed : int
        The same seed and size give the same bytes.
    months : int
        How many months; each gets trips by its number of days.
    start : Month
        The first of them.
    file_format : {"csv", "parquet"}
        The format of the trips; the zone table is always CSV.

    Yields
    ------
    Path
        Each file once it is complete.

    Raises
    ------
    ValueError
        There are no months, or neither `rows` nor `size` is given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in generate(Path(folder), rows=10)]
    ['taxi_zone_lookup.csv', 'yellow_tripdata_2024-01.csv']
    """
    if months < 1:
        raise ValueError(f"months is {months}; at least one month is needed")
    calendar = [start.later(month) for month in range(months)]
    days = [month.days for month in calendar]
    rows = row_count(
        rows, size, lambda total: _bytes_per_row(seed, start, spread(total, days)[0], file_format)
    )
    with atomic_path(output / "taxi_zone_lookup.csv") as temporary:
        shutil.copyfile(ZONES_FILE, temporary)
    yield output / "taxi_zone_lookup.csv"
    write = {"csv": _write_csv, "parquet": _write_parquet}[file_format]
    for month, month_rows in zip(calendar, spread(rows, days), strict=True):
        path = output / f"yellow_tripdata_{month}.{file_format}"
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            write(file, seed, month, month_rows)
        yield path


def csv_batch(seed: int, month: Month, start: int, stop: int, total: int) -> pa.Buffer:
    """Format some rows of a month as CSV.

    Parameters
    ----------
    seed, month, start, stop, total
        As for `trips`.

    Returns
    -------
    pyarrow.Buffer
        The lines, without a header.

    Examples
    --------
    >>> lines = csv_batch(0, Month(2024, 1), 0, 10, 10).to_pybytes().splitlines()
    >>> len(lines), lines[0].count(b",")
    (10, 16)
    """
    columns = trips(seed, month, start, stop, total)
    arrays = _arrays(columns, in_hundredths=hundredths, times="s")
    sink = pa.BufferOutputStream()
    pacsv.write_csv(pa.RecordBatch.from_arrays(arrays, SCHEMA.names), sink, CSV_OPTIONS)
    return sink.getvalue()


def parquet_batch(seed: int, month: Month, start: int, stop: int, total: int) -> pa.RecordBatch:
    """Make some rows of a month with the types of the published Parquet files.

    Parameters
    ----------
    seed, month, start, stop, total
        As for `trips`.

    Returns
    -------
    pyarrow.RecordBatch
        The rows, in `SCHEMA`.

    Examples
    --------
    >>> parquet_batch(0, Month(2024, 1), 0, 10, 10).num_columns
    17
    """
    columns = trips(seed, month, start, stop, total)
    arrays = _arrays(columns, in_hundredths=lambda values: pa.array(values / 100.0), times="us")
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _arrays(columns: Columns, *, in_hundredths: Any, times: str) -> list[pa.Array]:
    arrays = []
    for name in SCHEMA.names:
        values, mask = columns[name], columns["missing"] if name in NULLABLE else None
        if name in HUNDREDTHS:
            arrays.append(in_hundredths(values))
        elif name.endswith("datetime"):
            arrays.append(pa.array(values.astype("datetime64[s]").astype(f"datetime64[{times}]")))
        elif name == "store_and_fwd_flag":
            arrays.append(pc.if_else(pa.array(values, mask=mask), "Y", "N"))
        else:
            arrays.append(pa.array(values, mask=mask))
    return arrays


def _pieces(
    seed: int, month: Month, start: int, stop: int, total: int
) -> Iterator[tuple[int, Month, int, int, int]]:
    for low, high in ranges(stop - start, BATCH_ROWS):
        yield seed, month, start + low, start + high, total


def _write_csv(file: Any, seed: int, month: Month, rows: int) -> None:
    file.write(CSV_HEADER)
    for lines in in_order(csv_batch, _pieces(seed, month, 0, rows, rows), default_workers()):
        file.write(lines)


def _write_parquet(file: Any, seed: int, month: Month, rows: int) -> None:
    with pq.ParquetWriter(file, SCHEMA) as writer:
        batches = in_order(parquet_batch, _pieces(seed, month, 0, rows, rows), default_workers())
        while group := list(islice(batches, ROW_GROUP_ROWS // BATCH_ROWS)):
            writer.write_table(pa.Table.from_batches(group))


def _bytes_per_row(seed: int, month: Month, rows: int, file_format: str) -> float:
    rows = max(rows, 1)
    if file_format == "csv":
        # Night and day rows differ in length: sample the whole month, thinned out.
        sample = min(rows, 4 * BATCH_ROWS)
        return len(csv_batch(seed, month, 0, sample, sample)) / sample
    # How well a row group compresses depends on the hours it spans: sample three.
    groups = -(-rows // ROW_GROUP_ROWS)
    written = sampled = 0
    for group in sorted({groups // 6, groups // 2, groups * 5 // 6}):
        start = group * ROW_GROUP_ROWS
        stop = min(start + ROW_GROUP_ROWS, rows)
        pieces = _pieces(seed, month, start, stop, rows)
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_batches([parquet_batch(*piece) for piece in pieces]), sink)
        written += sink.tell()
        sampled += stop - start
    return written / sampled

"""Whether engines gave the same answer: rows in memory, or Parquet files."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

TOLERANCE = 1e-9  # relative: engines add up in different orders


def difference(answer: list[list[Any]], expected: list[list[Any]]) -> str | None:
    """Return what differs between two answers, whatever the order of their rows, or None."""
    if len(answer) != len(expected):
        return f"{len(answer)} rows instead of {len(expected)}"
    for row, other in zip(sorted(answer, key=_key), sorted(expected, key=_key), strict=True):
        if len(row) != len(other) or not all(map(_same, row, other)):
            return f"{row} instead of {other}"
    return None


def _key(row: list[Any]) -> list[tuple[str, Any]]:
    # Texts before numbers; whole numbers are exact, so that keys decide before what is added up.
    return [("0", value) if isinstance(value, str) else ("1", float(value)) for value in row]


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, str) or isinstance(other, str):
        return value == other
    return math.isclose(value, other, rel_tol=TOLERANCE, abs_tol=1e-6)


def parquet_summary(path: Path, sorted_by: str | None) -> list[list[Any]]:
    """Return a row for each column of a Parquet file or folder: values present, and their sum.

    Of texts the lengths are added up, of times the seconds.

    Raises
    ------
    ValueError
        If the rows are not in the order of `sorted_by`.
    """
    import pyarrow.parquet as pq

    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"), key=_natural)
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    last = -math.inf
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(1 << 18):
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    count, total = _count_and_sum(column)
                    counts[name] = counts.get(name, 0) + count
                    sums[name] = sums.get(name, 0.0) + total
                if sorted_by is not None:
                    last = _checked_order(batch.column(sorted_by), last, sorted_by)
    return [[name, counts[name], sums[name]] for name in counts]


def zarr_summary(path: Path) -> list[list[Any]]:
    """Return the shape and the chunks of a Zarr array, the sum of all, and of some rows."""
    import zarr

    array = zarr.open_array(path, mode="r")
    rows, columns = array.shape
    step = array.chunks[1]
    total = sum(float(array[:, start : start + step].sum()) for start in range(0, columns, step))
    picked = array[rows // 2 : rows // 2 + 2]
    return [
        ["shape", rows, columns],
        ["chunks", *array.chunks],
        ["sums", total, float((picked * range(1, columns + 1)).sum())],
    ]


def _natural(path: Path) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def _count_and_sum(column: Any) -> tuple[int, float]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = pc.binary_length(column.cast(pa.large_string()))
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("s")).cast(pa.int64())
    elif pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
    return pc.count(column).as_py(), float(pc.sum(column).as_py() or 0.0)


def _checked_order(column: Any, last: float, name: str) -> float:
    import numpy as np

    values = column.to_numpy(zero_copy_only=False)
    if len(values) and (values[0] < last or np.any(values[1:] < values[:-1])):
        raise ValueError(f"the output is not sorted by {name}")
    return float(values[-1]) if len(values) else last

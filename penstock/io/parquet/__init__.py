"""Parquet: `parquet_source` reads, `parquet_sink` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.io.parquet.planning import RowGroups
from penstock.io.parquet.schema import Drift
from penstock.io.parquet.source import ROW_NUMBER, ParquetSource, parquet_source

if TYPE_CHECKING:
    from penstock.io.parquet.sink import ParquetSink, parquet_sink

__all__ = [
    "ROW_NUMBER",
    "Drift",
    "ParquetSink",
    "ParquetSource",
    "RowGroups",
    "parquet_sink",
    "parquet_source",
]


def __getattr__(name: str) -> Any:
    """Import the sink when it is first asked for: reading needs nothing of it."""
    if name not in ("ParquetSink", "parquet_sink"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock.io.parquet import sink

    return getattr(sink, name)

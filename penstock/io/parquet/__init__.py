"""Parquet: `parquet_source` reads, `parquet_sink` writes."""

from penstock.io.parquet.planning import RowGroups
from penstock.io.parquet.schema import Drift
from penstock.io.parquet.sink import ParquetSink, parquet_sink
from penstock.io.parquet.source import ROW_NUMBER, ParquetSource, parquet_source

__all__ = [
    "ROW_NUMBER",
    "Drift",
    "ParquetSink",
    "ParquetSource",
    "RowGroups",
    "parquet_sink",
    "parquet_source",
]

"""CSV: `csv_source` reads it in blocks, `csv_sink` writes blocks."""

from __future__ import annotations

from penstock.io.csv.reading import BadLinesWarning
from penstock.io.csv.sink import CsvSink, csv_sink
from penstock.io.csv.source import CsvSource, TypeWidenedWarning, csv_source

__all__ = [
    "BadLinesWarning",
    "CsvSink",
    "CsvSource",
    "TypeWidenedWarning",
    "csv_sink",
    "csv_source",
]

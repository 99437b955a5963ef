"""CSV: `csv_source` reads it in blocks."""

from __future__ import annotations

from penstock.io.csv.reading import BadLinesWarning
from penstock.io.csv.source import CsvSource, TypeWidenedWarning, csv_source

__all__ = ["BadLinesWarning", "CsvSource", "TypeWidenedWarning", "csv_source"]

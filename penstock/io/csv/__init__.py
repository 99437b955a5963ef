"""CSV: `csv_source` reads it in blocks, `csv_sink` writes blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.io.csv.reading import BadLinesWarning
from penstock.io.csv.source import CsvSource, TypeWidenedWarning, csv_source

if TYPE_CHECKING:
    from penstock.io.csv.sink import CsvSink, csv_sink

__all__ = [
    "BadLinesWarning",
    "CsvSink",
    "CsvSource",
    "TypeWidenedWarning",
    "csv_sink",
    "csv_source",
]


def __getattr__(name: str) -> Any:
    """Import the sink when it is first asked for: reading needs nothing of it."""
    if name not in ("CsvSink", "csv_sink"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock.io.csv import sink

    return getattr(sink, name)

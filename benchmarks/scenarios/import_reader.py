"""import up to a CSV reader.

Penstock and Dask import on first use what they need: this is what a script pays before its first
call. The figure is the time of the import statement alone.
"""

import importlib
import time

from scenarios import Timed

UNIT = "ms"


def _timed(module, name):
    started = time.perf_counter()
    getattr(importlib.import_module(module), name)
    return Timed(None, (time.perf_counter() - started) * 1e3)


def penstock(inputs):
    return _timed("penstock.dataframe", "read_csv")


def dask(inputs):
    return _timed("dask.dataframe", "read_csv")


def polars(inputs):
    return _timed("polars", "scan_csv")


def duckdb(inputs):
    return _timed("duckdb", "read_csv")

"""import of the package.

The figure is the time of the import statement alone.
"""

import importlib
import time

from scenarios import Timed

UNIT = "ms"
LIMIT = 300.0


def _timed(module):
    started = time.perf_counter()
    importlib.import_module(module)
    return Timed(None, (time.perf_counter() - started) * 1e3)


def penstock(inputs):
    return _timed("penstock")


def dask(inputs):
    return _timed("dask")


def polars(inputs):
    return _timed("polars")


def duckdb(inputs):
    return _timed("duckdb")

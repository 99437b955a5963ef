"""DataFrames bigger than memory: Dask's names, pandas' results, a hard memory limit."""

from __future__ import annotations

from typing import Any

_HOMES = {
    "Aggregation": "aggregation",
    "DataFrame": "frame",
    "Series": "series",
    "Scalar": "scalar",
    "compact": "compacting",
    "compute": "base",
    "persist": "base",
    "concat": "joins",
    "crosstab": "crosstabs",
    "cut": "binning",
    "melt": "reshaping",
    "merge": "joins",
    "merge_asof": "joins_asof",
    "pivot_table": "pivoting",
    "qcut": "binning",
    "from_arrow": "in_memory",
    "from_dask_array": "array_frames",
    "from_dict": "in_memory",
    "from_pandas": "in_memory",
    "from_source": "creation",
    "get_dummies": "reshaping",
    "map_partitions": "creation",
    "read_csv": "creation",
    "read_parquet": "creation",
    "read_table": "creation",
    "to_datetime": "creation",
    "to_numeric": "creation",
    "to_timedelta": "creation",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    importlib.import_module("penstock.collections.frame")  # whatever is made later is known then
    value = getattr(importlib.import_module(f"penstock.collections.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

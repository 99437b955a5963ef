"""DataFrames bigger than memory: Dask's names, pandas' results, a hard memory limit."""

from __future__ import annotations

from penstock._faces import lazy_names

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
    "from_dask_array": "arrays.frames",
    "from_dict": "in_memory",
    "from_map": "creation",
    "from_pandas": "in_memory",
    "from_source": "creation",
    "get_dummies": "reshaping",
    "map_partitions": "creation",
    "read_csv": "creation",
    "read_parquet": "creation",
    "read_table": "creation",
    "to_csv": "writing",
    "to_datetime": "creation",
    "to_numeric": "creation",
    "to_parquet": "writing",
    "to_timedelta": "creation",
}
_HOMES = {name: f"penstock.collections.{home}" for name, home in _HOMES.items()}

__all__ = sorted(_HOMES)

# whatever frames give later is known once their module is there
__getattr__, __dir__ = lazy_names(globals(), _HOMES, before="penstock.collections.frame")

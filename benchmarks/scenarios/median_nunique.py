"""1.2 GB: median and exact number of distinct values by two keys.

60,000,000 rows in 10,000 groups.
"""

INPUT = "facts"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"


def penstock(inputs):
    import penstock.dataframe as dd

    groups = dd.read_parquet(inputs.facts).groupby(["few", "other"])
    return groups.agg({"real": "median", "many": "nunique"}).compute()


def dask(inputs):
    import dask.dataframe as dd

    groups = dd.read_parquet(inputs.facts).groupby(["few", "other"])
    return groups.agg({"real": "median", "many": "nunique"}).compute()


def polars(inputs):
    import polars as pl

    groups = pl.scan_parquet(inputs.facts).group_by("few", "other")
    found = groups.agg(pl.median("real"), pl.n_unique("many"))
    return found.collect(engine="streaming").rows()


def duckdb(inputs):
    import duckdb

    return duckdb.sql(f"""
        SELECT few, other, median(real), count(DISTINCT many)
        FROM '{inputs.facts}' GROUP BY few, other
    """).fetchall()

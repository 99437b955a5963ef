"""1.2 GB: number of distinct values of a column.

Some 26,000,000 values in 60,000,000 rows.
"""

INPUT = "facts"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"


def penstock(inputs):
    import penstock.dataframe as dd

    return [[dd.read_parquet(inputs.facts).many.nunique().compute()]]


def dask(inputs):
    import dask.dataframe as dd

    return [[dd.read_parquet(inputs.facts).many.nunique().compute()]]


def polars(inputs):
    import polars as pl

    count = pl.scan_parquet(inputs.facts).select(pl.n_unique("many"))
    return count.collect(engine="streaming").rows()


def duckdb(inputs):
    import duckdb

    return duckdb.sql(f"SELECT count(DISTINCT many) FROM '{inputs.facts}'").fetchall()

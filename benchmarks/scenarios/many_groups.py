"""1.2 GB: two sums by a key of half as many values as rows, to Parquet.

60,000,000 rows and some 26,000,000 groups.
"""

INPUT = "facts"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"


def penstock(inputs):
    import penstock.dataframe as dd

    groups = dd.read_parquet(inputs.facts).groupby("many")[["small", "medium"]].sum()
    groups.to_parquet(inputs.output)


def dask(inputs):
    import dask.dataframe as dd

    groups = dd.read_parquet(inputs.facts).groupby("many")[["small", "medium"]].sum()
    groups.to_parquet(inputs.output)


def polars(inputs):
    import polars as pl

    groups = pl.scan_parquet(inputs.facts).group_by("many").agg(pl.sum("small"), pl.sum("medium"))
    groups.sink_parquet(inputs.output, compression="snappy")


def duckdb(inputs):
    import duckdb

    duckdb.sql(f"""
        COPY (
            SELECT many, sum(small)::BIGINT AS small, sum(medium)::BIGINT AS medium
            FROM '{inputs.facts}' GROUP BY many
        ) TO '{inputs.output}' (FORMAT parquet, COMPRESSION snappy)
    """)

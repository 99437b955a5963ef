"""1.2 GB: join on 30,000,000 keys, then sums by 100.

Every row of 60,000,000 meets its key in a second table.
"""

INPUT = "facts"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"


def penstock(inputs):
    import penstock.dataframe as dd

    joined = dd.read_parquet(inputs.facts).merge(dd.read_parquet(inputs.keys), on="many")
    return joined.groupby("few")[["weight", "small"]].sum().compute()


def dask(inputs):
    import dask.dataframe as dd

    joined = dd.read_parquet(inputs.facts).merge(dd.read_parquet(inputs.keys), on="many")
    return joined.groupby("few")[["weight", "small"]].sum().compute()


def polars(inputs):
    import polars as pl

    joined = pl.scan_parquet(inputs.facts).join(pl.scan_parquet(inputs.keys), on="many")
    sums = joined.group_by("few").agg(pl.sum("weight"), pl.sum("small"))
    return sums.collect(engine="streaming").rows()


def duckdb(inputs):
    import duckdb

    return duckdb.sql(f"""
        SELECT few, sum(weight), sum(small)::BIGINT
        FROM '{inputs.facts}' JOIN '{inputs.keys}' USING (many) GROUP BY few
    """).fetchall()

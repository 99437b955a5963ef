"""1.2 GB: sort by a float column, to Parquet.

60,000,000 rows of 7 columns, 3.3 GB in memory.
"""

INPUT = "facts"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"
SORTED_BY = "real"


def penstock(inputs):
    import penstock.dataframe as dd

    facts = dd.read_parquet(inputs.facts).sort_values("real")
    facts.to_parquet(inputs.output, write_index=False)


def dask(inputs):
    import dask.dataframe as dd

    dd.read_parquet(inputs.facts).sort_values("real").to_parquet(inputs.output, write_index=False)


def polars(inputs):
    import polars as pl

    pl.scan_parquet(inputs.facts).sort("real").sink_parquet(inputs.output, compression="snappy")


def duckdb(inputs):
    import duckdb

    duckdb.sql(f"""
        COPY (FROM '{inputs.facts}' ORDER BY real)
        TO '{inputs.output}' (FORMAT parquet, COMPRESSION snappy)
    """)

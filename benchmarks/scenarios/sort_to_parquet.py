"""Parquet: sort by fare, to Parquet.

All columns, snappy. The rows of one fare may come in any order.
"""

SORTED_BY = "fare_amount"


def penstock(inputs):
    import penstock.dataframe as dd

    trips = dd.read_parquet(inputs.parquet).sort_values("fare_amount")
    trips.to_parquet(inputs.output, write_index=False)


def dask(inputs):
    import dask.dataframe as dd

    trips = dd.read_parquet(inputs.parquet).sort_values("fare_amount")
    trips.to_parquet(inputs.output, write_index=False)


def polars(inputs):
    import polars as pl

    trips = pl.scan_parquet(inputs.parquet).sort("fare_amount")
    trips.sink_parquet(inputs.output, compression="snappy")


def duckdb(inputs):
    import duckdb

    duckdb.sql(f"""
        COPY (FROM '{inputs.parquet}' ORDER BY fare_amount)
        TO '{inputs.output}' (FORMAT parquet, COMPRESSION snappy)
    """)

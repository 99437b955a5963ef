"""1.2 GB: one compressed CSV file to Parquet.

1 GB of trips once decompressed, all 17 columns, snappy; both times become timestamps.
"""

INPUT = "gz"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"
TIMES = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]


def penstock(inputs):
    import penstock.dataframe as dd

    dd.read_csv(inputs.gz, parse_dates=TIMES).to_parquet(inputs.output, write_index=False)


def dask(inputs):
    import dask.dataframe as dd

    # Inferred from the first ten rows, where no value may be missing, unless told.
    floats = {"passenger_count": "float64", "RatecodeID": "float64"}
    trips = dd.read_csv(inputs.gz, parse_dates=TIMES, dtype=floats, blocksize=None)
    trips.to_parquet(inputs.output, write_index=False)


def polars(inputs):
    import polars as pl

    pl.scan_csv(inputs.gz, try_parse_dates=True).sink_parquet(inputs.output, compression="snappy")


def duckdb(inputs):
    import duckdb

    duckdb.sql(f"""
        COPY (FROM '{inputs.gz}') TO '{inputs.output}' (FORMAT parquet, COMPRESSION snappy)
    """)

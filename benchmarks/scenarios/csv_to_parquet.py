"""CSV to Parquet: all columns, snappy.

Both times of each trip become timestamps; files and row groups are as each engine likes them.
"""

TIMES = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]


def penstock(inputs):
    import penstock.dataframe as dd

    dd.read_csv(inputs.csv, parse_dates=TIMES).to_parquet(inputs.output, write_index=False)


def dask(inputs):
    import dask.dataframe as dd

    # Inferred from the first ten rows, where no value may be missing, unless told.
    floats = {"passenger_count": "float64", "RatecodeID": "float64"}
    trips = dd.read_csv(inputs.csv, parse_dates=TIMES, dtype=floats)
    trips.to_parquet(inputs.output, write_index=False)


def polars(inputs):
    import polars as pl

    pl.scan_csv(inputs.csv, try_parse_dates=True).sink_parquet(inputs.output, compression="snappy")


def duckdb(inputs):
    import duckdb

    duckdb.sql(f"""
        COPY (FROM '{inputs.csv}') TO '{inputs.output}' (FORMAT parquet, COMPRESSION snappy)
    """)

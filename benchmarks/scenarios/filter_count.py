"""Parquet: filter, projection, count.

How many values three columns have in the longer trips paid by card.
"""

COLUMNS = ["PULocationID", "passenger_count", "tip_amount"]


def penstock(inputs):
    import penstock.dataframe as dd

    trips = dd.read_parquet(inputs.parquet)
    wanted = trips[(trips.trip_distance > 5) & (trips.payment_type == 1)][COLUMNS]
    return wanted.count().compute()


def dask(inputs):
    import dask.dataframe as dd

    trips = dd.read_parquet(inputs.parquet)
    wanted = trips[(trips.trip_distance > 5) & (trips.payment_type == 1)][COLUMNS]
    return wanted.count().compute()


def polars(inputs):
    import polars as pl

    trips = pl.scan_parquet(inputs.parquet)
    wanted = trips.filter((pl.col("trip_distance") > 5) & (pl.col("payment_type") == 1))
    counts = wanted.select(COLUMNS).count().collect(engine="streaming")
    return list(zip(COLUMNS, counts.row(0), strict=True))


def duckdb(inputs):
    import duckdb

    counts = duckdb.sql(f"""
        SELECT {", ".join(f"count({name})" for name in COLUMNS)} FROM '{inputs.parquet}'
        WHERE trip_distance > 5 AND payment_type = 1
    """).fetchall()[0]
    return list(zip(COLUMNS, counts, strict=True))

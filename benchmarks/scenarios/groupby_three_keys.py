"""Parquet: two sums and a mean by three columns.

Some 3,000 groups by zone, payment and passengers.
"""

KEYS = ["PULocationID", "payment_type", "passenger_count"]


def penstock(inputs):
    import penstock.dataframe as dd

    return (
        dd.read_parquet(inputs.parquet)
        .groupby(KEYS)
        .agg({"fare_amount": "sum", "tip_amount": "sum", "trip_distance": "mean"})
        .compute()
    )


def dask(inputs):
    import dask.dataframe as dd

    return (
        dd.read_parquet(inputs.parquet)
        .groupby(KEYS)
        .agg({"fare_amount": "sum", "tip_amount": "sum", "trip_distance": "mean"})
        .compute()
    )


def polars(inputs):
    import polars as pl

    return (
        pl.scan_parquet(inputs.parquet)
        .drop_nulls(KEYS)
        .group_by(KEYS)
        .agg(pl.sum("fare_amount"), pl.sum("tip_amount"), pl.mean("trip_distance"))
        .collect(engine="streaming")
        .rows()
    )


def duckdb(inputs):
    import duckdb

    keys = ", ".join(KEYS)
    return duckdb.sql(f"""
        SELECT {keys}, sum(fare_amount), sum(tip_amount), avg(trip_distance)
        FROM '{inputs.parquet}' WHERE passenger_count IS NOT NULL GROUP BY {keys}
    """).fetchall()

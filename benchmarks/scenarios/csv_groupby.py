"""CSV: mean tip by passenger count.

One file, 17 columns, two of them needed. Trips without a passenger count are no group.
"""


def penstock(inputs):
    import penstock.dataframe as dd

    return dd.read_csv(inputs.csv).groupby("passenger_count").tip_amount.mean().compute()


def dask(inputs):
    import dask.dataframe as dd

    # Dask infers types from the first ten rows, where no value may be missing; and without
    # dropna=True its mean, unlike its sum, keeps a group of the missing keys.
    trips = dd.read_csv(inputs.csv, dtype={"passenger_count": "float64", "RatecodeID": "float64"})
    grouped = trips.groupby("passenger_count", dropna=True)
    return grouped.tip_amount.mean().compute()


def polars(inputs):
    import polars as pl

    return (
        pl.scan_csv(inputs.csv)
        .drop_nulls("passenger_count")
        .group_by("passenger_count")
        .agg(pl.col("tip_amount").mean())
        .collect(engine="streaming")
        .rows()
    )


def duckdb(inputs):
    import duckdb

    return duckdb.sql(f"""
        SELECT passenger_count, avg(tip_amount) FROM '{inputs.csv}'
        WHERE passenger_count IS NOT NULL GROUP BY passenger_count
    """).fetchall()

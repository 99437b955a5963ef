"""Parquet join CSV: takings by borough.

Every trip meets its zone, one of 265. A borough in the table is the text N/A.
"""


def penstock(inputs):
    import penstock.dataframe as dd

    zones = dd.read_csv(inputs.zones, keep_default_na=False)
    trips = dd.read_parquet(inputs.parquet)
    joined = trips.merge(zones, left_on="PULocationID", right_on="LocationID")
    return joined.groupby("Borough").total_amount.agg(["sum", "count"]).compute()


def dask(inputs):
    import dask.dataframe as dd

    zones = dd.read_csv(inputs.zones, keep_default_na=False)
    trips = dd.read_parquet(inputs.parquet)
    joined = trips.merge(zones, left_on="PULocationID", right_on="LocationID")
    return joined.groupby("Borough").total_amount.agg(["sum", "count"]).compute()


def polars(inputs):
    import polars as pl

    zones = pl.scan_csv(inputs.zones)
    trips = pl.scan_parquet(inputs.parquet)
    joined = trips.join(
        zones.with_columns(pl.col("LocationID").cast(pl.Int32)),
        left_on="PULocationID",
        right_on="LocationID",
    )
    grouped = joined.group_by("Borough").agg(
        pl.sum("total_amount"), pl.count("total_amount").alias("trips")
    )
    return grouped.collect(engine="streaming").rows()


def duckdb(inputs):
    import duckdb

    return duckdb.sql(f"""
        SELECT Borough, sum(total_amount), count(total_amount)
        FROM '{inputs.parquet}' JOIN '{inputs.zones}' ON PULocationID = LocationID
        GROUP BY Borough
    """).fetchall()

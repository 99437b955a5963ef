"""Taxi trips on S3, in less memory than the data: clean, store, join, sort, plot.

Months of generated CSV are put on a private S3 server and worked on with a memory limit of
512 MB, whatever their size. Run it with ``make demo``; ``DEMO_SIZE=5GB make demo`` for more.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import penstock
import penstock.dataframe as dd
from s3_server import S3ServerError, SeaweedServer

SIZE = os.environ.get("DEMO_SIZE", "1.5GB")
LIMIT = os.environ.get("DEMO_MEMORY_LIMIT", "512MB")
CHART = Path(os.environ.get("DEMO_CHART", "taxi.png"))
GENERATOR = Path(__file__).parent.parent / "data-gen" / "generate-data.py"

PAYMENT_TYPES = {1: "card", 2: "cash", 3: "no charge", 4: "dispute"}


def clean(trips):
    """Drop trips that cannot have happened; add the hour, weekday and duration."""
    duration = (trips.tpep_dropoff_datetime - trips.tpep_pickup_datetime).dt.total_seconds() / 60
    trips = trips.assign(
        month=trips.tpep_pickup_datetime.dt.month,
        hour=trips.tpep_pickup_datetime.dt.hour,
        minutes=duration,
    )
    return trips[
        trips.fare_amount.between(0.01, 500)
        & trips.trip_distance.between(0.01, 100)
        & trips.minutes.between(1, 300)
        & (trips.tpep_pickup_datetime.dt.year == 2024)
    ]


def analyse(bucket, storage):
    """Run the whole job and return its results."""
    trips = dd.read_csv(
        f"{bucket}/csv/yellow_tripdata_*.csv",
        parse_dates=["tpep_pickup_datetime", "tpep_dropoff_datetime"],
        storage_options=storage,
    )
    clean(trips).to_parquet(
        f"{bucket}/trips", partition_on="month", write_index=False, storage_options=storage
    )

    trips = dd.read_parquet(f"{bucket}/trips", storage_options=storage)
    zones = dd.read_csv(f"{bucket}/csv/taxi_zone_lookup.csv", storage_options=storage)

    summer = trips[trips.month.isin([6, 7, 8])][["PULocationID", "total_amount"]]
    summer = summer.merge(zones, left_on="PULocationID", right_on="LocationID")
    tips = trips[trips.fare_amount > 0].groupby("payment_type").tip_amount.mean()
    by_zone = summer.groupby(["Borough", "Zone"]).agg(
        trips=("total_amount", "size"), revenue=("total_amount", "sum")
    )
    by_hour = trips.groupby("hour").agg(trips=("fare_amount", "size"), fare=("fare_amount", "mean"))
    busiest, hours, tips, rows = penstock.compute(
        by_zone.nlargest(10, "trips"), by_hour, tips, trips.shape[0]
    )

    by_fare = trips.sort_values("fare_amount", ascending=False)
    by_fare.to_parquet(f"{bucket}/by_fare", write_index=False, storage_options=storage)
    dearest = dd.read_parquet(f"{bucket}/by_fare", storage_options=storage)
    dearest = dearest[["fare_amount", "trip_distance", "minutes"]].head(3)
    return rows, busiest, hours, tips.rename(index=PAYMENT_TYPES), dearest


def plot(busiest, hours, path):
    """Draw trips by hour beside the busiest zones."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    left.bar(hours.index, hours.trips / 1000, color="#33658a")
    left.set(title="Trips by hour of pickup", xlabel="hour", ylabel="thousand trips")
    fares = left.twinx()
    fares.plot(hours.index, hours.fare, color="#f26419", marker="o", markersize=3)
    fares.set_ylabel("mean fare, $", color="#f26419")
    names = [zone for _, zone in busiest.index][::-1]
    right.barh(names, busiest.trips[::-1] / 1000, color="#86bbd8")
    right.set(title="Busiest pickup zones, June to August", xlabel="thousand trips")
    figure.savefig(path, dpi=110)


def upload(server, folder):
    """Generate the months and put them on the server; return the bytes."""
    command = [
        sys.executable,
        GENERATOR,
        "taxi",
        "--months",
        "12",
        "--size",
        SIZE,
        "--output",
        folder,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    bucket = f"s3://{server.make_bucket('taxi')}"
    files = sorted(Path(folder).glob("*.csv"))
    for path in files:
        # few and small pieces: this is the process whose memory is watched
        server.filesystem().put_file(
            path, f"{bucket}/csv/{path.name}", chunksize=2**23, max_concurrency=2
        )
    return bucket, sum(path.stat().st_size for path in files)


def main():
    """Generate, upload, analyse, and show what came out."""
    penstock.config.set(memory_limit=LIMIT)
    with SeaweedServer() as server, tempfile.TemporaryDirectory() as folder:
        print(f"generating {SIZE} of trips and putting them on {server.endpoint_url} ...")
        bucket, nbytes = upload(server, folder)
        print(f"{nbytes / 1e9:.2f} GB of CSV on S3; working with a memory limit of {LIMIT}")
        start = time.perf_counter()
        with penstock.profile() as profile:
            rows, busiest, hours, tips, dearest = analyse(bucket, server.storage_options)
        seconds = time.perf_counter() - start

    print(f"\nBusiest pickup zones, June to August\n{busiest.round(0).to_string()}")
    print(f"\nBusiest hours\n{hours.nlargest(3, 'trips').round(2).to_string()}")
    print(f"\nMean tip by payment\n{tips.round(2).to_string()}")
    print(f"\nDearest trips\n{dearest.to_string(index=False)}")
    plot(busiest, hours, CHART)
    print(f"\nchart             {CHART.resolve()}")
    print(f"rows kept         {rows:,}")
    print(f"read from S3      {profile.bytes_read / 1e9:.2f} GB")
    print(f"peak memory       {profile.peak_rss / 1e6:.0f} MB of {LIMIT}")
    print(f"spilled           {profile.spilled_bytes / 1e6:.0f} MB")
    print(f"time              {seconds:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except S3ServerError as error:
        sys.exit(f"the S3 server could not be started: {error}")

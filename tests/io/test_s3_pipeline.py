"""A whole pipeline on a real S3 server, against the same steps in pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.io.filesystem import bytes_read
from tests.support.frames import assert_eq
from tests.support.proxy import FaultProxy

if TYPE_CHECKING:
    from tests.support.s3 import S3Endpoint

pytestmark = pytest.mark.s3

ROWS = 300_000


@pytest.fixture(scope="module")
def trips() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    fare = np.round(rng.gamma(2.0, 8.0, ROWS), 2)
    fare[rng.random(ROWS) < 0.05] = np.nan
    return pd.DataFrame(
        {
            "trip": np.arange(ROWS),
            "zone": rng.integers(1, 50, ROWS),
            "fare": fare,
            "tip": np.round(fare * 0.2, 2),
            "vendor": rng.choice(["CMT", "VTS", "DDS"], ROWS),
            "note": pd.Series("note " + pd.Series(rng.integers(0, ROWS, ROWS)).astype(str)),
            "month": rng.integers(1, 7, ROWS),
        }
    )


def test_csv_to_partitioned_parquet_to_a_merged_groupby(seaweed_s3: S3Endpoint, trips):
    bucket, options = seaweed_s3.new_bucket(), seaweed_s3.storage_options
    filesystem = seaweed_s3.filesystem()
    for number in range(4):
        part = trips.iloc[number * ROWS // 4 : (number + 1) * ROWS // 4]
        filesystem.pipe(f"{bucket}/csv/trips-{number}.csv", part.to_csv(index=False).encode())
    zones = pd.DataFrame({"zone": np.arange(1, 50), "borough": np.arange(1, 50) % 5})
    filesystem.pipe(f"{bucket}/zones.csv", zones.to_csv(index=False).encode())

    source = dd.read_csv(f"s3://{bucket}/csv/*.csv", blocksize="4MB", storage_options=options)
    target = f"s3://{bucket}/trips"
    source.to_parquet(target, partition_on="month", storage_options=options)
    stored = {name: filesystem.size(name) for name in filesystem.find(f"{bucket}/trips")}
    assert {name.split("/")[2] for name in stored} == {f"month={month}" for month in range(1, 7)}
    assert not [name for name in filesystem.find(bucket) if ".penstock" in name]

    with FaultProxy(seaweed_s3.endpoint_url) as proxy:  # without faults: it counts
        before = bytes_read().get("s3", 0)
        wanted = dd.read_parquet(
            target,
            columns=["zone", "fare", "month"],
            filters=[("month", "<=", 2), ("fare", ">", 10.0)],
            storage_options=proxy.storage_options(options),
        )
        merged = wanted.merge(
            dd.read_csv(f"s3://{bucket}/zones.csv", storage_options=options), on="zone"
        )
        result = merged.groupby("borough")["fare"].agg(["sum", "count", "mean"]).compute()
        counted = bytes_read()["s3"] - before
        sent = proxy.totals("GET").bytes_sent
        assert any(each.byte_range for each in proxy.exchanges("GET"))

    kept = trips[(trips["month"] <= 2) & (trips["fare"] > 10.0)].merge(zones, on="zone")
    assert_eq(result, kept.groupby("borough")["fare"].agg(["sum", "count", "mean"]))
    assert 0 < counted < sum(stored.values()) / 2
    assert 0 < sent < sum(stored.values()) / 2

    everything = dd.read_parquet(target, storage_options=options).compute()
    ordered = everything.sort_values("trip", ignore_index=True)
    assert_eq(ordered[list(trips.columns)], trips, check_dtype=False)


def test_a_second_run_replaces_or_is_refused(seaweed_s3: S3Endpoint, trips):
    bucket, options = seaweed_s3.new_bucket(), seaweed_s3.storage_options
    target = f"s3://{bucket}/out"
    dd.from_pandas(trips, npartitions=3).to_parquet(target, storage_options=options)
    few = dd.from_pandas(trips.head(100), npartitions=1)
    with pytest.raises(FileExistsError, match="mode='overwrite'"):
        few.to_parquet(target, storage_options=options)
    assert len(dd.read_parquet(target, storage_options=options)) == ROWS
    few.to_parquet(target, mode="overwrite", storage_options=options)
    assert_eq(dd.read_parquet(target, storage_options=options), trips.head(100))

"""The taxi months: types, distributions, impossible rows, sizes and equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from generators import common, taxi
from generators.taxi_model import CHARGES, Month

TIMES = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]


def contents(folder: Path, **options: Any) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in taxi.generate(folder, **options)}


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    _, path = taxi.generate(tmp_path_factory.mktemp("taxi"), rows=150_000, seed=3)
    return pd.read_csv(path, parse_dates=TIMES)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_same_seed_gives_same_bytes_on_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    options: dict[str, Any] = {"rows": 40_000, "months": 2, "file_format": file_format}
    first = contents(tmp_path, seed=1, **options)
    monkeypatch.setattr(taxi, "default_workers", lambda: 4)
    assert contents(tmp_path, seed=1, **options) == first
    other = contents(tmp_path, seed=2, **options)
    assert other.keys() == first.keys()
    trips = [name for name in first if name.startswith("yellow")]
    assert all(other[name] != first[name] for name in trips)


@pytest.mark.parametrize(
    ("file_format", "size"),
    [("csv", 200_000), ("csv", 5_000_000), ("parquet", 100_000), ("parquet", 4_000_000)],
)
def test_size_is_met(tmp_path: Path, file_format: str, size: int) -> None:
    files = contents(tmp_path, size=size, months=2, file_format=file_format)
    written = sum(len(data) for name, data in files.items() if name.startswith("yellow"))
    assert written == pytest.approx(size, rel=0.05)


def test_months_are_named_and_weighted_by_their_days(tmp_path: Path) -> None:
    files = contents(tmp_path, rows=6_000, months=3, start=Month(2023, 12))
    months = ["2023-12", "2024-01", "2024-02"]
    names = [f"yellow_tripdata_{month}.csv" for month in months]
    assert list(files) == ["taxi_zone_lookup.csv", *names]
    rows = [files[name].count(b"\n") - 1 for name in names]
    assert sum(rows) == 6_000
    assert rows == pytest.approx([6_000 * days / 91 for days in (31, 31, 29)], abs=1)


def test_csv_columns_and_text(tmp_path: Path, trips: pd.DataFrame) -> None:
    assert list(trips.columns) == taxi.SCHEMA.names
    assert len(trips.columns) == 17
    lines = contents(tmp_path, rows=2_000)["yellow_tripdata_2024-01.csv"].decode().splitlines()
    assert all(line.count(",") == 16 for line in lines)
    assert 85 <= np.mean([len(line) + 1 for line in lines[1:]]) <= 102
    first = lines[1].split(",")
    assert first[1].startswith("2024-01-")
    assert len(first[1]) == len("2024-01-01 00:00:00")
    assert all(len(first[place].split(".")[1]) == 2 for place in (4, *range(10, 17)))
    assert all(trips[name].dtype == "float64" for name in CHARGES)
    assert trips["PULocationID"].dtype == "int64"


def test_parquet_holds_the_same_trips_with_the_published_types(tmp_path: Path) -> None:
    *_, csv_path = taxi.generate(tmp_path, rows=30_000)
    *_, parquet_path = taxi.generate(tmp_path, rows=30_000, file_format="parquet")
    table = pq.read_table(parquet_path)
    assert table.schema.remove_metadata() == taxi.SCHEMA
    assert table.schema.field("tpep_pickup_datetime").type == pa.timestamp("us")
    text = pd.read_csv(csv_path, parse_dates=TIMES)
    pd.testing.assert_frame_equal(table.to_pandas(), text, check_dtype=False)


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taxi, "ROW_GROUP_ROWS", 2 * taxi.BATCH_ROWS)
    *_, path = taxi.generate(tmp_path, rows=5 * taxi.BATCH_ROWS, file_format="parquet")
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert groups == [2 * taxi.BATCH_ROWS, 2 * taxi.BATCH_ROWS, taxi.BATCH_ROWS]


def test_pickups_follow_the_clock_and_the_calendar(trips: pd.DataFrame) -> None:
    pickup = trips["tpep_pickup_datetime"]
    inside = pickup.between("2024-01-01", "2024-01-31 23:59:59")
    assert 0 <= (~inside).sum() < 20
    hours = pickup[inside].dt.hour.value_counts(normalize=True)
    assert hours[18] > 5 * hours[4]
    # Rows follow time, but not strictly.
    days = pickup[inside].dt.day_of_year
    assert days.iloc[:5_000].mean() < 5
    assert days.iloc[-5_000:].mean() > 27
    assert not pickup.is_monotonic_increasing
    assert pickup[inside].dt.date.nunique() == 31


def test_zones_are_real_and_skewed(trips: pd.DataFrame) -> None:
    for name in ("PULocationID", "DOLocationID"):
        assert trips[name].between(1, 265).all()
        shares = trips[name].value_counts(normalize=True)
        assert len(shares) > 240
        assert shares.head(20).sum() > 0.5
    assert trips["PULocationID"].value_counts().index[0] == 132


def test_tips_depend_on_the_payment_type(trips: pd.DataFrame) -> None:
    tips = trips.groupby("payment_type")["tip_amount"].agg(["mean", "max"])
    assert tips.loc[1, "mean"] > 3 > tips.loc[0, "mean"] > 0
    assert (tips.loc[[2, 3, 4], "max"] == 0).all()


def test_total_is_the_sum_of_the_charges(trips: pd.DataFrame) -> None:
    np.testing.assert_allclose(trips[list(CHARGES)].sum(axis=1), trips["total_amount"], atol=1e-6)


def test_nulls_come_together(trips: pd.DataFrame) -> None:
    missing = trips[["passenger_count", "RatecodeID", "store_and_fwd_flag"]].isna()
    app = trips["payment_type"] == 0
    assert all((missing[name] == app).all() for name in missing)
    assert 0.04 < app.mean() < 0.055
    assert not trips.drop(columns=missing.columns).isna().any(axis=None)


def test_impossible_rows_are_few_but_there(trips: pd.DataFrame) -> None:
    length = trips["tpep_dropoff_datetime"] - trips["tpep_pickup_datetime"]
    shares = {
        "negative": (trips["total_amount"] < 0).mean(),
        "standing": (trips["trip_distance"] == 0).mean(),
        "day_long": (length > pd.Timedelta(hours=23)).mean(),
        "backwards": (length < pd.Timedelta(0)).mean(),
        "far": (trips["trip_distance"] >= 10_000).mean(),
    }
    expected = {"negative": 0.01, "standing": 0.01, "day_long": 8e-4, "backwards": 5e-4}
    assert shares == pytest.approx(expected | {"far": 2e-4}, rel=0.5)


def test_zone_table(tmp_path: Path) -> None:
    path = next(taxi.generate(tmp_path, rows=1))
    zones = pd.read_csv(path, keep_default_na=False)
    assert list(zones.columns) == ["LocationID", "Borough", "Zone", "service_zone"]
    assert zones["LocationID"].tolist() == list(range(1, 266))
    assert zones.loc[131].tolist() == [132, "Queens", "JFK Airport", "Airports"]
    assert zones["Borough"].tail(2).tolist() == ["Unknown", "N/A"]
    boroughs = zones["Borough"].value_counts()
    names = ["Manhattan", "Queens", "Brooklyn", "Bronx", "Staten Island", "EWR"]
    assert boroughs[names].tolist() == [69, 69, 61, 43, 20, 1]


def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tmp_path, rows=1_000)
    whole = taxi.csv_batch

    def failing(seed: int, month: Month, start: int, stop: int, total: int) -> pa.Buffer:
        if start > 0:
            raise OSError("no space left")
        return whole(seed, month, start, stop, total)

    monkeypatch.setattr(taxi, "csv_batch", failing)
    with pytest.raises(OSError, match="no space left"):
        contents(tmp_path, rows=2 * taxi.BATCH_ROWS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("options", [{"rows": 1, "months": 0}, {}])
def test_bad_requests_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"at least one month|neither rows nor size"):
        list(taxi.generate(tmp_path, **options))


@pytest.mark.parametrize("text", ["2024", "2024-13", "24-01"])
def test_bad_months_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month"):
        taxi.parse_month(text)


@pytest.mark.parametrize(
    ("text", "size"), [("300MB", 300_000_000), ("1.5 GiB", 3 << 29), ("12", 12), ("2kb", 2000)]
)
def test_sizes(text: str, size: int) -> None:
    assert common.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "2 parsecs", "0"])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        common.parse_size(text)

"""The monthly anomaly of a long daily record that is larger than memory, with xarray.

    python examples/climatology.py [SIZE] [MEMORY_LIMIT]      # for example 20GB 1100MB

Daily fields of half a degree are drawn when they are needed. Each is needed twice, for the mean of
its month and for its distance from that; it is drawn again rather than kept in between.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import xarray as xr

import penstock
import penstock.array as da
from penstock.config import format_bytes, parse_bytes

LAT, LON = 360, 720
DAYS_IN_A_CHUNK = 20


def daily_fields(nbytes: int) -> xr.DataArray:
    """Return so many bytes of daily temperatures, lazily."""
    days = max(1, nbytes // (8 * LAT * LON))
    season = 10 * np.sin(np.arange(days) * (2 * np.pi / 365.25))
    noise = da.random.default_rng(0).normal(
        size=(days, LAT, LON), chunks=(DAYS_IN_A_CHUNK, LAT, LON)
    )
    return xr.DataArray(
        280 + season[:, None, None] + noise,
        {
            "time": np.datetime64("1950-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D"),
            "lat": np.linspace(-89.75, 89.75, LAT),
            "lon": np.linspace(0.25, 359.75, LON),
        },
        ("time", "lat", "lon"),
        name="temperature",
    )


def main(size: str = "2GB", memory_limit: str = "1100MB") -> None:
    """Compute the standard deviation of the anomaly, and say what it took."""
    penstock.config.set({"memory-limit": memory_limit})
    xr.set_options(chunk_manager="penstock")
    fields = daily_fields(parse_bytes(size))
    months = fields.groupby("time.month")
    anomaly = months - months.mean()
    began = time.perf_counter()
    spread = anomaly.std("time").compute()
    seconds = time.perf_counter() - began
    # Linux counts in kibibytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(spread.mean("lon").isel(lat=slice(None, None, 60)))
    print(
        f"{format_bytes(fields.nbytes)} in {seconds:.1f} s, "
        f"peak memory {format_bytes(peak)} of {memory_limit}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

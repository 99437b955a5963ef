"""xarray on Penstock's arrays gives what it gives on NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import penstock
import penstock.array as da

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

xr = pytest.importorskip("xarray")
if "penstock" not in xr.namedarray.parallelcompat.list_chunkmanagers():
    pytest.skip("Penstock is not installed with its entry points", allow_module_level=True)

TIMES = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]").astype("datetime64[ns]")


@pytest.fixture(autouse=True)
def _penstock_is_the_default() -> Iterator[None]:
    # without threads, whose end each test would wait for
    with xr.set_options(chunk_manager="penstock"), penstock.config.set({"scheduler": "sync"}):
        yield


@pytest.fixture(scope="module")
def known() -> Any:
    values = 280 + np.random.default_rng(0).normal(size=(len(TIMES), 5, 7))
    values[3:6, 2] = np.nan
    return xr.DataArray(
        values,
        {"time": TIMES, "lat": np.linspace(50, 40, 5), "lon": np.arange(7.0)},
        ("time", "lat", "lon"),
        name="air",
    )


CALLS: dict[str, Callable[[Any], Any]] = {
    "mean": lambda x: x.mean("time"),
    "std": lambda x: x.std(("lat", "lon")),
    "anomaly": lambda x: x - x.mean("time"),
    "selection": lambda x: x.sel(lat=45, lon=slice(2, 5)),
    "positions": lambda x: x.isel(time=[3, 1, 40]),
    "where": lambda x: x.where(x > 280).count("time"),
    "groupby": lambda x: x.groupby("time.month").mean(),
    "group-anomaly": lambda x: x.groupby("time.month") - x.groupby("time.month").mean(),
    "resample": lambda x: x.resample(time="10D").max(),
    "rolling": lambda x: x.rolling(time=5).mean(),
    "rolling-sum": lambda x: x.rolling(time=4, center=True).sum(),
    "coarsen": lambda x: x.coarsen(time=10).mean(),
    "interp": lambda x: x.interp(lat=[41.3, 47.7]),
    "weighted": lambda x: x.weighted(np.cos(np.deg2rad(x.lat))).mean(("lat", "lon")),
    "correlation": lambda x: xr.corr(x, x.shift(time=1), dim="time"),
    "shift": lambda x: x.shift(time=3),
    "pad": lambda x: x.pad(time=2),
    "difference": lambda x: x.diff("time"),
    "cumulative": lambda x: x.cumsum("time"),
    "transpose": lambda x: x.transpose("lon", "time", "lat"),
    "stack": lambda x: x.stack(place=("lat", "lon")).isel(place=5),
    "concat": lambda x: xr.concat([x[:5], x[5:9]], "time"),
    "fillna": lambda x: x.fillna(0).clip(0, 281).round(1),
    "dot": lambda x: x.fillna(0).dot(x.lat),
    "argmax": lambda x: x.fillna(0).argmax("time"),
    "ufunc": lambda x: xr.apply_ufunc(np.sqrt, x, dask="allowed"),
    "gufunc": lambda x: xr.apply_ufunc(
        _last_mean, x.chunk(lat=-1) if x.chunks else x, input_core_dims=[["lat"]],
        dask="parallelized", output_dtypes=["f8"],
    ),
}  # fmt: skip


def _last_mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=-1)


@pytest.mark.parametrize("name", CALLS)
def test_operations(name: str, known: Any) -> None:
    lazy = known.chunk(time=17, lat=3)
    assert isinstance(lazy.data, da.Array)
    result = CALLS[name](lazy)
    assert isinstance(result.data, da.Array)
    xr.testing.assert_allclose(result.compute(), CALLS[name](known))


def test_files(known: Any, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    pytest.importorskip("h5netcdf")
    data = known.to_dataset()
    (data.chunk(time=20) + 1).to_zarr(tmp_path / "a.zarr", consolidated=False)
    options = {"engine": "zarr", "chunked_array_type": "penstock", "consolidated": False}
    again = xr.open_dataset(tmp_path / "a.zarr", chunks={}, **options)
    assert again.air.data.chunks[0] == (20, 20, 20)
    xr.testing.assert_allclose(again.compute(), data + 1)
    data.chunk(time=20).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    opened = xr.open_dataset(
        tmp_path / "a.nc", engine="h5netcdf", chunks={"time": 25}, chunked_array_type="penstock"
    )
    assert opened.air.data.chunks[0] == (25, 25, 10)
    xr.testing.assert_allclose(opened.air.mean("lon").compute(), known.mean("lon"))
    opened.close()


def test_kept_and_shown(known: Any) -> None:
    lazy = known.chunk(time=17)
    assert lazy.persist().data.plan.name == "persisted"
    assert "svg" in lazy._repr_html_()
    one, other = xr.unify_chunks(lazy, known.chunk(time=10))
    assert one.chunks == other.chunks


def test_air_temperature(shared_data: Path) -> None:
    pytest.importorskip("zarr")
    store = str(shared_data / "zarr" / "air_temperature.zarr")
    known = xr.open_dataset(store, engine="zarr", chunks=None).load()
    lazy = xr.open_dataset(store, engine="zarr", chunks={}, chunked_array_type="penstock")
    assert isinstance(lazy.air.data, da.Array)
    assert abs(float(lazy.air.mean()) - 281.255) < 0.01
    monthly = lazy.air.sel(lon=slice(220, 260)).groupby("time.month").mean()
    expected = known.air.sel(lon=slice(220, 260)).groupby("time.month").mean()
    xr.testing.assert_allclose(monthly.compute(), expected)

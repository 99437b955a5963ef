"""xarray on Penstock's arrays gives what it gives on NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from tests.support.frames import assert_eq

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


def _assigned(x: Any) -> Any:
    x = x.copy()
    x[{"time": 3}] = 0.0
    x.loc[{"lat": 45}] = x.isel(lat=0, drop=True)
    return x


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
    "group-map": lambda x: x.groupby("time.month").map(lambda group: group - group.mean("time")),
    "group-reduce": lambda x: x.groupby("time.dayofweek").reduce(np.nanmax, dim="time"),
    "group-bins": lambda x: x.groupby_bins("lat", [39, 44, 51]).mean(),
    "group-season": lambda x: x.groupby("time.season") / x.groupby("time.season").sum(),
    "group-fillna": lambda x: x.groupby("time.month").fillna(x.groupby("time.month").mean()),
    "group-first": lambda x: x.groupby("time.month").first(),
    "resample-more": lambda x: x[:9].resample(time="12h").ffill(),
    "resample-between": lambda x: x[6:12].resample(time="12h").interpolate("linear"),
    "rolling-windows": lambda x: x.rolling(time=3, lon=2).construct(time="a", lon="b").sum("a"),
    "rolling-std": lambda x: x.rolling(time=4, min_periods=2).std(),
    "coarsen-windows": lambda x: x.coarsen(time=10).construct(time=("decade", "day")).mean("day"),
    "coarsen-trim": lambda x: x.coarsen(time=7, lat=2, boundary="trim").max(),
    "interp-time": lambda x: x.interp(time=TIMES[:3] + np.timedelta64(6, "h")),
    "interp-both": lambda x: x.interp(lat=[41.0, 44.5], lon=[0.5, 3.2]),
    "median": lambda x: x.median("time"),
    "quantile": lambda x: _whole(x, "time").quantile([0.1, 0.5], "time"),
    "where-other": lambda x: xr.where(x > 280, x, -x),
    "where-drop": lambda x: x.where(x.lat > 43, drop=True),
    "sortby": lambda x: x.sortby("lat"),
    "unstack": lambda x: x.stack(place=("lat", "lon")).unstack("place"),
    "roll": lambda x: x.roll(time=5, roll_coords=True),
    "polyfit": lambda x: x.fillna(0).polyfit("time", 1).polyfit_coefficients,
    "differentiate": lambda x: x.differentiate("lon"),
    "integrate": lambda x: x.integrate("lon"),
    "reindex": lambda x: x.reindex(lat=[40, 42.5, 43]),
    "align": lambda x: xr.align(x[:30], x[20:], join="outer")[0],
    "combine": lambda x: x.where(x > 280).combine_first(x * 0),
    "concat-new": lambda x: xr.concat([x, x + 1], "copy"),
    "merge": lambda x: xr.merge([x.rename("a"), (x * 2).rename("b")]).to_array().sum("variable"),
    "nearest": lambda x: x.sel(lat=[41, 44], method="nearest"),
    "assignment": _assigned,
    "map-blocks": lambda x: xr.map_blocks(lambda part: part * 2 + 1, x),
    "lazy-coordinate": lambda x: x.assign_coords(z=("time", x[:, 0, 0].data)).sel(lat=45).z,
    "other-chunks": lambda x: x + (x.chunk(time=7) if x.chunks else x),
    "weighted-std": lambda x: x.weighted(x.lat).std("lat"),
    "covariance": lambda x: xr.cov(x, x.shift(time=1), dim="time"),
    "argsort": lambda x: x.fillna(0).argsort(),
    "pad-reflect": lambda x: x.pad(lon=2, mode="reflect"),
    "min-count": lambda x: x.sum("time", min_count=58),
    "cumulative-mean": lambda x: x.cumulative("time").mean(),
    "ufunc": lambda x: xr.apply_ufunc(np.sqrt, x, dask="allowed"),
    "vectorized": lambda x: xr.apply_ufunc(
        np.ptp, _whole(x, "time"), input_core_dims=[["time"]], vectorize=True,
        dask="parallelized", output_dtypes=["f8"],
    ),
    "gufunc-sizes": lambda x: xr.apply_ufunc(
        _ends, x, input_core_dims=[["time"]], output_core_dims=[["end"]], dask="parallelized",
        output_dtypes=["f8"],
        dask_gufunc_kwargs={"output_sizes": {"end": 2}, "allow_rechunk": True},
    ),
    "gufunc-two": lambda x: xr.apply_ufunc(
        _both_ends, x, input_core_dims=[["time"]], output_core_dims=[[], []],
        dask="parallelized", output_dtypes=["f8", "f8"],
        dask_gufunc_kwargs={"allow_rechunk": True},
    )[1],
    "gufunc": lambda x: xr.apply_ufunc(
        _last_mean, x.chunk(lat=-1) if x.chunks else x, input_core_dims=[["lat"]],
        dask="parallelized", output_dtypes=["f8"],
    ),
}  # fmt: skip


def _last_mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=-1)


def _whole(x: Any, dim: str) -> Any:
    return x.chunk({dim: -1}) if x.chunks else x


def _ends(values: np.ndarray) -> np.ndarray:
    return np.stack([values.min(-1), values.max(-1)], -1)


def _both_ends(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.min(-1), values.max(-1)


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


def test_several_variables_at_once(known: Any, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    lazy = (
        known.chunk(time=20)
        .to_dataset()
        .assign(warm=lambda data: data.air > 280, scaled=lambda data: (data.air - 280) / 2)
    )
    whole = lazy.compute()
    assert all(isinstance(each.data, da.Array) for each in lazy.data_vars.values())
    assert all(isinstance(each.data, np.ndarray) for each in whole.data_vars.values())
    xr.testing.assert_identical(lazy.mean().compute(), whole.mean())
    assert lazy.equals(whole)
    lazy.isel(time=slice(0, 40)).to_zarr(tmp_path / "b.zarr", consolidated=False)
    rest = lazy.isel(time=slice(40, None))
    rest.to_zarr(tmp_path / "b.zarr", append_dim="time", consolidated=False)
    options = {"chunked_array_type": "penstock", "consolidated": False}
    again = xr.open_zarr(tmp_path / "b.zarr", **options)
    assert all(isinstance(each.data, da.Array) for each in again.data_vars.values())
    xr.testing.assert_allclose(again.load(), whole)


def test_written_later(known: Any, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    pytest.importorskip("dask")
    lazy = known.chunk(time=20).to_dataset()
    later = lazy.to_zarr(tmp_path / "c.zarr", compute=False, consolidated=False)
    options = {"chunks": None, "consolidated": False}
    assert xr.open_zarr(tmp_path / "c.zarr", **options).air.isnull().all()
    later.compute()
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "c.zarr", **options).load(), lazy.load())


def test_what_xarray_refuses(known: Any) -> None:
    lazy = known.chunk(time=17)
    points = {"lat": xr.DataArray([0, 2], dims="p"), "lon": xr.DataArray([1, 6], dims="p")}
    with pytest.raises(TypeError, match="Vectorized indexing"):
        lazy.isel(points)  # of every library but Dask's
    assert_eq(lazy.data.vindex[:, [0, 2], [1, 6]], known.isel(points).data.T)


def test_groups_follow_the_chunks(known: Any) -> None:
    lazy = known.chunk(time=17)
    anomaly = lazy.groupby("time.month") - lazy.groupby("time.month").mean()
    assert anomaly.chunks == lazy.chunks


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

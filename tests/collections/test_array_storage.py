"""Arrays from and to Zarr, HDF5, .npy files and anything with slices."""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import penstock.array as da
from penstock import delayed
from penstock.engine.lower import optimise
from penstock.engine.plan import walk
from penstock.errors import (
    FormatError,
    MissingDependencyError,
    SchemaError,
    SourceError,
    TargetExistsError,
    UnsupportedError,
)
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Endpoint

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")

VALUES = np.random.default_rng(0).normal(size=(17, 12))
CHUNKS: list[Any] = [-1, ((2, 9, 1, 5), (7, 5)), (4, 3)]


class Recorded:
    """Remembers what is read of it."""

    shape, dtype = VALUES.shape, VALUES.dtype

    def __init__(self) -> None:
        self.read: list[Any] = []

    def __getitem__(self, region: Any) -> np.ndarray:
        self.read.append(region)
        return VALUES[region]


def fails_at(place: int) -> Any:
    def fail(block: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        if block_id[0] == place:
            raise ArithmeticError("this block fails")
        return block

    return fail


# -- reading only what is needed ------------------------------------------------------------------


def test_slices_are_pushed_into_the_read() -> None:
    source = Recorded()
    x = da.from_array(source, chunks=(6, 5))
    assert_eq((x * 2 + 1)[3:17][2:5, 8], VALUES[5:8, 8] * 2 + 1)
    assert sorted(source.read, key=str) == [(slice(5, 6), 8), (slice(6, 8), 8)]
    source.read.clear()
    rows = (x[:3] - x.mean(axis=1)[:3, None]).compute()
    assert_eq(rows, VALUES[:3] - VALUES.mean(axis=1)[:3, None])
    # a block that something else needs whole is read once
    assert len(source.read) == len({str(region) for region in source.read})


def test_other_chunks_are_read_as_such(tmp_path: Path) -> None:
    def steps(x: Any) -> list[str]:
        (plan,) = optimise([x.plan], 1 << 20)
        return [node.name for node in walk(plan)]

    stored = zarr.create_array(str(tmp_path / "a"), shape=(17, 12), chunks=(3, 4), dtype="f8")
    stored[:] = VALUES
    x = da.from_array(stored, chunks=(3, 4))
    for chunks in ((6, 8), (9, 4), -1):
        assert steps(x.rechunk(chunks)) == ["from-array"]
        assert_eq(x.rechunk(chunks), VALUES)
    assert steps(x[3:].rechunk((6, 12))) == ["from-array"]
    assert_eq(x[3:, 5].rechunk(6), VALUES[3:, 5])
    assert steps(x.rechunk((5, 4))) == ["from-array", "rechunk"]  # chunks would be read twice
    assert_eq(x.rechunk((5, 4)), VALUES)
    assert steps(da.from_array(VALUES, (3, 4)).rechunk((5, 7))) == ["from-array"]
    assert_eq(da.from_array(VALUES, (3, 4))[1:, 2:].rechunk((5, 7)), VALUES[1:, 2:])


INDICES = [
    np.s_[3:5, 10:12], np.s_[7], np.s_[7, 3], np.s_[:, 4], np.s_[2:19:3, ::4], np.s_[::-1],
    np.s_[5:5], np.s_[-3:, -2],
]  # fmt: skip


@pytest.mark.parametrize("kind", ["h5py", "zarr", "memmap", "unknown"])
def test_slices_of_stores(kind: str, tmp_path: Path) -> None:
    file = None
    if kind == "h5py":
        file = h5py.File(tmp_path / "a.h5", "w")
        source: Any = file.create_dataset("x", data=VALUES, chunks=(5, 4), compression="gzip")
    elif kind == "zarr":
        source = zarr.create_array(
            str(tmp_path / "a.zarr"), shape=(17, 12), chunks=(5, 4), dtype="f8"
        )
        source[:] = VALUES
    elif kind == "memmap":
        source = np.memmap(tmp_path / "a.bin", "f8", "w+", shape=(17, 12))
        source[:] = VALUES
    else:
        source = Recorded()
    x = da.from_array(source, chunks=(10, 8))
    for index in INDICES:
        made = da.compute(x[index], (x + VALUES[0])[index])
        assert_eq(made, (VALUES[index], (VALUES + VALUES[0])[index]))
        if index != np.s_[::-1]:
            (plan,) = optimise([x[index].plan], 1 << 20)
            unread = kind == "unknown" and index == np.s_[2:19:3, ::4]
            assert [node.name for node in walk(plan)] == ["from-array"] + ["slice"] * unread
    if file is not None:
        file.close()


def test_chunks_are_whole_chunks_of_the_store(tmp_path: Path) -> None:
    source = zarr.create_array(str(tmp_path / "a"), shape=(1000, 100), chunks=(30, 100), dtype="f8")
    x = da.from_array(source, chunks="80kB")
    assert x.chunksize == (90, 100)
    assert da.from_zarr(str(tmp_path / "a"), chunks=(7, 7)).chunksize == (7, 7)


def test_parameters_of_from_array() -> None:
    assert_eq(da.from_array(VALUES, 5, inline_array=True, fancy=False, asarray=True), VALUES)
    assert_eq(da.from_array(Recorded(), 5, lock=True), VALUES)
    with pytest.raises(UnsupportedError, match="map_blocks"):
        da.from_array(VALUES, asarray=False)
    with pytest.raises(UnsupportedError, match="getitem"):
        da.from_array(VALUES, getitem=lambda a, b: a[b])
    with pytest.raises(TypeError, match="no argument 'chnks'"):
        da.from_array(VALUES, chnks=3)


# -- Zarr -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_zarr_round_trips(chunks: Any, zarr_format: int, tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    da.from_array(VALUES, chunks).to_zarr(target, zarr_format=zarr_format)
    assert_eq(da.from_zarr(target), VALUES)
    assert zarr.open_array(str(target), mode="r").metadata.zarr_format == zarr_format
    np.testing.assert_array_equal(zarr.open_array(str(target), mode="r")[...], VALUES)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_zarr_in_groups(tmp_path: Path) -> None:
    store = tmp_path / "g.zarr"
    x = da.from_array(VALUES, (5, 5))
    da.to_zarr(x, store, component="one/a")
    da.to_zarr(x + 1, str(store), component="b")
    group = zarr.open_group(str(store), mode="r")
    np.testing.assert_array_equal(group["one/a"][...], VALUES)
    assert_eq(da.from_zarr(store, "b"), VALUES + 1)
    assert_eq(da.from_zarr(group["one/a"]), VALUES)
    with pytest.raises(FileNotFoundError, match=r"component=: 'b'"):
        da.from_zarr(store)
    with pytest.raises(FileNotFoundError, match="no Zarr array"):
        da.from_zarr(tmp_path / "nowhere.zarr")


def test_zarr_options(tmp_path: Path) -> None:
    x = da.from_array(VALUES, (6, 5))
    da.to_zarr(x, tmp_path / "a", chunks=(3, 2), shards=(6, 4), zarr_format=3)
    stored = zarr.open_array(str(tmp_path / "a"))
    assert (stored.chunks, stored.shards) == ((3, 2), (6, 4))
    np.testing.assert_array_equal(stored[...], VALUES)
    again = da.to_zarr(x, tmp_path / "b", return_stored=True)
    assert_eq(again.sum(), VALUES.sum())
    lazy = da.to_zarr(x, tmp_path / "c", compute=False)
    assert not (tmp_path / "c").exists()
    lazy.compute()
    assert_eq(da.from_zarr(tmp_path / "c"), VALUES)
    with pytest.raises(UnsupportedError, match=r"zarr\.create_array"):
        da.to_zarr(x, {})


def test_zarr_is_absent_old_or_complete(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    x = da.from_array(VALUES, (3, 12))
    broken = da.map_blocks(fails_at(3), x, dtype="f8")
    with pytest.raises(ArithmeticError):
        broken.to_zarr(target)
    assert list(tmp_path.iterdir()) == []
    x.to_zarr(target)
    with pytest.raises(TargetExistsError, match="exists"):
        (x + 1).to_zarr(target)
    with pytest.raises(ArithmeticError):
        broken.to_zarr(target, overwrite=True)
    assert_eq(da.from_zarr(target), VALUES)
    # the old one may be read while it is replaced
    (da.from_zarr(target) + 1).to_zarr(target, overwrite=True)
    assert_eq(da.from_zarr(target), VALUES + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_corrupt_chunk_is_named(zarr_format: int, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    da.to_zarr(da.from_array(VALUES, (6, 5)), store, component="wind", zarr_format=zarr_format)
    chunk = store / "wind" / ("1.2" if zarr_format == 2 else "c/1/2")
    chunk.write_bytes(b"not a chunk")
    x = da.from_zarr(store, "wind", chunks=-1)
    assert_eq(x[:6], VALUES[:6])
    with pytest.raises(SourceError) as caught:
        x.sum().compute()
    for part in ("s.zarr", "'wind'", r"chunk (1, 2)"):
        assert part in str(caught.value)


def test_chunks_of_pickles_are_refused(tmp_path: Path) -> None:
    facts = {
        "zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<f8", "compressor": None,
        "fill_value": 0, "order": "C", "filters": [{"id": "pickle", "protocol": 5}],
    }  # fmt: skip
    (tmp_path / ".zarray").write_text(json.dumps(facts))
    (tmp_path / "0").write_bytes(pickle.dumps(np.zeros(2)))
    with pytest.raises(FormatError, match="pickle"):
        da.from_zarr(tmp_path)


def test_optional_libraries_say_how_to_get_them(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    x = da.ones(3, chunks=2)
    with pytest.raises(MissingDependencyError, match=r"pip install 'penstock\[zarr\]'"):
        x.to_zarr(tmp_path / "a")
    with pytest.raises(MissingDependencyError, match=r"pip install 'penstock\[zarr\]'"):
        da.from_zarr(tmp_path / "a")
    with pytest.raises(MissingDependencyError, match=r"pip install 'penstock\[hdf5\]'"):
        x.to_hdf5(tmp_path / "a.h5", "/x")


@pytest.mark.s3
def test_zarr_on_s3(moto_s3: S3Endpoint) -> None:
    url = f"s3://{moto_s3.new_bucket()}/deep/a.zarr"
    options = moto_s3.storage_options
    x = da.from_array(VALUES, (9, 12))
    x.to_zarr(url, storage_options=options)
    assert_eq(da.from_zarr(url, storage_options=options), VALUES)
    with pytest.raises(TargetExistsError):
        x.to_zarr(url, storage_options=options)
    with pytest.raises(ArithmeticError):
        da.map_blocks(fails_at(1), x, dtype="f8").to_zarr(
            url, overwrite=True, storage_options=options
        )
    assert_eq(da.from_zarr(url, storage_options=options)[3], VALUES[3])


@pytest.mark.memory
def test_more_than_the_limit_goes_to_zarr_and_back(tmp_path: Path) -> None:
    x = da.random.default_rng(0).random((3000, 3000), chunks=(500, 1000))  # 72 MB
    limit = limit_leaving(40_000_000)
    x.to_zarr(tmp_path / "a.zarr", memory_limit=limit, compressors=None)
    stored = da.from_zarr(tmp_path / "a.zarr", chunks=(500, 1000))
    assert_eq(stored.mean().compute(memory_limit=limit), x.mean().compute(memory_limit=limit))


# -- into arrays that are there -------------------------------------------------------------------


@pytest.mark.parametrize("lock", [True, False])
@pytest.mark.parametrize("chunks", [(3, 1), ((2, 9, 1, 5), (7, 5))], ids=str)
@pytest.mark.parametrize("kind", ["zarr", "sharded", "h5py", "memmap"])
def test_store_lands_intact_whatever_the_chunks(
    kind: str, chunks: Any, lock: bool, tmp_path: Path
) -> None:
    file = None
    if kind == "h5py":
        file = h5py.File(tmp_path / "a.h5", "w")
        target: Any = file.create_dataset("x", (20, 15), "f8", chunks=(7, 6))
    elif kind == "memmap":
        target = np.memmap(tmp_path / "a.bin", "f8", "w+", shape=(20, 15))
    else:
        shards = (14, 12) if kind == "sharded" else None
        target = zarr.create_array(
            str(tmp_path / "a.zarr"), shape=(20, 15), chunks=(7, 6), shards=shards, dtype="f8"
        )
    expected = np.zeros((20, 15))
    expected[2:19, 3:15] = VALUES
    da.from_array(VALUES, chunks).store(target, regions=np.s_[2:19, 3:15], lock=lock, num_workers=4)
    np.testing.assert_array_equal(target[...], expected)
    if file is not None:
        file.close()


def test_store_several_arrays_and_regions() -> None:
    x = da.from_array(VALUES, (4, 5))
    one, two = np.zeros((17, 12)), np.zeros((40, 24))
    da.store([x, x + 1], [one, two], regions=[None, np.s_[2:36:2, 12:]])
    np.testing.assert_array_equal(one, VALUES)
    np.testing.assert_array_equal(two[2:36:2, 12:], VALUES + 1)
    assert not two[3::2].any()
    row = np.zeros((3, 12))
    da.store(x[0], row, regions=(1, slice(None)))
    np.testing.assert_array_equal(row, [np.zeros(12), VALUES[0], np.zeros(12)])
    lazy = da.store([x, x], [one, two], regions=[None, np.s_[:17, :12]], compute=False)
    two[:] = 0
    lazy.compute()
    np.testing.assert_array_equal(two[:17, :12], VALUES)
    stored = da.store(x, one, return_stored=True)
    assert_eq(stored, VALUES)


def test_what_cannot_be_stored_is_told_at_once() -> None:
    x = da.from_array(VALUES, (4, 5))
    with pytest.raises(SchemaError, match="does not fit"):
        x.store(np.zeros((17, 11)))
    with pytest.raises(ValueError, match="1 sources and 2 targets"):
        da.store([x], [np.zeros(3), np.zeros(3)])
    with pytest.raises(TypeError, match="takes no blocks"):
        x.store(3)
    with pytest.raises(SchemaError, match="backwards"):
        x.store(np.zeros((17, 12)), regions=np.s_[::-1])
    with pytest.raises(UnsupportedError, match="Delayed"):
        x.store(delayed(np.zeros)((17, 12)))


# -- HDF5 -----------------------------------------------------------------------------------------


def test_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    x = da.from_array(VALUES, (6, 5))
    x.to_hdf5(path, "/a/b", compression="gzip", shuffle=True)
    da.to_hdf5(path, {"/c": x + 1, "/d": x.sum(axis=0)}, chunks=None)
    with h5py.File(path) as file:
        assert file["a/b"].chunks == (6, 5)
        assert file["c"].chunks is None
        assert_eq(da.from_array(file["a/b"]), VALUES)
        assert_eq(da.from_array(file["c"], chunks=(4, 4))[2:9, 3], VALUES[2:9, 3] + 1)
        np.testing.assert_allclose(file["d"][...], VALUES.sum(axis=0))


def test_hdf5_is_absent_old_or_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    x = da.from_array(VALUES, (6, 12))
    broken = da.map_blocks(fails_at(2), x, dtype="f8")
    with pytest.raises(ArithmeticError):
        broken.to_hdf5(path, "/x")
    assert list(tmp_path.iterdir()) == []
    x.to_hdf5(path, "/x")
    before = path.read_bytes()
    with pytest.raises(ArithmeticError):
        da.to_hdf5(path, {"/y": x, "/z": broken})
    with pytest.raises(TargetExistsError, match="another shape"):
        x[:3].to_hdf5(path, "/x")
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]
    with pytest.raises(UnsupportedError, match="to_zarr"):
        x.to_hdf5("s3://bucket/a.h5", "/x")


def test_a_corrupt_chunk_of_hdf5_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("deep/x", data=VALUES, chunks=(6, 12), compression="gzip")
        place = made.id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    with h5py.File(path) as file, pytest.raises(SourceError) as caught:
        da.from_array(file["deep/x"], chunks=-1).sum().compute()
    for part in ("a.h5", "'/deep/x'", "chunk (1, 0)"):
        assert part in str(caught.value)


# -- .npy files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_npy_stacks(chunks: Any, axis: int, tmp_path: Path) -> None:
    x = da.from_array(VALUES, chunks)
    da.to_npy_stack(tmp_path / "stack", x, axis=axis)
    again = da.from_npy_stack(tmp_path / "stack")
    assert again.chunks[axis] == x.chunks[axis]
    assert_eq(again, VALUES)
    assert_eq(again[3:9, 2:4], VALUES[3:9, 2:4])
    parts = [np.load(tmp_path / "stack" / f"{k}.npy") for k in range(x.numblocks[axis])]
    np.testing.assert_array_equal(np.concatenate(parts, axis=axis), VALUES)


def test_npy_stacks_of_others(tmp_path: Path) -> None:
    for number, start in enumerate((0, 5, 10)):
        np.save(tmp_path / f"{number}.npy", VALUES[:, start : start + 5])
    (tmp_path / "info").write_bytes(b"a pickle, which is not read")
    assert_eq(da.from_npy_stack(tmp_path), VALUES)
    np.save(tmp_path / "1.npy", VALUES[:3])
    with pytest.raises(FormatError, match="fit together"):
        da.from_npy_stack(tmp_path)


def test_broken_npy_stacks(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    x = da.from_array(VALUES, (6, 12))
    with pytest.raises(ArithmeticError):
        da.to_npy_stack(folder, da.map_blocks(fails_at(2), x, dtype="f8"))
    assert not folder.exists()
    da.to_npy_stack(folder, x)
    with pytest.raises(TargetExistsError):
        da.to_npy_stack(folder, x)
    da.to_npy_stack(folder, x + 1, mode="overwrite")
    assert_eq(da.from_npy_stack(folder), VALUES + 1)
    (folder / "1.npy").write_bytes((folder / "1.npy").read_bytes()[:200])
    stack = da.from_npy_stack(folder)
    assert_eq(stack[:3], VALUES[:3] + 1)
    with pytest.raises(SourceError, match=r"stack.*chunk 1.*1\.npy"):
        stack.sum().compute()
    np.save(folder / "1.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="chunk 1"):
        stack.sum().compute()


def test_stacks_of_records(tmp_path: Path) -> None:
    values = np.zeros(9, dtype=[("n", "i4"), ("xy", "f8", (2,))])
    values["n"] = np.arange(9)
    da.to_npy_stack(tmp_path / "stack", da.from_array(values, 4))
    again = da.from_npy_stack(tmp_path / "stack")
    assert again.dtype == values.dtype
    np.testing.assert_array_equal(again.compute(), values)
    with pytest.raises(ValueError, match="a scalar has none"):
        da.to_npy_stack(tmp_path / "other", da.from_array(np.array(1.0)))


def test_what_formats_cannot_hold(tmp_path: Path) -> None:
    days = da.from_array(np.arange("2020-01-01", "2020-01-05", dtype="M8[D]"), 2)
    with pytest.raises(SchemaError, match=r"cannot hold an array of datetime64\[D\]"):
        days.to_hdf5(tmp_path / "a.h5", "/x")
    assert list(tmp_path.iterdir()) == []
    days.to_zarr(tmp_path / "a.zarr", zarr_format=2)
    assert_eq(da.from_zarr(tmp_path / "a.zarr"), days.compute())
    for values in (np.array(3.5), np.zeros((0, 3)), np.arange(3, dtype=">f4"), np.arange(3) > 1):
        da.from_array(values, 2).to_zarr(tmp_path / "b.zarr", overwrite=True)
        np.testing.assert_array_equal(da.from_zarr(tmp_path / "b.zarr").compute(), values)
    unknown = da.from_array(VALUES, 5)
    unknown = unknown[unknown[:, 0] > 0]
    for write in (
        lambda: unknown.to_zarr(tmp_path / "c"),
        lambda: unknown.to_hdf5(tmp_path / "c", "/x"),
        lambda: unknown.store(np.zeros((17, 12))),
        lambda: da.to_npy_stack(tmp_path / "c", unknown),
    ):
        with pytest.raises(UnsupportedError, match="compute_chunk_sizes"):
            write()


# -- single values --------------------------------------------------------------------------------


def test_delayed_values_become_arrays_and_back() -> None:
    made = delayed(np.arange)(4.0)
    x = da.from_delayed(made, (4,), dtype="f8")
    assert_eq(x + 1, np.arange(4.0) + 1)
    assert_eq(da.from_delayed(made, (4,), meta=np.empty(0, "f4")), np.arange(4, dtype="f4"))
    with pytest.raises(ValueError, match=r"shape \(4,\), not \(5,\)"):
        da.from_delayed(made, (5,), dtype="f8").compute()
    with pytest.raises(UnsupportedError, match="dtype"):
        da.from_delayed(made, (4,))
    blocks = da.from_array(VALUES, (6, 5)).to_delayed()
    assert blocks.shape == (3, 3)
    assert_eq(blocks[2, 1].compute(), VALUES[12:, 5:10])
    assert_eq(delayed(np.sum)(blocks[0, 0]).compute(), VALUES[:6, :5].sum())


# -- real data ------------------------------------------------------------------------------------


def test_air_temperature(shared_data: Path) -> None:
    store = shared_data / "zarr" / "air_temperature.zarr"
    whole = zarr.open_array(str(store / "air"), mode="r")[...]
    air = da.from_zarr(store, "air")
    assert (air.shape, air.dtype) == ((2920, 25, 53), np.dtype("i2"))
    for chunks in (None, (100, 25, 53), (730, 7, 53)):
        x = da.from_zarr(store, "air", chunks=chunks)
        assert_eq(x.mean(axis=0), whole.mean(axis=0))
        assert_eq(x.max(), whole.max())
        assert_eq(x[::365, 12, 3:9], whole[::365, 12, 3:9])
    scale = json.loads((store / "air" / ".zattrs").read_text())["scale_factor"]
    assert abs(float((air * scale).mean().compute()) - 281.255) < 0.01


def test_strain_and_tower_temperatures(shared_data: Path) -> None:
    with h5py.File(shared_data / "hdf5" / "H-H1_LOSC_4_V2-1126259446-32.hdf5") as file:
        strain = file["strain/Strain"]
        x = da.from_array(strain)
        assert all(size % 2048 == 0 for size in x.chunks[0])
        assert_eq(x.std(), strain[...].std())
        assert_eq(x[5000:9000:7], strain[5000:9000:7])
    with h5py.File(shared_data / "hdf5" / "NEONDSTowerTemperatureData.hdf5") as file:
        table = file["Domain_03/OSBS/min_1/boom_1/temperature"]
        x = da.from_array(table, chunks=1000)
        assert_eq(x["mean"].max(), table["mean"].max())
        assert_eq(x[10:20].compute()["date"], table[10:20]["date"])


def test_filters_that_h5py_does_not_have(shared_data: Path) -> None:
    installed = importlib.util.find_spec("hdf5plugin") is not None
    for path in sorted((shared_data / "hdf5").glob("hdf5_compression_*.h5")):
        with h5py.File(path) as file:
            dataset = next(iter(file.values()))
            if installed:
                x = da.from_array(dataset)
                assert_eq(x.sum(), dataset[...].sum())
                continue
            with pytest.raises(MissingDependencyError, match=r"penstock\[hdf5\]") as caught:
                da.from_array(dataset)
            assert path.name in str(caught.value)

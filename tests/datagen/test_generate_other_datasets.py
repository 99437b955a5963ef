"""Accounts, students, HDF5 and .npy files: equal bytes, sizes and contents."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from generators import accounts, array, hdf5, keys, students
from generators.common import MissingDependencyError

CASES = [
    pytest.param(accounts, None, {"rows": 40_000, "files": 2}, id="accounts"),
    pytest.param(students, "faker", {"rows": 20_000}, id="students"),
    pytest.param(hdf5, "h5py", {"rows": 3_000}, id="hdf5"),
    pytest.param(array, None, {"rows": 3_000, "files": 2}, id="array"),
    pytest.param(keys, None, {"rows": 3_000}, id="keys"),
]


@pytest.mark.parametrize(("module", "package", "options"), CASES)
def test_same_seed_gives_same_bytes_on_any_number_of_workers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    package: str | None,
    options: dict[str, int],
) -> None:
    if package:
        pytest.importorskip(package)
    first = {path.name: path.read_bytes() for path in module.generate(tmp_path, **options)}
    monkeypatch.setattr(module, "default_workers", lambda: 4)
    again = {path.name: path.read_bytes() for path in module.generate(tmp_path, **options)}
    assert again == first
    other = {path.name: path.read_bytes() for path in module.generate(tmp_path, seed=1, **options)}
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first)
    assert {path.name for path in tmp_path.iterdir()} == set(first)


@pytest.mark.parametrize(("module", "package", "options"), CASES)
def test_size_is_met(
    tmp_path: Path, module: Any, package: str | None, options: dict[str, int]
) -> None:
    if package:
        pytest.importorskip(package)
    written = sum(path.stat().st_size for path in module.generate(tmp_path, size=2_000_000))
    assert written == pytest.approx(2_000_000, rel=0.05)


def test_accounts_csv(tmp_path: Path) -> None:
    paths = list(accounts.generate(tmp_path, rows=9_001, files=3, file_format="csv"))
    assert [path.name for path in paths] == [f"accounts.{number}.csv" for number in range(3)]
    rows = pd.concat([pd.read_csv(path) for path in paths])
    assert list(rows.columns) == ["id", "names", "amount"]
    assert rows.dtypes.astype(str).tolist()[::2] == ["int64", "int64"]
    assert len(rows) == 9_001
    assert rows["id"].between(0, 499).all()
    assert (rows.groupby("id")["names"].nunique() == 1).all()
    assert rows["names"].nunique() == 26
    counts = rows["id"].value_counts()
    assert counts.max() > 4 * counts.median()


def test_accounts_json(tmp_path: Path) -> None:
    [path] = accounts.generate(tmp_path, rows=70_000, files=1, file_format="json")
    assert path.name == "accounts.0.json.gz"
    records = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert all(list(record) == ["id", "name", "transactions"] for record in records)
    numbers = [row["transaction-id"] for record in records for row in record["transactions"]]
    assert numbers == list(range(70_000))
    assert all(isinstance(row["amount"], int) for row in records[0]["transactions"])
    lengths = [len(record["transactions"]) for record in records]
    assert 30 < np.mean(lengths) < 50
    assert min(lengths) >= 1
    names = {record["id"]: record["name"] for record in records}
    assert all(names[record["id"]] == record["name"] for record in records)


@pytest.mark.parametrize("multiline", [False, True])
def test_students(tmp_path: Path, multiline: bool) -> None:
    pytest.importorskip("faker")
    [path] = students.generate(tmp_path, rows=2_500, multiline=multiline)
    rows = pd.read_csv(path, parse_dates=["birth_date"])
    assert tuple(rows.columns) == students.COLUMNS
    assert rows["id"].tolist() == list(range(2_500))
    assert rows["email"].is_unique
    assert rows["gpa"].between(0, 4).all()
    assert rows["birth_date"].dt.year.between(1996, 2006).all()
    assert rows["address"].str.contains("\n").all() == multiline
    assert (path.read_bytes().count(b"\n") > 2_501) == multiline


def test_students_without_faker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)
    with pytest.raises(MissingDependencyError, match="pip install Faker"):
        list(students.generate(tmp_path, rows=1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [7, 200_000])
def test_hdf5(tmp_path: Path, columns: int) -> None:
    h5py = pytest.importorskip("h5py")
    [path] = hdf5.generate(tmp_path, size=4_000_000, columns=columns, compression="gzip")
    with h5py.File(path) as file:
        data = file["/big-data"]
        assert data.shape == (round(4_000_000 / 8 / columns), columns)
        assert np.prod(data.chunks) * 8 <= 1 << 20
        assert data.dtype == "float64"
        values = data[:]
    assert abs(values.mean()) < 0.02
    assert values.std() == pytest.approx(1, abs=0.02)
    assert len(np.unique(values)) == values.size  # no region was left out or written twice


@pytest.mark.parametrize(("columns", "dtype"), [(0, "float32"), (1_000, "int32"), (3, "float64")])
def test_array(tmp_path: Path, columns: int, dtype: str) -> None:
    paths = list(array.generate(tmp_path, size=3_600_000, files=2, columns=columns, dtype=dtype))
    parts = [np.load(path) for path in paths]
    assert [path.name for path in paths] == ["array.0.npy", "array.1.npy"]
    values = np.concatenate(parts)
    itemsize = np.dtype(dtype).itemsize
    rows = 3_600_000 // itemsize // max(columns, 1)
    assert values.shape == ((rows, columns) if columns else (rows,))
    assert values.dtype == dtype
    if values.dtype.kind == "f":
        assert values.std() == pytest.approx(1, abs=0.02)
    else:
        assert (values.min(), values.max()) == (0, 999)


def test_array_in_pieces_is_not_a_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array, "PIECE_BYTES", 8_000)
    [path] = array.generate(tmp_path, rows=500, columns=10)
    assert len(np.unique(np.load(path))) == 5_000

"""The data all engines read: generated once, kept in a folder."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

GENERATOR = Path(__file__).resolve().parents[1] / "data-gen" / "generate-data.py"
ROWS = 12_000_000
FACTS = 60_000_000
GZ_BYTES = 1_000_000_000
TASKS = 100_000
_TRIPS = "yellow_tripdata_2024-01"


def default_folder() -> Path:
    """Return a folder of this user's own under the system's temporary directory."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir(), f"penstock-benchmarks-{user}")


def private(folder: Path) -> Path:
    """Make `folder` with mode 0700, or check that what is there belongs to this user.

    Anybody may make a folder under the system's temporary directory before us.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise PermissionError(f"{folder} is not a directory of this user: choose another by --data")
    return folder


def prepare(folder: Path, scale: float) -> SimpleNamespace:
    """Generate what is not there yet and return where it is.

    Parameters
    ----------
    folder : path
        Where data of all sizes are kept.
    scale : float
        Share of the full 12,000,000 rows and 100,000 tasks.
    """
    rows = max(1, round(ROWS * scale))
    place = folder / f"rows-{rows}"
    files = {kind: place / f"{_TRIPS}.{kind}" for kind in ("csv", "parquet")}
    for kind, path in files.items():
        if not path.exists():  # files appear under their names only when complete
            options = ["--rows", str(rows), "--format", kind, "--output", str(place)]
            subprocess.run([sys.executable, str(GENERATOR), "taxi", *options], check=True)
    return SimpleNamespace(
        rows=rows,
        tasks=max(1, round(TASKS * scale)),
        side=max(1, round(20_000 * scale**0.5)),
        columns=max(1000, round(1_000_000 * scale)),
        order=max(10, round(6_000 * scale ** (1 / 3))),
        csv=str(files["csv"]),
        parquet=str(files["parquet"]),
        zones=str(place / "taxi_zone_lookup.csv"),
    )


def prepare_more(inputs: SimpleNamespace, kind: str, scale: float) -> None:
    """Add what some scenarios need: ``facts`` and ``keys``, or ``gz``."""
    place = Path(inputs.csv).parent
    if kind == "facts":
        rows = max(2, round(FACTS * scale))
        folder = place.parent / f"facts-{rows}"
        facts, keys = folder / "facts.parquet", folder / "keys.parquet"
        if not keys.exists():
            options = ["--rows", str(rows), "--output", str(folder)]
            subprocess.run([sys.executable, str(GENERATOR), "keys", *options], check=True)
        inputs.facts, inputs.keys = str(facts), str(keys)
    elif kind == "gz":
        path = place / "trips.csv.gz"
        if not path.exists():
            _compress(Path(inputs.csv), path, round(GZ_BYTES * scale))
        inputs.gz = str(path)
    elif kind == "hdf5":
        rows = max(10, round(20_000 * scale))
        folder = place.parent / f"hdf5-{rows}"
        if not (folder / "myfile.hdf5").exists():
            options = ["--rows", str(rows), "--columns", "2000", "--compression", "gzip"]
            argv = [sys.executable, str(GENERATOR), "hdf5", *options, "--output", str(folder)]
            subprocess.run(argv, check=True)
        inputs.hdf5 = str(folder / "myfile.hdf5")
    elif kind == "zarr":
        side = inputs.side
        inputs.thickness = max(1, side // 100)
        path = place.parent / f"rows-{side}.zarr"
        if not path.exists():
            _random_rows(path, side, inputs.thickness)
        inputs.zarr = str(path)


def _random_rows(target: Path, side: int, thickness: int) -> None:
    """Write a square of random floats in chunks of whole rows."""
    import numpy as np
    import zarr

    temporary = target.with_name(f".{target.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    square = zarr.create_array(
        temporary, shape=(side, side), chunks=(thickness, side), dtype="float64"
    )
    random = np.random.default_rng(0)
    for start in range(0, side, thickness):
        square[start : start + thickness] = random.random((min(thickness, side - start), side))
    temporary.rename(target)


def _compress(csv: Path, target: Path, most: int) -> None:
    """Write about the first `most` bytes of a CSV file, whole lines, compressed."""
    temporary = target.with_name(f".{target.name}.part")
    with open(csv, "rb") as lines, gzip.open(temporary, "wb", compresslevel=4) as file:
        while lines.tell() < most and (part := lines.readlines(1 << 22)):
            file.writelines(part)
    temporary.replace(target)


def warm(inputs: SimpleNamespace, kind: str | None) -> None:
    """Read the files once, so that no engine pays for the disk before the others."""
    names = {None: ("csv", "parquet", "zones"), "facts": ("facts", "keys")}.get(kind, (kind,))
    paths = [Path(getattr(inputs, str(name))) for name in names]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    for path in (file for file in files if file.is_file()):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass

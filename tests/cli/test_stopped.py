"""What is left when a conversion is interrupted or killed, and what it takes of memory."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.support.cgroup import cgroups_available, run_in_cgroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1_500_000


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a CSV file whose conversion takes a second or two."""
    path = tmp_path_factory.mktemp("numbers") / "numbers.csv"
    with path.open("w") as file:
        file.write("id,half,text\n")
        for start in range(0, ROWS, 10_000):
            file.writelines(f"{i},{i / 2},row number {i}\n" for i in range(start, start + 10_000))
    return path


def _left(folder: Path) -> set[str]:
    """Return what is in `folder` and its spill directory."""
    spill = folder / "spill"
    found = {path.name for path in spill.iterdir()} if spill.is_dir() else set()
    return (found | {path.name for path in folder.iterdir()}) - {"spill"}


def _wait_for_stage(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the conversion has begun to write."""
    deadline = time.monotonic() + 60
    while not any(name.startswith(".") for name in _left(folder)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def hangups_count() -> Iterator[None]:
    """Let programs that a test starts get SIGHUP, though the tests may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.usefixtures("hangups_count")
@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("o.parquet", signal.SIGINT),
        ("o", signal.SIGINT),
        ("o.csv", signal.SIGINT),
        ("o", signal.SIGTERM),
        ("o.parquet", signal.SIGHUP),
        pytest.param("o.parquet", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("o.csv", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("o", signal.SIGHUP, marks=pytest.mark.slow),
        pytest.param("o.csv", signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_conversion_ends_at_once_and_leaves_nothing(
    command, numbers, tmp_path, target, number
):
    process = command("convert", numbers, target, "--blocksize", "256kB", "-m", "300MB")
    _wait_for_stage(tmp_path, process)
    time.sleep(0.1)
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert process.returncode == EXIT_CODES[number], err
    assert time.monotonic() - sent < 5
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert _left(tmp_path) == set()


def _rows(target: Path) -> int:
    return int(pq.read_table(target, columns=["id"]).num_rows)


def _kill_at_random(
    command: Callable[..., subprocess.Popen[str]], numbers: Path, folder: Path, kills: int
) -> None:
    """Kill conversions at random moments and look at the target each time."""
    rng = random.Random(kills)
    started = time.monotonic()
    for name in ("o.parquet", "o"):  # the time that a whole one takes
        process = command("convert", numbers, name, "--blocksize", "256kB")
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    whole = (time.monotonic() - started) / 2
    for kill in range(kills):
        name = ("o.parquet", "o")[kill % 2]
        target = folder / name
        overwrites = kill % 3 == 0
        few = overwrites and kill % 2 == 1
        if not overwrites:
            subprocess.run(["rm", "-rf", str(target)], check=True)
        was_there = target.exists()
        flags = ["--overwrite"] + (["-w", "id < 1000"] if few else [])
        process = command("convert", numbers, name, "--blocksize", "256kB", "-m", "300MB", *flags)
        time.sleep(rng.uniform(0.2, 1.1) * whole)
        process.kill()
        process.communicate(timeout=30)
        assert target.exists() or not was_there
        if target.exists():
            assert _rows(target) in ((1000, ROWS) if overwrites else (ROWS,))
    for name in ("o.parquet", "o"):  # the next start clears up
        process = command("convert", numbers, name, "--overwrite", "-w", "id < 10")
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert _rows(folder / name) == 10
    assert _left(folder) == {"o.parquet", "o"}


@pytest.mark.chaos
@pytest.mark.slow
def test_many_killed_conversions_leave_the_target_absent_or_complete(command, numbers, tmp_path):
    _kill_at_random(command, numbers, tmp_path, 40)


def test_spill_files_of_a_dead_process_go_at_the_next_start(command, trips_csv, tmp_path):
    dead = tmp_path / "spill" / "penstock-999999999-1-abcdefgh"
    dead.mkdir(parents=True)
    (dead / "0.arrow").write_bytes(b"x")
    process = command("convert", trips_csv, "o.parquet")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert not dead.exists()


@pytest.mark.memory
@pytest.mark.parametrize("name", ["o.parquet", pytest.param("o", marks=pytest.mark.slow)])
def test_300_mb_are_converted_in_250_mb_of_memory(tmp_path, name):
    if not cgroups_available():
        pytest.skip("no memory cgroup can be made here: that takes Linux and root")
    generate = [sys.executable, str(ROOT / "data-gen" / "generate-data.py"), "taxi"]
    subprocess.run([*generate, "--size", "10MB", "--output", str(tmp_path / "data")], check=True,
                   capture_output=True)  # fmt: skip
    header, *lines = next((tmp_path / "data").glob("yellow*.csv")).read_bytes().splitlines(True)
    source, repeats = tmp_path / "trips.csv", 30
    with source.open("wb") as file:
        file.write(header)
        for _ in range(repeats):
            file.writelines(lines)
    rows = repeats * len(lines)
    target = tmp_path / name
    measured = run_in_cgroup(
        [sys.executable, "-m", "penstock", "convert", str(source), str(target),
         "--memory-limit", "250MB"],
        300 << 20,
        env={"PYTHONPATH": str(ROOT)},
    ).check()  # fmt: skip
    assert not measured.oom_killed
    assert measured.peak_rss <= 250_000_000
    assert "of 250 MB" in measured.stdout
    assert pq.ParquetDataset(target).read(columns=["VendorID"]).num_rows == rows


def test_nohup_keeps_a_conversion_alive(numbers, tmp_path):
    program = [sys.executable, "-m", "penstock", "convert", str(numbers), "o", "--blocksize", "1MB"]
    process = subprocess.Popen(
        ["nohup", *program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_stage(tmp_path, process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert _rows(tmp_path / "o") == ROWS

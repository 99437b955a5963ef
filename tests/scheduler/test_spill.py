"""Spill files: what is written comes back; directories go when their process does."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from penstock.errors import SpillError
from penstock.scheduler import limits, spill
from penstock.scheduler.spill import NotSpillable, SpillDirectory
from tests.support.disk import small_disk

VALUES = {
    "table": pa.table({"a": [1, None], "d": pa.array(["x", "y"]).dictionary_encode()}),
    "no columns": pa.table({}),
    "no rows": pa.table({"a": pa.array([], pa.string())}),
    "floats": np.arange(12.0).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "strided": np.arange(100).reshape(10, 10)[::2, ::3],
    "scalar array": np.array(3.5),
    "empty array": np.zeros((0, 3)),
    "dates": np.array(["2020-01-01", "NaT"], "datetime64[ns]"),
    "structured": np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
    "objects": np.array(["a", None, 3], object),
    "list": [1, "a", {"b": None}],
    "masked": np.ma.masked_array([1, 2], [True, False]),
    "frame": pd.DataFrame({"a": [1, 2]}),
}


@pytest.fixture
def directory(tmp_path):
    made = SpillDirectory(str(tmp_path))
    yield made
    made.close()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_value_comes_back_equal(directory, value):
    file = directory.write(value)
    found = directory.read(file)
    assert type(found) is type(value)
    if isinstance(value, np.ndarray):
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)
    elif isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(found, value)
    else:
        assert found == value
    assert directory.used == os.path.getsize(file.path)
    file.remove()
    file.remove()
    assert directory.used == 0
    assert not os.path.exists(file.path)


def test_what_cannot_be_pickled_is_not_spillable(directory):
    with pytest.raises(NotSpillable):
        directory.write(threading.Lock())
    assert directory.used == 0
    assert not list(directory.path.iterdir())


def test_the_directory_is_private_and_named_after_the_process(directory):
    directory.write([1])
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert directory.path.name.startswith(f"penstock-{os.getpid()}-")


def test_the_limit_holds_and_leaves_nothing(tmp_path):
    directory = SpillDirectory(str(tmp_path), limit=10_000)
    kept = directory.write(np.zeros(1000))
    with pytest.raises(SpillError, match=r"spill_limit is 10 kB .*8.13 kB used"):
        directory.write(np.zeros(1000))
    with pytest.raises(SpillError, match="spill_limit"):
        directory.write(["x" * 5000])  # its size is known only when it is written
    assert [path.name for path in directory.path.iterdir()] == [os.path.basename(kept.path)]
    kept.remove()
    directory.write(np.zeros(1000))
    directory.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value", [np.zeros(10**6), pa.table({"a": np.zeros(10**6)}), [b"x" * 10**7]]
)
def test_a_full_disk_is_an_error_and_leaves_nothing(value):
    with small_disk(1 << 20) as disk:
        directory = SpillDirectory(str(disk))
        with pytest.raises(SpillError, match=r"No space left on device .*used.*spill_directory"):
            directory.write(value)
        assert directory.used == 0
        assert not list(directory.path.iterdir())
        directory.write(np.zeros(10))
        directory.close()


def test_a_directory_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpillError, match="cannot make a spill directory"):
        SpillDirectory(str(tmp_path / "file" / "inside")).write([1])


def test_a_missing_file_says_so(directory):
    file = directory.write(np.zeros(10))
    os.unlink(file.path)
    with pytest.raises(SpillError, match="cannot read the spill file"):
        directory.read(file)


def test_directories_of_dead_processes_are_swept(tmp_path):
    code = (
        "import sys, os, signal; from penstock.scheduler.spill import SpillDirectory;"
        "SpillDirectory(sys.argv[1]).write(list(range(1000)));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (dead,) = tmp_path.iterdir()
    reused = tmp_path / f"penstock-{os.getpid()}-1-abc"  # our id, but begun at another time
    reused.mkdir()
    alive = tmp_path / f"penstock-{os.getpid()}-{limits.start_time(os.getpid())}-abc"
    alive.mkdir()
    foreign = tmp_path / "penstock-notes-2020"
    foreign.mkdir()
    assert sorted(spill.sweep(tmp_path)) == sorted([dead, reused])
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign])


def test_the_directory_goes_when_the_process_ends(tmp_path):
    code = (
        "from penstock.scheduler import spill; spill.directory().write([1]);"
        "print(spill.directory().path)"
    )
    env = {**os.environ, "PENSTOCK_SPILL_DIRECTORY": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
    )
    assert str(tmp_path) in done.stdout
    assert not list(tmp_path.iterdir())


INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
from penstock import threaded
from penstock.scheduler import Graph, Stage, TaskMemory, current_pool, execute

def work(number):
    if number > 20:
        print("working", flush=True)
        if sys.argv[1] == "python":
            while True:
                pass
        time.sleep(30 if sys.argv[1] == "sleep" else 0.05)
    return np.full(1 << 18, 1.0)

n = 400
graph = Graph()
graph.add(Stage("work", work, n, np.zeros(n + 1, int), np.zeros(0, int), arguments=range(n),
                memory=TaskMemory(output=1 << 21)))
graph.add(Stage("sum", len, 1, np.array([0, n]), np.arange(n), gathers=True))
graph.wanted = [n]
pool = current_pool()
try:
    execute(graph, memory_limit=pool.baseline + (160 << 20))
except KeyboardInterrupt:
    left = time.monotonic()
    busy = [t for t in threading.enumerate() if t.name.startswith("penstock")]
    cpu = time.process_time()
    time.sleep(0.5)
    print("left", time.process_time() - cpu < 0.1, pool.held, flush=True)
    print(threaded.get({"x": (abs, -1)}, "x"))
"""


@pytest.mark.parametrize("task", ["short", "sleep", "python"])
def test_ctrl_c_leaves_within_two_seconds_and_leaves_nothing(tmp_path, task):
    env = {**os.environ, "PENSTOCK_SPILL_DIRECTORY": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, task],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline().startswith("working")
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            line = next((line for line in process.stdout if line.startswith("left")), "")
            taken = time.monotonic() - sent
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert line == "left True 0\n", err
    assert taken < 2.0 + 0.5
    assert out == "1\n", err
    assert process.returncode == 0
    assert not list(tmp_path.iterdir())


def test_buffers_are_written_whole_when_the_system_takes_a_part(tmp_path, monkeypatch):
    writev = os.writev

    def partial(descriptor, buffers):
        some = b"".join(buffers)[:5]
        return writev(descriptor, [some])

    monkeypatch.setattr(os, "writev", partial)
    buffers = [memoryview(bytes([value % 251]) * 3) for value in range(1030)]
    with open(tmp_path / "file", "wb", buffering=0) as stream:
        spill.write_buffers(stream, buffers)
    assert (tmp_path / "file").read_bytes() == b"".join(buffers)

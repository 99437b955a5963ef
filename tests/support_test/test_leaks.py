from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.leaks import PATIENCE_VARIABLE, SPILL_VARIABLE, leaks_since, snapshot

ROOT = Path(__file__).resolve().parents[2]

LEAKY = """
import os, pathlib, threading, time
import pytest

SPILL = pathlib.Path(os.environ["PENSTOCK_SPILL_DIRECTORY"])

@pytest.fixture(scope="module")
def kept_for_the_module():
    (SPILL / "shared").write_text("x")
    yield
    (SPILL / "shared").unlink()

def test_clean(kept_for_the_module):
    (SPILL / "1").mkdir()
    (SPILL / "1" / "block").write_text("x")
    (SPILL / "1" / "block").unlink()
    threading.Thread(target=time.sleep, args=(0.2,), name="penstock-worker-0").start()
    threading.Thread(target=time.sleep, args=(60,), name="other", daemon=True).start()

def test_file():
    (SPILL / "1" / "left").write_text("x")

def test_thread():
    threading.Thread(target=time.sleep, args=(60,), name="penstock-worker-1", daemon=True).start()

def test_failure_is_reported_alone():
    (SPILL / "1" / "left2").write_text("x")
    assert False
"""


def test_plugin_fails_the_leaky_tests_only(tmp_path):
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.leaks", "-rA", "--color=no"]
    options = ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    run = subprocess.run(
        [*command, *options, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, PATIENCE_VARIABLE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed, 2 errors" in run.stdout, run.stdout + run.stderr
    assert re.findall(r"ERROR .*::(\w+)", run.stdout) == ["test_file", "test_thread"]
    assert "the test left behind: spill file 1/left\n" in run.stdout
    assert "the test left behind: thread 'penstock-worker-1'\n" in run.stdout


def test_spill_directory_is_private_and_this_process_only(spill_directory):
    assert os.environ[SPILL_VARIABLE] == str(spill_directory)
    assert stat.S_IMODE(spill_directory.stat().st_mode) == 0o700


def test_leaks_since_names_what_is_new(tmp_path):
    (tmp_path / "old").touch()
    before = snapshot(tmp_path)
    assert leaks_since(before, tmp_path, patience=0) == []
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "block").touch()
    ending = threading.Event()
    thread = threading.Thread(target=ending.wait, name="penstock-x")
    thread.start()
    try:
        assert leaks_since(before, tmp_path, patience=0) == [
            "spill file 12/block",
            "thread 'penstock-x'",
        ]
    finally:
        ending.set()
        thread.join()

"""A pytest plugin: a test that leaves threads or spill files behind fails.

Spill files of the whole test process go to a private directory (`PENSTOCK_SPILL_DIRECTORY`). After
each test that passed, no thread named ``penstock-*`` and no file in that directory may be there
that was not there before the test. Empty directories may stay: a process keeps its own until it
ends. A test that kills a process of Penstock gives that process a spill directory of its own.

Workers that wait for the next run end sooner than in a user's process, or each test would wait
for them.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SPILL_VARIABLE = "PENSTOCK_SPILL_DIRECTORY"
PATIENCE_VARIABLE = "PENSTOCK_TEST_PATIENCE"
_PATIENCE = float(os.environ.get(PATIENCE_VARIABLE, "10"))  # seconds for threads to end

_passed = pytest.StashKey[bool]()
_directory = pytest.StashKey[Path]()


@dataclass(frozen=True)
class Snapshot:
    """The threads and spill files that are there at one moment."""

    threads: frozenset[threading.Thread]
    files: frozenset[Path]


def snapshot(directory: Path) -> Snapshot:
    """Return the threads of Penstock in this process, and the files under `directory`."""
    threads = {each for each in threading.enumerate() if each.name.startswith("penstock-")}
    files = {Path(parent, name) for parent, _, names in os.walk(directory) for name in names}
    return Snapshot(frozenset(threads), frozenset(files))


def leaks_since(before: Snapshot, directory: Path, patience: float = _PATIENCE) -> list[str]:
    """Return a line for each thread and file that was not there before.

    Parameters
    ----------
    before : Snapshot
        From before the test.
    directory : path
        The spill directory.
    patience : float
        Seconds in which threads may still end, and files go.

    Returns
    -------
    list of str
    """
    deadline = time.monotonic() + patience
    pause = 0.0005
    while True:
        now = snapshot(directory)
        threads, files = now.threads - before.threads, now.files - before.files
        if not threads and not files:
            return []
        if time.monotonic() > deadline:
            break
        if files:
            gc.collect()  # blocks held by a cycle are garbage, not a leak
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    found = [f"thread {each.name!r}" for each in threads]
    found += [f"spill file {each.relative_to(directory)}" for each in files]
    return sorted(found)


def pytest_configure(config: pytest.Config) -> None:
    """Give this process (each worker of pytest-xdist too) its own spill directory."""
    directory = Path(tempfile.mkdtemp(prefix="penstock-tests-"))
    config.stash[_directory] = directory
    os.environ[SPILL_VARIABLE] = str(directory)  # before penstock reads its settings
    from penstock.scheduler.executors import threads

    threads._IDLE_SECONDS = 0.002


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the spill directory."""
    shutil.rmtree(config.stash[_directory], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note whether the test itself passed: the traceback of a failure keeps blocks alive."""
    report = yield
    if call.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture(scope="session")
def spill_directory(request: pytest.FixtureRequest) -> Path:
    """Return the directory that this process spills to."""
    return request.config.stash[_directory]


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest, spill_directory: Path) -> Iterator[None]:
    before = snapshot(spill_directory)
    yield
    if request.node.stash.get(_passed, False):
        leaks = leaks_since(before, spill_directory)
        if leaks:
            pytest.fail("the test left behind: " + ", ".join(leaks), pytrace=False)

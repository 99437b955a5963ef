from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.support.cgroup import (
    MemoryCgroup,
    _hierarchy,
    cgroups_available,
    run_in_cgroup,
    run_measured,
)

MIB = 2**20

needs_cgroups = pytest.mark.skipif(
    not cgroups_available(), reason="no memory cgroup can be made here: that takes Linux and root"
)
pytestmark = pytest.mark.memory


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def test_measured_peak_is_the_programs_own():
    ballast = b"x" * (300 * MIB)  # this process's size must not show in the child's
    small = run_measured(python("print('hello')")).check()
    large = run_measured(python(f"x = b'x' * {100 * MIB}")).check()
    assert len(ballast) == 300 * MIB
    assert small.stdout == "hello\n"
    assert small.peak_rss < 30 * MIB
    assert 100 * MIB < large.peak_rss < 130 * MIB
    assert small.peak_charged is None
    assert small.seconds > 0


def test_exit_status_stderr_and_environment():
    code = "import os, sys; sys.stderr.write(os.environ['COLOUR']); sys.exit(3)"
    result = run_measured(python(code), env={"COLOUR": "blue"})
    assert (result.returncode, result.stderr) == (3, "blue")
    with pytest.raises(AssertionError, match="exit status 3\nblue"):
        result.check()


def test_a_program_that_is_not_there():
    result = run_measured(["/no/such/program"])
    assert result.returncode == 127
    assert "No such file" in result.stderr


def test_timeout_ends_the_program_and_its_children(tmp_path):
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(p.pid))\n"
        "time.sleep(60)"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        run_measured(python(code), timeout=2)
    with pytest.raises(ProcessLookupError):
        _wait_for_end(int(pid_file.read_text()))


def _wait_for_end(pid: int) -> None:
    for _ in range(100):
        os.kill(pid, 0)
        time.sleep(0.05)


@needs_cgroups
def test_under_the_limit():
    code = f"x = b'x' * {20 * MIB}; print(len(x))"
    result = run_in_cgroup(python(code), 100 * MIB).check()
    assert result.stdout == f"{20 * MIB}\n"
    assert not result.oom_killed
    assert 20 * MIB < result.peak_charged <= 100 * MIB


@needs_cgroups
def test_over_the_limit_is_killed_and_the_cgroup_removed():
    code = f"print('up', flush=True); x = b'x' * {300 * MIB}; print('survived')"
    result = run_in_cgroup(python(code), 64 * MIB)
    assert (result.returncode, result.stdout, result.oom_killed) == (-9, "up\n", True)
    assert result.peak_rss < 100 * MIB  # the interpreter's file pages are charged to others
    assert _own_cgroups() == []
    with pytest.raises(AssertionError, match="out of memory"):
        result.check()


@needs_cgroups
def test_a_child_that_outlives_the_program_is_killed():
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(p.pid)"
    )
    result = run_in_cgroup(python(code), 200 * MIB).check()
    with pytest.raises(ProcessLookupError):
        _wait_for_end(int(result.stdout))
    assert _own_cgroups() == []


def _own_cgroups() -> list[str]:
    root, _ = _hierarchy()
    return [path.name for path in root.glob(f"penstock-test-{os.getpid()}-*")]


def test_version_2_writes_and_reads_its_own_files(tmp_path):
    (tmp_path / "cgroup.subtree_control").write_text("cpu")
    cgroup = MemoryCgroup(64 * MIB, tmp_path, version=2)
    cgroup._delegate_memory()
    cgroup.path.mkdir()
    cgroup._limit()
    (cgroup.path / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 1\n")
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    assert (cgroup.path / "memory.max").read_text() == str(64 * MIB)
    assert (cgroup.path / "memory.swap.max").read_text() == "0"
    assert cgroup.oom_kills() == 1
    assert cgroup.peak_charged() is None
    (cgroup.path / "memory.peak").write_text(f"{5 * MIB}\n")
    assert cgroup.peak_charged() == 5 * MIB

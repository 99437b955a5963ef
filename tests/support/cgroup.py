"""Run a program under a memory limit that the kernel enforces, and measure its peak.

`run_in_cgroup` puts the program into a new memory cgroup (version 1 or 2; needs root): over the
limit the kernel kills it, whatever the program believes of its own memory. `run_measured` only
measures.

The program is started and reaped by a small launcher of its own, outside the cgroup. Its peak
cannot come from a plain ``wait4`` here: Linux carries the peak of the *parent* over fork and exec
into the child's ``ru_maxrss``, and a test process is often the bigger of the two. Under the
launcher this floor is about 10 MB.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
_numbers = itertools.count()

# argv: the file descriptor of the report, the file to write our id to (or ""), the program.
_LAUNCHER = """
import json, os, sys, time
report, procs, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
started = time.monotonic()
pid = os.fork()
if pid == 0:
    try:
        os.close(report)
        if procs:
            with open(procs, "w") as file:
                file.write("0")
        os.execvp(argv[0], argv)
    except BaseException as error:
        sys.stderr.write(f"{argv[0]}: {error}\\n")
        sys.stderr.flush()
        os._exit(127)
_, status, usage = os.wait4(pid, 0)
result = {
    "returncode": os.waitstatus_to_exitcode(status),
    "peak_rss": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    "seconds": time.monotonic() - started,
    "cpu_seconds": usage.ru_utime + usage.ru_stime,
}
with os.fdopen(report, "w") as file:
    json.dump(result, file)
"""


@dataclass(frozen=True)
class Measured:
    """How a program ended, and what it took.

    Attributes
    ----------
    returncode : int
        Negative for a signal: -9 after the kernel's out-of-memory kill.
    stdout, stderr : str
        What it printed.
    peak_rss : int
        Bytes of the largest resident set of any one process: the program, or a child it waited
        for.
    oom_killed : bool
        Whether the kernel killed a process of the cgroup for memory.
    peak_charged : int or None
        Bytes of the largest charge of the whole cgroup, page cache included; None without one.
    seconds, cpu_seconds : float
        Elapsed time; processor time of the program and the children it waited for.
    """

    returncode: int
    stdout: str
    stderr: str
    peak_rss: int
    oom_killed: bool
    peak_charged: int | None
    seconds: float
    cpu_seconds: float

    def check(self) -> Self:
        """Return self, or raise an AssertionError that shows stderr when the program failed."""
        if self.returncode != 0:
            killed = ", out of memory" if self.oom_killed else ""
            raise AssertionError(f"exit status {self.returncode}{killed}\n{self.stderr[-4000:]}")
        return self


class MemoryCgroup:
    """A new memory cgroup: made at the start of a ``with`` block, emptied and removed at its end.

    Parameters
    ----------
    limit_bytes : int
        Most bytes that its processes may have together; swap is not given in addition.
    root : path
        Where the hierarchy is mounted.
    version : {1, 2}
        Version of the hierarchy.
    """

    def __init__(self, limit_bytes: int, root: Path, version: int) -> None:
        self.limit_bytes = limit_bytes
        self.version = version
        self.path = root / f"penstock-test-{os.getpid()}-{next(_numbers)}"

    def __enter__(self) -> Self:
        if self.version == 2:
            self._delegate_memory()
        self.path.mkdir()
        try:
            self._limit()
        except BaseException:
            self.path.rmdir()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        for _ in range(100):  # the kernel takes a moment to let go of the dead
            try:
                self.path.rmdir()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the cgroup {self.path} could not be removed")

    @property
    def procs(self) -> Path:
        """The file that a process joins by writing ``0`` to it."""
        return self.path / "cgroup.procs"

    def kill(self) -> None:
        """Kill every process of the cgroup."""
        for pid in self.procs.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def oom_kills(self) -> int:
        """Return how many processes the kernel has killed here for memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        fields = dict(line.split() for line in (self.path / name).read_text().splitlines())
        return int(fields["oom_kill"])

    def peak_charged(self) -> int | None:
        """Return the largest charge in bytes, page cache included; None where not recorded."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        with contextlib.suppress(FileNotFoundError):  # memory.peak: since Linux 5.19
            return int((self.path / name).read_text())
        return None

    def _delegate_memory(self) -> None:
        control = self.path.parent / "cgroup.subtree_control"
        if "memory" not in control.read_text().split():
            control.write_text("+memory")

    def _limit(self) -> None:
        if self.version == 1:
            (self.path / "memory.limit_in_bytes").write_text(str(self.limit_bytes))
            with contextlib.suppress(OSError):  # absent where swap is not accounted
                (self.path / "memory.memsw.limit_in_bytes").write_text(str(self.limit_bytes))
        else:
            (self.path / "memory.max").write_text(str(self.limit_bytes))
            with contextlib.suppress(OSError):
                (self.path / "memory.swap.max").write_text("0")


@functools.cache
def cgroups_available() -> bool:
    """Return whether `run_in_cgroup` works here: Linux, root, a writable memory hierarchy."""
    return _hierarchy() is not None


def run_in_cgroup(
    argv: Sequence[str],
    limit_bytes: int,
    env: Mapping[str, str] | None = None,
    timeout: float = 120.0,
) -> Measured:
    """Run a program that the kernel kills when it takes more than `limit_bytes` of memory.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments.
    limit_bytes : int
        Most bytes the program and its children may have together. Clean page cache counts, but
        is given back under pressure.
    env : mapping, optional
        Variables added to this process's environment.
    timeout : float, default 120
        Seconds after which everything in the cgroup is killed.

    Returns
    -------
    Measured

    Raises
    ------
    subprocess.TimeoutExpired
        If the program did not end in time.
    RuntimeError
        If no cgroup can be made here: ask `cgroups_available` first.
    """
    hierarchy = _hierarchy()
    if hierarchy is None:
        raise RuntimeError("no memory cgroup can be made here: that takes Linux and root")
    with MemoryCgroup(limit_bytes, *hierarchy) as cgroup:
        return _run(argv, env, timeout, cgroup)


def run_measured(
    argv: Sequence[str], env: Mapping[str, str] | None = None, timeout: float = 120.0
) -> Measured:
    """Run a program without a limit and measure its peak memory.

    Parameters
    ----------
    argv, env, timeout
        As in `run_in_cgroup`.

    Returns
    -------
    Measured
    """
    return _run(argv, env, timeout, None)


@functools.cache
def _hierarchy() -> tuple[Path, int] | None:
    for root, version in ((_V1, 1), (_V2, 2)):
        marker = "memory.limit_in_bytes" if version == 1 else "cgroup.controllers"
        if (root / marker).exists():
            with contextlib.suppress(OSError), MemoryCgroup(2**30, root, version):
                return root, version
    return None


def _run(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    timeout: float,
    cgroup: MemoryCgroup | None,
) -> Measured:
    read_end, write_end = os.pipe()
    procs = "" if cgroup is None else str(cgroup.procs)
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(write_end), procs, *argv]
    with os.fdopen(read_end) as report:
        try:
            process = subprocess.Popen(
                launcher,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, **(env or {})},
                pass_fds=[write_end],
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        with process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except BaseException:
                if cgroup is not None:
                    cgroup.kill()
                os.killpg(process.pid, signal.SIGKILL)
                raise
        ended = json.loads(report.read())
    return Measured(
        stdout=stdout,
        stderr=stderr,
        oom_killed=cgroup is not None and cgroup.oom_kills() > 0,
        peak_charged=None if cgroup is None else cgroup.peak_charged(),
        **ended,
    )

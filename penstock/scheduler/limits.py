"""What this machine or container allows: memory, processors; and what the process takes."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_LINUX: bool = sys.platform == "linux"  # a name, so that type checkers read both branches
_UNLIMITED = 1 << 60  # cgroup v1 says "no limit" with a number near 2**63


def resident_bytes() -> int:
    """Return the bytes of memory that this process has resident now."""
    if _LINUX:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * _PAGE
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """Return the most memory that this process ever had resident (``VmHWM``)."""
    if _LINUX:
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def physical_bytes() -> int:
    """Return the machine's memory in bytes."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * _PAGE
    except (AttributeError, OSError, ValueError):
        import psutil

        return int(psutil.virtual_memory().total)


def allowed_bytes() -> int:
    """Return the memory this process may take: the container's limit or the machine's."""
    limits = [physical_bytes()]
    for folder in _limited_folders():
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _number(folder / name)
            if limit is not None and limit > 0:
                limits.append(limit)
    return min(limits)


def container_free_bytes() -> int | None:
    """Return what is left of the container's memory, None when it has no limit.

    File pages count as left: the kernel gives them back under pressure.
    """
    free: int | None = None
    for folder in _limited_folders():
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        usage = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes")
        if limit is None or usage is None:
            continue
        try:
            lines = (folder / "memory.stat").read_text("ascii").splitlines()
        except OSError:
            continue
        stat = dict(line.split() for line in lines)
        prefix = "total_" if "total_inactive_file" in stat else ""
        files = sum(int(stat.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
        left = limit - usage + files
        free = left if free is None else min(free, left)
    return free


@cache
def _limited_folders() -> list[Path]:
    """Return the memory cgroups of this process that limit it."""
    found = []
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _number(folder / name)
            if limit is not None and 0 < limit < _UNLIMITED:
                found.append(folder)
    return found


@cache
def available_cpus() -> int:
    """Return the processors this process may use: affinity, then the cgroup's quota."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:
        cpus = os.cpu_count() or 1
    for folder in _cgroup_folders("cpu"):
        quota = period = None
        try:
            first, second = (folder / "cpu.max").read_text("ascii").split()
            quota, period = (None if first == "max" else int(first)), int(second)
        except (OSError, ValueError):
            quota = _number(folder / "cpu.cfs_quota_us")
            period = _number(folder / "cpu.cfs_period_us")
        if quota and period and quota > 0:
            cpus = min(cpus, max(1, round(quota / period)))
    return max(1, cpus)


def start_time(pid: int) -> str | None:
    """Return a mark of when process `pid` began, None when there is no such process.

    Process ids are used again; a pair of id and start time is not.
    """
    if _LINUX:
        try:
            text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        except OSError:
            return None
        return text.rpartition(")")[2].split()[19]
    import psutil

    try:
        return str(int(psutil.Process(pid).create_time()))
    except psutil.Error:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


@cache
def _cgroup_folders(controller: str) -> list[Path]:
    """Return this process's cgroup folders for `controller`, parents included."""
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root = _CGROUPS / controllers if controllers else _CGROUPS
        if controllers and controller not in controllers.split(","):
            continue
        # In a container the path may be the host's and only the root be mounted.
        here = root / path.lstrip("/")
        for folder in (here, *here.parents):
            if folder.is_dir():
                folders.append(folder)
            if folder == root:
                break
    return folders

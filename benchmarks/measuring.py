"""Runs of timed processes, and what is kept of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from answers import difference, parquet_summary, zarr_summary

from penstock.config import parse_bytes
from tests.support.cgroup import run_in_cgroup, run_measured

CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Limits:
    """What each process may take: engine's own limit, kernel's limit, seconds."""

    memory: str | None = None
    cgroup: int | None = None
    timeout: float = 900.0
    enforced: bool = False
    """Whether the kernel's limits can be set here."""

    def of(self, scenario: ModuleType) -> Limits:
        """Return these limits, or where nothing was asked for those that a scenario brings."""
        if self.memory or self.cgroup or not hasattr(scenario, "CGROUP"):
            return self
        cgroup = parse_bytes(scenario.CGROUP) if self.enforced else None
        return replace(self, memory=scenario.MEMORY_LIMIT, cgroup=cgroup)


@dataclass
class Figures:
    """The runs of one engine in one scenario."""

    scenario: str
    engine: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    kills: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def best(self) -> float | None:
        return min(self.seconds, default=None)

    @property
    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def best_cpu(self) -> float | None:
        return min(self.cpu, default=None)

    @property
    def peak(self) -> int | None:
        return max(self.peaks, default=None)

    @property
    def best_own(self) -> float | None:
        return min(self.own, default=None)

    @property
    def timed_out(self) -> bool:
        return any(message.startswith("not done") for message in self.failures)


def run_once(
    scenario: ModuleType, figures: Figures, inputs: SimpleNamespace, folder: Path, limits: Limits
) -> list[list[Any]] | None:
    """Time one fresh process, add it to `figures`, and return its answer if it has one.

    Its output, and whatever it spills, is under `folder` until this returns.
    """
    work = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    try:
        return _run(scenario, figures, inputs, work, limits)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.sync()  # the next process shall not wait for this one's pages


def _run(
    scenario: ModuleType, figures: Figures, inputs: SimpleNamespace, work: Path, limits: Limits
) -> list[list[Any]] | None:
    output, answer_file = work / "output.parquet", work / "answer.json"
    given = {**vars(inputs), "output": str(output), "memory_limit": limits.memory}
    argv = [sys.executable, str(CHILD), figures.scenario, figures.engine, str(answer_file)]
    argv.append(json.dumps(given))
    env = {"TMPDIR": str(work)}
    if limits.memory:
        env["PENSTOCK_MEMORY_LIMIT"] = limits.memory
    try:
        if limits.cgroup is None:
            run = run_measured(argv, env, limits.timeout)
        else:
            run = run_in_cgroup(argv, limits.cgroup, env, limits.timeout)
    except subprocess.TimeoutExpired:
        figures.failures.append(f"not done after {limits.timeout:.0f} s")
        return None
    if run.oom_killed:
        figures.kills += 1
        return None
    if run.returncode != 0:
        figures.failures.append(_cause(run.stderr) or f"exit status {run.returncode}")
        return None
    given_back = json.loads(answer_file.read_text("utf-8"))
    answer = given_back["answer"]
    if output.exists():
        try:
            if getattr(scenario, "OUTPUT", None) == "zarr":
                answer = zarr_summary(output)
            else:
                answer = parquet_summary(output, getattr(scenario, "SORTED_BY", None))
        except ValueError as error:
            figures.failures.append(str(error))
            return None
    figures.seconds.append(run.seconds)
    figures.cpu.append(run.cpu_seconds)
    figures.peaks.append(run.peak_rss)
    if given_back["figure"] is not None:
        figures.own.append(given_back["figure"])
    return answer


def _cause(stderr: str) -> str | None:
    # A message may go on for many lines: what counts is the line with the exception's name.
    found = re.findall(
        r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*", stderr, re.MULTILINE
    )
    lines = found or stderr.strip().splitlines()
    return lines[-1] if lines else None


def run_scenario(
    scenario: ModuleType,
    engines: list[str],
    inputs: SimpleNamespace,
    folder: Path,
    repeat: int,
    limits: Limits,
) -> list[Figures]:
    """Run A B C A B C ... and compare every answer with the first one."""
    name = scenario.__name__.rpartition(".")[2]
    able = [engine for engine in engines if hasattr(scenario, engine)]
    every = [Figures(name, engine) for engine in able]
    expected = None
    for _ in range(repeat):
        for figures in every:
            if figures.timed_out:
                continue
            answer = run_once(scenario, figures, inputs, folder, limits)
            if answer is None:
                continue
            if expected is None:
                expected, by = answer, figures.engine
            elif found := difference(answer, expected):
                figures.failures.append(f"answer differs from that of {by}: {found}")
    return every

"""One table of all figures: on the terminal, and as Markdown with the machine beside it."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import psutil
from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from measuring import Figures, Limits

COLUMNS = (
    "scenario", "engine", "best s", "× best", "median s", "CPU s", "× CPU", "peak MB", "own figure",
    "remarks",
)  # fmt: skip
_TEXT = ("scenario", "engine", "remarks")


def title(scenario: ModuleType) -> str:
    """Return the first line of a scenario's docstring."""
    return (scenario.__doc__ or scenario.__name__).partition("\n")[0].rstrip(".")


def cells(scenario: ModuleType, every: list[Figures]) -> list[tuple[str, ...]]:
    """Return the cells of a scenario, a row for each engine, in the order of COLUMNS."""
    least = min((each.best for each in every if each.best), default=None)
    least_cpu = min((each.best_cpu for each in every if each.best_cpu), default=None)
    unit = getattr(scenario, "UNIT", "")
    return [
        (
            title(scenario) if each is every[0] else "",
            each.engine,
            _number(each.best),
            _ratio(each.best, least),
            _number(each.median),
            _number(each.best_cpu),
            _ratio(each.best_cpu, least_cpu),
            "-" if each.peak is None else f"{each.peak / 1e6:,.0f}",
            "" if each.best_own is None else f"{each.best_own:,.1f} {unit}",
            _remarks(each, scenario),
        )
        for each in every
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ratio(value: float | None, least: float | None) -> str:
    return "-" if not value or not least else f"{value / least:.1f}"


def _remarks(figures: Figures, scenario: ModuleType) -> str:
    remarks = []
    if figures.kills:
        runs = figures.kills + len(figures.seconds) + len(figures.failures)
        remarks.append(f"killed in {figures.kills} of {runs} runs")
    limit = getattr(scenario, "LIMIT", None)
    if figures.engine == "penstock" and limit and (figures.best_own or 0.0) > limit:
        remarks.append(f"more than {limit:g} {scenario.UNIT}")
    remarks += [message[:100] for message in dict.fromkeys(figures.failures)]
    return "; ".join(remarks)


def terminal_table(groups: list[list[tuple[str, ...]]]) -> Table:
    """Return the table for the terminal."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        text = name in _TEXT
        table.add_column(name, justify="left" if text else "right", no_wrap=not text)
    for rows in groups:
        for row in rows:
            table.add_row(*row, style="bold" if row[1] == "penstock" else None)
        table.add_section()
    return table


def write_markdown(path: Path, groups: list[list[tuple[str, ...]]], facts: list[str]) -> None:
    """Write `results.md`: facts, then the table; complete or not at all."""
    rules = ["---" if name in _TEXT else "---:" for name in COLUMNS]
    lines = ["# Benchmark results", "", *(f"- {fact}" for fact in facts), ""]
    lines += [_line(COLUMNS), _line(rules)]
    lines += [_line(row) for rows in groups for row in rows]
    lines += ["", "How the figures are taken: [README.md](README.md).", ""]
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text("\n".join(lines), encoding="utf-8")
    temporary.replace(path)


def _line(texts: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def facts(rows: int, tasks: int, repeat: int, engines: list[str], limits: Limits) -> list[str]:
    """Return what the figures depend on: date, machine, versions, sizes and limits."""
    memory = psutil.virtual_memory().total / 1e9
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    machine = f"{_processor()}, {os.cpu_count()} logical cores, {memory:.0f} GB"
    system = f"{platform.system()} {platform.release()}"
    versions = [f"{name} {_version(name)}" for name in [*engines, "pyarrow", "pandas"]]
    found = [
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"Machine: {machine}, {system}; load average at the end {load:.1f}",
        f"Versions: Python {platform.python_version()}, {', '.join(versions)}",
        f"Size: {rows:,} rows of 17 columns, {tasks:,} tasks; {repeat} runs of each",
    ]
    if limits.memory:
        found.append(f"Memory limit given to Penstock and DuckDB: {limits.memory}")
    if limits.cgroup:
        found.append(f"Every process in a memory cgroup of {limits.cgroup / 1e9:g} GB")
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from the source tree
        module = __import__(name)
        return str(module.__version__)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

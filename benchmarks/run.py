"""Penstock beside Polars, DuckDB and Dask: whole processes, the same questions, checked answers."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import click
from rich.console import Console

HERE = Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent))  # for tests.support, which measures processes

import measuring  # noqa: E402
import report  # noqa: E402
from inputs import default_folder, prepare, prepare_more, private, warm  # noqa: E402
from scenarios import NAMES  # noqa: E402

from penstock.config import parse_bytes  # noqa: E402
from penstock.errors import PenstockError  # noqa: E402
from tests.support.cgroup import cgroups_available  # noqa: E402

ENGINES = ("penstock", "polars", "duckdb", "dask", "cubed")


def _listed(known: tuple[str, ...]):
    def parse(context: click.Context, parameter: click.Parameter, text: str | None) -> list[str]:
        names = [name.strip() for name in text.split(",")] if text else list(known)
        for name in names:
            if name not in known:
                raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}")
        return names

    return parse


def _size(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    try:
        if text is not None:
            parse_bytes(text)
    except PenstockError as error:
        raise click.BadParameter(str(error)) from error
    return text


@click.command(help=__doc__)
@click.option("--rows-scale", type=click.FloatRange(0, 100, min_open=True), default=1.0,
              show_default=True, help="Share of 12,000,000 rows and 100,000 tasks.")  # fmt: skip
@click.option("--only", callback=_listed(NAMES), help="Scenarios, with commas between.")
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
@click.option("--engines", callback=_listed(ENGINES), help="Engines, with commas between.")
@click.option("--memory-limit", callback=_size, help="For the engines that take one: 1GB.")
@click.option("--cgroup", callback=_size, help="Run each process in a memory cgroup: 1.2GB.")
@click.option("--timeout", type=float, default=900.0, show_default=True, help="Seconds of a run.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=default_folder,
              help="Where generated data are kept; under the temporary directory.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False),
              default=HERE / "results.md", help="The file to write; benchmarks/results.md.")  # fmt: skip
def main(
    rows_scale: float, only: list[str], repeat: int, engines: list[str], memory_limit: str | None,
    cgroup: str | None, timeout: float, data: Path, output: Path,
) -> None:  # fmt: skip
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    installed = [engine for engine in engines if importlib.util.find_spec(engine)]
    for engine in engines:
        if engine not in installed:
            console.print(f"{engine} is not installed: left out")
    if cgroup and not cgroups_available():
        raise click.UsageError("--cgroup needs Linux and root")
    limits = measuring.Limits(
        memory_limit, parse_bytes(cgroup) if cgroup else None, timeout, cgroups_available()
    )

    folder = private(data)
    inputs = prepare(folder, rows_scale)
    groups, every = [], []
    with console.status("") as status:
        for name in only:
            scenario = importlib.import_module(f"scenarios.{name}")
            status.update(report.title(scenario))
            kind = getattr(scenario, "INPUT", None)
            prepare_more(inputs, kind, rows_scale)
            warm(inputs, kind)
            own = limits.of(scenario)
            figures = measuring.run_scenario(scenario, installed, inputs, folder, repeat, own)
            groups.append(report.cells(scenario, figures))
            every += figures
    if not every:
        raise click.UsageError("none of these engines answers any of these questions")

    console.print(report.terminal_table(groups))
    facts = report.facts(inputs.rows, inputs.tasks, repeat, installed, limits)
    report.write_markdown(output, groups, facts)
    failed = [each for each in every if each.failures]
    for each in failed:
        console.print(f"{each.scenario}, {each.engine}: {each.failures[0]}", style="red")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

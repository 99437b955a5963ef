"""Fixtures of the command line's tests: the runner, and real programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from penstock.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _checked_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_VERIFY_PLANS", "true")


@pytest.fixture
def run() -> Callable[..., Result]:
    """Give a function that runs a command line in this process and checks its exit code."""

    def invoke(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Give a function that starts a command line as a program with its own spill directory."""

    def start(*arguments: object, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "penstock", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PENSTOCK_SPILL_DIRECTORY": str(tmp_path / "spill"),
                **env,
            },
        )

    return start


@pytest.fixture
def trips() -> pd.DataFrame:
    """Give 5,000 rows with missing values, text that needs quotes, and two keys."""
    rng = np.random.default_rng(5)
    rows = 5_000
    fares = np.round(rng.gamma(2.0, 6.0, rows), 2)
    fares[rng.random(rows) < 0.05] *= -1
    fares[rng.random(rows) < 0.1] = np.nan
    names = np.array(["plain", "a,b", 'say "x"', "two\nlines", "", "ünï"])
    return pd.DataFrame(
        {
            "zone": rng.integers(1, 6, rows),
            "fare": fares,
            "note": pd.Series(names[rng.integers(0, len(names), rows)]).replace("", np.nan),
            "year": rng.integers(2020, 2023, rows),
            "month": rng.integers(1, 4, rows),
        }
    )


@pytest.fixture
def trips_csv(trips: pd.DataFrame, tmp_path: Path) -> Path:
    """Give the trips as one CSV file."""
    path = tmp_path / "trips.csv"
    trips.to_csv(path, index=False)
    return path

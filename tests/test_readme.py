"""The README's code runs, block after block, in a folder with small data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python|console)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("readme")
    generator = ROOT / "data-gen" / "generate-data.py"
    command = [sys.executable, generator, "taxi", "--rows", "20000", "--months", "2"]
    subprocess.run([*command, "--output", target], check=True, capture_output=True)
    return target


def test_the_blocks_run_in_order(folder: Path) -> None:
    program = ["import os, subprocess"]
    for kind, text in BLOCKS:
        if kind == "python":
            program.append(text)
            continue
        lines = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
        program += [f"subprocess.run({line!r}, shell=True, check=True)" for line in lines]
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(program)],
        cwd=folder,
        env={**os.environ, "PATH": scripts},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "by_total" in os.listdir(folder)
    assert "cheap.parquet" in os.listdir(folder)


def test_the_readme_has_code() -> None:
    assert len(BLOCKS) >= 7

"""The command line: files, messages, exit codes, bounded memory; and the docstrings' examples."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "data-gen" / "generate-data.py"


@pytest.fixture(scope="module")
def cli() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_data", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_file_is_reported(
    cli: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["taxi", "--rows", "100", "--months", "2", "--start", "2023-12"]
    assert cli.main([*arguments, "--output", str(tmp_path)]) == 0
    reported = dict(line.split()[::-1] for line in capsys.readouterr().out.splitlines())
    sizes = {str(path): f"{path.stat().st_size:,}" for path in tmp_path.iterdir()}
    assert reported == sizes
    assert len(sizes) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["taxi"], "one of the arguments --rows --size is required"),
        (["taxi", "--rows", "1", "--size", "1MB"], "not allowed with"),
        (["taxi", "--size", "2 parsecs"], "'2 parsecs' is not a size"),
        (["taxi", "--rows", "0"], "0 is not above zero"),
        (["taxi", "--rows", "1", "--seed", "-1"], "-1 is negative"),
        (["taxi", "--rows", "1", "--start", "2024-13"], "'2024-13' is not a month"),
        (["planets", "--rows", "1"], "invalid choice"),
    ],
)
def test_bad_arguments(
    cli: ModuleType,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_refusals_are_one_line(
    cli: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["taxi", "--rows", "1", "--months", "0", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "generate-data.py: error: months is 0; at least one month is needed\n"
    )


@pytest.mark.memory
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peak memory from /proc")
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_memory_is_bounded(tmp_path: Path, file_format: str) -> None:
    program = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    print(open('/proc/self/status').read())\n"
    )
    command = [sys.executable, "-c", f"import sys; sys.argv[:] = sys.argv[1:]\n{program}"]
    command += [str(SCRIPT), "taxi", "--rows", "600000", "--format", file_format]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert peak is not None
    assert int(peak[1]) < 300_000


@pytest.mark.parametrize("name", ["accounts", "array", "common", "hdf5", "taxi", "taxi_model"])
def test_examples_in_docstrings(name: str) -> None:
    if name == "hdf5":
        pytest.importorskip("h5py")
    result = doctest.testmod(importlib.import_module(f"generators.{name}"))
    assert result.attempted > 0
    assert result.failed == 0

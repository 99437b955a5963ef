"""The benchmark's questions at a thousandth of their size: every engine gives the same answer.

Nothing is timed here. All questions are put in one other process, so that each engine is imported
once, and no warning of another library's is an error.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from answers import difference, parquet_summary, zarr_summary
from inputs import prepare, prepare_more, private
from scenarios import NAMES

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ENGINES = ("penstock", "polars", "duckdb", "dask", "cubed")
DRIVER = """
import json, pathlib, sys, traceback
sys.path.insert(0, sys.argv[1])
import child
for scenario, engine, inputs in json.loads(sys.argv[2]):
    answer = pathlib.Path(inputs["output"]).with_name("answer.json")
    try:
        child.main(scenario, engine, str(answer), json.dumps(inputs))
    except Exception:
        answer.write_text(json.dumps({"error": traceback.format_exc()}))
"""


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    inputs = prepare(folder, 0.001)
    questions = []
    for name in NAMES:
        scenario = importlib.import_module(f"scenarios.{name}")
        prepare_more(inputs, getattr(scenario, "INPUT", None), 0.001)
        for engine in ENGINES:
            if hasattr(scenario, engine) and importlib.util.find_spec(engine):
                place = folder / name / engine
                place.mkdir(parents=True)
                given = {
                    **vars(inputs),
                    "output": str(place / "output.parquet"),
                    "memory_limit": None,
                }
                questions.append((name, engine, given))
    argv = [sys.executable, "-c", DRIVER, str(BENCHMARKS), json.dumps(questions)]
    subprocess.run(argv, check=True, timeout=110)
    return folder


@pytest.mark.parametrize("engine", ENGINES[1:])
@pytest.mark.parametrize("name", NAMES)
def test_answers_agree(answered, name, engine):
    scenario = importlib.import_module(f"scenarios.{name}")
    if not hasattr(scenario, engine):
        pytest.skip(f"{engine} has no such thing")
    pytest.importorskip(engine)
    assert_agree(scenario, answered / name / "penstock", answered / name / engine)


def assert_agree(scenario, ours, theirs):
    first, second = (json.loads((place / "answer.json").read_text()) for place in (ours, theirs))
    assert "error" not in first, first["error"]
    assert "error" not in second, second["error"]
    if hasattr(scenario, "UNIT"):
        assert first["figure"] > 0
        assert second["figure"] > 0
    if getattr(scenario, "OUTPUT", None) == "zarr":
        answers = [zarr_summary(place / "output.parquet") for place in (ours, theirs)]
    elif (ours / "output.parquet").exists():
        sorted_by = getattr(scenario, "SORTED_BY", None)
        answers = [parquet_summary(place / "output.parquet", sorted_by) for place in (ours, theirs)]
        assert len(answers[0]) == {"many_groups": 3, "sort_real": 7}.get(ours.parent.name, 17)
    else:
        answers = [first["answer"], second["answer"]]
    if answers[0] is None:
        assert answers[1] is None
    else:
        assert answers[0]
        assert difference(*answers) is None


def test_differences_are_found():
    rows = [["Queens", 3, 1.5], ["Bronx", 2, 2.5]]
    assert difference(rows[::-1], rows) is None
    assert difference([["Queens", 3, 1.5 + 1e-4], rows[1]], rows) is not None
    assert difference([["queens", 3, 1.5], rows[1]], rows) is not None
    assert difference(rows[:1], rows) == "1 rows instead of 2"


def test_unsorted_output_is_found(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part, fares in enumerate(([1.0, 2.0], [1.5, 3.0])):
        pq.write_table(pa.table({"fare_amount": fares}), tmp_path / f"part.{part}.parquet")
    assert parquet_summary(tmp_path, None) == [["fare_amount", 4, 7.5]]
    with pytest.raises(ValueError, match="not sorted by fare_amount"):
        parquet_summary(tmp_path, "fare_amount")


def test_command_writes_a_table(tmp_path):
    output = tmp_path / "results.md"
    arguments = ["--rows-scale", "0.001", "--repeat", "2", "--engines", "penstock"]
    arguments += ["--only", "small_tasks,groupby_three_keys", "--data", str(tmp_path / "data")]
    argv = [sys.executable, str(BENCHMARKS / "run.py"), *arguments, "--output", str(output)]
    run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=110)
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line for line in output.read_text("utf-8").splitlines() if "| penstock |" in line]
    assert len(lines) == 2
    assert "µs/task" in lines[0]
    assert not list((tmp_path / "data").glob("run-*"))


def test_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(PermissionError, match="choose another"):
        private(tmp_path / "link")

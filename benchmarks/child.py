"""The timed process: answers one question with one engine.

Its arguments are the scenario, the engine, the file for the answer, and the inputs as JSON. It
imports next to nothing itself: what an engine imports counts against that engine.
"""

import importlib
import json
import os
import sys
from types import SimpleNamespace


def plain_rows(answer):
    """Return an answer as lists of numbers and texts, without importing anything."""
    if answer is None:
        return None
    if hasattr(answer, "reset_index"):
        answer = answer.reset_index().to_numpy(dtype=object).tolist()
    return [[_plain(value) for value in row] for row in answer]


def _plain(value):
    return value.item() if hasattr(value, "item") else value


def limit_memory(engine, limit):
    """Pass on a limit to the engine that takes one from the program.

    Penstock reads the environment; Dask's threads know no limit. Polars spills once it has a
    directory for it; its budget is for the data alone, and with more than this it was killed.
    """
    if limit and engine == "polars":
        os.environ["POLARS_OOC_SPILL_DIR"] = os.getcwd()
        os.environ["POLARS_OOC_MEMORY_BUDGET_MB"] = str(int(limit.removesuffix("MB")) * 6 // 10)
    if limit and engine == "duckdb":
        import duckdb

        duckdb.execute(f"SET memory_limit = '{limit}'")


def main(scenario, engine, answer_file, inputs):
    inputs = SimpleNamespace(**json.loads(inputs))
    os.chdir(os.path.dirname(answer_file))  # DuckDB spills to the working directory
    ask = getattr(importlib.import_module(f"scenarios.{scenario}"), engine)
    limit_memory(engine, inputs.memory_limit)
    answer, figure = ask(inputs), None
    if hasattr(answer, "figure"):
        answer, figure = answer.answer, answer.figure
    with open(answer_file, "w", encoding="utf-8") as file:
        json.dump({"answer": plain_rows(answer), "figure": figure}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])

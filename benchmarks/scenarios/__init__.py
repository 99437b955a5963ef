"""The questions: one module each, with one function for each engine that can answer it.

A module has

- a docstring, whose first line is its title in the table;
- a function ``penstock``, ``polars``, ``duckdb`` or ``dask`` for each engine, called with the inputs
  (``csv``, ``parquet``, ``zones``: paths; ``output``: a path to write to; ``tasks``: a number).
  It imports what it needs, so that imports are part of the time, and returns the answer: a list of
  rows, or something of pandas. A function that writes to ``output`` returns nothing;
- optionally ``INPUT``: the attribute of the inputs that it needs made, when it is not trips;
- optionally ``CGROUP`` and ``MEMORY_LIMIT``: what each process gets, unless the command says else;
- optionally ``OUTPUT``: ``zarr`` when that is what it writes, not Parquet;
- optionally ``UNIT``, when its functions return `Timed`; ``LIMIT``, what Penstock's own figure must
  not exceed; ``SORTED_BY``, the column whose order in ``output`` is checked.

These modules are imported by the timed process: nothing but the standard library at the top.
"""

from __future__ import annotations

LIMITED = (
    "many_groups",
    "sort_real",
    "join_many",
    "median_nunique",
    "nunique_many",
    "gz_to_parquet",
    "array_rechunk",
)

ARRAYS = (
    "array_exp_sum",
    "array_small_chunks",
    "array_subtract_mean",
    "array_matmul",
)

NAMES = (
    "csv_groupby",
    "csv_to_parquet",
    "groupby_three_keys",
    "filter_count",
    "join_zones",
    "sort_to_parquet",
    "import_package",
    "import_reader",
    "small_tasks",
    *ARRAYS,
    *LIMITED,
)


class Timed:
    """An answer with a figure of its own beside the time of the whole process."""

    def __init__(self, answer: object, figure: float) -> None:
        self.answer = answer
        self.figure = figure

"""Aggregations of blocks: partial, combine, finalize; or all rows of each key at once.

The steps of a decomposable aggregation::

    partial(block, keys, specs)        -> keys + partial columns, one row per group
    combine(concatenated partials, …)  -> the same shape, one row per group
    finalize(combined, keys, specs)    -> keys + output columns with pandas' dtypes

Others (median, nunique, functions of the user's) go through `grouped`, on blocks that hold all
rows of their groups.
"""

from penstock.engine.kernels.aggregate.categories import complete_categories
from penstock.engine.kernels.aggregate.finish import finalize, output_field
from penstock.engine.kernels.aggregate.functions import AGGREGATIONS, Aggregation
from penstock.engine.kernels.aggregate.holistic import HOLISTIC, grouped, holistic_field
from penstock.engine.kernels.aggregate.partials import combine, partial
from penstock.engine.kernels.aggregate.spec import AggSpec

__all__ = [
    "AGGREGATIONS",
    "HOLISTIC",
    "AggSpec",
    "Aggregation",
    "combine",
    "complete_categories",
    "finalize",
    "grouped",
    "holistic_field",
    "output_field",
    "partial",
]

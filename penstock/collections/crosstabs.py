"""Counts of pairs of values: crosstab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.collections.framelike import MOST_COLUMNS
from penstock.collections.kinds import is_kind, new_frame
from penstock.collections.pivoting import Long, Source, with_levels
from penstock.errors import SchemaError, UnsupportedError


def crosstab(
    index: Any,
    columns: Any,
    values: Any = None,
    rownames: Any = None,
    colnames: Any = None,
    aggfunc: Any = None,
    margins: bool = False,
    margins_name: str = "All",
    dropna: bool = True,
    normalize: Any = False,
    max_columns: int = MOST_COLUMNS,
) -> Any:
    """Count the rows of each pair of values, or aggregate others by them.

    Parameters
    ----------
    index, columns : Series or list of Series
        Of the same rows.
    values : Series, optional
        Aggregated by `aggfunc`; without it rows are counted.
    rownames, colnames : list, optional
        Names of the levels; by default those of the Series.
    aggfunc : str or callable, optional
    margins : bool
        Only False.
    margins_name : str
        Not used.
    dropna : bool
        Only True.
    normalize : {False, True, "all", "index", "columns"}
        Give shares of all, of each row or of each column.
    max_columns : int
        Raise when `columns` have more distinct values.

    Returns
    -------
    DataFrame

    Raises
    ------
    UnsupportedError
        For the parameters above, or when there are more than `max_columns` values.

    Notes
    -----
    As `pivot_table`, the call aggregates the data.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> frame = dd.from_pandas(pd.DataFrame({"a": [1, 2, 1], "b": ["x", "y", "x"]}), 2)
    >>> dd.crosstab(frame.a, frame.b).compute()
    b  x  y
    a
    1  2  0
    2  0  1
    """
    if margins:
        raise UnsupportedError("crosstab margins are not supported; count each variable alone")
    if not dropna:
        raise UnsupportedError("crosstab leaves out pairs without rows: pass dropna=True")
    if (values is None) != (aggfunc is None):
        missing = "values" if values is None else "an aggfunc"
        raise ValueError(f"crosstab: values and aggfunc go together; give {missing}")
    if normalize not in (False, True, "all", "index", "columns"):
        raise ValueError("Not a valid normalize argument")
    rows, keys = _series_list(index), _series_list(columns)
    names = [*_level_names(rows, rownames, "row"), *_level_names(keys, colnames, "col")]
    frame = rows[0].to_frame("level_0")
    for number, series in enumerate([*rows[1:], *keys], 1):
        frame = frame.assign(**{f"level_{number}": series})
    if values is not None:
        frame = frame.assign(values=values)
    grouped = frame.groupby([f"level_{number}" for number in range(len(names))])
    made = grouped.size().to_frame("size") if values is None else grouped[["values"]].agg(aggfunc)
    made = made if values is None else made.dropna(how="all")
    plan = with_levels(made.plan, range(len(names)), names)
    long = Long.of(new_frame(plan), len(rows), "crosstab", max_columns)
    (name,) = long.plan.schema.columns
    fill = 0 if values is None else None
    table = long.wide([Source(name, (), 0)], (), absent=fill, missing=fill, only_filled=True)
    return _normalized(table, normalize)


def _series_list(value: Any) -> list[Any]:
    several = list(value) if isinstance(value, list | tuple) else [value]
    for one in several:
        if not is_kind(one, "Series"):
            raise SchemaError(f"crosstab takes Series of the same rows, not {type(one).__name__}")
    return several


def _level_names(series: Sequence[Any], given: Any, prefix: str) -> list[Any]:
    if given is not None:
        if len(given) != len(series):
            raise AssertionError("arrays and names must have the same length")
        return list(given)
    return [f"{prefix}_{i}" if one.name is None else one.name for i, one in enumerate(series)]


def _normalized(table: Any, normalize: Any) -> Any:
    if normalize is False or not table.plan.schema.columns:
        return table
    if normalize == "index":
        return table.div(table.sum(axis=1), axis=0).fillna(0)
    if normalize == "columns":
        return (table / table.sum()).fillna(0)
    return (table / table.sum().sum()).fillna(0)

"""Aggregations of the user's own, in the three steps in which blocks are aggregated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Aggregation:
    """An aggregation for ``groupby(...).agg``, made of functions of pandas' grouped series.

    Groups need not be brought together: each block is reduced by `chunk`, and only what that
    gives travels.

    Parameters
    ----------
    name : str
        Label of the result where functions are given as a list.
    chunk : callable
        Takes the grouped values of a block and gives a Series with one value for each group (a
        list where there are several), or a tuple of such Series.
    agg : callable
        Takes what the chunks gave, one grouped Series for each of the tuple, and gives a Series
        or a tuple of Series, with one value for each group.
    finalize : callable, optional
        Takes the Series of `agg` and gives the result.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> spread = dd.Aggregation(
    ...     "spread",
    ...     chunk=lambda s: (s.min(), s.max()),
    ...     agg=lambda low, high: (low.min(), high.max()),
    ...     finalize=lambda low, high: high - low,
    ... )
    >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
    >>> trips.groupby("zone").fare.agg(spread).compute()
    zone
    1    15.0
    2     0.0
    Name: fare, dtype: float64
    """

    def __init__(
        self,
        name: str,
        chunk: Callable[[Any], Any],
        agg: Callable[..., Any],
        finalize: Callable[..., Any] | None = None,
    ) -> None:
        self.__name__ = name
        self.chunk = chunk
        self.agg = agg
        self.finalize = finalize

    def __repr__(self) -> str:
        return f"<Aggregation {self.__name__!r}>"

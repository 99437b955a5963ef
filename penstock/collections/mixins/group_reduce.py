"""Methods of groups that give one value for each group."""

from __future__ import annotations

from typing import Any

from penstock.collections.grouped import Grouped, check_hints
from penstock.engine.kernels.aggregate import AggSpec


class GroupReduceMixin(Grouped):
    """Aggregations of groups."""

    def sum(self, numeric_only: bool = False, min_count: int = 0, **hints: Any) -> Any:
        """Return the sum of each group.

        Parameters
        ----------
        numeric_only : bool
            Leave out columns that hold no numbers.
        min_count : int
            Fewest values for a sum; groups with less are missing.
        **hints
            Dask's ``split_every``, ``split_out`` and ``shuffle_method``, which change nothing:
            the sizes of what is aggregated decide.

        Returns
        -------
        DataFrame or Series

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
        >>> trips.groupby("zone").sum().compute()
              fare
        zone
        1     25.0
        2      7.5
        """
        check_hints("sum", hints)
        return self._aggregate_each("sum", numeric_only, min_count=min_count)

    def prod(self, numeric_only: bool = False, min_count: int = 0, **hints: Any) -> Any:
        """Return the product of each group."""
        check_hints("prod", hints)
        return self._aggregate_each("prod", numeric_only, min_count=min_count)

    def mean(self, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the mean of each group."""
        check_hints("mean", hints)
        return self._aggregate_each("mean", numeric_only)

    def count(self, **hints: Any) -> Any:
        """Return the number of values in each group that are not missing."""
        check_hints("count", hints)
        return self._aggregate_each("count")

    def min(self, numeric_only: bool = False, min_count: int = -1, **hints: Any) -> Any:
        """Return the minimum of each group."""
        check_hints("min", hints)
        return self._aggregate_each("min", numeric_only, min_count=min_count)

    def max(self, numeric_only: bool = False, min_count: int = -1, **hints: Any) -> Any:
        """Return the maximum of each group."""
        check_hints("max", hints)
        return self._aggregate_each("max", numeric_only, min_count=min_count)

    def first(self, numeric_only: bool = False, min_count: int = -1, skipna: bool = True,
              **hints: Any) -> Any:  # fmt: skip
        """Return the first value of each group (with `skipna`, that is not missing)."""
        check_hints("first", hints)
        return self._aggregate_each("first", numeric_only, min_count=min_count, skipna=skipna)

    def last(self, numeric_only: bool = False, min_count: int = -1, skipna: bool = True,
             **hints: Any) -> Any:  # fmt: skip
        """Return the last value of each group (with `skipna`, that is not missing)."""
        check_hints("last", hints)
        return self._aggregate_each("last", numeric_only, min_count=min_count, skipna=skipna)

    def std(self, ddof: int = 1, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the standard deviation of each group."""
        check_hints("std", hints)
        return self._aggregate_each("std", numeric_only, ddof=ddof)

    def var(self, ddof: int = 1, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the variance of each group."""
        check_hints("var", hints)
        return self._aggregate_each("var", numeric_only, ddof=ddof)

    def sem(self, ddof: int = 1, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the standard error of the mean of each group."""
        check_hints("sem", hints)
        return self._aggregate_each("sem", numeric_only, ddof=ddof)

    def skew(self, skipna: bool = True, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the skewness of each group."""
        check_hints("skew", hints)
        return self._aggregate_each("skew", numeric_only, skipna=skipna)

    def kurt(self, skipna: bool = True, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the excess kurtosis of each group."""
        check_hints("kurt", hints)
        return self._aggregate_each("kurt", numeric_only, skipna=skipna)

    def any(self, skipna: bool = True, **hints: Any) -> Any:
        """Return whether any value of each group is true."""
        check_hints("any", hints)
        return self._aggregate_each("any", skipna=skipna)

    def all(self, skipna: bool = True, **hints: Any) -> Any:
        """Return whether all values of each group are true."""
        check_hints("all", hints)
        return self._aggregate_each("all", skipna=skipna)

    def nunique(self, dropna: bool = True, **hints: Any) -> Any:
        """Return the exact number of distinct values of each group."""
        check_hints("nunique", hints)
        return self._aggregate_each("nunique", dropna=dropna)

    def median(self, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the exact median of each group."""
        check_hints("median", hints)
        return self._aggregate_each("median", numeric_only)

    def size(self, **hints: Any) -> Any:
        """Return the number of rows of each group."""
        check_hints("size", hints)
        return self._built((AggSpec(None, "size", "size"),), ("size",), series=None)

    def idxmin(self, skipna: bool = True, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the label of the first row with the minimum of each group."""
        check_hints("idxmin", hints)
        return self._aggregate_each("idxmin", numeric_only, skipna=skipna)

    def idxmax(self, skipna: bool = True, numeric_only: bool = False, **hints: Any) -> Any:
        """Return the label of the first row with the maximum of each group.

        Parameters
        ----------
        skipna : bool
            Pass over missing values; otherwise a group that has one raises.
        numeric_only : bool
        **hints
            See `sum`.

        Returns
        -------
        DataFrame or Series
        """
        check_hints("idxmax", hints)
        return self._aggregate_each("idxmax", numeric_only, skipna=skipna)

    @property
    def ngroups(self) -> int:
        """The number of groups (computes)."""
        return len(self)

    def __len__(self) -> int:
        return len(self.size())

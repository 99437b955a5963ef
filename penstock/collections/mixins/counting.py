"""Methods about equal rows: duplicates, counts, modes, samples."""

from __future__ import annotations

from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.rows import labelled
from penstock.engine.nodes.sort import in_order
from penstock.errors import UnsupportedError


class CountingMixin(FrameLike):
    """What frames and series share."""

    def nunique_approx(self, split_every: Any = None) -> Any:
        """Return an estimate of the number of distinct rows, from one small summary per block.

        Parameters
        ----------
        split_every : int, optional
            Accepted for compatibility.

        Returns
        -------
        Scalar
            Missing is a value like any other, as in Dask.

        Notes
        -----
        HyperLogLog (Flajolet et al., 2007) with 64-bit hashes and Ertl's estimator (2017), 2**14
        registers: the standard error is 0.8 %.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> dd.from_pandas(pd.Series([1, 2, 2, 3]), npartitions=2).nunique_approx().compute()
        np.int64(3)
        """
        from penstock.collections.distinct import count_distinct

        return count_distinct(self)

    def sample(self, n: Any = None, frac: float | None = None, replace: bool = False,
               weights: Any = None, random_state: int | None = None) -> Any:  # fmt: skip
        """Return rows chosen at random, in their order.

        Parameters
        ----------
        n : None
            Not supported; give `frac`.
        frac : float
            The probability that a row is chosen, so that about this share of them is.
        replace : bool
            Only False.
        weights : None
            Not supported.
        random_state : int, optional
            The same number chooses the same rows, however they are cut into blocks.

        Returns
        -------
        DataFrame or Series

        Raises
        ------
        UnsupportedError
            For the parameters above.
        """
        import numpy as np

        from penstock.engine.nodes.sample import Sample

        if n is not None or frac is None:
            raise UnsupportedError("sample takes a share of the rows: pass frac= instead of n=")
        if replace or weights is not None:
            raise UnsupportedError("sample draws without replacement and with equal weights")
        if not 0 <= frac <= 1:
            raise ValueError(f"frac must be between 0 and 1, not {frac}")
        if random_state is not None and not isinstance(random_state, int | np.integer):
            raise UnsupportedError("random_state is an integer here")
        seed = np.random.SeedSequence(random_state).generate_state(1, np.uint64)[0]
        plan = labelled(in_order(self.plan))
        return self._on(noted(Sample(plan, float(frac), int(seed))))


class FrameCountingMixin(CountingMixin):
    """What frames have besides."""

    def duplicated(self, subset: Any = None, keep: Any = "first") -> Any:
        """Return for each row whether it repeats another one.

        Parameters
        ----------
        subset : label or list of labels, optional
            Columns that are compared; by default all.
        keep : {"first", "last", False}
            The one of equal rows that is no duplicate.

        Returns
        -------
        Series
            Of the same rows: ``frame[~frame.duplicated()]`` works.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> frame = dd.from_pandas(pd.DataFrame({"x": [1, 2, 1]}), npartitions=2)
        >>> frame.duplicated().compute().tolist()
        [False, False, True]
        """
        from penstock.collections.distinct import duplicated

        return duplicated(self, subset, keep)

    def value_counts(self, subset: Any = None, normalize: bool = False, sort: bool = True,
                     ascending: bool = False, dropna: bool = True) -> Any:  # fmt: skip
        """Return how often each combination of values occurs, most frequent first.

        Parameters
        ----------
        subset : label or list of labels, optional
            By default all columns.
        normalize : bool
            Give shares instead of numbers.
        sort, ascending : bool
            Order by frequency; ties, and everything otherwise, come in order of appearance.
        dropna : bool
            Leave out rows with missing values.

        Returns
        -------
        Series

        Raises
        ------
        UnsupportedError
            For columns of categories.
        """
        from penstock.collections.distinct import frame_value_counts

        return frame_value_counts(self, subset, normalize, sort, ascending, dropna)

    def mode(self, axis: Any = 0, numeric_only: bool = False, dropna: bool = True) -> Any:
        """Return the most frequent values of each column, in as many rows as there are at most.

        Parameters
        ----------
        axis : {0, "index"}
        numeric_only : bool
        dropna : bool
            Leave missing values out.

        Returns
        -------
        DataFrame
        """
        from penstock.collections.distinct import frame_mode

        if axis not in (0, "index"):
            raise UnsupportedError("mode of each row is not supported; use apply(..., axis=1)")
        return frame_mode(self, numeric_only, dropna)


class SeriesCountingMixin(CountingMixin):
    """What series have besides."""

    def duplicated(self, keep: Any = "first") -> Any:
        """Return for each value whether it repeats another one; see `DataFrame.duplicated`."""
        from penstock.collections.distinct import duplicated

        return duplicated(self, None, keep).rename(self.name)  # type: ignore[attr-defined]

"""Methods that tell how columns go together: covariances and correlations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.collections.framelike import FrameLike
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd

_ALL = "__all__"


class FrameRelationsMixin(FrameLike):
    """What frames have."""

    def corr(self, method: str = "pearson", min_periods: int = 1,
             numeric_only: bool = False) -> Any:  # fmt: skip
        """Return the correlation of each pair of columns.

        Parameters
        ----------
        method : {"pearson"}
        min_periods : int
            Fewest rows with both values for a result.
        numeric_only : bool
            Leave columns out that are no numbers.

        Returns
        -------
        DataFrame
            Of float64, with the column labels as rows and as columns.

        Notes
        -----
        Means and products of deviations of each block are combined pairwise (Chan, Golub and
        LeVeque, 1983); rows with a missing value count for the pairs that have both.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"miles": [1, 2, 4], "fare": [3, 5, 9]}), 2)
        >>> trips.corr().round(3).compute()
               miles  fare
        miles    1.0   1.0
        fare     1.0   1.0
        """
        if method != "pearson":
            raise UnsupportedError(f"corr(method={method!r}): only 'pearson' is computed in blocks")
        return self._matrix("corr", numeric_only, min_periods=min_periods)

    def cov(self, min_periods: int | None = None, ddof: int = 1,
            numeric_only: bool = False) -> Any:  # fmt: skip
        """Return the covariance of each pair of columns.

        Parameters
        ----------
        min_periods : int, optional
            Fewest rows with both values for a result.
        ddof : {1}
        numeric_only : bool
            Leave columns out that are no numbers.

        Returns
        -------
        DataFrame
            See `corr`.
        """
        if ddof != 1:
            raise UnsupportedError(f"cov(ddof={ddof}): only ddof=1 is computed in blocks")
        return self._matrix("cov", numeric_only, min_periods=min_periods)

    def _matrix(self, name: str, numeric_only: bool, **options: Any) -> Any:
        import pandas as pd

        frame: Any = self
        kinds = frame.dtypes
        labels = [label for label, kind in kinds.items() if pd.api.types.is_numeric_dtype(kind)]
        if not numeric_only and len(labels) < len(kinds):
            other = next(label for label in kinds.index if label not in labels)
            raise ValueError(
                f"{name}: column {other!r} is not of numbers; pass numeric_only=True to leave "
                "such columns out"
            )
        if not all(isinstance(label, str) for label in labels):
            raise UnsupportedError(f"{name} is for columns whose labels are text; rename them")
        meta = pd.DataFrame(float("nan"), index=labels, columns=labels)
        numbers = frame.reset_index(drop=True)[labels].astype("float64")
        grouped = numbers.assign(**{_ALL: 0}).groupby(_ALL)
        matrix = getattr(grouped[labels], name)(**options).repartition(npartitions=1)
        return matrix.map_partitions(partial(_of_all_rows, labels=labels), meta=meta)


class SeriesRelationsMixin(FrameLike):
    """What series have."""

    def corr(self, other: Any, method: str = "pearson", min_periods: int = 1) -> Any:
        """Return the correlation with another series of the same rows.

        Parameters
        ----------
        other : Series
        method : {"pearson"}
        min_periods : int
            Fewest rows with both values for a result.

        Returns
        -------
        Scalar
        """
        return _beside(self._pair(other).corr(method, min_periods))

    def cov(self, other: Any, min_periods: int | None = None, ddof: int = 1) -> Any:
        """Return the covariance with another series of the same rows, see `corr`."""
        return _beside(self._pair(other).cov(min_periods, ddof))

    def autocorr(self, lag: int = 1) -> Any:
        """Return the correlation of the values with those `lag` rows before.

        Parameters
        ----------
        lag : int

        Returns
        -------
        Scalar
        """
        series: Any = self
        return self.corr(series.shift(lag))

    def _pair(self, other: Any) -> Any:
        series: Any = self
        return series.to_frame("own").assign(other=other)


def _of_all_rows(matrix: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return the matrix of the only group, of missing values where there are no rows."""
    if matrix.index.nlevels > 1:
        matrix = matrix.droplevel(0)
    return matrix.reindex(labels)


def _beside(matrix: Any) -> Any:
    """Return the value of the first row and the second column, lazy."""
    return matrix.map_partitions(_second_of_first, meta=(None, "float64")).max()


def _second_of_first(matrix: pd.DataFrame) -> pd.Series:
    return matrix.iloc[:1, 1]

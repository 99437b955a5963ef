"""Methods that change the shape: rows from columns, columns from values."""

from __future__ import annotations

from typing import Any

from penstock.collections.framelike import MOST_COLUMNS, FrameLike


class ReshapeMixin(FrameLike):
    """What frames and series share."""

    def unstack(self, level: Any = -1, fill_value: Any = None, sort: bool = True,
                max_columns: int = MOST_COLUMNS) -> Any:  # fmt: skip
        """Make the values of an index level columns.

        Parameters
        ----------
        level : int or name
        fill_value : scalar, optional
            Of combinations that have no row.
        sort : bool
            Only True.
        max_columns : int
            Raise when the level has more distinct values.

        Returns
        -------
        DataFrame

        Raises
        ------
        UnsupportedError
            When the index has one level only, or too many values would become columns.
        ValueError
            When two rows have the same labels.

        Notes
        -----
        The call computes the rows and keeps them, spilled where they do not fit, because which
        columns there are depends on them.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> frame = dd.from_pandas(pd.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "x"]}), 2)
        >>> frame.groupby(["a", "b"]).size().unstack(fill_value=0).compute()
        b  x  y
        a
        1  1  1
        2  1  0
        """
        from penstock.collections.pivoting import unstack
        from penstock.errors import UnsupportedError

        if not sort:
            raise UnsupportedError("unstack sorts rows and columns: pass sort=True")
        return unstack(self, level, fill_value, max_columns)


class FrameReshapeMixin(ReshapeMixin):
    """What frames have besides."""

    def melt(self, id_vars: Any = None, value_vars: Any = None, var_name: Any = None,
             value_name: Any = "value", col_level: Any = None,
             ignore_index: bool = True) -> Any:  # fmt: skip
        """Return a row for each value of some columns; see `penstock.dataframe.melt`."""
        from penstock.collections.reshaping import melt

        return melt(self, id_vars, value_vars, var_name, value_name, col_level, ignore_index)

    def explode(self, column: Any, ignore_index: bool = False) -> Any:
        """Return a row for each item of the lists in columns, the others repeated.

        Parameters
        ----------
        column : label or list of labels
            Of lists; several must have equally long lists in each row.
        ignore_index : bool
            Label the rows 0, 1, 2, ...

        Returns
        -------
        DataFrame
            The items have the type that the lists hold, where pandas has objects.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> frame = dd.from_pandas(pd.DataFrame({"a": [1, 2], "b": [[3, 4], [5]]}), 2)
        >>> frame.explode("b").compute()
           a  b
        0  1  3
        0  1  4
        1  2  5
        """
        from penstock.collections.reshaping import as_labels, explode

        return explode(self, as_labels(column), ignore_index)

    def stack(self, level: Any = -1, dropna: Any = None, sort: Any = None,
              future_stack: bool = True) -> Any:  # fmt: skip
        """Return a Series of all values, the labels of the columns as innermost index level.

        Parameters
        ----------
        level : {-1, 0}
            There is one level of column labels.
        dropna, sort : None
            Not supported, as in pandas with ``future_stack=True``.
        future_stack : bool
            Only True: rows and columns stay in their order, missing values stay.

        Returns
        -------
        Series

        Raises
        ------
        UnsupportedError
            For other parameters, or several levels of column labels.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> dd.from_pandas(pd.DataFrame({"x": [1, 2], "y": [3, 4]}), 2).stack().compute()
        0  x    1
           y    3
        1  x    2
           y    4
        dtype: int64
        """
        from penstock.collections.reshaping import stack
        from penstock.errors import UnsupportedError

        if level not in (-1, 0) or dropna is not None or sort is not None or not future_stack:
            raise UnsupportedError(
                "stack takes the one level of column labels and keeps order and missing values; "
                "use dropna() on the result"
            )
        return stack(self)

    def pivot_table(self, values: Any = None, index: Any = None, columns: Any = None,
                    aggfunc: Any = "mean", fill_value: Any = None, margins: bool = False,
                    dropna: bool = True, margins_name: Any = "All", observed: bool = True,
                    sort: bool = True, **kwargs: Any) -> Any:  # fmt: skip
        """Aggregate groups and put them side by side; see `penstock.dataframe.pivot_table`."""
        from penstock.collections.pivoting import pivot_table

        return pivot_table(self, values, index, columns, aggfunc, fill_value, margins, dropna,
                           margins_name, observed, sort, **kwargs)  # fmt: skip

    def pivot(self, *, columns: Any, index: Any = None, values: Any = None,
              max_columns: int = MOST_COLUMNS) -> Any:  # fmt: skip
        """Put the values of rows with the same `index` side by side, without aggregating.

        Parameters
        ----------
        columns, index : label or list of labels
        values : label or list of labels, optional
            By default all other columns.
        max_columns : int
            Raise when `columns` have more distinct values.

        Returns
        -------
        DataFrame

        Raises
        ------
        ValueError
            When two rows have the same `index` and `columns`.
        """
        from penstock.collections.pivoting import pivot

        return pivot(self, columns, index, values, max_columns)


class SeriesReshapeMixin(ReshapeMixin):
    """What series have besides."""

    def explode(self, ignore_index: bool = False) -> Any:
        """Return a row for each item of the lists.

        Parameters
        ----------
        ignore_index : bool
            Label the rows 0, 1, 2, ...

        Returns
        -------
        Series
            The items have the type that the lists hold, where pandas has objects.
        """
        from penstock.collections.reshaping import explode

        return explode(self, [self.name], ignore_index)  # type: ignore[attr-defined]

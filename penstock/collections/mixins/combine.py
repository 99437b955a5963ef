"""Methods that combine a DataFrame with another."""

from __future__ import annotations

from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.operands import with_labels
from penstock.errors import UnsupportedError

_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})


class CombineMixin(FrameLike):
    """Operators, merge and join."""

    def _combined(self, op: str, other: Any, reverse: bool = False, axis: Any = "columns") -> Any:
        """Apply an operator, with columns matched by their labels as pandas does."""
        if isinstance(other, FrameLike) and other.ndim == 1 and axis in (1, "columns"):
            raise UnsupportedError(
                f"{op} would match the rows of a Series with the columns of a DataFrame, as in "
                f"pandas; for an operation row by row pass axis=0: frame.{op}(series, axis=0)"
            )
        if not isinstance(other, FrameLike) or other.ndim == 1:
            return self._elementwise(op, other, reverse=reverse)  # type: ignore[attr-defined]
        own, theirs = ([label for _, label, _ in frame._items] for frame in (self, other))
        if own == theirs:
            return self._elementwise(op, other, reverse=reverse)  # type: ignore[attr-defined]
        if op in _COMPARISONS:
            raise ValueError("Can only compare identically-labeled (both index and columns) frames")
        labels = list(self.columns.union(other.columns))  # type: ignore[attr-defined]
        first, second = (with_labels(frame, labels) for frame in (self, other))
        return first._elementwise(op, second, reverse=reverse)

    def merge(
        self,
        right: Any,
        how: str = "inner",
        on: Any = None,
        left_on: Any = None,
        right_on: Any = None,
        left_index: bool = False,
        right_index: bool = False,
        suffixes: tuple[str | None, str | None] = ("_x", "_y"),
        indicator: bool | str = False,
        validate: str | None = None,
        npartitions: int | None = None,
        broadcast: bool | None = None,
        shuffle_method: Any = None,
        sort: bool = False,
    ) -> Any:
        """Join with another frame on equal keys, as `pandas.merge` does.

        Parameters
        ----------
        right : DataFrame, pandas.DataFrame
        how : {"inner", "left", "right", "outer", "cross", "semi", "anti"}
            The last two keep, or drop, the rows with a match.
        on, left_on, right_on : label or list of labels, optional
            Key columns; by default the columns that both have.
        left_index, right_index : bool
            Use the index as key.
        suffixes : tuple of str
            Added to columns that both have.
        indicator : bool or str
            Add a column that tells where each row comes from.
        validate : {"1:1", "1:m", "m:1", "m:m"}, optional
            Raise unless keys are unique on the side(s) named one.
        npartitions, shuffle_method
            Accepted for compatibility; sizes decide.
        broadcast : bool, optional
            Give the right side whole to every block of the left; by default
            when it is small.
        sort : bool
            Order the rows by the keys.

        Returns
        -------
        DataFrame

        Notes
        -----
        A small side is given to every block; otherwise both sides go through a
        hash exchange (Grace hash join) that spills.
        """
        from penstock.collections.joins import merge

        return merge(self, right, how, on, left_on, right_on, left_index, right_index, suffixes,
                     indicator, validate, broadcast, sort)  # fmt: skip

    def join(self, other: Any, on: Any = None, how: str = "left", lsuffix: str = "",
             rsuffix: str = "", sort: bool = False, validate: str | None = None) -> Any:  # fmt: skip
        """Join with another frame on its index.

        Parameters
        ----------
        other : DataFrame, Series or list of them
        on : label, optional
            Column of this frame that is matched; by default its index.
        how : {"left", "right", "inner", "outer"}
        lsuffix, rsuffix : str
            Added to columns that both have.
        sort : bool
            Order the rows by the keys.
        validate : {"1:1", "1:m", "m:1", "m:m"}, optional
            Raise unless keys are unique on the side(s) named one.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> zones = pd.DataFrame({"name": ["north", "south"]}, index=[7, 8])
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [8, 7, 8]}), npartitions=2)
        >>> trips.join(zones, on="zone", validate="m:1").name.compute().tolist()
        ['south', 'north', 'south']
        """
        from penstock.collections.joins import merge

        several = isinstance(other, list | tuple)
        others = list(other) if several else [other]
        if several and on is not None:
            raise ValueError("Joining multiple DataFrames only supported for joining on index")
        if several and (lsuffix or rsuffix):
            raise ValueError("Suffixes not supported when joining multiple DataFrames")
        result = self
        for one in others:
            if hasattr(one, "to_frame") and one.ndim == 1:
                if one.name is None:
                    raise ValueError("Other Series must have a name")
                one = one.to_frame()
            result = merge(result, one, how, None, on, None, on is None, True,
                           (lsuffix or None, rsuffix or None), False, validate, None,
                           sort)  # fmt: skip
        return result

"""Methods of groups that choose among the rows."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from penstock.collections.kinds import new_series
from penstock.collections.mixins.group_rows import GroupRowsMixin
from penstock.engine.expr import Column
from penstock.engine.nodes.sort import in_order
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class GroupSelectMixin(GroupRowsMixin):
    """Some of the rows, in the order of the rows and with their labels."""

    def head(self, n: int = 5) -> Any:
        """Return the first `n` rows of each group, in the order of the rows.

        Parameters
        ----------
        n : int
            A negative one leaves so many rows at the end of each group out.

        Returns
        -------
        DataFrame or Series
        """
        before, after = self._places()
        return self._where(before < n if n >= 0 else after >= -n)

    def tail(self, n: int = 5) -> Any:
        """Return the last `n` rows of each group, in the order of the rows."""
        before, after = self._places()
        return self._where(after < n if n >= 0 else before >= -n)

    def nth(self, n: Any, dropna: Any = None) -> Any:
        """Return the row of each group at place `n`, in the order of the rows.

        Parameters
        ----------
        n : int, slice, or list of these
            Negative places count from the last row of the group.
        dropna : None
            Not supported.
        """
        if dropna:
            raise UnsupportedError("nth(dropna=...): drop missing values with dropna() first")
        before, after = self._places()
        wanted = list(n) if isinstance(n, list | tuple | set | range) else [n]
        masks = [_at(before, after, one) for one in wanted]
        if not masks:
            return self._where(before < 0)
        return self._where(reduce(operator.or_, masks))

    def filter(self, func: Callable[..., Any], dropna: bool = True, *args: Any,
               **kwargs: Any) -> Any:  # fmt: skip
        """Return the rows of the groups for which `func` gives True, in the order of the rows.

        Parameters
        ----------
        func : callable
            Takes a group as a pandas object, gives True or False.
        dropna : bool
            False, which keeps the other rows as missing ones, is not supported.
        *args, **kwargs
            For `func`.

        Returns
        -------
        DataFrame or Series
        """
        if not dropna:
            raise UnsupportedError(
                "filter(dropna=False) of groups: leave it out, and join the result to the rows"
            )
        grouping = self._grouping
        function = partial(_kept, func=func, args=args, kwargs=kwargs)
        mask = self._rowwise(
            "groupby filter", function, columns=grouping.whole, meta=("kept", "bool"), sampled=True
        )
        return self._where(mask)

    def get_group(self, name: Any) -> Any:
        """Return the rows of the group with key `name` (a tuple where there are several keys).

        A key that no row has gives no rows.
        """
        grouping = self._grouping
        wanted = name if isinstance(name, tuple) else (name,)
        if len(wanted) != len(grouping.keys):
            raise ValueError(f"get_group needs {len(grouping.keys)} keys, not {name!r}")
        masks = []
        for key, value in zip(grouping.keys, wanted, strict=True):
            column = new_series(grouping.plan, Column(key))
            missing = value is None or value != value  # NaN
            masks.append(column.isna() if missing else column == value)
        return self._where(reduce(operator.and_, masks))

    def _where(self, mask: Any) -> Any:
        """Return the rows that `mask` chooses."""
        plan = in_order(self._grouping.plan)
        return self._ungrouped(plan)[mask]


def _kept(grouped: Any, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> pd.Series:
    """Return for each row whether `func` keeps its group."""
    import numpy as np
    import pandas as pd

    answers = [_answer(func(group, *args, **kwargs)) for _, group in grouped]
    numbers = grouped.ngroup().to_numpy()
    rows = np.where(np.isnan(numbers), len(answers), numbers).astype(np.intp)
    kept: np.ndarray = np.array([*answers, False], dtype=bool)
    return pd.Series(kept[rows], name="kept")


def _answer(value: Any) -> bool:
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return False
    if not pd.api.types.is_bool(value):
        raise TypeError(
            f"filter function returned a {type(value).__name__}, but expected a scalar bool"
        )
    return bool(value)


def _at(before: Any, after: Any, place: Any) -> Any:
    """Return which rows are at a place, or in a slice of places."""
    if isinstance(place, int):
        return before == place if place >= 0 else after == -place - 1
    if not isinstance(place, slice):
        raise TypeError(f"nth needs an int, a slice, or a list of these, not {place!r}")
    start, stop, step = place.start or 0, place.stop, place.step or 1
    if step < 0:
        raise ValueError(f"Invalid step {step}. Must be non-negative")
    if step > 1 and start < 0:
        raise UnsupportedError("nth of a slice with a step from a negative place")
    mask = before >= start if start >= 0 else after < -start
    if stop is not None:
        mask = mask & (before < stop if stop >= 0 else after >= -stop)
    return mask & ((before - start) % step == 0) if step > 1 else mask

"""Methods about the order, the number and the labels of rows."""

from __future__ import annotations

import operator
from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import new_index
from penstock.collections.mixins.reduce import is_across
from penstock.collections.rows import labelled
from penstock.engine.evaluate import infer_field
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sort import Sort, in_order
from penstock.errors import SchemaError, UnsupportedError


class OrderMixin(FrameLike):
    """Sorting by labels, partitioning, cumulative operations, shifts."""

    @property
    def index(self) -> Any:
        """The row labels, lazy."""
        return new_index(self._rows)

    def sort_index(self, ascending: bool = True, na_position: str = "last") -> Any:
        """Return the rows sorted by their index labels."""
        plan = labelled(self.plan)
        by = plan.schema.index
        return self._on(Sort(in_order(plan), by, (ascending,) * len(by), na_position))

    def repartition(
        self,
        npartitions: int | None = None,
        divisions: Any = None,
        partition_size: str | int | None = None,
        freq: Any = None,
        force: bool = False,
    ) -> Any:
        """Return the same rows in blocks of other sizes.

        Parameters
        ----------
        npartitions : int, optional
        divisions : sequence, optional
            Index values at which to cut; the rows must be sorted by the index, and none
            may lie beyond the ends.
        partition_size : str or int, optional
            Bytes of a block in memory, e.g. ``"100MB"``.
        freq : None
            Not supported; give `divisions`.
        force : bool
            New divisions may begin before and end after known old ones.
        """
        from penstock.collections.divisions import index_divisions
        from penstock.config import parse_bytes
        from penstock.engine.nodes.repartition import Repartition, RepartitionDivisions

        if freq is not None:
            raise UnsupportedError(
                "repartition by freq is not supported; give divisions=pandas.date_range(...)"
            )
        given = [value for value in (npartitions, divisions, partition_size) if value is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of npartitions, divisions and partition_size")
        plan = in_order(self.plan)
        if divisions is not None:
            plan = labelled(plan)
            return self._on(
                RepartitionDivisions(plan, index_divisions(plan, divisions, force=force))
            )
        if npartitions is not None:
            if npartitions < 1:
                raise ValueError(f"npartitions must be at least 1, not {npartitions}")
            return self._on(Repartition(plan, npartitions))
        return self._on(Repartition(plan, None, parse_bytes(given[0])))

    def cumsum(self, axis: Any = 0, skipna: bool = True) -> Any:
        """Return running sums."""
        return self._cumulative("cumsum", axis, skipna)

    def cumprod(self, axis: Any = 0, skipna: bool = True) -> Any:
        """Return running products."""
        return self._cumulative("cumprod", axis, skipna)

    def cummax(self, axis: Any = 0, skipna: bool = True) -> Any:
        """Return running maxima."""
        return self._cumulative("cummax", axis, skipna)

    def cummin(self, axis: Any = 0, skipna: bool = True) -> Any:
        """Return running minima."""
        return self._cumulative("cummin", axis, skipna)

    def _cumulative(self, function: str, axis: Any, skipna: bool) -> Any:
        from penstock.engine.nodes.window import Cumulative

        if is_across(axis):
            return self._across(function, skipna=skipna)  # type: ignore[attr-defined]
        return self._on(Cumulative(in_order(self.plan), function, skipna))

    def shift(self, periods: int = 1, freq: Any = None, axis: Any = 0,
              fill_value: Any = None) -> Any:  # fmt: skip
        """Return values moved down by `periods` rows (up when negative).

        Parameters
        ----------
        periods : int
            May be more rows than a block has.
        freq : str, timedelta or offset, optional
            Move the labels, which are times, instead of the values.
        axis : {0, 1}
            1 moves values between the columns.
        fill_value : scalar, optional
            For rows that come from outside; by default they are missing.

        Returns
        -------
        DataFrame or Series

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> fares = dd.from_pandas(pd.Series([5, 7, 9]), npartitions=2)
        >>> fares.shift(1, fill_value=0).compute().to_list()
        [0, 5, 7]
        """
        from penstock.engine.nodes.window import Shift

        if is_across(axis):
            if freq is not None or fill_value is not None:
                raise UnsupportedError("shift between columns takes neither freq nor fill_value")
            return self._across("shift", periods=_whole(periods))  # type: ignore[attr-defined]
        if freq is not None:
            return self._shifted_labels(_whole(periods), freq, fill_value)
        return self._on(Shift(in_order(self.plan), _whole(periods), False, fill_value))

    def _shifted_labels(self, periods: int, freq: Any, fill_value: Any) -> Any:
        import pandas as pd

        from penstock.engine.nodes.window import ShiftLabels

        if fill_value is not None:
            raise ValueError("shift takes freq or fill_value, not both")
        if freq == "infer":
            raise UnsupportedError("shift with freq='infer' is not supported; give the frequency")
        plan = in_order(self.plan)
        index = plan.schema.meta.index
        if not isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
            raise UnsupportedError(
                "shift with freq moves labels that are times; set such an index first"
            )
        offset = pd.tseries.frequencies.to_offset(freq)
        return self._on(ShiftLabels(plan, periods, offset))

    def diff(self, periods: Any = 1, axis: Any = 0) -> Any:
        """Return differences to the value `periods` rows before (after, when negative).

        Parameters
        ----------
        periods : int
        axis : {0, 1}
            1 takes differences between the columns.
        """
        from penstock.engine.nodes.window import Shift

        if isinstance(periods, float):
            if not periods.is_integer():
                raise ValueError(f"periods must be an integer, not {periods}")
            periods = int(periods)
        if is_across(axis):
            return self._across("diff", periods=_whole(periods))  # type: ignore[attr-defined]
        return self._on(Shift(in_order(self.plan), _whole(periods), True))

    def _filtered(self, rows: Any, predicate: Any) -> Any:
        """Return `rows` (labelled) for which `predicate` holds."""
        kind = infer_field(predicate, rows.schema.arrow, "mask").type
        if str(kind) not in ("bool", "null"):
            raise SchemaError(f"rows are chosen by a mask of booleans, not of {kind}")
        return noted(Filter(rows, predicate))

    def _reset(self, drop: bool, names: tuple[str, ...], labels: tuple) -> Any:
        plan = in_order(self.plan) if drop else labelled(self.plan)
        if not plan.schema.index:
            return plan
        return noted(ResetIndex(in_order(plan), names, labels, drop))


def _whole(periods: Any) -> int:
    """Return a number of rows, which must be an integer."""
    if isinstance(periods, list | tuple):
        raise UnsupportedError("shift by several periods is not supported; shift by one at a time")
    return operator.index(periods)

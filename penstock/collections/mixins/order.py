"""Methods about the order, the number and the labels of rows."""

from __future__ import annotations

from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import new_index
from penstock.collections.mixins.reduce import is_across
from penstock.collections.rows import labelled
from penstock.engine.evaluate import infer_field
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.repartition import Repartition, RepartitionDivisions
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.nodes.window import Cumulative, Shift
from penstock.errors import SchemaError


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
    ) -> Any:
        """Return the same rows in blocks of other sizes.

        Parameters
        ----------
        npartitions : int, optional
        divisions : sequence, optional
            Index values at which to cut; the rows must be sorted by the index.
        partition_size : str or int, optional
            Bytes of a block in memory, e.g. ``"100MB"``.
        """
        from penstock.config import parse_bytes

        given = [value for value in (npartitions, divisions, partition_size) if value is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of npartitions, divisions and partition_size")
        plan = in_order(self.plan)
        if divisions is not None:
            plan = labelled(plan)
            if len(plan.schema.index) != 1:
                raise SchemaError("divisions need an index of one level")
            return self._on(RepartitionDivisions(plan, tuple(divisions)))
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
        if is_across(axis):
            return self._across(function, skipna=skipna)  # type: ignore[attr-defined]
        return self._on(Cumulative(in_order(self.plan), function, skipna))

    def shift(self, periods: int = 1, fill_value: Any = None) -> Any:
        """Return values moved down by `periods` rows (up when negative)."""
        return self._on(Shift(in_order(self.plan), int(periods), False, fill_value))

    def diff(self, periods: int = 1) -> Any:
        """Return differences to the value `periods` rows before."""
        return self._on(Shift(in_order(self.plan), int(periods), True))

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

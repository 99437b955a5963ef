"""Methods that reduce all rows to one value per column."""

from __future__ import annotations

from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike, select_plan
from penstock.collections.rows import labelled
from penstock.collections.scalar import Row
from penstock.engine.expr import Column, Expr
from penstock.engine.kernels.aggregate import AggSpec
from penstock.engine.nodes.reduce import Reduce
from penstock.engine.nodes.sort import in_order
from penstock.errors import SchemaError


class ReduceMixin(FrameLike):
    """Plain reductions, along the rows (axis 0) or the columns (axis 1)."""

    def sum(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False,
            min_count: int = 0) -> Any:  # fmt: skip
        """Return sums."""
        return self._reduce("sum", axis, numeric_only, skipna=skipna, min_count=min_count)

    def prod(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False,
             min_count: int = 0) -> Any:  # fmt: skip
        """Return products."""
        return self._reduce("prod", axis, numeric_only, skipna=skipna, min_count=min_count)

    product = prod

    def mean(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return means."""
        return self._reduce("mean", axis, numeric_only, skipna=skipna)

    def min(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return minima."""
        return self._reduce("min", axis, numeric_only, skipna=skipna)

    def max(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return maxima."""
        return self._reduce("max", axis, numeric_only, skipna=skipna)

    def std(self, axis: Any = 0, skipna: bool = True, ddof: int = 1,
            numeric_only: bool = False) -> Any:  # fmt: skip
        """Return standard deviations, by default of a sample."""
        return self._reduce("std", axis, numeric_only, skipna=skipna, ddof=ddof)

    def var(self, axis: Any = 0, skipna: bool = True, ddof: int = 1,
            numeric_only: bool = False) -> Any:  # fmt: skip
        """Return variances, by default of a sample."""
        return self._reduce("var", axis, numeric_only, skipna=skipna, ddof=ddof)

    def sem(self, axis: Any = 0, skipna: bool = True, ddof: int = 1,
            numeric_only: bool = False) -> Any:  # fmt: skip
        """Return standard errors of the mean."""
        return self._reduce("sem", axis, numeric_only, skipna=skipna, ddof=ddof)

    def skew(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return unbiased skewness."""
        return self._reduce("skew", axis, numeric_only, skipna=skipna)

    def kurtosis(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return unbiased excess kurtosis."""
        return self._reduce("kurt", axis, numeric_only, skipna=skipna)

    kurt = kurtosis

    def count(self, axis: Any = 0, numeric_only: bool = False) -> Any:
        """Return the numbers of values that are not missing."""
        return self._reduce("count", axis, numeric_only)

    def any(self, axis: Any = 0, skipna: bool = True) -> Any:
        """Return whether any value is true."""
        return self._reduce("any", axis, False, skipna=skipna)

    def all(self, axis: Any = 0, skipna: bool = True) -> Any:
        """Return whether all values are true."""
        return self._reduce("all", axis, False, skipna=skipna)

    def idxmin(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return the index labels of the first minima."""
        return self._arg_reduce("idxmin", axis, skipna, numeric_only)

    def idxmax(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False) -> Any:
        """Return the index labels of the first maxima."""
        return self._arg_reduce("idxmax", axis, skipna, numeric_only)

    def quantile(self, q: Any = 0.5, numeric_only: bool = False,
                 interpolation: str = "linear", method: str = "default") -> Any:  # fmt: skip
        """Return quantiles: exact ones, from a sort that spills, unless estimates are asked for.

        Parameters
        ----------
        q : float or list of float
            Between 0 and 1.
        interpolation : {"linear", "lower", "higher", "midpoint", "nearest"}
        method : {"default", "exact", "tdigest"}
            ``"tdigest"`` estimates from one small summary of each block, in one pass without
            a sort; see `penstock.engine.kernels.sketches` for the source. The error is largest
            at the median, about a thousandth of the rows.
        """
        from penstock.collections.quantiles import quantile

        return quantile(self, q, numeric_only, interpolation, name=q, method=method)

    def median(self, axis: Any = 0, skipna: bool = True, numeric_only: bool = False,
               method: str = "default") -> Any:  # fmt: skip
        """Return medians; ``method="tdigest"`` estimates them, see `quantile`."""
        from penstock.collections.quantiles import quantile

        if is_across(axis):
            return self._across("median", skipna=skipna, numeric_only=numeric_only)
        return quantile(self, 0.5, numeric_only, "linear", method=method, skipna=skipna)

    def nunique(self, dropna: bool = True) -> Any:
        """Return the exact numbers of distinct values."""
        from penstock.collections.distinct import nunique

        return nunique(self, dropna)

    # -- machinery ------------------------------------------------------------

    def _reduce(self, function: str, axis: Any, numeric_only: bool, **options: Any) -> Any:
        if is_across(axis):
            return self._across(function, numeric_only=numeric_only, **options)
        settings = tuple(sorted(options.items()))
        chosen = self._reducible(numeric_only)
        plan = select_plan(self._rows, chosen)
        names = plan.schema.columns
        specs = tuple(AggSpec(name, function, name, settings) for name in names)
        if any(spec.depends_on_order(plan.schema.arrow) for spec in specs):
            plan = in_order(plan)
        return self._reduced(Reduce(plan, specs), chosen)

    def _arg_reduce(self, function: str, axis: Any, skipna: bool, numeric_only: bool) -> Any:
        from penstock.engine.schema import index_column

        if is_across(axis):
            return self._across(function, numeric_only, skipna=skipna)
        chosen = self._reducible(numeric_only)
        plan = labelled(select_plan(self._rows, chosen))
        if len(plan.schema.index) != 1:
            raise SchemaError(f"{function} of an index with several levels is not supported")
        settings = (("label", index_column(0)), ("skipna", skipna))
        specs = tuple(AggSpec(name, function, name, settings) for name in plan.schema.columns)
        return self._reduced(Reduce(in_order(plan), specs), chosen)

    def _reduced(self, node: Reduce, chosen: tuple[tuple[str, Any, Expr], ...]) -> Any:
        """Return the lazy value (Series) or values (DataFrame) in the one row of `node`."""
        names = [spec.output for spec in node.specs]
        items = tuple(
            (name, label, Column(name)) for name, (_, label, _) in zip(names, chosen, strict=True)
        )
        return Row(noted(node), items, label_names=self._schema.label_names)

    def _reducible(self, numeric_only: bool) -> tuple[tuple[str, Any, Expr], ...]:
        """Return the columns that a reduction takes."""
        import pyarrow as pa

        items = self._items
        if not numeric_only:
            return items
        fields = select_plan(self._rows, items).schema.fields
        types = pa.types
        return tuple(
            item
            for item, field in zip(items, fields, strict=True)
            if types.is_integer(field.type)
            or types.is_floating(field.type)
            or types.is_boolean(field.type)
        )

    def _across(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        """Apply a method of pandas' to each row over its columns."""
        frame = self
        if numeric_only:
            frame = self._like(self._rows, self._reducible(True))
        example = _across_columns(frame._schema.example, function, options)
        return frame.map_partitions(  # type: ignore[attr-defined]
            _across_columns, function, options, meta=example.iloc[:0], _rowwise=True
        )


def is_across(axis: Any) -> bool:
    """Return whether `axis` is the one over the columns.

    Raises
    ------
    ValueError
        When it is neither axis.
    """
    if axis in (1, "columns"):
        return True
    if axis in (0, "index", "rows", None):
        return False
    raise ValueError(f"no axis {axis!r}: it is 0 or 'index', or 1 or 'columns'")


def _across_columns(frame: Any, function: str, options: dict[str, Any]) -> Any:
    return getattr(frame, function)(axis=1, **options)

"""Methods whose result has a value for each value."""

from __future__ import annotations

from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.operands import assigned, beside, operand, with_labels
from penstock.collections.scalar import Row
from penstock.engine.expr import Call, Expr, Literal
from penstock.engine.kernels.elementwise import OPS
from penstock.engine.plan import FrameNode


class ElementwiseMixin(FrameLike):
    """Missing values, membership, bounds, rounding, casts, replacement."""

    def _operand(self, rows: FrameNode, value: Any) -> tuple[FrameNode, Expr]:
        """Return the plan and expression that `value` is, beside rows of `rows`."""
        return operand(rows, value)

    def _elementwise(self, op: str, *others: Any, reverse: bool = False, **options: Any) -> Any:
        """Apply an elementwise operation to every column."""
        settings = tuple(sorted(options.items()))
        target, columns = beside(self, others, op)
        items = []
        for (name, label, _), args in zip(self._items, zip(*columns, strict=True), strict=True):
            args = (*args[1:], args[0]) if reverse else args
            items.append((name, label, Call(op, args, settings)))
        return self._like(target, tuple(items))

    def isna(self) -> Any:
        """Return whether each value is missing."""
        return self._elementwise("isna")

    def notna(self) -> Any:
        """Return whether each value is there."""
        return self._elementwise("notna")

    isnull = isna
    notnull = notna

    def abs(self) -> Any:
        """Return absolute values."""
        return self._elementwise("abs")

    def between(self, left: Any, right: Any, inclusive: str = "both") -> Any:
        """Return whether each value lies between two bounds."""
        result = self._elementwise("between", left, right, inclusive=inclusive)
        series = [one for one in (self, left, right) if isinstance(one, FrameLike)]
        return result.rename(common_name(*series))

    def clip(self, lower: Any = None, upper: Any = None) -> Any:
        """Return values limited to ``[lower, upper]``."""
        return self._elementwise("clip", lower, upper)

    def isin(self, values: Any) -> Any:
        """Return whether each value is among `values`.

        Parameters
        ----------
        values : iterable; or dict of iterables by column (DataFrame)
        """
        if isinstance(values, dict):
            return self._per_column("isin", {k: (list(v),) for k, v in values.items()}, ([],))
        return self._elementwise("isin", list(values))

    def round(self, decimals: Any = 0) -> Any:
        """Return values rounded to `decimals` places (a dict gives them by column)."""
        if isinstance(decimals, dict):
            return self._per_column("round", {k: {"decimals": v} for k, v in decimals.items()})
        return self._only_numbers("round", decimals=decimals)

    def astype(self, dtype: Any) -> Any:
        """Return values cast to `dtype` (a dict gives dtypes by column)."""
        if not isinstance(dtype, dict):
            dtype = {label: dtype for _, label, _ in self._items}
        open_ended = [label for label, kind in dtype.items() if _is_category(kind)]
        casts = {k: {"dtype": v} for k, v in dtype.items() if k not in open_ended}
        result = self._per_column("astype", casts) if casts else self
        return result._categorised(open_ended) if open_ended else result

    def _categorised(self, labels: list[Any]) -> Any:
        """Return columns as categories, which are their values over all rows."""
        from penstock.engine.nodes.categorise import Categorise

        plan = self.plan
        columns = tuple(plan.schema.column(label) for label in labels)
        return self._on(Categorise(plan, columns))

    def fillna(self, value: Any = None) -> Any:
        """Return values with missing ones replaced.

        Parameters
        ----------
        value : scalar, Series, lazy Scalar; or dict or lazy row by column (DataFrame)
        """
        by_column = _by_column(value)
        if by_column is None:
            return self._elementwise("fillna", value)
        known = [label for _, label, _ in self._items if label in by_column]
        rows, exprs = assigned(self._rows, [by_column[label] for label in known], "fillna")
        fills = dict(zip(known, exprs, strict=True))
        items = tuple(
            (name, label, Call("fillna", (expr, fills[label])) if label in fills else expr)
            for name, label, expr in self._items
        )
        return self._like(rows, items)

    def where(self, cond: Any, other: Any = None) -> Any:
        """Return values where `cond` holds and `other` elsewhere."""
        return self._conditional("where", cond, other)

    def mask(self, cond: Any, other: Any = None) -> Any:
        """Return values where `cond` does not hold and `other` elsewhere."""
        return self._conditional("mask", cond, other)

    def replace(self, to_replace: Any = None, value: Any = None, regex: bool = False) -> Any:
        """Return values with some replaced, as pandas' ``replace`` spells them."""
        if self.ndim > 1 and isinstance(to_replace, dict):
            if value is not None or any(isinstance(one, dict) for one in to_replace.values()):
                return self._replaced_by_column(to_replace, value, regex)
        options: dict[str, Any] = {"to_replace": to_replace, "regex": regex}
        if value is not None:
            options["value"] = value
        return self._elementwise("replace", **options)

    def _replaced_by_column(self, by_column: dict[Any, Any], value: Any, regex: bool) -> Any:
        """Replace in each column its own values, with its own or one value."""
        known = {label for _, label, _ in self._items}
        settings = {}
        for label in by_column.keys() & known:
            settings[label] = {"to_replace": by_column[label], "regex": regex}
            new = value[label] if isinstance(value, dict) else value
            if new is not None:
                settings[label]["value"] = new
        return self._per_column("replace", settings)

    def _conditional(self, op: str, cond: Any, other: Any) -> Any:
        labels = [label for _, label, _ in self._items]
        cond, other = (value(self) if callable(value) else value for value in (cond, other))
        if isinstance(cond, FrameLike) and cond.ndim > 1:
            cond = with_labels(cond, labels, missing=op == "mask")
        if isinstance(other, FrameLike) and other.ndim > 1:
            other = with_labels(other, labels)
        return self._elementwise(op, cond, other)

    def _per_column(self, op: str, settings: dict[Any, Any], default: Any = None) -> Any:
        """Apply `op` with settings of their own to some columns."""
        unknown = [label for label in settings if label not in [i[1] for i in self._items]]
        if unknown:
            from penstock.errors import column_not_found

            raise column_not_found(unknown[0], [label for _, label, _ in self._items])
        items = []
        for name, label, expr in self._items:
            setting = settings.get(label, default)
            if isinstance(setting, tuple):
                expr = Call(op, (expr, Literal(setting[0])))
            elif setting is not None:
                expr = Call(op, (expr,), tuple(sorted(setting.items())))
            items.append((name, label, expr))
        return self._like(self._rows, tuple(items))

    def _only_numbers(self, op: str, **options: Any) -> Any:
        """Apply `op` to numeric columns and leave the others as they are."""
        import pyarrow as pa

        fields = self.plan.schema.fields
        items = []
        for (name, label, expr), field in zip(self._items, fields, strict=True):
            kind = field.type
            if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
                expr = Call(op, (expr,), tuple(sorted(options.items())))
            items.append((name, label, expr))
        return self._like(self._rows, tuple(items))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        op = _OF_UFUNC.get(ufunc.__name__, f"np.{ufunc.__name__}")
        if method != "__call__" or kwargs or op not in OPS:
            return NotImplemented
        first, *rest = inputs
        if not rest:
            return self._elementwise(op)
        if isinstance(first, FrameLike):
            return first._combined(op, *rest)  # type: ignore[attr-defined]
        return rest[0]._combined(op, first, reverse=True)


# pandas gives these functions of NumPy's the meaning of its operators.
_OF_UFUNC = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv",
    "true_divide": "truediv", "floor_divide": "floordiv", "remainder": "mod", "power": "pow",
    "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor",
    "negative": "neg", "positive": "pos", "absolute": "abs", "invert": "invert",
}  # fmt: skip


def common_name(*series: Any) -> Any:
    """Return the name that all `series` have, or None."""
    names = [one.name for one in series]
    return names[0] if all(name == names[0] for name in names) else None


def _is_category(dtype: Any) -> bool:
    """Return whether `dtype` is categories that only the values tell."""
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories is None and not dtype.ordered
    return isinstance(dtype, str) and dtype == "category"


def _by_column(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, Row):
        return {label: value[label] for _, label, _ in value._items}
    if type(value).__name__ == "Series" and type(value).__module__.startswith("pandas"):
        return dict(value)
    return None

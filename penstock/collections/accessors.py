"""The ``.str`` and ``.dt`` accessors, generated from the table of elementwise operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.engine.kernels.elementwise import OPS, Op, bind_options

if TYPE_CHECKING:
    from penstock.collections.series import Series


class Accessor:
    """Elementwise methods of one kind of values.

    Parameters
    ----------
    series : Series
    """

    _prefix = ""

    def __init__(self, series: Series) -> None:
        self._series = series

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_names(self._prefix)})

    def __getattr__(self, name: str) -> Any:
        op = OPS.get(f"{self._prefix}.{name}")
        if op is None:
            raise AttributeError(f"no method .{self._prefix}.{name}")
        if op.is_property:
            return self._series._elementwise(op.name)
        return _method(self._series, op)


class StringAccessor(Accessor):
    """Methods for text, as pandas' ``.str``."""

    _prefix = "str"

    def __getitem__(self, key: Any) -> Series:
        if isinstance(key, slice):
            return self.slice(key.start, key.stop, key.step)
        return self.get(key)

    def cat(self, others: Any = None, sep: str | None = None, na_rep: str | None = None) -> Series:
        """Join each text with those of other Series of the same rows."""
        from penstock.errors import UnsupportedError

        if isinstance(others, str):
            raise ValueError("others are Series; the text between them is sep=")
        if others is None:
            raise UnsupportedError(
                "str.cat without others joins the rows of a whole column; use sum() instead"
            )
        several = others if isinstance(others, list | tuple) else [others]
        return self._series._elementwise("str.cat", *several, sep=sep, na_rep=na_rep)

    def split(self, pat: Any = None, *, n: int = -1, expand: bool = False) -> Any:
        """Split each text; ``expand=True`` needs `n` and gives ``n + 1`` columns."""
        return self._parts("split", pat, n, expand)

    def rsplit(self, pat: Any = None, *, n: int = -1, expand: bool = False) -> Any:
        """Split each text from its end; ``expand=True`` needs `n`."""
        return self._parts("rsplit", pat, n, expand)

    def _parts(self, name: str, pat: Any, n: int, expand: bool) -> Any:
        from penstock.errors import UnsupportedError

        op = OPS[f"str.{name}"]
        if not expand:
            return _method(self._series, op)(pat, n=n)
        if n < 1:
            raise UnsupportedError(
                f"str.{name}(expand=True) needs n=, so that the number of columns is known"
            )
        import pandas as pd

        meta = pd.DataFrame({i: pd.Series([], dtype="str") for i in range(n + 1)})
        return self._series.map_partitions(_split_columns, name, pat, n, meta=meta, _rowwise=True)


def _split_columns(series: Any, name: str, pat: Any, n: int) -> Any:
    parts = getattr(series.str, name)(pat, n=n, expand=True)
    return parts.reindex(columns=range(n + 1))


class DatetimeAccessor(Accessor):
    """Methods for dates and times, as pandas' ``.dt``."""

    _prefix = "dt"


def _names(prefix: str) -> list[str]:
    start = f"{prefix}."
    return [name[len(start) :] for name in OPS if name.startswith(start)]


def _method(series: Series, op: Op) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        options = bind_options(op.name, args, kwargs)
        return series._elementwise(op.name, **options)

    method.__name__ = op.name.partition(".")[2]
    method.__doc__ = f"Apply pandas' ``Series.{op.name}`` to each value."
    return method

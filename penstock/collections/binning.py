"""Values put into bins: cut and qcut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.base import compute
from penstock.collections.kinds import is_kind
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    import pandas as pd


def cut(
    x: Any,
    bins: Any,
    right: bool = True,
    labels: Any = None,
    retbins: bool = False,
    precision: int = 3,
    include_lowest: bool = False,
    duplicates: str = "raise",
    ordered: bool = True,
) -> Any:
    """Return the bin of each value, as `pandas.cut` does.

    Parameters
    ----------
    x : Series
        Numbers or times.
    bins : int, sequence or pandas.IntervalIndex
        A number of bins of one width, or their edges. A number needs the least and the
        greatest value, for which the call reads the data.
    right : bool
        Bins include their right edge.
    labels : sequence or False, optional
        Of the bins; False gives their numbers.
    retbins : bool
        Return the edges too.
    precision : int
        Digits of the bins' own labels.
    include_lowest : bool
        The first bin includes its left edge.
    duplicates : {"raise", "drop"}
        What to do with equal edges.
    ordered : bool
        Categories have an order.

    Returns
    -------
    Series, or (Series, ndarray)
        Categories; without `labels` the texts of the intervals, such as ``"(0, 5]"``, where
        pandas has interval objects.

    Raises
    ------
    SchemaError
        When `x` is no Series.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([3.0, 8.0, 12.0]), npartitions=2)
    >>> dd.cut(fares, [0, 5, 20]).compute().tolist()
    ['(0, 5]', '(5, 20]', '(5, 20]']
    """
    import pandas as pd

    _check(x, "cut")
    options = {"right": right, "precision": precision, "include_lowest": include_lowest,
               "duplicates": duplicates, "ordered": ordered}  # fmt: skip
    if _is_number(bins):
        ends = pd.Series(list(compute(x.min(), x.max())))
        _, bins = pd.cut(ends, bins, retbins=True, **options)
    return _binned(x, pd.Index(bins), labels, retbins, options)


def qcut(
    x: Any,
    q: Any,
    labels: Any = None,
    retbins: bool = False,
    precision: int = 3,
    duplicates: str = "raise",
) -> Any:
    """Return the bin of each value, the bins holding equally many, as `pandas.qcut` does.

    Parameters
    ----------
    x : Series
        Numbers or times.
    q : int or sequence of float
        A number of bins, or quantiles between 0 and 1.
    labels, retbins, precision, duplicates
        As for `cut`.

    Returns
    -------
    Series, or (Series, ndarray)

    Raises
    ------
    SchemaError
        When `x` is no Series.

    Notes
    -----
    The call finds the exact quantiles first, by a sort that spills.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> fares = dd.from_pandas(pd.Series([3.0, 8.0, 12.0, 40.0]), npartitions=2)
    >>> dd.qcut(fares, 2, labels=["low", "high"]).compute().tolist()
    ['low', 'low', 'high', 'high']
    """
    import numpy as np
    import pandas as pd

    _check(x, "qcut")
    quantiles = np.linspace(0, 1, q + 1) if _is_number(q) else np.asarray(q, dtype=float)
    # pandas leaves rounding at the ends to the quantile function
    bins = pd.Index(x.quantile([float(one) for one in quantiles]).compute())
    options = {"precision": precision, "include_lowest": True, "duplicates": duplicates}
    return _binned(x, bins, labels, retbins, options)


def _check(x: Any, operation: str) -> None:
    if not is_kind(x, "Series"):
        raise SchemaError(f"{operation} takes a Series, not {type(x).__name__}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or hasattr(value, "__index__")


def _binned(x: Any, bins: pd.Index, labels: Any, retbins: bool, options: dict[str, Any]) -> Any:
    import pandas as pd

    if labels is not None and labels is not False and isinstance(bins, pd.IntervalIndex):
        raise UnsupportedError("cut: bins that are intervals bring their own labels")
    # values of the kind, to see what becomes of them and to have pandas' own errors
    example = _bins_of(x._repr_meta().iloc[:, 0], bins, labels, options)
    if labels is False:  # whole numbers, as long as none is missing
        example = example.astype("int64")
    result = x.map_partitions(_bins_of, bins, labels, options, meta=example, _rowwise=True)
    result = result.rename(x.name)
    if not retbins:
        return result
    edges = bins.unique() if options["duplicates"] == "drop" else bins
    return result, edges.to_numpy() if edges.dtype.kind in "iuf" else edges


def _bins_of(series: Any, bins: Any, labels: Any, options: dict[str, Any]) -> Any:
    import pandas as pd

    if not len(series):  # of which pandas wants at least one
        made = _bins_of(series.reindex([0]), bins, labels, options)
        return made.iloc[:0]
    found = pd.cut(series, bins, labels=labels, **options)
    if labels is None:
        return found.cat.rename_categories([str(one) for one in found.cat.categories])
    return found

"""``loc``: rows by mask or label range, columns by label."""

from __future__ import annotations

from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import new_series
from penstock.collections.rows import labelled
from penstock.engine.expr import Column
from penstock.errors import RowNotFoundError, UnsupportedError


class LocIndexer:
    """Select by mask, label, list or range of labels, and columns."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def __getitem__(self, key: Any) -> Any:
        collection = self._collection
        columns: Any = slice(None)
        if isinstance(key, tuple) and len(key) == 2 and not hasattr(collection, "dtype"):
            key, columns = key
        if callable(key) and not isinstance(key, FrameLike):
            key = key(collection)
        if not (isinstance(key, slice) and key == slice(None)):
            collection = self._rows_of(collection, key)
        if isinstance(columns, slice):
            if columns != slice(None):
                labels = list(collection.columns)
                start = 0 if columns.start is None else labels.index(columns.start)
                stop = len(labels) if columns.stop is None else labels.index(columns.stop) + 1
                collection = collection[labels[start:stop]]
            return collection
        return collection[columns]

    def _rows_of(self, collection: Any, key: Any) -> Any:
        if isinstance(key, FrameLike):
            return collection._masked(key)
        labels = _index_series(collection)
        if isinstance(key, slice):
            if key.step is not None:
                raise UnsupportedError("loc with a step is not supported; filter by a mask")
            return collection._masked(_between(labels, key.start, key.stop))
        if isinstance(key, list):
            return collection._masked(labels.isin(key))
        if isinstance(key, str) and _are_times(labels):
            return collection._masked(_between(labels, key, key))
        return collection._masked(labels == key)


def _between(labels: Any, start: Any, stop: Any) -> Any:
    """Return where `labels` are from `start` to `stop`, both included; None leaves an end open."""
    times = _are_times(labels)
    mask: Any = None
    if start is not None:
        named = times and isinstance(start, str)
        mask = labels >= (_span(labels, start)[0] if named else start)
    if stop is not None:
        named = times and isinstance(stop, str)
        below = labels < _span(labels, stop)[1] if named else labels <= stop
        mask = below if mask is None else mask & below
    return mask


def _are_times(labels: Any) -> bool:
    return labels.dtype.kind == "M"


def _span(labels: Any, text: str) -> tuple[Any, Any]:
    """Return when the day, month or other time that `text` names begins, and when the next does."""
    import pandas as pd

    try:
        period = pd.Period(text)
        zone = pd.Timestamp(text).tz
        bounds = period.start_time, (period + 1).start_time
    except (AttributeError, ValueError) as error:
        raise RowNotFoundError(
            f"loc[{text!r}]: the index holds times, of which this names none; "
            "a day is '2024-01-31', a month '2024-01'"
        ) from error
    own = getattr(labels.dtype, "tz", None)
    if own is None and zone is None:
        return bounds
    first, last = (bound.tz_localize(zone or own) for bound in bounds)
    return first, last


def _index_series(collection: Any) -> Any:
    plan = labelled(collection.plan)
    if len(plan.schema.index) != 1:
        raise UnsupportedError("loc on an index with several levels needs a mask")
    return new_series(plan, Column(plan.schema.index[0]))

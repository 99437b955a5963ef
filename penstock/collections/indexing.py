"""``loc``: rows by mask or label range, columns by label."""

from __future__ import annotations

from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import new_series
from penstock.collections.rows import labelled
from penstock.engine.expr import Column
from penstock.errors import UnsupportedError


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
            mask: Any = None
            if key.start is not None:
                mask = labels >= key.start
            if key.stop is not None:
                upper = labels <= key.stop
                mask = upper if mask is None else mask & upper
            return collection._masked(mask)
        if isinstance(key, list):
            return collection._masked(labels.isin(key))
        return collection._masked(labels == key)


def _index_series(collection: Any) -> Any:
    plan = labelled(collection.plan)
    if len(plan.schema.index) != 1:
        raise UnsupportedError("loc on an index with several levels needs a mask")
    return new_series(plan, Column(plan.schema.index[0]))

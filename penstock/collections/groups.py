"""Functions of the user's on groups: apply, transform, filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.mapping import collection_of, result_schema
from penstock.collections.rows import labelled
from penstock.engine.nodes.groupby import GroupMap
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.sort import in_order

if TYPE_CHECKING:
    from penstock.collections.grouping import Grouping


class GroupFunctionsMixin:
    """Methods that call functions with whole groups."""

    _grouping: Grouping

    def apply(self, func: Callable[..., Any], *args: Any, meta: Any = None, **kwargs: Any) -> Any:
        """Call `func` with each group as a pandas object.

        Parameters
        ----------
        func : callable
            Takes a group, gives a DataFrame, a Series or a scalar.
        *args, **kwargs
            For `func`.
        meta : optional
            Names and dtypes of the result, see `DataFrame.map_partitions`.
            Without it `func` is run on the groups of the first rows.

        Returns
        -------
        DataFrame or Series
        """
        grouping = self._grouping
        plan = labelled(in_order(grouping.plan))
        caller = _Apply(self._pandas_grouping(), func, args, kwargs)
        if meta is None:
            sample = collection_of(plan, False).head(100)
            try:
                meta = caller(sample)
            except Exception as error:
                error.add_note(
                    "raised on the groups of the first rows, where the function was run to "
                    "learn its result; give names and dtypes as meta="
                )
                raise
        schema, is_series = result_schema(meta, plan, self)
        if hasattr(meta, "index") and hasattr(meta.index, "names"):
            from penstock.engine.schema import schema_of

            schema = schema_of(meta, index=True)
        node = GroupMap(
            plan, grouping.keys, Opaque(caller), Opaque(((), {})), schema,
            label="groupby apply", ordered=grouping.sort,
        )  # fmt: skip
        return collection_of(noted(node), is_series)

    def _pandas_grouping(self) -> dict[str, Any]:
        grouping = self._grouping
        schema = grouping.plan.schema
        labels = dict(zip(schema.columns, schema.labels, strict=True))
        if any(key not in labels for key in grouping.keys):
            raise TypeError("apply on groups of an index level is not supported")
        selected = [label for _, label in grouping.columns]
        return {
            "by": [labels[key] for key in grouping.keys],
            "names": list(grouping.names),
            "select": selected[0] if type(self).__name__ == "SeriesGroupBy" else selected,
            "options": {
                "sort": grouping.sort,
                "group_keys": grouping.group_keys,
                "dropna": grouping.dropna,
                "observed": grouping.observed,
            },
        }


class _Apply:
    """Group a partition in pandas and call the user's function with its groups."""

    def __init__(
        self, grouping: dict[str, Any], func: Callable[..., Any], args: tuple, kwargs: dict
    ) -> None:
        self.grouping = grouping
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.__name__ = getattr(func, "__name__", "the function")

    def __call__(self, frame: Any) -> Any:
        spelled = self.grouping
        by = spelled["by"]
        keys = [frame[label].rename(name) for label, name in zip(by, spelled["names"], strict=True)]
        grouped = frame.groupby(keys if len(keys) > 1 else keys[0], **spelled["options"])
        return grouped[spelled["select"]].apply(self.func, *self.args, **self.kwargs)

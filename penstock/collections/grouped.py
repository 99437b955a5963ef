"""What all methods of grouped frames and series stand on: nodes made of a grouping."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.collections.aggregation import Aggregation
from penstock.collections.base import noted
from penstock.collections.grouping import Columns, Grouping
from penstock.collections.kinds import new_frame, new_series
from penstock.collections.mapping import collection_of, first_rows, result_schema
from penstock.collections.rows import labelled
from penstock.engine.expr import Column
from penstock.engine.kernels.aggregate import AGGREGATIONS, HOLISTIC, AggSpec
from penstock.engine.kernels.aggregate.custom import CUSTOM
from penstock.engine.kernels.aggregate.functions import is_number
from penstock.engine.nodes.concat import SideBySide
from penstock.engine.nodes.groupby import GroupAggregate
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.numbering import RowPositions
from penstock.engine.nodes.select import project
from penstock.engine.nodes.sort import in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import (
    ORDER,
    FrameSchema,
    index_column,
    is_default_index,
    schema_of,
    unique_names,
)
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.engine.nodes.pandas_groups import PandasGroups

_SAME_IN_NUMPY = frozenset({"sum", "prod", "mean", "min", "max", "any", "all"})
_ALIASES = {"kurtosis": "kurt", "amax": "max", "amin": "min", "product": "prod"}
# Dask's knobs for work that Penstock sizes by itself.
_SIZES_DECIDE = frozenset({"split_every", "split_out", "shuffle_method"})
_ENGINES = frozenset({"engine", "engine_kwargs"})
_SAMPLE_ROWS = 100
_FIRST = "__first__"
_LABELLED = frozenset({"idxmin", "idxmax"})


class Grouped(ABC):
    """Rows of a plan in groups."""

    _grouping: Grouping

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping

    @property
    @abstractmethod
    def _is_series(self) -> bool:
        """Whether one column is grouped, and results are series."""

    @abstractmethod
    def _aggregate_each(self, function: str, numeric_only: bool = False, **options: Any) -> Any:
        """Apply one aggregation to every selected column."""

    def _regrouped(self, **changes: Any) -> Any:
        """Return the groups of the same kind with another plan or other columns."""
        return type(self)(replace(self._grouping, **changes))

    def _chosen(self, numeric_only: bool = False) -> Columns:
        """Return the value columns, or those of them that hold numbers."""
        if not numeric_only:
            return self._grouping.columns
        schema = self._grouping.plan.schema
        return tuple(
            (name, label)
            for name, label in self._grouping.columns
            if is_number(schema.field(name).type)
        )

    def _ungrouped(self, plan: FrameNode) -> Any:
        """Return the collection of the rows, whose plan is or was made of the grouping's."""
        whole = self._grouping.whole
        if self._is_series:
            ((name, label),) = whole
            return new_series(plan, Column(name), label)
        return new_frame(project(plan, tuple(name for name, _ in whole)))

    def _observed_only(self, operation: str) -> None:
        """Refuse groups of categories that no row has."""
        if not self._grouping.observed and self._grouping.has_categories:
            raise UnsupportedError(
                f"{operation} for categories without rows: pass observed=True to groupby"
            )

    # -- one row per group ----------------------------------------------------

    def _aggregated(
        self,
        specs: tuple[AggSpec, ...],
        labels: tuple[Any, ...],
        label_names: tuple[Any, ...] = (None,),
    ) -> GroupAggregate:
        """Return the node that aggregates, whose columns are in the order of `specs`."""
        grouping = self._grouping
        plan = grouping.plan
        # a key may be aggregated too, under its own name
        outputs = unique_names([*grouping.keys, *(spec.output for spec in specs)])
        specs = tuple(
            replace(spec, output=output)
            for spec, output in zip(specs, outputs[len(grouping.keys) :], strict=True)
        )
        if any(spec.function in _LABELLED for spec in specs):
            plan = labelled(plan)
            specs = tuple(_with_label(spec, plan.schema) for spec in specs)
        if not grouping.sort:
            if not plan.schema.order:
                plan = RowPositions(plan)
        elif any(spec.depends_on_order(plan.schema.arrow) for spec in specs):
            plan = in_order(plan)
        decomposable = {*AGGREGATIONS, CUSTOM}
        return GroupAggregate(
            plan,
            grouping.keys,
            grouping.names,
            specs,
            labels,
            label_names,
            sort=grouping.sort,
            dropna=grouping.dropna,
            holistic=any(spec.function not in decomposable for spec in specs),
            complete=not grouping.observed,
        )

    def _built(
        self, specs: tuple[AggSpec, ...], labels: tuple[Any, ...], *, series: Any = False,
        label_names: tuple[Any, ...] = (None,),
    ) -> Any:  # fmt: skip
        """Return the aggregated collection: a Series of name `series` unless it is False."""
        node = self._aggregated(specs, labels, label_names)
        as_index = self._grouping.as_index
        if series is not False and as_index:
            return new_series(noted(node), Column(node.specs[0].output), series)
        frame = new_frame(noted(node))
        return frame if as_index else frame.reset_index()

    def _spec(self, column: str | None, function: Any, output: str, **options: Any) -> AggSpec:
        """Return the aggregation that one of pandas' spellings means."""
        if isinstance(function, Aggregation):
            return AggSpec(column, CUSTOM, output, (("aggregation", Opaque(function)),))
        name = function_name(function)
        name = _ALIASES.get(name, name)
        known = name in AGGREGATIONS or name in HOLISTIC
        if not known or (callable(function) and not stands_for_its_name(function, name)):
            if isinstance(function, str):
                self._unknown(function)
            if options:
                function = functools.partial(function, **options)
            return AggSpec(column, "apply", output, (("func", Opaque(function)),))
        column = None if name == "size" else column
        return AggSpec(column, name, output, tuple(sorted(options.items())))

    def _unknown(self, function: str) -> None:
        known = ", ".join(sorted({*AGGREGATIONS, *HOLISTIC} - {"apply", CUSTOM}))
        raise UnsupportedError(f"no aggregation {function!r}; there are: {known}")

    # -- functions of whole groups --------------------------------------------

    def _pandas_groups(self, columns: Columns) -> PandasGroups:
        from penstock.engine.nodes.pandas_groups import PandasGroups

        grouping = self._grouping
        return PandasGroups(
            grouping.keys,
            grouping.names,
            tuple(name for name, _ in columns),
            series=self._is_series,
            sort=grouping.sort,
            group_keys=grouping.group_keys,
            observed=True,
            dropna=grouping.dropna,
            listed=grouping.listed,
        )

    def _rowwise(
        self,
        label: str,
        function: Callable[[Any], Any],
        *,
        columns: Columns | None = None,
        meta: Any = None,
        sampled: bool = False,
    ) -> Any:
        """Return what `function` makes of each row of whole groups, beside the rows.

        Parameters
        ----------
        function : callable
            Takes pandas' grouped object, gives a frame or series of the same rows.
        columns : tuple, optional
            Of the grouped object, by default the value columns.
        meta : optional
            What the function gives, in any way that names and dtypes may be told.
        sampled : bool
            Run the function on the first rows to see what it gives, not on one made-up row.
        """
        from penstock.engine.nodes.group_rows import GroupRows

        groups = self._pandas_groups(self._grouping.columns if columns is None else columns)
        plan = self._grouping.plan
        if sampled:
            plan = labelled(plan)
        if meta is None:
            meta = (
                self._tried(plan, groups, function)
                if sampled
                else groups.trial(plan.schema, function)
            )
        result, is_series = result_schema(meta, plan, self)
        result = of_known_types(result, plan.schema)
        node = GroupRows(plan, groups, Opaque(function), result, label, is_series)
        return collection_of(noted(node), is_series)

    def _groupwise(
        self,
        label: str,
        function: Callable[[Any], Any],
        *,
        columns: Columns | None = None,
        meta: Any = None,
        sampled: bool = False,
    ) -> Any:
        """Return what `function` makes of whole groups, in the order of the groups; see `_rowwise`."""
        from penstock.engine.nodes.group_map import GroupMap

        self._observed_only(label)
        grouping = self._grouping
        groups = self._pandas_groups(grouping.columns if columns is None else columns)
        plan = labelled(grouping.plan)
        given = meta is not None
        if not given:
            meta = (
                self._tried(plan, groups, function)
                if sampled
                else groups.trial(plan.schema, function)
            )
        result, is_series = result_schema(meta, plan, self)
        index = getattr(meta, "index", None)
        if given and (not hasattr(index, "names") or is_default_index(index)):
            fields, names = self._labels_of(plan, groups, function)
            result = replace(result, index_fields=fields, index_names=names)
        else:
            result = schema_of(meta, index=True)
        by = grouping.keys
        if not grouping.sort:
            plan, by = self._by_appearance(plan)
        node = GroupMap(plan, groups, Opaque(function), result, by, label, is_series)
        return collection_of(noted(node), is_series)

    def _labels_of(
        self, plan: FrameNode, groups: PandasGroups, function: Callable[[Any], Any]
    ) -> tuple[tuple[pa.Field, ...], tuple[Any, ...]]:
        """Return the index that `function` gives, of which a `meta` without one tells nothing.

        It is the groups' keys where the function cannot be tried on the first rows.
        """
        try:
            found = schema_of(self._tried(plan, groups, function), index=True)
        except Exception:  # noqa: BLE001 - `meta` was given for functions that cannot run on them
            grouping = self._grouping
            fields = tuple(
                plan.schema.field(key).with_name(index_column(level))
                for level, key in enumerate(grouping.keys)
            )
            return fields, grouping.names
        return found.index_fields, found.index_names

    def _tried(self, plan: FrameNode, groups: PandasGroups, function: Callable[[Any], Any]) -> Any:
        """Return what `function` gives for the groups of the first rows."""
        sample = first_rows(collection_of(plan, False), _SAMPLE_ROWS)
        try:
            grouped = groups.of(plan.schema, plan.schema.from_pandas(sample))
            if not grouped.ngroups:
                return groups.trial(plan.schema, function)
            return function(grouped)
        except Exception as error:
            error.add_note(
                "raised on the groups of the first rows, where the function was run to "
                "learn its result; give names and dtypes as meta="
            )
            raise

    def _by_appearance(self, plan: FrameNode) -> tuple[FrameNode, tuple[str, ...]]:
        """Return the plan with a column that tells the groups apart in order of appearance."""
        from penstock.engine.nodes.group_transform import GroupTransform

        plan = RowPositions(in_order(plan))
        schema = plan.schema
        first = GroupTransform(
            plan,
            self._grouping.keys,
            (AggSpec(ORDER, "min", _FIRST),),
            (_FIRST,),
            self._grouping.dropna,
        )
        own = tuple(
            (name, name, label) for name, label in zip(schema.columns, schema.labels, strict=True)
        )
        return SideBySide((plan, first), (own, ((_FIRST, _FIRST, _FIRST),))), (_FIRST,)


def _with_label(spec: AggSpec, schema: FrameSchema) -> AggSpec:
    """Return `spec`, with the column of labels that it gives when it gives labels."""
    if spec.function not in _LABELLED:
        return spec
    if len(schema.index) != 1:
        raise UnsupportedError(
            f"{spec.function} with an index of several levels: reset_index() first, and look the "
            "labels up by the row numbers"
        )
    return replace(spec, options=(*spec.options, ("label", schema.index[0])))


def of_known_types(result: FrameSchema, before: FrameSchema) -> FrameSchema:
    """Return `result`, with the types of the columns themselves where the trial told none."""
    import pyarrow as pa

    types = dict(zip(before.labels, before.fields, strict=True))
    fields = tuple(
        field.with_type(types[label].type)
        if pa.types.is_null(field.type) and label in types
        else field
        for field, label in zip(result.fields, result.labels, strict=True)
    )
    return replace(result, fields=fields)


def stands_for_its_name(function: Any, name: str) -> bool:
    """Return whether `function` is NumPy's and calls the method of that name.

    Others of NumPy's (std, median) treat missing values or ``ddof`` in their own way, and
    Python's own functions see each value.
    """
    import numpy as np

    if function is list:
        return True
    return name in _SAME_IN_NUMPY and function is getattr(np, name)


def function_name(function: Any) -> str:
    """Return what pandas calls `function`."""
    if isinstance(function, functools.partial):
        function = function.func
    return function if isinstance(function, str) else getattr(function, "__name__", str(function))


def check_hints(operation: str, hints: dict[str, Any]) -> None:
    """Accept Dask's knobs for sizes, which decide by themselves here; refuse others."""
    for name, value in hints.items():
        if name in _SIZES_DECIDE:
            continue
        if name not in _ENGINES:
            raise TypeError(f"{operation}() got an unexpected keyword argument {name!r}")
        if value is not None:
            raise UnsupportedError(f"{operation}: {name}={value!r} is not supported; leave it out")

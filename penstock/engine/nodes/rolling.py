"""Moving windows over rows: fixed numbers of rows, or spans of time."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables
from penstock.engine.kernels.convert import array_from_series
from penstock.engine.kernels.rolling import FORWARD, TimeEdge, WindowCall, rolled, row_reach
from penstock.engine.nodes.map_blocks import pandas_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, halo
from penstock.engine.schema import FrameSchema, field_for, index_column, schema_of
from penstock.errors import SchemaError
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Neighbours and block are joined, go to pandas, through the windows, and back.
_PANDAS_COPIES = 4.0


@record(eq=False)
class Rolling(FrameNode):
    """Call a method of pandas' rolling windows, on each block with the neighbours it needs.

    Attributes
    ----------
    call : WindowCall
        Options of the windows, the method and its arguments.
    as_series : bool
        The windows are those of a Series.
    time : str or None
        Column of the times, for windows of time.
    reach : int
        Nanoseconds that windows of time reach back.
    ahead : int
        Nanoseconds that they reach forward.
    each : bool
        The result has the columns of the input, each computed alone.
    pairwise : bool
        A matrix for each row: the names of the columns are one more level of the index.
    """

    input: FrameNode
    call: WindowCall
    as_series: bool
    time: str | None = None
    reach: int = 0
    ahead: int = 0
    each: bool = True
    pairwise: bool = False

    @property
    def keeps_rows(self) -> bool:  # type: ignore[override]
        return not self.pairwise

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"rolling {self.call.function}"

    @property
    def passes_projection(self) -> bool:  # type: ignore[override]
        return self.each

    @cached_property
    def schema(self) -> FrameSchema:
        import pandas as pd

        before = self.input.schema
        result = window_meta(self.call, before, self.as_series)
        if isinstance(result, pd.Series):
            result = result.to_frame(name=result.name)
        after = schema_of(result, index=False)
        if self.each:
            names = [before.column(label) for label in after.labels]
            fields = tuple(f.with_name(n) for f, n in zip(after.fields, names, strict=True))
            after = replace(after, fields=fields)
        index, names_of = before.index_fields, before.index_names
        if self.pairwise:
            level = field_for(result.columns.to_series(), index_column(len(index)))
            index, names_of = (*index, level), (*names_of, result.columns.name)
        return replace(after, index_fields=index, index_names=names_of)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        if not self.each:
            return super().needs(columns)
        return (columns | {self.time} if self.time else columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        before: Any
        after: Any
        if self.time is None:
            options = dict(self.call.options)
            if FORWARD in options:
                before, after = 0, options[FORWARD]
            else:
                before, after = row_reach(options["window"], bool(options.get("center")))
        else:
            known = self._time_name()
            before = TimeEdge(self.time, self.reach, known)
            after = TimeEdge(self.time, self.ahead, known, ahead=True) if self.ahead else 0
        blocks = lowering.blocks(self.input)
        return halo(
            lowering,
            self.name,
            _RollBlock(
                self.call, self.input.schema, self.schema, self.as_series, before, self.pairwise
            ),
            blocks,
            before=before,
            after=after,
            memory=TaskMemory(input_factor=_PANDAS_COPIES, output=blocks.nbytes),
        )

    def _time_name(self) -> str:
        schema = self.input.schema
        if self.time in schema.index:
            return "the index"
        assert self.time is not None
        return f"column {schema.labels[schema.columns.index(self.time)]!r}"

    def describe(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.call.options)


def window_meta(call: WindowCall, schema: FrameSchema, as_series: bool) -> Any:
    """Return the empty pandas object that `call` gives.

    Raises
    ------
    SchemaError
        A column is of a type that the method does not take.
    """
    import pandas as pd

    meta = schema.meta
    try:
        return call(meta.iloc[:, 0] if as_series else meta)
    except (pd.errors.DataError, NotImplementedError) as error:
        raise SchemaError(
            f"rolling {call.function}: {error}; select numeric columns, or pass numeric_only=True"
        ) from error


class _RollBlock:
    def __init__(
        self,
        call: WindowCall,
        schema: FrameSchema,
        result: FrameSchema,
        as_series: bool,
        edge: int | TimeEdge,
        pairwise: bool,
    ) -> None:
        self.call = call
        self.schema = schema
        self.result = result
        self.as_series = as_series
        self.edge = edge
        self.pairwise = pairwise

    def __call__(self, table: pa.Table, before: Any, after: Any) -> pa.Table:
        import pandas as pd
        import pyarrow as pa

        if isinstance(self.edge, TimeEdge):
            # the rows next to a block tell in which direction time went so far
            if before is not None:
                self.edge.direction(before, self.edge.of_block(table))
            before, after = (None if each is None else each.rows for each in (before, after))
        parts = [part for part in (before, table, after) if part is not None]
        start = 0 if before is None else before.num_rows
        data = pandas_block(self.schema, concat_tables(parts), self.as_series)
        result = rolled(self.call, data, start, table.num_rows)
        if isinstance(result, pd.Series):
            result = result.to_frame(name=self.result.labels[0])
        bare = replace(self.result, index_fields=(), index_names=())
        columns = bare.from_pandas(result, self.call.function).columns
        index = self.result.index
        if self.pairwise:
            each = len(self.result.labels)
            table = table.take(pa.array(np.repeat(np.arange(table.num_rows), each)))
            names = result.index.get_level_values(-1).to_series()
            table = table.append_column(self.result.index_fields[-1], array_from_series(names))
        columns += [table.column(name) for name in index]
        return pa.Table.from_arrays(columns, names=[*self.result.columns, *index])

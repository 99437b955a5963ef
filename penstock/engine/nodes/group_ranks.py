"""Exact quantiles of groups of any size: values are sorted within keys, and counted off.

Rows go through an exchange by ranges of keys and values, which may cut a group anywhere. How many
values of a group that was cut are before a partition, and after it, is handed along the
partitions; each then finds the values that it has of those around a quantile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.aggregate import AggSpec, combine, finalize
from penstock.engine.kernels.aggregate import partial as partial_aggregate
from penstock.engine.kernels.aggregate.holistic import (
    holistic_field,
    quantile_between,
    quantile_places,
)
from penstock.engine.kernels.aggregate.values import raw, take_optional
from penstock.engine.kernels.groupby_codes import drop_missing_keys, filter_rows, group_codes
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import (
    GATHER_COPIES,
    Blocks,
    Lowering,
    blockwise,
    exchange,
    prefix_scan,
)
from penstock.engine.primitives.lowering import output
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

RANKED = frozenset({"median", "quantile"})
_TOTAL = "\x1etotal"
# Keys of both sides once more, and the places where they match.
_MATCHING_COPIES = 3
_NOTHING = AggSpec(None, "size", "\x1esize")


def is_rankable(field: pa.Field) -> bool:
    """Return whether values of `field` are found by their rank here."""
    import pyarrow as pa

    kind = field.type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind)


def lower_ranked(
    lowering: Lowering,
    name: str,
    source: FrameNode,
    keys: tuple[str, ...],
    specs: tuple[AggSpec, ...],
    arranged: Callable[[pa.Table], pa.Table],
    dropna: bool,
) -> Blocks:
    """Add the stages of a group-by whose `specs` are decomposable, medians or quantiles.

    Parameters
    ----------
    arranged : callable
        Makes the block of the result of keys and aggregates.
    """
    blocks = lowering.blocks(source).shared()
    simple = tuple(spec for spec in specs if spec.function not in RANKED) or (_NOTHING,)
    factor = 1.0 + hashing_factor(source.schema)
    partials = blockwise(
        lowering,
        f"{name} partial",
        partial(_partial, keys, simple, dropna),
        [blocks],
        memory=TaskMemory(input_factor=factor, output=blocks.nbytes),
    )
    ranked = tuple(spec for spec in specs if spec.function in RANKED)
    columns = tuple(dict.fromkeys(spec.column for spec in ranked if spec.column is not None))
    found = [
        _ranked_column(
            lowering, name, blocks, keys, column,
            tuple(spec for spec in ranked if spec.column == column), dropna, source.nbytes, factor,
        )
        for column in columns
    ]  # fmt: skip
    partitioner = RangePartitioner(keys, (True,) * len(keys))
    kinds = {column: source.schema.field(column) for column in columns}
    return exchange(
        lowering,
        name,
        [partials, *found],
        [partitioner] * (1 + len(found)),
        _Together(keys, specs, simple, columns, kinds, arranged),
        nbytes=max(1, source.nbytes),
        copies=GATHER_COPIES + _MATCHING_COPIES + hashing_factor(source.schema),
    )


def _partial(
    keys: tuple[str, ...], specs: tuple[AggSpec, ...], dropna: bool, table: pa.Table
) -> pa.Table:
    return partial_aggregate(table, list(keys), list(specs), dropna=dropna)


def _ranked_column(
    lowering: Lowering,
    name: str,
    blocks: Blocks,
    keys: tuple[str, ...],
    column: str,
    specs: tuple[AggSpec, ...],
    dropna: bool,
    nbytes: int,
    hashing: float,
) -> Blocks:
    """Return, for the groups in each partition, the values around the quantiles of a column."""
    by = tuple(dict.fromkeys((*keys, column)))
    known = blockwise(
        lowering, f"{name} values", partial(_known, by, column, keys, dropna), [blocks]
    )
    ordered = exchange(
        lowering,
        f"{name} sort",
        [known],
        [RangePartitioner(by, (True,) * len(by))],
        partial(_sorted, by),
        nbytes=max(1, nbytes),
        divisible=(True,),
    )
    memory = TaskMemory(input_factor=hashing, output=ordered.nbytes)
    edged = blockwise(
        lowering, f"{name} edges", partial(_edges, keys), [ordered], outputs=2, memory=memory
    )
    assert edged.stage is not None
    edges = output(edged.stage, 1)
    before = prefix_scan(lowering, f"{name} before", _forward, edges)
    backward = prefix_scan(lowering, f"{name} after", _backward, edges[::-1].copy())
    after = Blocks(backward.ids[::-1].copy(), backward.nbytes)
    tables = Blocks(output(edged.stage, 0), edged.nbytes, None, edged.origin)
    return blockwise(
        lowering,
        f"{name} ranks",
        partial(_around, keys, column, specs),
        [tables, before, after],
        memory=memory,
    )


def _known(
    by: tuple[str, ...], column: str, keys: tuple[str, ...], dropna: bool, table: pa.Table
) -> pa.Table:
    table = table.select(list(by))
    if dropna:
        table = drop_missing_keys(table, keys)
    values = single_chunk(table.column(column))
    return filter_rows(table, values.is_valid()) if values.null_count else table


def _sorted(by: tuple[str, ...], pieces: list[pa.Table]) -> pa.Table:
    table = concat_tables(pieces)
    pieces.clear()
    return sort_table(table, list(by), [True] * len(by), "last")


@record
class _Run:
    """The key at an edge of a partition, and how many values it has on from there."""

    key: pa.Table
    count: int
    whole: bool
    """All rows of the partition have the key."""


Edges = tuple[_Run, _Run] | None


def _edges(keys: tuple[str, ...], table: pa.Table) -> tuple[pa.Table, Edges]:
    """Return the table, and the runs at its edges unless it is empty."""
    if not table.num_rows:
        return table, None
    counts = np.bincount(group_codes([table.column(key) for key in keys]).codes)
    only = table.select(list(keys))
    whole = len(counts) == 1
    first = _Run(only.take([0]), int(counts[0]), whole)
    return table, (first, _Run(only.take([table.num_rows - 1]), int(counts[-1]), whole))


def _forward(state: _Run | None, edges: Edges) -> _Run | None:
    return _extended(state, edges, 1)


def _backward(state: _Run | None, edges: Edges) -> _Run | None:
    return _extended(state, edges, 0)


def _extended(state: _Run | None, edges: Edges, side: int) -> _Run | None:
    """Return the run that goes on beyond a partition; `side` is the edge where it leaves."""
    if edges is None:
        return state
    run = edges[side]
    if state is not None and run.whole and _same_key(state.key, run.key):
        return _Run(run.key, run.count + state.count, whole=True)
    return run


def _same_key(one: pa.Table, other: pa.Table) -> bool:
    both = concat_tables([one, other])
    return group_codes(list(both.columns)).ngroups == 1


def _around(
    keys: tuple[str, ...],
    column: str,
    specs: tuple[AggSpec, ...],
    table: pa.Table,
    before: _Run | None,
    after: _Run | None,
) -> pa.Table:
    """Return for each group the number of its values, and of those around quantiles what is here."""
    import pyarrow as pa

    groups = group_codes([table.column(key) for key in keys])
    made = table.select(list(keys)).take(groups.first)
    own = np.bincount(groups.codes, minlength=groups.ngroups).astype(np.int64)
    offset, total = np.zeros_like(own), own.copy()
    if groups.ngroups and before is not None and _same_key(made.slice(0, 1), before.key):
        offset[0] = before.count
        total[0] += before.count
    last = made.slice(groups.ngroups - 1) if groups.ngroups else made
    if groups.ngroups and after is not None and _same_key(last, after.key):
        total[-1] += after.count
    values = single_chunk(table.column(column))
    made = made.append_column(_TOTAL, pa.array(total))
    for place, spec in enumerate(specs):
        low, high, _ = quantile_places(total, spec)
        for side, rank in enumerate((low, high)):
            inside = (rank >= offset) & (rank < offset + own)
            rows = np.where(inside, groups.first + rank - offset, -1)
            made = made.append_column(_value_name(place, side), take_optional(values, rows))
    return made


def _value_name(place: int, side: int) -> str:
    return f"\x1e{'above' if side else 'below'} {place}"


class _Together:
    """Make the groups of a partition of partial aggregates and of the values around quantiles."""

    def __init__(
        self,
        keys: tuple[str, ...],
        specs: tuple[AggSpec, ...],
        simple: tuple[AggSpec, ...],
        columns: tuple[str, ...],
        kinds: dict[str, pa.Field],
        arranged: Callable[[pa.Table], pa.Table],
    ) -> None:
        self.keys = keys
        self.specs = specs
        self.simple = simple
        self.columns = columns
        self.kinds = kinds
        self.arranged = arranged

    def __call__(self, partials: list[pa.Table], *found: list[pa.Table]) -> pa.Table:
        import pyarrow as pa

        keys = list(self.keys)
        done = finalize(combine(concat_tables(partials), keys, list(self.simple)), keys,
                        list(self.simple))  # fmt: skip
        made: dict[str, pa.Array] = {}
        for column, pieces in zip(self.columns, found, strict=True):
            made.update(self._quantiles(column, done.select(keys), concat_tables(pieces)))
        arrays = [single_chunk(done.column(key)) for key in keys]
        fields = [done.schema.field(key) for key in keys]
        source = pa.schema(list(self.kinds.values()))
        for spec in self.specs:
            if spec.function in RANKED:
                field = holistic_field(spec, source)
                array = made[spec.output]
                arrays.append(array if field is None else array.cast(field.type))
                fields.append(field if field is not None else pa.field(spec.output, array.type))
            else:
                arrays.append(single_chunk(done.column(spec.output)))
                fields.append(done.schema.field(spec.output))
        return self.arranged(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))

    def _quantiles(self, column: str, groups: pa.Table, found: pa.Table) -> dict[str, Any]:
        """Return the quantiles of a column; its values may come from several partitions."""
        count = groups.num_rows
        both = concat_tables([groups, found.select(list(self.keys))])
        codes = group_codes(list(both.columns)).codes[count:]
        totals = np.zeros(count, np.int64)
        totals[codes] = single_chunk(found.column(_TOTAL)).to_numpy()
        empty = totals == 0
        specs = [s for s in self.specs if s.function in RANKED and s.column == column]
        made = {}
        for place, spec in enumerate(specs):
            low, _, share = quantile_places(totals, spec)
            around = []
            for side in (0, 1):
                values = single_chunk(found.column(_value_name(place, side)))
                here = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
                rows = np.full(count, -1, np.int64)
                rows[codes[here]] = here
                around.append(raw(take_optional(values, rows)))
            kind = self.kinds[column].type
            below, above = around
            made[spec.output] = quantile_between(below, above, low, share, empty, kind, spec)
        return made

"""Group by keys: aggregates of each group, one row per group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.blocks import block_nbytes, concat_tables, single_chunk
from penstock.engine.kernels.aggregate import (
    AGGREGATIONS,
    AggSpec,
    combine,
    complete_categories,
    finalize,
    grouped,
    holistic_field,
)
from penstock.engine.kernels.aggregate.custom import (
    CUSTOM,
    applied_type,
    chunk_columns,
    final_column,
    is_part,
    part_name,
)
from penstock.engine.kernels.aggregate.partials import partial_kinds
from penstock.engine.kernels.aggregate.spec import partial_name, remember_field
from penstock.engine.kernels.groupby_codes import drop_missing_keys, group_codes
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.group_partial import lower_partial
from penstock.engine.nodes.group_ranks import RANKED, is_rankable, lower_ranked
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.nodes.reduce import combine_blocks, needed_columns, partial_block
from penstock.engine.nodes.select import rename_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import GATHER_COPIES, Blocks, Lowering, exchange
from penstock.engine.primitives.tree_reduce import SPLIT_EVERY, reduce_once
from penstock.engine.schema import ORDER, FrameSchema, index_column, unique_names
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa

# A partition of partials: what it is joined from, or the groups it becomes, beside it.
_PARTIAL_COPIES = 2
# Partials above this together are not merged before the exchange: many groups.
_PRECOMBINE_BYTES = 4 << 20
# The partials, what they are joined to, and room for the others.
_COMBINE_COPIES = 4


@record(eq=False)
class GroupAggregate(FrameNode):
    """Aggregate the rows of each group; one row per group, keys as the index.

    Partial aggregates of each block go through an exchange by ranges of the
    keys, so that few groups end in one small combination and many groups come
    out sorted, partition by partition.

    Attributes
    ----------
    keys : tuple of str
        Key columns.
    key_names : tuple
        The user's names of the key levels.
    labels : tuple
        The user's labels of the outputs, one per spec.
    sort : bool
        Sort by key; otherwise groups come in order of first appearance.
    holistic : bool
        Some spec needs all rows of a group at once (median, nunique, ...).
    """

    input: FrameNode
    keys: tuple[str, ...]
    key_names: tuple[Any, ...]
    specs: tuple[AggSpec, ...]
    labels: tuple[Any, ...]
    label_names: tuple[Any, ...] = (None,)
    sort: bool = True
    dropna: bool = True
    holistic: bool = False
    complete: bool = False
    """Categories that no row has get a group too (``observed=False``)."""
    sources: tuple[pa.Field, ...] | None = None
    """Columns whose partial aggregates the input has; None where it has the rows themselves."""

    name = "groupby"
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        arrow = self.input.schema.arrow
        rows = self._rows
        return FrameSchema(
            tuple(_output_field(spec, rows) for spec in self.specs),
            self.labels,
            tuple(
                arrow.field(key).with_name(index_column(level))
                for level, key in enumerate(self.keys)
            ),
            self.key_names,
            () if self.sort else (arrow.field(ORDER),),
            self.label_names,
        )

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        if self.sources is not None:
            kinds = partial_kinds(self.specs, self._rows)
            return (frozenset((*self.keys, *(partial_name(*kind) for kind in kinds))),)
        hidden: frozenset[str] = frozenset() if self.sort else frozenset((ORDER,))
        return (frozenset(self.keys) | needed_columns(self.specs) | hidden,)

    @cached_property
    def _rows(self) -> pa.Schema:
        """The schema of the rows of the groups."""
        import pyarrow as pa

        return self.input.schema.arrow if self.sources is None else pa.schema(self.sources)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        kept = [
            (spec, label)
            for spec, label in zip(self.specs, self.labels, strict=True)
            if spec.output in columns
        ]
        if not kept or len(kept) == len(self.specs):
            return self
        return replace(
            self, specs=tuple(spec for spec, _ in kept), labels=tuple(label for _, label in kept)
        )

    def lower(self, lowering: Lowering) -> Blocks:
        specs = self.specs if self.sort else (*self.specs, AggSpec(ORDER, "min", ORDER))
        finish = _Finish(
            self.keys, specs, self.schema, self.sort, self.dropna, self.holistic, self.complete
        )
        if self.holistic and can_rank(self, lowering):
            return lower_ranked(
                lowering, self.name, self.input, self.keys, specs, finish.arranged, self.dropna
            )
        if self.holistic:
            blocks = lowering.blocks(self.input)
        else:
            custom = any(spec.function == CUSTOM for spec in specs)
            dropna = self.dropna and not self.complete
            if self.sources is not None:
                make = partial(merge_partials, self.keys, specs, self._rows, dropna=dropna)
            elif custom:
                make = partial(partial_with_custom, self.keys, specs, dropna=dropna)
            else:
                make = partial(partial_block, self.keys, specs, dropna=dropna, where_it_pays=True)
            blocks = lower_partial(lowering, f"{self.name} partial", self.input, make)
            together = 1 if custom else _combined_at_once(lowering, blocks)
            if together > 1:
                blocks = reduce_once(
                    lowering,
                    f"{self.name} combine",
                    _CombineSmall(self.keys, specs),
                    blocks,
                    together,
                )
        return exchange(
            lowering,
            f"{self.name} of whole groups" if self.holistic else self.name,
            [blocks],
            [RangePartitioner(self.keys, (True,) * len(self.keys))],
            finish,
            nbytes=max(1, self.input.nbytes),
            copies=(GATHER_COPIES if self.holistic else _PARTIAL_COPIES)
            + hashing_factor(self.input.schema),
            # what is absent shows only where all groups are
            slots=1 if self.complete else None,
        )

    def describe(self) -> str:
        shown = ", ".join(f"{s.function}({s.column or ''})" for s in self.specs)
        return f"by {', '.join(self.keys)}: {shown}"


def merged(
    first: GroupAggregate, other: GroupAggregate
) -> tuple[GroupAggregate, dict[str, str]] | None:
    """Return one node for the aggregates of two on the same groups, when they are the same.

    Columns of `first` keep their names; those that the columns of `other` get are returned too.
    """
    alike = ("input", "keys", "key_names", "sort", "dropna", "complete")
    if any(getattr(first, name) != getattr(other, name) for name in alike):
        return None
    taken = [*first.keys, *(spec.output for spec in first.specs)]
    names = unique_names([*taken, *(spec.output for spec in other.specs)])[len(taken) :]
    renamed = dict(zip((spec.output for spec in other.specs), names, strict=True))
    specs = tuple(replace(spec, output=renamed[spec.output]) for spec in other.specs)
    node = replace(
        first,
        specs=first.specs + specs,
        labels=first.labels + tuple(names),
        holistic=first.holistic or other.holistic,
    )
    return node, renamed


def can_rank(node: GroupAggregate, lowering: Lowering) -> bool:
    """Return whether the quantiles of groups of any size are to be found by sorting."""
    simple = {*AGGREGATIONS, *RANKED}
    if node.complete or any(spec.function not in simple for spec in node.specs):
        return False
    fields = [
        node.input.schema.field(spec.column)
        for spec in node.specs
        if spec.function in RANKED and spec.column is not None
    ]
    alone = lowering.partition_bytes(GATHER_COPIES + 1)
    return node.input.nbytes > alone and all(map(is_rankable, fields))


def _output_field(spec: AggSpec, schema: pa.Schema) -> pa.Field:
    import pyarrow as pa

    field = holistic_field(spec, schema)
    return field if field is not None else pa.field(spec.output, applied_type(spec, schema))


def _combined_at_once(lowering: Lowering, blocks: Blocks) -> int:
    """Return how many partials a task may take even if they are as large as their blocks."""
    share = lowering.task_bytes // _COMBINE_COPIES
    return min(len(blocks), SPLIT_EVERY, share // max(1, blocks.nbytes))


class _CombineSmall:
    """Merge neighbouring partials when they are few; the choice depends on the data only."""

    def __init__(self, keys: tuple[str, ...], specs: tuple[AggSpec, ...]) -> None:
        self.keys = keys
        self.specs = specs

    def __call__(self, tables: Sequence[pa.Table]) -> pa.Table:
        import pyarrow as pa

        if len(tables) == 1:
            return tables[0]
        if sum(block_nbytes(table) for table in tables) > _PRECOMBINE_BYTES:
            # what scatters them takes piece by piece: no need to copy them together
            return pa.concat_tables(tables)
        return combine_blocks(self.keys, self.specs, tables)


class _Finish:
    """Make the final groups of one partition: aggregate, sort, name the index."""

    def __init__(
        self,
        keys: tuple[str, ...],
        specs: tuple[AggSpec, ...],
        schema: FrameSchema,
        sort: bool,
        dropna: bool,
        holistic: bool,
        complete: bool,
    ) -> None:
        self.keys = keys
        self.specs = specs
        self.schema = schema
        self.sort = sort
        self.dropna = dropna
        self.holistic = holistic
        self.complete = complete

    def __call__(self, pieces: list[pa.Table]) -> pa.Table:
        if not pieces:
            return self.schema.arrow.empty_table()
        if self.holistic:
            done = grouped(
                concat_tables(pieces),
                list(self.keys),
                list(self.specs),
                dropna=self.dropna and not self.complete,
            )
        else:
            done = self._of_partials(pieces)
        return self.arranged(done)

    def arranged(self, done: pa.Table) -> pa.Table:
        """Return the aggregates of groups in their order, with the keys as the index."""
        if self.complete:
            done = complete_categories(done, list(self.keys), list(self.specs), dropna=self.dropna)
        by = list(self.keys) if self.sort else [ORDER]
        done = sort_table(done, by, [True] * len(by), "last")
        pairs = tuple((name, name) for name in self.schema.columns + self.schema.order)
        pairs += tuple(zip(self.keys, self.schema.index, strict=True))
        return rename_block(pairs, done)

    def _of_partials(self, pieces: list[pa.Table]) -> pa.Table:
        if any(spec.function == CUSTOM for spec in self.specs):
            return final_with_custom(self.keys, self.specs, concat_tables(pieces))
        table = concat_tables(pieces)
        pieces.clear()
        merged = combine(table, list(self.keys), list(self.specs), by_key=True)
        return finalize(merged, list(self.keys), list(self.specs))


def merge_partials(
    keys: tuple[str, ...],
    specs: tuple[AggSpec, ...],
    rows: pa.Schema,
    table: pa.Table,
    *,
    dropna: bool,
) -> pa.Table:
    """Return the partial aggregates of a block from those of groups that are parts of its own.

    Parameters
    ----------
    rows : pyarrow.Schema
        The columns that were aggregated, which the fields of `table` may have forgotten on the way.
    """
    import pyarrow as pa

    fields = [table.schema.field(key) for key in keys]
    for column, kind in partial_kinds(specs, rows):
        name = partial_name(column, kind)
        source = None if column is None else rows.field(column)
        fields.append(remember_field(name, table.schema.field(name).type, source))
    columns = [table.column(field.name) for field in fields]
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    table = drop_missing_keys(table, keys) if dropna else table
    return combine(table, list(keys), list(specs))


def partial_with_custom(
    keys: tuple[str, ...], specs: tuple[AggSpec, ...], table: pa.Table, *, dropna: bool
) -> pa.Table:
    """Return the partial aggregates of a block, with those that the user's functions make."""
    table = drop_missing_keys(table, keys) if dropna else table
    made = partial_block(keys, _simple(specs), table, dropna=False)
    groups = group_codes([table.column(key) for key in keys])
    for spec in specs:
        if spec.function == CUSTOM:
            column = single_chunk(table.column(spec.column))
            parts = chunk_columns(column, groups.codes, groups.ngroups, spec)
            for name, array in parts.items():
                made = made.append_column(name, array)
    return made


def final_with_custom(
    keys: tuple[str, ...], specs: tuple[AggSpec, ...], table: pa.Table
) -> pa.Table:
    """Return the aggregates of groups from the partial ones of all blocks."""
    parts = [name for name in table.column_names if is_part(name)]
    simple = list(_simple(specs))
    done = finalize(combine(table.drop_columns(parts), list(keys), simple), list(keys), simple)
    groups = group_codes([table.column(key) for key in keys])
    for spec in specs:
        if spec.function == CUSTOM:
            own: list[pa.Array] = []
            while (name := part_name(spec, len(own))) in parts:
                own.append(single_chunk(table.column(name)))
            column = final_column(own, groups.codes, groups.ngroups, spec)
            done = done.append_column(spec.output, column)
    return done.select([*keys, *(spec.output for spec in specs)])


def _simple(specs: tuple[AggSpec, ...]) -> tuple[AggSpec, ...]:
    simple = tuple(spec for spec in specs if spec.function != CUSTOM)
    return simple or (AggSpec(None, "size", "\x1esize"),)

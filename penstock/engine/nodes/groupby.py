"""Group by keys: decomposable aggregates, and functions that need all rows of a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.blocks import block_nbytes, concat_tables
from penstock.engine.kernels.aggregate import (
    AggSpec,
    complete_categories,
    finalize,
    grouped,
    holistic_field,
)
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.map_blocks import Opaque, block_from_pandas
from penstock.engine.nodes.partitioners import HashPartitioner, RangePartitioner
from penstock.engine.nodes.reduce import combine_blocks, needed_columns, partial_block
from penstock.engine.nodes.select import rename_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, exchange
from penstock.engine.primitives.tree_reduce import SPLIT_EVERY, reduce_once
from penstock.engine.schema import ORDER, FrameSchema, index_column
from penstock.errors import SchemaError
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Partials above this together are not merged before the exchange: many groups.
_PRECOMBINE_BYTES = 4 << 20
# The partials, what they are joined to, and room for the others.
_COMBINE_COPIES = 4


@dataclass(frozen=True, eq=False)
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

    name = "groupby"
    passes_projection = True

    @cached_property
    def schema(self) -> FrameSchema:
        arrow = self.input.schema.arrow
        return FrameSchema(
            tuple(_output_field(spec, arrow) for spec in self.specs),
            self.labels,
            tuple(
                arrow.field(key).with_name(index_column(level))
                for level, key in enumerate(self.keys)
            ),
            self.key_names,
            () if self.sort else (arrow.field(ORDER),),
            self.label_names,
        )

    @property
    def npartitions(self) -> int:
        return self.input.npartitions

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        hidden: frozenset[str] = frozenset() if self.sort else frozenset((ORDER,))
        return (frozenset(self.keys) | needed_columns(self.specs) | hidden,)

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
        blocks = lowering.blocks(self.input)
        specs = self.specs if self.sort else (*self.specs, AggSpec(ORDER, "min", ORDER))
        finish = _Finish(
            self.keys, specs, self.schema, self.sort, self.dropna, self.holistic, self.complete
        )
        if not self.holistic:
            blocks = blockwise(
                lowering,
                f"{self.name} partial",
                partial(partial_block, self.keys, specs, dropna=self.dropna and not self.complete),
                [blocks],
                memory=TaskMemory(
                    input_factor=1.0 + hashing_factor(self.input.schema), output=blocks.nbytes
                ),
            )
            together = _combined_at_once(lowering, blocks)
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
            self.name,
            [blocks],
            [RangePartitioner(self.keys, (True,) * len(self.keys))],
            finish,
            nbytes=max(1, self.input.nbytes),
            # what is absent shows only where all groups are
            slots=1 if self.complete else None,
        )

    def describe(self) -> str:
        shown = ", ".join(f"{s.function}({s.column or ''})" for s in self.specs)
        return f"by {', '.join(self.keys)}: {shown}"


def _output_field(spec: AggSpec, schema: pa.Schema) -> pa.Field:
    import pyarrow as pa

    field = holistic_field(spec, schema)
    # what a function of the user's gives is known once it has run: numbers, mostly
    return field if field is not None else pa.field(spec.output, pa.float64())


def _combined_at_once(lowering: Lowering, blocks: Blocks) -> int:
    """Return how many partials a task may take even if they are as large as their blocks."""
    share = lowering.budget // (lowering.workers * _COMBINE_COPIES)
    return min(len(blocks), SPLIT_EVERY, share // max(1, blocks.nbytes))


class _CombineSmall:
    """Merge neighbouring partials when they are few; the choice depends on the data only."""

    def __init__(self, keys: tuple[str, ...], specs: tuple[AggSpec, ...]) -> None:
        self.keys = keys
        self.specs = specs

    def __call__(self, tables: Sequence[pa.Table]) -> pa.Table:
        if len(tables) == 1:
            return tables[0]
        if sum(block_nbytes(table) for table in tables) > _PRECOMBINE_BYTES:
            return concat_tables(tables)
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
            done = finalize(
                combine_blocks(self.keys, self.specs, pieces), list(self.keys), list(self.specs)
            )
        if self.complete:
            done = complete_categories(done, list(self.keys), list(self.specs), dropna=self.dropna)
        by = list(self.keys) if self.sort else [ORDER]
        done = sort_table(done, by, [True] * len(by), "last")
        pairs = tuple((name, name) for name in self.schema.columns + self.schema.order)
        pairs += tuple(zip(self.keys, self.schema.index, strict=True))
        return rename_block(pairs, done)


@dataclass(frozen=True, eq=False)
class GroupMap(FrameNode):
    """Call a function with all rows of some groups, as a pandas frame.

    The rows of each group are together, in their order, with the index they
    had. The function does its own grouping: it gets whole groups, several at
    once.
    """

    input: FrameNode
    keys: tuple[str, ...]
    function: Opaque
    arguments: Opaque
    result: FrameSchema
    label: str = "groupby apply"
    ordered: bool = False
    """The function gives its result in the order of the keys (else by position)."""

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def schema(self) -> FrameSchema:
        return self.result

    @property
    def npartitions(self) -> int:
        return self.input.npartitions

    def lower(self, lowering: Lowering) -> Blocks:
        args, kwargs = self.arguments.value
        partitioner: Any = (
            RangePartitioner(self.keys, (True,) * len(self.keys))
            if self.ordered
            else HashPartitioner(self.keys)
        )
        return exchange(
            lowering,
            self.name,
            [lowering.blocks(self.input)],
            [partitioner],
            _CallWithGroups(self.function.value, args, kwargs, self.input.schema, self.result),
            nbytes=max(1, self.input.nbytes),
        )

    def describe(self) -> str:
        return f"by {', '.join(self.keys)}"


class _CallWithGroups:
    """Call a function of pandas objects with all rows of a partition.

    Hidden row positions stay with the rows: the function sees them as a column
    of this name and hands them back when the result is rowwise.
    """

    def __init__(
        self,
        function: Any,
        args: tuple,
        kwargs: dict[str, Any],
        schema: FrameSchema,
        result: FrameSchema,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.schema = schema
        self.result = result

    def __call__(self, pieces: list[pa.Table]) -> pa.Table:
        if not any(piece.num_rows for piece in pieces):
            return self.result.arrow.empty_table()
        table = concat_tables(pieces)
        frame = self.schema.to_pandas(table)
        result = self.function(frame, *self.args, **self.kwargs)
        name = getattr(self.function, "__name__", type(self.function).__name__)
        block = block_from_pandas(self.result, result, name)
        if not self.result.order:
            return block
        if len(result) != table.num_rows:
            raise SchemaError(f"{name} must give one row for each row it gets")
        return block.append_column(self.result.order_fields[0], table.column(ORDER))

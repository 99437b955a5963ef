"""Group by keys: the covariances or correlations between columns of each group."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables, single_chunk
from penstock.engine.kernels.aggregate import AggSpec, combine, finalize
from penstock.engine.kernels.aggregate import partial as partial_aggregate
from penstock.engine.kernels.aggregate.comoments import (
    block_comoments,
    combine_comoments,
    is_comoment,
    matrices,
)
from penstock.engine.kernels.aggregate.grouping import KeyedGroups
from penstock.engine.kernels.groupby_codes import drop_missing_keys, group_codes
from penstock.engine.kernels.sort import sort_table
from penstock.engine.nodes.costs import hashing_factor
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, exchange
from penstock.engine.schema import ORDER, FrameSchema, index_column
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# Deviations of two columns, and their products.
_PAIR_COPIES = 4


@record(eq=False)
class GroupMatrix(FrameNode):
    """A row for each group and column, with the column's relation to every other.

    Attributes
    ----------
    function : {"cov", "corr"}
    columns : tuple of (str, Any)
        Name in blocks and label of each column.
    min_periods : int
        Fewest rows with both values.
    """

    input: FrameNode
    keys: tuple[str, ...]
    key_names: tuple[Any, ...]
    function: str
    columns: tuple[tuple[str, Any], ...]
    min_periods: int = 1
    sort: bool = True
    dropna: bool = True

    passes_projection = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"groupby {self.function}"

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        arrow = self.input.schema.arrow
        labels = tuple(label for _, label in self.columns)
        level = len(self.keys)
        index = [arrow.field(key).with_name(index_column(i)) for i, key in enumerate(self.keys)]
        return FrameSchema(
            tuple(pa.field(f"{name}", pa.float64()) for name, _ in self.columns),
            labels,
            (*index, pa.field(index_column(level), pa.array(list(labels)).type)),
            (*self.key_names, self.input.schema.label_names[0]),
            () if self.sort else (arrow.field(ORDER),),
            self.input.schema.label_names,
        )

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        hidden: frozenset[str] = frozenset() if self.sort else frozenset((ORDER,))
        return (frozenset(self.keys) | {name for name, _ in self.columns} | hidden,)

    def _specs(self) -> list[AggSpec]:
        if self.sort:
            return [AggSpec(None, "size", "size")]
        return [AggSpec(ORDER, "min", ORDER)]

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = lowering.blocks(self.input)
        factor = _PAIR_COPIES + hashing_factor(self.input.schema)
        partials = blockwise(
            lowering,
            f"{self.name} partial",
            partial(_partial, self),
            [blocks],
            memory=TaskMemory(input_factor=factor, output=blocks.nbytes),
        )
        return exchange(
            lowering,
            self.name,
            [partials],
            [RangePartitioner(self.keys, (True,) * len(self.keys))],
            partial(_finish, self),
            nbytes=max(1, self.input.nbytes),
        )

    def describe(self) -> str:
        return f"by {', '.join(self.keys)}: {', '.join(name for name, _ in self.columns)}"


def _partial(node: GroupMatrix, table: pa.Table) -> pa.Table:
    if node.dropna:
        table = drop_missing_keys(table, node.keys)
    made = partial_aggregate(table, list(node.keys), node._specs(), dropna=False)
    groups = KeyedGroups(group_codes([table.column(key) for key in node.keys]))
    names = [name for name, _ in node.columns]
    for name, array in block_comoments(table, names, groups).items():
        made = made.append_column(name, array)
    return made


def _finish(node: GroupMatrix, pieces: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    if not any(piece.num_rows for piece in pieces):
        return node.schema.arrow.empty_table()
    table = concat_tables(pieces)
    pieces.clear()
    keys, specs, count = list(node.keys), node._specs(), len(node.columns)
    simple = table.select([name for name in table.column_names if not is_comoment(name)])
    done = finalize(combine(simple, keys, specs), keys, specs)
    groups = KeyedGroups(group_codes([table.column(key) for key in keys]))
    merged = combine_comoments(table, count, groups)
    values = matrices(merged, count, groups.ngroups, node.function, node.min_periods)
    place = "__place__"
    by = keys if node.sort else [ORDER]
    done = done.append_column(place, pa.array(np.arange(groups.ngroups)))
    done = sort_table(done, by, [True] * len(by), "last")
    values = values[single_chunk(done.column(place)).to_numpy()]
    repeated = pa.array(np.repeat(np.arange(done.num_rows), count))
    schema = node.schema
    arrays: list[Any] = [pa.array(values[:, :, j].ravel(), from_pandas=True) for j in range(count)]
    arrays += [single_chunk(done.column(key)).take(repeated) for key in keys]
    labels = pa.array(list(schema.labels))
    arrays.append(labels.take(pa.array(np.tile(np.arange(count), done.num_rows))))
    arrays += [single_chunk(done.column(name)).take(repeated) for name in schema.order]
    return pa.Table.from_arrays(arrays, names=list(schema.names))

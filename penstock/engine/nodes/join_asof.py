"""As-of join: each left row with the nearest right row by an ordered key.

Both sides are cut by the same ranges of the key. What a range needs of the others is
the nearest row of each group before or after it, which is handed along by a scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables
from penstock.engine.kernels.join_asof import (
    AsofKeys,
    edge_rows,
    join_asof,
    joined_spans,
    sorted_span,
    within,
)
from penstock.engine.nodes.costs import row_bytes
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.partitioners import RangePartitioner
from penstock.engine.nodes.select import rename_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import (
    Blocks,
    Lowering,
    blockwise,
    exchange,
    prefix_scan,
    tree_reduce,
)
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

Columns = tuple[tuple[str, str, Any], ...]
_KEY = "__asof_key__"
_BY = "__asof_by_"
# Keys in pandas, the numbers of groups, and the indices found, beside the rows.
_SEARCH_COPIES, _GROUPED_COPIES = 3.0, 5.0
# A right side of at most this share of the budget is given whole to every left block.
_SMALL_SHARE = 12


@record(eq=False)
class JoinAsof(FrameNode):
    """Pair each left row with the last right row before it, or the first after it.

    Attributes
    ----------
    left_on, right_on : str
        The keys that both sides are sorted by.
    left_by, right_by : tuple of str
        Columns that must be equal.
    options : Opaque
        ``direction``, ``tolerance`` and ``allow_exact_matches``.
    left_columns, right_columns : tuple of (str, str, Any)
        Column of the input's blocks, name in the result, the user's label.
    keep_index : bool
        The result has the index of the left side.
    """

    left: FrameNode
    right: FrameNode
    left_on: str
    right_on: str
    left_by: tuple[str, ...]
    right_by: tuple[str, ...]
    options: Opaque
    left_columns: Columns
    right_columns: Columns
    keep_index: bool = False

    name = "join-asof"
    passes_projection = True
    picks_columns = True

    @cached_property
    def schema(self) -> FrameSchema:
        left, right = self.left.schema, self.right.schema
        fields = [left.field(source).with_name(name) for source, name, _ in self.left_columns]
        fields += [right.field(source).with_name(name) for source, name, _ in self.right_columns]
        labels = tuple(label for _, _, label in (*self.left_columns, *self.right_columns))
        if not self.keep_index:
            return FrameSchema(tuple(fields), labels)
        return FrameSchema(tuple(fields), labels, left.index_fields, left.index_names)

    @property
    def npartitions(self) -> int:
        return self.left.npartitions

    @cached_property
    def nbytes(self) -> int:
        share = row_bytes(self.right.schema) / row_bytes(self.left.schema)
        return int(self.left.nbytes * (1 + share))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        left = {source for source, name, _ in self.left_columns if name in columns}
        right = {source for source, name, _ in self.right_columns if name in columns}
        if self.keep_index:
            left |= columns & frozenset(self.left.schema.index)
        return (
            frozenset(left) | {self.left_on, *self.left_by},
            frozenset(right) | {self.right_on, *self.right_by},
        )

    def prune(self, columns: frozenset[str]) -> FrameNode:
        left = tuple(item for item in self.left_columns if item[1] in columns)
        right = tuple(item for item in self.right_columns if item[1] in columns)
        if (left, right) == (self.left_columns, self.right_columns):
            return self
        return replace(self, left_columns=left, right_columns=right)

    # -- lowering -------------------------------------------------------------

    def lower(self, lowering: Lowering) -> Blocks:
        index = self.left.schema.index if self.keep_index else ()
        left_pairs = tuple((source, name) for source, name, _ in self.left_columns)
        left_pairs += tuple((name, name) for name in index)
        right_pairs = tuple((source, name) for source, name, _ in self.right_columns)
        left, left_check = self._checked(lowering, "left", left_pairs)
        right, right_check = self._checked(lowering, "right", right_pairs)
        by = tuple(f"{_BY}{level}__" for level in range(len(self.left_by)))
        keys = AsofKeys(_KEY, _KEY, by, by, self.options.value)
        kept = [(name, name) for _, name in left_pairs], [(name, name) for _, name in right_pairs]
        checks = [left_check, right_check]
        if right.nbytes * len(right) <= lowering.budget // _SMALL_SHARE:
            whole = _whole(lowering, right)
            return self._pair(lowering, _Pair(keys, kept, False, False), [left, whole, *checks])
        return self._by_ranges(lowering, left, right, keys, kept, checks)

    def _checked(
        self, lowering: Lowering, side: str, pairs: tuple[tuple[str, str], ...]
    ) -> tuple[Blocks, Blocks]:
        """Return the columns of one side with its keys, and what fails unless they are sorted."""
        node, on, by = (
            (self.left, self.left_on, self.left_by)
            if side == "left"
            else (self.right, self.right_on, self.right_by)
        )
        keys = ((on, _KEY), *((name, f"{_BY}{level}__") for level, name in enumerate(by)))
        looked = blockwise(
            lowering,
            f"{self.name} {side}",
            partial(_looked_at, (*pairs, *keys), on, side),
            [lowering.blocks(node)],
            outputs=2,
        )
        assert looked.stage is not None
        spans = Blocks(output(looked.stage, 1), 64)
        check = tree_reduce(lowering, f"{self.name} check", partial(joined_spans, on, side), spans)
        return Blocks(looked.ids, looked.nbytes, None, looked.origin), check

    def _by_ranges(
        self,
        lowering: Lowering,
        left: Blocks,
        right: Blocks,
        keys: AsofKeys,
        kept: tuple[list, list],
        checks: list[Blocks],
    ) -> Blocks:
        direction = keys.options["direction"]
        before, after = direction != "forward", direction != "backward"
        total = left.nbytes * len(left) + right.nbytes * len(right)
        partitioner = RangePartitioner((_KEY,), (True,))
        met = exchange(
            lowering, self.name, [left, right], [partitioner, partitioner], _sides,
            nbytes=max(1, total),
        )  # fmt: skip
        edges = blockwise(
            lowering, f"{self.name} edges", partial(_with_edges, keys.right_by, before, after),
            [met], outputs=4, memory=TaskMemory(input_factor=1.0),
        )  # fmt: skip
        assert edges.stage is not None
        parts = [Blocks(output(edges.stage, side), met.nbytes // 2) for side in (0, 1)]
        tolerance = keys.options.get("tolerance")
        if before:
            states = prefix_scan(
                lowering, f"{self.name} before", partial(_last, keys.right_by, tolerance),
                output(edges.stage, 2),
            )  # fmt: skip
            parts.append(states)
        if after:
            states = prefix_scan(
                lowering, f"{self.name} after", partial(_first, keys.right_by, tolerance),
                output(edges.stage, 3)[::-1],
            )  # fmt: skip
            parts.append(Blocks(states.ids[::-1], states.nbytes))
        return self._pair(lowering, _Pair(keys, kept, before, after), [*parts, *checks])

    def _pair(self, lowering: Lowering, function: _Pair, inputs: list[Blocks]) -> Blocks:
        nbytes = inputs[0].nbytes + inputs[0].nbytes * row_bytes(self.right.schema) // row_bytes(
            self.left.schema
        )
        return blockwise(
            lowering,
            self.name,
            function,
            inputs,
            nbytes=nbytes,
            memory=TaskMemory(
                input_factor=_GROUPED_COPIES if self.left_by else _SEARCH_COPIES, output=nbytes
            ),
        )

    def describe(self) -> str:
        direction = self.options.value["direction"]
        by = f" by {', '.join(self.left_by)}" if self.left_by else ""
        return f"{direction} on {self.left_on}{by}"


def _looked_at(
    pairs: tuple[tuple[str, str], ...], key: str, side: str, table: pa.Table
) -> tuple[pa.Table, Any]:
    return rename_block(pairs, table), sorted_span(key, side, table)


def _whole(lowering: Lowering, blocks: Blocks) -> Blocks:
    if len(blocks) == 1:
        return blocks
    whole = tree_reduce(lowering, "gather", concat_tables, blocks, split_every=len(blocks))
    return replace(whole, nbytes=blocks.nbytes * len(blocks))


def _sides(left: list[pa.Table], right: list[pa.Table]) -> tuple[Any, Any]:
    """Return the rows of either side of one range; None of a side that has none anywhere."""
    found = tuple(concat_tables(pieces) if pieces else None for pieces in (left, right))
    left.clear()
    right.clear()
    return found[0], found[1]


def _with_edges(by: Sequence[str], before: bool, after: bool, sides: tuple[Any, Any]) -> tuple:
    left, right = sides
    last = edge_rows(right, by, last=True) if before and right is not None else None
    first = edge_rows(right, by, last=False) if after and right is not None else None
    return left, right, last, first


def _last(by: Sequence[str], tolerance: Any, state: Any, summary: Any) -> Any:
    """Return the last row of each group so far that a later row can reach."""
    if state is None or summary is None:
        return summary if state is None else state
    rows = edge_rows(concat_tables([state, summary]), by, last=True)
    return rows if tolerance is None else within(rows, _KEY, tolerance, last=True)


def _first(by: Sequence[str], tolerance: Any, state: Any, summary: Any) -> Any:
    """Return the first row of each group from here on that an earlier row can reach."""
    if state is None or summary is None:
        return summary if state is None else state
    rows = edge_rows(concat_tables([summary, state]), by, last=False)
    return rows if tolerance is None else within(rows, _KEY, tolerance, last=False)


class _Pair:
    """Join the two sides of one range, with the nearest rows of the ranges around it."""

    def __init__(self, keys: AsofKeys, kept: tuple[list, list], before: bool, after: bool) -> None:
        self.keys = keys
        self.kept = kept
        self.before = before
        self.after = after

    def __call__(self, left: pa.Table, right: pa.Table, *rest: Any) -> pa.Table:
        around = list(rest)
        before = around.pop(0) if self.before else None
        after = around.pop(0) if self.after else None
        found = [table for table in (before, right, after) if table is not None]
        return join_asof(left, concat_tables(found), self.keys, *self.kept)

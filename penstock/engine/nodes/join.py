"""Join two frames on equal keys: one side given to every block, or both through an exchange."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables
from penstock.engine.kernels.join import JoinTable, join_tables, key_type, unique_sides
from penstock.engine.nodes.costs import row_bytes
from penstock.engine.nodes.partitioners import HashPartitioner
from penstock.engine.nodes.select import rename_block
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import (
    GATHER_COPIES,
    Blocks,
    Lowering,
    blockwise,
    exchange,
    tree_reduce,
)
from penstock.engine.schema import ORDER, FrameSchema
from penstock.records import record
from penstock.scheduler import current_pool
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

Columns = tuple[tuple[str, str, Any], ...]

# Joins in which each row of the other side is looked up, and no unmatched row of
# the given side is wanted: that side may be given to every block.
_RIGHT_TO_ALL = frozenset({"inner", "left", "semi", "anti", "cross"})
# Per row of either side, to number the keys of both and to pair rows: measured 35-67.
_PAIRED_ROW = 72
# A piece of a cross join: positions of the rows on either side, and the rows.
_CROSS_COPIES = 3
_MOST_PIECES = 1 << 16


@record(eq=False)
class Join(FrameNode):
    """Pair the rows of two frames whose keys are equal.

    Attributes
    ----------
    left_on, right_on : tuple of str
        Key columns of the inputs' blocks; a pair that gets one name in the
        result becomes one column there.
    left_columns, right_columns : tuple of (str, str, Any)
        Column of the input's blocks, name in the result, the user's label.
        Keys are always among them.
    how : {"inner", "left", "right", "outer", "semi", "anti", "cross"}
    broadcast : bool or None
        Give one side whole to every block of the other; None decides by size.
    """

    left: FrameNode
    right: FrameNode
    left_on: tuple[str, ...]
    right_on: tuple[str, ...]
    left_columns: Columns
    right_columns: Columns
    how: str = "inner"
    indicator: str | None = None
    validate: str | None = None
    broadcast: bool | None = None

    name = "join"
    passes_projection = True
    picks_columns = True

    @cached_property
    def _keys(self) -> tuple[list[str], list[str]]:
        lefts = {source: name for source, name, _ in self.left_columns}
        rights = {source: name for source, name, _ in self.right_columns}
        return [lefts[key] for key in self.left_on], [rights[key] for key in self.right_on]

    @cached_property
    def _side(self) -> str:
        """The side whose order the result has."""
        return "right" if self.how == "right" else "left"

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        left = self._empty("left").empty_table()
        right = self._empty("right").empty_table()
        joined = self._kernel()(left, right)
        labels = {name: label for _, name, label in (*self.right_columns, *self.left_columns)}
        if self.indicator:
            labels[self.indicator] = self.indicator
        order: tuple[pa.Field, ...] = ()
        if self.how == "outer":
            order = tuple(field for field in joined.schema if field.name not in labels)
        elif self._is_ordered(self._side):
            order = (pa.field(ORDER, pa.int64()),)
        fields = tuple(field for field in joined.schema if field.name in labels)
        return FrameSchema(fields, tuple(labels[f.name] for f in fields), (), (), order)

    def _is_ordered(self, side: str) -> bool:
        """Return whether `side` gives the result its order.

        The other one may have an order too, where a sort of it was dropped.
        """
        node = self.right if side == "right" else self.left
        own = side == self._side and self.how not in ("outer", "cross")
        return own and ORDER in node.schema.order

    @property
    def npartitions(self) -> int:
        return max(self.left.npartitions, self.right.npartitions)

    @cached_property
    def nbytes(self) -> int:
        if self.how == "cross":
            return self._crossed_bytes(self.left.nbytes, self.right.nbytes)
        return self.left.nbytes + self.right.nbytes

    def _crossed_bytes(self, left: int, right: int) -> int:
        """Return the bytes of each row of `left` bytes with each row of `right` bytes."""
        widths = row_bytes(self.left.schema), row_bytes(self.right.schema)
        return int(left / widths[0] * (right / widths[1]) * sum(widths))

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        order = columns & {ORDER}
        wanted = []
        for side, pairs, keys in (
            ("left", self.left_columns, self.left_on),
            ("right", self.right_columns, self.right_on),
        ):
            used = frozenset(source for source, name, _ in pairs if name in columns)
            hidden = order if self._is_ordered(side) else frozenset()
            wanted.append(used | frozenset(keys) | hidden)
        return tuple(wanted)

    def prune(self, columns: frozenset[str]) -> FrameNode:
        def kept(pairs: Columns, keys: tuple[str, ...]) -> Columns:
            return tuple(p for p in pairs if p[1] in columns or p[0] in keys)

        left = kept(self.left_columns, self.left_on)
        right = kept(self.right_columns, self.right_on)
        if (left, right) == (self.left_columns, self.right_columns):
            return self
        return replace(self, left_columns=left, right_columns=right)

    def _kernel(self) -> _JoinTables:
        left_on, right_on = self._keys
        return _JoinTables(left_on, right_on, self.how, self.indicator, self.validate)

    # -- lowering -------------------------------------------------------------

    def lower(self, lowering: Lowering) -> Blocks:
        left = self._side_blocks(lowering, "left")
        right = self._side_blocks(lowering, "right")
        if self._gives_right(lowering):
            return self._lower_given(lowering, left, right)
        if self._gives_left(lowering):
            whole = _whole(lowering, left)
            return blockwise(
                lowering,
                self.name,
                _Flipped(self._kernel()),
                [right, whole],
                memory=self._memory(right, whole),
            )
        left_on, right_on = self._keys
        return exchange(
            lowering,
            self.name,
            [left, right],
            [HashPartitioner(tuple(left_on)), HashPartitioner(tuple(right_on))],
            _JoinPieces(
                self._kernel(),
                self._empty("left"),
                self._empty("right"),
            ),
            nbytes=max(1, self.left.nbytes + self.right.nbytes),
            copies=GATHER_COPIES + self._pairing_factor(),
            divisible=self._divisible(),
        )

    def _divisible(self) -> tuple[bool, bool]:
        """Return for each side whether its rows may be joined apart from others of their key."""
        unique_left, unique_right = unique_sides(self.validate)
        left = self.how in ("inner", "left", "semi", "anti") and not unique_left
        return left, self.how in ("inner", "right") and not unique_right

    def _pairing_factor(self) -> float:
        """Return the bytes that pairing rows takes, per byte of the rows of both sides."""
        sides = (self.left, self.right)
        rows = sum(side.nbytes / row_bytes(side.schema) for side in sides)
        return _PAIRED_ROW * rows / max(1, sum(side.nbytes for side in sides))

    def given(self) -> FrameNode | None:
        """Return the side that is given whole to every block however large it is, if any is."""
        if self.how == "cross":
            return self.right
        if not self.broadcast:
            return None
        if self._may_give_right():
            return self.right
        return self.left if self._may_give_left() else None

    @property
    def least_rows(self) -> int:
        left, right = self.left.least_rows, self.right.least_rows
        least = {"cross": left * right, "left": left, "right": right, "outer": max(left, right)}
        return least.get(self.how, 0)

    @property
    def least_need(self) -> int:
        given = self.given()
        if given is None:
            return 0
        if self.how == "cross":  # beside the given side, what one row of the other gives
            return given.least_bytes + given.least_rows * self.schema.least_bits // 8
        return 2 * given.least_bytes  # and its rows by key

    @property
    def remedy(self) -> str:
        if self.how == "cross":
            return "Raise memory_limit, drop columns or rows before the join, or join on keys"
        return (
            "Raise memory_limit, or leave broadcast out: both sides then go through an "
            "exchange that spills"
        )

    def _may_give_right(self) -> bool:
        return self.how in _RIGHT_TO_ALL and self.validate in (None, "m:1", "many_to_one")

    def _may_give_left(self) -> bool:
        return self.how == "right" and self.validate in (None, "1:m", "one_to_many")

    def _gives_right(self, lowering: Lowering) -> bool:
        if self.how == "cross":
            return True
        if not self._may_give_right():
            return False
        return (
            self.broadcast if self.broadcast is not None else self._is_small(lowering, self.right)
        )

    def _gives_left(self, lowering: Lowering) -> bool:
        if not self._may_give_left():
            return False
        return self.broadcast if self.broadcast is not None else self._is_small(lowering, self.left)

    def _is_small(self, lowering: Lowering, node: FrameNode) -> bool:
        return node.nbytes <= lowering.budget // 12

    def _lower_given(self, lowering: Lowering, left: Blocks, right: Blocks) -> Blocks:
        whole = _whole(lowering, right)
        if self.how == "cross":
            return self._lower_cross(lowering, left, whole)
        if self.validate:
            return blockwise(
                lowering,
                self.name,
                self._kernel(),
                [left, whole],
                memory=self._memory(left, whole),
            )
        left_on, right_on = self._keys
        arrow = self._empty("left")
        built = blockwise(
            lowering,
            f"{self.name} build",
            partial(_build, right_on, arrow, left_on),
            [whole],
            memory=TaskMemory(input_factor=3.0, output=whole.nbytes * 2),
        ).shared()
        return blockwise(
            lowering,
            self.name,
            partial(_probe, self.how, self.indicator),
            [left, built],
            memory=self._memory(left, whole),
        )

    def _lower_cross(self, lowering: Lowering, left: Blocks, whole: Blocks) -> Blocks:
        """Pair so many rows of a block at once that the result is a block."""
        made = max(1, self._crossed_bytes(left.nbytes, whole.nbytes))
        rows = max(1, left.nbytes // row_bytes(self.left.schema))
        most = max(1, _MOST_PIECES // len(left))
        pieces = min(rows, most, -(-made // lowering.block_bytes))
        # what is really made, the kernel finds out: sides may hold less than is estimated
        each = min(made // pieces, lowering.task_bytes // _CROSS_COPIES)
        left = Blocks(np.repeat(left.ids, pieces), left.nbytes) if pieces > 1 else left
        return blockwise(
            lowering,
            self.name,
            partial(_cross, self._kernel(), pieces),
            [left, whole],
            arguments=[number % pieces for number in range(len(left))],
            memory=TaskMemory(fixed=(_CROSS_COPIES - 1) * each, output=each),
            nbytes=each,
        )

    def _memory(self, blocks: Blocks, whole: Blocks) -> TaskMemory:
        return TaskMemory(input_factor=1.5, output=blocks.nbytes + whole.nbytes)

    def _side_blocks(self, lowering: Lowering, side: str) -> Blocks:
        node, pairs = self._input(side)
        function = partial(rename_block, pairs)
        return blockwise(lowering, f"{self.name} input", function, [lowering.blocks(node)])

    def _empty(self, side: str) -> pa.Schema:
        node, pairs = self._input(side)
        return rename_block(pairs, node.schema.arrow.empty_table()).schema

    def _input(self, side: str) -> tuple[FrameNode, tuple[tuple[str, str], ...]]:
        """Return an input, and the names of its columns and theirs in the join."""
        node, columns = {
            "left": (self.left, self.left_columns),
            "right": (self.right, self.right_columns),
        }[side]
        pairs = tuple((source, name) for source, name, _ in columns)
        return node, (*pairs, (ORDER, ORDER)) if self._is_ordered(side) else pairs

    def describe(self) -> str:
        pairs = zip(self.left_on, self.right_on, strict=True)
        on = ", ".join(a if a == b else f"{a} = {b}" for a, b in pairs)
        return f"{self.how} on {on}" if on else self.how


def _whole(lowering: Lowering, blocks: Blocks) -> Blocks:
    if len(blocks) == 1:
        return blocks
    whole = tree_reduce(lowering, "gather", concat_tables, blocks, split_every=len(blocks))
    return replace(whole, nbytes=blocks.nbytes * len(blocks))


def _cross(
    join: _JoinTables, pieces: int, number: int, left: pa.Table, right: pa.Table
) -> pa.Table:
    rows = left.num_rows
    start, end = rows * number // pieces, rows * (number + 1) // pieces
    piece = left.slice(start, end - start)
    widths = piece.nbytes / max(1, end - start) + right.nbytes / max(1, right.num_rows)
    need = int((end - start) * right.num_rows * widths) * _CROSS_COPIES
    pool = current_pool()
    if need > pool.budget:
        raise pool.refusal("a cross join", need, "Raise memory_limit, drop columns or rows before "
                           "the join, use a smaller blocksize, or join on keys")  # fmt: skip
    return join(piece, right)


def _build(
    right_on: list[str], left_schema: pa.Schema, left_on: list[str], right: pa.Table
) -> JoinTable:
    return JoinTable(right, right_on, left_schema, left_on)


def _probe(how: str, indicator: str | None, left: pa.Table, built: JoinTable) -> pa.Table:
    return built.probe(left, how, ("", ""), indicator or False)


class _JoinTables:
    def __init__(
        self,
        left_on: list[str],
        right_on: list[str],
        how: str,
        indicator: str | None,
        validate: str | None,
    ) -> None:
        self.left_on, self.right_on = left_on, right_on
        self.how, self.indicator, self.validate = how, indicator, validate

    def __call__(self, left: pa.Table, right: pa.Table) -> pa.Table:
        joined = join_tables(
            left,
            right,
            self.left_on,
            self.right_on,
            self.how,
            ("", ""),
            self.indicator or False,
            self.validate,
        )
        return self._with_keys(joined) if self.how == "outer" else joined

    def _with_keys(self, joined: pa.Table) -> pa.Table:
        """Add what the rows are ordered by: the key of either side, then their place.

        Rows of one key are in one partition, and in their order there.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        for level, (a, b) in enumerate(zip(self.left_on, self.right_on, strict=True)):
            key = joined.column(a)
            if a != b:
                other = joined.column(b)
                kind = key_type(key.type, other.type, a, b)
                key = pc.coalesce(key.cast(kind), other.cast(kind))
            if pa.types.is_temporal(key.type) or pa.types.is_dictionary(key.type):
                # pandas orders these by integers, of which the missing one is the least
                joined = joined.append_column(f"{ORDER}known_{level}", key.is_valid())
            joined = joined.append_column(f"{ORDER}key_{level}", key)
        places = pa.array(np.arange(joined.num_rows, dtype=np.int64))
        return joined.append_column(ORDER, places)


class _Flipped:
    def __init__(self, function: _JoinTables) -> None:
        self.function = function

    def __call__(self, right: pa.Table, left: pa.Table) -> pa.Table:
        return self.function(left, right)


class _JoinPieces:
    """Join the two sides of one partition."""

    def __init__(self, function: _JoinTables, left: pa.Schema, right: pa.Schema) -> None:
        self.function, self.left, self.right = function, left, right

    def __call__(self, left: list[pa.Table], right: list[pa.Table]) -> pa.Table:
        one = concat_tables(left) if left else self.left.empty_table()
        other = concat_tables(right) if right else self.right.empty_table()
        left.clear()
        right.clear()
        return self.function(one, other)

"""What DataFrame and Series share: rows of a plan, and columns as expressions over them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from penstock.blocks import concat_tables
from penstock.collections.base import Collection, noted
from penstock.collections.kinds import new_scalar
from penstock.engine.expr import Column, Expr
from penstock.engine.nodes.select import Select
from penstock.engine.nodes.slicing import Head, Partitions
from penstock.engine.nodes.sources import Persisted
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import pyarrow as pa

    from penstock.engine.schema import FrameSchema

Items = tuple[tuple[str, Any, Expr], ...]
"""Name in blocks, the user's label, and expression of each column."""

MOST_COLUMNS = 10_000
"""Distinct values that may become columns."""


class FrameLike(Collection):
    """Rows of a plan and columns computed from them."""

    _in_pandas = True

    @property
    @abstractmethod
    def _rows(self) -> FrameNode:
        """The plan whose rows this has."""

    @property
    @abstractmethod
    def _items(self) -> Items:
        """Name in blocks, the user's label, and expression of each column."""

    @abstractmethod
    def _like(self, rows: FrameNode, items: Items) -> Any:
        """Return a collection of this kind on other rows or columns."""

    @property
    @abstractmethod
    def plan(self) -> FrameNode:
        """The plan node whose blocks hold this."""

    @property
    @abstractmethod
    def ndim(self) -> int:
        """2 of a DataFrame, 1 of a Series."""

    # -- facts ----------------------------------------------------------------

    @property
    def _schema(self) -> FrameSchema:
        return self.plan.schema

    @property
    def npartitions(self) -> int:
        """Number of blocks under the current limits."""
        from penstock.engine.run import count_blocks

        return count_blocks(self.plan)

    @property
    def divisions(self) -> tuple:
        """Bounds of the index of each partition; all None when they are not known."""
        known = self.plan.divisions
        return known if known is not None else (None,) * (self.npartitions + 1)

    @property
    def known_divisions(self) -> bool:
        """Whether the bounds of the index of each partition are known."""
        return self.plan.divisions is not None

    def copy(self, deep: bool = True) -> Any:
        """Return a collection of its own: assignments to one do not change the other."""
        return self._like(self._rows, self._items)

    # -- partitions -----------------------------------------------------------

    @property
    def partitions(self) -> PartitionIndexer:
        """Select partitions by position: ``frame.partitions[0]``, ``frame.partitions[2:5]``.

        Only these are read, so that the labels of a default index begin at 0 again.
        """
        return PartitionIndexer(self)

    def get_partition(self, n: int) -> Any:
        """Return partition `n` as a collection of one partition."""
        return self.partitions[n]

    def head(self, n: int = 5, npartitions: int = -1, compute: bool = True) -> Any:
        """Return the first `n` rows, reading no further than needed.

        Parameters
        ----------
        n : int
            A negative one leaves so many rows at the end out.
        npartitions : int
            Partitions to look at; -1 goes on until `n` rows are found.
        compute : bool
            False returns the lazy head of the first `npartitions` partitions.

        Returns
        -------
        pandas object, or a collection
        """
        from penstock.engine.nodes.sort import Sort

        n = self._from_either_end(n)
        plan = self.plan
        if isinstance(plan, Sort) or plan.schema.order or not compute:
            lazy = self._on(Head(_ordered(plan), n))
            return lazy.compute() if compute else lazy
        total = self.npartitions
        looked = min(total, 1 if npartitions == -1 else npartitions)
        while True:
            some = Partitions(plan, tuple(range(looked))) if looked < total else plan
            result = self._on(Head(some, n)).compute()
            if len(result) >= n or looked >= total or npartitions != -1:
                return result
            looked = min(total, looked * 4)

    def tail(self, n: int = 5, compute: bool = True) -> Any:
        """Return the last `n` rows.

        Parameters
        ----------
        n : int
            A negative one leaves so many rows at the beginning out.
        compute : bool

        Returns
        -------
        pandas object, or a collection
        """
        from penstock.collections.rows import labelled

        n = self._from_either_end(n)
        lazy = self._on(Head(labelled(self.plan), n, last=True))
        return lazy.compute() if compute else lazy

    def _from_either_end(self, n: int) -> int:
        """Return a number of rows; a negative `n` leaves so many out, for which rows are counted."""
        return n if n >= 0 else max(0, len(self) + n)

    def _on(self, plan: FrameNode) -> Any:
        """Return a collection of this kind on `plan`, whose columns are this one's."""
        schema = plan.schema
        items = tuple(
            (name, label, Column(name))
            for name, label in zip(schema.columns, schema.labels, strict=True)
        )
        return self._like(noted(plan), items)

    def _from_handles(self, handles: list[Any]) -> Any:
        return self._on(Persisted(tuple(handles), self._schema))

    # -- results --------------------------------------------------------------

    def iter_blocks(self, **options: Any) -> Iterator[Any]:
        """Yield the blocks one by one as pandas objects, bounded in memory.

        The labels of a default index go on from block to block.

        Parameters
        ----------
        **options
            As for `compute`.
        """
        import pandas as pd

        start = 0
        numbered = not self._schema.index
        for block in super().iter_blocks(**options):
            if numbered:
                block.index = pd.RangeIndex(start, start + len(block))
                start += len(block)
            yield block

    def _gathered(self, blocks: list[pa.Table]) -> pa.Table:
        """Return all rows as one table in the logical order, refusing what cannot fit."""
        from penstock.engine.kernels.sort import sort_table

        schema = self._schema
        table = concat_tables(blocks) if blocks else schema.arrow.empty_table()
        blocks.clear()
        if schema.order:
            table = sort_table(table, list(schema.order), [True] * len(schema.order), "last")
        return table

    def __len__(self) -> int:
        return int(self._count().compute())

    def _count(self) -> Any:
        from penstock.engine.nodes.reduce import RowCount

        return new_scalar(noted(RowCount(self._rows)), Column("rows"))

    def _repr_meta(self) -> pd.DataFrame:
        return self._schema.meta


class PartitionIndexer:
    """Select partitions of a collection by position."""

    def __init__(self, collection: FrameLike) -> None:
        self._collection = collection

    def __getitem__(self, key: int | slice | list[int]) -> Any:
        count = self._collection.npartitions
        positions = range(count)
        if isinstance(key, slice):
            chosen = tuple(positions[key])
        elif isinstance(key, int):
            if not -count <= key < count:
                raise IndexError(f"partition {key} of {count}")
            chosen = (positions[key],)
        else:
            chosen = tuple(positions[k] for k in key)
        return self._collection._on(Partitions(self._collection.plan, chosen))

    def __iter__(self) -> Any:
        return (self[i] for i in range(self._collection.npartitions))

    def __len__(self) -> int:
        return self._collection.npartitions


def _ordered(plan: FrameNode) -> FrameNode:
    from penstock.engine.nodes.sort import in_order

    return in_order(plan)


def select_plan(rows: FrameNode, items: Items) -> FrameNode:
    """Return the plan that computes `items` from `rows`."""
    same = tuple(name for name, _, _ in items) == rows.schema.columns
    if same and all(expr == Column(name) for name, _, expr in items):
        if tuple(label for _, label, _ in items) == rows.schema.labels:
            return rows
    names = unique_names([name for name, _, _ in items])
    labels = tuple(label for _, label, _ in items)
    label_names: tuple[Any, ...] = rows.schema.label_names
    depth = len(labels[0]) if labels and isinstance(labels[0], tuple) else 1
    if len(label_names) != depth:
        label_names = (None,) * depth
    return noted(
        Select(
            rows,
            tuple((name, expr) for name, (_, _, expr) in zip(names, items, strict=True)),
            labels,
            label_names,
        )
    )

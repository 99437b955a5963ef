"""Bag: Python objects of any kind, in partitions that are lists."""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from penstock.collections.base import Collection, noted, user_line
from penstock.collections.delayed import Delayed, value_node
from penstock.engine.kernels import bags
from penstock.engine.nodes.bag_map import BagToFrame, MapBag, TakeBag
from penstock.engine.nodes.bag_reduce import ReduceBag, ReduceToBag
from penstock.engine.nodes.bag_sources import FromSequence, PersistedBag, ReadText
from penstock.engine.nodes.calls import PersistedValue
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import BagNode, Node

if TYPE_CHECKING:
    from penstock.engine.schema import FrameSchema

_SAMPLE_ITEMS = 50


class Item(Delayed):
    """One lazy value: what a reduction of a Bag gives."""

    def _from_handles(self, handles: list[Any]) -> Item:
        return Item(PersistedValue(handles[0]))


class Bag(Collection):
    """A lazy sequence of Python objects in partitions.

    Made by `from_sequence` or `read_text`, not by hand.

    Examples
    --------
    >>> import penstock.bag as db
    >>> db.from_sequence(range(6), npartitions=2).map(lambda x: x * x).sum().compute()
    55
    """

    def __init__(self, plan: BagNode) -> None:
        self._plan = plan

    @property
    def plan(self) -> BagNode:
        """The plan node whose blocks hold the items."""
        return self._plan

    @property
    def npartitions(self) -> int:
        """Number of partitions under the current limits."""
        from penstock.engine.run import count_blocks

        return count_blocks(self._plan)

    def _finalize(self, blocks: list[Any], **_: Any) -> list[Any]:
        return bags.joined(blocks)

    def _from_handles(self, handles: list[Any]) -> Bag:
        return Bag(PersistedBag(tuple(handles)))

    def __iter__(self) -> Iterator[Any]:
        for items in self.iter_blocks():
            yield from items

    def __repr__(self) -> str:
        return f"penstock.bag<{self._plan.name}, npartitions={self._plan.npartitions}>"

    # -- item by item -------------------------------------------------------------

    def _mapped(self, kind: Any, func: Callable[..., Any], args: tuple[Any, ...],
                kwargs: dict[str, Any], label: str) -> Bag:  # fmt: skip
        others: list[Node] = []
        places = tuple(_place(value, others) for value in args)
        keywords = tuple((name, _place(value, others)) for name, value in kwargs.items())
        function = kind(func, places, keywords)
        return Bag(noted(MapBag(self._plan, tuple(others), Opaque(function), label)))

    def _stepped(self, function: Any, label: str) -> Bag:
        return Bag(noted(MapBag(self._plan, (), Opaque(function), label)))

    def map(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Bag:
        """Call `func` with each item.

        Parameters
        ----------
        func : callable
        *args, **kwargs
            Passed along. Of a Bag, the items that stand at the same place; of a
            lazy single value, its value.

        Returns
        -------
        Bag
        """
        return self._mapped(bags.MapItems, func, args, kwargs, "map")

    def map_partitions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Bag:
        """Call `func` with the list of each partition's items; it gives an iterable.

        Parameters
        ----------
        func : callable
        *args, **kwargs
            Passed along. Of a Bag, the partition at the same place.

        Returns
        -------
        Bag
        """
        return self._mapped(bags.MapLists, func, args, kwargs, "map-partitions")

    def filter(self, predicate: Callable[[Any], Any]) -> Bag:
        """Keep the items for which `predicate` is true."""
        return self._stepped(bags.FilterItems(predicate), "filter")

    def pluck(self, key: Any, default: Any = bags.MISSING) -> Bag:
        """Take one element of each item, or a tuple of several when `key` is a list.

        Parameters
        ----------
        key : object or list
        default : object, optional
            For items that lack it.

        Returns
        -------
        Bag
        """
        return self._stepped(bags.Pluck(key, default), "pluck")

    def flatten(self) -> Bag:
        """Return the items of the items."""
        return self._stepped(bags.flatten, "flatten")

    # -- reductions ---------------------------------------------------------------

    def _reduced(self, label: str, per_partition: Any, aggregate: Any, finish: Any = None,
                 split_every: int | None = None, node: Any = ReduceBag) -> Any:  # fmt: skip
        finishing = None if finish is None else Opaque(finish)
        steps = (Opaque(per_partition), Opaque(aggregate), finishing)
        made = noted(node(self._plan, *steps, _positive(split_every), label))
        return Item(made) if node is ReduceBag else Bag(made)

    def reduction(
        self,
        perpartition: Callable[[list[Any]], Any],
        aggregate: Callable[[list[Any]], Any],
        split_every: int | None = None,
        out_type: type = Item,
        name: str | None = None,
    ) -> Any:
        """Reduce each partition, then the list of what that gave.

        Parameters
        ----------
        perpartition : callable
            Takes the list of a partition's items.
        aggregate : callable
            Takes a list of what `perpartition`, or it itself, gave.
        split_every : int, optional
            How many of these at a time.
        out_type : {Item, Bag}
            A Bag when `aggregate` gives a list.
        name : str, optional
            Shown by ``explain``.

        Returns
        -------
        Item or Bag
        """
        node = ReduceToBag if issubclass(out_type, Bag) else ReduceBag
        label = name or "reduction"
        return self._reduced(label, perpartition, aggregate, None, split_every, node)

    def fold(
        self,
        binop: Callable[[Any, Any], Any],
        combine: Callable[[Any, Any], Any] | None = None,
        initial: Any = bags.MISSING,
        split_every: int | None = None,
    ) -> Item:
        """Fold the items of each partition, then what that gave.

        Parameters
        ----------
        binop : callable
            Of a running value and an item.
        combine : callable, optional
            Of two running values; by default `binop`.
        initial : object, optional
            Running value that each partition starts from.
        split_every : int, optional

        Returns
        -------
        Item
        """
        return self._reduced("fold", bags.Fold(binop, initial), bags.Combine(combine or binop),
                             bags.Only("fold"), split_every)  # fmt: skip

    def sum(self, split_every: int | None = None) -> Item:
        """Return the sum of the items."""
        return self._reduced("sum", builtins.sum, builtins.sum, None, split_every)

    def count(self, split_every: int | None = None) -> Item:
        """Return the number of items."""
        return self._reduced("count", len, builtins.sum, None, split_every)

    def min(self, split_every: int | None = None) -> Item:
        """Return the smallest item."""
        return self._reduced("min", bags.Extreme(builtins.min),
                             bags.CombineExtremes(builtins.min), bags.Only("min"), split_every)  # fmt: skip

    def max(self, split_every: int | None = None) -> Item:
        """Return the largest item."""
        return self._reduced("max", bags.Extreme(builtins.max),
                             bags.CombineExtremes(builtins.max), bags.Only("max"), split_every)  # fmt: skip

    def mean(self) -> Item:
        """Return the mean of the items."""
        return self._reduced("mean", bags.total_and_count, bags.add_totals, bags.divide)

    def frequencies(self, split_every: int | None = None, sort: bool = False) -> Bag:
        """Count how often each item comes, as pairs of item and count.

        Parameters
        ----------
        split_every : int, optional
        sort : bool
            Most frequent first, instead of in the order of first appearance.

        Returns
        -------
        Bag
            Of one partition: the distinct items must fit in memory.
        """
        return self._reduced("frequencies", bags.count_items, bags.add_counts,
                             bags.SortedCounts(sort), split_every, ReduceToBag)  # fmt: skip

    def distinct(self, key: Any = None) -> Bag:
        """Keep the first of equal items.

        Parameters
        ----------
        key : callable or object, optional
            Items are equal when what it gives for them is; anything else is
            taken out of them.

        Returns
        -------
        Bag
            Of one partition: the distinct items must fit in memory.
        """
        if key is not None and not callable(key):
            label = key
            key = lambda item: item[label]  # noqa: E731
        return self._reduced("distinct", bags.Distinct(key), bags.CombineDistinct(key), None, None,
                             ReduceToBag)  # fmt: skip

    # -- taking items out ---------------------------------------------------------

    def take(self, k: int, npartitions: int = 1, compute: bool = True, warn: bool = True) -> Any:
        """Take the first items.

        Parameters
        ----------
        k : int
        npartitions : int
            Look at so many partitions only; -1 looks at all.
        compute : bool
            Return a tuple of the items, or a lazy Bag.
        warn : bool
            Warn when there are fewer than `k`.

        Returns
        -------
        tuple or Bag
        """
        known = self._plan.npartitions
        if npartitions > known:
            raise ValueError(f"take from {npartitions} partitions, but the bag has {known}")
        if not compute:
            count = known if npartitions < 0 else npartitions
            return Bag(noted(TakeBag(self._plan, k, count)))
        if npartitions < 0:
            taken = tuple(islice(iter(self), k))
        else:
            taken = tuple(Bag(TakeBag(self._plan, k, npartitions)).compute())
        if len(taken) < k and warn:
            warnings.warn(
                f"asked for {k} items, but there are only {len(taken)} in the first "
                f"{npartitions} partitions; pass npartitions=-1 to look at all"
                if npartitions >= 0
                else f"asked for {k} items, but the bag has only {len(taken)}",
                stacklevel=2,
            )
        return taken

    def to_dataframe(self, meta: Any = None, columns: Any = None) -> Any:
        """Return a DataFrame of items that are dicts, tuples or single values.

        Parameters
        ----------
        meta : DataFrame, dict or list of pairs, optional
            Names and dtypes of the columns; by default those of the first items.
        columns : list, optional
            Names of the columns, when `meta` is not given.

        Returns
        -------
        DataFrame
        """
        from penstock.collections.frame import DataFrame

        return DataFrame(noted(BagToFrame(self._plan, self._frame_schema(meta, columns))))

    def _frame_schema(self, meta: Any, columns: Any) -> FrameSchema:
        import pandas as pd

        from penstock.engine.schema import schema_of

        if meta is None:
            items = list(self.take(_SAMPLE_ITEMS, npartitions=-1, warn=False))
            if not items and columns is None:
                raise ValueError(
                    "to_dataframe of an empty bag needs meta= to know its columns, asked for at "
                    f"{user_line()}"
                )
            meta = pd.DataFrame(items, columns=columns)
        elif isinstance(meta, dict):
            meta = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in meta.items()})
        elif isinstance(meta, list | tuple):
            meta = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in meta})
        return schema_of(meta, index=False)


def _positive(split_every: int | None) -> int | None:
    if split_every is not None and split_every is not False and split_every < 2:
        raise ValueError(f"split_every must be at least 2, not {split_every}")
    return split_every or None


def _place(value: Any, others: list[Node]) -> tuple[str, Any]:
    """Return where a mapped function finds `value`, whose node is added to `others`."""
    if not isinstance(value, Collection):
        return ("const", value)
    node = value.plan if isinstance(value, Bag) else value_node(value)
    if node not in others:
        others.append(node)
    return ("list" if isinstance(value, Bag) else "value", others.index(node))


def from_sequence(
    seq: Iterable[Any], partition_size: int | None = None, npartitions: int | None = None
) -> Bag:
    """Make a Bag of items in memory.

    Parameters
    ----------
    seq : iterable
    partition_size : int, optional
        Items of a partition.
    npartitions : int, optional
        Number of partitions, when `partition_size` is not given; about 100 by
        default.

    Returns
    -------
    Bag

    Examples
    --------
    >>> from_sequence("abca", npartitions=2).frequencies().compute()
    [('a', 2), ('b', 1), ('c', 1)]
    """
    items = list(seq)
    if partition_size is None:
        partition_size = max(1, math.ceil(len(items) / (npartitions or 100)))
    if partition_size < 1:
        raise ValueError(f"partition_size must be positive, not {partition_size}")
    return Bag(noted(FromSequence(Opaque(items), int(partition_size))))


def read_text(
    urlpath: Any,
    blocksize: str | int | None = None,
    compression: str | None = "infer",
    encoding: str = "utf-8",
    errors: str = "strict",
    linedelimiter: str | None = None,
    storage_options: dict[str, Any] | None = None,
    files_per_partition: int | None = None,
    include_path: bool = False,
    collection: bool = True,
) -> Bag:
    r"""Read the lines of text files, each with its line end.

    Parameters
    ----------
    urlpath : str, path or list
        Files, globs or directories.
    blocksize : str or int, optional
        Bytes of text per partition; by default what fits the limit.
    compression : str or None
        ``"infer"`` goes by the files' names. Compressed files are streamed.
    encoding, errors : str
        As in `open`.
    linedelimiter : str, optional
        What ends a line; by default ``"\n"``, ``"\r"`` and ``"\r\n"``.
    storage_options : dict, optional
    files_per_partition : int, optional
        Make one partition of so many whole files.
    include_path : bool
        Give pairs of line and path.
    collection : bool
        Accepted for compatibility; must be True.

    Returns
    -------
    Bag

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_text("one\ntwo\n")
    >>> read_text(path).map(str.strip).compute()
    ['one', 'two']
    """
    from penstock.config import parse_bytes
    from penstock.errors import UnsupportedError
    from penstock.io.registry import source_for

    if not collection:
        raise UnsupportedError("read_text gives a Bag; collection=False is not supported")
    if files_per_partition is not None and (blocksize is not None or files_per_partition < 1):
        raise ValueError("files_per_partition must be positive, and given without blocksize")
    source: Any = source_for("text")(
        urlpath,
        blocksize=None if blocksize is None else parse_bytes(blocksize),
        linedelimiter=linedelimiter,
        encoding=encoding,
        errors=errors,
        compression=compression,
        storage_options=storage_options,
        include_path=include_path,
    )
    return Bag(noted(ReadText(source, files_per_partition=files_per_partition)))

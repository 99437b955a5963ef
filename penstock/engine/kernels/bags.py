"""Bag kernels: functions from lists to lists, built of the user's functions of items."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from penstock.errors import SchemaError

MISSING: Any = object()


class MapItems:
    """``function(item, ...)`` for each item, with items of other lists and fixed values.

    Parameters
    ----------
    function : callable
    places : tuple
        Per further positional argument ``("list", i)``, ``("value", i)`` (both
        count the blocks after the first) or ``("const", value)``.
    keywords : tuple of (str, place)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        places: tuple[tuple[str, Any], ...] = (),
        keywords: tuple[tuple[str, tuple[str, Any]], ...] = (),
    ) -> None:
        self.function = function
        self.places = places
        self.keywords = keywords
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, items: list[Any], *blocks: Any) -> list[Any]:
        if not self.places and not self.keywords:
            return list(map(self.function, items))
        streams = [self._stream(place, blocks, len(items)) for place in self.places]
        if not self.keywords:
            return list(map(self.function, items, *streams))
        names = [name for name, _ in self.keywords]
        values = [self._stream(place, blocks, len(items)) for _, place in self.keywords]
        function = self.function
        count = 1 + len(streams)
        rows = zip(items, *streams, *values, strict=False)  # fixed values repeat without end
        return [
            function(*row[:count], **dict(zip(names, row[count:], strict=True))) for row in rows
        ]

    def _stream(self, place: tuple[str, Any], blocks: Sequence[Any], count: int) -> Any:
        kind, value = place
        if kind != "list":
            return itertools.repeat(blocks[value] if kind == "value" else value)
        if len(blocks[value]) != count:
            raise SchemaError(
                f"{self.__name__}: partitions of {count} and {len(blocks[value])} items cannot be "
                "paired; bags that are mapped together need partitions of the same lengths"
            )
        return blocks[value]


class MapLists:
    """``function(items, ...)`` of whole partitions; what it gives becomes a list."""

    def __init__(
        self,
        function: Callable[..., Any],
        places: tuple[tuple[str, Any], ...] = (),
        keywords: tuple[tuple[str, tuple[str, Any]], ...] = (),
    ) -> None:
        self.function = function
        self.places = places
        self.keywords = keywords
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, items: list[Any], *blocks: Any) -> list[Any]:
        args = [_taken(place, blocks) for place in self.places]
        kwargs = {name: _taken(place, blocks) for name, place in self.keywords}
        result = self.function(items, *args, **kwargs)
        if isinstance(result, list):
            return result
        try:
            return list(result)
        except TypeError:
            raise SchemaError(
                f"{self.__name__} gave {type(result).__name__} for a partition; it must give "
                "something to iterate over"
            ) from None


def _taken(place: tuple[str, Any], blocks: Sequence[Any]) -> Any:
    kind, value = place
    return value if kind == "const" else blocks[value]


class FilterItems:
    """The items for which `predicate` is true."""

    def __init__(self, predicate: Callable[[Any], Any]) -> None:
        self.predicate = predicate

    def __call__(self, items: list[Any]) -> list[Any]:
        return list(filter(self.predicate, items))


class Pluck:
    """One element of each item, or a tuple of several when `key` is a list."""

    def __init__(self, key: Any, default: Any = MISSING) -> None:
        self.key = key
        self.default = default

    def __call__(self, items: list[Any]) -> list[Any]:
        if not isinstance(self.key, list):
            return [self._one(item, self.key) for item in items]
        return [tuple(self._one(item, key) for key in self.key) for item in items]

    def _one(self, item: Any, key: Any) -> Any:
        if self.default is MISSING:
            return item[key]
        try:
            return item[key]
        except (KeyError, IndexError, TypeError):
            return self.default


def flatten(items: list[Any]) -> list[Any]:
    """Return the items of the items."""
    return list(itertools.chain.from_iterable(items))


def joined(blocks: Sequence[list[Any]]) -> list[Any]:
    """Return the items of several lists as one."""
    return list(itertools.chain.from_iterable(blocks))


class FirstItems:
    """The first `count` items."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, items: list[Any]) -> list[Any]:
        return items[: self.count]


class Fold:
    """`function` over the items from left to right; a list of one, or none of no items."""

    def __init__(self, function: Callable[[Any, Any], Any], initial: Any = MISSING) -> None:
        self.function = function
        self.initial = initial

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        if self.initial is not MISSING:
            return [reduce(self.function, items, self.initial)]
        return [reduce(self.function, items)] if len(items) else []


class Combine:
    """Lists of at most one partial result each, folded into one list of at most one."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.fold = Fold(function)

    def __call__(self, partials: Sequence[list[Any]]) -> list[Any]:
        return self.fold(joined(partials))


class Extreme:
    """A list of the smallest or largest item, or of none."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        return [self.function(items)] if len(items) else []


class CombineExtremes(Extreme):
    """The extreme of what `Extreme` gave for several lists."""

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        return super().__call__(joined(items))


class Only:
    """The one value of a list; an error that names `operation` when there is none."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def __call__(self, values: Sequence[Any]) -> Any:
        if not values:
            raise ValueError(f"{self.operation} of a bag without items")
        return values[0]


def total_and_count(items: Sequence[Any]) -> tuple[Any, int]:
    """Return the sum and the number of items."""
    return sum(items), len(items)


def add_totals(partials: Sequence[tuple[Any, int]]) -> tuple[Any, int]:
    """Return the sum of sums, and of numbers."""
    return sum(total for total, _ in partials), sum(count for _, count in partials)


def divide(total_count: tuple[Any, int]) -> Any:
    """Return the mean of so many items with this sum."""
    total, count = total_count
    if not count:
        raise ValueError("mean of a bag without items")
    return total / count


def count_items(items: Sequence[Any]) -> dict[Any, int]:
    """Return how often each item comes, in the order of first appearance."""
    counts: dict[Any, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


def add_counts(partials: Sequence[dict[Any, int]]) -> dict[Any, int]:
    """Return the counts of several lists together."""
    counts = dict(partials[0])
    for other in partials[1:]:
        for item, count in other.items():
            counts[item] = counts.get(item, 0) + count
    return counts


class Distinct:
    """The first item of each key, in the order of first appearance."""

    def __init__(self, key: Callable[[Any], Any] | None) -> None:
        self.key = key

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        if self.key is None:
            return list(dict.fromkeys(items))
        found: dict[Any, Any] = {}
        for item in items:
            found.setdefault(self.key(item), item)
        return list(found.values())


class CombineDistinct(Distinct):
    """What `Distinct` gives for several lists together."""

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        return super().__call__(joined(items))


class SortedCounts:
    """Pairs of item and count, most frequent first when `sort`."""

    def __init__(self, sort: bool) -> None:
        self.sort = sort

    def __call__(self, counts: dict[Any, int]) -> list[tuple[Any, int]]:
        pairs = list(counts.items())
        return sorted(pairs, key=lambda pair: -pair[1]) if self.sort else pairs

"""The kinds of partial aggregates: how each is made of a column and merged with its like."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import to_arrow
from penstock.engine.kernels.aggregate.grouping import Groups, neutral
from penstock.engine.kernels.aggregate.values import (
    as_floats,
    filled,
    raw,
    take_optional,
    typed,
    valid_mask,
)
from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.groupby_codes import group_codes
from penstock.engine.kernels.sort import sort_values
from penstock.records import record

Reduce = Callable[[pa.Array, Groups], pa.Array]
WORD = 32


@record
class Kind:
    """A kind of partial.

    Parameters
    ----------
    make
        Partial of each group from the values of a column.
    merge
        Partial of each group from partials.
    """

    make: Reduce
    merge: Reduce


def _count(array: pa.Array, groups: Groups) -> pa.Array:
    return to_arrow(groups.count(valid_mask(array)))


def _add(array: pa.Array, groups: Groups) -> pa.Array:
    if pa.types.is_decimal(array.type):
        return _add_decimals(array, groups)
    return to_arrow(groups.add(filled(array, 0, _wide(array.type))))


def _add_decimals(array: pa.Array, groups: Groups) -> pa.Array:
    """Add decimals exactly, by the sorted rows of each group."""
    order = groups.order()
    values = array.fill_null(0).take(to_arrow(order)).to_pylist()
    bounds = np.concatenate(([0], np.cumsum(groups.count())))
    totals = [sum(values[a:b]) for a, b in itertools.pairwise(bounds)]
    return pa.array(totals, pa.decimal128(38, array.type.scale))


def _add_floats(array: pa.Array, groups: Groups) -> pa.Array:
    return to_arrow(groups.add(as_floats(array)))


def _add_high(array: pa.Array, groups: Groups) -> pa.Array:
    return to_arrow(groups.add(filled(array, 0, np.int64) >> WORD))


def _add_low(array: pa.Array, groups: Groups) -> pa.Array:
    return to_arrow(groups.add(filled(array, 0, np.int64) & ((1 << WORD) - 1)))


def _multiply(array: pa.Array, groups: Groups) -> pa.Array:
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64(), safe=False)
    return to_arrow(groups.multiply(filled(array, 1, _wide(array.type))))


def _wide(kind: pa.DataType) -> type[np.generic]:
    """Return the NumPy type in which values of `kind` are added."""
    if pa.types.is_floating(kind) or pa.types.is_null(kind):
        return np.float64
    return np.uint64 if pa.types.is_unsigned_integer(kind) else np.int64


def _extreme(kind: str) -> Reduce:
    def reduce(array: pa.Array, groups: Groups) -> pa.Array:
        types = pa.types
        if has_ranks(array.type):
            return take_optional(array, extreme_rows(array, groups, kind))
        values = raw(array)
        valid = valid_mask(array)
        if valid is not None:
            values = np.where(valid, values, values.dtype.type(neutral(values.dtype, kind)))
        best = groups.extreme(values, kind)
        empty = groups.count(valid) == 0 if valid is not None or len(array) == 0 else None
        if types.is_dictionary(array.type):
            indices = typed(
                best if empty is None else np.where(empty, 0, best), array.type.index_type, empty
            )
            return pa.DictionaryArray.from_arrays(
                indices, array.dictionary, ordered=array.type.ordered
            )
        return typed(best if empty is None else np.where(empty, 0, best), array.type, empty)

    return reduce


def has_ranks(kind: pa.DataType) -> bool:
    """Return whether values of `kind` are compared by their rank among the distinct ones."""
    types = pa.types
    return (
        is_text(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_decimal(kind)
    )


def extreme_rows(array: pa.Array, groups: Groups, kind: str) -> np.ndarray:
    """Return the first row with the extreme value of each group, -1 where all are missing."""
    valid = valid_mask(array)
    if has_ranks(array.type):
        values = np.zeros(len(array), np.int32)
        values[slice(None) if valid is None else valid] = sort_values(array.drop_null())
    else:
        values = raw(array)
    if valid is not None:
        values = np.where(valid, values, values.dtype.type(neutral(values.dtype, kind)))
    hit = values == groups.spread(groups.extreme(values, kind))
    return groups.pick(hit if valid is None else hit & valid, last=False)


def _pick(*, last: bool, skip: bool) -> Reduce:
    def reduce(array: pa.Array, groups: Groups) -> pa.Array:
        mask = valid_mask(array) if skip else None
        return take_optional(array, groups.pick(mask, last=last))

    return reduce


def truth(array: pa.Array) -> np.ndarray:
    """Return the truth of every value, False where it is missing."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if is_text(kind):
        array = pc.greater(pc.binary_length(array), 0)
        return array.fill_null(False).to_numpy(zero_copy_only=False)
    values = as_floats(array) if pa.types.is_decimal(kind) else raw(array)
    valid = valid_mask(array)
    return (values != 0) if valid is None else (values != 0) & valid


def _any(array: pa.Array, groups: Groups) -> pa.Array:
    return pa.array(groups.count(truth(array)) > 0)


def _all(array: pa.Array, groups: Groups) -> pa.Array:
    wrong = ~truth(array)
    valid = valid_mask(array)
    return pa.array(groups.count(wrong if valid is None else wrong & valid) == 0)


def _list(array: pa.Array, groups: Groups) -> pa.Array:
    values = array.take(to_arrow(groups.order()))
    return _lists(values, groups.count())


def _merge_lists(array: pa.Array, groups: Groups) -> pa.Array:
    lengths = groups.add(filled(pc.list_value_length(array), 0, np.int64))
    return _lists(array.take(to_arrow(groups.order())).flatten(), lengths)


def _unique(array: pa.Array, groups: Groups) -> pa.Array:
    return _distinct(array.take(to_arrow(groups.order())), groups.count())


def _merge_unique(array: pa.Array, groups: Groups) -> pa.Array:
    merged = _merge_lists(array, groups)
    return _distinct(merged.flatten(), pc.list_value_length(merged).to_numpy())


def _distinct(values: pa.Array, lengths: np.ndarray) -> pa.Array:
    """Return lists of the distinct values among `lengths` values each, in order of appearance."""
    owners = np.repeat(np.arange(len(lengths)), lengths)
    if not len(values):
        return _lists(values, lengths)
    first = np.sort(group_codes([to_arrow(owners), values]).first)
    return _lists(values.take(to_arrow(first)), np.bincount(owners[first], minlength=len(lengths)))


def _lists(values: pa.Array, lengths: np.ndarray) -> pa.Array:
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _concatenate(array: pa.Array, groups: Groups) -> pa.Array:
    """Join the texts of each group end to end."""
    valid = valid_mask(array)
    order = groups.order()
    if valid is not None:
        order = order[valid[order]]
    values = array.take(to_arrow(order))
    separator = pa.scalar("", array.type)
    return pc.binary_join(_lists(values, groups.count(valid)), separator)


def _size(array: pa.Array, groups: Groups) -> pa.Array:
    return to_arrow(groups.count())


KINDS: dict[str, Kind] = {
    "size": Kind(_size, _add),
    "count": Kind(_count, _add),
    "sum": Kind(_add, _add),
    "fsum": Kind(_add_floats, _add),
    "high": Kind(_add_high, _add),
    "low": Kind(_add_low, _add),
    "prod": Kind(_multiply, _multiply),
    "concat": Kind(_concatenate, _concatenate),
    "min": Kind(_extreme("min"), _extreme("min")),
    "max": Kind(_extreme("max"), _extreme("max")),
    "first": Kind(_pick(last=False, skip=True), _pick(last=False, skip=True)),
    "last": Kind(_pick(last=True, skip=True), _pick(last=True, skip=True)),
    "firstrow": Kind(_pick(last=False, skip=False), _pick(last=False, skip=False)),
    "lastrow": Kind(_pick(last=True, skip=False), _pick(last=True, skip=False)),
    "any": Kind(_any, _any),
    "all": Kind(_all, _all),
    "list": Kind(_list, _merge_lists),
    "unique": Kind(_unique, _merge_unique),
}

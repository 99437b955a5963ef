"""Groups of categories that no row has (``observed=False``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.aggregate.spec import AggSpec
from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.groupby_codes import filter_rows

_EMPTY_VALUES = {"sum": 0, "prod": 1, "count": 0, "size": 0, "nunique": 0, "any": 0, "all": 1}


def complete_categories(
    table: pa.Table, keys: Sequence[str], specs: Sequence[AggSpec], *, dropna: bool = True
) -> pa.Table:
    """Add a row for every combination of categories that `table` lacks.

    Parameters
    ----------
    table
        Result of `finalize`, with categories (dictionary columns) among the keys. Keys that
        are no categories take the values that they have in `table`.
    keys, specs
        As given to `finalize`.
    dropna
        Leave out rows and combinations with a missing key; rows of `table` that have one
        tell which values there are.

    Returns
    -------
    pyarrow.Table
        The rows of `table`, then those of the empty groups in the order of the categories: sums
        and counts are 0, products 1, others missing.

    Examples
    --------
    >>> import pyarrow as pa
    >>> keys = pa.DictionaryArray.from_arrays(pa.array([1]), pa.array(["a", "b"]))
    >>> table = pa.table({"k": keys, "n": [3]})
    >>> complete_categories(table, ["k"], [AggSpec(None, "size", "n")]).to_pydict()
    {'k': ['b', 'a'], 'n': [3, 0]}
    """
    levels = [_encoded(single_chunk(table[key])) for key in keys]
    if dropna:
        # a value counts although the rest of its key is missing
        whole = np.logical_and.reduce([level.is_valid().to_numpy(False) for level in levels])
        table = filter_rows(table, whole)
        levels = [level.filter(pa.array(whole)) for level in levels]
    codes, sizes = [], []
    for column in levels:
        missing = not dropna and column.null_count > 0
        size = len(column.dictionary)
        codes.append(column.indices.fill_null(size).to_numpy(zero_copy_only=False))
        sizes.append(size + missing)
    total = int(np.prod(sizes))
    present = np.zeros(total, bool)
    if table.num_rows:
        present[np.ravel_multi_index(codes, sizes)] = True
    absent = np.flatnonzero(~present)
    if not len(absent):
        return table
    arrays: list[pa.Array] = []
    for key, level, code in zip(keys, levels, np.unravel_index(absent, sizes), strict=True):
        mask = code >= len(level.dictionary)
        indices = pa.array(code, level.type.index_type, mask=mask)
        array = pa.DictionaryArray.from_arrays(
            indices, level.dictionary, ordered=level.type.ordered
        )
        kind = table.schema.field(key).type
        arrays.append(array if pa.types.is_dictionary(kind) else array.dictionary_decode())
    for spec in specs:
        field = table.schema.field(spec.output)
        arrays.append(_empty(spec, field, len(absent)))
    rows = pa.Table.from_arrays(arrays, names=[*keys, *(spec.output for spec in specs)])
    rows = rows.select(table.column_names).cast(table.schema)
    columns = [
        single_chunk(pa.chunked_array([single_chunk(table[name]), single_chunk(rows[name])]))
        for name in table.column_names
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    if pa.types.is_dictionary(column.type):
        return column
    return column.dictionary_encode(null_encoding="mask")


def _empty(spec: AggSpec, field: pa.Field, n: int) -> pa.Array:
    value: object = _EMPTY_VALUES.get(spec.function)
    if value is None or spec.option("min_count", 0) > 0:
        return pa.nulls(n, field.type)
    if is_text(field.type):
        value = ""
    elif pa.types.is_boolean(field.type):
        value = bool(value)
    elif pa.types.is_duration(field.type):
        return pa.array(np.full(n, value), pa.int64()).view(field.type)
    return pa.repeat(pa.scalar(value).cast(field.type), n)

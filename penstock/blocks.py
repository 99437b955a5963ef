"""Blocks: the unit of data that tasks take and give.

A block is a `pyarrow.Table` (frame), a `numpy.ndarray` (array) or a `list`
(bag). A table block holds one chunk per column, so that its memory is exactly
the buffers it names.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pyarrow as pa

Block = Any  # pa.Table | np.ndarray | list: a Union would import both libraries here

# A list's items are not walked one by one: a few stand for all.
_SAMPLED_ITEMS = 64


def block_nbytes(block: Block) -> int:
    """Return the bytes of memory that `block` keeps alive.

    Parameters
    ----------
    block : pyarrow.Table, numpy.ndarray, list or object

    Returns
    -------
    int
        Bytes of the distinct buffers of a table, of the owner of an array's
        memory, or a sampled estimate for lists and other objects.

    Examples
    --------
    >>> import numpy as np
    >>> block_nbytes(np.zeros(1000)[:10])
    8000
    """
    # Asked of the type: a lazy value answers any name with another one of itself.
    kind = type(block)
    if kind.__module__.startswith("pyarrow"):
        if hasattr(block, "get_total_buffer_size"):
            return int(block.get_total_buffer_size())
        return int(getattr(block, "nbytes", 0) or getattr(block, "size", 0))
    if hasattr(kind, "nbytes") and hasattr(kind, "base"):
        owner = block
        while getattr(owner.base, "nbytes", None) is not None and hasattr(owner.base, "base"):
            owner = owner.base
        return int(owner.nbytes)
    return _object_nbytes(block)


def _object_nbytes(value: Any) -> int:
    if isinstance(value, bytes | bytearray | memoryview):
        return len(value)
    if isinstance(value, dict):
        return sys.getsizeof(value) + _items_nbytes(list(value.items()))
    if isinstance(value, list | tuple | set | frozenset):
        return sys.getsizeof(value) + _items_nbytes(value)
    if hasattr(type(value), "memory_usage"):
        usage = value.memory_usage(deep=True)
        return int(usage if isinstance(usage, int) else usage.sum())
    if type(value).__module__.startswith("pyarrow"):
        return block_nbytes(value)
    return sys.getsizeof(value)


def _items_nbytes(items: Any) -> int:
    count = len(items)
    if count == 0:
        return 0
    if isinstance(items, set | frozenset):
        items = list(items)
    step = max(1, count // _SAMPLED_ITEMS)
    sampled = items[::step]
    return sum(block_nbytes(item) for item in sampled) * count // len(sampled)


def one_chunk(table: pa.Table) -> pa.Table:
    """Return `table` with exactly one chunk per column, copying only where needed."""
    import pyarrow as pa

    if all(column.num_chunks == 1 for column in table.columns):
        return table
    columns = [single_chunk(column) for column in table.columns]
    if not columns:
        return table
    return pa.Table.from_arrays(columns, schema=table.schema)


def single_chunk(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return `column` as one array, with one dictionary if it is dictionary-encoded.

    Nothing is copied where it is one array already. Texts of more than 2 GB together become
    ``large_string``.
    """
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    kind = column.type
    if pa.types.is_dictionary(kind):
        if column.num_chunks == 0:
            none = pa.array([], kind.index_type), pa.array([], kind.value_type)
            return pa.DictionaryArray.from_arrays(*none, ordered=kind.ordered)
        column = column.unify_dictionaries()
    elif column.num_chunks == 0:
        return pa.array([], type=kind)
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # more than 2 GB of text
        return pa.concat_arrays(combined.cast(_large(kind)).chunks)
    return combined


def _large(dtype: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.large_binary() if pa.types.is_binary(dtype) else pa.large_string()


def to_arrow(values: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return numbers as an array on the same memory, null where `missing`.

    `pyarrow.array` first imports pandas, for which a task would wait.

    Examples
    --------
    >>> import numpy as np
    >>> to_arrow(np.array([1, 2]), np.array([False, True])).to_pylist()
    [1, None]
    """
    import numpy as np
    import pyarrow as pa

    if values.dtype.kind not in "iuf" or values.ndim != 1:
        return pa.array(values, mask=missing)
    validity = None
    if missing is not None:
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [validity, data])


def compact(table: pa.Table) -> pa.Table:
    """Return `table` owning only the memory of its own rows.

    A slice keeps the whole of its parent alive; this copies it out when the
    parent is noticeably larger.
    """
    import numpy as np

    if table.get_total_buffer_size() <= 1.25 * table.nbytes + 4096:
        return table
    return table.take(to_arrow(np.arange(table.num_rows)))


def rows_only(rows: int) -> pa.Table:
    """Return a table of `rows` rows and no column, however many they are."""
    import pyarrow as pa

    # Not of nulls, which have a bitmap although it says nothing.
    counted = pa.Array.from_buffers(pa.struct([]), rows, [None])
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(counted)])


def concat_tables(tables: Sequence[pa.Table] | Iterable[pa.Table]) -> pa.Table:
    """Return the rows of `tables` in order as one block, widening types where they differ."""
    import pyarrow as pa

    tables = list(tables)
    if len(tables) == 1:
        return one_chunk(tables[0])
    filled = [table for table in tables if table.num_rows] or tables[:1]
    schema = filled[0].schema
    if not schema.names:  # Arrow forgets how many rows there were
        return rows_only(sum(table.num_rows for table in filled))
    if all(table.schema.equals(schema) for table in filled[1:]):
        return one_chunk(pa.concat_tables(filled))
    return one_chunk(pa.concat_tables(filled, promote_options="permissive"))

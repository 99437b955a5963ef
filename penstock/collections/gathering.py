"""All blocks of a frame as one pandas object, in memory once and not twice or thrice.

Columns are put together one after the other, and each is gone from the blocks when it is; what
is freed on the way is given back to the system, so that the next column can have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.blocks import concat_tables
from penstock.engine.kernels.convert import dtype_of, series_from_arrow
from penstock.engine.kernels.sort import sort_indices
from penstock.scheduler import allocators

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from penstock.engine.schema import FrameSchema

_TRIMMED = 8 << 20
"""Bytes freed after which allocators are asked to give back what they keep."""


def gathered_in_pandas(
    schema: FrameSchema, blocks: list[pa.Table], dtype_backend: Any = None
) -> pd.DataFrame:
    """Return the rows of all blocks in their logical order, and empty the list.

    Parameters
    ----------
    schema : FrameSchema
        Of the blocks.
    blocks : list of pyarrow.Table
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional

    Returns
    -------
    pandas.DataFrame
    """
    if not blocks:
        blocks.append(schema.arrow.empty_table())
    gathering = _Gathering(schema, blocks, dtype_backend)
    try:
        return schema.in_pandas(gathering.column, sum(block.num_rows for block in blocks))
    finally:
        blocks.clear()


class _Gathering:
    """Takes columns out of blocks."""

    def __init__(self, schema: FrameSchema, blocks: list[pa.Table], dtype_backend: Any) -> None:
        self._blocks = blocks
        self._backend = dtype_backend
        self._freed = 0
        self._order: np.ndarray | None = None
        if schema.order:
            hidden = concat_tables([block.select(list(schema.order)) for block in blocks])
            self._order = sort_indices(hidden, list(schema.order))
            for name in schema.order:
                self._drop(name)

    def column(self, field: pa.Field) -> pd.Series:
        """Return a column of all blocks, which have it no longer."""
        made = self._filled(field) if self._order is None else None
        if made is None:
            single = [block.select([field.name]) for block in self._blocks]
            values = concat_tables(single).column(0)
            single.clear()
            self._drop(field.name)
            if self._order is not None:
                values = values.take(self._order)
            made = series_from_arrow(values, field, dtype_backend=self._backend)
        return made

    def _filled(self, field: pa.Field) -> pd.Series | None:
        """Return a column of numbers or times, copied block by block; None for other kinds."""
        import pandas as pd

        columns = [block.column(field.name) for block in self._blocks]
        kind = columns[0].type
        dtype = dtype_of(field.with_type(kind), dtype_backend=self._backend)
        missing = any(column.null_count for column in columns)
        plain = isinstance(dtype, np.dtype) and dtype.kind in ("f" if missing else "iufMm")
        if not plain or any(column.type != kind for column in columns):
            return None
        values = np.empty(sum(map(len, columns)), dtype)
        start = 0
        for number, column in enumerate(columns):
            columns[number] = None
            values[start : start + len(column)] = column.to_numpy()
            start += len(column)
            del column
            self._drop_from(number, field.name)
        return pd.Series(values, name=field.name or None, copy=False)

    def _drop(self, name: str) -> None:
        for number in range(len(self._blocks)):
            self._drop_from(number, name)

    def _drop_from(self, number: int, name: str) -> None:
        block = self._blocks[number]
        self._freed += block.column(name).nbytes
        self._blocks[number] = block.drop_columns([name])
        if self._freed > _TRIMMED:
            del block
            self._freed = 0
            allocators.trim()

"""Frames from data in memory: pandas objects, Arrow tables, dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.base import noted
from penstock.collections.kinds import new_frame
from penstock.collections.mapping import collection_of
from penstock.engine.nodes.sources import FromTable, TableRef
from penstock.engine.plan import FrameNode
from penstock.engine.schema import FrameSchema, schema_of

if TYPE_CHECKING:
    import pyarrow as pa


def from_pandas(data: Any, npartitions: int | None = None, chunksize: int | None = None,
                sort: bool = False) -> Any:  # fmt: skip
    """Make a collection of a pandas object.

    Parameters
    ----------
    data : pandas.DataFrame or pandas.Series
    npartitions : int, optional
        Number of blocks; 1 by default.
    chunksize : int, optional
        Rows of a block, instead of their number.
    sort : bool
        Sort by the index first.

    Returns
    -------
    DataFrame or Series
    """
    import pandas as pd

    if not isinstance(data, pd.DataFrame | pd.Series):
        raise TypeError(f"from_pandas takes a DataFrame or Series, not {type(data).__name__}")
    is_series = isinstance(data, pd.Series)
    if sort:
        data = data.sort_index(kind="stable")
    # rows without columns are there by their labels only
    schema = schema_of(data, index=None if is_series or len(data.columns) else True)
    frame = data.to_frame() if is_series else data
    table = schema.from_pandas(frame, "from_pandas")
    if chunksize is not None:
        npartitions = -(-len(frame) // chunksize)
    count = max(1, npartitions or 1)
    plan = FromTable(TableRef(table), schema, count)
    return collection_of(noted(plan), is_series)


def from_arrow(table: pa.Table, npartitions: int = 1) -> Any:
    """Make a frame of a `pyarrow.Table`.

    Parameters
    ----------
    table : pyarrow.Table
    npartitions : int
        Number of blocks.

    Returns
    -------
    DataFrame
    """
    from penstock.blocks import one_chunk
    from penstock.engine.kernels.missing import nan_to_null
    from penstock.engine.schema import unique_names

    names = unique_names(table.column_names)
    table = one_chunk(table.rename_columns(names))
    arrays = [nan_to_null(column.chunk(0)) for column in table.columns]
    import pyarrow as pa

    table = pa.Table.from_arrays(arrays, schema=table.schema)
    plan: FrameNode = FromTable(
        TableRef(table), FrameSchema(tuple(table.schema), tuple(names)), max(1, npartitions)
    )
    return new_frame(noted(plan))


def from_dict(data: dict[Any, Any], npartitions: int = 1, **kwargs: Any) -> Any:
    """Make a frame of a dict of columns; see `pandas.DataFrame.from_dict`."""
    import pandas as pd

    return from_pandas(pd.DataFrame.from_dict(data, **kwargs), npartitions)

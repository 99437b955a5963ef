"""Frames as arrays and arrays as frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.collections.arrays.align import single_chunk
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.collections.kinds import is_kind, new_frame, new_series
from penstock.engine.expr import Column
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.frames import ArrayOfFrame, FrameOfArray
from penstock.engine.nodes.repartition import Repartition
from penstock.engine.nodes.sort import in_order
from penstock.engine.schema import schema_of
from penstock.errors import SchemaError, UnsupportedError


def array_of(frame: Any, lengths: Any = None) -> Array:
    """Return the values of a frame or series as an array, a chunk for each partition.

    Parameters
    ----------
    frame : DataFrame, Series or Index
    lengths : bool or sequence of int, optional
        Rows of the partitions. True computes and keeps the partitions to count
        them. Without them the shape is not known until ``compute_chunk_sizes()``.

    Returns
    -------
    Array
    """
    from penstock.engine.run import count_blocks

    if lengths is True:
        return array_of(frame.persist()).compute_chunk_sizes()
    plan = in_order(frame.plan)
    meta = plan.schema.meta
    single = not is_kind(frame, "DataFrame")
    kind = (meta.iloc[:, 0] if single else meta).to_numpy().dtype
    if isinstance(lengths, Sequence):
        count = len(lengths)
        rows: tuple[Any, ...] = tuple(int(size) for size in lengths)
        if plan.npartitions != count:
            raise SchemaError(f"{count} lengths for {plan.npartitions} partitions")
    else:
        count = count_blocks(plan)
        rows = (math.nan,) * count
    width = () if single else ((len(plan.schema.labels),),)
    bound = 1 + plan.nbytes // max(1, count * kind.itemsize)
    known = all(size == size for size in rows)
    layout = ArraySchema((rows, *width), kind, 0 if known else bound)
    # so many blocks, whatever the memory limit of a later run
    return Array(noted(ArrayOfFrame(Repartition(plan, count), layout)))


def from_dask_array(x: Any, columns: Any = None, index: Any = None, meta: Any = None) -> Any:
    """Return a DataFrame, or a Series, of the values of an array.

    Parameters
    ----------
    x : Array
        Of one or two axes, or of a structured dtype; a partition for each chunk of rows.
    columns : sequence or str, optional
        Labels of the columns; the name of a series.
    index : None
        Rows are numbered; use `DataFrame.set_index` for another index.
    meta : object
        Accepted for compatibility.

    Returns
    -------
    DataFrame or Series

    Examples
    --------
    >>> import penstock.array as da
    >>> import penstock.dataframe as dd
    >>> dd.from_dask_array(da.ones((3, 2), chunks=(2, 1)), columns=["a", "b"]).sum().compute()
    a    3.0
    b    3.0
    dtype: float64
    """
    import pandas as pd

    if index is not None:
        raise UnsupportedError("from_dask_array takes no index=; use set_index with a column")
    array = asarray(x)
    if array.ndim not in (1, 2):
        raise SchemaError(f"from_dask_array: an array of {array.ndim} axes is no table")
    names = array.dtype.names
    empty = np.empty((0,), array.dtype)
    if names:
        if array.ndim != 1:
            raise SchemaError("from_dask_array: a structured array has one axis")
        sample = pd.DataFrame({name: empty[name] for name in names})
    else:
        width = 1 if array.ndim == 1 else int(array.shape[1])
        labels = [None] if array.ndim == 1 and columns is None else columns
        if labels is None:
            labels = range(width)
        elif array.ndim == 1 and not isinstance(labels, list | tuple):
            labels = [labels]
        labels = list(labels)
        if len(labels) != width:
            raise ValueError(f"from_dask_array: {len(labels)} columns for an array of {width}")
        sample = pd.DataFrame(dict.fromkeys(range(width), empty))
        sample.columns = pd.Index(labels, tupleize_cols=False)
    if array.ndim == 2:
        array = single_chunk(array, [1])
    node = FrameOfArray(array.plan, schema_of(sample, index=False))
    noted(node)
    if names or array.ndim == 2:
        return new_frame(node)
    return new_series(node, Column(node.schema.columns[0]), node.schema.labels[0])

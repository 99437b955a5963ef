"""Writing frames: from a collection and options to a sink, run or lazy."""

from __future__ import annotations

from typing import Any

from penstock.collections.base import noted
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import new_frame
from penstock.collections.scalar import Scalar
from penstock.config import parse_bytes
from penstock.engine.expr import Column
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.repartition import Repartition
from penstock.engine.nodes.select import project
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.nodes.write import Write
from penstock.engine.plan import FrameNode, walk
from penstock.engine.run import count_blocks
from penstock.engine.schema import FrameSchema
from penstock.io.registry import sink_for

# More files than this are worth an exchange that puts the rows of a folder together.
_MANY_FILES = 1_000
_SAMPLED_ROWS = 100_000
_MOST_PIECES = 1_024


def to_parquet(df: Any, path: Any, **kwargs: Any) -> Any:
    """Write a frame as Parquet; see `DataFrame.to_parquet`."""
    return df.to_parquet(path, **kwargs)


def to_csv(df: Any, filename: Any, **kwargs: Any) -> Any:
    """Write a frame or series as CSV; see `DataFrame.to_csv`."""
    return df.to_csv(filename, **kwargs)


def parquet_write(
    frame: Any,
    path: Any,
    mode: str,
    write_index: bool,
    compute: bool,
    compute_kwargs: dict[str, Any],
    *,
    partition_on: Any = None,
    shuffle: bool | None = None,
    file_size: str | int | None = None,
    row_group_size: int | None = None,
    **options: Any,
) -> Any:
    """Write `frame` as Parquet; see `DataFrame.to_parquet`."""
    plan = in_order(frame.plan)
    index = bool(write_index and plan.schema.index)
    partitions = partition_on if isinstance(partition_on, list | tuple) else [partition_on]
    labels = [label for label in partitions if label is not None]
    names = [str(label) for label in labels]
    file_bytes = None if file_size is None else parse_bytes(file_size)
    if labels:
        plan = grouped_by_folder(
            plan, tuple(plan.schema.column(one) for one in labels), shuffle, file_bytes
        )
    elif shuffle is not None:
        raise ValueError("shuffle= groups rows by folder: it needs partition_on=")
    elif file_bytes is not None:
        plan = Repartition(plan, None, file_bytes)
    if row_group_size is not None:  # as Dask and pyarrow call it
        options.setdefault("row_group_rows", row_group_size)
    sink = sink_for("parquet")(
        path,
        mode=mode,
        partition_on=names,
        index=_index_names(plan) if index else (),
        **options,
    )
    return _run(plan, sink, index, compute, compute_kwargs)


def grouped_by_folder(
    plan: FrameNode, columns: tuple[str, ...], shuffle: bool | None, file_bytes: int | None
) -> FrameNode:
    """Return `plan` with the rows of each folder together, where that makes far fewer files.

    Folders too large for one file are cut by rows, each piece as large as what one task takes.
    """
    blocks = count_blocks(plan)
    if shuffle is None:
        few = blocks * _folders_of_a_block(plan, columns) <= _MANY_FILES
        shuffle = blocks > 1 and (file_bytes is not None or not few)
    if not shuffle:
        return plan
    pieces = None if file_bytes is None else int(min(_MOST_PIECES, 1 + plan.nbytes // file_bytes))
    return Sort(plan, columns, (True,) * len(columns), "last", pieces)


def _folders_of_a_block(plan: FrameNode, columns: tuple[str, ...]) -> int:
    """Return how many folders the first rows go to; many where it would be work to find out."""
    # the first rows of these need the first blocks only
    local = all(n.is_blockwise or n.keeps_rows or not n.inputs for n in walk(plan))
    if not local:
        return _MANY_FILES
    first = new_frame(project(plan, columns)).head(_SAMPLED_ROWS)
    return len(first.drop_duplicates())


def csv_write(
    frame: FrameLike,
    filename: Any,
    single_file: bool,
    index: bool,
    mode: str,
    compute: bool,
    storage_options: dict[str, Any] | None,
    compute_kwargs: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """Write `frame` as CSV; see `DataFrame.to_csv`."""
    from penstock.collections.rows import labelled

    plan = in_order(frame.plan)
    header = options.pop("header", True)
    if index:
        plan = labelled(plan)
        header = _with_levels(header, plan.schema, options.pop("index_label", None))
    sink = sink_for("csv")(
        filename,
        single_file=single_file,
        mode=mode,
        storage_options=storage_options,
        header=header,
        **options,
    )
    return _run(plan, sink, index, compute, compute_kwargs)


def _with_levels(header: Any, schema: FrameSchema, label: Any) -> Any:
    """Return the header with the names of the index levels in front, empty where they have none."""
    if header is False:
        return False
    names = schema.index_names
    if label is not None:
        names = tuple(label) if isinstance(label, list | tuple) else (label,)
    columns = schema.labels if header is True else header
    return ["" if name is None else str(name) for name in (*names, *columns)]


def _index_names(plan: FrameNode) -> tuple[str, ...]:
    schema = plan.schema
    return tuple(
        schema.index[level] if name is None else str(name)
        for level, name in enumerate(schema.index_names)
    )


def _run(
    plan: FrameNode, sink: Any, index: bool, compute: bool, compute_kwargs: dict[str, Any]
) -> Any:
    node = noted(write_plan(plan, sink, index))
    rows = Scalar(node, Column("rows"))
    if not compute:
        return rows
    rows.compute(**compute_kwargs)
    return getattr(sink, "paths", None)


def write_plan(plan: FrameNode, sink: Any, index: bool, index_label: Any = None) -> Write:
    """Return the node that writes `plan` to `sink`.

    The hidden order of rows is restored first, so that files hold rows in the
    order pandas would have them in.
    """
    plan = in_order(plan)
    schema = plan.schema
    columns = schema.columns
    names = tuple(str(label) for label in schema.labels)
    if index:
        columns = (*schema.index, *columns)
        labels = [_level_name(schema, level) for level in range(len(schema.index))]
        names = (*labels, *names)
    return Write(plan, Opaque(sink), columns, names)


def _level_name(schema: Any, level: int) -> str:
    name = schema.index_names[level]
    return schema.index[level] if name is None else str(name)

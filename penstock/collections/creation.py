"""Frames from files and from data in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.collections.base import noted
from penstock.collections.frame import DataFrame
from penstock.collections.mapping import collection_of, example_of_meta
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.select import SetIndex
from penstock.engine.nodes.slicing import Head
from penstock.engine.nodes.sources import DEFAULT_BLOCK_BYTES, ReadFrame
from penstock.engine.schema import schema_of
from penstock.io.registry import source_for

if TYPE_CHECKING:
    from penstock.io.source import Source

_NO_HEADER = re.compile(r"Unnamed: \d+")


def read_csv(
    urlpath: Any,
    blocksize: str | int | None = None,
    sample: int | None = None,
    storage_options: dict[str, Any] | None = None,
    include_path_column: bool | str = False,
    assume_missing: bool = False,
    on_type_conflict: str = "widen",
    **kwargs: Any,
) -> DataFrame:
    r"""Read CSV files in blocks.

    Parameters
    ----------
    urlpath : str, path or list
        Files, globs (``"s3://bucket/2024-*.csv"``) or directories; files ending
        in ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` are streamed.
    blocksize : str or int, optional
        Bytes of text per block, e.g. ``"16MB"``; by default what fits the limit.
    sample : int, optional
        Bytes looked at, at several places, to infer types.
    storage_options : dict, optional
        For the filesystem, e.g. credentials.
    include_path_column : bool or str
        Add a column with the path of each row's file.
    assume_missing : bool
        Read integer columns that `dtype` does not name as float64.
    on_type_conflict : {"widen", "raise"}
        What to do when a later value contradicts the inferred type: read again
        with a wider type and warn, or raise.
    **kwargs
        Parameters of `pandas.read_csv`: ``sep``, ``header``, ``names``,
        ``usecols``, ``dtype``, ``parse_dates``, ``index_col``, ``na_values``,
        ``skiprows``, ``nrows``, ...

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "trips.csv"
    >>> _ = path.write_text("zone,fare\n1,5.0\n2,7.5\n1,20.0\n")
    >>> read_csv(path).fare.sum().compute()
    np.float64(32.5)
    """
    from penstock.config import parse_bytes

    index_col = kwargs.get("index_col")
    nrows = kwargs.pop("nrows", None)
    if blocksize == "default":
        blocksize = None
    options: dict[str, Any] = {} if sample is None else {"sample": sample}
    source = source_for("csv")(
        urlpath,
        blocksize=None if blocksize is None else parse_bytes(blocksize),
        storage_options=storage_options,
        include_path_column=include_path_column,
        assume_missing=assume_missing,
        on_type_conflict=on_type_conflict,
        **options,
        **kwargs,
    )
    frame = from_source(source)
    if nrows is not None:
        frame = frame._on(Head(frame.plan, int(nrows)))
    implicit = getattr(source, "implicit_index", 0)
    if implicit and index_col is not False:
        plan = frame.plan
        frame = frame._on(
            SetIndex(plan, plan.schema.columns[:implicit], plan.schema.labels[:implicit])
        )
    elif index_col is not None and index_col is not False:
        labels = index_col if isinstance(index_col, list) else [index_col]
        known = list(frame.columns)
        labels = [
            known[label] if isinstance(label, int) and label not in known else label
            for label in labels
        ]
        plan = frame.plan
        names = tuple(plan.schema.column(label) for label in labels)
        # as in pandas, levels whose header is empty have no name
        levels = tuple(None if _NO_HEADER.fullmatch(str(label)) else label for label in labels)
        frame = frame._on(SetIndex(plan, names, levels))
    return frame


def read_table(urlpath: Any, sep: str = "\t", **kwargs: Any) -> DataFrame:
    """Read text files with columns separated by tabs; see `read_csv`."""
    return read_csv(urlpath, sep=sep, **kwargs)


def read_parquet(
    path: Any,
    columns: Any = None,
    filters: Any = None,
    index: Any = None,
    storage_options: dict[str, Any] | None = None,
    engine: str = "auto",
    schema_drift: str = "union",
    partition_types: dict[str, Any] | None = None,
    blocksize: str | int | None = None,
    **kwargs: Any,
) -> DataFrame:
    """Read Parquet files: only the columns and row groups that are needed.

    Parameters
    ----------
    path : str, path or list
        Files, globs or directories, with or without ``key=value`` folders.
    columns : label or list of labels, optional
        Columns to read; one label gives a Series.
    filters : list of tuple, or list of list of tuple, optional
        Rows to keep, as in `pandas.read_parquet`.
    index : label, list of labels or False, optional
        Index columns; by default those that pandas wrote.
    storage_options : dict, optional
    engine : str
        Accepted for compatibility.
    schema_drift : {"union", "strict"}
        Unite the columns of files that differ (see `DataFrame.schema_drift`),
        or raise.
    partition_types : dict, optional
        Types of the columns made of folder names.
    blocksize : str or int, optional
        Bytes of a block in memory; by default what fits the limit.
    **kwargs
        Dask's others (``split_row_groups``, ``calculate_divisions``,
        ``gather_statistics``, ``aggregate_files``, ``ignore_metadata_file``) are
        accepted and not needed.

    Returns
    -------
    DataFrame, or Series for a single label
    """
    from penstock.config import parse_bytes

    for name in ("split_row_groups", "calculate_divisions", "gather_statistics",
                 "aggregate_files", "ignore_metadata_file", "metadata_task_size"):  # fmt: skip
        kwargs.pop(name, None)
    single = isinstance(columns, str)
    source = source_for("parquet")(
        path,
        columns=[columns] if single else columns,
        filters=filters,
        index=index,
        storage_options=storage_options,
        schema_drift=schema_drift,
        partition_types=partition_types,
        **kwargs,
    )
    frame = from_source(source, None if blocksize is None else parse_bytes(blocksize))
    levels = [name for name in getattr(source, "pandas_index", ()) if isinstance(name, str)]
    if levels:
        names = tuple(None if name.startswith("__index_level_") else name for name in levels)
        frame = frame._on(SetIndex(frame.plan, tuple(levels), names))
    return frame[columns] if single else frame


def from_map(
    func: Callable[..., Any],
    *iterables: Iterable[Any],
    args: Sequence[Any] = (),
    meta: Any = None,
    label: str | None = None,
    divisions: Any = None,
    enforce_metadata: bool = True,
    **kwargs: Any,
) -> Any:
    """Make a collection with a partition for each call of `func`, e.g. for a format of your own.

    Parameters
    ----------
    func : callable
        Takes one item of each iterable, gives a DataFrame or Series of pandas.
    *iterables
        Of one length: the inputs, e.g. file names.
    args : sequence
        Further arguments of every call.
    meta : optional
        Names and dtypes of the result, see `DataFrame.map_partitions`. Without it `func` is
        called with the first input.
    label : str, optional
        Name of the operation, by default that of `func`.
    divisions : None
        Accepted for compatibility.
    enforce_metadata : bool
        Accepted for compatibility: blocks always have the names and dtypes of the first.
    **kwargs
        Further keyword arguments of every call.

    Returns
    -------
    DataFrame or Series
        Whose labels are those that `func` gives.

    Raises
    ------
    ValueError
        When there is no input, or the iterables are not of one length.

    Notes
    -----
    A partition must fit in memory three times. What the first one takes in memory is expected
    of all.

    Examples
    --------
    >>> import pandas as pd
    >>> def month(number, year):
    ...     return pd.DataFrame({"month": [f"{year}-{number:02}"], "trips": [100 * number]})
    >>> from_map(month, [1, 2, 3], year=2024).trips.sum().compute()
    np.int64(600)
    """
    from penstock.engine.nodes.from_map import FromMap

    columns = [list(iterable) for iterable in iterables]
    if not columns or not columns[0]:
        raise ValueError("from_map needs at least one input")
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(str(len(column)) for column in columns)
        raise ValueError(f"from_map: the iterables have {lengths} items, not one length")
    inputs = [(*items, *args) for items in zip(*columns, strict=True)]
    function = partial(func, **kwargs) if kwargs else func
    name = label or getattr(func, "__name__", type(func).__name__).strip("_")
    expected = DEFAULT_BLOCK_BYTES
    if meta is None:
        try:
            meta = function(*inputs[0])
        except Exception as error:
            error.add_note(
                f"{name} failed on the first input, {inputs[0][0]!r}, with which it was called to "
                "learn the names and dtypes of its result"
            )
            raise
        expected = int(np.sum(meta.memory_usage(deep=True)))
    example = example_of_meta(meta)
    schema = schema_of(example, index=True)
    node = FromMap(Opaque(function), Opaque(inputs), schema, max(1, expected), name)
    return collection_of(noted(node), example.ndim == 1)


def from_source(source: Source, target_bytes: int | None = None) -> DataFrame:
    """Return the frame that reads `source` (of any registered format)."""
    return DataFrame(noted(ReadFrame(source, target_bytes=target_bytes)))


def to_datetime(arg: Any, **kwargs: Any) -> Any:
    """Return a Series converted to timestamps; parameters as `pandas.to_datetime`."""
    return arg._elementwise("to_datetime", **kwargs)


def to_numeric(arg: Any, errors: str = "raise", meta: Any = None) -> Any:
    """Return a Series converted to numbers; parameters as `pandas.to_numeric`."""
    return arg._elementwise("to_numeric", errors=errors)


def to_timedelta(arg: Any, unit: str | None = None, errors: str = "raise") -> Any:
    """Return a Series converted to durations; parameters as `pandas.to_timedelta`."""
    return arg._elementwise("to_timedelta", unit=unit, errors=errors)


def map_partitions(func: Any, *args: Any, meta: Any = None, **kwargs: Any) -> Any:
    """Call `func` with each partition; see `DataFrame.map_partitions`."""
    first, *rest = args
    return first.map_partitions(func, *rest, meta=meta, **kwargs)

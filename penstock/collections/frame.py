"""DataFrame: rows with labelled columns, lazy, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from penstock.collections import index as _index  # noqa: F401  the kinds that a frame gives
from penstock.collections.framelike import select_plan
from penstock.collections.kinds import register
from penstock.collections.mapping import MapMixin
from penstock.collections.mixins.arrays import ArrayMixin
from penstock.collections.mixins.combine import CombineMixin
from penstock.collections.mixins.counting import FrameCountingMixin
from penstock.collections.mixins.elementwise import ElementwiseMixin
from penstock.collections.mixins.looking import LookingMixin
from penstock.collections.mixins.order import OrderMixin
from penstock.collections.mixins.output import OutputMixin
from penstock.collections.mixins.reduce import ReduceMixin
from penstock.collections.mixins.relations import FrameRelationsMixin
from penstock.collections.mixins.reshape import FrameReshapeMixin
from penstock.collections.mixins.select import SelectMixin
from penstock.collections.mixins.window import WindowMixin
from penstock.collections.operators import add_operator_methods, add_operators
from penstock.collections.rows import labelled
from penstock.engine.expr import Column, Expr
from penstock.engine.nodes.sort import Sort, TopN, in_order

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from penstock.collections.groupby import DataFrameGroupBy
    from penstock.collections.scalar import Scalar
    from penstock.collections.series import Series
    from penstock.engine.plan import FrameNode


@register
class DataFrame(
    SelectMixin,
    ElementwiseMixin,
    ReduceMixin,
    OrderMixin,
    WindowMixin,
    CombineMixin,
    FrameCountingMixin,
    FrameRelationsMixin,
    FrameReshapeMixin,
    LookingMixin,
    MapMixin,
    OutputMixin,
    ArrayMixin,
):
    """A lazy table with labelled columns and rows, in the way of `pandas.DataFrame`.

    Made by the readers of `penstock.dataframe`, not directly.

    Parameters
    ----------
    plan : FrameNode
        What computes it.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2, 1], "fare": [5.0, 7.5, 20.0]}), 2)
    >>> trips.groupby("zone").fare.sum().compute()
    zone
    1    25.0
    2     7.5
    Name: fare, dtype: float64
    """

    def __init__(self, plan: FrameNode) -> None:
        self._plan = plan

    # -- structure ------------------------------------------------------------

    @property
    def plan(self) -> FrameNode:
        """The plan node whose blocks hold this."""
        return self._plan

    @property
    def _rows(self) -> FrameNode:
        return self._plan

    @property
    def _items(self) -> tuple[tuple[str, Any, Expr], ...]:
        schema = self._plan.schema
        return tuple(
            (name, label, Column(name))
            for name, label in zip(schema.columns, schema.labels, strict=True)
        )

    def _like(self, rows: FrameNode, items: tuple[tuple[str, Any, Expr], ...]) -> DataFrame:
        return DataFrame(select_plan(rows, items))

    @property
    def columns(self) -> pd.Index:
        """The column labels."""
        return self._plan.schema.label_index

    @columns.setter
    def columns(self, labels: Any) -> None:
        self._plan = self._relabelled(list(labels))._plan

    @property
    def dtypes(self) -> pd.Series:
        """The pandas dtype of each column."""
        return self._repr_meta().dtypes

    @property
    def shape(self) -> tuple[Scalar, int]:
        """``(rows, columns)``; the rows are lazy."""
        return self._count(), len(self._plan.schema.columns)

    @property
    def size(self) -> Scalar:
        """The number of values, lazy."""
        return self._count() * len(self._plan.schema.columns)

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def empty(self) -> bool:
        """Whether there are no rows (computes) or no columns."""
        return not self._plan.schema.columns or len(self) == 0

    @property
    def schema_drift(self) -> pd.DataFrame:
        """Where the files that are read disagree: column, what differs, which files."""
        import pandas as pd

        from penstock.engine.nodes.sources import ReadFrame
        from penstock.engine.plan import walk

        records = [
            (drift.column, drift.what, ", ".join(drift.files))
            for node in walk(self._plan)
            if isinstance(node, ReadFrame)
            for drift in getattr(node.source, "drift", ())
        ]
        return pd.DataFrame(records, columns=["column", "what", "files"])

    # -- results --------------------------------------------------------------

    def _finalize(self, blocks: list[pa.Table], dtype_backend: str | None = None) -> pd.DataFrame:
        from penstock.collections.gathering import gathered_in_pandas

        return gathered_in_pandas(self._schema, blocks, dtype_backend)

    def __repr__(self) -> str:
        columns = ", ".join(f"{label}: {kind}" for label, kind in self.dtypes.items())
        return f"<DataFrame [{columns}]>"

    def _repr_html_(self) -> str:
        rows = self.dtypes.astype(str).to_frame("dtype").T
        return f"<div><b>Penstock DataFrame</b> (lazy){rows.to_html()}</div>"

    def __bool__(self) -> bool:
        raise TypeError("the truth value of a DataFrame is not known; use .empty or .any()")

    def __dir__(self) -> list[str]:
        labels = [str(label) for label in self._plan.schema.labels]
        return sorted({*super().__dir__(), *(label for label in labels if label.isidentifier())})

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np

        return np.asarray(self.compute(), dtype=dtype)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._plan.schema.labels)

    def __contains__(self, label: Any) -> bool:
        return label in self._plan.schema.labels

    def keys(self) -> pd.Index:
        """Return the column labels."""
        return self.columns

    def items(self) -> Iterator[tuple[Any, Series]]:
        """Yield pairs of label and column."""
        return ((label, self[label]) for label in self._plan.schema.labels)

    # -- rows in order --------------------------------------------------------

    def sort_values(
        self,
        by: Any,
        ascending: Any = True,
        na_position: str = "last",
        npartitions: int | None = None,
        ignore_index: bool = False,
    ) -> DataFrame:
        """Return the rows sorted by columns; ties keep their order.

        Parameters
        ----------
        by : label or list of labels
        ascending : bool or list of bool
        na_position : {"last", "first"}
        npartitions : int, optional
            Partitions of the result; by default what fits.
        ignore_index : bool
            Label the sorted rows 0, 1, 2, ...

        Returns
        -------
        DataFrame

        Notes
        -----
        Rows go through an exchange by ranges of the keys (sample sort); each
        range is sorted in memory. What does not fit is spilled.
        """
        labels = by if isinstance(by, list) else [by]
        plan = self._plan if ignore_index else labelled(self._plan)
        plan = in_order(plan)
        columns = tuple(plan.schema.column(label) for label in labels)
        directions = (
            tuple(ascending)
            if isinstance(ascending, list | tuple)
            else ((bool(ascending),) * len(columns))
        )
        if len(directions) != len(columns):
            raise ValueError(f"ascending has {len(directions)} values for {len(columns)} columns")
        done = self._on(Sort(plan, columns, directions, na_position, npartitions))
        return done.reset_index(drop=True) if ignore_index else done

    def nlargest(self, n: int = 5, columns: Any = None, keep: str = "first") -> DataFrame:
        """Return the `n` rows with the largest values in `columns`, without a full sort."""
        return self._top(n, columns, False, keep)

    def nsmallest(self, n: int = 5, columns: Any = None, keep: str = "first") -> DataFrame:
        """Return the `n` rows with the smallest values in `columns`, without a full sort."""
        return self._top(n, columns, True, keep)

    def _top(self, n: int, columns: Any, ascending: bool, keep: str) -> DataFrame:
        plan = in_order(labelled(self._plan))
        labels = columns if isinstance(columns, list) else [columns]
        by = tuple(plan.schema.column(label) for label in labels)
        return self._on(TopN(plan, by, n, ascending, keep))

    def drop_duplicates(self, subset: Any = None, keep: Any = "first",
                        ignore_index: bool = False) -> DataFrame:  # fmt: skip
        """Return one row for each distinct row, or for each distinct `subset`.

        Parameters
        ----------
        subset : label or list of labels, optional
        keep : {"first", "last", False}
        ignore_index : bool
        """
        from penstock.collections.distinct import drop_duplicates

        done = drop_duplicates(self, subset, keep)
        return done.reset_index(drop=True) if ignore_index else done

    # -- groups and functions -------------------------------------------------

    def groupby(self, by: Any = None, *, level: Any = None, as_index: bool = True,
                sort: bool = True, group_keys: bool = True, observed: bool = True,
                dropna: bool = True) -> DataFrameGroupBy:  # fmt: skip
        """Group rows by columns, Series of the same rows, or index levels.

        Parameters
        ----------
        by : label, Series, function of the index, or list of these
        level : int or name, optional
            Group by an index level.
        as_index : bool
            Make the keys the index of the result.
        sort : bool
            Sort groups by key; otherwise they come in order of appearance.
        group_keys : bool
            Add the keys to the index of what ``apply`` gives.
        observed : bool
            Only categories that occur.
        dropna : bool
            Leave out rows whose key is missing.

        Returns
        -------
        DataFrameGroupBy
        """
        from penstock.collections.groupby import DataFrameGroupBy

        return DataFrameGroupBy.of_frame(
            self, by, level=level, as_index=as_index, sort=sort, group_keys=group_keys,
            observed=observed, dropna=dropna,
        )  # fmt: skip

    def apply(self, function: Callable[..., Any], axis: Any = 0, args: tuple = (),
              meta: Any = None, **kwargs: Any) -> Any:  # fmt: skip
        """Call `function` with each row (``axis=1``).

        Parameters
        ----------
        function : callable
            Takes a row as a Series.
        axis : {1, "columns"}
        args : tuple
        meta : optional
            Names and dtypes of the result, see `map_partitions`.
        **kwargs
            For `function`.
        """
        from penstock.errors import UnsupportedError

        if axis not in (1, "columns"):
            raise UnsupportedError(
                "apply calls the function with each row: pass axis=1; for whole columns use the "
                "reductions or map_partitions"
            )
        return self.map_partitions(_apply_rows, function, args, kwargs, meta=meta, _rowwise=True)

    def map(self, func: Callable[..., Any], na_action: Any = None, meta: Any = None) -> Any:
        """Call `func` with each value.

        Parameters
        ----------
        func : callable
        na_action : {None, "ignore"}
            Leave missing values as they are.
        meta : optional
            Names and dtypes of the result, see `map_partitions`.
        """
        return self.map_partitions(_map_values, func, na_action, meta=meta, _rowwise=True)

    def describe(self, percentiles: Any = None, include: Any = None, exclude: Any = None) -> Any:
        """Return a summary of the columns: with exact quantiles of numbers and times.

        Parameters
        ----------
        percentiles : sequence of float, optional
            Between 0 and 1; the quartiles by default.
        include, exclude : "all", dtype or list of dtypes, optional
            Columns by dtype as in `select_dtypes`; by default numbers and times, or all where
            there are none. Of other columns it tells the distinct values and the most frequent.

        Returns
        -------
        Describe
            Computes to a pandas.DataFrame.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> zones = dd.from_pandas(pd.DataFrame({"zone": ["a", "b", "a"]}), npartitions=2)
        >>> zones.describe().compute().loc["top"].tolist()
        ['a']
        """
        from penstock.collections.describing import describe

        return describe(self, percentiles, include, exclude)

    def to_parquet(
        self,
        path: Any,
        *,
        engine: str = "auto",
        compression: str | None = "snappy",
        write_index: bool = True,
        append: bool = False,
        overwrite: bool = False,
        mode: str | None = None,
        partition_on: Any = None,
        storage_options: dict[str, Any] | None = None,
        name_function: Callable[[int], str] | None = None,
        write_metadata_file: bool = False,
        compute: bool = True,
        compute_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Write Parquet: a directory of one file per partition, or one ``.parquet`` file.

        The target is as it was until everything is written.

        Parameters
        ----------
        path : str or path
            Local or remote directory, or a file when it ends in ``.parquet``.
        engine : str
            Accepted for compatibility.
        compression : {"snappy", "zstd", "lz4", "gzip", "brotli", None}
        write_index : bool
            Write the row labels, unless they are the default ones.
        append, overwrite : bool
            Dask's spelling of `mode`.
        mode : {"error", "overwrite", "append"}, optional
            What to do with a target that is there; ``"error"`` by default.
        partition_on : label or list of labels, optional
            Columns that become ``key=value`` folders.
        storage_options : dict, optional
        name_function : callable, optional
            File name for each partition number.
        write_metadata_file : bool
            Write ``_metadata`` too.
        compute : bool
            False returns the write as a lazy Scalar of rows.
        compute_kwargs : dict, optional
            For `compute`: ``memory_limit``, ``num_workers``, ...
        **kwargs
            ``compression_level``, ``row_group_rows`` (or ``row_group_size``),
            ``row_group_bytes``; ``file_size``, the bytes of rows in memory that become one
            file; ``shuffle``, whether rows of one folder are brought together first, by
            default where `partition_on` would otherwise make very many small files.

        Returns
        -------
        Scalar or None
            The lazy number of rows when ``compute=False``.

        Raises
        ------
        TargetExistsError
            When the target is there and neither replaced nor appended to.
        """
        from penstock.collections.writing import parquet_write

        chosen = mode or ("append" if append else "overwrite" if overwrite else "error")
        return parquet_write(
            self, path, chosen, write_index, compute, compute_kwargs or {},
            compression=compression, partition_on=partition_on, storage_options=storage_options,
            name_function=name_function, write_metadata_file=write_metadata_file, **kwargs,
        )  # fmt: skip


def _apply_rows(frame: pd.DataFrame, function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    return frame.apply(function, axis=1, args=args, **kwargs)


def _map_values(frame: pd.DataFrame, function: Any, na_action: Any) -> pd.DataFrame:
    return frame.map(function, na_action=na_action)


add_operators(DataFrame)
add_operator_methods(DataFrame)

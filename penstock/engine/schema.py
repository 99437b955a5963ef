"""The schema of a frame: Arrow fields, the user's labels, and which columns are the index."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.errors import SchemaError, column_not_found
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    import pyarrow as pa

INDEX_PREFIX = "__index_level_"
ORDER = "__order__"


def index_column(level: int) -> str:
    """Return the name of the column that holds index level `level` in blocks."""
    return f"{INDEX_PREFIX}{level}__"


@record
class FrameSchema:
    """What the table blocks of a frame hold.

    Attributes
    ----------
    fields : tuple of pyarrow.Field
        Data columns. Their names are unique strings.
    labels : tuple
        The user's label of each data column: any hashable, as in pandas.
    index_fields : tuple of pyarrow.Field
        Index columns, named ``__index_level_0__`` and so on. Empty for the
        default index, whose labels are the row numbers and take no memory.
    index_names : tuple
        The user's name of each index level.
    order_fields : tuple of pyarrow.Field
        Hidden columns that give the logical row order where the blocks' own
        order is another (after a hash exchange). Empty when they agree.
    label_names : tuple
        Names of the column levels (``df.columns.names``).
    """

    fields: tuple[pa.Field, ...]
    labels: tuple[Any, ...] = ()
    index_fields: tuple[pa.Field, ...] = ()
    index_names: tuple[Any, ...] = ()
    order_fields: tuple[pa.Field, ...] = ()
    label_names: tuple[Any, ...] = (None,)

    def __post_init__(self) -> None:
        if not self.labels and self.fields:
            object.__setattr__(self, "labels", tuple(field.name for field in self.fields))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the data columns inside blocks."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def index(self) -> tuple[str, ...]:
        """Names of the index columns inside blocks."""
        return tuple(field.name for field in self.index_fields)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names of the hidden ordering columns inside blocks."""
        return tuple(field.name for field in self.order_fields)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all columns inside blocks."""
        return self.columns + self.index + self.order

    @cached_property
    def arrow(self) -> pa.Schema:
        """Arrow schema of the blocks."""
        import pyarrow as pa

        return pa.schema([*self.fields, *self.index_fields, *self.order_fields])

    @cached_property
    def least_bits(self) -> int:
        """Bits that a row takes at the very least."""
        return sum(_least_bits(field.type) for field in self.arrow)

    def field(self, name: str) -> pa.Field:
        """Return the Arrow field called `name` inside blocks."""
        return self.arrow.field(name)

    def column(self, label: Any) -> str:
        """Return the name inside blocks of the data column with the user's `label`."""
        try:
            return self.columns[self.labels.index(label)]
        except ValueError:
            raise column_not_found(label, self.labels) from None

    def select(self, names: Iterable[str]) -> FrameSchema:
        """Return this schema with only the columns in `names` (index and order too)."""
        kept = frozenset(names)
        pairs = [
            (f, label) for f, label in zip(self.fields, self.labels, strict=True) if f.name in kept
        ]
        index = [
            (f, n)
            for f, n in zip(self.index_fields, self.index_names, strict=True)
            if f.name in kept
        ]
        return replace(
            self,
            fields=tuple(f for f, _ in pairs),
            labels=tuple(label for _, label in pairs),
            index_fields=tuple(f for f, _ in index),
            index_names=tuple(n for _, n in index),
            order_fields=tuple(f for f in self.order_fields if f.name in kept),
        )

    @cached_property
    def label_index(self) -> pd.Index:
        """The user's column labels as a pandas Index."""
        import pandas as pd

        if self.labels and all(isinstance(label, tuple) for label in self.labels):
            names = self.label_names if len(self.label_names) == len(self.labels[0]) else None
            return pd.MultiIndex.from_tuples(self.labels, names=names)
        # without labels, nothing says that they are other than text
        dtype = None if self.labels else "str"
        return pd.Index(list(self.labels), name=self.label_names[0], dtype=dtype)

    @cached_property
    def meta(self) -> pd.DataFrame:
        """An empty pandas frame with the labels, dtypes and index of the result."""
        return self.to_pandas(self.arrow.empty_table())

    @cached_property
    def example(self) -> pd.DataFrame:
        """A frame of one row, to see what types pandas' own methods give for these."""
        import pyarrow as pa

        from penstock.engine.kernels.convert import example_of

        arrays = [example_of(field.type) for field in self.arrow]
        return self.to_pandas(pa.Table.from_arrays(arrays, schema=self.arrow))

    def to_pandas(self, table: pa.Table, dtype_backend: Any = None) -> pd.DataFrame:
        """Return `table` (a block or all rows of this schema) as pandas gives it."""
        from penstock.engine.kernels.convert import series_from_arrow

        def column(field: pa.Field) -> pd.Series:
            return series_from_arrow(table.column(field.name), field, dtype_backend=dtype_backend)

        return self.in_pandas(column, table.num_rows)

    def in_pandas(self, column: Callable[[pa.Field], pd.Series], rows: int) -> pd.DataFrame:
        """Return the pandas frame of this schema whose columns `column` gives one by one.

        Parameters
        ----------
        column : callable
            Gives the values of a field of the data or the index; called once for each.
        rows : int
        """
        import pandas as pd

        data = {number: column(field) for number, field in enumerate(self.fields)}
        frame = pd.DataFrame(data, index=pd.RangeIndex(rows), copy=False)
        frame.columns = self.label_index
        levels = [column(field) for field in self.index_fields]
        if len(levels) == 1:
            frame.index = pd.Index(levels[0]).rename(self.index_names[0])
        elif levels:
            frame.index = pd.MultiIndex.from_arrays(levels, names=self.index_names)
        return frame

    def from_pandas(self, frame: pd.DataFrame, operation: str = "the function") -> pa.Table:
        """Return `frame` as a block of this schema, casting where types differ.

        Raises
        ------
        SchemaError
            When columns are missing or a column cannot be cast.
        """
        import pyarrow as pa

        from penstock.engine.kernels.convert import array_from_series

        if len(frame.columns) != len(self.fields):
            raise SchemaError(
                f"{operation} gave {len(frame.columns)} columns {list(frame.columns)}, "
                f"but {len(self.fields)} were declared: {list(self.labels)}; correct `meta`"
            )
        arrays = []
        for position, field in enumerate(self.fields):
            label = frame.columns[position]
            if label != self.labels[position] and self.labels[position] in frame.columns:
                series = frame[self.labels[position]]
            else:
                series = frame.iloc[:, position]
            arrays.append(_cast(array_from_series(series), field, operation))
        for level, field in enumerate(self.index_fields):
            values = frame.index.get_level_values(level).to_series()
            arrays.append(_cast(array_from_series(values), field, operation))
        schema = pa.schema([*self.fields, *self.index_fields])
        return pa.Table.from_arrays(arrays, schema=schema)


def _cast(array: pa.Array, field: pa.Field, operation: str) -> pa.Array:
    import pyarrow as pa

    if array.type == field.type:
        return array
    if array.null_count == len(array):  # no value shows the type; or there is no row
        return pa.nulls(len(array), field.type)
    try:
        return array.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"{operation} gave {array.type} in column {field.name!r} where {field.type} was "
            f"declared ({error}); correct `meta`"
        ) from error


def schema_of(meta: pd.DataFrame | pd.Series, *, index: bool | None = None) -> FrameSchema:
    """Return the schema of a pandas frame or series.

    Parameters
    ----------
    meta : pandas.DataFrame or pandas.Series
    index : bool, optional
        Whether the index becomes columns; by default unless it is an unnamed
        RangeIndex that starts at 0.
    """
    import pandas as pd

    frame = meta.to_frame() if isinstance(meta, pd.Series) else meta
    labels = (meta.name,) if isinstance(meta, pd.Series) else tuple(frame.columns)
    names = unique_names(labels)
    fields = tuple(field_for(frame.iloc[:, i], name) for i, name in enumerate(names))
    if index is None:
        index = not is_default_index(frame.index)
    index_fields: tuple = ()
    index_names: tuple = ()
    if index:
        index_fields = tuple(
            field_for(frame.index.get_level_values(level).to_series(), index_column(level))
            for level in range(frame.index.nlevels)
        )
        index_names = tuple(frame.index.names)
    return FrameSchema(fields, labels, index_fields, index_names, (), tuple(frame.columns.names))


def field_for(series: pd.Series, name: str) -> pa.Field:
    """Return the Arrow field for the values of `series`, looking at objects where needed."""
    from penstock.engine.kernels.convert import array_from_series, field_of

    if series.dtype == object and len(series):
        import pyarrow as pa

        return pa.field(name, array_from_series(series).type)
    return field_of(series.dtype, name)


def is_default_index(index: pd.Index) -> bool:
    """Return whether `index` is what pandas gives rows that nobody labelled."""
    import pandas as pd

    return (
        isinstance(index, pd.RangeIndex)
        and index.start == 0
        and index.step == 1
        and index.name is None
    )


def unique_names(labels: Sequence[Any]) -> list[str]:
    """Return a distinct string for each of the user's `labels`."""
    names: list[str] = []
    taken: set[str] = set()
    for label in labels:
        base = label if isinstance(label, str) else str(label)
        name, number = base, 1
        while name in taken:
            name = f"{base}.{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


def _least_bits(kind: pa.DataType) -> int:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.index_type
    try:
        return kind.bit_width
    except ValueError:  # text and lists have an offset each
        return 0 if pa.types.is_null(kind) else 32

"""Groups of a partition as pandas' own grouped objects, for functions that need whole groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.engine.kernels.convert import example_of, series_from_arrow
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@record
class PandasGroups:
    """How pandas groups the rows of a partition.

    Attributes
    ----------
    keys : tuple of str
        Key columns of the blocks.
    names : tuple
        The user's names of the keys.
    columns : tuple of str
        Data columns that the grouped object has.
    series : bool
        The grouped object is of the only column.
    listed : bool
        Groups are called by tuples, even of one key.
    """

    keys: tuple[str, ...]
    names: tuple[Any, ...]
    columns: tuple[str, ...]
    series: bool = False
    sort: bool = True
    group_keys: bool = True
    observed: bool = True
    dropna: bool = True
    listed: bool = False

    def of(self, schema: FrameSchema, table: pa.Table) -> Any:
        """Return the groups of the rows of `table`, a partition with blocks of `schema`."""
        frame = schema.to_pandas(table)
        places = [schema.columns.index(name) for name in self.columns]
        values: Any = frame.iloc[:, places[0]] if self.series else frame.iloc[:, places]
        keys = [
            _key(schema, table, key, frame.index, name)
            for key, name in zip(self.keys, self.names, strict=True)
        ]
        options: dict[str, Any] = {
            "sort": self.sort,
            "group_keys": self.group_keys,
            "observed": self.observed,
            "dropna": self.dropna,
        }
        return values.groupby(keys if len(keys) > 1 or self.listed else keys[0], **options)

    def trial(self, schema: FrameSchema, function: Callable[[Any], Any]) -> Any:
        """Return what `function` gives for a group of one made-up row, to see names and types."""
        import warnings

        import pyarrow as pa

        arrays = [example_of(field.type) for field in schema.arrow]
        row = pa.Table.from_arrays(arrays, schema=schema.arrow)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(self.of(schema, row))

    def one_below_another(self, wide: pd.DataFrame) -> pd.Series:
        """Return a series of what ``groupby.apply`` set side by side, one row for each group.

        pandas does so where the series of all groups have the same labels, as those of the
        groups of one partition may have by chance; the series of one group always have.
        """
        import pandas as pd

        rows = [wide.iloc[place] for place in range(len(wide))]
        if not self.group_keys:
            return pd.concat(rows)
        return pd.concat(rows, keys=list(wide.index), names=list(wide.index.names))


def _key(schema: FrameSchema, table: pa.Table, key: str, index: pd.Index, name: Any) -> pd.Series:
    series = series_from_arrow(table.column(key), schema.field(key))
    series.index = index
    return series.rename(name)

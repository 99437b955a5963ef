"""Methods for looking at a frame: its columns, its rows one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from penstock.collections.base import compute
from penstock.collections.framelike import FrameLike
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd


class LookingMixin(FrameLike):
    """What only frames have."""

    def itertuples(self, index: bool = True, name: str | None = "Pandas") -> Iterator[Any]:
        """Yield the rows as named tuples, one block in memory at a time.

        Parameters
        ----------
        index : bool
            Begin each with the row's label.
        name : str or None
            Of the tuples' type; None yields plain tuples.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> trips = dd.from_pandas(pd.DataFrame({"zone": [1, 2], "fare": [5.0, 7.5]}), 2)
        >>> [trip.fare for trip in trips.itertuples()]
        [5.0, 7.5]
        """
        for block in self.iter_blocks():
            yield from block.itertuples(index=index, name=name)

    def iterrows(self) -> Iterator[tuple[Any, pd.Series]]:
        """Yield pairs of label and row, one block in memory at a time."""
        for block in self.iter_blocks():
            yield from block.iterrows()

    def info(self, buf: Any = None, verbose: bool = False, memory_usage: bool = False) -> None:
        """Print the columns and their dtypes.

        Parameters
        ----------
        buf : file, optional
            Where to print instead of standard output.
        verbose : bool
            Name each column, with the number of its values that are not missing, and the number
            of rows (computes).
        memory_usage : bool
            Accepted for compatibility: the blocks are never in memory all at once.

        Examples
        --------
        >>> import pandas as pd
        >>> import penstock.dataframe as dd
        >>> dd.from_pandas(pd.DataFrame({"zone": [1, 2], "fare": [5.0, 7.5]}), 2).info()
        <class 'penstock.collections.frame.DataFrame'>
        Columns: 2 entries, zone to fare
        dtypes: float64(1), int64(1)
        """
        frame: Any = self
        dtypes = frame.dtypes
        kind = type(self)
        lines = [f"<class '{kind.__module__}.{kind.__qualname__}'>"]
        if verbose:
            lines += _each_column(frame, dtypes)
        elif len(dtypes):
            first, last = dtypes.index[0], dtypes.index[-1]
            lines.append(f"Columns: {len(dtypes)} entries, {first} to {last}")
        else:
            lines.append("Columns: 0 entries")
        counted = dtypes.astype(str).value_counts().sort_index()
        lines.append("dtypes: " + ", ".join(f"{name}({count})" for name, count in counted.items()))
        print(*lines, sep="\n", file=sys.stdout if buf is None else buf)

    @property
    def axes(self) -> list[Any]:
        """The row labels, lazy, and the column labels."""
        frame: Any = self
        return [frame.index, frame.columns]

    def squeeze(self, axis: Any = None) -> Any:
        """Return the column of a frame of one column, otherwise the frame.

        Parameters
        ----------
        axis : {None, 1, "columns"}
        """
        if axis not in (None, 1, "columns"):
            raise UnsupportedError("squeeze(axis=0) would need the number of rows; use head(1)")
        frame: Any = self
        return frame[frame.columns[0]] if len(frame.columns) == 1 else frame


def _each_column(frame: Any, dtypes: pd.Series) -> list[str]:
    """Return a line for the rows and, as a table, one for each column."""
    import pandas as pd

    counts, rows = compute(frame.count(), frame.shape[0])
    table = pd.DataFrame(
        {
            "Column": [str(label) for label in dtypes.index],
            "Non-Null Count": [f"{count} non-null" for count in counts],
            "Dtype": [str(kind) for kind in dtypes],
        }
    )
    return [f"{rows} entries", f"Data columns (total {len(table)} columns):", table.to_string()]

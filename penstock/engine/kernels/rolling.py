"""Moving windows: pandas' own on a block between rows of its neighbours.

A window of a fixed number of rows needs that many neighbouring rows; a window of time needs
the rows whose time is near enough to the block's edge, however many they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from penstock.blocks import compact, concat_tables, single_chunk
from penstock.engine.kernels.aggregate.values import raw
from penstock.records import record

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORWARD = "forward"
"""Name of the option that holds the size of a window that looks forward."""

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@record
class WindowCall:
    """A call of a method of pandas' rolling windows.

    Parameters
    ----------
    options
        Keyword arguments of ``rolling`` as pairs.
    function
        Name of the method.
    arguments
        Its keyword arguments as pairs.
    selected
        Labels of the columns to aggregate; by default all.
    single
        There is one column, taken as a Series.
    with_other
        The last column is what ``cov`` and ``corr`` are taken with.
    """

    options: tuple[tuple[str, Any], ...]
    function: str
    arguments: tuple[tuple[str, Any], ...] = ()
    selected: tuple[Any, ...] | None = None
    single: bool = False
    with_other: bool = False

    def __call__(self, data: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
        """Return what the method gives for a pandas object."""
        import pandas as pd

        arguments = {name: getattr(value, "value", value) for name, value in self.arguments}
        options = dict(self.options)
        if FORWARD in options:
            size = options.pop(FORWARD)
            options["window"] = pd.api.indexers.FixedForwardWindowIndexer(window_size=size)
        if self.with_other:
            arguments["other"] = data.iloc[:, -1]
            data = data.iloc[:, 0] if self.single else data.iloc[:, :-1]
            return getattr(data.rolling(**options), self.function)(**arguments)
        rolling: Any = data.rolling(**options)
        if self.selected is not None:
            rolling = rolling[self.selected[0] if self.single else list(self.selected)]
        return getattr(rolling, self.function)(**arguments)


def rolled(
    call: WindowCall, data: pd.DataFrame | pd.Series, start: int, rows: int
) -> pd.DataFrame | pd.Series:
    """Return the windows that end (or are centered) in some rows of `data`.

    Parameters
    ----------
    call
        The method of pandas' and its options.
    data
        The rows together with the neighbours that their windows reach.
    start, rows
        The first row that is wanted, and how many.

    Returns
    -------
    pandas.DataFrame or pandas.Series
        Some rows for each wanted one: as many as columns for a matrix of covariances.

    Examples
    --------
    >>> import pandas as pd
    >>> call = WindowCall((("window", 2),), "sum")
    >>> rolled(call, pd.Series([1.0, 2.0, 3.0]), 1, 2).to_list()
    [3.0, 5.0]
    """
    result = call(data)
    each = len(result) // len(data) if len(data) else 1
    return result.iloc[start * each : (start + rows) * each]


def row_reach(window: int, center: bool) -> tuple[int, int]:
    """Return how many rows before and after a row its window of `window` rows may need."""
    return window, window // 2 + 1 if center else 0


class TimeRows(NamedTuple):
    """The rows next to a block that are near enough in time, and the direction of time.

    A tuple, so that the store sees the bytes of the rows.
    """

    rows: pa.Table
    """The rows, in their order."""
    first: int | None
    """Time of the first row that was seen; None before the first one."""
    last: int | None
    """Time of the last row that was seen."""
    direction: int
    """1 where time goes up, -1 where it goes down, 0 where it has stood still so far."""


@record
class TimeEdge:
    """Picks the rows within `reach` of the block after them, or before them if `ahead`.

    Parameters
    ----------
    column
        The times.
    reach
        In nanoseconds.
    name
        How errors call the times.
    ahead
        Looks at the rows after a block; the state then comes from the blocks after.
    operation
        Named in errors.
    """

    column: str
    reach: int
    name: str
    ahead: bool = False
    operation: str = "rolling"

    def of_block(self, block: pa.Table) -> TimeRows:
        """Return the rows of one block that others may need.

        Raises
        ------
        ValueError
            A time is missing, or the times are not in order.
        """
        times = self._times(block)
        if not len(times):
            return TimeRows(block, None, None, 0)
        direction = int(np.sign(times[-1] - times[0]))
        if len(times) > 1:
            steps = np.diff(times)
            if (steps < 0).any() if direction >= 0 else (steps > 0).any():
                raise self._unordered()
        return TimeRows(self._near(block, times, times), int(times[0]), int(times[-1]), direction)

    def joined(self, state: TimeRows | None, summary: TimeRows) -> TimeRows:
        """Return the rows that the block after both may need (before both if `ahead`).

        Raises
        ------
        ValueError
            The times of both together are not in order.
        """
        if state is None or state.first is None:
            return summary
        if summary.first is None:
            return state
        earlier, later = (summary, state) if self.ahead else (state, summary)
        direction = self.direction(earlier, later)
        kept = self._near(state.rows, self._times(state.rows), self._times(summary.rows))
        parts = [summary.rows, kept] if self.ahead else [kept, summary.rows]
        return TimeRows(compact(concat_tables(parts)), earlier.first, later.last, direction)

    def direction(self, earlier: TimeRows, later: TimeRows) -> int:
        """Return the direction of time over rows and those after them.

        Raises
        ------
        ValueError
            It is not the same everywhere.
        """
        found = {each.direction for each in (earlier, later)}
        if earlier.last is not None and later.first is not None:
            found.add(int(np.sign(later.first - earlier.last)))
        found.discard(0)
        if len(found) > 1:
            raise self._unordered()
        return found.pop() if found else 0

    def _near(self, table: pa.Table, times: np.ndarray, edge: np.ndarray) -> pa.Table:
        """Return the rows of `table` whose time is within reach of the end of `edge`."""
        unit = getattr(table.schema.field(self.column).type, "unit", "ns")
        reach = -(-self.reach // _NANOSECONDS[unit])
        near = np.flatnonzero(np.abs(times - edge[0 if self.ahead else -1]) <= reach)
        if not len(near):
            return compact(table.slice(0, 0))
        return compact(table.slice(near[0], near[-1] + 1 - near[0]))

    def _times(self, table: pa.Table) -> np.ndarray:
        column = single_chunk(table.column(self.column))
        if column.null_count:
            raise ValueError(
                f"{self.operation}: {self.name} has missing times, which no window of time holds; "
                "drop those rows first"
            )
        return raw(column)

    def _unordered(self) -> ValueError:
        return ValueError(
            f"{self.operation}: {self.name} must be monotonic for windows of time; sort by it first"
        )

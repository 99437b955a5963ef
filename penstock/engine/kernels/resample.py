"""Bins of time: which one each row falls into, and which there are in all.

pandas itself cuts the bins, so that they lie where its ``resample`` has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.records import record

if TYPE_CHECKING:
    import pandas as pd

_DAY = 86_400 * 10**9


@record
class Bins:
    """How time is cut into bins: the options of pandas' ``resample``.

    Parameters
    ----------
    rule
        Length of a bin: a frequency such as ``"2h"`` or ``"ME"``, or a span of time.
    closed, label
        Side of a bin that belongs to it, and that names it.
    origin, offset
        Where bins are counted from.
    """

    rule: Any
    closed: str | None = None
    label: str | None = None
    origin: Any = "start_day"
    offset: Any = None

    @property
    def frequency(self) -> Any:
        """The rule as an offset of pandas'."""
        import pandas as pd

        return pd.tseries.frequencies.to_offset(self.rule)

    def depends_on_ends(self, zone: Any = None) -> bool:
        """Return whether the first and last time of all rows decide where bins lie.

        Parameters
        ----------
        zone
            Time zone of the rows.
        """
        import pandas as pd

        offset: Any = self.frequency
        day = isinstance(offset, pd.offsets.Day)
        if not isinstance(offset, pd.offsets.Tick) and not (day and zone is None):
            return bool(offset.n != 1) or self.offset is not None
        if isinstance(self.origin, str) and self.origin != "epoch":
            if self.origin != "start_day" or (zone is not None and str(zone) != "UTC"):
                return True
            return bool(_DAY % int(pd.Timedelta(offset).as_unit("ns").value))
        return False

    def sizes(self, times: Any) -> pd.Series:
        """Return how many of `times` (none missing, in order) fall into each bin."""
        import pandas as pd

        return (
            pd.Series(np.zeros(len(times), np.int8), index=times)
            .resample(
                self.rule,
                closed=self.closed,
                label=self.label,
                origin=self.origin,
                offset=self.offset,
            )
            .size()
        )

    def labels(self, first: Any, last: Any) -> Any:
        """Return the labels of all bins from the first time to the last.

        Examples
        --------
        >>> import pandas as pd
        >>> times = pd.to_datetime(["2024-01-01 01:30", "2024-01-01 05:00"])
        >>> Bins("2h").labels(times[0], times[1]).hour.to_list()
        [0, 2, 4]
        """
        import pandas as pd

        return self.sizes(_index([first, last], pd.Index([first]).dtype)).index

    def label_of_each(self, times: pd.Index, first: Any = None, last: Any = None) -> Any:
        """Return the label of the bin of each of `times`.

        Parameters
        ----------
        times
            In any order; missing ones have no bin.
        first, last
            Of all rows, where bins depend on them.
        """
        import pandas as pd

        valid = ~np.asarray(times.isna())
        known = times[valid]
        if not len(known):
            return times
        order = None if known.is_monotonic_increasing else np.argsort(known.asi8, kind="stable")
        in_order: Any = known if order is None else known.take(order)
        if first is not None:
            ends = [_index([end], times.dtype) for end in (first, last)]
            in_order = ends[0].append([in_order, ends[1]])
        sizes = self.sizes(in_order)
        labels: Any = sizes.index.repeat(sizes.to_numpy())
        if first is not None:
            labels = labels[1:-1]
        if order is not None:
            back = np.empty(len(order), np.int64)
            back[order] = np.arange(len(order))
            labels = labels.take(back)
        if valid.all():
            return labels
        places = np.full(len(times), -1)
        places[valid] = np.arange(len(labels))
        return pd.Series(labels).reindex(places).array


def _index(values: list[Any], dtype: Any) -> Any:
    import pandas as pd

    return pd.Index(values, dtype=dtype)

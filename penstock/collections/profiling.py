"""What the work inside a block cost: time, memory, spill, bytes read."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from penstock.io.filesystem import bytes_read
from penstock.scheduler import Profile
from penstock.scheduler.limits import peak_resident_bytes


class profile(Profile):  # noqa: N801  used like a function: ``with penstock.profile() as p``
    """Measure all computations inside a ``with`` block.

    Attributes
    ----------
    elapsed : float
        Seconds between entering and leaving.
    bytes_read : int
        Bytes that readers moved from storage, of all kinds.
    peak_rss : int
        Most resident bytes the process ever had.
    spilled_bytes, peak_memory, tasks, stages
        As in `penstock.scheduler.Profile`.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock
    >>> import penstock.dataframe as dd
    >>> with penstock.profile() as p:
    ...     total = dd.from_pandas(pd.Series(range(10)), 2).sum().compute()
    >>> p.tasks > 0
    True
    """

    elapsed: float = 0.0
    bytes_read: int = 0
    peak_rss: int = 0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        self._read_before = _total_read()
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self.elapsed = time.perf_counter() - self._start
        self.bytes_read = _total_read() - self._read_before
        self.peak_rss = peak_resident_bytes()


def _total_read() -> int:
    return sum(bytes_read().values())

"""Memory limits for tests that run in the process of the test suite, which is large itself."""

from __future__ import annotations

from penstock.scheduler.limits import resident_bytes
from penstock.scheduler.memory import HEADROOM_SHARE, MIN_HEADROOM, SPILL_WORKSPACE


def limit_leaving(budget: int) -> int:
    """Return the ``memory_limit`` under which this process has `budget` bytes for its blocks.

    Parameters
    ----------
    budget : int

    Returns
    -------
    int
    """
    taken = resident_bytes() + SPILL_WORKSPACE + budget
    # the share of the limit that stays free grows with what the process has already
    return int(max(taken + MIN_HEADROOM, taken / (1 - HEADROOM_SHARE)))

"""Check calls that exchange rows between blocks: in memory, and with every exchange spilling."""

from __future__ import annotations

from typing import Any

from penstock import config
from penstock.scheduler import Profile
from tests.oracle.harness import Call, check, drawn, sample, tried_partitions

# Small enough for every exchange of the small test frames to spill and to make several partitions.
SPILLING = {"exchange-memory": 64}
_SPILLING_MORE = {"exchange-memory": 256}
"""The same for frames of a hundred rows and more."""


def check_exchanged(call: Call, data: Any, **options: Any) -> None:
    """Assert that `call` gives what pandas gives, however the rows are exchanged.

    Parameters
    ----------
    call : callable
        Takes a DataFrame or Series of pandas, or a collection.
    data : pandas.DataFrame or pandas.Series
    **options
        For `check`.
    """
    __tracebackhide__ = True
    with config.set({"verify-plans": True}):
        if len(data) <= 1:  # nothing to spill
            check(call, data, **options)
            return
        in_memory = tuple(count for count in tried_partitions.get() if count != 3)
        check(call, data, partitions=in_memory or (1,), **options)
        if 3 in tried_partitions.get():
            with config.set(SPILLING):
                check(call, data, partitions=(3,), **options)


def check_spilled(call: Call, data: Any, **options: Any) -> None:
    """Assert the same of exchanges that spill, and that they did write files."""
    __tracebackhide__ = True
    for scheduler, partitions in (("threads", (3, 17)), ("sync", (1, 17))):
        options["partitions"] = partitions
        with config.set({"verify-plans": True, **_SPILLING_MORE}), Profile() as profile:
            check(call, data, scheduler=scheduler, **options)
        assert profile.spilled_bytes > 0, f"nothing was spilled with {scheduler}"


__all__ = ["Call", "check_exchanged", "check_spilled", "drawn", "sample"]

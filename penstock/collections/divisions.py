"""Index values at which rows are cut into partitions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from penstock.errors import SchemaError


def checked_divisions(
    divisions: Sequence[Any], known: tuple[Any, ...] | None, *, force: bool
) -> tuple[Any, ...]:
    """Return `divisions` when rows of the `known` ones can be cut by them.

    Parameters
    ----------
    divisions : sequence
        First index value of each partition, and the last one of the last.
    known : tuple or None
        Those of the rows now; None when they are not known, so that only the rows can tell.
    force : bool
        Whether the new ones may begin before and end after the old ones.

    Raises
    ------
    ValueError
        When they are not in order, or do not hold all rows.

    Examples
    --------
    >>> checked_divisions([0, 5, 10], (0, 10), force=False)
    (0, 5, 10)
    """
    new = tuple(divisions)
    if len(new) < 2:
        raise ValueError("divisions need at least two values: the first and the last label")
    if any(after < before for before, after in pairwise(new)):
        raise ValueError(f"divisions must be in order, not {list(new)}")
    if known is None:
        return new
    for side, old, end, beyond in (
        ("left", known[0], new[0], new[0] > known[0]),
        ("right", known[-1], new[-1], new[-1] < known[-1]),
    ):
        if beyond:
            raise ValueError(
                f"{side} side of the new divisions, {end!r}, leaves out rows: the old one is {old!r}"
            )
        if end != old and not force:
            raise ValueError(
                f"{side} side of old and new divisions are different: {old!r} and {end!r}; pass "
                "force=True to widen them"
            )
    return new


def index_divisions(plan: Any, divisions: Sequence[Any], *, force: bool) -> tuple[Any, ...]:
    """Return `divisions` for the rows of `plan`, whose index has one level."""
    if len(plan.schema.index) != 1:
        raise SchemaError("divisions need an index of one level")
    return checked_divisions(divisions, plan.divisions, force=force)

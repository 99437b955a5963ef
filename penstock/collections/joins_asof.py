"""merge_asof: which columns meet, and which index results."""

from __future__ import annotations

from typing import Any

from penstock.collections.base import noted
from penstock.collections.joins import _named, as_frame
from penstock.collections.kinds import new_frame
from penstock.collections.reshaping import as_labels
from penstock.collections.rows import labelled
from penstock.engine.nodes.join_asof import JoinAsof
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sort import in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError


def merge_asof(
    left: Any,
    right: Any,
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    by: Any = None,
    left_by: Any = None,
    right_by: Any = None,
    suffixes: tuple[str | None, str | None] = ("_x", "_y"),
    tolerance: Any = None,
    allow_exact_matches: bool = True,
    direction: str = "backward",
) -> Any:
    """Join each left row with the nearest right row by a sorted key, as `pandas.merge_asof`.

    Parameters
    ----------
    left, right : DataFrame or pandas.DataFrame
        Both sorted by the key.
    on, left_on, right_on : label, optional
        The key: numbers or times of one type.
    left_index, right_index : bool
        Use the index as key.
    by, left_by, right_by : label or list of labels, optional
        Columns that must be equal.
    suffixes : tuple of str
        Added to columns that both have.
    tolerance : number or timedelta, optional
        How far away a match may be.
    allow_exact_matches : bool
        Whether an equal key is a match.
    direction : {"backward", "forward", "nearest"}
        Look for the last key before, the first after, or the nearest.

    Returns
    -------
    DataFrame
        The left rows in their order.

    Raises
    ------
    ValueError
        When the arguments do not fit together; when a side is not sorted, or its keys are
        missing (found when computing).

    Notes
    -----
    A small right side is given to every left block. Otherwise both sides are cut by ranges of
    the key, and the nearest right row of each group of `by` is handed on from range to range, so
    that besides a range one row for each group is held at once.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> trades = dd.from_pandas(pd.DataFrame({"t": [1, 5, 9], "price": [10, 11, 12]}), 2)
    >>> quotes = dd.from_pandas(pd.DataFrame({"t": [0, 4, 8], "bid": [9, 10, 11]}), 2)
    >>> dd.merge_asof(trades, quotes, on="t").compute()
       t  price  bid
    0  1     10    9
    1  5     11   10
    2  9     12   11
    """
    import pandas as pd

    left, right = as_frame(left), as_frame(right)
    options = {"tolerance": tolerance, "allow_exact_matches": allow_exact_matches,
               "direction": direction}  # fmt: skip
    left_plan = _side(left, left_index, left_index or right_index)
    right_plan = _side(right, right_index, right_index)
    # pandas itself judges the arguments, and tells the labels of the result
    example = pd.merge_asof(
        left_plan.schema.meta, right_plan.schema.meta, on=on, left_on=left_on, right_on=right_on,
        left_index=left_index, right_index=right_index, by=by, left_by=left_by,
        right_by=right_by, suffixes=suffixes, **options,
    )  # fmt: skip
    if by is not None:
        left_by = right_by = by
    key_left, key_right = (left_on, right_on) if on is None else (on, on)
    by_left = tuple(left_plan.schema.column(label) for label in as_labels(left_by))
    by_right = tuple(right_plan.schema.column(label) for label in as_labels(right_by))
    on_left = _key(left_plan, key_left, left_index)
    on_right = _key(right_plan, key_right, right_index)
    left_columns, right_columns = _columns(
        left_plan, right_plan, [on_left, *by_left], [on_right, *by_right], suffixes
    )
    labels = [label for _, _, label in (*left_columns, *right_columns)]
    if len(example.columns) == len(labels) + 1:  # pandas puts the key first, too
        names = unique_names([*(name for _, name, _ in (*left_columns, *right_columns)), "key"])
        left_columns = ((on_left, names[-1], example.columns[0]), *left_columns)
        labels.insert(0, example.columns[0])
    if labels != list(example.columns):
        raise UnsupportedError(
            f"merge_asof would give the columns {labels}, pandas {list(example.columns)}; "
            "rename columns that both sides have"
        )
    node = JoinAsof(
        left_plan, right_plan, on_left, on_right, by_left, by_right, Opaque(options),
        left_columns, right_columns, left_index or right_index,
    )  # fmt: skip
    return new_frame(noted(node))


def _side(frame: Any, by_index: bool, keep_index: bool) -> FrameNode:
    plan = in_order(labelled(frame.plan) if keep_index else frame.plan)
    if by_index or keep_index or not plan.schema.index:
        return plan
    return ResetIndex(plan, (), (), drop=True)


def _key(plan: FrameNode, label: Any, by_index: bool) -> str:
    if by_index:
        return plan.schema.index[0]
    (label,) = as_labels(label)
    return plan.schema.column(label)


def _columns(
    left: FrameNode,
    right: FrameNode,
    on_left: list[str],
    on_right: list[str],
    suffixes: tuple[str | None, str | None],
) -> tuple[Any, Any]:
    """Return the columns of either side with their names in the result."""
    label_left = dict(zip(left.schema.columns, left.schema.labels, strict=True))
    label_right = dict(zip(right.schema.columns, right.schema.labels, strict=True))
    shared = frozenset(
        (a, b)
        for a, b in zip(on_left, on_right, strict=True)
        if a in label_left and b in label_right and label_left[a] == label_right[b]
    )
    lefts, rights = _named(
        left.schema, right.schema, tuple(on_left), tuple(on_right), suffixes,
        shared=shared, left_only=False,
    )  # fmt: skip
    same = {b for _, b in shared}
    return lefts, tuple(item for item in rights if item[0] not in same)

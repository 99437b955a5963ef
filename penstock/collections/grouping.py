"""How the rows of a collection are grouped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.engine.plan import FrameNode


@dataclass(frozen=True)
class Grouping:
    """How rows are grouped.

    Attributes
    ----------
    plan : FrameNode
        Rows with the key columns.
    keys : tuple of str
        Key columns in the plan's blocks.
    names : tuple
        The user's names of the keys.
    columns : tuple of (str, Any)
        Value columns: name in blocks and label.
    """

    plan: FrameNode
    keys: tuple[str, ...]
    names: tuple[Any, ...]
    columns: tuple[tuple[str, Any], ...]
    as_index: bool = True
    sort: bool = True
    group_keys: bool = True
    observed: bool = True
    dropna: bool = True

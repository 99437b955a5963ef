"""Reads a `CarrySource` as the engine does, one split after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from penstock.io.source import CarrySource, Pushdown


def read_blocks(
    source: CarrySource, pushdown: Pushdown | None = None, target_bytes: int = 1 << 20
) -> list[Any]:
    """Return the blocks of all splits: fetched in order, parsed last to first."""
    pushdown = pushdown or Pushdown()
    state = cursor = None
    waiting = []
    for split in source.split(pushdown, target_bytes):
        payload, summary, cursor = source.fetch(split, cursor if split.after else None)
        waiting.append((payload, state, split))
        state = source.advance(state, summary)
    blocks = [source.parse(*arguments, pushdown) for arguments in reversed(waiting)]
    return blocks[::-1]


def read_table(source: CarrySource, pushdown: Pushdown | None = None) -> pa.Table:
    """Return all rows of a source of tables, checking each block's schema."""
    blocks = read_blocks(source, pushdown)
    if pushdown is None:
        for block in blocks:
            assert block.schema.equals(source.schema, check_metadata=True)
    return pa.concat_tables(blocks)


def as_frame(table: pa.Table, labels: Any) -> pd.DataFrame:
    """Return a table as the frame that pandas' default dtypes would make of it."""
    frame = table.to_pandas()
    for i, dtype in enumerate(frame.dtypes):
        column = frame.iloc[:, i]
        if dtype.kind == "O" and column.isna().any():
            frame.isetitem(i, column.where(column.notna(), np.nan))
    if any(isinstance(label, tuple) for label in labels):
        frame.columns = pd.MultiIndex.from_tuples(labels)
    else:
        frame.columns = pd.Index(labels)
    return frame

"""Frames for tests of kernels: missing values, NaN, unicode, extreme dates, duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pandas as pd
from pandas.testing import assert_frame_equal

from penstock.engine.kernels.convert import frame_from_table, table_from_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

TEXTS = ["", "a", "b", "ab", "Ä", "日本", "🙂", "a long text that needs several words", None]
FLOATS = [0.0, -0.0, 1.0, -1.5, 2.5, 1e6, -7.25, 3.0, None, float("nan")]
EXTREME_TIMES = ["1677-10-01", "1970-01-01", "2024-02-29 12:34:56.789", "2262-04-11", None]
CATEGORIES = ["low", "mid", "high", "never"]


def _column(values: Sequence[object], dtype: str) -> pd.Series:
    return pd.Series(list(values), dtype=dtype)


ROWS = st.tuples(
    st.sampled_from(TEXTS),
    st.sampled_from(FLOATS),
    st.integers(-(2**40), 2**40),
    st.integers(-4, 4),
    st.integers(-128, 127),
    st.booleans(),
    st.sampled_from(EXTREME_TIMES),
    st.one_of(st.none(), st.integers(-(10**9), 10**9)),
    st.sampled_from([*CATEGORIES[:3], None]),
    st.one_of(st.none(), st.integers(-8000, 8000).map(lambda n: n / 8)),
)


def build_frame(rows: list[tuple]) -> pd.DataFrame:
    """Return the frame of rows drawn from `ROWS`."""
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 10
    categories = pd.CategoricalDtype(CATEGORIES, ordered=True)
    return pd.DataFrame(
        {
            "text": _column(columns[0], "str"),
            "float": _column(columns[1], "float64"),
            "big": _column(columns[2], "int64"),
            "int": _column(columns[3], "int64"),
            "tiny": _column(columns[4], "int8"),
            "bool": _column(columns[5], "bool"),
            "time": pd.Series(pd.to_datetime(columns[6], format="ISO8601")).astype(
                "datetime64[us]"
            ),
            "delta": pd.Series(pd.to_timedelta(columns[7], unit="us")).astype("timedelta64[us]"),
            "cat": pd.Series(columns[8], dtype=categories),
            "number": _column(columns[9], "float64"),
        }
    )


frames = st.lists(ROWS, max_size=25).map(build_frame)


def blocks_of(table: pa.Table, size: int) -> list[pa.Table]:
    """Return slices of `table`; at least one, even if there are no rows."""
    return [table.slice(i, size) for i in range(0, max(table.num_rows, 1), size)]


def assert_same(table: pa.Table, expected: pd.DataFrame, **options: object) -> None:
    """Compare a kernel's table with what pandas gives."""
    expected = expected.reset_index(drop=True)
    assert_frame_equal(frame_from_table(table), expected, **options)  # type: ignore[arg-type]


def to_table(frame: pd.DataFrame) -> pa.Table:
    """Return `frame` as kernels see it: null is the one missing value."""
    return table_from_frame(frame)

"""What blocks keep for the windows of others, and where bins of time lie."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from penstock.engine.kernels.resample import Bins
from penstock.engine.kernels.rolling import TimeEdge

MICROSECOND = 1000


def _table(*times: int | None) -> pa.Table:
    return pa.table({"t": pa.array(times, pa.timestamp("us"))})


def _times(table: pa.Table) -> list[int]:
    return table.column("t").cast(pa.int64()).to_pylist()


def test_rows_that_are_near_enough_in_time() -> None:
    edge = TimeEdge("t", 3 * MICROSECOND, "the index")
    state = edge.of_block(_table(1, 2, 5, 6, 7))
    assert _times(state.rows) == [5, 6, 7]
    assert (state.first, state.last, state.direction) == (1, 7, 1)
    # from two blocks back
    state = edge.joined(state, edge.of_block(_table(9)))
    assert _times(state.rows) == [6, 7, 9]
    # an empty block changes nothing
    assert edge.joined(state, edge.of_block(_table())) is state
    state = edge.joined(state, edge.of_block(_table(20, 20)))
    assert _times(state.rows) == [20, 20]


def test_rows_ahead() -> None:
    edge = TimeEdge("t", 2 * MICROSECOND, "the index", ahead=True)
    state = edge.joined(edge.of_block(_table(8, 9, 20)), edge.of_block(_table(6, 6)))
    assert _times(state.rows) == [6, 6, 8]


def test_a_reach_that_is_no_whole_unit_is_not_cut_short() -> None:
    edge = TimeEdge("t", 1500, "the index")
    assert _times(edge.of_block(_table(1, 2, 3, 4)).rows) == [2, 3, 4]


@pytest.mark.parametrize(
    ("first", "second"),
    [((1, 3, 2), ()), ((3, 1, 2), ()), ((1, 2), (1,)), ((2, 1), (2,)), ((1, 2), (2, 1))],
)
def test_times_out_of_order(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    edge = TimeEdge("t", 10**6, "column 'when'")
    with pytest.raises(ValueError, match="column 'when' must be monotonic"):
        edge.joined(edge.of_block(_table(*first)), edge.of_block(_table(*second)))


def test_times_that_stand_still_have_no_direction() -> None:
    edge = TimeEdge("t", 0, "the index")
    still = edge.joined(edge.of_block(_table(5, 5)), edge.of_block(_table(5)))
    assert still.direction == 0
    for times, direction in (((5, 4), -1), ((5, 6), 1)):
        assert edge.joined(still, edge.of_block(_table(*times))).direction == direction


def test_missing_times() -> None:
    with pytest.raises(ValueError, match="missing times"):
        TimeEdge("t", 1, "the index").of_block(_table(1, None))


@pytest.mark.parametrize(
    ("bins", "zone", "expected"),
    [
        (Bins("2h"), None, False), (Bins("2h"), "UTC", False), (Bins("2h"), "Europe/Zurich", True),
        (Bins("7h"), None, True), (Bins("7h", origin="epoch"), None, False),
        (Bins("D"), None, False), (Bins("3D"), None, True), (Bins("ME"), "Europe/Zurich", False),
        (Bins("2ME"), None, True), (Bins("2h", origin="end"), None, True),
        (Bins("7h", origin=pd.Timestamp("2020-01-01")), None, False),
    ],
)  # fmt: skip
def test_bins_that_the_first_time_decides(bins: Bins, zone: str | None, expected: bool) -> None:
    assert bins.depends_on_ends(zone) is expected


def test_labels_of_times_in_any_order() -> None:
    times = pd.DatetimeIndex(["2024-01-01 05:10", None, "2024-01-01 00:30", "2024-01-01 04:00"])
    found = pd.Index(Bins("2h").label_of_each(times))
    assert found.isna().tolist() == [False, True, False, False]
    assert found[[0, 2, 3]].hour.to_list() == [4, 0, 4]

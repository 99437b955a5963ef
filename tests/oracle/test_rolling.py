"""Moving windows, over any number of rows and any blocks, against pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import SchemaError, UnsupportedError
from tests.oracle.harness import check, drawn, sample
from tests.support.frames import assert_eq

FUNCTIONS = (
    "sum", "count", "mean", "min", "max", "first", "last", "nunique", "var", "std", "sem",
    "median", "skew", "kurt", "rank",
)  # fmt: skip
ROWS = 40
# Windows smaller than blocks, and larger than several.
BLOCKS = (2, 17)


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    values = rng.normal(size=ROWS)
    values[rng.random(ROWS) < 0.2] = np.nan
    whole = pd.Series(rng.integers(0, 9, ROWS)).astype("Int64")
    return pd.DataFrame(
        {
            "x": values,
            "i": rng.integers(0, 5, ROWS),
            "b": rng.random(ROWS) < 0.5,
            "n": whole.where(rng.random(ROWS) < 0.7),
        }
    )


def _timed(zone: str | None = None) -> pd.DataFrame:
    """Return rows at uneven times, some of them equal, over a change of the clocks."""
    rng = np.random.default_rng(3)
    minutes = np.sort(rng.integers(0, 3000, ROWS))
    minutes[10:14] = minutes[10]
    times = pd.DatetimeIndex(
        pd.Timestamp("2021-03-27 20:00") + pd.to_timedelta(minutes, "m"), name="when"
    )
    frame = _frame().set_index(times)
    return frame if zone is None else frame.tz_localize("UTC").tz_convert(zone)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_rows(function: str) -> None:
    frame = _frame()
    # fewer rows than a block has, and more than several have
    check(lambda df: getattr(df.rolling(3), function)(), frame, partitions=BLOCKS)
    check(lambda df: getattr(df.x.rolling(25, min_periods=4), function)(), frame, partitions=BLOCKS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_times(function: str) -> None:
    check(
        lambda df: getattr(df.rolling("3h"), function)(), _timed("Europe/Zurich"), partitions=BLOCKS
    )
    check(
        lambda df: getattr(df.x.rolling("20h", min_periods=2), function)(),
        _timed(),
        partitions=BLOCKS,
    )
    on = _timed().reset_index()
    check(
        lambda df: getattr(df[["i", "when"]].rolling("3h", on="when"), function)(),
        on,
        partitions=BLOCKS,
    )


@pytest.mark.parametrize("closed", ["left", "right", "both", "neither"])
@pytest.mark.parametrize("function", ["sum", "median"])
def test_closed(function: str, closed: Any) -> None:
    rows = {"min_periods": 1, "closed": closed}
    check(lambda df: getattr(df.rolling(4, **rows), function)(), _frame(), partitions=BLOCKS)
    check(
        lambda df: getattr(df.rolling("5h", closed=closed), function)(), _timed(), partitions=BLOCKS
    )


@pytest.mark.parametrize("window", [1, 4, 5, 100])
def test_centered_rows(window: int) -> None:
    check(lambda df: df.rolling(window, center=True, min_periods=1).mean(), _frame())


def test_windows_that_look_forward() -> None:
    check(lambda df: df.rolling("7h", center=True).sum(), _timed())
    for size in (1, 3, 50):
        window = pd.api.indexers.FixedForwardWindowIndexer(window_size=size)
        check(lambda df: df.rolling(window, min_periods=1).max(), _frame())  # noqa: B023
    with pytest.raises(UnsupportedError, match="center"):
        dd.from_pandas(_timed(), 2).rolling("3h", center=True).rank()


def test_falling_times() -> None:
    check(lambda df: df.rolling("3h").sum(), _timed().iloc[::-1])
    check(lambda df: df.rolling("3h").sum(), _timed().iloc[:1])
    check(lambda df: df.rolling("3h").sum(), _timed().iloc[:0])
    check(lambda df: df.rolling(3).sum(), _frame().iloc[:0])


@pytest.mark.parametrize("window", ["2h", pd.Timedelta("90min"), "1D", pd.offsets.Minute(45)])
def test_spans_of_time(window: Any) -> None:
    check(lambda df: df.rolling(window).sum(), _timed())
    check(lambda df: df.rolling(window).sum(), _timed().set_axis(_timed().index.as_unit("ns")))


def test_times_out_of_order() -> None:
    rows = _timed().iloc[[0, 1, 2, 3, 30, 20, 19]]
    check(lambda df: df.rolling("1h").sum(), rows)
    # up in one block and down in the next
    check(lambda df: df.rolling("1h").sum(), _timed().iloc[[0, 5, 10, 9, 8, 7]])
    on = _timed().reset_index()
    check(lambda df: df.rolling("1h", on="when").sum(), on.assign(when=on.when.where(on.i > 0)))


def test_empty_blocks() -> None:
    frame = _timed()
    check(lambda df: df[df.i == 3].x.rolling("9h").sum(), frame, partitions=(1, 9))
    check(lambda df: df[df.i == 3].x.rolling(3).sum(), frame, partitions=(1, 9))


def test_selected_columns() -> None:
    on = _timed().reset_index()
    check(lambda df: df.rolling("3h", on="when")["x"].sum(), on)
    check(lambda df: df.rolling("3h", on="when")[["x", "i"]].sum(), on)
    check(lambda df: df.rolling(3)[["x"]].sum(), on)
    check(lambda df: df.rolling(3).x.sum(), on)
    check(lambda df: df.rolling("3h", on="when").sum()["i"], on)
    check(lambda df: df.rolling(3).sum()["i"], _frame())
    with pytest.raises(KeyError, match="missing"):
        dd.from_pandas(on, 2).rolling(3)["missing"]


def test_functions_of_the_users() -> None:
    frame = _frame()
    check(lambda df: df.rolling(4, min_periods=1).apply(np.nanmax, raw=True), frame)
    check(lambda df: df.x.rolling(4).apply(lambda s, scale: s.sum() * scale, args=(2,)), frame)
    check(lambda df: df.rolling("4h").apply(lambda s: s.index[-1].minute), _timed()[["x"]])
    check(lambda df: df.rolling(4).quantile(0.3, interpolation="lower"), frame)
    check(lambda df: df.rolling(4).var(ddof=0), frame)


@pytest.mark.parametrize(
    "function",
    [
        "mean", ["sum", "std"], {"x": "sum", "i": ["min", "max"]}, {"x": "sum", "i": "min"},
        lambda s: s.max() - s.min(), ["sum", np.ptp],
    ],
)  # fmt: skip
def test_agg(function: Any) -> None:
    check(lambda df: df.rolling(4, min_periods=2).agg(function), _frame()[["x", "i"]])
    if not isinstance(function, dict):
        check(lambda df: df.x.rolling("4h").agg(function), _timed())


@pytest.mark.parametrize("function", ["cov", "corr"])
def test_two_columns(function: str) -> None:
    frame = _timed()[["x", "i"]]
    check(lambda df: getattr(df.rolling(4, min_periods=2), function)(), frame)
    check(lambda df: getattr(df.rolling("4h"), function)(), frame)
    check(lambda df: getattr(df.rolling(4), function)(pairwise=False), frame)
    check(lambda df: getattr(df.x.rolling(4), function)(df.i), frame)
    check(lambda df: getattr(df.x.rolling(4), function)(df.x), frame)
    check(lambda df: getattr(df.rolling(4), function)(df.x), frame)
    check(lambda df: getattr(df.x.rolling(4), function)(), frame)
    collection = dd.from_pandas(frame, 3)
    with pytest.raises(UnsupportedError, match="column by column"):
        getattr(collection.rolling(3), function)(collection)


@pytest.mark.parametrize("window", [2, 5])
@drawn("small_int finite nullable_bool few all_missing")
def test_drawn(window: int, frame: pd.DataFrame) -> None:
    check(lambda df: df.rolling(window, min_periods=1).sum(), frame)
    check(lambda df: df.finite.rolling(window).max(), frame)


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (5, 3), (50, 50), (0, 0)])
def test_map_overlap(before: int, after: int) -> None:
    def sums(data: Any) -> Any:
        return data.rolling(before + after + 1, min_periods=1).sum().shift(-after)

    def both(data: Any) -> Any:
        if isinstance(data, pd.DataFrame | pd.Series):
            return sums(data).iloc[: len(data) - after or None]
        found = data.map_overlap(sums, before, after)
        return found.compute().iloc[: ROWS - after]

    check(both, _frame()[["i"]].astype(float))
    check(both, _timed().x.fillna(0))


def test_map_overlap_of_times() -> None:
    def sums(data: pd.Series) -> pd.Series:
        return data.rolling("3h", center=True).sum()

    frame = _timed()
    for npartitions in (1, 4, 17):
        collection = dd.from_pandas(frame, npartitions)
        found = collection.x.map_overlap(sums, pd.Timedelta("2h"), "2h", meta=("x", "float64"))
        assert_eq(found, sums(frame.x))
        twice = collection.map_overlap(lambda df: pd.concat([df, df]).sort_index(), 0, 0)
        assert len(twice.compute()) == 2 * ROWS
    plain = dd.from_pandas(_frame(), 4)
    with pytest.raises(SchemaError, match="index of times"):
        plain.map_overlap(sums, "2h", 0, meta=_frame())
    with pytest.raises(ValueError, match="before"):
        plain.map_overlap(sums, -1, 0, meta=_frame())
    with pytest.raises(SchemaError, match="rows"):
        plain.map_overlap(lambda df: df.iloc[:-1], 1, 0, meta=_frame().iloc[:0]).compute()
    with pytest.raises(UnsupportedError, match="one collection"):
        plain.map_overlap(sums, 1, 0, plain)


def test_infinite_values() -> None:
    check(lambda df: df.rolling(2, min_periods=1).sum(), sample("float"))


def test_types_without_numbers() -> None:
    frame = _frame().assign(s="a")
    check(lambda df: df.rolling(3).sum(), frame)
    check(lambda df: df.rolling(3).count(), frame)
    check(lambda df: df.rolling(3).sum(numeric_only=True), frame)
    with pytest.raises(SchemaError, match="numeric"):
        dd.from_pandas(frame, 2).s.rolling(3).sum()


def test_refused() -> None:
    frame = dd.from_pandas(_timed(), 2)
    plain = dd.from_pandas(_frame(), 2)
    for options in ({"window": -1}, {"window": "abc"}, {"window": 2, "min_periods": 3}):
        with pytest.raises(ValueError, match=r"window|min_periods"):
            frame.rolling(**options)
    with pytest.raises(ValueError, match="index of times"):
        plain.rolling("3h")
    for refused in ({"step": 2}, {"method": "table"}, {"win_type": "hamming"}):
        with pytest.raises(UnsupportedError, match="rolling"):
            frame.rolling(3, **refused)
    with pytest.raises(UnsupportedError, match="engine"):
        frame.rolling(3).sum(engine="numba")
    with pytest.raises(AttributeError, match="no method"):
        frame.rolling(3).absent()


def test_no_row_is_held_twice() -> None:
    """Blocks keep their rows: the result can stand beside the input."""
    frame = _frame()
    collection = dd.from_pandas(frame, 5)
    both = collection.assign(mean=collection.x.rolling(7, min_periods=1).mean())
    assert_eq(both, frame.assign(mean=frame.x.rolling(7, min_periods=1).mean()))
    assert both.npartitions == 5

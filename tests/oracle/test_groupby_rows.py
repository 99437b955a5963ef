"""groupby: some rows of each group, windows of rows, and the groups themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import MemoryLimitError, UnsupportedError
from tests.oracle.exchanges import Call, check_exchanged, drawn, sample
from tests.support.limits import limit_leaving

if TYPE_CHECKING:
    from pathlib import Path

SOME: dict[str, Call] = {
    "head": lambda g: g.head(1),
    "head of none": lambda g: g.head(0),
    "head but the last": lambda g: g.head(-1),
    "tail": lambda g: g.tail(2),
    "tail but the first": lambda g: g.tail(-1),
    "nth": lambda g: g.nth(0),
    "nth from the end": lambda g: g.nth(-1),
    "nth of several": lambda g: g.nth([0, -1]),
    "nth of a slice": lambda g: g.nth(slice(1, None)),
    "nth of a slice to the end": lambda g: g.nth(slice(0, -1)),
    "nth of every second": lambda g: g.nth(slice(None, None, 2)),
    "filter": lambda g: g.filter(lambda rows: len(rows) > 2),
    "filter of nothing": lambda g: g.filter(lambda rows: False),
    "filter by no truth": lambda g: g.filter(lambda rows: "yes"),
}  # fmt: skip


@pytest.mark.parametrize("case", SOME)
def test_rows(case: str) -> None:
    check_exchanged(lambda df: SOME[case](df.groupby("few")), sample("few", "text", "finite"))


@pytest.mark.parametrize("case", ["head", "tail", "nth of several", "filter"])
def test_rows_of_series(case: str) -> None:
    check_exchanged(lambda df: SOME[case](df.groupby("text").finite), sample("text", "finite"))


@pytest.mark.parametrize("case", ["head", "tail", "nth", "filter"])
@drawn("float finite", max_examples=1)
def test_rows_of_drawn(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(lambda df: SOME[case](df.groupby("float")), frame)


OF_ROWS: dict[str, Call] = {
    "columns chosen": lambda df: df.groupby("few")[["finite"]].head(1),
    "several keys": lambda df: df.groupby(["few", "text"]).head(1),
    "missing keys kept": lambda df: df.groupby("text", dropna=False).tail(1),
    "expression": lambda df: df.groupby(df.few % 2).nth(1),
    "category": lambda df: df.groupby("category", observed=False).head(1),
    "after a sort": lambda df: df.sort_values("finite").groupby("few").head(1),
    "then grouped": lambda df: df.groupby("few").head(2).groupby("few").finite.sum(),
    "filter by column": lambda df: df.groupby("few").filter(lambda g: g.finite.sum() > 0),
    "filter with keys": lambda df: df.groupby("few").filter(lambda g: g.few.iloc[0] > 0),
    "get_group": lambda df: df.groupby("few").get_group(1),
    "get_group of several": lambda df: df.groupby(["few", "text"]).get_group((1, "007")),
    "get_group of series": lambda df: df.groupby("few").finite.get_group(0),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_ROWS)
def test_of_rows(case: str) -> None:
    check_exchanged(OF_ROWS[case], sample("few", "text", "finite", "category"))


WINDOWS: dict[str, Call] = {
    "rolling sum": lambda g: g.rolling(2).sum(),
    "rolling mean": lambda g: g.rolling(3, min_periods=1).mean(),
    "rolling centre": lambda g: g.rolling(3, center=True, min_periods=1).max(),
    "rolling quantile": lambda g: g.rolling(2, min_periods=1).quantile(0.5),
    "rolling apply": lambda g: g.rolling(2, min_periods=1).apply(np.nansum),
    "expanding": lambda g: g.expanding().mean(),
    "ewm": lambda g: g.ewm(span=3).mean(),
}  # fmt: skip


@pytest.mark.parametrize("case", WINDOWS)
def test_windows(case: str) -> None:
    data = sample("few", "finite", "int")
    check_exchanged(lambda df: WINDOWS[case](df.groupby("few").finite), data)


def test_windows_of_frames() -> None:
    data = sample("text", "few", "finite")
    check_exchanged(lambda df: df.groupby("text").rolling(2, min_periods=1).sum(), data)
    check_exchanged(lambda df: df.groupby("text").rolling(2, min_periods=1)["few"].max(), data)


def test_windows_of_time() -> None:
    times = pd.date_range("2024-01-01", periods=12, freq="h", name="when")
    data = pd.DataFrame({"k": [0, 1, 2] * 4, "x": np.arange(12.0)}, index=times)
    check_exchanged(lambda df: df.groupby("k").x.rolling("4h").sum(), data)
    check_exchanged(lambda df: df.groupby("k").x.resample("6h").sum(), data)


TABLES: dict[str, Call] = {
    "cov": lambda df: df.groupby("few")[["finite", "int"]].cov(),
    "corr": lambda df: df.groupby("few").corr(numeric_only=True),
    "cov of missing keys": lambda df: df.groupby("text")[["finite", "int"]].cov(),
    "corr unsorted": lambda df: df.groupby("text", sort=False)[["few", "int"]].corr(),
    "corr by several": lambda df: df.groupby(["few", "text"])[["finite", "int"]].corr(),
    "corr of few": lambda df: df.groupby("few")[["finite", "int"]].corr(min_periods=3),
    "cov of population": lambda df: df.groupby("few")[["finite", "few"]].cov(ddof=0),
    "corr of ranks": lambda df: df.groupby("few")[["finite", "int"]].corr(method="kendall"),
    "nlargest": lambda df: df.groupby("few").finite.nlargest(2),
    "nsmallest": lambda df: df.groupby("few").finite.nsmallest(1),
    "increasing": lambda df: df.groupby("few").finite.is_monotonic_increasing,
    "decreasing": lambda df: df.groupby("few").finite.is_monotonic_decreasing,
    "apply in order of appearance": lambda df: df.groupby("text", sort=False).finite.apply(len),
    "apply to name": lambda df: df.groupby("few").finite.apply(lambda v: f"of {v.name}"),
    "apply to names": lambda df: df.groupby(["few"])[["finite"]].apply(lambda g: f"of {g.name}"),
    "windows of one key in a list": lambda df: df.groupby(["few"]).finite.rolling(2).sum(),
    "ranks of one key in a list": lambda df: df.groupby(["few"]).finite.rank(),
    "apply to level": lambda df: df.groupby(df.few % 2).finite.apply(lambda v: v.max()),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_tables(case: str) -> None:
    check_exchanged(TABLES[case], sample("few", "text", "finite", "int"))


def test_iteration() -> None:
    data = sample("few", "finite")
    lazy = dd.from_pandas(data, 3).groupby("few")
    found = [(key, rows.compute()) for key, rows in lazy]
    for (key, rows), (wanted, expected) in zip(found, data.groupby("few"), strict=True):
        assert key == wanted
        pd.testing.assert_frame_equal(rows, expected)
    assert lazy.ngroups == 3
    wanted = [key for key, _ in data.groupby(["few"])]
    assert [key for key, _ in dd.from_pandas(data, 3).groupby(["few"])] == wanted


def test_pipe() -> None:
    check_exchanged(lambda df: df.groupby("few").pipe(lambda g: g.finite.sum()), sample(
        "few", "finite"
    ))  # fmt: skip


REFUSED: dict[str, Any] = {
    "nth dropna": lambda g: g.nth(0, dropna="any"),
    "filter dropna": lambda g: g.filter(len, dropna=False),
    "shift freq": lambda g: g.shift(freq="D"),
    "groups": lambda g: g.groups,
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    with pytest.raises(UnsupportedError):
        REFUSED[case](dd.from_pandas(sample("few", "finite"), 2).groupby("few"))


@pytest.mark.memory
def test_group_larger_than_memory(tmp_path: Path) -> None:
    rows = 3_000_000
    data = pd.DataFrame({"k": np.zeros(rows, np.int64), "x": np.arange(rows, dtype=float)})
    data.to_parquet(tmp_path / "one.parquet", row_group_size=50_000)
    del data
    column = dd.read_parquet(str(tmp_path / "one.parquet")).groupby("k").x
    limit = limit_leaving(80 << 20)
    with pytest.raises(MemoryLimitError, match="groupby rank of whole groups"):
        column.rank().sum().compute(memory_limit=limit)
    # what needs no whole groups does not mind
    assert column.transform("max").min().compute(memory_limit=limit) == rows - 1
    assert column.median().compute(memory_limit=limit).tolist() == [(rows - 1) / 2]
    assert column.nunique().compute(memory_limit=limit).tolist() == [rows]
    assert column.tail(2).sum().compute(memory_limit=limit) == 2 * rows - 3

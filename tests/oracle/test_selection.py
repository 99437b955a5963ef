"""Columns and rows chosen, added, dropped and renamed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.harness import Call, check, drawn, sample


def _set(frame: Any, label: Any, value: Any) -> Any:
    frame = frame.copy()
    frame[label] = value
    return frame


def _delete(frame: Any, label: Any) -> Any:
    frame = frame.copy()
    del frame[label]
    return frame


def _relabel(frame: Any, labels: list[Any]) -> Any:
    frame = frame.copy()
    frame.columns = labels
    return frame


LIMIT = 1

COLUMNS: dict[str, Call] = {
    "one": lambda df: df["few"],
    "attribute": lambda df: df.few,
    "list": lambda df: df[["text", "few"]],
    "list of one": lambda df: df[["few"]],
    "no columns": lambda df: df[[]],
    "index of labels": lambda df: df[df.columns[::-1]],
    "missing column": lambda df: df["nope"],
    "missing in list": lambda df: df[["few", "nope"]],
    "iloc one": lambda df: df.iloc[:, 1],
    "iloc list": lambda df: df.iloc[:, [2, 0]],
    "iloc slice": lambda df: df.iloc[:, 1:],
    "iloc negative": lambda df: df.iloc[:, -1],
    "iloc out of bounds": lambda df: df.iloc[:, 9],
    "iloc mask": lambda df: df.iloc[:, [True, False, True, False]],
    "loc columns": lambda df: df.loc[:, ["text"]],
    "loc one column": lambda df: df.loc[:, "text"],
    "loc column range": lambda df: df.loc[:, "few":"bool"],
    "loc missing column": lambda df: df.loc[:, "nope"],
    "select_dtypes": lambda df: df.select_dtypes("number"),
    "select_dtypes exclude": lambda df: df.select_dtypes(exclude=["number"]),
    "select_dtypes include": lambda df: df.select_dtypes(include=[bool, "str"]),
    "drop columns": lambda df: df.drop(columns="few"),
    "drop list": lambda df: df.drop(columns=["few", "text"]),
    "drop axis": lambda df: df.drop("few", axis=1),
    "drop missing": lambda df: df.drop(columns="nope"),
    "drop ignoring": lambda df: df.drop(columns=["nope", "few"], errors="ignore"),
    "rename": lambda df: df.rename(columns={"few": "f", "nope": "n"}),
    "rename by function": lambda df: df.rename(columns=str.upper),
    "rename series": lambda df: df.few.rename("other"),
    "add_prefix": lambda df: df.add_prefix("x_"),
    "add_suffix": lambda df: df.add_suffix("_x"),
    "set columns": lambda df: _relabel(df, ["a", "b", "c", "d"]),
    "integer labels": lambda df: _relabel(df, [3, 2, 1, 0])[[2, 3]],
    "integer label": lambda df: _relabel(df, [3, 2, 1, 0])[2] + 1,
    "too few labels": lambda df: _relabel(df, ["a"]),
    "assign": lambda df: df.assign(x=df.few * 2, y=1.5, few=df.few + 1),
    "assign function": lambda df: df.assign(x=lambda d: d.few + 1, y=lambda d: d.x * 2),
    "assign lazy": lambda df: df.assign(x=df.few.sum(), y=df.finite.mean()),
    "assign text": lambda df: df.assign(x="a", y=True),
    "assign missing": lambda df: df.assign(x=np.nan),
    "setitem new": lambda df: _set(df, "x", df.finite * 2),
    "setitem old": lambda df: _set(df, "few", df.few.astype("float32")),
    "setitem scalar": lambda df: _set(df, "x", 7),
    "setitem several": lambda df: _set(df, ["few", "x"], df[["finite", "few"]]),
    "setitem integer label": lambda df: _set(df, 0, df.few),
    "delitem": lambda df: _delete(df, "few"),
    "delitem missing": lambda df: _delete(df, "nope"),
    "to_frame": lambda df: df.few.to_frame(),
    "to_frame named": lambda df: df.few.to_frame("x"),
    "pipe": lambda df: df.pipe(lambda d, n: d[["few"]] + n, 3),
    "contains": lambda df: ("few" in df, "nope" in df, list(df), list(df.keys())),
    "items": lambda df: [series for _, series in df.items()],
    "shape": lambda df: (df.shape[0] + 0, df.shape[1], df.few.shape[0] + 0),
    "size": lambda df: (df.size + 0, df.few.size + 0, len(df), len(df.few), df.ndim, df.few.ndim),
    "empty": lambda df: df.empty,
    "dtypes": lambda df: (df.dtypes, str(df.few.dtype)),
    "copy": lambda df: df.copy(),
}


@pytest.mark.parametrize("case", COLUMNS)
@drawn("few finite text bool")
def test_columns(case: str, frame: pd.DataFrame) -> None:
    check(COLUMNS[case], frame)


ROWS: dict[str, Call] = {
    "mask": lambda df: df[df.few > 0],
    "mask of series": lambda df: df.finite[df.few > 0],
    "mask column of mask": lambda df: df[df.few > 0].finite,
    "mask nothing": lambda df: df[df.few > 99],
    "mask and": lambda df: df[(df.few > 0) & df.bool],
    "mask or": lambda df: df[(df.few == 0) | ~df.bool],
    "mask then mask": lambda df: df[df.few > 0][df.bool],
    "mask twice": lambda df: df[df.few > 0].loc[lambda d: d.finite > 0],
    "mask with lazy": lambda df: df[df.few >= df.few.mean()],
    "mask with text": lambda df: df[df.text == "a b"],
    "mask missing": lambda df: df[df.finite > 0].few,
    "mask nullable": lambda df: df[df.few > 0][["text"]],
    "mask frame": lambda df: df[["few", "finite"]][df[["few", "finite"]] > 0],
    "loc mask": lambda df: df.loc[df.bool],
    "loc mask and columns": lambda df: df.loc[df.bool, ["text", "few"]],
    "loc mask and column": lambda df: df.loc[df.bool, "few"],
    "loc function": lambda df: df.loc[lambda d: d.few == 1],
    "loc series": lambda df: df.few.loc[df.bool],
    "loc range": lambda df: df.loc[2:4],
    "loc open range": lambda df: df.loc[2:],
    "loc closed range": lambda df: df.loc[:3, "few"],
    "loc range of filtered": lambda df: df[df.few > 0].loc[1:3],
    "loc list": lambda df: df.loc[[label for label in (0, 2) if label < len(df)]],
    "loc series range": lambda df: df.few.loc[1:2],
    "labels of filtered": lambda df: df[df.bool].reset_index(),
    "reset labels of filtered": lambda df: df[df.bool].reset_index(drop=True),
    "series reset_index": lambda df: df.few[df.bool].reset_index(),
    "series reset_index drop": lambda df: df.few[df.bool].reset_index(drop=True),
    "filtered arithmetic": lambda df: df[df.bool].few + df[df.bool].finite,
    "query": lambda df: df.query("few > 0 and finite < 3"),
    "query or": lambda df: df.query("few == 0 or not bool"),
    "query local": lambda df: df.query("few > @LIMIT"),
    "query in": lambda df: df.query("few in [0, 2]"),
    "query not in": lambda df: df.query("few not in [0, 2]"),
    "query chain": lambda df: df.query("0 < few <= 2"),
    "query text": lambda df: df.query("text == 'a b'"),
    "query arithmetic": lambda df: df.query("few * 2 + 1 > finite / 2 - few % 2"),
    "query index": lambda df: df.query("index > 2"),
    "query column": lambda df: df.query("bool"),
    "query unknown": lambda df: df.query("nope > 2"),
    "query syntax": lambda df: df.query("few >"),
    "query equals list": lambda df: df.query("few == [0, 1]"),
    "query differs from list": lambda df: df.query("few != [0, 1]"),
    "query backquoted": lambda df: df.rename(columns={"few": "a few"}).query("`a few` > 0"),
    "head": lambda df: df.head(3),
    "head default": lambda df: df.head(),
    "head of filtered": lambda df: df[df.few > 0].head(2),
    "head of series": lambda df: df.few.head(2),
    "head none": lambda df: df.head(0),
    "head negative": lambda df: df.head(-2),
    "tail": lambda df: df.tail(3),
    "tail of filtered": lambda df: df[df.few > 0].tail(2),
    "tail of series": lambda df: df.few.tail(2),
    "tail none": lambda df: df.tail(0),
    "tail negative": lambda df: df.tail(-2),
    "dropna": lambda df: df.dropna(),
    "dropna all": lambda df: df[["finite", "text"]].dropna(how="all"),
    "dropna subset": lambda df: df.dropna(subset=["finite"]),
    "dropna one": lambda df: df.dropna(subset="text"),
    "dropna thresh": lambda df: df.dropna(thresh=4),
    "dropna unknown": lambda df: df.dropna(subset=["nope"]),
    "dropna of series": lambda df: df.text.dropna(),
    "where frame": lambda df: df.where(df.bool),
    "where other": lambda df: df.finite.where(df.bool, 0.0),
    "where series": lambda df: df.finite.where(df.few > 0, df.few),
    "where widens": lambda df: df.few.where(df.few > 0),
    "where function": lambda df: df.few.where(lambda s: s > 0, lambda s: -s),
    "where by column": lambda df: df[["few", "finite"]].where(df[["few", "finite"]] > 0, -1),
    "where frames": lambda df: df[["few", "finite"]].where(
        df[["few", "finite"]] > 0, df[["few", "finite"]] * 2
    ),
    "where lazy": lambda df: df.finite.where(df.bool, df.finite.max()),
    "mask method": lambda df: df.finite.mask(df.bool, 0.0),
    "mask text": lambda df: df.text.mask(df.bool, "x"),
    "mask method frame": lambda df: df[["few", "finite"]].mask(df[["few", "finite"]] > 0),
    "unique": lambda df: df.few.drop_duplicates(),
}


@pytest.mark.parametrize("case", ROWS)
@drawn("few finite text bool")
def test_rows(case: str, frame: pd.DataFrame) -> None:
    check(ROWS[case], frame)


INDEXED: dict[str, Call] = {
    "as it is": lambda df: df,
    "mask": lambda df: df[df.few > 0],
    "column": lambda df: df.few + 1,
    "reset_index": lambda df: df.reset_index(),
    "reset_index drop": lambda df: df.reset_index(drop=True),
    "sort_index": lambda df: df.sort_index(kind="stable") if _pandas(df) else df.sort_index(),
    "descending": lambda df: (
        df.sort_index(ascending=False, kind="stable")
        if _pandas(df)
        else df.sort_index(ascending=False)
    ),
    "loc label": lambda df: df.loc[["a"]] if "a" in _labels(df) else df,
    "head": lambda df: df.head(3),
    "query": lambda df: df.query("label == 'a'"),
    "shift": lambda df: df.few.shift(1),
    "cumsum": lambda df: df.few.cumsum(),
    "index": lambda df: df.index,
}


def _pandas(frame: Any) -> bool:
    return isinstance(frame, pd.DataFrame | pd.Series)


def _labels(frame: Any) -> list[Any]:
    return list(frame.index if _pandas(frame) else frame.index.compute())


@pytest.mark.parametrize("case", INDEXED)
@drawn("text few finite")
def test_indexed(case: str, frame: pd.DataFrame) -> None:
    labels = pd.Index(frame.text.fillna("a"), name="label")
    check(INDEXED[case], frame.drop(columns="text").set_index(labels))


@pytest.mark.parametrize("by", ["few", "text", "finite", "datetime", "category", ["few", "text"]])
@pytest.mark.parametrize("drop", [True, False])
@drawn("few text finite datetime ordered_category", max_examples=2)
def test_set_index(by: Any, drop: bool, frame: pd.DataFrame) -> None:
    frame = frame.rename(columns={"ordered_category": "category"})
    if by == "category":  # pandas takes a missing one first for sorted, and then sorts it last
        frame = frame.dropna(subset=["category"])

    def call(df: Any) -> Any:
        if _pandas(df):
            return df.set_index(by, drop=drop).sort_index(kind="stable")
        return df.set_index(by, drop=drop)

    check(call, frame)
    check(lambda df: df.set_index(by, drop=drop, **({} if _pandas(df) else {"sort": False})), frame)


def test_set_index_to_a_series() -> None:
    frame = sample("few", "finite")
    check(
        lambda df: (
            df.set_index(df.few + 1).sort_index(kind="stable")
            if _pandas(df)
            else df.set_index(df.few + 1)
        ),
        frame,
    )


def test_loc_of_sorted_labels() -> None:
    days = [f"2020-01-0{day}" for day in range(1, 8)]
    frame = sample("few", "finite").set_index(pd.DatetimeIndex(days))
    for key in (slice("2020-01-02", "2020-01-04"), slice("2020-01-03", None)):
        check(lambda df, key=key: df.loc[key], frame)


TIMES = ["2020-01-02", "2020-01", "2020", "2020-01-03 07", "2020-01-03 07:30", "3 January 2020"]


@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_loc_of_times_that_a_text_names(zone: str | None, unit: str) -> None:
    times = pd.date_range("2020-01-01", periods=200, freq="30min", name="at", tz=zone, unit=unit)
    times.freq = None
    frame = pd.DataFrame({"x": range(200)}, index=times)
    for text in TIMES:
        if text != "2020-01-03 07:30":  # as exact as the index: pandas gives one row as a series
            check(lambda df, text=text: df.loc[text], frame, partitions=(1, 17))
            check(lambda df, text=text: df.x.loc[text], frame, partitions=(3,))
        for key in (slice(text, None), slice(None, text), slice("2020-01-01 20", text)):
            check(lambda df, key=key: df.loc[key], frame, partitions=(3,))
            check(lambda df, key=key: df[key], frame, partitions=(17,))
    with pytest.raises(KeyError, match="names none; a day is"):
        dd.from_pandas(frame, 2).loc["soon"]


def test_loc_of_the_first_and_last_times() -> None:
    times = pd.DatetimeIndex(["0001-01-01", "1500-06-01", "9999-12-31 23:59"], dtype="M8[us]")
    lazy = dd.from_pandas(pd.DataFrame({"x": range(3)}, index=times), 2)  # pandas overflows
    assert [lazy.loc[text].x.to_list() for text in ("0001", "1500-06", "9999-12")] == [
        [0],
        [1],
        [2],
    ]
    assert lazy.loc[:"9999"].x.to_list() == [0, 1, 2]


def test_slices_of_numbers_are_positions() -> None:
    lazy = dd.from_pandas(sample("few"), 2)
    for key in (slice(2, 4), slice(2), slice(None, None, 2)):
        with pytest.raises(NotImplementedError, match="use head, tail or partitions"):
            lazy[key]


TIME_FIELDS: dict[str, Call] = {
    "groupby": lambda df: df.groupby(df.index.hour).few.sum(),
    "mask": lambda df: df[df.index.month == 3],
    "assign": lambda df: df.assign(day=df.index.day_name(), floor=df.index.floor("D")),
}


@pytest.mark.parametrize("case", TIME_FIELDS)
@drawn("few datetime")
def test_fields_of_an_index_of_times(case: str, frame: pd.DataFrame) -> None:
    check(TIME_FIELDS[case], frame.dropna().set_index("datetime"))


def test_columns_of_several_levels() -> None:
    frame = pd.DataFrame(
        {("a", "x"): [1, 2, 3], ("a", "y"): [1.5, None, 2.5], ("b", "x"): ["p", "q", None]}
    )
    for call in (
        lambda df: df,
        lambda df: df["a"],
        lambda df: df[("a", "x")],
        lambda df: df["a"]["x"] + 1,
        lambda df: df[[("b", "x")]],
        lambda df: df[df[("a", "x")] > 1],
    ):
        check(call, frame)


def test_rows_of_other_frames_are_refused() -> None:
    frame = sample("few", "finite")
    one, other = (dd.from_pandas(frame, npartitions) for npartitions in (2, 3))
    with pytest.raises(NotImplementedError, match="join or merge"):
        one.few + other.few
    with pytest.raises(NotImplementedError, match="axis=0"):
        one + one.few


def test_assignment_after_a_filter() -> None:
    # not drawn: a frame that has lost all its rows takes those of what pandas assigns to it
    frame = sample("few", "finite", "bool")
    check(lambda df: _set(df[df.bool], "x", df.few + 1), frame)
    check(lambda df: df[df.few > 0].assign(x=df.finite, y=df.few.max()), frame)


def test_a_mask_is_boolean() -> None:
    frame = dd.from_pandas(sample("few"), 2)
    with pytest.raises(TypeError, match="mask of booleans, not of double"):
        frame[frame.few + 0.5]


def test_rows_are_counted_whichever_column_is_read_for_it(tmp_path: Any) -> None:
    frame = pd.DataFrame({"a long name": [1, 2, 3], "b": [1.5, 2.5, 3.5]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    for lazy in (
        dd.read_csv(tmp_path / "x.csv"),
        dd.read_parquet(tmp_path / "x.parquet"),
        dd.from_pandas(frame, npartitions=2),
    ):
        lazy["c"] = lazy.b / 2
        assert len(lazy) == len(lazy[lazy.c < 9]) == len(lazy.c) == 3
        assert lazy.size.compute() == 9

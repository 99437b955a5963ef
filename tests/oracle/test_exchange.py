"""The exchange itself: spill files, skew, order, determinism, memory, and nothing left behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock import config
from penstock.scheduler import Profile
from tests.oracle.exchanges import Call, check_spilled
from tests.support.frames import assert_eq

ROWS = 400


def numbers(rows: int = ROWS) -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "key": random.integers(0, 40, rows),
            "text": random.choice(["a", "b", "ü", None], rows),
            "x": random.normal(size=rows).round(2),
            "row": np.arange(rows),
        }
    )


def _right(frame: Any) -> Any:
    right = numbers(60)[["key", "row"]].rename(columns={"row": "other"})
    return right if isinstance(frame, pd.DataFrame) else dd.from_pandas(right, 3)


def _unshared(frame: Any) -> dict[str, Any]:
    return {} if isinstance(frame, pd.DataFrame) else {"broadcast": False}


SPILLING: dict[str, Call] = {
    "sort": lambda df: df.sort_values(["x", "row"]),
    "sort descending": lambda df: df.sort_values(["text", "row"], ascending=False),
    "groupby": lambda df: df.groupby("row").x.sum(),
    "groupby holistic": lambda df: df.groupby("key").x.median(),
    "groupby apply": lambda df: df.groupby("key").apply(lambda group: group.x.sum()),
    "drop_duplicates": lambda df: df.drop_duplicates(["key", "text"]),
    "value_counts": lambda df: df.x.value_counts(),
    "quantile": lambda df: df.x.quantile([0.1, 0.5]),
    "nunique": lambda df: df.nunique(),
    **{
        f"{how} join": lambda df, how=how: df.merge(_right(df), on="key", how=how, **_unshared(df))
        for how in ("inner", "left", "right", "outer")
    },
}


@pytest.mark.parametrize("case", SPILLING)
def test_spills(case: str) -> None:
    check_spilled(SPILLING[case], numbers(120))


INPUTS: dict[str, Call] = {
    "sorted": lambda df: df.sort_values("x", ignore_index=True),
    "reversed": lambda df: df.sort_values("x", ascending=False, ignore_index=True),
    "one value": lambda df: df.assign(x=1.0),
    "one value but for some": lambda df: df.assign(x=np.where(df.row % 20, 1.0, df.x)),
    "small ones first": lambda df: df.assign(x=df.row // 40 * 1000.0 + df.x),
    "missing first": lambda df: df.assign(x=df.x.where(df.row > 80)),
}


@pytest.mark.parametrize("case", INPUTS)
def test_first_blocks_may_be_like_no_other(case: str) -> None:
    frame = INPUTS[case](numbers(160))
    check_spilled(lambda df: df.sort_values("x", **_stable(df)), frame)
    check_spilled(lambda df: df.groupby(["x", "row"]).key.sum(), frame)


def _stable(frame: Any) -> dict[str, str]:
    return {"kind": "stable"} if isinstance(frame, pd.DataFrame) else {}


@pytest.mark.parametrize("case", ["sorted", "reversed", "small ones first"])
def test_partitions_that_grew_are_cut_again(case: str) -> None:
    frame = INPUTS[case](numbers(4000))
    with config.set({"exchange-memory": 16_000}):
        lazy = dd.from_pandas(frame, 20).sort_values("x")
        sizes = [block.memory_usage(index=True, deep=True).sum() for block in lazy.iter_blocks()]
    assert sum(size > 0 for size in sizes) > 5
    assert max(sizes) < 3 * 16_000


def _nearly_sorted(rows: int) -> pd.DataFrame:
    frame = numbers(rows)
    frame["x"] = frame.row // 3 + np.random.default_rng(1).integers(0, 60, rows)
    return frame


@pytest.mark.parametrize("case", ["sorted", "nearly sorted", "descending", "by two", "missing"])
def test_sorted_input_is_not_scattered(case: str) -> None:
    frame = _nearly_sorted(4000)
    by: Any = ["x", "row"] if case == "by two" else "x"
    ascending = case != "descending"
    if case == "sorted":
        frame = frame.sort_values("x", kind="stable")
    elif case == "descending":
        frame = frame[::-1].reset_index(drop=True)
    elif case == "missing":
        frame["x"] = frame.x.astype(float).where(frame.row < 3900)
    size = int(frame.memory_usage(index=True).sum())
    with config.set({"exchange-memory": 8000}), Profile() as profile:
        lazy = dd.from_pandas(frame, 20).sort_values(by, ascending=ascending)
        assert_eq(lazy, frame.sort_values(by, ascending=ascending, kind="stable"))
    assert profile.spilled_bytes < size / 10


@pytest.mark.parametrize("how", ["inner", "left", "right"])
@pytest.mark.parametrize("heavy", ["left", "right"])
def test_rows_of_one_key_are_joined_by_several_tasks(how: str, heavy: str) -> None:
    many = numbers(4000)
    many["key"] = np.where(many.row % 2, 7, many.key)
    few = pd.DataFrame({"key": np.arange(60), "other": np.arange(60.0)})
    frames = (many, few) if heavy == "left" else (few, many)
    divided = how == "inner" or how == heavy
    with config.set({"exchange-memory": 16_000}):
        left, right = (dd.from_pandas(frame, 20) for frame in frames)
        joined = left.merge(right, on="key", how=how, broadcast=False)
        sizes = [block.memory_usage(index=True).sum() for block in joined.iter_blocks()]
        assert_eq(joined, frames[0].merge(frames[1], on="key", how=how))
    assert (max(sizes) < 3 * 16_000) or not divided


def _partitions(workers: int, scheduler: str) -> list[pd.DataFrame]:
    options = {"num_workers": workers, "scheduler": scheduler}
    lazy = dd.from_pandas(numbers(1000), 31).sort_values("x")
    with config.set({"exchange-memory": 4000, "num-workers": workers}):
        return list(lazy.iter_blocks(**options))


def test_partitions_do_not_depend_on_the_workers() -> None:
    expected = _partitions(1, "sync")
    assert len(expected) > 5
    for workers in (2, 4):
        for turn in range(2):
            found = _partitions(workers, "threads")
            assert len(found) == len(expected), turn
            for one, other in zip(found, expected, strict=True):
                assert_eq(one, other)


def test_small_data_stay_in_memory() -> None:
    with Profile() as profile:
        dd.from_pandas(numbers(), 5).sort_values("x").compute()
    assert profile.spilled_bytes == 0


def test_a_setting_that_is_no_size_is_refused() -> None:
    with config.set({"exchange-memory": "plenty"}), pytest.raises(ValueError, match="plenty"):
        dd.from_pandas(numbers(), 5).sort_values("x").compute()


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_an_error_leaves_no_files(scheduler: str, spill_directory: Path) -> None:
    def fail(frame: pd.DataFrame) -> pd.DataFrame:
        if (frame.row > 300).any():
            raise ValueError("far into the data")
        return frame

    before = _files(spill_directory)
    lazy = dd.from_pandas(numbers(), 9).map_partitions(fail).sort_values("x")
    with config.set({"exchange-memory": 64}), pytest.raises(ValueError, match="far into"):
        lazy.compute(scheduler=scheduler)
    assert _files(spill_directory) <= before


def _files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file()}


def _in_order(paths: list[Path]) -> list[Path]:
    """Return files of partitions in the order of their numbers."""
    return sorted(paths, key=lambda path: int(re.search(r"\d+", path.name)[0]))


WRITTEN: dict[str, Call] = {
    "sorted": lambda df: df.sort_values("x", **_stable(df)),
    "sorted by text": lambda df: df.sort_values(["text", "row"], ascending=[False, True]),
    "merged": lambda df: df.merge(_right(df), on="key", how="left", **_unshared(df)),
    "merged, outer": lambda df: df.merge(_right(df), on="key", how="outer", **_unshared(df)),
    "grouped": lambda df: df.groupby("key").x.sum().reset_index(),
    "grouped, unsorted": lambda df: df.groupby("text", sort=False).row.sum().reset_index(),
    "without duplicates": lambda df: df.drop_duplicates("key"),
    "counted": lambda df: df.key.value_counts().reset_index(),
}


@pytest.mark.parametrize("case", WRITTEN)
@pytest.mark.parametrize("spilling", [False, True])
def test_files_hold_rows_in_order(case: str, spilling: bool, tmp_path: Path) -> None:
    frame = numbers(200)
    expected = WRITTEN[case](frame).reset_index(drop=True)
    with config.set({"exchange-memory": 1024 if spilling else None}):
        lazy = WRITTEN[case](dd.from_pandas(frame, 7))
        lazy.to_parquet(str(tmp_path / "parquet"), write_index=False)
        lazy.to_csv(str(tmp_path / "one.csv"), single_file=True, index=False)
        lazy.to_csv(str(tmp_path / "many"), index=False)
    pieces = _in_order(list((tmp_path / "parquet").iterdir()))
    parquet = pd.concat([pd.read_parquet(path) for path in pieces], ignore_index=True)
    assert_eq(parquet, expected)
    assert_eq(dd.read_parquet(str(tmp_path / "parquet")).compute(), expected)
    assert_eq(pd.read_csv(tmp_path / "one.csv"), expected, check_dtype=False)
    parts = [pd.read_csv(path) for path in _in_order(list((tmp_path / "many").iterdir()))]
    whole = pd.concat([part for part in parts if len(part)], ignore_index=True)
    assert_eq(whole, expected, check_dtype=False)

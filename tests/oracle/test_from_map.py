"""from_map: a partition for each call of a function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import SchemaError
from tests.support.frames import assert_eq


def block(number: int, *, rows: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        {"n": np.arange(rows) * number, "text": [f"é{number}", None, "", "b", "c"][:rows]},
        index=pd.Index(np.arange(rows) + 10 * number, name="row"),
    )


@pytest.mark.parametrize("count", [1, 3, 17])
@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_blocks_follow_each_other(count: int, scheduler: str) -> None:
    lazy = dd.from_map(block, range(count), rows=3)
    expected = pd.concat([block(number, rows=3) for number in range(count)])
    assert lazy.npartitions == count
    assert_eq(lazy.compute(scheduler=scheduler), expected)
    assert_eq(lazy[lazy.n > 2].compute(scheduler=scheduler), expected[expected.n > 2])
    assert_eq(lazy.groupby("text").n.sum().compute(), expected.groupby("text").n.sum())


def test_several_inputs_further_arguments_and_series() -> None:
    def scaled(first: int, second: int, factor: int, shift: int = 0) -> pd.Series:
        return pd.Series([first * factor + shift, second], name="x")

    lazy = dd.from_map(scaled, [1, 2], (3, 4), args=(10,), shift=5)
    assert_eq(lazy.compute(), pd.Series([15, 3, 25, 4], index=[0, 1, 0, 1], name="x"))


def test_files_of_a_format_of_ones_own(tmp_path: Path) -> None:
    for number in range(3):
        block(number).to_json(tmp_path / f"{number}.json", orient="records", lines=True)
    files = sorted(tmp_path.glob("*.json"))
    lazy = dd.from_map(pd.read_json, files, lines=True)
    expected = pd.concat([pd.read_json(file, lines=True) for file in files])
    assert_eq(lazy.compute(), expected)


@pytest.mark.parametrize("empty", [0, 2])
def test_inputs_without_rows(empty: int) -> None:
    def some(number: int) -> pd.DataFrame:
        return block(number).iloc[: 0 if number == empty else 5]

    assert_eq(dd.from_map(some, range(3)).compute(), pd.concat(map(some, range(3))))


def test_meta_saves_the_first_call() -> None:
    called = []

    def noted(number: int) -> pd.DataFrame:
        called.append(number)
        return pd.DataFrame({"n": [float(number)]})

    lazy = dd.from_map(noted, range(3), meta={"n": "float64"})
    assert not called
    assert lazy.n.sum().compute() == 3
    assert sorted(called) == [0, 1, 2]


def test_errors_name_the_input() -> None:
    def fails(name: str) -> pd.DataFrame:
        if name == "bad file":
            raise ValueError("no such format")
        return pd.DataFrame({"n": [1]})

    with pytest.raises(ValueError, match="no such format") as caught:
        dd.from_map(fails, ["bad file", "other"])
    assert "the first input, 'bad file'" in "".join(caught.value.__notes__)
    lazy = dd.from_map(fails, ["other", "bad file"])
    with pytest.raises(ValueError, match="no such format") as caught:
        lazy.compute()
    assert "'bad file'" in "".join(caught.value.__notes__)


def test_blocks_of_other_columns_are_refused() -> None:
    def differs(number: int) -> pd.DataFrame:
        return pd.DataFrame({f"n{number}": [1]})

    with pytest.raises(SchemaError, match="gave the columns"):
        dd.from_map(differs, [0, 1]).compute()


def test_bad_inputs() -> None:
    with pytest.raises(ValueError, match="at least one input"):
        dd.from_map(block, [])
    with pytest.raises(ValueError, match="2, 3 items"):
        dd.from_map(block, [1, 2], [1, 2, 3])


def test_functions_that_write(tmp_path: Path) -> None:
    lazy = dd.from_map(block, range(3))
    dd.to_parquet(lazy, tmp_path / "p")
    dd.to_csv(lazy, tmp_path / "c.csv", single_file=True)
    expected = pd.concat(map(block, range(3)))
    assert_eq(pd.read_parquet(tmp_path / "p"), expected)
    assert pd.read_csv(tmp_path / "c.csv").n.tolist() == expected.n.tolist()

"""groupby.apply: functions of the user's on whole groups."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.exchanges import Call, check_exchanged, sample

CASES: dict[str, Call] = {
    "number": lambda df: df.groupby("few").apply(lambda group: group.finite.sum()),
    "number of series": lambda df: df.groupby("few").finite.apply(lambda values: values.max()),
    "rows": lambda df: df.groupby("few").apply(lambda group: group.head(1)),
    "rows without keys": lambda df: df.groupby("few", group_keys=False).apply(
        lambda group: group[group.finite > 0]
    ),
    "frame": lambda df: df.groupby("few").apply(
        lambda group: pd.DataFrame({"n": [len(group)], "low": [group.finite.min()]})
    ),
    "several keys": lambda df: df.groupby(["few", "text"]).apply(len),
    "text keys": lambda df: df.groupby("text").apply(lambda group: group.few.sum()),
    "keys with missing": lambda df: df.groupby("text", dropna=False).apply(len),
    "own rows without keys": lambda df: df.groupby("few", group_keys=False).apply(
        lambda group: group.assign(high=group.finite.max())
    ),
    "own rows of text keys": lambda df: df.groupby("text", group_keys=False).finite.apply(
        lambda values: values - values.mean()
    ),
    "own rows in another order": lambda df: df.groupby("few", group_keys=False).apply(
        lambda group: group.sort_values("finite")
    ),
    "first rows without keys": lambda df: df.groupby("few", group_keys=False).apply(
        lambda group: group.head(2)
    ),
    "sorted in the group": lambda df: df.groupby("few").apply(
        lambda group: group.sort_values("finite")
    ),
    "columns chosen": lambda df: df.groupby("few")[["finite"]].apply(lambda group: group.max()),
    "arguments": lambda df: df.groupby("few").apply(_scaled, 2, shift=1),
}  # fmt: skip


def _scaled(group: pd.DataFrame, factor: int, shift: int = 0) -> float:
    return float(group.finite.sum() * factor + shift)


@pytest.mark.parametrize("case", CASES)
def test_apply(case: str) -> None:
    check_exchanged(CASES[case], sample("few", "text", "finite"))


SERIES: dict[str, Call] = {
    "own values": lambda values: values - values.mean(),
    "some of them": lambda values: values[values > values.median()],
    "the first": lambda values: values.head(2),
    "text": lambda values: values.astype(str),
}


@pytest.mark.parametrize("group_keys", [True, False])
@pytest.mark.parametrize("keys", ["k", ["k", "t"]])
@pytest.mark.parametrize("function", SERIES)
def test_series_of_rows_where_partitions_have_one_group(
    function: str, keys: Any, group_keys: bool
) -> None:
    # pandas sets the series of a single group side by side, not one below another
    count = 100
    frame = pd.DataFrame({"k": [row * 7 % 20 for row in range(count)], "x": range(count)})
    frame["t"] = frame.k.map(lambda key: "éa"[key % 2])

    def call(df: Any) -> Any:
        return df.groupby(keys, group_keys=group_keys).x.apply(SERIES[function])

    check_exchanged(call, frame)
    if group_keys:  # else pandas itself mixes up rows of one label
        check_exchanged(call, frame.set_index(frame.index // 3))


def test_each_group_is_whole() -> None:
    frame = pd.DataFrame({"k": [0, 1, 2, 3] * 50, "x": range(200)})

    def widths(df: Any) -> Any:
        return df.groupby("k").apply(lambda group: group.x.max() - group.x.min())

    check_exchanged(widths, frame)


def test_error_names_where_it_happened() -> None:
    def fail(group: pd.DataFrame) -> float:
        raise ValueError("no such thing")

    lazy = dd.from_pandas(sample("few", "finite"), 2)
    with pytest.raises(ValueError, match="no such thing") as caught:
        lazy.groupby("few").apply(fail)
    assert any("meta=" in note for note in caught.value.__notes__)


METAS: dict[str, Any] = {
    "pair": (None, "float64"),
    "dtype": "float64",
    "series": pd.Series([], dtype="float64"),
}


@pytest.mark.parametrize("meta", METAS)
@pytest.mark.parametrize("keys", ["text", "few", ["text", "few"]])
def test_meta_need_not_tell_the_index(keys: Any, meta: str) -> None:
    def span(group: Any) -> float:
        return float(group.finite.max() - group.finite.min())

    def call(df: Any) -> Any:
        given = {} if isinstance(df, pd.DataFrame) else {"meta": METAS[meta]}
        return df.groupby(keys).apply(span, **given).rename(None)

    check_exchanged(call, sample("few", "text", "finite"))


def test_meta_serves_where_the_function_cannot_be_tried() -> None:
    frame = pd.DataFrame({"k": ["a", "b"] * 100, "x": range(200)})

    def span(group: Any) -> int:
        if len(group) < 100:
            raise ValueError("needs all of a group")
        return int(group.x.max() - group.x.min())

    lazy = dd.from_pandas(frame, 3).groupby("k").apply(span, meta=("span", "int64"))
    assert lazy.compute().to_dict() == {"a": 198, "b": 198}

"""Sorting rows: by values and by labels, the largest and smallest, and what follows a sort."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import penstock.dataframe as dd
from tests.oracle.exchanges import Call, check_exchanged, drawn, sample

VALUES: dict[str, Call] = {
    "one": lambda df: df.sort_values("finite"),
    "list of one": lambda df: df.sort_values(["float"]),
    "descending": lambda df: df.sort_values("finite", ascending=False),
    "several": lambda df: df.sort_values(["few", "finite"]),
    "mixed": lambda df: df.sort_values(["few", "finite"], ascending=[False, True]),
    "mixed with text": lambda df: df.sort_values(["text", "few"], ascending=[True, False]),
    "three keys": lambda df: df.sort_values(["bool", "few", "float"], ascending=[True, False, True]),
    "na first": lambda df: df.sort_values("finite", na_position="first"),
    "na first, descending": lambda df: df.sort_values(
        "text", ascending=False, na_position="first"
    ),
    "na first, several": lambda df: df.sort_values(["text", "float"], na_position="first"),
    "ignore_index": lambda df: df.sort_values("finite", ignore_index=True),
    "ties keep their order": lambda df: df.sort_values("few", kind="stable")
    if isinstance(df, pd.DataFrame)
    else df.sort_values("few"),
    "sorted twice": lambda df: df.sort_values("few").sort_values("bool"),
    "missing column": lambda df: df.sort_values("nope"),
    "too few directions": lambda df: df.sort_values(["few", "bool"], ascending=[True]),
    "series": lambda df: df.finite.sort_values(),
    "series descending": lambda df: df.text.sort_values(ascending=False),
    "series na first": lambda df: df.float.sort_values(na_position="first"),
    "expression": lambda df: (df.few * 2 - df.finite).sort_values(),
    "then head": lambda df: df.sort_values("finite").head(3),
    "descending, then head": lambda df: df.sort_values("few", ascending=False).head(2),
    "several, then head": lambda df: df.sort_values(["few", "finite"]).head(4),
    "na first, then head": lambda df: df.sort_values("finite", na_position="first").head(3),
    "mixed, then head": lambda df: df.sort_values(["few", "text"], ascending=[False, True]).head(3),
    "then tail": lambda df: df.sort_values("finite").tail(3),
    "then columns and head": lambda df: df.sort_values("finite")[["few", "text"]].head(3),
    "then filter": lambda df: df.sort_values("finite").query("few > 0"),
    "after filter": lambda df: df[df.few > 0].sort_values("float"),
    "then columns": lambda df: df.sort_values("finite")[["text"]],
    "then assign": lambda df: df.sort_values("finite").assign(z=1),
    "then cumsum": lambda df: df.sort_values("text").few.cumsum(),
    "then shift": lambda df: df.sort_values("text").float.shift(),
    "then reset_index": lambda df: df.sort_values("text").reset_index(),
    "then drop_duplicates": lambda df: df.sort_values("finite").drop_duplicates("few"),
    "then first": lambda df: df.sort_values("float").few.nlargest(2),
    "then sum": lambda df: df.sort_values("finite").few.sum(),
    "then len": lambda df: len(df.sort_values("finite")),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
@drawn("few finite float text bool", max_examples=1)
def test_values(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(_stably(VALUES[case]), frame)


def _stably(call: Call) -> Call:
    """Sort in pandas by a stable sort, which its default is not."""

    def sorted_stably(data: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            for kind, name in itertools.product(
                (pd.DataFrame, pd.Series), ("sort_values", "sort_index")
            ):
                patch.setattr(kind, name, _stable(getattr(kind, name)))
            return call(data)

    return sorted_stably


def _stable(method: Any) -> Any:
    def sort(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, *args, **{"kind": "stable", **kwargs})

    return sort


@pytest.mark.parametrize(
    "kind",
    [
        "int", "small_int", "nullable_int", "nullable_bool", "bool", "text", "datetime",
        "datetime_ns", "timedelta", "zoned", "category", "ordered_category", "all_missing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("ascending", [True, False])
def test_kinds(kind: str, ascending: bool) -> None:
    data = sample(kind, "few")
    check_exchanged(_stably(lambda df: df.sort_values(kind, ascending=ascending)), data)
    by = ["few", kind]
    check_exchanged(_stably(lambda df: df.sort_values(by, ascending=[True, ascending])), data)


LABELS: dict[str, Call] = {
    "sort_index": lambda df: df.set_index("few").sort_index(),
    "sort_index descending": lambda df: df.set_index("finite").sort_index(ascending=False),
    "sort_index na first": lambda df: df.set_index("finite").sort_index(na_position="first"),
    "sort_index of default": lambda df: df.sort_index(),
    "sort_index after sort": lambda df: df.sort_values("finite").sort_index(),
    "sort_index of series": lambda df: df.set_index("text").few.sort_index(),
    "sort_values keeps labels": lambda df: df.set_index("text").sort_values("finite"),
    "labels after filter": lambda df: df[df.few > 0].sort_index(ascending=False),
}


@pytest.mark.parametrize("case", LABELS)
@drawn("few finite text", max_examples=1)
def test_labels(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(_stably(LABELS[case]), frame)


SET_INDEX: dict[str, tuple[str, bool]] = {
    "int": ("few", True),
    "text": ("text", True),
    "float": ("finite", True),
    "drop=False": ("few", False),
}


@pytest.mark.parametrize("case", SET_INDEX)
@drawn("few finite text", max_examples=1)
def test_set_index_sorts(case: str, frame: pd.DataFrame) -> None:
    def indexed(df: Any) -> Any:
        column, drop = SET_INDEX[case]
        made = df.set_index(column, drop=drop)
        return made.sort_index(kind="stable") if isinstance(df, pd.DataFrame) else made

    check_exchanged(indexed, frame)


TOP: dict[str, Call] = {
    "nlargest": lambda df: df.nlargest(3, "finite"),
    "nsmallest": lambda df: df.nsmallest(3, "finite"),
    "nlargest, ties": lambda df: df.nlargest(2, "few"),
    "nlargest, last": lambda df: df.nlargest(2, "few", keep="last"),
    "nlargest, all": lambda df: df.nlargest(2, "few", keep="all"),
    "nsmallest, last": lambda df: df.nsmallest(2, "few", keep="last"),
    "nsmallest, all": lambda df: df.nsmallest(2, "few", keep="all"),
    "several columns": lambda df: df.nlargest(3, ["few", "finite"]),
    "several columns, smallest": lambda df: df.nsmallest(3, ["few", "finite"]),
    "more than there are": lambda df: df.nlargest(100, "few"),
    "none": lambda df: df.nlargest(0, "few"),
    "series": lambda df: df.finite.nlargest(2),
    "series, smallest": lambda df: df.few.nsmallest(4),
    "series, last": lambda df: df.few.nlargest(2, keep="last"),
    "series, all": lambda df: df.few.nsmallest(1, keep="all"),
    "series, more than there are": lambda df: df.finite.nlargest(100),
    "after filter": lambda df: df[df.few > 0].nlargest(2, "finite"),
    "then columns": lambda df: df.nlargest(2, "finite")[["few"]],
}


@pytest.mark.parametrize("case", TOP)
@drawn("few finite", max_examples=2)
def test_top(case: str, frame: pd.DataFrame) -> None:
    check_exchanged(TOP[case], frame)


@pytest.mark.parametrize("kind", ["int", "datetime", "timedelta", "float"])
def test_top_of_kinds(kind: str) -> None:
    data = sample(kind, "few")
    check_exchanged(lambda df: df.nlargest(3, kind), data)
    check_exchanged(lambda df: df[kind].nsmallest(3), data)


def test_sorted_partitions_follow_each_other() -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).permutation(1000)})
    blocks = list(dd.from_pandas(frame, 7).sort_values("x", npartitions=5).iter_blocks())
    assert len(blocks) == 5
    assert all(len(block) > 100 for block in blocks)
    assert pd.concat(blocks).x.tolist() == list(range(1000))

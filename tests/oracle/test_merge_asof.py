"""As-of joins give what pandas gives, with a small right side and by ranges of the key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penstock
import penstock.dataframe as dd
from penstock.engine.nodes import join_asof
from penstock.scheduler import Profile
from tests.oracle.exchanges import SPILLING
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

_ZONE = "Europe/Zurich"
_LEFT = pd.DataFrame(
    {"t": [1, 5, 9], "x": ["a", "b", "c"]}, index=pd.Index([10, 20, 30], name="li")
)
_RIGHT = pd.DataFrame(
    {"t": [2, 5], "x": ["p", "q"], "y": [7, 8]}, index=pd.Index([3, 25], name="ri")
)


@pytest.fixture(params=["small", "ranges"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the right side whole to each left block, or cut both sides by ranges."""
    if request.param == "ranges":
        monkeypatch.setattr(join_asof, "_SMALL_SHARE", 1 << 60)
    return request.param


def _keys(kind: str, seconds: np.ndarray) -> Any:
    if kind == "int":
        return seconds
    if kind == "float":
        return seconds * 0.5
    times = pd.to_datetime(seconds, unit="s", utc=True)
    return times.tz_convert(_ZONE) if kind == "zoned" else times.tz_localize(None)


def _sides(kind: str, rows: int = 24, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    generator = np.random.default_rng(seed)

    def side(count: int, groups: str) -> pd.DataFrame:
        seconds = np.sort(generator.integers(0, 60, count))
        return pd.DataFrame(
            {
                "t": _keys(kind, seconds),
                "x": generator.normal(size=count),
                "g": generator.choice([*groups], count),
                "h": pd.Categorical(generator.choice(["u", "v"], count), categories=["v", "u"]),
                "text": generator.choice(["p", None], count),
            }
        )

    return side(rows, "abc"), side(rows * 3 // 4, "abd")


def _check(left: pd.DataFrame, right: pd.DataFrame, **options: Any) -> None:
    __tracebackhide__ = True
    expected = pd.merge_asof(left, right, **options)
    for ours, theirs, settings_ in ((1, 1, {}), (3, 5, SPILLING), (7, 3, {})):
        with penstock.config.set({"verify-plans": True, **settings_}):
            lazy = dd.merge_asof(
                dd.from_pandas(left, ours), dd.from_pandas(right, theirs), **options
            )
            assert_eq(lazy, expected)


@pytest.mark.parametrize("direction", ["backward", "forward", "nearest"])
@pytest.mark.parametrize(("kind", "by"), [("int", None), ("int", ["g", "h"]), ("zoned", "g")])
@pytest.mark.usefixtures("way")
def test_directions(kind: str, by: Any, direction: str) -> None:
    left, right = _sides(kind)
    tolerance = 3 if kind == "int" else pd.Timedelta("3s")
    _check(left, right, on="t", by=by, direction=direction)
    _check(
        left, right, on="t", by=by, direction=direction,
        tolerance=tolerance, allow_exact_matches=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["float", "naive"])
@pytest.mark.usefixtures("way")
def test_kinds_of_keys(kind: str) -> None:
    left, right = _sides(kind, seed=1)
    tolerance = 0.75 if kind == "float" else pd.Timedelta("2s")
    _check(left, right, on="t", by="h", tolerance=tolerance, suffixes=("", "_r"))


COLUMNS: dict[str, dict[str, Any]] = {
    "on": {"on": "t"},
    "right index": {"left_on": "t", "right_index": True},
    "left index": {"left_index": True, "right_on": "t"},
    "both indexes": {"left_index": True, "right_index": True},
    "two keys": {"left_on": "t", "right_on": "y"},
    "by": {"left_on": "t", "right_on": "y", "left_by": "x", "right_by": "x"},
    "two by": {"on": "t", "left_by": "x", "right_by": "x", "suffixes": ("_l", "_r")},
}


@pytest.mark.parametrize("case", COLUMNS)
@pytest.mark.usefixtures("way")
def test_columns_and_labels(case: str) -> None:
    for left, right in (
        (_LEFT, _RIGHT),
        (_LEFT, _RIGHT.iloc[:0]),
        (_LEFT.reset_index(drop=True), _RIGHT.reset_index(drop=True)),
    ):
        _check(left, right, **COLUMNS[case])


@pytest.mark.usefixtures("way")
def test_no_left_rows() -> None:
    _check(_LEFT.iloc[:0], _RIGHT, on="t")


ERRORS: dict[str, tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]] = {
    "unsorted left": (_LEFT.iloc[::-1], _RIGHT, {"on": "t"}),
    "unsorted right": (_LEFT, _RIGHT.iloc[::-1], {"on": "t"}),
    "missing key": (_LEFT.assign(t=[1, None, 3.0]), _RIGHT.assign(t=_RIGHT.t * 1.0), {"on": "t"}),
    "text": (_LEFT, _RIGHT, {"on": "x"}),
    "direction": (_LEFT, _RIGHT, {"on": "t", "direction": "up"}),
    "types": (_LEFT, _RIGHT.assign(t=_RIGHT.t * 1.0), {"on": "t"}),
    "tolerance": (_LEFT, _RIGHT, {"on": "t", "tolerance": -1}),
    "two keys": (_LEFT, _RIGHT, {"on": ["t", "x"]}),
}


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.usefixtures("way")
def test_errors(case: str) -> None:
    left, right, options = ERRORS[case]
    with pytest.raises(ValueError):  # noqa: PT011  the messages are pandas'
        pd.merge_asof(left, right, **options)
    with pytest.raises(ValueError, match=r"sorted|null|key|direction|toler|dtype|Merge"):
        dd.merge_asof(dd.from_pandas(left, 3), dd.from_pandas(right, 3), **options).compute()


def test_blocks_that_are_sorted_each_are_not_enough() -> None:
    left = dd.concat([dd.from_pandas(_LEFT, 1), dd.from_pandas(_LEFT, 1)])
    with pytest.raises(ValueError, match="left keys must be sorted"):
        dd.merge_asof(left, _RIGHT, on="t").compute()


@given(data=st.data())
@settings(max_examples=5)
def test_drawn(data: st.DataObject) -> None:
    keys = st.lists(st.integers(0, 9), max_size=12).map(sorted)
    left = pd.DataFrame({"t": data.draw(keys)}, dtype="int64").assign(g=lambda df: df.t % 2, a=1)
    right = pd.DataFrame({"t": data.draw(keys)}, dtype="int64")
    right = right.assign(g=np.arange(len(right)) % 3, b=np.arange(len(right)))
    options = {
        "by": data.draw(st.sampled_from([None, "g"])),
        "direction": data.draw(st.sampled_from(["backward", "forward", "nearest"])),
        "allow_exact_matches": data.draw(st.booleans()),
        "tolerance": data.draw(st.sampled_from([None, 0, 2])),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join_asof, "_SMALL_SHARE", 1 << 60)
        _check(left, right, on="t", **options)


def test_only_needed_columns_are_read() -> None:
    left, right = _sides("int")
    lazy = dd.merge_asof(dd.from_pandas(left, 3), dd.from_pandas(right, 3), on="t")
    assert_eq(lazy.x_y.sum(), pd.merge_asof(left, right, on="t").x_y.sum())
    assert_eq(lazy[lazy.t > 20][["t", "text_y"]].t.max(), left.t.max())


@pytest.mark.memory
def test_little_memory() -> None:
    rows = 200_000
    generator = np.random.default_rng(2)
    left = pd.DataFrame({"t": np.sort(generator.integers(0, rows, rows)), "a": 1.0})
    right = pd.DataFrame({"t": np.arange(rows) * 2, "b": generator.normal(size=rows)})
    limit = limit_leaving(32 << 20)
    with (
        penstock.config.set({"exchange-memory": 1 << 18}),
        Profile() as profile,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(join_asof, "_SMALL_SHARE", 1 << 60)
        lazy = dd.merge_asof(dd.from_pandas(left, 17), dd.from_pandas(right, 17), on="t")
        found = lazy.b.sum().compute(memory_limit=limit)
    assert profile.spilled_bytes > 0
    assert_eq(found, pd.merge_asof(left, right, on="t").b.sum())


@pytest.mark.parametrize(("how", "wanted"), [("leftsemi", [1, 3]), ("leftanti", [0, 2])])
def test_names_of_dask_for_filtering_joins(how: str, wanted: list[int]) -> None:
    left = pd.DataFrame({"k": [1, 2, 3, 4], "x": range(4)})
    right = pd.DataFrame({"k": [4, 2, 2], "y": range(3)})
    found = dd.from_pandas(left, 3).merge(dd.from_pandas(right, 2), on="k", how=how).compute()
    assert_eq(found.reset_index(drop=True), left.iloc[wanted].reset_index(drop=True))

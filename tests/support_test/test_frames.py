from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tests.support.frames import KINDS, PARTITIONS, assert_eq, cut, frames, series


def reaches(strategy, condition):
    """Whether the strategy gives such an example; the smallest one is not needed."""
    phases = [Phase.generate]
    find(strategy, condition, settings=settings(max_examples=2000, phases=phases, database=None))


def differs(actual, expected, **options):
    with pytest.raises(AssertionError):
        assert_eq(actual, expected, **options)


class Lazy:
    def __init__(self, value):
        self.value = value

    def compute(self):
        return self.value


FRAME = pd.DataFrame({"a": [1, 2, 2], "b": [0.5, np.nan, 1e9], "c": ["x", None, "y"]})


def test_frames_that_are_equal():
    assert_eq(FRAME.copy(), FRAME)
    assert_eq(Lazy(FRAME.copy()), FRAME)
    assert_eq(FRAME.assign(b=FRAME.b * (1 + 1e-12)), FRAME)
    assert_eq(FRAME.a.copy(), FRAME.a)


@pytest.mark.parametrize(
    "other",
    [
        FRAME.assign(a=[1, 2, 3]),
        FRAME.assign(b=FRAME.b * (1 + 1e-6)),
        FRAME.assign(c=["x", "", "y"]),
        FRAME.assign(a=FRAME.a.astype("int32")),
        FRAME.rename(columns={"a": "A"}),
        FRAME.set_axis([0, 1, 3]),
        FRAME.rename_axis("label"),
        FRAME[["b", "a", "c"]],
        FRAME.iloc[:2],
        FRAME.iloc[[1, 0, 2]],
        FRAME.a,
        FRAME.to_numpy(),
    ],
)
def test_frames_that_differ(other):
    differs(other, FRAME)


def test_dtype_and_index_may_be_left_out():
    assert_eq(FRAME.assign(a=FRAME.a.astype("int32")), FRAME, check_dtype=False)
    assert_eq(FRAME.set_axis([5, 6, 7]), FRAME, check_index=False)
    differs(FRAME.set_axis([5, 6, 7]).assign(a=0), FRAME, check_index=False)


def test_rows_in_any_order():
    assert_eq(FRAME.iloc[[2, 0, 1]], FRAME, check_order=False)
    assert_eq(FRAME.c.iloc[[2, 0, 1]], FRAME.c, check_order=False)
    differs(FRAME.iloc[[2, 0, 1]].set_axis([0, 1, 2]), FRAME, check_order=False)
    assert_eq(
        FRAME.iloc[[2, 0, 1]].set_axis([0, 1, 2]), FRAME, check_order=False, check_index=False
    )
    # As often, not only at all.
    twice, thrice = FRAME.iloc[[0, 0, 1]], FRAME.iloc[[0, 1, 1]]
    differs(twice, thrice, check_order=False)
    nearly = FRAME.assign(b=FRAME.b * (1 - 1e-12)).iloc[[2, 1, 0]]
    assert_eq(nearly, FRAME, check_order=False)


@given(frames(any_index=True), st.randoms())
def test_any_shuffle_is_equal_in_any_order(frame, random):
    places = list(range(len(frame)))
    random.shuffle(places)
    assert_eq(frame.iloc[places], frame, check_order=False)
    assert_eq(frame, frame.copy())


def test_arrays():
    array = np.array([[1.0, np.nan], [np.inf, -0.0]])
    assert_eq(array * (1 + 1e-12), array)
    assert_eq(array[::-1], array, check_order=False)
    assert_eq(np.array(["NaT", "2020-01-01"], "M8[s]"), np.array(["NaT", "2020-01-01"], "M8[s]"))
    differs(array[::-1], array)
    differs(array.ravel(), array)
    differs(array.astype("float32"), array)
    differs(array.tolist(), array)
    masked = np.ma.masked_array([1, 2, 3], [False, True, False])
    assert_eq(np.ma.masked_array([1, 9, 3], [False, True, False]), masked)
    differs(np.ma.masked_array([1, 2, 3], [False, False, True]), masked)
    differs(np.array([1, 2, 3]), masked)
    differs(masked, np.array([1, 2, 3]))


def test_scalars():
    assert_eq(1.0 + 1e-13, 1.0)
    assert_eq(np.float64("nan"), float("nan"))
    assert_eq(np.int64(3), 3)
    assert_eq(pd.NaT, pd.NaT)
    assert_eq(np.True_, True)
    differs(1.001, 1.0)
    differs(1, True)
    differs(True, 1)
    differs(None, float("nan"))
    differs(pd.NA, float("nan"))
    differs(0.0, float("nan"))
    differs("1.0", 1.0)
    differs("a", "b")


def test_nested_and_indexes():
    assert_eq((1, [FRAME], {"a": FRAME.a}), (1, [FRAME.copy()], {"a": FRAME.a}))
    differs([1, 2], (1, 2))
    differs((1, 2, 3), (1, 2))
    differs({"b": 1}, {"a": 1})
    differs({"a": 2}, {"a": 1})
    assert_eq(pd.RangeIndex(3), pd.Index([0, 1, 2]))
    differs(pd.Index([0, 1, 3]), pd.Index([0, 1, 2]))
    differs([0, 1, 2], pd.Index([0, 1, 2]))


@pytest.mark.parametrize("rows", [0, 1, 5, 100])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_cut(npartitions, rows, seed):
    frame = pd.DataFrame({"a": np.arange(rows)}, index=np.arange(rows) * 2)
    pieces = cut(frame, npartitions, seed=seed)
    assert len(pieces) == npartitions
    assert_eq(pd.concat(pieces), frame)
    if seed is None:
        sizes = [len(piece) for piece in pieces]
        assert max(sizes) - min(sizes) <= 1


def test_partitions_cover_one_few_and_many(npartitions):
    assert npartitions in PARTITIONS == (1, 3, 17)


@pytest.mark.parametrize("kind", KINDS)
def test_series_of_each_kind(kind):
    @settings(max_examples=100)
    @given(series(kind, min_rows=2, max_rows=6, name="x"))
    def check(values):
        assert 2 <= len(values) <= 6
        assert values.name == "x"
        dtypes.add(str(values.dtype))

    dtypes = set()
    check()
    assert len(dtypes) == (4 if kind == "zoned" else 1)
    assert "object" not in dtypes
    if kind not in ("int", "small_int", "few", "bool"):
        reaches(series(kind), lambda values: values.isna().any())
    if kind != "all_missing":
        reaches(series(kind), lambda values: values.dropna().duplicated().any())


@given(frames(columns={"k": "few", "v": "float"}, min_rows=1, max_rows=4))
def test_fixed_columns(frame):
    assert list(frame.columns) == ["k", "v"]
    assert isinstance(frame.index, pd.RangeIndex)
    assert 1 <= len(frame) <= 4


def test_frames_reach_the_corners():
    reaches(frames(), lambda frame: frame.empty)
    reaches(frames(kinds=["float"]), lambda frame: np.isinf(frame.iloc[:, 0]).any())
    reaches(frames(any_index=True), lambda frame: frame.index.has_duplicates)
    reaches(frames(kinds=["datetime"]), lambda frame: (frame.iloc[:, 0].dt.year < 1600).any())
    reaches(frames(kinds=["text"]), lambda frame: frame.iloc[:, 0].str.contains("\n").any())

"""Compare results with pandas and NumPy, and make the frames to compare on.

`assert_eq` is the one comparison of the test suite; `cut` and `PARTITIONS` cut a pandas frame
into the partitions that a result must not depend on; `frames` is a hypothesis strategy of frames
with everything that is usually got wrong.
"""

from __future__ import annotations

import datetime
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

# One partition, a few, and more than small frames have rows: a result must not depend on it.
PARTITIONS = (1, 3, 17)


def assert_eq(
    actual: Any,
    expected: Any,
    *,
    check_order: bool = True,
    check_index: bool = True,
    check_dtype: bool = True,
    rtol: float = 1e-9,
    atol: float = 1e-12,
) -> None:
    """Assert that a result equals what pandas or NumPy gives.

    Types, dtypes, names, labels and values are compared; NaN equals NaN; floats are compared
    with a tolerance, because another partitioning adds in another order.

    Parameters
    ----------
    actual : object
        The result; a collection is computed first.
    expected : object
        What pandas or NumPy gives: a frame, series, index, array or scalar, or a tuple, list or
        dict of these.
    check_order : bool, default True
        Whether rows must come in the same order. If not, each row with its label must come as
        often.
    check_index : bool, default True
        Whether the labels of rows are compared.
    check_dtype : bool, default True
        Whether dtypes are compared.
    rtol, atol : float
        Tolerances for floats.
    """
    __tracebackhide__ = True
    if hasattr(actual, "compute") and not isinstance(actual, type):
        actual = actual.compute()
    compare = {"check_dtype": check_dtype, "rtol": rtol, "atol": atol}
    nested = {**compare, "check_order": check_order, "check_index": check_index}

    if isinstance(expected, tuple | list):
        assert type(actual) is type(expected), f"{type(actual)} is not {type(expected)}"
        assert len(actual) == len(expected), f"{len(actual)} values instead of {len(expected)}"
        for one, other in zip(actual, expected, strict=True):
            assert_eq(one, other, **nested)
    elif isinstance(expected, dict):
        assert isinstance(actual, dict), f"{type(actual)} is not a dict"
        assert list(actual) == list(expected), f"keys {list(actual)}, not {list(expected)}"
        for key, value in expected.items():
            assert_eq(actual[key], value, **nested)
    elif isinstance(expected, pd.DataFrame | pd.Series):
        assert type(actual) is type(expected), f"{type(actual)} is not {type(expected)}"
        if not check_order:
            actual, expected = (_in_one_order(data, check_index) for data in (actual, expected))
        if not check_index:
            actual, expected = actual.reset_index(drop=True), expected.reset_index(drop=True)
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(actual, expected, **compare)
        else:
            pd.testing.assert_series_equal(actual, expected, **compare)
    elif isinstance(expected, pd.Index):
        assert isinstance(actual, pd.Index), f"{type(actual)} is not an index"
        if not check_order:
            actual, expected = actual.sort_values(), expected.sort_values()
        exact = "equiv" if check_dtype else False
        pd.testing.assert_index_equal(actual, expected, exact=exact, rtol=rtol, atol=atol)
    elif isinstance(expected, np.ndarray):
        _assert_array_eq(actual, expected, check_order, check_dtype, rtol, atol)
    else:
        _assert_scalar_eq(actual, expected, check_dtype, rtol, atol)


def cut(frame: Any, npartitions: int, *, seed: int | None = None) -> list[Any]:
    """Cut a pandas object into consecutive partitions, keeping its labels.

    Parameters
    ----------
    frame : DataFrame or Series
        What to cut.
    npartitions : int
        How many pieces; some are empty when there are fewer rows.
    seed : int, optional
        Cut at random places instead of evenly, so that empty and large pieces come together.

    Returns
    -------
    list
        `npartitions` pieces, whose concatenation is `frame`.
    """
    if seed is None:
        inner = np.linspace(0, len(frame), npartitions + 1).astype(int)[1:-1]
    else:
        generator = np.random.default_rng(seed)
        inner = np.sort(generator.integers(0, len(frame) + 1, npartitions - 1))
    bounds = [0, *inner.tolist(), len(frame)]
    return [frame.iloc[start:stop] for start, stop in itertools.pairwise(bounds)]


def _in_one_order(data: Any, by_index: bool) -> Any:
    """Sort rows by all they hold, floats last: these may differ in the last digits."""
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    levels = range(frame.index.nlevels if by_index else 0)
    values: list[Any] = [frame.index.get_level_values(level) for level in levels]
    values += [frame.iloc[:, place] for place in range(frame.shape[1])]
    exact, floats = [], []
    for each in values:
        if pd.api.types.is_float_dtype(each.dtype):
            floats.append(np.asarray(each.astype("float64")))
        else:
            # Any type can be ordered through text; what is missing sorts as its own.
            missing = np.asarray(each.isna())
            exact += [missing, np.where(missing, "", np.asarray(each.astype(str), dtype=object))]
    keys = pd.DataFrame(dict(enumerate([*exact, *floats])))
    order = keys.sort_values(list(keys.columns), kind="stable").index if keys.shape[1] else []
    return data.iloc[np.asarray(order, dtype=int)]


def _assert_array_eq(
    actual: Any,
    expected: np.ndarray,
    check_order: bool,
    check_dtype: bool,
    rtol: float,
    atol: float,
) -> None:
    __tracebackhide__ = True
    assert isinstance(actual, np.ndarray), f"{type(actual)} is not an array"
    assert actual.shape == expected.shape, f"shape {actual.shape}, not {expected.shape}"
    if check_dtype:
        assert actual.dtype == expected.dtype, f"dtype {actual.dtype}, not {expected.dtype}"
    masked = isinstance(expected, np.ma.MaskedArray)
    assert isinstance(actual, np.ma.MaskedArray) == masked, f"{type(actual)}: masked or not"
    if masked:
        np.testing.assert_array_equal(np.ma.getmaskarray(actual), np.ma.getmaskarray(expected))
        actual, expected = actual.compressed(), expected.compressed()
    if not check_order:
        actual, expected = np.sort(actual, axis=None), np.sort(expected, axis=None)
    if expected.dtype.kind in "fc":
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, equal_nan=True)
    else:
        np.testing.assert_array_equal(actual, expected)


def _assert_scalar_eq(
    actual: Any, expected: Any, check_dtype: bool, rtol: float, atol: float
) -> None:
    __tracebackhide__ = True
    if pd.api.types.is_scalar(expected) and pd.isna(expected):
        assert pd.api.types.is_scalar(actual), f"{actual!r} is not {expected!r}"
        assert pd.isna(actual), f"{actual!r} is not {expected!r}"
        if check_dtype:
            kinds = (type(None), type(pd.NaT), type(pd.NA))
            same = [isinstance(actual, kind) == isinstance(expected, kind) for kind in kinds]
            assert all(same), f"{actual!r} is not {expected!r}"
    elif isinstance(expected, float | complex | np.inexact):
        numbers = int | float | complex | np.number
        assert isinstance(actual, numbers), f"{actual!r} is not a number"
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
    else:
        # True equals 1, which is not what a test of any() means.
        booleans = bool | np.bool
        assert isinstance(actual, booleans) == isinstance(expected, booleans), (
            f"{actual!r} is not {expected!r}"
        )
        assert actual == expected, f"{actual!r} is not {expected!r}"


# --- strategies ----------------------------------------------------------------------------------

_TEXTS = (
    "", " ", "a", "A", "NA", "null", "nan", "007", "-1", "1e5", "true", "ß", "é", "e\u0301",
    "日本語", "🏞️", "a,b", 'say "x"', "line\nbreak", "tab\t", "\u00a0", "x" * 300,
)  # fmt: skip
_CATEGORIES = ("low", "mid", "high", "unused")
_ZONES = ("UTC", "Europe/Zurich", "America/New_York", "Asia/Kathmandu")
_UTC = datetime.UTC

# What pandas holds in microseconds and in nanoseconds.
_MICROSECONDS = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))  # noqa: DTZ001
_NANOSECONDS = st.integers(pd.Timestamp.min.value, pd.Timestamp.max.value)
_INSTANTS = st.datetimes(
    datetime.datetime(1900, 1, 2),  # noqa: DTZ001
    datetime.datetime(2199, 12, 30),  # noqa: DTZ001
    timezones=st.just(_UTC),
)
_MISSING = st.none()
_FLOATS = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.5, float("nan"), 1e300, 5e-324])
# -2**63 stands for "missing" in some encodings.
_INTEGERS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1])
)
_STRINGS = st.sampled_from(_TEXTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8
)

# Kind of column -> its pandas dtype and the strategy of its values.
_COLUMNS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": ("int64", _INTEGERS),
    "small_int": ("int8", st.integers(-128, 127)),
    "nullable_int": ("Int64", _INTEGERS | _MISSING),
    "few": ("int64", st.integers(0, 2)),
    "float": ("float64", _FLOATS),
    "finite": ("float64", st.floats(-1e6, 1e6) | st.just(float("nan"))),
    "bool": ("bool", st.booleans()),
    "nullable_bool": ("boolean", st.booleans() | _MISSING),
    "text": ("str", _STRINGS | _MISSING),
    "datetime": ("datetime64[us]", _MICROSECONDS | _MISSING),
    "datetime_ns": ("datetime64[ns]", _NANOSECONDS | _MISSING),
    "timedelta": (
        "timedelta64[us]",
        st.timedeltas(datetime.timedelta(-(10**6)), datetime.timedelta(10**6)) | _MISSING,
    ),
    "zoned": (None, _INSTANTS | _MISSING),
    "category": (
        pd.CategoricalDtype(_CATEGORIES, ordered=False),
        st.sampled_from(_CATEGORIES[:3]) | _MISSING,
    ),
    "ordered_category": (
        pd.CategoricalDtype(_CATEGORIES, ordered=True),
        st.sampled_from(_CATEGORIES[:3]) | _MISSING,
    ),
    "all_missing": ("float64", st.just(float("nan"))),
}

KINDS = tuple(_COLUMNS)


@st.composite
def series(
    draw: st.DrawFn, kind: str, *, min_rows: int = 0, max_rows: int = 30, name: str | None = None
) -> pd.Series:
    """Draw a series of one of the `KINDS`.

    Parameters
    ----------
    kind : str
        Such as ``"nullable_int"``.
    min_rows, max_rows : int
        Bounds of its length.
    name : str, optional
        Its name.

    Returns
    -------
    strategy of Series
    """
    dtype, elements = _COLUMNS[kind]
    # Values drawn once and used again make the duplicates that groupby, join and sort are about.
    pool = draw(st.lists(elements, min_size=1, max_size=8))
    rows = draw(st.integers(min_rows, max_rows))
    values = draw(st.lists(st.sampled_from(pool) | elements, min_size=rows, max_size=rows))
    if kind == "zoned":
        dtype = pd.DatetimeTZDtype("us", draw(st.sampled_from(_ZONES)))
        return pd.Series(pd.DatetimeIndex(values, dtype="datetime64[us, UTC]"), name=name).astype(
            dtype
        )
    if kind == "datetime_ns":
        values = [pd.NaT if value is None else np.datetime64(value, "ns") for value in values]
    return pd.Series(values, dtype=dtype, name=name)


@st.composite
def frames(
    draw: st.DrawFn,
    *,
    kinds: Sequence[str] = KINDS,
    columns: dict[str, str] | None = None,
    min_rows: int = 0,
    max_rows: int = 30,
    max_columns: int = 4,
    any_index: bool = False,
) -> pd.DataFrame:
    """Draw a frame: nulls, NaN, infinities, duplicates, extreme dates, unicode, no rows at all.

    Parameters
    ----------
    kinds : sequence of str
        The `KINDS` of columns to choose from.
    columns : dict, optional
        Name -> kind, to fix the columns.
    min_rows, max_rows : int
        Bounds of its length.
    max_columns : int
        Most columns, when `columns` is not given.
    any_index : bool, default False
        Whether to draw an index too (named, unsorted, with duplicates) instead of the default.

    Returns
    -------
    strategy of DataFrame
    """
    if columns is None:
        chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=max_columns))
        columns = {f"{kind}_{place}": kind for place, kind in enumerate(chosen)}
    rows = draw(st.integers(min_rows, max_rows))
    data = {
        name: draw(series(kind, min_rows=rows, max_rows=rows)) for name, kind in columns.items()
    }
    frame = pd.DataFrame(data, index=pd.RangeIndex(rows))
    if any_index:
        kind = draw(st.sampled_from(["few", "text", "datetime"]))
        frame.index = pd.Index(draw(series(kind, min_rows=rows, max_rows=rows)), name="label")
    return frame

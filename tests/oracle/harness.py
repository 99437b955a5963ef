"""One call, made on a pandas object and on collections of it: the results must be equal."""

from __future__ import annotations

import builtins
import functools
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import penstock.dataframe as dd
from penstock.collections.base import Collection
from tests.support.frames import PARTITIONS, assert_eq, frames

Call = Callable[[Any], Any]

# Frames are small: shrinking them takes longer than reading them.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
tried_partitions: ContextVar[tuple[int, ...]] = ContextVar("tried_partitions", default=PARTITIONS)
"""The numbers of partitions that `check` tries unless it is told others."""
_ZONE = "Europe/Zurich"
_DAYS = ["2021-03-28 01:30", "1970-01-01", None, "2024-02-29 23:59:59.999999", "1900-12-31"]
# Values that every kind of column must hold at least once: missing, duplicate, extreme.
_SAMPLES: dict[str, pd.Series] = {
    "int": pd.Series([3, -1, 2**53 + 1, 3, 0, 7, -8]),
    "small_int": pd.Series([3, -128, 127, 3, 0, 7, -8], dtype="int8"),
    "nullable_int": pd.Series([1, None, -5, 1, 2**60, None, 0], dtype="Int64"),
    "nullable_bool": pd.Series([True, None, False, True, None, False, True], dtype="boolean"),
    "few": pd.Series([0, 1, 2, 0, 1, 1, 2]),
    "float": pd.Series([1.5, np.nan, -0.0, np.inf, 0.0, -np.inf, 1.5]),
    "finite": pd.Series([1.5, np.nan, -2.25, 1000.125, 0.0, 1.5, -3.0]),
    "bool": pd.Series([True, False, False, True, True, False, True]),
    "text": pd.Series(["a b", None, "", "Zürich", "007", "a b", "日本"], dtype="str"),
    "datetime": pd.Series([*_DAYS, "2021-03-28 01:30", "9999-12-31"], dtype="datetime64[us]"),
    "datetime_ns": pd.Series([*_DAYS, *_DAYS[:2]], dtype="datetime64[ns]"),
    "timedelta": pd.Series(
        pd.to_timedelta(["1D", None, "-1s", "0s", "36h", "1D", "2us"])
    ).astype("timedelta64[us]"),
    "zoned": pd.Series(pd.DatetimeIndex([*_DAYS, *_DAYS[:2]], dtype="datetime64[us, UTC]")
    ).dt.tz_convert(_ZONE),
    "category": pd.Series(
        ["low", None, "high", "low", "mid", "high", "low"],
        dtype=pd.CategoricalDtype(["low", "mid", "high", "unused"]),
    ),
    "ordered_category": pd.Series(
        ["low", None, "high", "low", "mid", "high", "low"],
        dtype=pd.CategoricalDtype(["low", "mid", "high", "unused"], ordered=True),
    ),
    "all_missing": pd.Series([np.nan] * 7),
}  # fmt: skip


def sample(*kinds: str) -> pd.DataFrame:
    """Return a frame with a column of each kind, named after it."""
    return pd.DataFrame({kind: _SAMPLES[kind] for kind in kinds})


def check(
    call: Call,
    data: Any,
    *,
    partitions: tuple[int, ...] | None = None,
    scheduler: str | None = None,
    memory_limit: str | None = None,
    **compare: Any,
) -> None:
    """Assert that `call` gives for collections of `data` what it gives for `data` itself.

    Where pandas raises, a collection must raise an error that is the same builtin one, when
    the call is made or when it is computed.

    Parameters
    ----------
    call : callable
        Takes a DataFrame or Series of pandas, or a collection.
    data : pandas.DataFrame or pandas.Series
    partitions : tuple of int, optional
        Numbers of partitions to try; by default all `PARTITIONS`, or those of the example that
        `drawn` runs, and one that leaves most partitions empty for a frame of one row or none.
    scheduler, memory_limit : str, optional
        For `compute`.
    **compare
        For `assert_eq`.
    """
    __tracebackhide__ = True
    expected = _outcome(lambda: call(data.copy()))
    if partitions is None:
        partitions = tried_partitions.get() if len(data) > 1 else (3,)
    options = {"scheduler": scheduler, "memory_limit": memory_limit}
    for npartitions in partitions:
        collection = dd.from_pandas(data, npartitions)
        actual = _outcome(
            lambda: _computed(call(collection), options)  # noqa: B023
        )
        try:
            _compare(actual, expected, **compare)
        except AssertionError as error:
            error.add_note(f"on {npartitions} partitions of\n{data}")
            raise


def _compare(actual: Any, expected: Any, **compare: Any) -> None:
    __tracebackhide__ = True
    if isinstance(expected, Exception):
        same = isinstance(actual, _builtin_type(expected))
        assert same, f"pandas raises {expected!r}, Penstock gives {actual!r}"
    elif isinstance(actual, Exception):
        raise AssertionError(f"{actual!r} instead of {expected!r}") from actual
    else:
        assert_eq(actual, expected, **compare)


def drawn(kinds: str, *, max_examples: int = 2, max_rows: int = 8) -> Callable[[Any], Any]:
    """Run a test on the sample, on no rows, on one row and on drawn frames.

    `check` cuts the sample into each of the numbers of `PARTITIONS`, a drawn frame into one of
    them that is drawn too.

    Parameters
    ----------
    kinds : str
        `KINDS` of columns, separated by blanks; the columns are named after them.
    max_examples : int
        Drawn frames, where hypothesis draws 50 examples; other profiles draw in proportion.
    max_rows : int
        Most rows of each.

    Returns
    -------
    callable
        Decorates a test that takes `frame`.
    """
    names = kinds.split()
    whole = sample(*names)

    def decorate(test: Any) -> Any:
        @functools.wraps(test)
        def run(*args: Any, frame: tuple[pd.DataFrame, tuple[int, ...]], **kwargs: Any) -> None:
            data, partitions = frame
            token = tried_partitions.set(partitions)
            try:
                test(*args, frame=data, **kwargs)
            finally:
                tried_partitions.reset(token)

        columns = {name: name for name in names}
        counts = st.sampled_from(PARTITIONS).map(lambda count: (count,))
        run = given(frame=st.tuples(frames(columns=columns, max_rows=max_rows), counts))(run)
        for each in (whole, whole.iloc[:0], whole.iloc[:1]):
            run = example(frame=(each, PARTITIONS))(run)
        slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
        most = max(1, max_examples * settings.default.max_examples // 50)
        return settings(max_examples=most, phases=_PHASES, suppress_health_check=slow)(run)

    return decorate


def _computed(result: Any, options: dict[str, Any]) -> Any:
    if isinstance(result, Collection):
        return result.compute(**options)
    if isinstance(result, tuple | list):
        return type(result)(_computed(item, options) for item in result)
    return result


def _outcome(run: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return run()
        except Exception as error:  # noqa: BLE001  compared with pandas' own
            return error


def _builtin_type(error: Exception) -> type:
    return next(
        kind for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind
    )

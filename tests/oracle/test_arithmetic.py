"""Arithmetic, comparison and logic between frames, series, scalars and lazy scalars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.oracle.harness import Call, check, drawn

NUMBERS: dict[str, Call] = {
    "frame + scalar": lambda df: df + 1,
    "scalar - frame": lambda df: 10 - df,
    "frame * float": lambda df: df * 0.5,
    "frame / frame": lambda df: df / df,
    "frame + frame": lambda df: df + df,
    "frame // scalar": lambda df: df // 3,
    "frame % scalar": lambda df: df % 3,
    "frame ** 2": lambda df: df**2,
    "-frame": lambda df: -df,
    "+frame": lambda df: +df,
    "abs(frame)": abs,
    "frame.abs": lambda df: df.abs(),
    "frame > scalar": lambda df: df > 1,
    "frame == frame": lambda df: df == df,
    "frame != scalar": lambda df: df != 0,
    "scalar <= frame": lambda df: df >= 1,
    "frame - mean": lambda df: df - df.mean(),
    "frame / max": lambda df: df / df.max(),
    "normalised": lambda df: (df - df.min()) / (df.max() - df.min()),
    "max - min": lambda df: df.max() - df.min(),
    "reductions + 1": lambda df: df.max() + 1,
    "1 - reductions": lambda df: 1 - df.max(),
    "reduction of a column": lambda df: df.max()["few"],
    "series + series": lambda df: df.few + df.finite,
    "series - series": lambda df: df.small_int - df.few,
    "series / series": lambda df: df.few / df.small_int,
    "series // series": lambda df: df.few // df.small_int,
    "series % series": lambda df: df.small_int % df.few,
    "series ** series": lambda df: df.finite**df.few,
    "2 ** series": lambda df: 2**df.few,
    "series - lazy": lambda df: df.finite - df.finite.mean(),
    "lazy - series": lambda df: df.finite.max() - df.finite,
    "lazy + lazy": lambda df: df.finite.max() + df.few.sum(),
    "lazy / len": lambda df: df.few.sum() / 7,
    "1 - lazy": lambda df: 1 - df.few.sum(),
    "-lazy": lambda df: -df.few.sum(),
    "series of lazies": lambda df: (df.few - df.few.mean()) / (df.few.max() + 1),
    "frame - lazy": lambda df: df - df.few.sum(),
    "frame and row": lambda df: df * df.max() + df.min(),
    "compare with lazy": lambda df: df.few > df.few.mean(),
    "method add": lambda df: df.few.add(df.finite),
    "method radd": lambda df: df.few.radd(5),
    "method sub": lambda df: df.sub(2),
    "method rsub": lambda df: df.rsub(2),
    "method mul": lambda df: df.finite.multiply(2),
    "method div": lambda df: df.few.div(df.small_int),
    "method rdiv": lambda df: df.few.rdiv(1.0),
    "method floordiv": lambda df: df.few.floordiv(2),
    "method mod": lambda df: df.few.mod(2),
    "method pow": lambda df: df.few.pow(2),
    "method rpow": lambda df: df.few.rpow(2),
    "method lt": lambda df: df.lt(2),
    "method ge": lambda df: df.few.ge(df.small_int),
    "add with fill": lambda df: df.finite.add(df.few, fill_value=0),
    "sub with fill": lambda df: df.finite.sub(1, fill_value=5),
    "frame add with fill": lambda df: df[["finite", "few"]].add(1, fill_value=10),
    "add axis": lambda df: df.add(df.few, axis=0),
    "sub axis": lambda df: df[["few", "finite"]].sub(df.small_int, axis="index"),
    "NumPy scalar": lambda df: df.few + np.int8(1),
    "NumPy scalar first": lambda df: np.float64(1.5) * df.finite,
    "NumPy scalar first, frame": lambda df: np.float64(1.5) + df,
    "shared": lambda df: (df.few + 1) * (df.few + 1) - (df.few + 1),
    "text and number": lambda df: df.few + "a",
}


@pytest.mark.parametrize("case", NUMBERS)
@drawn("few small_int finite")
def test_numbers(case: str, frame: pd.DataFrame) -> None:
    check(NUMBERS[case], frame)


KINDS: dict[str, Call] = {
    "nullable + 1": lambda df: df.nullable_int + 1,
    "nullable / nullable": lambda df: df.nullable_int / df.nullable_int,
    "nullable > 0": lambda df: df.nullable_int > 0,
    "nullable and": lambda df: df.nullable_bool & (df.nullable_int > 0),
    "nullable or": lambda df: df.nullable_bool | df.nullable_bool,
    "nullable invert": lambda df: ~df.nullable_bool,
    "text + text": lambda df: df.text + df.text,
    "text + scalar": lambda df: df.text + "!",
    "scalar + text": lambda df: "<" + df.text,
    "text == scalar": lambda df: df.text == "a b",
    "text < scalar": lambda df: df.text < "b",
    "text != text": lambda df: df.text != df.text,
    "category == scalar": lambda df: df.category == "low",
    "category != scalar": lambda df: df.category != "low",
    "ordered category >= scalar": lambda df: df.ordered_category >= "mid",
    "unordered category > scalar": lambda df: df.category > "low",
    "datetime - scalar": lambda df: df.datetime - pd.Timestamp("2000-01-01"),
    "datetime > text": lambda df: df.datetime > "2000-01-01",
    "zoned > scalar": lambda df: df.zoned > pd.Timestamp("2000-01-01", tz="UTC"),
    "zoned + timedelta": lambda df: df.zoned + df.timedelta,
    "timedelta * 2": lambda df: df.timedelta * 2,
    "timedelta / hour": lambda df: df.timedelta / pd.Timedelta("1h"),
    "timedelta + timedelta": lambda df: df.timedelta + df.timedelta,
    "-timedelta": lambda df: -df.timedelta,
    "abs timedelta": lambda df: df.timedelta.abs(),
    "datetime - lazy": lambda df: df.timedelta - df.timedelta.max(),
    "and": lambda df: df.bool & (df.text == ""),
    "or": lambda df: df.bool | df.text.isna(),
    "xor": lambda df: df.bool ^ True,
    "scalar and": lambda df: True & df.bool,
    "invert": lambda df: ~df.bool,
    "invert twice": lambda df: ~~df.bool,
    "bool + bool": lambda df: df.bool + df.bool,
    "bool sum": lambda df: df.bool + 1,
    "frame of bools and": lambda df: df[["bool"]] & df[["bool"]],
    "mixed frame == scalar": lambda df: df[["text", "bool"]] == "a b",
    "mixed frame == frame": lambda df: df[["text", "timedelta"]] == df[["text", "timedelta"]],
    "number + text": lambda df: df.nullable_int + df.text,
}


@pytest.mark.parametrize("case", KINDS)
@drawn("bool nullable_int nullable_bool text category ordered_category datetime zoned timedelta")
def test_kinds(case: str, frame: pd.DataFrame) -> None:
    check(KINDS[case], frame)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "lt", "eq"])
@pytest.mark.parametrize("other", [2, -1.5, 0])
@drawn("int float")
def test_extreme_numbers(op: str, other: Any, frame: pd.DataFrame) -> None:
    check(lambda df: getattr(df, op)(other), frame)

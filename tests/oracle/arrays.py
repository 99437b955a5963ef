"""Array oracle: the same call in NumPy on the whole array and in Penstock on its chunks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import penstock
import penstock.array as da
from tests.support.frames import assert_eq

SHAPE = (7, 12)
# one chunk, even, uneven with chunks of one element, all of one element, cut along the last axis
CHUNKS: tuple[Any, ...] = (-1, (3, 4), ((2, 1, 4), (7, 5)), (1, 1), (-1, 5))
SPILL = {"exchange-memory": "1B"}

Case = Callable[[Any, Any], Any]
"""Takes the module (NumPy or penstock.array) and an array of it."""


def values(dtype: Any = "f8", shape: tuple[int, ...] = SHAPE, seed: int = 3) -> np.ndarray:
    """Return an array with ties, negative numbers and zeros."""
    generator = np.random.default_rng(seed)
    drawn = generator.normal(0, 4, shape).round(1)
    if np.dtype(dtype) == bool:
        return drawn > 0
    if np.dtype(dtype).kind == "c":
        return (drawn + 1j * generator.normal(size=shape)).astype(dtype)
    if np.dtype(dtype).kind == "u":
        return abs(drawn).astype(dtype)
    return drawn.astype(dtype)


def holes(seed: int = 5) -> np.ndarray:
    """Return floats with some NaN, and a row of them."""
    made = values(seed=seed)
    made[np.random.default_rng(seed).random(SHAPE) < 0.2] = np.nan
    return made


def kept(known: np.ndarray, chunks: Any) -> da.Array:
    """Return an array of blocks in the store, which nothing can be pushed into."""
    return da.from_array(known, chunks=chunks).persist(scheduler="sync")


def check(cases: Mapping[str, Case], known: np.ndarray, chunks: Any, **options: Any) -> None:
    """Assert that every case gives what NumPy gives; tell of all that do not."""
    lazy = kept(known, chunks)
    failures = []
    for name, case in cases.items():
        try:
            with np.errstate(all="ignore"):
                expected = case(np, known)
                made = case(da, lazy)
            (actual,) = penstock.compute(made, scheduler="sync", **options)
            _same(made, actual, expected)
        except Exception:  # noqa: BLE001 - all are told together
            failures.append(f"-- {name}, chunks {chunks}\n{traceback.format_exc(limit=-2)}")
    if failures:
        raise AssertionError(f"{len(failures)} of {len(cases)} differ\n" + "\n".join(failures))


def _same(made: Any, actual: Any, expected: Any) -> None:
    if isinstance(expected, tuple | list):
        assert len(actual) == len(expected)
        for one, two, three in zip(made, actual, expected, strict=True):
            _same(one, two, three)
        return
    if isinstance(made, da.Array):
        known = all(size == size for size in made.shape)
        assert not known or made.shape == np.shape(expected), (made.shape, np.shape(expected))
        if not made.dtype.hasobject:
            assert made.dtype == np.asarray(expected).dtype, (made.dtype, np.asarray(expected))
    expected = expected if np.ndim(expected) else np.asarray(expected)[()]
    kind = np.asarray(expected).dtype
    single = kind.kind in "fc" and kind.itemsize < (16 if kind.kind == "c" else 8)
    assert_eq(actual, expected, rtol=1e-5 if single else 1e-7, atol=1e-6 if single else 1e-9)

"""Masked arrays against numpy.ma."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.errors import UnsupportedError
from tests.oracle.arrays import CHUNKS, values

CASES: dict[str, Any] = {
    "equal": lambda m, x: m.masked_equal(x, 0.4),
    "not equal": lambda m, x: m.masked_not_equal(x, 0.4),
    "greater": lambda m, x: m.masked_greater(x, 1),
    "less equal": lambda m, x: m.masked_less_equal(x, 1),
    "inside": lambda m, x: m.masked_inside(x, -1, 1),
    "outside": lambda m, x: m.masked_outside(x, -1, 1),
    "invalid": lambda m, x: m.masked_invalid(x),
    "where": lambda m, x: m.masked_where(x > 1, x * 2),
    "array": lambda m, x: m.masked_array(x, mask=x < 0, fill_value=7),
    "choice": lambda m, x: m.where(x > 0, m.masked_greater(x, 3), -x),
    "operators": lambda m, x: (m.masked_greater(x, 1) + 1) / m.masked_less(x, -2) - x,
    "comparison": lambda m, x: m.masked_greater(x, 1) > 0,
    "domain": lambda m, x: np.log(m.masked_greater(x, 1)),
    "slices": lambda m, x: m.masked_greater(x, 1)[1:5, ::-2],
    "list": lambda m, x: m.masked_greater(x, 1)[[4, 0, 0]],
    "shapes": lambda m, x: m.masked_greater(x, 1).reshape(12, 7).T.ravel(),
    "type": lambda m, x: m.masked_greater(x, 1).astype("f4"),
    "filled": lambda m, x: m.filled(m.masked_greater(x, 1), -9),
    "data": lambda m, x: m.getdata(m.masked_greater(x, 1)),
    "mask": lambda m, x: m.getmaskarray(m.masked_greater(x, 1)),
    "average": lambda m, x: m.average(m.masked_greater(x, 1), axis=1),
    "weighted": lambda m, x: m.average(m.masked_greater(x, 1), axis=0, weights=x * x),
    **{
        f"{name} {axis}": (lambda m, x, n=name, a=axis: getattr(m.masked_greater(x, -2), n)(a))
        for name in ("sum", "prod", "min", "max", "mean", "var", "std", "any", "all", "count")
        for axis in (None, 0, 1)
    },
}


@pytest.mark.parametrize(
    "chunks", [*CHUNKS[1:3], pytest.param(CHUNKS[3], marks=pytest.mark.slow)], ids=str
)
def test_masked_arrays(chunks: Any) -> None:
    lazy, wanted = [], []
    with np.errstate(all="ignore"):
        for name, case in CASES.items():
            known = values()
            if "0" not in name and "1" not in name and "None" not in name:
                known[2, 3:5] = np.nan  # in reductions numpy.ma masks it here and not there
            lazy.append(case(da.ma, da.from_array(known, chunks=chunks)))
            wanted.append(case(np.ma, known))
    for name, made, expected in zip(CASES, penstock.compute(*lazy), wanted, strict=True):
        assert np.ma.isMaskedArray(made) == (np.ma.isMaskedArray(expected)), name
        np.testing.assert_array_equal(
            np.ma.getmaskarray(made), np.ma.getmaskarray(expected), err_msg=name
        )
        np.testing.assert_allclose(
            np.ma.filled(made, 0), np.ma.filled(expected, 0), err_msg=name, rtol=1e-9
        )
        if np.ma.isMaskedArray(expected) and name == "array":
            assert made.fill_value == expected.fill_value


def test_blocks_and_what_is_not_supported() -> None:
    x = da.ma.masked_greater(da.arange(6, chunks=4), 3)
    kept = x.persist()
    assert [block.tolist() for block in kept.iter_blocks()] == [[0, 1, 2, 3], [None, None]]
    assert da.ma.masked_equal(da.ones(3), 1).sum().compute() is np.ma.masked
    assert repr(x) == "penstock.array.ma<shape=(6,), dtype=int64>"
    with pytest.raises(UnsupportedError):
        np.modf(x)

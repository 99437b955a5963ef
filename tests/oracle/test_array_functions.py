"""Functions of arrays against NumPy, over several chunkings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle.arrays import CHUNKS, Case, check, holes, values

_ = slice(None)
MASK = values(seed=9) > 1
ROWS = np.array([3, 0, 6, 6, -1])
COLUMNS = np.array([11, 0, 2, -2, 2])


@pytest.fixture(params=CHUNKS, ids=("one", "even", "uneven", "ones", "columns"))
def chunks(request: pytest.FixtureRequest) -> Any:
    return request.param


REDUCTIONS: dict[str, Case] = {
    f"{name} {options}": (lambda m, x, n=name, o=options: getattr(m, n)(x, **o))
    for name in (
        "sum", "prod", "min", "max", "any", "all", "mean", "var", "std", "ptp", "count_nonzero",
        "nansum", "nanprod", "nanmin", "nanmax", "nanmean", "nanvar", "nanstd", "median",
    )
    for options in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)})
}  # fmt: skip
REDUCTIONS |= {
    f"{name} {axis}": (lambda m, x, n=name, a=axis: getattr(m, n)(x, axis=a))
    for name in ("argmin", "argmax", "cumsum", "cumprod", "nancumsum", "nancumprod")
    for axis in (None, 0, 1)
}
REDUCTIONS |= {
    "nanvar ddof": lambda m, x: m.nanvar(x, axis=1, ddof=1),
    "average": lambda m, x: m.average(x, axis=0),
    "weighted average": lambda m, x: m.average(x, axis=1, weights=np.arange(12)),
    "weighted everything": lambda m, x: m.average(x, weights=np.arange(84).reshape(7, 12)),
    "cov": lambda m, x: m.cov(x),
    "cov of columns": lambda m, x: m.cov(x, rowvar=False, ddof=0),
    "corrcoef": lambda m, x: m.corrcoef(x),
    "quantile": lambda m, x: m.quantile(x, [0.1, 0.5], axis=1),
    "quantile keepdims": lambda m, x: m.quantile(x, 0.3, axis=0, keepdims=True),
    "quantile of all": lambda m, x: m.quantile(x, [0, 0.31, 1]),
    "percentile of all": lambda m, x: m.percentile(x, 40, method="lower"),
    "nanpercentile": lambda m, x: m.nanpercentile(x, 40, axis=(0, 1)),
    "nanquantile of all": lambda m, x: m.nanquantile(x, 0.4),
    "nanmedian": lambda m, x: m.nanmedian(x, axis=0),
    "allclose": lambda m, x: m.allclose(x, x + 1e-12),
    "array_equal": lambda m, x: m.array_equal(x, x),
    "apply_over_axes": lambda m, x: m.apply_over_axes(m.sum, x, [0, 1]),
    "apply_along_axis": lambda m, x: m.apply_along_axis(lambda v: v[:3] * 2, 1, x),
    "trace": lambda m, x: m.trace(x, 2),
    "ufunc reduce": lambda m, x: np.add.reduce(x, axis=1),
}


def test_reductions(chunks: Any) -> None:
    check(REDUCTIONS, values() / 4, chunks)


def test_reductions_with_nan(chunks: Any) -> None:
    cases = {
        name: case
        for name, case in REDUCTIONS.items()
        if not name.startswith(("any", "all", "cov", "corrcoef"))
    }
    cases |= {
        f"{name} {axis}": (lambda m, x, n=name, a=axis: getattr(m, n)(x, axis=a))
        for name in ("nanargmin", "nanargmax")
        for axis in (None, 0, 1)
    }
    check(cases, holes(), chunks)


@pytest.mark.parametrize("dtype", ["?", "i2", "u1", "f4", "c8"])
def test_reductions_of_types(dtype: str) -> None:
    names = ("sum", "mean", "var", "any", "cumsum", "count_nonzero")
    if dtype != "c8":
        names += ("min", "argmax", "nansum", "nanmax")  # type: ignore[assignment]
    cases: dict[str, Case] = {n: (lambda m, x, n=n: getattr(m, n)(x, axis=0)) for n in names}
    check(cases, values(dtype).astype(dtype) / dtype_scale(dtype), (3, 5))


def dtype_scale(dtype: str) -> Any:
    return np.ones((), dtype)[()] if np.dtype(dtype).kind in "fc" else np.float32(1)


OTHER_TYPES = {
    "dates": np.array(["2020-01-03", "2019-01-01", "2021-05-05", "2019-01-01"], "M8[s]"),
    "times": np.arange(5).astype("m8[s]"),
    "texts": np.array(list("badca")),
    "objects": np.array([3, 1, 2, 5, 4], object),
    "halves": np.arange(5, dtype="f2"),
}
FOR_ALL: dict[str, Case] = {
    "min": lambda m, x: m.min(x),
    "argmax": lambda m, x: m.argmax(x),
    "equal": lambda m, x: x == x[0],
    "take": lambda m, x: x[[3, 1]],
    "unique": lambda m, x: m.unique(x),
    "join": lambda m, x: m.concatenate([x, x])[::-2],
    "where": lambda m, x: m.where(x == x[1], x, x[0]),
    "isin": lambda m, x: m.isin(x, x[:2]),
}
FOR_NUMBERS: dict[str, Case] = {
    "sum": lambda m, x: m.sum(x),
    "mean": lambda m, x: m.mean(x),
    "diff": lambda m, x: m.diff(x),
    "cumsum": lambda m, x: m.cumsum(x),
    "ptp": lambda m, x: m.ptp(x),
}


def test_other_types() -> None:
    for kind, known in OTHER_TYPES.items():
        numbers = FOR_NUMBERS if kind in ("times", "halves") else {}
        cases = FOR_ALL | numbers
        check({n: c for n, c in cases.items() if kind != "texts" or n != "min"}, known, 2)
    check({"sum": lambda m, x: m.sum(x)}, OTHER_TYPES["objects"], 2)


SHAPES: dict[str, Case] = {
    "ravel": lambda m, x: m.ravel(x),
    "reshape": lambda m, x: m.reshape(x, (12, 7)),
    "reshape split": lambda m, x: x.reshape(7, 3, -1),
    "reshape merge": lambda m, x: x.reshape(7, 3, 4).reshape(21, 4),
    "reshape keep": lambda m, x: x.reshape(7, 2, 6, 1),
    "reshape crossed": lambda m, x: x.reshape(2, 6, 7),
    "transpose": lambda m, x: m.transpose(x),
    "T of three": lambda m, x: x.reshape(7, 3, 4).transpose(2, 0, 1),
    "swapaxes": lambda m, x: m.swapaxes(x, 0, 1),
    "moveaxis": lambda m, x: m.moveaxis(x.reshape(7, 3, 4), [0, 2], [1, 0]),
    "rollaxis": lambda m, x: m.rollaxis(x.reshape(7, 3, 4), 2),
    "squeeze": lambda m, x: m.squeeze(x[None, :, :1, None]),
    "expand_dims": lambda m, x: m.expand_dims(x, (0, 2)),
    "broadcast_to": lambda m, x: m.broadcast_to(x[:, :1], (2, 7, 5)) + 0,
    "broadcast_arrays": lambda m, x: [y + 0 for y in m.broadcast_arrays(x, x[:1], x[0])],
    "atleast_3d": lambda m, x: m.atleast_3d(x),
    "flip": lambda m, x: m.flip(x),
    "fliplr": lambda m, x: m.fliplr(x),
    "rot90": lambda m, x: [m.rot90(x, k) for k in range(4)],
    "roll": lambda m, x: m.roll(x, 3),
    "roll axis": lambda m, x: m.roll(x, (-2, 5), (0, 1)),
    "repeat": lambda m, x: m.repeat(x, 3, axis=1),
    "repeat each": lambda m, x: m.repeat(x, np.arange(7), axis=0),
    "tile": lambda m, x: m.tile(x, (2, 1, 3)),
    "pad": lambda m, x: m.pad(x, ((1, 2), (0, 3)), constant_values=5),
    **{
        f"pad {mode}": (lambda m, x, mode=mode: m.pad(x, ((2, 1), (3, 4)), mode=mode))
        for mode in ("edge", "wrap", "reflect", "symmetric", "linear_ramp", "maximum", "mean")
    },
    "diff": lambda m, x: m.diff(x, 2, axis=0),
    "diff prepend": lambda m, x: m.diff(x, prepend=0, append=x[:, :2]),
    "ediff1d": lambda m, x: m.ediff1d(x, to_begin=1),
    "gradient": lambda m, x: m.gradient(x),
    "gradient spaced": lambda m, x: m.gradient(x, np.arange(12.0) ** 2, axis=1, edge_order=2),
    "gradient step": lambda m, x: m.gradient(x, 0.5, axis=0, edge_order=2),
    "concatenate": lambda m, x: m.concatenate([x, x[:2], x[::-1]]),
    "concatenate flat": lambda m, x: m.concatenate([x, x[0]], axis=None),
    "concatenate others": lambda m, x: m.concatenate([x, (x[:, 3:5] > 0)], axis=1),
    "stack": lambda m, x: m.stack([x, x + 1], axis=1),
    "vstack": lambda m, x: m.vstack([x[0], x]),
    "hstack": lambda m, x: m.hstack([x, x[:, :1]]),
    "dstack": lambda m, x: m.dstack([x, x]),
    "block": lambda m, x: m.block([[x, x], [x * 2, x * 3]]),
    "append": lambda m, x: m.append(x, x[:1], axis=0),
    "delete": lambda m, x: m.delete(x, [0, -1, 3], axis=1),
    "insert": lambda m, x: m.insert(x, 2, 5, axis=0),
    "insert several": lambda m, x: m.insert(x, [4, 1, 4], x[:, :3], axis=1),
    "diagonal": lambda m, x: m.diagonal(x, -2),
    "diag": lambda m, x: [m.diag(x[0], 2), m.diag(x[1], -1), m.diag(x[0]), m.diag(x, 1)],
    "tril": lambda m, x: m.tril(x, 1),
    "triu": lambda m, x: m.triu(x, -1),
    "vander": lambda m, x: m.vander(x[0], 3),
    "meshgrid": lambda m, x: [y + 0 for y in m.meshgrid(x[0], x[:, 0])],
    "unravel_index": lambda m, x: m.unravel_index(abs(x[0]).astype("i8"), (5, 6)),
    "ravel_multi_index": lambda m, x: m.ravel_multi_index(
        [abs(x[0]).astype("i8"), abs(x[1]).astype("i8")], (30, 30)
    ),
}


def test_shapes(chunks: Any) -> None:
    check(SHAPES, values(), chunks)


ELEMENTS: dict[str, Case] = {
    "clip": lambda m, x: m.clip(x, -1, 2),
    "clip method": lambda m, x: x.clip(min=0),
    "round": lambda m, x: m.round(x, 0),
    "round method": lambda m, x: x.round(),
    "where": lambda m, x: m.where(x > 0, x, -x),
    "where scalars": lambda m, x: m.where(x > 0, 1, 0.5),
    "select": lambda m, x: m.select([x > 2, x < 0], [x, 1], default=9),
    "choose": lambda m, x: m.choose((x > 0).astype("i8"), [x, x * 2]),
    "piecewise": lambda m, x: m.piecewise(x, [x < 0, x > 1], [lambda v: -v, 7, 3]),
    "real imag": lambda m, x: [m.real(x + 1j), m.imag(x * 1j), m.angle(x + 1j)],
    "nan_to_num": lambda m, x: m.nan_to_num(x),
    "isclose": lambda m, x: m.isclose(x, x.T.reshape(7, 12)),
    "isin": lambda m, x: m.isin(x, [0.0, 1.5, -0.3]),
    "isin array": lambda m, x: m.isin(x, x[2], invert=True),
    "digitize": lambda m, x: m.digitize(x, np.array([-2.0, 0, 3])),
    "searchsorted": lambda m, x: m.searchsorted(m.arange(-5, 5), x, side="right"),
    "sinc": lambda m, x: m.sinc(x),
    "outer": lambda m, x: np.multiply.outer(x[0], x[:, 0]),
    "copysign": lambda m, x: np.copysign(x, -1),
    "modf": lambda m, x: np.modf(x),
    "conj": lambda m, x: (x * 1j).conj(),
    "view": lambda m, x: x.astype("i8").view("u8"),
    "chain": lambda m, x: m.where(m.clip(x, 0, 1) > 0.5, x.astype("f4"), m.real(x) + 1).sum(0),
    "histogram": lambda m, x: m.histogram(x, bins=5, range=(-3, 3)),
    "histogram edges": lambda m, x: m.histogram(x, bins=[-3, 0, 0.5, 9], density=True)[0],
    "histogram found": lambda m, x: m.histogram(x, bins=4),
    "histogram weighted": lambda m, x: m.histogram(x, 3, range=(-5, 5), weights=x),
    "histogram2d": lambda m, x: m.histogram2d(x[0], x[1], bins=3, range=[(-5, 5), (-4, 4)])[0],
    "histogramdd": lambda m, x: m.histogramdd(
        x[:, :2], bins=(2, 3), range=[(-5, 5), (-4, 4)], density=True
    )[0],
    "bincount": lambda m, x: m.bincount(abs(x[0]).astype("i8")),
    "bincount weighted": lambda m, x: m.bincount(abs(x[0]).astype("i8"), x[1], minlength=20),
    "unique": lambda m, x: m.unique(x),
    "unique all": lambda m, x: m.unique(x.ravel(), True, True, True),
    "union1d": lambda m, x: m.union1d(x[0], x[1]),
    "nonzero": lambda m, x: m.nonzero(x > 0),
    "flatnonzero": lambda m, x: m.flatnonzero(x),
    "argwhere": lambda m, x: m.argwhere(x > 1),
    "where alone": lambda m, x: m.where(x < 0),
    "compress": lambda m, x: m.compress([True, False, True], x, axis=1),
    "compress lazily": lambda m, x: m.compress(x[0] > 0, x, axis=1),
    "extract": lambda m, x: m.extract(x > 0, x),
    "masked sums": lambda m, x: [x[x > 0].sum(), x[x > 0].mean(), (x[x > 0] * 2).max()],
    "masked rows": lambda m, x: x[x[:, 0] > 0].sum(axis=0),
}


def test_elements(chunks: Any) -> None:
    check(ELEMENTS, values(), chunks)


FURTHER: dict[str, Case] = {
    "array_split": lambda m, x: m.array_split(x, 3, axis=1),
    "split at": lambda m, x: m.split(x, [2, 5]),
    "hsplit": lambda m, x: m.hsplit(x, 4),
    "column_stack": lambda m, x: m.column_stack([x, x[:, 0]]),
    "logspace": lambda m, x: m.logspace(0, 2, 7) + x[:, 0],
    "geomspace": lambda m, x: m.geomspace(1, 64, 7) + x[:, 0],
    "diagflat": lambda m, x: m.diagflat(x[:2, :2], 1),
    "kron": lambda m, x: m.kron(x[:2, :3], x[:3]),
    "intersect1d": lambda m, x: m.intersect1d(x[0], x[1:4]),
    "setdiff1d": lambda m, x: m.setdiff1d(x[0], x[1:4]),
    "setxor1d": lambda m, x: m.setxor1d(x[0], x[1]),
    "interp": lambda m, x: m.interp(x, [-2, 0, 3], [5, 1, 2]),
    "polyval": lambda m, x: m.polyval([2, 0, -1], x),
    "trapezoid": lambda m, x: m.trapezoid(x, np.arange(12.0) ** 2),
    "trapezoid rows": lambda m, x: m.trapezoid(x, dx=0.5, axis=0),
    "cross": lambda m, x: m.cross(x[:, :3], x[:, 3:6]),
    "resize": lambda m, x: m.resize(x, (5, 40)),
    "array_equiv": lambda m, x: m.array_equiv(x, x[None]),
    "histogram_bin_edges": lambda m, x: m.histogram_bin_edges(x, 4),
    "array": lambda m, x: m.array(x, dtype="f4"),
    "bitwise_count": lambda m, x: m.bitwise_count(x.astype("i8")),
}


def test_further_functions(chunks: Any) -> None:
    check(FURTHER, values(), chunks)


INDICES: dict[str, Any] = {
    "list": [0, 2, 2, -1],
    "sorted": np.s_[:, [0, 3, 4, 11]],
    "descending": np.s_[:, ::-1][1:],
    "rows": ROWS,
    "columns": np.s_[:, COLUMNS],
    "two-dimensional": np.s_[np.array([[0, 1, 5], [6, 3, 3]])],
    "points": np.s_[ROWS, COLUMNS],
    "points broadcast": np.s_[ROWS[:, None], COLUMNS],
    "int and list": np.s_[2, COLUMNS],
    "list and int": np.s_[ROWS, 3],
    "list and slice": np.s_[ROWS, 2:9:3],
    "new axes": np.s_[None, ..., None, 2:4],
    "new axis and list": np.s_[:, None, COLUMNS],
    "list then new": np.s_[ROWS, None],
    "mask of rows": np.s_[np.arange(7) % 2 == 0],
    "mask of columns": np.s_[:, np.arange(12) > 7],
    "mask": MASK,
    "empty list": np.s_[[]],
    "empty mask": np.zeros(7, bool),
    "negative step": np.s_[5:1:-2, -2:3:-3],
}


def test_indices(chunks: Any) -> None:
    cases: dict[str, Case] = {name: (lambda m, x, i=index: x[i]) for name, index in INDICES.items()}
    cases |= {
        "points of three": lambda m, x: x.reshape(7, 3, 4)[ROWS, :, COLUMNS % 4],
        "points apart": lambda m, x: x.reshape(7, 3, 4)[ROWS, 1, COLUMNS % 4],
        "int apart": lambda m, x: x.reshape(7, 3, 4)[0, :, [1, 2]],
        "mask of two axes": lambda m, x: x.reshape(7, 3, 4)[(x > 0)[:, :3], 1],
        "lazy mask": lambda m, x: x[x > 0.5],
        "lazy mask of rows": lambda m, x: x[x[:, 1] > 0, 2:5],
        "lazy positions": lambda m, x: x[abs(x[0]).astype("i8") % 7],
        "take": lambda m, x: m.take(x, [[3, 1], [0, 0]], axis=1),
        "take flat": lambda m, x: m.take(x, [50, 3, -1]),
        "then more": lambda m, x: (x[ROWS] + 1)[:, COLUMNS].sum(axis=1),
    }
    check(cases, values(), chunks)


ASSIGNMENTS: dict[str, tuple[Any, Any]] = {
    "int": (2, 5),
    "slice": (np.s_[1:5, ::3], -1.5),
    "array": (np.s_[1:4], np.arange(36).reshape(3, 12)),
    "broadcast": (np.s_[:, 2:5], np.arange(3)),
    "column": (np.s_[:, 4], np.arange(7)),
    "list": (np.s_[[5, 0, 2]], np.arange(36).reshape(3, 12)),
    "list of columns": (np.s_[1:, [3, 1]], np.arange(12).reshape(6, 2)),
    "reversed": (np.s_[::-1], np.arange(84).reshape(7, 12)),
    "mask": (MASK, 0),
    "mask of rows": (np.arange(7) > 4, np.arange(24).reshape(2, 12)),
    "everything": (..., 1),
    "empty": (np.s_[3:3], 9),
    "mask with values": (MASK, np.arange(MASK.sum())),
}


def test_assignment(chunks: Any) -> None:
    def assigned(m: Any, x: Any, index: Any, value: Any) -> Any:
        made = x.copy()
        made[index] = value
        return made

    cases: dict[str, Case] = {
        name: (lambda m, x, p=pair: assigned(m, x, *p)) for name, pair in ASSIGNMENTS.items()
    }
    cases |= {
        "lazy mask": lambda m, x: assigned(m, x, x > 1, 0),
        "lazy value": lambda m, x: assigned(m, x, np.s_[2:4], x[:2]),
        "lazy scalar": lambda m, x: assigned(m, x, np.s_[:, 3], x[0, 0]),
        "integers": lambda m, x: assigned(m, x.astype("i8"), np.s_[0], 2.7),
    }
    check(cases, values(), chunks)

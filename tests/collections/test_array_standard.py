"""Arrays as other libraries see them: the array API, DLPack, notebooks; and sliding windows."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.collections.arrays.picture import picture_of
from penstock.errors import UnsupportedError
from tests.support.frames import assert_eq

VALUES = np.random.default_rng(0).normal(size=(6, 9)).round(1)


@pytest.fixture(autouse=True)
def _in_this_thread() -> Iterator[None]:
    """Run without threads, whose end each test would wait for."""
    with penstock.config.set({"scheduler": "sync"}):
        yield


NAMES = [
    "e",
    "inf",
    "nan",
    "newaxis",
    "pi",
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
    "astype",
    "can_cast",
    "finfo",
    "iinfo",
    "isdtype",
    "result_type",
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_invert",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "square",
    "sqrt",
    "subtract",
    "tan",
    "tanh",
    "trunc",
    "take",
    "take_along_axis",
    "matmul",
    "matrix_transpose",
    "tensordot",
    "vecdot",
    "broadcast_arrays",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flip",
    "moveaxis",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "stack",
    "tile",
    "unstack",
    "argmax",
    "argmin",
    "count_nonzero",
    "nonzero",
    "searchsorted",
    "where",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "argsort",
    "sort",
    "cumulative_prod",
    "cumulative_sum",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
    "all",
    "any",
    "diff",
    "linalg",
    "fft",
    "__array_namespace_info__",
]


def test_the_namespace_is_complete() -> None:
    space = da.ones(3).__array_namespace__(api_version="2024.12")
    assert [name for name in NAMES if not hasattr(space, name)] == []
    with pytest.raises(ValueError, match=r"1999\.1"):
        da.ones(3).__array_namespace__(api_version="1999.1")
    info = space.__array_namespace_info__()
    assert info.default_dtypes()["real floating"] == np.dtype("f8")
    assert set(info.dtypes(kind="signed integer")) == {"int8", "int16", "int32", "int64"}
    assert info.devices() == [da.ones(3).device]


@pytest.fixture(params=[-1, (2, 4), (1, 9)], ids=str)
def x(request: pytest.FixtureRequest) -> Any:
    return da.from_array(VALUES, request.param)


def test_names_of_the_standard(x: Any) -> None:
    assert_eq(da.concat([x, x[:1]], axis=0), np.concatenate([VALUES, VALUES[:1]]))
    assert_eq(da.concat([x, x[0]], axis=None), np.concatenate([VALUES.ravel(), VALUES[0]]))
    assert_eq(da.permute_dims(x, (1, 0)), VALUES.T)
    assert_eq(x.mT, VALUES.T)
    assert_eq(da.vecdot(x, x), (VALUES * VALUES).sum(axis=-1))
    assert_eq(da.vecdot(x * 1j, x, axis=0), (-1j * VALUES * VALUES).sum(axis=0))
    assert_eq(da.compute(*da.unstack(x, axis=1)), tuple(VALUES.T))
    for axis in (0, 1):
        assert_eq(da.sort(x, axis=axis), np.sort(VALUES, axis=axis))
        assert_eq(da.sort(x, axis=axis, descending=True), -np.sort(-VALUES, axis=axis))
        order = np.argsort(VALUES, axis=axis, stable=True)
        assert_eq(da.argsort(x, axis=axis), order)
        down = np.argsort(-VALUES, axis=axis, stable=True)
        assert_eq(da.argsort(x, axis=axis, descending=True), down)
        few = order[:4] if axis == 0 else order[:, :4]
        taken = da.take_along_axis(x, da.from_array(few, 3), axis=axis)
        assert_eq(taken, np.take_along_axis(VALUES, few, axis=axis))
        sums = np.cumsum(VALUES, axis=axis)
        assert_eq(da.cumulative_sum(x, axis=axis), sums)
        first = np.zeros_like(sums[:1] if axis == 0 else sums[:, :1])
        with_first = da.cumulative_sum(x, axis=axis, include_initial=True)
        assert_eq(with_first, np.concatenate([first, sums], axis=axis))
    assert_eq(da.cumulative_prod(x[0]), np.cumprod(VALUES[0]))
    with pytest.raises(ValueError, match="axis must be given"):
        da.cumulative_sum(x)


def test_distinct_values(x: Any) -> None:
    made, known = da.unique_all(x), np.unique_all(VALUES)
    for one, other in zip(made, known, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(da.unique_values(x), np.unique_values(VALUES))
    np.testing.assert_array_equal(da.unique_counts(x).counts, np.unique_counts(VALUES).counts)
    inverse = da.unique_inverse(x)
    np.testing.assert_array_equal(np.asarray(inverse.values)[np.asarray(inverse[1])], VALUES)


def test_types() -> None:
    x = da.ones(3, dtype="f4")
    assert da.result_type(x, np.float64) == np.dtype("f8")
    assert da.result_type(x, 1) == np.dtype("f4")
    assert da.can_cast(x, "f8")
    assert not da.can_cast(x, "i4")
    assert da.isdtype(x.dtype, "real floating")
    assert da.finfo(x).bits == 32
    assert da.iinfo(da.int8).max == 127


def test_exchange_with_other_libraries(x: Any) -> None:
    np.testing.assert_array_equal(np.from_dlpack(x), VALUES)
    assert_eq(da.from_dlpack(VALUES), VALUES)
    assert x.to_device("cpu") is x
    with pytest.raises(ValueError, match="cuda"):
        x.to_device("cuda")


def test_operators_that_assign(x: Any) -> None:
    same = x
    x += 1
    x *= 2
    assert same is x
    assert_eq(same, (VALUES + 1) * 2)
    row = da.ones(9)
    with pytest.raises(ValueError, match="does not fit"):
        row += x
    counts = da.arange(3)
    with pytest.raises(TypeError, match="same_kind"):
        counts /= 2


CHUNKS: list[Any] = [
    ((2, 2),),
    ((7, 3), (100,)),
    ((2,) * 50, (40, 60), (5,)),
    ((1,), (2,), (3,), (4,)),
]


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda chunks: f"{len(chunks)} axes")
def test_pictures(chunks: Any) -> None:
    root = ElementTree.fromstring(picture_of(chunks))
    texts = [each.text for each in root.iter() if each.tag.endswith("text")]
    assert set(texts) == {str(sum(sizes)) for sizes in chunks[-3:]}
    lines = [each for each in root.iter() if each.tag.endswith("line")]
    assert 4 <= len(lines) <= 6 * 18


def test_facts_in_a_notebook(x: Any) -> None:
    shown = x._repr_html_()
    for part in ("(6, 9)", "float64", f"{x.npartitions} chunks", "<svg"):
        assert part in shown
    unknown = x[x > 0]._repr_html_()
    assert "?" in unknown
    assert "<svg" not in unknown


# -- windows and accumulations --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "axis"), [(3, 1), ((2, 4), (0, 1)), ((2, 4), None), (6, 0), ((2, 2), (1, 1))]
)
def test_sliding_windows(x: Any, window: Any, axis: Any) -> None:
    made = da.lib.stride_tricks.sliding_window_view(x, window, axis)
    expected = np.lib.stride_tricks.sliding_window_view(VALUES, window, axis)
    assert made.shape == expected.shape
    assert_eq(made, expected)
    assert_eq(made.mean(axis=-1), expected.mean(axis=-1))


def test_windows_that_cannot_be(x: Any) -> None:
    with pytest.raises(ValueError, match="larger than axis 0"):
        da.sliding_window_view(x, 7, 0)
    with pytest.raises(UnsupportedError, match="written to"):
        da.sliding_window_view(x, 2, 0, writeable=True)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_accumulations_of_the_users(x: Any, axis: int | None) -> None:
    made = da.cumreduction(np.cumsum, operator.add, 0, x, axis=axis)
    assert_eq(made, np.cumsum(VALUES, axis=axis))
    largest = da.cumreduction(np.maximum.accumulate, np.maximum, -np.inf, x[0], axis=0)
    assert_eq(largest, np.maximum.accumulate(VALUES[0]))


# -- what the standard asks for beside NumPy and Dask -----------------------------------------------


def test_devices() -> None:
    for made in (
        da.ones(2, device="cpu"),
        da.full(2, 1.0, device="cpu"),
        da.arange(2, device="cpu"),
        da.eye(2, device="cpu"),
        da.linspace(0, 1, 2, device="cpu"),
        da.zeros_like(da.ones(2), device="cpu"),
        da.fft.fftfreq(2, dtype=np.float32, device="cpu"),
    ):
        assert made.device == "cpu"
        with pytest.raises(ValueError, match="gpu"):
            da.astype(made, np.float32, device="gpu")
    with pytest.raises(ValueError, match="gpu"):
        da.zeros(2, device="gpu")
    assert da.fft.rfftfreq(4, dtype=da.float32).dtype == np.float32


def test_copies_are_their_own() -> None:
    x = da.arange(4, chunks=2)
    copies = [da.asarray(x, copy=True), x.astype(x.dtype), da.reshape(x, (4,), copy=True)]
    same = da.asarray(x), da.asarray(x, copy=False), x.astype(x.dtype, copy=False)
    assert all(each is x for each in same)
    x[0] = 9
    for each in copies:
        assert_eq(each, np.arange(4))
    values = np.arange(3)
    own = da.asarray(values, copy=True)
    values[0] = 9
    assert_eq(own, np.arange(3))
    with pytest.raises(ValueError, match="copy"):
        da.asarray(x, dtype="f4", copy=False)


STACKS: dict[str, Any] = {
    "cholesky": lambda m, a, h: m.cholesky(h, upper=True),
    "det": lambda m, a, h: m.det(a),
    "diagonal": lambda m, a, h: m.diagonal(a, offset=1),
    "eigvalsh": lambda m, a, h: m.eigvalsh(h),
    "eigh": lambda m, a, h: abs(m.eigh(h).eigenvectors),
    "inv": lambda m, a, h: m.inv(a),
    "matrix_norm": lambda m, a, h: m.matrix_norm(a, ord="nuc"),
    "matrix_power": lambda m, a, h: m.matrix_power(a, -2),
    "matrix_rank": lambda m, a, h: m.matrix_rank(a),
    "pinv": lambda m, a, h: m.pinv(a[..., :2]),
    "qr": lambda m, a, h: abs(m.qr(a[..., :2], mode="complete").R),
    "slogdet": lambda m, a, h: m.slogdet(a).logabsdet,
    "solve": lambda m, a, h: m.solve(a, h[0]),
    "solve-vector": lambda m, a, h: m.solve(a, h[0, 0]),
    "svd": lambda m, a, h: abs(m.svd(a[..., :2], full_matrices=True)[0]),
    "svdvals": lambda m, a, h: m.svdvals(a),
    "trace": lambda m, a, h: m.trace(a),
    "cross": lambda m, a, h: m.cross(a, h[0, :1]),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacks_of_matrices(name: str) -> None:
    a = np.random.default_rng(3).normal(size=(4, 3, 3))
    h = a @ a.swapaxes(-1, -2) + np.eye(3)
    known = STACKS[name](np.linalg, a, h)
    made = STACKS[name](da.linalg, da.from_array(a, (3, 2, 3)), da.from_array(h, (3, 2, 3)))
    assert made.dtype == known.dtype
    np.testing.assert_allclose(made, known, atol=1e-12)


def test_cholesky_by_its_two_names() -> None:
    x = da.from_array(np.array([[4.0, 2.0], [2.0, 5.0]]), chunks=1)
    known = np.linalg.cholesky(x.compute())
    assert_eq(np.linalg.cholesky(x), known)
    assert_eq(da.linalg.cholesky(x, upper=False), known)
    assert_eq(da.linalg.cholesky(x), known.T)  # as Dask


def test_each_nan_is_distinct() -> None:
    values = np.array([3, np.nan, 1, np.nan, 3.0, np.nan])
    x = da.from_array(values, 2)
    for made, known in zip(da.unique_all(x), np.unique_all(values), strict=True):
        np.testing.assert_array_equal(made, known)
    assert len(da.unique_counts(x).counts.compute()) == 5
    assert len(da.unique(x).compute()) == 3  # as NumPy's


def test_arrays_without_axes() -> None:
    scalar = da.asarray(5.0)
    for yes in (True, False):
        mask = da.asarray(np.array(yes))
        assert_eq(scalar[mask], np.array(5.0)[np.array(yes)])
        assert_eq(da.arange(3)[mask], np.arange(3)[np.array(yes)])
    assert_eq(da.std(da.where(scalar > 1, 2.0, scalar)), np.float64(0))
    with pytest.raises(ValueError, match="with axes"):
        da.nonzero(scalar)


def test_unknown_lengths_compare_as_themselves() -> None:
    x = da.arange(6, chunks=2)
    assert x[x > 1].shape == x[x > 2].shape
    assert np.isnan(x[x > 1].shape[0])

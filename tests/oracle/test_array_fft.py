"""Fourier transforms against NumPy, over chunkings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import penstock
import penstock.array as da
from penstock.errors import UnsupportedError
from tests.support.frames import assert_eq

REAL = np.random.default_rng(0).normal(size=(6, 8))
COMPLEX = REAL + 1j * np.random.default_rng(1).normal(size=(6, 8))
CHUNKS: list[Any] = [-1, (2, 8), (6, 3), (4, 5)]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_axis(name: str, chunks: Any) -> None:
    transform, known = getattr(da.fft, name), getattr(np.fft, name)
    for values in (REAL, COMPLEX) if name not in ("rfft", "ihfft") else (REAL,):
        x = da.from_array(values, chunks)
        lazy, expected = [], []
        for axis, n, norm in [(-1, None, None), (0, 5, "ortho"), (1, 10, "forward")]:
            lazy.append(transform(x, n=n, axis=axis, norm=norm))
            expected.append(known(values, n=n, axis=axis, norm=norm))
        assert [each.shape for each in lazy] == [each.shape for each in expected]
        assert_eq(da.compute(*lazy), tuple(expected))
        assert_eq(known(x), known(values))


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize(
    "name", ["fft2", "ifft2", "fftn", "ifftn", "rfft2", "rfftn", "irfft2", "irfftn"]
)
def test_several_axes(name: str, chunks: Any) -> None:
    transform, known = getattr(da.fft, name), getattr(np.fft, name)
    for values in (REAL, COMPLEX) if not name.startswith("rfft") else (REAL,):
        x = da.from_array(values, chunks)
        for options in ({}, {"axes": (1, 0)}, {"s": (4, 10), "axes": (0, 1)}, {"norm": "ortho"}):
            assert_eq(transform(x, **options), known(values, **options))


def test_rechunking_may_spill() -> None:
    x = da.from_array(REAL, (1, 3)).map_blocks(np.copy, dtype="f8")
    with penstock.config.set({"exchange-memory": "100B"}):
        assert_eq(da.fft.fftn(x), np.fft.fftn(REAL))
        assert_eq(da.fft.irfft(x, axis=0), np.fft.irfft(REAL, axis=0))


def test_types_are_those_of_numpy() -> None:
    x = da.from_array(REAL.astype("f4"), (2, 3))
    assert_eq(da.fft.fft(x), np.fft.fft(REAL.astype("f4")), rtol=1e-4, atol=1e-5)
    assert_eq(da.fft.irfft(x), np.fft.irfft(REAL.astype("f4")), rtol=1e-4, atol=1e-5)


def test_frequencies_and_shifts() -> None:
    for n in (1, 4, 5):
        assert_eq(da.fft.fftfreq(n, 0.3, chunks=2), np.fft.fftfreq(n, 0.3))
        assert_eq(da.fft.rfftfreq(n, 0.3, chunks=2), np.fft.rfftfreq(n, 0.3))
    x = da.from_array(REAL, (4, 5))
    for axes in (None, 0, (0, 1)):
        assert_eq(da.fft.fftshift(x, axes), np.fft.fftshift(REAL, axes))
        assert_eq(da.fft.ifftshift(x, axes), np.fft.ifftshift(REAL, axes))


def test_what_cannot_be_transformed() -> None:
    x = da.from_array(REAL, 3)
    with pytest.raises(ValueError, match="data points"):
        da.fft.fft(x, n=0)
    with pytest.raises(UnsupportedError, match="twice"):
        da.fft.fftn(x, axes=(0, 0))
    assert da.fft.fft_wrap(np.fft.rfft) is da.fft.rfft

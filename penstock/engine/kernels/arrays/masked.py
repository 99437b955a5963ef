"""Masked blocks as arrays of pairs: each element with its mask."""

from __future__ import annotations

from typing import Any

import numpy as np


def pair_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype of pairs of elements of `dtype` and their masks."""
    return np.dtype([("data", dtype), ("mask", np.bool_)])


def pair(data: Any, mask: Any, dtype: np.dtype) -> np.ndarray:
    """Return elements and masks as pairs."""
    made = np.empty(np.broadcast_shapes(np.shape(data), np.shape(mask)), dtype)
    made["data"] = data
    made["mask"] = mask
    return made


def data_of(block: np.ndarray) -> np.ndarray:
    """Return the elements of pairs."""
    return np.ascontiguousarray(block["data"]).reshape(block.shape)


def mask_of(block: np.ndarray) -> np.ndarray:
    """Return the masks of pairs."""
    return np.ascontiguousarray(block["mask"]).reshape(block.shape)


class OnMasked:
    """A function of `numpy.ma`, made a function of blocks of pairs."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", "masked")

    def __call__(self, *blocks: Any, **kwargs: Any) -> np.ndarray:
        masked = [
            np.ma.MaskedArray(block["data"], block["mask"])
            if getattr(getattr(block, "dtype", None), "names", None) == ("data", "mask")
            else block
            for block in blocks
        ]
        with np.errstate(all="ignore"):  # as NumPy's own do
            made = np.ma.asanyarray(self.function(*masked, **kwargs))
        data = np.ma.getdata(made)
        return pair(data, np.ma.getmaskarray(made), pair_dtype(data.dtype))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnMasked) and other.function is self.function

    def __hash__(self) -> int:
        return hash((OnMasked, self.function))

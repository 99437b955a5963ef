"""Reductions that know where elements are: places of extremes, and the largest elements."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from penstock.engine.kernels.arrays.reductions import Reduction
from penstock.records import record


@record
class Position(Reduction):
    """Places of extremes: values, and positions in the whole array.

    Attributes
    ----------
    shape : tuple of int
        Of the whole array.
    """

    shape: tuple[int, ...] = ()

    width = 2
    copies = 1
    in_tiles = False
    numbered = True

    @cached_property
    def dtype(self) -> np.dtype:
        return np.dtype(np.intp)

    @property
    def state_dtypes(self) -> tuple[np.dtype, ...]:
        return self.source, self.dtype

    def partial(self, block: np.ndarray) -> Any:
        raise TypeError("positions need the place of the block")

    def placed(self, starts: tuple[int, ...], block: np.ndarray) -> Any:
        """Return the state of the block that begins at `starts`."""
        smallest = self.name.endswith("min")
        if self.name.startswith("nan") and block.dtype.kind in "fc":
            missing = np.isnan(block)
            block = np.where(missing, np.inf if smallest else -np.inf, block)
        find: Callable[..., Any] = np.argmin if smallest else np.argmax
        if len(self.axes) == 1:
            (axis,) = self.axes
            at = find(block, axis=axis, keepdims=True)
            return np.take_along_axis(block, at, axis), at + starts[axis]
        at = int(find(block))
        place = np.unravel_index(at, block.shape)
        whole = tuple(int(p) + s for p, s in zip(place, starts, strict=True))
        ones = (1,) * block.ndim
        flat = np.ravel_multi_index(whole, self.shape) if whole else 0
        return np.full(ones, block[place]), np.full(ones, flat, self.dtype)

    def merge(self, state: Any, other: Any) -> Any:
        value, at = state
        its, there = other
        better = its < value if self.name.endswith("min") else its > value
        earlier = there < at
        better |= (its == value) & earlier
        if value.dtype.kind in "fc":
            nan, its_nan = np.isnan(value), np.isnan(its)
            better = np.where(nan, its_nan & earlier, its_nan | better)
        return np.where(better, its, value), np.where(better, there, at)

    def finish(self, state: Any, count: float) -> np.ndarray:
        if self.name.startswith("nan") and np.isinf(state[0]).any():
            worst = np.inf if self.name.endswith("min") else -np.inf
            if (state[0] == worst).any():
                raise ValueError(f"{self.name}: a slice holds NaN only (or {worst})")
        return state[1]


@record
class Largest(Reduction):
    """The `k` largest (smallest, when negative) elements along one axis, or their positions."""

    k: int = 1

    in_tiles = False
    numbered = True

    @cached_property
    def dtype(self) -> np.dtype:
        return np.dtype(np.intp) if self.name == "argtopk" else self.source

    @property
    def width(self) -> int:  # type: ignore[override]
        return 2

    @property
    def state_dtypes(self) -> tuple[np.dtype, ...]:
        return self.source, np.dtype(np.intp)

    def partial(self, block: np.ndarray) -> Any:
        raise TypeError("positions need the place of the block")

    def placed(self, starts: tuple[int, ...], block: np.ndarray) -> Any:
        """Return the state of the block that begins at `starts`."""
        (axis,) = self.axes
        shape = [1] * block.ndim
        shape[axis] = -1
        at = np.arange(block.shape[axis]).reshape(shape) + starts[axis]
        return self._best(block, np.broadcast_to(at, block.shape))

    def _best(self, block: np.ndarray, at: np.ndarray) -> Any:
        (axis,) = self.axes
        extent, wanted = block.shape[axis], abs(self.k)
        if extent > wanted:
            keep = slice(extent - wanted, None) if self.k > 0 else slice(0, wanted)
            pivot = extent - wanted if self.k > 0 else wanted - 1
            order = np.argpartition(block, pivot, axis=axis)
            order = order[(*(slice(None),) * axis, keep)]
            block, at = (np.take_along_axis(each, order, axis) for each in (block, at))
        return np.ascontiguousarray(block), np.ascontiguousarray(at)

    def merge(self, state: Any, other: Any) -> Any:
        (axis,) = self.axes
        return self._best(
            *(np.concatenate(pair, axis=axis) for pair in zip(state, other, strict=True))
        )

    def finish(self, state: Any, count: float) -> np.ndarray:
        (axis,) = self.axes
        values, at = state
        order = np.argsort(values, axis=axis, kind="stable")
        if self.k > 0:
            order = np.flip(order, axis)
        return np.take_along_axis(at if self.name == "argtopk" else values, order, axis)

"""Reductions of arrays: what a block contributes, how contributions merge, and the result.

A state is an array, or a tuple of arrays, that keeps the reduced axes with length 1. States of
neighbouring blocks merge in any grouping, so that they can go through a tree, and those of tiles
are added up in place.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from penstock.engine.kernels.arrays.program import Tile
from penstock.records import record


@record
class Reduction(ABC):
    """A reduction over `axes`.

    Attributes
    ----------
    name : str
        NumPy's name of it.
    axes : tuple of int
        Not negative, in order.
    source : dtype
        Of the blocks.
    wanted : dtype, optional
        In which to accumulate, as NumPy's parameter ``dtype``.
    ddof : float
        Taken from the count in variances.
    """

    name: str
    axes: tuple[int, ...]
    source: np.dtype
    wanted: np.dtype | None = None
    ddof: float = 0.0

    width: ClassVar[int] = 1
    """Arrays of a state."""
    copies: ClassVar[int] = 0
    """Copies of a block, in the accumulator's precision, that `partial` makes."""
    in_tiles: ClassVar[bool] = True
    """Whether a block can be taken tile by tile."""
    numbered: ClassVar[bool] = False
    """Whether `partial` takes the block's first position along each axis, too."""

    @cached_property
    def dtype(self) -> np.dtype:
        """Of the result."""
        if self.source.hasobject:
            return self.source
        sample = np.ones((1,), self.source)
        options = {} if self.wanted is None else {"dtype": self.wanted}
        return np.dtype(getattr(np, self.name)(sample, **options).dtype)

    @property
    def accumulator(self) -> np.dtype:
        """In which states are."""
        return self.dtype

    @abstractmethod
    def partial(self, block: np.ndarray) -> Any:
        """Return the state of one block."""

    @abstractmethod
    def merge(self, state: Any, other: Any) -> Any:
        """Return the state of two neighbours; the first may be changed."""

    def combine(self, states: Sequence[Any]) -> Any:
        """Return the state of several blocks in order."""
        if len(states) == 1:
            return states[0]
        total = self.merge(_copied(states[0]), states[1])
        for state in states[2:]:
            total = self.merge(total, state)
        return total

    @abstractmethod
    def finish(self, state: Any, count: float) -> np.ndarray:
        """Return the result of a state over `count` elements each; reduced axes stay."""

    def result(self, keepdims: bool, count: float, state: Any) -> np.ndarray:
        """Return the block of the result."""
        with np.errstate(invalid="ignore", divide="ignore"):
            result = np.asarray(self.finish(state, count)).astype(self.dtype, copy=False)
        if keepdims:
            return result
        kept = tuple(n for axis, n in enumerate(result.shape) if axis not in self.axes)
        return result.reshape(kept)

    # -- tile by tile -------------------------------------------------------------

    def start(self, shape: tuple[int, ...]) -> Any:
        """Return room for the state of a block of `shape`."""
        kept = tuple(1 if axis in self.axes else n for axis, n in enumerate(shape))
        room = tuple(np.empty(kept, dtype) for dtype in self.state_dtypes)
        return room if self.width > 1 else room[0]

    @property
    def state_dtypes(self) -> tuple[np.dtype, ...]:
        """Of the arrays of a state."""
        return (self.accumulator,) * self.width

    def add(self, state: Any, tile: Tile, part: Any) -> None:
        """Merge the state of a tile into that of its block, in place."""
        place = tuple(
            slice(0, 1) if axis in self.axes else taken for axis, taken in enumerate(tile)
        )
        first = not any(tile[axis].start for axis in self.axes)
        if self.width == 1:
            target = state[place]
            target[...] = part if first else self.merge(target, part)
            return
        targets = tuple(each[place] for each in state)
        made = part if first else self.merge(targets, part)
        for target, value in zip(targets, made, strict=True):
            if target is not value:
                target[...] = value


def _copied(state: Any) -> Any:
    return tuple(each.copy() for each in state) if isinstance(state, tuple) else state.copy()


UFUNCS: dict[str, np.ufunc] = {
    "sum": np.add, "prod": np.multiply, "min": np.minimum, "max": np.maximum,
    "any": np.logical_or, "all": np.logical_and, "mean": np.add, "nansum": np.add,
    "nanprod": np.multiply, "nanmin": np.fmin, "nanmax": np.fmax, "count_nonzero": np.add,
}  # fmt: skip
_EXTREMES = {"min": True, "max": False, "nanmin": True, "nanmax": False}


class ByUfunc(Reduction):
    """What a ufunc reduces; ``mean`` is a sum divided at the end."""

    @cached_property
    def dtype(self) -> np.dtype:
        if self.name in ("any", "all"):
            return np.dtype(bool)
        if self.name in _EXTREMES:
            return self.source
        if self.name == "count_nonzero":
            return np.dtype(np.intp)
        return super().dtype

    @cached_property
    def accumulator(self) -> np.dtype:
        if self.name == "mean":
            if self.wanted is not None:
                return self.wanted
            return np.dtype("f4") if self.source == np.dtype("f2") else self.dtype
        return self.dtype

    def partial(self, block: np.ndarray) -> np.ndarray:
        ufunc = UFUNCS[self.name]
        options: dict[str, Any] = {}
        if self.name == "count_nonzero":
            block = block != 0 if block.dtype.kind != "b" else block
        elif self.name in ("nansum", "nanprod") and block.dtype.kind in "fc":
            options["where"] = ~np.isnan(block)
        if self.name in _EXTREMES:
            if block.size == 0 and any(block.shape[axis] == 0 for axis in self.axes):
                options["initial"] = _extreme(self.source, _EXTREMES[self.name])
        elif self.name not in ("any", "all") and self.accumulator.kind not in "mM":
            options["dtype"] = self.accumulator
        return np.asarray(ufunc.reduce(block, axis=self.axes, keepdims=True, **options))

    def merge(self, state: np.ndarray, other: np.ndarray) -> np.ndarray:
        return UFUNCS[self.name](state, other, out=state)

    def finish(self, state: np.ndarray, count: float) -> np.ndarray:
        return state / count if self.name == "mean" else state


def _extreme(dtype: np.dtype, largest: bool) -> Any:
    """Return the value that every other is smaller (or larger) than."""
    if dtype.kind == "f":
        return np.inf if largest else -np.inf
    if dtype.kind == "b":
        return largest
    info = np.iinfo(dtype)
    return info.max if largest else info.min


class Mean(Reduction):
    """Means whose counts are only known from the blocks: of unknown sizes, or without NaN."""

    width = 2

    @property
    def accumulator(self) -> np.dtype:
        if self.wanted is not None:
            return self.wanted
        return np.dtype("f4") if self.source == np.dtype("f2") else self.dtype

    @property
    def state_dtypes(self) -> tuple[np.dtype, ...]:
        return self.accumulator, np.dtype(np.int64)

    def partial(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.name == "nanmean" and block.dtype.kind in "fc":
            there: Any = ~np.isnan(block)
            count = np.add.reduce(there, axis=self.axes, keepdims=True, dtype=np.int64)
        else:
            there = True
            count = _count(block, self.axes)
        kind = None if self.accumulator.kind in "mM" else self.accumulator
        total = np.add.reduce(block, axis=self.axes, keepdims=True, dtype=kind, where=there)
        return np.asarray(total), count

    def merge(self, state: Any, other: Any) -> Any:
        for mine, its in zip(state, other, strict=True):
            np.add(mine, its, out=mine)
        return state

    def finish(self, state: Any, count: float) -> np.ndarray:
        return state[0] / state[1]


def _count(block: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(block.shape))
    return np.full(kept, math.prod(block.shape[axis] for axis in axes), np.int64)


class Moments(Reduction):
    """Variances: counts, means and sums of squared distances, in double precision at least."""

    width = 3
    copies = 2

    @cached_property
    def accumulator(self) -> np.dtype:
        if self.wanted is not None:
            return self.wanted
        # the mean of a chunk must not cost digits of the whole
        return np.result_type(self.dtype if self.source.kind != "c" else self.source, "f8")

    @property
    def state_dtypes(self) -> tuple[np.dtype, ...]:
        return np.dtype(np.int64), self.accumulator, np.empty(0, self.accumulator).real.dtype

    def partial(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        skips = self.name.startswith("nan") and block.dtype.kind in "fc"
        there: Any = True
        if skips:
            there = ~np.isnan(block)
            count = np.add.reduce(there, axis=self.axes, keepdims=True, dtype=np.int64)
        else:
            count = _count(block, self.axes)
        options: dict[str, Any] = {"axis": self.axes, "keepdims": True, "where": there}
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.add.reduce(block, dtype=self.accumulator, **options) / np.maximum(count, 1)
            distance = block - mean
        squared = (distance * distance.conj()).real if np.iscomplexobj(distance) else (
            np.multiply(distance, distance, out=distance if distance.ndim else None))  # fmt: skip
        return count, np.asarray(mean), np.asarray(np.add.reduce(squared, **options))

    def merge(self, state: Any, other: Any) -> Any:
        count, mean, squares = state
        more, its_mean, its_squares = other
        total = np.maximum(count + more, 1)
        delta = its_mean - mean
        apart = (delta * delta.conj()).real if np.iscomplexobj(delta) else delta * delta
        with np.errstate(invalid="ignore"):
            squares = squares + its_squares + apart * (count * more / total)
            mean = mean + delta * (more / total)
        return count + more, mean, squares

    def finish(self, state: Any, count: float) -> np.ndarray:
        freedom = state[0] - self.ddof
        if self.name.startswith("nan"):
            variance = state[2] / np.where(freedom > 0, freedom, np.nan)
        else:
            variance = state[2] / np.maximum(freedom, 0)
        return np.sqrt(variance) if self.name.endswith("std") else variance


class Range(Reduction):
    """Peak to peak: minima and maxima."""

    width = 2

    def partial(self, block: np.ndarray) -> Any:
        return tuple(
            np.asarray(ufunc.reduce(block, axis=self.axes, keepdims=True))
            for ufunc in (np.minimum, np.maximum)
        )

    def merge(self, state: Any, other: Any) -> Any:
        np.minimum(state[0], other[0], out=state[0])
        np.maximum(state[1], other[1], out=state[1])
        return state

    def finish(self, state: Any, count: float) -> np.ndarray:
        return state[1] - state[0]

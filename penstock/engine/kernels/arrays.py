"""Array kernels: programs of elementwise steps, and partial, combined and final reductions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

TILE_BYTES = 256 << 10
"""Elementwise programs run over pieces of about this size, which stay in a core's cache."""

Step = tuple[Any, tuple[tuple, ...], tuple[tuple[str, Any], ...], np.dtype]
"""Function, operands, keyword arguments and dtype of the result. An operand is ``("in", i)``
(block `i`), ``("step", j)`` (result of step `j`) or ``("const", value, repr)``."""
Program = tuple[Step, ...]


class Output:
    """One of the several results of a ufunc, as a function of its own."""

    def __init__(self, ufunc: np.ufunc, position: int) -> None:
        self.ufunc = ufunc
        self.position = position
        self.__name__ = f"{ufunc.__name__}[{position}]"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.ufunc(*args, **kwargs)[self.position]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Output)
            and other.ufunc is self.ufunc
            and other.position == self.position
        )

    def __hash__(self) -> int:
        return hash((self.ufunc, self.position))


def cast(block: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return `block` as `dtype`."""
    return np.asarray(block).astype(dtype)


def constant(value: Any) -> tuple:
    """Return `value` as an operand of a step."""
    return ("const", value, repr(value))  # 0.0 and -0.0 are equal but not the same operand


def result_dtype(function: Any, operands: Sequence[Any], kwargs: dict[str, Any]) -> np.dtype:
    """Return the dtype that `function` gives for operands that are dtypes or scalars."""
    empty = [np.empty(0, op) if isinstance(op, np.dtype) else op for op in operands]
    with np.errstate(all="ignore"):
        result: np.ndarray = function(*empty, **kwargs)
    return np.dtype(result.dtype)


class ElementwiseProgram:
    """Steps run one after the other over tiles of the blocks, in buffers used again.

    Parameters
    ----------
    program : tuple of Step
        The last step gives the result; all have the result's shape.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        last_use: dict[int, int] = {}
        for number, (_, operands, _, _) in enumerate(program):
            for operand in operands:
                if operand[0] == "step":
                    last_use[operand[1]] = number
        self._dying: list[tuple[int, ...]] = [
            tuple(step for step, use in last_use.items() if use == number)
            for number in range(len(program))
        ]
        self._kwargs = [dict(kwargs) for _, _, kwargs, _ in program]
        self.dtype = program[-1][3]
        self.width = max(dtype.itemsize for _, _, _, dtype in program)

    def temporary_bytes(self, block_bytes: int) -> int:
        """Return the bytes of buffers that a block of so many bytes needs beside its result."""
        return (self._most_alive() - 1) * min(TILE_BYTES, block_bytes)

    def _most_alive(self) -> int:
        """Return how many results of steps exist at the same time at most."""
        alive = most = 0
        for number, (function, _, _, dtype) in enumerate(self.program):
            dying = self._dying[number]
            again = isinstance(function, np.ufunc) and any(
                self.program[step][3] == dtype for step in dying
            )
            most = max(most, alive + (not again))
            alive += 1 - len(dying)
        return most

    def __call__(self, *blocks: Any) -> np.ndarray:
        shape: tuple[int, ...] = blocks[0].shape
        if any(block.shape != shape for block in blocks):
            shape = np.broadcast_shapes(*(block.shape for block in blocks))
        if len(self.program) == 1 or math.prod(shape) * self.width <= TILE_BYTES:
            return np.asarray(self._run(blocks, shape, None, []))
        result = np.empty(shape, self.dtype)
        spare: list[np.ndarray] = []
        for tile in tiles(shape, max(1, TILE_BYTES // self.width)):
            parts = [_part(block, tile) for block in blocks]
            target = result[tile]
            self._run(parts, target.shape, target, spare)
        return result

    def _run(
        self,
        blocks: Sequence[Any],
        shape: tuple[int, ...],
        target: np.ndarray | None,
        spare: list[np.ndarray],
    ) -> Any:
        values: list[Any] = []
        last = len(self.program) - 1
        for number, (function, operands, _, dtype) in enumerate(self.program):
            args = [
                operand[1]
                if operand[0] == "const"
                else blocks[operand[1]]
                if operand[0] == "in"
                else values[operand[1]]
                for operand in operands
            ]
            kwargs = self._kwargs[number]
            dying = self._dying[number]
            if isinstance(function, np.ufunc) and not dtype.hasobject:
                out = target if number == last else None
                if out is None:
                    out = self._buffer(values, dying, spare, shape, dtype)
                value = function(*args, out=out, **kwargs)
            else:
                value = function(*args, **kwargs)
                if number == last and target is not None:
                    target[...] = value
            values.append(value)
            for step in dying:
                if target is not None and values[step] is not value:
                    spare.append(values[step])
                values[step] = None
        return values[-1]

    def _buffer(
        self,
        values: list[Any],
        dying: tuple[int, ...],
        spare: list[np.ndarray],
        shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> np.ndarray | None:
        """Return memory for the result of a step: of an operand used for the last time, if any."""
        for step in dying:
            found = values[step]
            if _fits(found, shape, dtype):
                return found
        for place, found in enumerate(spare):
            if _fits(found, shape, dtype):
                return spare.pop(place)
        return None


def _fits(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype == dtype
        and value.shape == shape
        and value.base is None  # a function may have given a view of a block
        and value.flags.writeable
    )


def tiles(shape: tuple[int, ...], elements: int) -> Iterator[tuple[slice, ...]]:
    """Yield the slices that cut `shape` into neighbouring tiles of at most `elements`."""
    sizes = []
    room = elements
    for extent in reversed(shape):
        size = max(1, min(extent, room))
        sizes.append(size)
        room //= size
    starts = [range(0, extent, size) for extent, size in zip(shape, reversed(sizes), strict=True)]
    for first in itertools.product(*starts):
        yield tuple(
            slice(start, start + size) for start, size in zip(first, reversed(sizes), strict=True)
        )


def _part(block: np.ndarray, tile: tuple[slice, ...]) -> np.ndarray:
    missing = len(tile) - block.ndim
    return block[
        tuple(
            slice(None) if extent == 1 else part
            for extent, part in zip(block.shape, tile[missing:], strict=True)
        )
    ]


# -- reductions ---------------------------------------------------------------------------------

UFUNCS: dict[str, np.ufunc] = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "any": np.logical_or,
    "all": np.logical_and,
    "mean": np.add,
}
"""How plain partial results are made and combined; ``mean`` is a sum divided at the end."""

MOMENTS = ("var", "std")


def reduction_dtypes(name: str, dtype: np.dtype, wanted: Any = None) -> tuple[np.dtype, np.dtype]:
    """Return the dtypes in which a reduction accumulates and in which it is given.

    Raises
    ------
    TypeError
        When NumPy has no such reduction for `dtype`.
    """
    sample = np.ones(1, dtype)
    if name in ("any", "all"):
        return np.dtype(bool), np.dtype(bool)
    options = {} if wanted is None or name in ("min", "max") else {"dtype": np.dtype(wanted)}
    result = np.dtype(getattr(sample, name)(**options).dtype)
    if name not in ("mean", *MOMENTS):
        return result, result
    if wanted is not None:
        return np.dtype(wanted), result
    if name == "mean":
        accumulator = np.dtype("f4") if dtype == np.dtype("f2") else result
        return accumulator, result
    # moments in double precision: the mean of a chunk must not cost digits of the whole
    return np.result_type(result if dtype.kind != "c" else dtype, "f8"), result


def partial(name: str, axes: tuple[int, ...], dtype: np.dtype, block: np.ndarray) -> Any:
    """Return what one block contributes; reduced axes stay, with length 1."""
    if name in MOMENTS:
        return _moments(axes, dtype, block)
    options: dict[str, Any] = {} if name in ("min", "max", "any", "all") else {"dtype": dtype}
    return np.asarray(UFUNCS[name].reduce(block, axis=axes, keepdims=True, **options))


def _moments(
    axes: tuple[int, ...], dtype: np.dtype, block: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray]:
    """Return count, means and sums of squared distances from the means."""
    count = math.prod(block.shape[axis] for axis in axes)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduce(block, axis=axes, dtype=dtype, keepdims=True) / max(1, count)
        distance = block - mean
    squared = (distance * distance.conj()).real if dtype.kind == "c" else distance * distance
    return count, np.asarray(mean), np.asarray(np.add.reduce(squared, axis=axes, keepdims=True))


def combine(name: str, parts: Sequence[Any]) -> Any:
    """Return partial results of several blocks merged into one."""
    if name in MOMENTS:
        return _combine_moments(parts)
    ufunc = UFUNCS[name]
    if len(parts) == 1:
        return parts[0]
    total = np.asarray(ufunc(parts[0], parts[1]))
    for part in parts[2:]:
        ufunc(total, part, out=total)
    return total


def _combine_moments(parts: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> Any:
    count, mean, squares = parts[0]
    for other, other_mean, other_squares in parts[1:]:
        total = count + other
        if not total:
            continue
        delta = other_mean - mean
        apart = (delta * delta.conj()).real if np.iscomplexobj(delta) else delta * delta
        squares = squares + other_squares + apart * (count * other / total)
        mean = mean + delta * (other / total)
        count = total
    return count, mean, squares


def finalize(
    name: str,
    axes: tuple[int, ...],
    keepdims: bool,
    count: int,
    ddof: float,
    dtype: np.dtype,
    value: Any,
) -> np.ndarray:
    """Return the reduction of `count` elements each, from what `combine` gave.

    As NumPy, but without its warning: a mean of nothing is NaN.
    """
    result = value
    with np.errstate(invalid="ignore", divide="ignore"):
        if name == "mean":
            result = value / count
        elif name in MOMENTS:
            variance = value[2] / max(0.0, count - ddof)
            result = np.sqrt(variance) if name == "std" else variance
    result = np.asarray(result).astype(dtype, copy=False)
    if keepdims:
        return result
    kept = tuple(n for axis, n in enumerate(result.shape) if axis not in axes)
    return result.reshape(kept)

"""Programs of calls on the blocks of arrays, for linear algebra."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from penstock.collections.arrays.array import Array
from penstock.collections.arrays.base import need_known
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.engine.kernels.chunks import ArraySchema, Chunks
from penstock.engine.nodes.arrays.program import BlockProgram, Calls, ProgramArray, Ref, block_refs
from penstock.engine.nodes.map_blocks import Opaque

FIRST = operator.itemgetter(0)
SECOND = operator.itemgetter(1)
THIRD = operator.itemgetter(2)


class Program:
    """Calls on the blocks of arrays, of which arrays are made.

    Parameters
    ----------
    label : str
    *arrays : Array
    """

    def __init__(self, label: str, *arrays: Array) -> None:
        self.label = label
        self.operands = tuple(array.plan for array in arrays)
        self.calls = Calls()
        self.add = self.calls.add
        self._largest = max((plan.schema.block_nbytes for plan in self.operands), default=0)
        self._made: list[tuple[Any, Chunks, Any]] = []

    def blocks(self, which: int = 0) -> np.ndarray:
        """Return what stands for the blocks of an operand, in the shape of its grid."""
        return block_refs(self.operands, which)

    def pair(self, function: Any, *values: Ref) -> tuple[Ref, Ref]:
        """Add a call that gives two values."""
        both = self.add(function, *values)
        return self.add(FIRST, both), self.add(SECOND, both)

    def result(self, places: Any, chunks: Chunks, dtype: Any) -> int:
        """Declare an array whose blocks are these values."""
        self._made.append((np.asarray(places).ravel(), chunks, dtype))
        self._largest = max(self._largest, ArraySchema(chunks, np.dtype(dtype)).block_nbytes)
        return len(self._made) - 1

    def arrays(self, largest: int = 0) -> list[Array]:
        """Return the declared arrays."""
        program = BlockProgram(
            self.operands, Opaque(self.calls), max(largest, self._largest), self.label
        )
        made = []
        for places, chunks, dtype in self._made:
            layout = ArraySchema(chunks, np.dtype(dtype))
            node = ProgramArray(program, tuple(int(place) for place in places), layout)
            made.append(Array(noted(node)))
        return made


def matrix(a: Any, operation: str) -> Array:
    """Return `a` as an Array of two axes.

    Raises
    ------
    numpy.linalg.LinAlgError
        When it has others.
    """
    array = asarray(a)
    need_known(operation, array)
    if array.ndim != 2:
        raise np.linalg.LinAlgError(
            f"{operation} takes a matrix, not an array of {array.ndim} axes"
        )
    return array


def square(a: Any, operation: str) -> Array:
    """Return `a` as a square matrix."""
    array = matrix(a, operation)
    if array.shape[0] != array.shape[1]:
        raise np.linalg.LinAlgError(f"{operation} takes a square matrix, not one of {array.shape}")
    return array


def factor_dtype(*dtypes: np.dtype) -> np.dtype:
    """Return the type in which matrices are factored."""
    kind = np.result_type(*dtypes)
    return kind if kind.kind in "fc" and kind.itemsize >= 4 else np.dtype("f8")

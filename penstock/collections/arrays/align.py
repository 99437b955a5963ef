"""Operands of an operation, cut along the same lines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from penstock.collections.arrays.array import Array
from penstock.errors import SchemaError, UnsupportedError

Sizes = tuple[int, ...]


def unified(
    arrays: Sequence[Array], labels: Sequence[Sequence[Hashable]], operation: str
) -> tuple[dict[Hashable, Sizes], list[Array]]:
    """Return the chunks of every label, and the arrays rechunked to them.

    Parameters
    ----------
    arrays : sequence of Array
    labels : sequence of sequence
        What each axis of each array stands for; an axis of length 1 broadcasts.
    operation : str
        For errors.

    Raises
    ------
    SchemaError
        When axes of the same label have different lengths.
    UnsupportedError
        When sizes of chunks are unknown and their numbers differ.
    """
    found: dict[Hashable, list[Sizes]] = {}
    for array, names in zip(arrays, labels, strict=True):
        if len(names) != array.ndim:
            raise SchemaError(f"{operation}: {len(names)} labels for an array of {array.ndim} axes")
        for label, sizes in zip(names, array.chunks, strict=True):
            found.setdefault(label, []).append(sizes)
    chunks = {label: common_sizes(sizes, operation, label) for label, sizes in found.items()}
    ready = []
    for array, names in zip(arrays, labels, strict=True):
        wanted = tuple(
            sizes if _one(sizes) and not _one(chunks[label]) else chunks[label]
            for label, sizes in zip(names, array.chunks, strict=True)
        )
        same = all(known_sizes(part) is None or part == sizes
                   for part, sizes in zip(wanted, array.chunks, strict=True))  # fmt: skip
        ready.append(array if same else array.rechunk(wanted))
    return chunks, ready


def _one(sizes: Sizes) -> bool:
    return tuple(sizes) == (1,)


def common_sizes(alternatives: Sequence[Sizes], operation: str, label: Any) -> Sizes:
    """Return the sizes that cut wherever one of `alternatives` does."""
    wide = {tuple(sizes) for sizes in alternatives if not _one(sizes)}
    if len(wide) <= 1:
        return wide.pop() if wide else (1,)
    if any(known_sizes(sizes) is None for sizes in wide):
        if len({len(sizes) for sizes in wide}) > 1:
            raise UnsupportedError(
                f"{operation}: along {label!r} chunks of unknown size meet others of another "
                "number; call compute_chunk_sizes() first"
            )
        return next((sizes for sizes in wide if known_sizes(sizes) is not None), wide.pop())
    if len({sum(sizes) for sizes in wide}) > 1:
        lengths = sorted({sum(sizes) for sizes in wide})
        raise SchemaError(f"{operation}: along {label!r} the lengths {lengths} do not fit together")
    cuts = sorted({cut for sizes in wide for cut in accumulate(sizes)})
    return tuple(stop - start for start, stop in zip([0, *cuts[:-1]], cuts, strict=True))


def known_sizes(sizes: Sizes) -> Sizes | None:
    """Return `sizes`, or None where they are unknown (NaN)."""
    return None if any(size != size for size in sizes) else sizes


def single_chunk(array: Array, axes: Sequence[int]) -> Array:
    """Return `array` with one chunk along `axes`."""
    wanted: Mapping[int, Any] = {axis: -1 for axis in axes if len(array.chunks[axis]) > 1}
    return array.rechunk(dict(wanted)) if wanted else array

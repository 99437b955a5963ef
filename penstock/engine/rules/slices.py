"""Slices and other chunks of stored arrays are read as such.

A slice is also read when something elementwise lies between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from penstock.engine.nodes.arrays.elementwise import Elementwise
from penstock.engine.nodes.arrays.slice import SliceArray
from penstock.engine.nodes.arrays.storage import FromArray
from penstock.engine.nodes.arrays.take import TakeArray
from penstock.engine.plan import ArrayNode, Node, keep_line, transform, walk

_WHOLE = (None, None, None)


def push_slices(root: Node) -> Node:
    """Return the plan whose readers read only what the slices of them take.

    What others use too is left whole: its chunks are read once for all.
    """
    if not any(isinstance(node, SliceArray | TakeArray) for node in walk(root)):
        return root
    while True:
        uses: Counter[Node] = Counter()
        (pushed,) = transform([root], partial(_pushed, uses), uses)
        if pushed is root:
            return root
        root = pushed


def _pushed(uses: Counter[Node], node: Node) -> Node:
    if not isinstance(node, SliceArray | TakeArray) or uses[node.input] > 1:
        return node
    source = node.input
    if isinstance(node, TakeArray):
        return _rechunked(node, source) if isinstance(source, FromArray) else node
    if isinstance(source, FromArray):
        return _narrowed(node, source)
    if isinstance(source, Elementwise) and all(uses[each] <= 1 for each in source.operands):
        return _below(node, source)
    return node


def _narrowed(node: SliceArray, source: FromArray) -> Node:
    parts: list[int | tuple[int, int]] = []
    for part, extent in zip(node.index, source.schema.shape, strict=True):
        if isinstance(part, int):
            parts.append(part)
            continue
        start, _, step = slice(*part).indices(extent)
        if step < 0 or (step > 1 and not source.stored.known):
            return node
        parts.append((min(start, extent), step))
    return source.sliced(parts, node.schema)


def _rechunked(node: TakeArray, source: FromArray) -> Node:
    """Return the reader of other chunks, unless it would read a chunk of the store again."""
    starts: list[int] = []
    for selector, sizes in zip(node.selectors, source.schema.chunks, strict=False):
        if not isinstance(selector, tuple) or selector[1] != 1 or selector[0] + 1 > sum(sizes):
            return node
        starts.append(selector[0])
    if node.joint > 1 or len(starts) != len(source.schema.chunks) or not source.schema.known:
        return node
    if not source.reads_whole(starts, node.schema.chunks):
        return node
    return source.sliced([(start, 1) for start in starts], node.schema)


def _below(node: SliceArray, source: Elementwise) -> Node:
    """Return the operation on slices of its operands, when one of these can be read in part."""
    if not any(_readable(operand) for operand in source.operands):
        return node
    operands: list[ArrayNode] = []
    ndim = len(node.index)
    for operand in source.operands:
        shape = operand.schema.shape
        index: list[int | tuple[int | None, int | None, int | None]] = []
        # axes that an operand does not have, or only with length 1, are not cut
        for part, extent, whole in zip(
            node.index[ndim - len(shape) :],
            shape,
            source.schema.shape[ndim - len(shape) :],
            strict=True,
        ):
            if extent == whole:
                index.append(part)
            elif isinstance(part, int):
                index.append(0)
            else:
                index.append(_WHOLE)
        if len(shape) < ndim and any(isinstance(part, int) for part in node.index):
            missing = node.index[: ndim - len(shape)]
            if any(not isinstance(part, int) for part in missing) and any(
                isinstance(part, int) for part in index
            ):
                return node  # its axes would lie over others
        if all(part == _WHOLE for part in index):
            operands.append(operand)
        else:
            cut = SliceArray(operand, tuple(index))
            keep_line(node, cut)
            operands.append(cut)
    made = replace(source, operands=tuple(operands))
    return made if made.schema == node.schema else node


def _readable(node: Node) -> bool:
    while isinstance(node, Elementwise):
        node = node.operands[0]
    return isinstance(node, FromArray)

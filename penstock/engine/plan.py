"""Plan nodes: immutable logical descriptions of results.

A node is a frozen record whose fields are its operands. Nodes are interned:
building the same operation on the same inputs twice gives the same object, so
equality is identity and common subexpressions are shared for free. Identity is
explicit everywhere: sources compare by fingerprint, the user's functions by
object identity, never by a pickle's hash.
"""

from __future__ import annotations

import dataclasses
import weakref
from abc import ABCMeta, abstractmethod
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from penstock.engine.kernels.chunks import ArraySchema
    from penstock.engine.primitives.lowering import Blocks, Lowering
    from penstock.engine.schema import FrameSchema

# Where the user asked for a node, for errors. Not part of a node's identity.
user_lines: weakref.WeakKeyDictionary[Node, str] = weakref.WeakKeyDictionary()
_interned: weakref.WeakValueDictionary[tuple, Node] = weakref.WeakValueDictionary()


class _Interning(ABCMeta):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        node = super().__call__(*args, **kwargs)
        key = (cls, *(_identity(getattr(node, f.name)) for f in dataclasses.fields(node)))
        return _interned.setdefault(key, node)


def _identity(value: Any) -> Any:
    # 1, 1.0 and True are equal in Python but not the same operand
    if isinstance(value, tuple):
        return tuple(_identity(item) for item in value)
    return (type(value), value)


@record(eq=False)
class Node(metaclass=_Interning):
    """One operation on zero or more inputs.

    Subclasses are ``@record(eq=False)``. Fields that are nodes,
    or tuples of nodes, are the inputs; all fields must be hashable.
    """

    name: ClassVar[str] = "node"
    is_blockwise: ClassVar[bool] = False
    """Block `i` of the result needs block `i` of each input only."""
    keeps_rows: ClassVar[bool] = False
    """The result has the rows of the first input, in the same blocks."""
    moves_rows: ClassVar[bool] = False
    """The result has the rows of the first input, in another order or in other blocks."""
    passes_projection: ClassVar[bool] = False
    """Columns that nobody needs may be dropped below this node (see `needs`)."""
    passes_filter: ClassVar[bool] = False
    """A filter on columns that this node does not make may run below it."""
    picks_columns: ClassVar[bool] = False
    """Takes its columns by name, so that others in a block do no harm."""

    # -- structure ------------------------------------------------------------

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes among the operands, in the order of the fields."""
        found: list[Node] = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Node):
                found.append(value)
            elif isinstance(value, tuple):
                found.extend(item for item in value if isinstance(item, Node))
        return tuple(found)

    def with_inputs(self, inputs: Sequence[Node]) -> Node:
        """Return this operation on other `inputs` (same number, same order)."""
        if all(new is old for new, old in zip(inputs, self.inputs, strict=True)):
            return self
        rest = list(inputs)
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Node):
                changes[field.name] = rest.pop(0)
            elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
                changes[field.name] = tuple(
                    rest.pop(0) if isinstance(item, Node) else item for item in value
                )
        return dataclasses.replace(self, **changes)

    # -- what it declares -----------------------------------------------------

    @property
    @abstractmethod
    def schema(self) -> Any:
        """What the blocks hold: a `FrameSchema`, or shape, dtype and chunks."""

    @property
    @abstractmethod
    def npartitions(self) -> int:
        """How many blocks the result has."""

    @cached_property
    def grid(self) -> Node:
        """The node that decided which rows are in which block."""
        return self.inputs[0].grid if self.keeps_rows and self.inputs else self

    @cached_property
    def nbytes(self) -> int:
        """Estimated bytes of all blocks together, in memory."""
        return sum(node.nbytes for node in self.inputs)

    @property
    def least_rows(self) -> int:
        """Rows that all blocks have together at the very least; 0 where nothing is known."""
        same = self.inputs and (self.keeps_rows or self.moves_rows)
        return self.inputs[0].least_rows if same else 0

    @property
    def least_bytes(self) -> int:
        """Bytes that all blocks take together at the very least; 0 where nothing is known."""
        return 0

    @property
    def least_need(self) -> int:
        """Bytes that the operation has at once at the very least, beside the memory of a task."""
        return 0

    @property
    def remedy(self) -> str | None:
        """What the user can do when `least_need` is more than there is."""
        return None

    def sized(self, block_bytes: int) -> Node:
        """Return this operation with blocks of about `block_bytes`, when it is free to choose."""
        return self

    @property
    def divisions(self) -> tuple | None:
        """Bounds of the index of each block (npartitions + 1 values), when known."""
        return self.inputs[0].divisions if self.keeps_rows and self.inputs else None

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        """Return, per input, the columns needed to give `columns` of the result."""
        return tuple(frozenset(node.schema.names) for node in self.inputs)

    def prune(self, columns: frozenset[str]) -> Node:
        """Return this operation giving only `columns`, when it can give fewer."""
        return self

    @abstractmethod
    def lower(self, lowering: Lowering) -> Blocks:
        """Add the stages of this operation and return its blocks."""

    def describe(self) -> str:
        """Return the operands in a few words, for ``explain``."""
        return ""


class FrameNode(Node):
    """A node whose blocks are tables."""

    @property
    @abstractmethod
    def schema(self) -> FrameSchema:
        """Columns, index and hidden order of the blocks."""

    @property
    def npartitions(self) -> int:
        """How many blocks the result has: as many as the first input, unless a node says else."""
        return self.inputs[0].npartitions

    @property
    def least_bytes(self) -> int:
        rows = self.least_rows
        return rows * self.schema.least_bits // 8 if rows else 0


class ArrayNode(Node):
    """A node whose blocks are arrays, numbered in C order."""

    @property
    @abstractmethod
    def schema(self) -> ArraySchema:
        """Sizes of the chunks along each axis, and the dtype."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis; NaN where they are not known."""
        return self.schema.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self.schema.dtype

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the chunks along each axis; NaN where they are not known."""
        return self.schema.chunks

    @property
    def npartitions(self) -> int:
        return self.schema.nblocks

    @cached_property
    def nbytes(self) -> int:
        return self.schema.nbytes

    @property
    def least_bytes(self) -> int:
        return self.nbytes if self.schema.known else 0

    @property
    def divisions(self) -> None:
        return None


class BagNode(Node):
    """A node whose blocks are lists."""

    @property
    def schema(self) -> None:
        """Nothing is known of the items of a list."""
        return

    @property
    def divisions(self) -> None:
        return None


class ValueNode(Node):
    """A node whose one block is any Python object."""

    @property
    def schema(self) -> None:
        """Nothing is known of the object."""
        return

    @property
    def npartitions(self) -> int:
        return 1

    @cached_property
    def nbytes(self) -> int:
        return 0

    @property
    def divisions(self) -> None:
        return None


def walk(*roots: Node) -> Iterator[Node]:
    """Yield every node under `roots` once, inputs before the nodes that use them."""
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(node.inputs))


def count_uses(*roots: Node) -> Counter[Node]:
    """Return how many operands each node is, plus one for each root."""
    uses: Counter[Node] = Counter(roots)
    for node in walk(*roots):
        uses.update(node.inputs)
    return uses


def keep_line(old: Node, new: Node) -> None:
    """Remember for `new` the user's line that asked for `old`."""
    if new is not old and new not in user_lines and old in user_lines:
        user_lines[new] = user_lines[old]


def transform(
    roots: Sequence[Node],
    function: Callable[[Node], Node],
    uses: Counter[Node] | None = None,
) -> list[Node]:
    """Rebuild `roots` bottom-up, applying `function` to each node once.

    `function` sees a node whose inputs are already rebuilt. A given `uses` is
    filled on the way with how many operands each rebuilt node is, so that
    `function` can tell which inputs are shared.
    """
    rebuilt: dict[Node, Node] = {}
    before = count_uses(*roots) if uses is not None else Counter()
    for node in walk(*roots):
        fresh = function(node.with_inputs([rebuilt[source] for source in node.inputs]))
        keep_line(node, fresh)
        rebuilt[node] = fresh
        if uses is not None:
            uses[fresh] += before[node]
    return [rebuilt[root] for root in roots]


def transform_frames(
    root: Node,
    function: Callable[[FrameNode], FrameNode],
    uses: Counter[Node] | None = None,
) -> Node:
    """Rebuild `root` bottom-up, applying `function` to each frame node once; see `transform`."""

    def apply(node: Node) -> Node:
        return function(node) if isinstance(node, FrameNode) else node

    return transform([root], apply, uses)[0]


@record(eq=False)
class Results(Node):
    """The results of one run together, so that rules see one plan."""

    results: tuple[Node, ...]

    name = "results"

    @property
    def schema(self) -> Any:
        raise TypeError("several results have no common schema")

    @property
    def npartitions(self) -> int:
        return sum(node.npartitions for node in self.results)

    def lower(self, lowering: Lowering) -> Blocks:
        raise TypeError("results are lowered one by one")

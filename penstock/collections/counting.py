"""Rows counted as they are read and as they are written, and compared before a commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.engine.evaluate import evaluate
from penstock.engine.expr import Expr, columns_of
from penstock.engine.nodes.filter import Filter
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import FrameNode, transform, walk
from penstock.errors import SinkError, UnsupportedError
from penstock.io.sink import Receipt, Sink
from penstock.io.source import Capabilities, CarrySource, Pushdown, Source, Split

if TYPE_CHECKING:
    import pyarrow as pa


class Tally:
    """Rows parsed and rows kept by the filter, split by split."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, tuple[int, int]] = {}
        self.predicate: Expr | None = None

    def count(self, split: Split, table: pa.Table) -> None:
        """Count the rows of a parsed block, and those the filter has to keep."""
        kept = table.num_rows
        if self.predicate is not None:
            mask = evaluate(self.predicate, table)
            kept = _true_count(mask, kept)
        with self._lock:
            self._rows[split.index] = (table.num_rows, kept)

    def restart(self) -> None:
        """Forget everything, because all is read again."""
        with self._lock:
            self._rows.clear()

    @property
    def parsed(self) -> int:
        """Rows read."""
        return sum(parsed for parsed, _ in self._rows.values())

    @property
    def kept(self) -> int:
        """Rows read that the filter keeps."""
        return sum(kept for _, kept in self._rows.values())


def _true_count(mask: Any, rows: int) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(mask, pa.Scalar):
        return rows if mask.as_py() else 0
    return int(pc.sum(mask).as_py() or 0)


def counting(plan: FrameNode, tally: Tally) -> FrameNode:
    """Return the plan with its readers counting into `tally`."""
    for node in walk(plan):
        if isinstance(node, Filter):
            tally.predicate = node.predicate

    def count(node: Any) -> Any:
        if not isinstance(node, ReadFrame):
            return node
        wanted = frozenset() if tally.predicate is None else columns_of(tally.predicate)
        if not wanted <= frozenset(node.schema.columns):
            raise UnsupportedError(
                "a filter on row numbers cannot be checked against the rows read; filter by columns"
            )
        return replace(node, source=_counted(node.source, tally))

    (counting,) = transform([plan], count)
    assert isinstance(counting, FrameNode)
    return counting


class _Wrapped(Source):
    """A source that is another one, up to how it is read."""

    def __init__(self, inner: Any, tally: Tally) -> None:
        self._inner = inner
        self._tally = tally

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._inner, name)
        if name != "widened":
            return value

        def widened(*arguments: Any) -> Source:
            self._tally.restart()
            return type(self)(value(*arguments), self._tally)

        return widened

    @property
    def format(self) -> str:  # type: ignore[override]
        return str(self._inner.format)

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        found: Capabilities = self._inner.capabilities
        return found

    @property
    def fingerprint(self) -> tuple:
        return tuple(self._inner.fingerprint)

    @property
    def schema(self) -> pa.Schema:
        return self._inner.schema

    @property
    def divisions(self) -> tuple | None:
        found: tuple | None = self._inner.divisions
        return found

    def split(self, pushdown: Pushdown, target_bytes: int) -> Sequence[Split]:
        """Cut as the source itself does."""
        splits: Sequence[Split] = self._inner.split(pushdown, target_bytes)
        return splits

    def describe(self) -> dict[str, Any]:
        """Return the facts of the source itself."""
        found: dict[str, Any] = self._inner.describe()
        return found


class _Counted(_Wrapped):
    """A source that counts the rows of the blocks it gives."""

    def read(self, split: Split, pushdown: Pushdown) -> pa.Table:
        """Read and count a block."""
        table = self._inner.read(split, pushdown)
        self._tally.count(split, table)
        return table


class _CountedCarry(_Wrapped, CarrySource):
    """The same for a source whose splits carry state on."""

    def fetch(self, split: Split, cursor: Any) -> tuple[Any, Any, Any]:
        """Fetch as the source itself does."""
        found: tuple[Any, Any, Any] = self._inner.fetch(split, cursor)
        return found

    def advance(self, state: Any, summary: Any) -> Any:
        """Advance as the source itself does."""
        return self._inner.advance(state, summary)

    def parse(self, payload: Any, state: Any, split: Split, pushdown: Pushdown) -> pa.Table:
        """Parse and count a block."""
        table = self._inner.parse(payload, state, split, pushdown)
        self._tally.count(split, table)
        return table


class _CountedBoth(_Counted, _CountedCarry):
    """The same for a source that can be read in either way."""


def _counted(source: Source, tally: Tally) -> Source:
    """Return `source`, counting, with exactly the ways of reading that it has."""
    reads = type(source).read is not Source.read
    if not isinstance(source, CarrySource):
        return _Counted(source, tally)
    return _CountedBoth(source, tally) if reads else _CountedCarry(source, tally)


class CheckedSink(Sink):
    """A sink that commits only when it has written the rows that were to be written."""

    def __init__(self, make: Callable[[], Sink], tally: Tally, target: str) -> None:
        self._make = make
        self._tally = tally
        self._inner = make()
        self.target = target
        self.format = self._inner.format
        self.ordered = self._inner.ordered
        self.receipts: Sequence[Receipt] = ()
        self.paths: list[str] = []

    @property
    def rows(self) -> int:
        """Rows written."""
        return sum(receipt.rows for receipt in self.receipts)

    def begin(self, schema: pa.Schema, nblocks: int) -> None:
        """Begin with a new sink: a run may be repeated with wider types."""
        self._tally.restart()
        self._inner = self._make()
        self._inner.begin(schema, nblocks)

    def write(self, index: int, block: pa.Table) -> Receipt:
        """Write as the sink itself does."""
        return self._inner.write(index, block)

    def commit(self, receipts: Sequence[Receipt]) -> list[str]:
        """Compare the numbers of rows, then commit."""
        self.receipts = receipts
        if self.rows != self._tally.kept:
            raise SinkError(
                f"{self.target}: {self.rows} rows were written, but {self._tally.parsed} were read "
                f"and {self._tally.parsed - self._tally.kept} of them filtered out; the target is "
                "left as it was"
            )
        self.paths = self._inner.commit(receipts)
        return self.paths

    def abort(self) -> None:
        """Abort as the sink itself does."""
        self._inner.abort()


class UnwrittenSink(Sink):
    """Stands for a sink in a plan that is looked at and never run."""

    def __init__(self, sink: Sink) -> None:
        self.format = sink.format
        self.ordered = sink.ordered

    def begin(self, schema: pa.Schema, nblocks: int) -> None:
        """Leave the target alone."""

    def write(self, index: int, block: pa.Table) -> Receipt:
        """Refuse."""
        raise AssertionError("a preview writes nothing")

    def commit(self, receipts: Sequence[Receipt]) -> list[str]:
        """Refuse."""
        raise AssertionError("a preview writes nothing")

    def abort(self) -> None:
        """Leave the target alone."""

"""The contract between a format's reader and the engine.

A source knows its schema, cuts its input into splits and reads one split into
one block. It sees a `Pushdown` of plain values and never a node of the engine.

Two ways of reading exist:

- `Source.read(split, pushdown)`: splits are independent (Parquet row groups,
  chunks of arrays).
- `CarrySource`: a split cannot tell alone where its first record starts (text
  with newlines inside quotes, a compressed stream, a row group read in
  batches). The engine calls, for the splits in their order,

  1. ``fetch(split, cursor) -> (payload, summary, cursor)`` raw bytes of the
     split plus what later splits must know of them (small). Where
     ``split.after`` is true, `cursor` is what the fetch of the split before
     returned (an open stream), otherwise None;
  2. ``advance(state, summary) -> state`` in order, tiny: what the *next* split
     needs (open quote, bytes of an unfinished record). The first state is None;
  3. ``parse(payload, state, split, pushdown) -> block`` in parallel.

  Bytes are read once, every split is parsed in parallel, and the rows are
  those of a serial reader for every block size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import field
from typing import TYPE_CHECKING, Any

from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    import pyarrow.compute as pc


@record
class Capabilities:
    """What a source can take over from the engine."""

    projection: bool = False
    """Reads only the columns asked for."""
    filter: str = "none"
    """``"none"``, ``"inexact"`` (skips some, the engine filters again) or ``"exact"``."""
    row_counts: bool = False
    """Every split's `Split.rows` is exact before reading."""


@record
class Pushdown:
    """What the engine wants of each split."""

    columns: tuple[str, ...] | None = None
    """Columns to read, in this order; None reads all. May be empty (only row counts matter)."""
    filter: pc.Expression | None = None
    """Rows that may be dropped are those for which this is not true."""
    limit: int | None = None
    """Rows after this many of each split are not needed."""


@record
class Split:
    """One unit of reading, which becomes one block.

    Attributes
    ----------
    uri : str
        The file or store, without credentials; shown to the user in errors.
    index : int
        Position among all splits of the source.
    nbytes : int
        Estimated bytes of the block in memory, with the columns of the pushdown.
    stored_bytes : int
        Bytes that reading it moves from storage (before projection).
    rows : int or None
        Exact row count when known.
    first, last : bool
        Whether it is the first or last split of its file (or stream).
    after : bool
        Whether its fetch continues the stream of the split before (`CarrySource`).
    location : Any
        Plain picklable value of the format's own: byte range, row groups, ...
    origin : str
        What the user is told of it in errors, e.g. ``"a.csv, bytes 0-16777216"``.
    """

    uri: str
    index: int
    nbytes: int
    stored_bytes: int = 0
    rows: int | None = None
    first: bool = True
    last: bool = True
    after: bool = False
    location: Any = None
    origin: str = ""
    statistics: dict[str, tuple[Any, Any]] = field(default_factory=dict, compare=False, hash=False)


class Source(ABC):
    """A readable data set: files already listed, pinned and sniffed.

    Instances are immutable and picklable. Identity is explicit: `fingerprint`.
    """

    format: str = ""
    capabilities: Capabilities = Capabilities()

    @property
    @abstractmethod
    def fingerprint(self) -> tuple:
        """Hashable identity: files as (uri, size, mtime or etag) and the reading options."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """Arrow schema of every block, before pushdown."""

    @property
    def divisions(self) -> tuple | None:
        """Known bounds of the index per split (length splits + 1), or None."""
        return None

    @abstractmethod
    def split(self, pushdown: Pushdown, target_bytes: int) -> Sequence[Split]:
        """Cut the input into splits of about `target_bytes` each once in memory.

        `target_bytes` is counted after projection, so that few columns give
        longer splits. Splits are read with the same columns. Splits that `pushdown.filter` rules out by statistics or
        by hive partition may be left out (when they are, row numbers still
        count them: give `Split.rows` and ``location`` accordingly).
        """

    def read(self, split: Split, pushdown: Pushdown) -> pa.Table:
        """Return the block of `split` with exactly the columns of the pushdown."""
        raise TypeError(f"{type(self).__name__} is read through fetch, advance and parse")

    def describe(self) -> dict[str, Any]:
        """Return facts for ``explain`` and ``penstock info`` (files, bytes, codec, drift, ...)."""
        return {}


class CarrySource(Source):
    """A source whose splits need to know what came before them.

    Attributes
    ----------
    cursor_bytes : int
        What `fetch` keeps from one split to the next, beside the payload.
    """

    cursor_bytes: int = 1 << 20

    @abstractmethod
    def fetch(self, split: Split, cursor: Any) -> tuple[Any, Any, Any]:
        """Return (payload, summary, cursor) of `split`."""

    @abstractmethod
    def advance(self, state: Any, summary: Any) -> Any:
        """Return the state in which the next split starts."""

    @abstractmethod
    def parse(self, payload: Any, state: Any, split: Split, pushdown: Pushdown) -> pa.Table:
        """Return the block of `split`, given the state in which it starts."""

"""Write: every block through a sink's transaction, committed at the end or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.engine.nodes.concat import align_block
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.primitives.lowering import add_stage
from penstock.engine.schema import FrameSchema
from penstock.io.sink import Receipt, Sink
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Write(FrameNode):
    """Write the blocks of `input` to a sink; the result is one row of figures.

    Attributes
    ----------
    sink : Opaque
        Holds the `Sink`.
    columns : tuple of str
        Columns of the blocks that are written, in order.
    names : tuple of str
        Their names in the output.
    """

    input: FrameNode
    sink: Opaque
    columns: tuple[str, ...]
    names: tuple[str, ...]

    name = "write"
    picks_columns = True

    @cached_property
    def schema(self) -> FrameSchema:
        import pyarrow as pa

        return FrameSchema((pa.field("rows", pa.int64()), pa.field("nbytes", pa.int64())))

    @property
    def npartitions(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return 1024

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (frozenset(self.columns),)

    def output_schema(self) -> pa.Schema:
        """Return the Arrow schema of what is written."""
        import pyarrow as pa

        arrow = self.input.schema.arrow
        return pa.schema(
            [
                arrow.field(column).with_name(name)
                for column, name in zip(self.columns, self.names, strict=True)
            ]
        )

    def lower(self, lowering: Lowering) -> Blocks:
        sink: Sink = self.sink.value
        blocks = lowering.blocks(self.input)
        transaction = SinkTransaction(sink)
        lowering.resources.append(transaction)
        schema = self.output_schema()
        try:
            sink.begin(schema, len(blocks))
        except BaseException:
            with contextlib.suppress(Exception):  # what had begun, if anything
                sink.abort()
            raise
        transaction.begun = True
        write = _WriteBlock(sink, self.columns, schema)
        if sink.ordered:
            receipts = _write_in_order(lowering, f"write-{sink.format}", write, blocks)
        else:
            receipts = blockwise(
                lowering,
                f"write-{sink.format}",
                write,
                [blocks],
                arguments=range(len(blocks)),
                nbytes=0,
                memory=TaskMemory(input_factor=1.5),
            )
        return add_stage(
            lowering,
            "commit",
            partial(_commit, transaction),
            (np.array([0, len(receipts)]), receipts.ids),
            csr=True,
            gathers=True,
        )

    def describe(self) -> str:
        return str(getattr(self.sink.value, "target", self.sink.value.format))


class SinkTransaction:
    """Aborts a sink's transaction at the end of a run that did not commit it."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.begun = False
        self.committed = False

    def close(self) -> None:
        if self.begun and not self.committed:
            self.sink.abort()


class _WriteBlock:
    def __init__(self, sink: Sink, columns: tuple[str, ...], schema: pa.Schema) -> None:
        self.sink = sink
        self.columns = columns
        self.schema = schema

    def __call__(self, index: int, table: pa.Table, before: Any = None) -> Receipt:
        table = table.select(list(self.columns)).rename_columns(self.schema.names)
        return self.sink.write(index, align_block(self.schema, table))


def _write_in_order(lowering: Lowering, name: str, write: _WriteBlock, blocks: Blocks) -> Blocks:
    """Chain the writes: each waits for the receipt of the one before."""
    count = len(blocks)
    base = lowering.graph.nvalues
    previous = base + np.arange(count - 1, dtype=np.int64)
    indptr = np.concatenate([[0, 1], 1 + 2 * np.arange(1, count)])
    indices = np.concatenate([blocks.ids[:1], np.stack([blocks.ids[1:], previous], axis=1).ravel()])
    return add_stage(
        lowering,
        name,
        write,
        (indptr, indices),
        csr=True,
        arguments=range(count),
        memory=TaskMemory(input_factor=1.5),
        origin=blocks.origin,
    )


def _commit(transaction: SinkTransaction, receipts: Sequence[Receipt]) -> pa.Table:
    import pyarrow as pa

    transaction.sink.commit(receipts)
    transaction.committed = True
    rows = sum(receipt.rows for receipt in receipts)
    nbytes = sum(receipt.nbytes for receipt in receipts)
    return pa.table(
        {"rows": pa.array([rows], pa.int64()), "nbytes": pa.array([nbytes], pa.int64())}
    )

"""Sample: rows chosen at random, the same ones however the rows are cut into blocks."""

from __future__ import annotations

from functools import partial
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise, prefix_scan
from penstock.engine.primitives.lowering import output
from penstock.engine.schema import FrameSchema
from penstock.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record(eq=False)
class Sample(FrameNode):
    """Keep each row with probability `share`, decided by its number and `seed`."""

    input: FrameNode
    share: float
    seed: int

    name = "sample"
    passes_projection = True

    @property
    def schema(self) -> FrameSchema:
        return self.input.schema

    @property
    def nbytes(self) -> int:
        return int(self.input.nbytes * self.share)

    def needs(self, columns: frozenset[str]) -> tuple[frozenset[str], ...]:
        return (columns,)

    def lower(self, lowering: Lowering) -> Blocks:
        counted = blockwise(
            lowering, f"{self.name} count", _counted, [lowering.blocks(self.input)], outputs=2
        )
        stage = counted.stage
        assert stage is not None
        offsets = prefix_scan(lowering, f"{self.name} offsets", add, output(stage, 1), initial=0)
        tables = Blocks(output(stage, 0), counted.nbytes, None, counted.origin)
        return blockwise(
            lowering,
            self.name,
            partial(_sampled, self.share, self.seed),
            [tables, offsets],
            nbytes=max(1, int(counted.nbytes * self.share)),
        )

    def describe(self) -> str:
        return f"{self.share:.3g} of the rows"


def _counted(table: pa.Table) -> tuple[pa.Table, int]:
    return table, table.num_rows


def _sampled(share: float, seed: int, table: pa.Table, offset: int) -> pa.Table:
    import pyarrow as pa

    # a stream of its own for every row number: Philox can be entered anywhere, 4 numbers at once
    generator = np.random.Philox(key=seed).advance(offset // 4)
    skipped = offset % 4
    draws = generator.random_raw(skipped + table.num_rows)[skipped:]
    kept = (draws >> np.uint64(11)) * 2.0**-53 < share
    return table.take(pa.array(np.flatnonzero(kept)))

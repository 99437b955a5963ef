"""Array kernels: elementwise programs, reductions, functions of blocks, cutting and joining."""

from penstock.engine.kernels.arrays.families import reduction
from penstock.engine.kernels.arrays.program import (
    TILE_BYTES,
    ElementwiseProgram,
    Output,
    Program,
    Step,
    Tile,
    TileReduction,
    TileSource,
    cast,
    constant,
    result_dtype,
    tiles,
)
from penstock.engine.kernels.arrays.reductions import Reduction

__all__ = [
    "TILE_BYTES",
    "ElementwiseProgram",
    "Output",
    "Program",
    "Reduction",
    "Step",
    "Tile",
    "TileReduction",
    "TileSource",
    "cast",
    "constant",
    "reduction",
    "result_dtype",
    "tiles",
]

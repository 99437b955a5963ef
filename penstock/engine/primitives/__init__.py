"""The five primitives: the only places that build stages of the task graph."""

from penstock.engine.primitives.blockwise import blockwise
from penstock.engine.primitives.exchange import GATHER_COPIES, exchange
from penstock.engine.primitives.halo import halo
from penstock.engine.primitives.lowering import Blocks, Lowering
from penstock.engine.primitives.prefix_scan import prefix_scan
from penstock.engine.primitives.tree_reduce import tree_reduce

__all__ = [
    "GATHER_COPIES",
    "Blocks",
    "Lowering",
    "blockwise",
    "exchange",
    "halo",
    "prefix_scan",
    "tree_reduce",
]

"""Reductions by NumPy's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.engine.kernels.arrays.positions import Position
from penstock.engine.kernels.arrays.reductions import (
    UFUNCS,
    ByUfunc,
    Mean,
    Moments,
    Range,
    Reduction,
)

if TYPE_CHECKING:
    import numpy as np

_FAMILIES: dict[str, type[Reduction]] = {
    **dict.fromkeys(UFUNCS, ByUfunc),
    "nanmean": Mean,
    **dict.fromkeys(("var", "std", "nanvar", "nanstd"), Moments),
    "ptp": Range,
    **dict.fromkeys(("argmin", "argmax", "nanargmin", "nanargmax"), Position),
}


def reduction(
    name: str,
    axes: tuple[int, ...],
    source: np.dtype,
    wanted: np.dtype | None = None,
    ddof: float = 0.0,
    *,
    counted: bool = False,
    **options: Any,
) -> Reduction:
    """Return the reduction that NumPy calls `name`.

    Parameters
    ----------
    counted : bool
        The elements must be counted, because the sizes of blocks are not known.

    Raises
    ------
    TypeError
        When NumPy has no such reduction for the dtype.
    """
    family = Mean if counted and name == "mean" else _FAMILIES[name]
    made = family(name, axes, source, wanted, ddof, **options)
    _ = made.dtype
    return made

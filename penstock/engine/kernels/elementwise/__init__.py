"""Elementwise operations by pandas' names: `apply_op` runs one, `OPS` lists them."""

from __future__ import annotations

from penstock.engine.kernels.elementwise import arithmetic as _arithmetic
from penstock.engine.kernels.elementwise import casts as _casts
from penstock.engine.kernels.elementwise import comparison as _comparison
from penstock.engine.kernels.elementwise import functions as _functions
from penstock.engine.kernels.elementwise import mapping as _mapping
from penstock.engine.kernels.elementwise import selection as _selection
from penstock.engine.kernels.elementwise import temporal as _temporal
from penstock.engine.kernels.elementwise import text as _text
from penstock.engine.kernels.elementwise.registry import (
    OPS,
    Op,
    Value,
    apply_fallback,
    apply_op,
    apply_value,
)
from penstock.engine.kernels.elementwise.signatures import bind_options

__all__ = ["OPS", "Op", "Value", "apply_fallback", "apply_op", "apply_value", "bind_options"]

# Importing a module registers its operations.
_FAMILIES = (
    _arithmetic, _casts, _comparison, _functions, _mapping, _selection, _temporal, _text,
)  # fmt: skip
